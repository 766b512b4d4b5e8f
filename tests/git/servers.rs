//! Servers that refuse, redirect or say nothing. Each listens on a port that the system chose.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use pinfold::adapters::git::{GitAuth, GitProxy, GitSettings, GitSource};
use pinfold::ports::{DesiredSource as _, PortError, PortErrorKind};
use tempfile::TempDir;

use crate::ALL;
use crate::origin::{Origin, settings};
use crate::smart_http::Server;

/// Answers every request in the same way, and hands out what was asked.
fn serve(status: &'static str) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/repo.git", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                request.push(byte[0]);
            }
            let response = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(response.as_bytes()).ok();
            if sender.send(String::from_utf8_lossy(&request).into_owned()).is_err() {
                return;
            }
        }
    });
    (url, requests)
}

async fn refusal(url: &str, auth: GitAuth) -> PortError {
    let source = GitSource::new(GitSettings { auth, ..settings(url) }).unwrap();
    source.head().await.unwrap_err()
}

/// Credentials in a folder that lives as long as they are used.
fn token() -> (TempDir, GitAuth) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "hunter2\n").unwrap();
    let auth = GitAuth {
        token_file: Some(folder.path().join("token")),
        ..GitAuth::default()
    };
    (folder, auth)
}

#[tokio::test]
async fn g04_a_refused_token_is_offered_once_and_never_shown() {
    let (url, requests) = serve("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"");
    let (_folder, auth) = token();
    let error = refusal(&url, auth).await;
    assert_eq!(error.kind, PortErrorKind::Credentials, "{error}");
    assert!(
        error.message.contains("token") && !error.to_string().contains("hunter2"),
        "{error}"
    );
    let offered: Vec<_> = requests
        .try_iter()
        .filter_map(|request| {
            request
                .lines()
                .find(|line| line.starts_with("Authorization"))
                .map(str::to_owned)
        })
        .collect();
    // x-access-token:hunter2
    assert_eq!(offered, ["Authorization: Basic eC1hY2Nlc3MtdG9rZW46aHVudGVyMg=="]);
}

/// What comes back from a repository that is nowhere, behind a proxy.
async fn refusal_behind(proxy: &str, credentials: &str) -> PortError {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    fs::write(&file, credentials).unwrap();
    let (proxy, _) = proxy.rsplit_once('/').unwrap();
    let source = GitSource::new(GitSettings {
        proxy: GitProxy {
            choice: proxy.parse().unwrap(),
            credentials_file: Some(file),
        },
        ..settings("https://git.invalid/repo.git")
    })
    .unwrap();
    source.head().await.unwrap_err()
}

#[tokio::test]
async fn a_proxy_that_wants_other_credentials_is_told_from_the_server() {
    let (url, requests) = serve("407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"");
    let error = refusal_behind(&url, "user:hun:ter2\n").await;
    assert_eq!(error.kind, PortErrorKind::Unreachable, "{error}");
    assert!(error.message.contains("repository.proxyCredentialsFile"), "{error}");
    assert!(!error.to_string().contains("ter2"), "{error}");
    let requests: Vec<_> = requests.try_iter().collect();
    assert!(
        requests[0].starts_with("CONNECT git.invalid:443 HTTP/1.1"),
        "{requests:?}"
    );
    // user:hun:ter2
    let offered = "Proxy-Authorization: Basic dXNlcjpodW46dGVyMg==";
    let offers = requests.iter().filter(|request| request.contains(offered));
    assert_eq!(offers.count(), 1, "{requests:?}");
}

#[tokio::test]
async fn a_proxy_that_lets_nobody_through_is_told_from_the_server() {
    let (url, _requests) = serve("403 Forbidden");
    let error = refusal_behind(&url, "user:hunter2\n").await;
    assert_eq!(error.kind, PortErrorKind::Unreachable, "{error}");
    assert!(error.message.contains("repository.proxy"), "{error}");

    let error = refusal_behind(&url, "hunter2\n").await;
    assert_eq!(error.kind, PortErrorKind::Invalid, "{error}");
    assert!(error.message.contains("holds no USER:PASSWORD"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_token_is_offered_anew_where_the_whole_history_has_to_be_fetched() {
    // This server sends no head without its history, so that two connections are needed, each with the token.
    let origin = Origin::new();
    origin.commit("main", &[("a.yaml", "a")], &[]);
    let server = Server::start(&origin.path());
    server.ask_for("hunter2");
    let (_folder, auth) = token();
    let source = GitSource::new(GitSettings {
        auth,
        ..settings(&server.url)
    })
    .unwrap();
    let tree = source.tree(None, ALL).await.unwrap();
    assert_eq!(tree.entries.len(), 1);
}

#[tokio::test]
async fn a_server_that_wants_credentials_says_which_setting_is_missing() {
    let (url, _requests) = serve("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"");
    let error = refusal(&url, GitAuth::default()).await;
    assert_eq!(error.kind, PortErrorKind::Credentials);
    assert!(error.message.contains("repository.auth.tokenFile"), "{error}");

    let missing = GitAuth {
        token_file: Some("/nonexistent/token".into()),
        ..GitAuth::default()
    };
    let error = refusal(&url, missing).await;
    assert_eq!(error.kind, PortErrorKind::Credentials);
    assert!(error.message.contains("cannot read /nonexistent/token"), "{error}");
}

#[tokio::test]
async fn g05_a_redirect_is_not_followed() {
    let (elsewhere, requests) = serve("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"");
    let location = elsewhere.replace("127.0.0.1", "localhost");
    let status = format!("302 Found\r\nLocation: {location}/info/refs?service=git-upload-pack");
    let (url, _requests) = serve(status.leak());
    let (_folder, auth) = token();
    let error = refusal(&url, auth).await;
    assert_eq!(error.kind, PortErrorKind::Invalid, "{error}");
    assert!(error.message.contains("redirect"), "{error}");
    assert_eq!(requests.try_iter().count(), 0, "nobody else was asked");
}

#[tokio::test]
async fn each_status_has_its_kind() {
    for (status, kind) in [
        ("403 Forbidden", PortErrorKind::AccessDenied),
        ("404 Not Found", PortErrorKind::NotFound),
        ("503 Service Unavailable", PortErrorKind::Unknown),
        ("200 OK\r\nContent-Type: text/html", PortErrorKind::Malformed),
    ] {
        let (url, _requests) = serve(status);
        let error = refusal(&url, GitAuth::default()).await;
        assert_eq!(error.kind, kind, "{status}: {error}");
        assert!(error.operation.contains(&url), "{error}");
    }
}

#[tokio::test]
async fn g03_nobody_at_the_address_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = refusal(&format!("http://{address}/x"), GitAuth::default()).await;
    assert_eq!(error.kind, PortErrorKind::Unreachable, "{error}");
    let error = refusal(&format!("ssh://git@{address}/x"), GitAuth::default()).await;
    assert_eq!(error.kind, PortErrorKind::Unreachable, "{error}");
}

#[tokio::test]
async fn a_silent_server_is_left_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let source = GitSource::new(GitSettings {
        timeout: Duration::from_millis(200),
        ..settings(&url)
    })
    .unwrap();
    let error = source.head().await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Unknown);
    assert!(error.message.contains("no answer within 200ms"), "{error}");
}
