//! The client against servers of this machine: TLS of a private authority, proxies, and what it says where there is no way.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::domain::Secret;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// An authority of nobody's system, with a certificate for `localhost`.
struct Authority {
    ca_file: NamedTempFile,
    acceptor: TlsAcceptor,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned()];
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
        let mut ca_file = NamedTempFile::new().unwrap();
        ca_file.write_all(authority.pem().as_bytes()).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let config = ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        Self {
            ca_file,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    /// Starts a server that answers each connection once, and returns its port.
    async fn server(&self) -> u16 {
        let (listener, address) = listener().await;
        let acceptor = self.acceptor.clone();
        serve(listener, move |connection| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(mut connection) = acceptor.accept(connection).await {
                    head(&mut connection).await;
                    connection.write_all(ANSWER).await.ok();
                    connection.shutdown().await.ok();
                }
            }
        });
        address.port()
    }

    /// A client that trusts this authority.
    fn web(&self, proxy: &Proxy) -> Web {
        Web::through(Some(self.ca_file.path()), proxy).unwrap()
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[expect(clippy::disallowed_methods, reason = "the runtime of the test ends it")]
fn serve<F>(listener: TcpListener, each: impl Fn(TcpStream) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(each(connection));
        }
    });
}

/// Reads the head of a request.
async fn head(connection: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match connection.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// Answers a request for a tunnel, and makes one where the answer is good.
async fn tunnel(mut client: impl AsyncRead + AsyncWrite + Unpin, asked: Arc<Mutex<Vec<String>>>, answer: &str) {
    let head = head(&mut client).await;
    let port = head
        .split_once(' ')
        .and_then(|(_, rest)| rest.split_once(' '))
        .and_then(|(host, _)| host.rsplit_once(':'))
        .map(|(_, port)| port.parse::<u16>().unwrap());
    asked.lock().unwrap().push(head);
    client
        .write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes())
        .await
        .ok();
    if answer.starts_with("200") {
        let mut server = TcpStream::connect(("127.0.0.1", port.unwrap())).await.unwrap();
        copy_bidirectional(&mut client, &mut server).await.ok();
    }
}

/// Starts a proxy; over TLS, where an authority is given. Returns its port and what it is asked.
async fn proxy(answer: &'static str, over: Option<&Authority>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let (listener, address) = listener().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (acceptor, heard) = (over.map(|over| over.acceptor.clone()), asked.clone());
    serve(listener, move |connection| {
        let (acceptor, heard) = (acceptor.clone(), heard.clone());
        async move {
            match acceptor {
                None => tunnel(connection, heard, answer).await,
                Some(acceptor) => {
                    if let Ok(connection) = acceptor.accept(connection).await {
                        tunnel(connection, heard, answer).await;
                    }
                }
            }
        }
    });
    (address.port(), asked)
}

async fn get(web: &Web, port: u16) -> Result<String, NoAnswer> {
    let answer = web.get(&format!("https://localhost:{port}/"), Vec::new()).await?;
    Ok(String::from_utf8(answer.body.to_vec()).unwrap())
}

fn url(text: String) -> Proxy {
    Proxy::Url(Secret::new(text))
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_where_it_is_named() {
    let authority = Authority::new();
    let port = authority.server().await;
    assert_eq!(get(&authority.web(&Proxy::Direct), port).await.unwrap(), "ok");
    let stranger = Web::through(None, &Proxy::Direct).unwrap();
    assert_eq!(get(&stranger, port).await, Err(NoAnswer::Tls));
    let other = Authority::new();
    assert_eq!(get(&other.web(&Proxy::Direct), port).await, Err(NoAnswer::Tls));
}

#[tokio::test]
async fn a_proxy_tunnels_and_takes_credentials() {
    let authority = Authority::new();
    let port = authority.server().await;
    let (proxy_port, asked) = proxy("200 OK", None).await;
    let plain = authority.web(&url(format!("http://127.0.0.1:{proxy_port}")));
    assert_eq!(get(&plain, port).await.unwrap(), "ok");
    let known = authority.web(&url(format!("http://us%40er:pa%3Ass@127.0.0.1:{proxy_port}")));
    assert_eq!(get(&known, port).await.unwrap(), "ok");
    let asked = asked.lock().unwrap();
    assert!(
        asked[0].starts_with(&format!("CONNECT localhost:{port} HTTP/1.1")),
        "{asked:?}"
    );
    assert!(!asked[0].contains("Authorization"), "{asked:?}");
    // us@er:pa:ss
    assert!(
        asked[1].contains("Proxy-Authorization: Basic dXNAZXI6cGE6c3M="),
        "{asked:?}"
    );
    assert!(!format!("{known:?}").contains("ss@"), "credentials are not shown");
}

#[tokio::test]
async fn a_proxy_over_tls_is_spoken_to_over_tls() {
    let authority = Authority::new();
    let port = authority.server().await;
    let (proxy_port, asked) = proxy("200 OK", Some(&authority)).await;
    let web = authority.web(&url(format!("https://localhost:{proxy_port}")));
    assert_eq!(get(&web, port).await.unwrap(), "ok");
    assert_eq!(asked.lock().unwrap().len(), 1);
    let plain = authority.web(&url(format!("http://localhost:{proxy_port}")));
    assert_eq!(get(&plain, port).await, Err(NoAnswer::Proxy));
}

#[tokio::test]
async fn a_proxy_that_lets_nobody_through_is_told_from_a_host_that_is_away() {
    let authority = Authority::new();
    let port = authority.server().await;
    for answer in ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway"] {
        let (proxy_port, _) = proxy(answer, None).await;
        let web = authority.web(&url(format!("http://127.0.0.1:{proxy_port}")));
        assert_eq!(get(&web, port).await, Err(NoAnswer::Proxy), "{answer}");
    }
    let (closed, address) = listener().await;
    drop(closed);
    let nowhere = authority.web(&url(format!("http://{address}")));
    assert_eq!(get(&nowhere, port).await, Err(NoAnswer::Proxy));
    assert_eq!(
        get(&authority.web(&Proxy::Direct), address.port()).await,
        Err(NoAnswer::Connect)
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_silent_is_left_in_time() {
    let (silent, address) = listener().await;
    let web = Web::through(None, &Proxy::Direct).unwrap();
    assert_eq!(get(&web, address.port()).await, Err(NoAnswer::Timeout));
    drop(silent);
}

#[test]
fn a_file_of_authorities_that_is_none_is_named() {
    let mut file = NamedTempFile::new().unwrap();
    let name = file.path().display().to_string();
    file.write_all(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    let error = Web::new(Some(file.path())).unwrap_err();
    assert!(error.to_string().contains(&name), "{error}");
    let missing = Web::new(Some(Path::new("/nowhere/ca.pem"))).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/ca.pem"), "{missing}");
}
