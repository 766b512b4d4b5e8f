//! The way to a host: straight, or through a proxy's tunnel. Sends nothing by itself.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use thiserror::Error;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::domain::Secret;

type Boxed = Box<dyn StdError + Send + Sync>;
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Which proxy is to be used.
#[derive(Debug, Clone)]
pub(in super::super) enum Proxy {
    /// The one that HTTPS_PROXY, ALL_PROXY and NO_PROXY name.
    Environment,
    /// None.
    Direct,
    /// The one of this URL, which holds its user and password, escaped.
    Url(Secret),
}

/// The proxy cannot be reached, or refuses to connect.
#[derive(Debug, Error)]
#[error("the proxy")]
pub(super) struct ProxyError(#[source] Boxed);

/// Connects straight, or asks the proxy for a tunnel. What is not encrypted goes to this machine alone, and straight.
#[derive(Debug, Clone)]
pub(super) struct ThroughProxy {
    direct: HttpConnector,
    /// The connection to the proxy itself may be encrypted: it carries a password.
    to_proxy: HttpsConnector<HttpConnector>,
    proxies: Arc<Matcher>,
}

impl ThroughProxy {
    pub(super) fn new(proxy: &Proxy, tls: ClientConfig) -> Self {
        let mut direct = HttpConnector::new();
        // TLS is put around what it returns.
        direct.enforce_http(false);
        let to_proxy = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(direct.clone());
        let proxies = match proxy {
            Proxy::Environment => Matcher::from_env(),
            Proxy::Direct => Matcher::builder().build(),
            Proxy::Url(url) => Matcher::builder().https(url.reveal()).build(),
        };
        Self {
            direct,
            to_proxy,
            proxies: Arc::new(proxies),
        }
    }
}

impl Service<Uri> for ThroughProxy {
    type Response = Stream;
    type Error = Boxed;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Boxed>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Boxed>> {
        self.direct.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let encrypted = destination.scheme_str() == Some("https");
        let proxy = self.proxies.intercept(&destination).filter(|_| encrypted);
        let Some(proxy) = proxy else {
            let connecting = self.direct.call(destination);
            return Box::pin(async move { Ok(MaybeHttpsStream::Http(connecting.await?)) });
        };
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.to_proxy.clone());
        if let Some(credentials) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credentials.clone());
        }
        let connecting = tunnel.call(destination);
        Box::pin(async move { connecting.await.map_err(|error| ProxyError(error.into()).into()) })
    }
}
