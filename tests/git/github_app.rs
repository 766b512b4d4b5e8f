//! Repositories read as the installation of a GitHub App, from a Git server that asks for the tokens of a stand-in for GitHub.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pinfold::adapters::git::{GitSettings, GitSource};
use pinfold::domain::GithubApp;
use pinfold::ports::{DesiredSource as _, PortErrorKind};
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use tempfile::NamedTempFile;

use crate::origin::{Origin, settings};
use crate::smart_http::{Manner, Server, request, respond};
use crate::{ALL, texts};

/// A stand-in for GitHub's API that makes `token-1`, `token-2` and so on, each for an hour.
struct Api {
    url: String,
    made: Arc<AtomicUsize>,
}

impl Api {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let api = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            made: Arc::default(),
        };
        let made = api.made.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = made.fetch_add(1, Ordering::SeqCst) + 1;
                make(stream, number);
            }
        });
        api
    }

    /// How many tokens were made.
    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

fn make(mut stream: TcpStream, number: usize) {
    if request(&mut stream).is_some() {
        // Far beyond the clock of any machine that runs this.
        let body = format!(r#"{{"token":"token-{number}","expires_at":"9999-01-01T00:00:00Z"}}"#);
        respond(&mut stream, "201 Created", "application/json", body.as_bytes());
    }
}

/// A private key in a file that lives as long as it is used.
fn key() -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    file.write_all(key.serialize_pem().as_bytes()).unwrap();
    file
}

fn source(server: &Server, api: &str, key: &NamedTempFile, timeout: Duration) -> GitSource {
    GitSource::new(GitSettings {
        github_app: Some(GithubApp {
            app_id: "1".parse().unwrap(),
            installation_id: 2.try_into().unwrap(),
            private_key_file: key.path().to_owned(),
            api_url: api.parse().unwrap(),
        }),
        timeout,
        ..settings(&server.url)
    })
    .unwrap()
}

const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_token_is_made_when_the_server_asks_for_one_and_serves_until_it_is_refused() {
    let origin = Origin::new();
    let first = origin.commit("main", &[("a.yaml", "1")], &[]);
    let (server, api, key) = (Server::start(&origin.path()), Api::start(), key());
    let source = source(&server, &api.url, &key, PATIENCE);
    // Everybody may read: nobody is asked for a token.
    source.head().await.unwrap();
    assert_eq!(api.made(), 0);

    server.ask_for("token-1");
    let head = source.head().await.unwrap();
    let tree = source.tree(head.as_ref(), ALL).await.unwrap();
    assert_eq!(texts(&source, &tree).await, ["1"]);
    source.head().await.unwrap();
    assert_eq!(api.made(), 1);

    // Revoked before its time.
    server.ask_for("token-2");
    origin.commit("main", &[("a.yaml", "2")], &[first]);
    let tree = source.tree(None, ALL).await.unwrap();
    assert_eq!(texts(&source, &tree).await, ["2"]);
    assert_eq!(api.made(), 2);
}

#[tokio::test]
async fn a_token_that_the_server_does_not_take_is_told_and_not_shown() {
    let origin = Origin::new();
    origin.commit("main", &[("a.yaml", "1")], &[]);
    let (server, api, key) = (Server::start(&origin.path()), Api::start(), key());
    server.ask_for("another");
    let error = source(&server, &api.url, &key, PATIENCE).head().await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Credentials);
    assert!(error.message.contains("the token of the GitHub App"), "{error}");
    assert!(!error.to_string().contains("token-1"), "{error}");
    assert_eq!(api.made(), 1);
}

#[tokio::test]
async fn a_token_that_may_see_nothing_any_more_is_made_anew_at_the_next_look() {
    let origin = Origin::new();
    origin.commit("main", &[("a.yaml", "1")], &[]);
    let (server, api, key) = (Server::start(&origin.path()), Api::start(), key());
    server.ask_for("token-1");
    let source = source(&server, &api.url, &key, PATIENCE);
    source.head().await.unwrap();
    for (made, (status, kind)) in [
        ("403 Forbidden", PortErrorKind::AccessDenied),
        ("404 Not Found", PortErrorKind::NotFound),
    ]
    .into_iter()
    .enumerate()
    {
        let (held, next) = (format!("token-{}", made + 1), format!("token-{}", made + 2));
        server.turn_away(&held, status);
        server.ask_for(&next);
        assert_eq!(source.head().await.unwrap_err().kind, kind);
        assert_eq!(
            api.made(),
            made + 1,
            "{status}: the answer was to the token that is held"
        );
        source.head().await.unwrap();
        assert_eq!(api.made(), made + 2, "{status}");
    }
}

#[tokio::test]
async fn what_is_here_is_read_while_no_token_can_be_had() {
    let origin = Origin::new();
    origin.commit("main", &[("a.yaml", "1")], &[]);
    let (server, key) = (Server::start(&origin.path()), key());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let source = source(&server, &api, &key, PATIENCE);
    let head = source.head().await.unwrap();
    source.tree(head.as_ref(), ALL).await.unwrap();
    server.ask_for("token-1");
    let error = source.head().await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Unreachable);
    assert!(error.operation.contains(&api), "{error}");
    let tree = source.tree(head.as_ref(), ALL).await.unwrap();
    assert_eq!(texts(&source, &tree).await, ["1"]);
    server.be(Manner::Down);
    assert!(source.tree(head.as_ref(), ALL).await.is_ok());
}
