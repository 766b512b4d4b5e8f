//! A small HTTPS client for other people's web APIs: proxy, private authorities, deadline, bounded answers. Follows no
//! redirect and tries nothing twice.

mod proxy;

use std::error::Error as StdError;
use std::io;
use std::path::Path;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, DATE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

pub(super) use proxy::Proxy;
use proxy::{ProxyError, ThroughProxy};

/// From the connection to the last byte of the answer. Chat services answer within a second.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of an answer that are looked at.
const LARGEST: usize = 256 * 1024;

/// GitHub refuses requests that do not say who asks.
const AGENT: &str = concat!("pinfold/", env!("CARGO_PKG_VERSION"));

/// The client. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Web {
    client: Client<HttpsConnector<ThroughProxy>, Full<Bytes>>,
}

/// Headers beside those that every request has.
pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// How long the server asks to be left alone, where it says so in seconds.
    pub(super) retry_after: Option<Duration>,
    /// When the server says that it answered.
    pub(super) date: Option<DateTime<Utc>>,
    /// Empty where it was too long, or broke off.
    pub(super) body: Bytes,
    /// Whether the connection broke before the body was whole.
    pub(super) broken: bool,
}

/// Why there is no answer. Never names the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum NoAnswer {
    #[error("the request could not be built: the address or a header holds what no HTTP request may")]
    Request,
    #[error("no connection: is the name right, and the host within reach of this machine?")]
    Connect,
    #[error(
        "no way through the proxy: is its address right, does it take the credentials, and does it let this host through?"
    )]
    Proxy,
    #[error("no TLS connection: the server's certificate is not trusted; does caFile lack its authority?")]
    Tls,
    #[error("no answer within 10 s")]
    Timeout,
    #[error("the connection broke, or the answer is no HTTP")]
    Broken,
}

/// Why there is no client.
#[derive(Debug, Error)]
pub enum WebError {
    /// The file with certificate authorities cannot be read, or is not PEM.
    #[error("cannot read {file}: write certificates in PEM into it")]
    CaFile {
        /// The file.
        file: String,
        /// What is wrong.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// A certificate of it is none.
    #[error("{file} has a certificate that is none")]
    Certificate {
        /// The file.
        file: String,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// The library has no usable ciphers.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

impl Web {
    /// Builds a client that trusts the system's authorities and those of `ca_file`, and goes through the proxy that the
    /// environment names.
    ///
    /// # Errors
    ///
    /// The file cannot be read or holds no certificates.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, WebError> {
        Self::through(ca_file, &Proxy::Environment)
    }

    /// The same, through a proxy of the caller's choice.
    pub(super) fn through(ca_file: Option<&Path>, proxy: &Proxy) -> Result<Self, WebError> {
        let mut roots = RootCertStore::empty();
        // One broken certificate among the system's is no reason to trust none of them.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca_file {
            let file = path.display().to_string();
            let wrong = |source| WebError::CaFile {
                file: file.clone(),
                source,
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(wrong)? {
                roots
                    .add(certificate.map_err(wrong)?)
                    .map_err(|source| WebError::Certificate {
                        file: file.clone(),
                        source,
                    })?;
            }
        }
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let tls = ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .map_err(WebError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(ThroughProxy::new(proxy, tls));
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// Posts JSON.
    pub(super) async fn post(&self, url: &str, headers: Headers, body: Bytes) -> Result<Answer, NoAnswer> {
        self.request(Method::POST, url, headers, body).await
    }

    /// Gets.
    pub(super) async fn get(&self, url: &str, headers: Headers) -> Result<Answer, NoAnswer> {
        self.request(Method::GET, url, headers, Bytes::new()).await
    }

    async fn request(&self, method: Method, url: &str, headers: Headers, body: Bytes) -> Result<Answer, NoAnswer> {
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|_| NoAnswer::Request)?;
        request.headers_mut().extend(headers);
        self.send(request).await
    }

    /// Sends a request that somebody else has built.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        tokio::time::timeout(TIMEOUT, self.answered(request))
            .await
            .map_err(|_| NoAnswer::Timeout)?
    }

    async fn answered(&self, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let response = self.client.request(request).await.map_err(|error| classify(&error))?;
        let status = response.status();
        let (retry_after, date) = (retry_after(response.headers()), date(response.headers()));
        // An answer that is too long says nothing more; its status does.
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let broken = body.as_ref().is_err_and(|error| !error.is::<LengthLimitError>());
        Ok(Answer {
            status,
            retry_after,
            date,
            body: body.map(http_body_util::Collected::to_bytes).unwrap_or_default(),
            broken,
        })
    }
}

/// The text of an error could name the address, so it is told by its kind alone.
fn classify(error: &hyper_util::client::legacy::Error) -> NoAnswer {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(one) = cause {
        if one.is::<ProxyError>() {
            return NoAnswer::Proxy;
        }
        if one.is::<rustls::Error>() {
            return NoAnswer::Tls;
        }
        cause = below(one);
    }
    if error.is_connect() {
        NoAnswer::Connect
    } else {
        NoAnswer::Broken
    }
}

/// Returns what is behind an error. An I/O error that wraps another names as its source only what is behind that one.
fn below<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// Reads when the server says that it answered (RFC 9110, section 6.6.1).
fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

/// Reads how many seconds the server asks for; dates, which it may also send, are rare and not worth a clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
