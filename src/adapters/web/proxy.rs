//! The way through the proxy that HTTPS_PROXY, ALL_PROXY and NO_PROXY name. Sends nothing by itself.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::Uri;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use tower_service::Service;

type Boxed = Box<dyn StdError + Send + Sync>;

/// Connects straight, or asks the proxy for a tunnel. What is not encrypted goes to this machine alone, and straight.
#[derive(Debug, Clone)]
pub(super) struct ThroughProxy<C> {
    connector: C,
    proxies: Arc<Matcher>,
}

impl<C> ThroughProxy<C> {
    pub(super) fn from_env(connector: C) -> Self {
        Self {
            connector,
            proxies: Arc::new(Matcher::from_env()),
        }
    }
}

impl<C> Service<Uri> for ThroughProxy<C>
where
    C: Service<Uri> + Clone + Send + 'static,
    C::Future: Send + 'static,
    C::Response: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    C::Error: Into<Boxed>,
{
    type Response = C::Response;
    type Error = Boxed;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, Boxed>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Boxed>> {
        self.connector.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let encrypted = destination.scheme_str() == Some("https");
        let proxy = self.proxies.intercept(&destination).filter(|_| encrypted);
        match proxy {
            None => {
                let connecting = self.connector.call(destination);
                Box::pin(async move { connecting.await.map_err(Into::into) })
            }
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), self.connector.clone());
                if let Some(credentials) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(credentials.clone());
                }
                let connecting = tunnel.call(destination);
                Box::pin(async move { connecting.await.map_err(Into::into) })
            }
        }
    }
}
