//! What callers may send, and what is answered: signatures, tokens, bounds. Over a socket, as callers send it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::domain::{CommitId, Secret, TargetFailure};
use crate::plan::Report;

const SECRET: &str = "It's a Secret to Everybody";
const TOKEN: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_timestamp(NOW, 0).unwrap()
}

fn everything() -> Secrets {
    Secrets {
        github: Some(SigningKey::new(&Secret::new(SECRET))),
        gitlab: Some(SigningKey::from_token(&Secret::new(TOKEN)).unwrap()),
        gitlab_token: Some(Secret::new("plain")),
        generic: Some(SigningKey::new(&Secret::new(SECRET))),
        api: Some(Secret::new("operator")),
    }
}

struct Running {
    server: Server,
    address: std::net::SocketAddr,
    _task: tokio::task::JoinSet<()>,
}

impl Running {
    async fn with(secrets: Secrets) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server {
            status: StatusBoard::default(),
            telemetry: Telemetry::new().unwrap(),
            nudge: Nudge::default(),
            keyring: Keyring::new(secrets),
            now,
        };
        let mut task = tokio::task::JoinSet::new();
        task.spawn(server.clone().serve(listener, CancellationToken::new()));
        Self {
            server,
            address,
            _task: task,
        }
    }

    /// Sends a request as it stands and returns the status of the answer.
    async fn raw(&self, request: &[u8]) -> u16 {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that has answered already may close the connection while the rest is sent.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("{answer:?}"));
        status.parse().unwrap()
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> u16 {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        write!(request, "\r\n{body}").unwrap();
        self.raw(request.as_bytes()).await
    }

    fn counted(&self, provider: &str, result: &str) -> u64 {
        let line = format!("pinfold_webhook_requests_total{{provider=\"{provider}\",result=\"{result}\"}} ");
        let text = self.server.telemetry.render().unwrap();
        let found = text.lines().find_map(|found| found.strip_prefix(&line));
        found.unwrap().parse().unwrap()
    }
}

fn mac(key: &[u8], parts: &[&str]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}

fn hex_of(body: &str) -> String {
    format!("sha256={}", hex::encode(mac(SECRET.as_bytes(), &[body])))
}

fn standard(id: &str, time: i64, body: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let time = time.to_string();
    let signature = mac(b"0123456789abcdef0123456789abcdef", &[id, ".", &time, ".", body]);
    format!("v1,{}", STANDARD.encode(signature))
}

#[test]
fn the_signature_is_the_one_of_the_documentation() {
    // GitHub's own example, "Validating webhook deliveries".
    let expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(hex_of("Hello, World!"), expected);
}

#[tokio::test]
async fn w03_a_body_that_is_signed_rightly_is_accepted_whatever_it_says() {
    let running = Running::with(everything()).await;
    for body in ["Hello, World!", "", "{", "{\"ref\": null}", &"x".repeat(1024 * 1024)] {
        for (path, header) in [
            ("/webhooks/github", "X-Hub-Signature-256"),
            ("/webhooks/generic", "X-Pinfold-Signature-256"),
        ] {
            let status = running.post(path, &[(header, &hex_of(body))], body).await;
            assert_eq!(status, 202, "{path} with {} bytes", body.len());
        }
    }
    assert_eq!(running.counted("github", "accepted"), 5);
}

#[tokio::test]
async fn w02_a_body_that_is_not_signed_rightly_is_refused() {
    let running = Running::with(everything()).await;
    let (right, sha1) = (hex_of("{}"), "sha1=0000000000000000000000000000000000000000");
    let cases: [&[(&str, &str)]; 7] = [
        &[],
        &[("X-Hub-Signature", sha1)],
        &[("X-Hub-Signature-256", sha1)],
        &[("X-Hub-Signature-256", "")],
        &[("X-Hub-Signature-256", "sha256=")],
        &[("X-Hub-Signature-256", &right[..right.len() - 2])],
        &[("X-Pinfold-Signature-256", &right)],
    ];
    for headers in cases {
        assert_eq!(
            running.post("/webhooks/github", headers, "{}").await,
            401,
            "{headers:?}"
        );
    }
    let signed = [("X-Hub-Signature-256", right.as_str())];
    let other = running.post("/webhooks/github", &signed, "{ }").await;
    assert_eq!(other, 401, "the signature of another body");
    assert_eq!(running.counted("github", "bad_signature"), 8);
    assert_eq!(running.counted("github", "accepted"), 0);
}

#[tokio::test]
async fn w02_gitlab_signs_over_id_and_time_and_what_is_old_is_a_replay() {
    let running = Running::with(everything()).await;
    let send = async |id: &str, time: i64, signature: &str| {
        let time = time.to_string();
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", &time),
            ("webhook-signature", signature),
        ];
        running.post("/webhooks/gitlab", &headers, "{}").await
    };
    assert_eq!(send("a", NOW, &standard("a", NOW, "{}")).await, 202);
    let rotating = format!("v1,AAAA {}", standard("a", NOW, "{}"));
    assert_eq!(send("a", NOW, &rotating).await, 202, "the second of two keys");
    for (time, status) in [(NOW - 300, 202), (NOW - 301, 401), (NOW + 300, 202), (NOW + 301, 401)] {
        assert_eq!(send("a", time, &standard("a", time, "{}")).await, status, "{time}");
    }
    assert_eq!(send("b", NOW, &standard("a", NOW, "{}")).await, 401, "another id");
    assert_eq!(send("a", NOW + 1, &standard("a", NOW, "{}")).await, 401, "another time");
    assert_eq!(send("a", NOW, &standard("a", NOW, "[]")).await, 401, "another body");
    assert_eq!(
        send("a", i64::MAX, &standard("a", i64::MAX, "{}")).await,
        401,
        "no time at all"
    );
    assert_eq!(send("a", NOW, "v1a,AAAA").await, 401, "another scheme");
}

#[tokio::test]
async fn gitlabs_plain_token_is_enough_where_it_is_configured_and_mends_no_wrong_signature() {
    let running = Running::with(everything()).await;
    let send = async |headers: &[(&str, &str)]| running.post("/webhooks/gitlab", headers, "{}").await;
    assert_eq!(send(&[("X-Gitlab-Token", "plain")]).await, 202);
    assert_eq!(send(&[("X-Gitlab-Token", "Plain")]).await, 401);
    let both = [("X-Gitlab-Token", "plain"), ("webhook-signature", "v1,AAAA")];
    assert_eq!(send(&both).await, 401);
    running.server.keyring.replace(Secrets {
        gitlab_token: None,
        ..everything()
    });
    assert_eq!(
        send(&[("X-Gitlab-Token", "plain")]).await,
        401,
        "read anew, it is not taken any more"
    );
}

#[tokio::test]
async fn w01_what_is_too_large_is_refused_before_it_is_read() {
    let running = Running::with(everything()).await;
    let said = "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Hub-Signature-256: sha256=00\r\n";
    let lie = format!("{said}Content-Length: 17179869184\r\n\r\n");
    assert_eq!(running.raw(lie.as_bytes()).await, 413, "nothing of the body was sent");
    let mut endless = format!("{said}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..33 {
        endless.extend_from_slice(b"8000\r\n");
        endless.extend_from_slice(&vec![b'x'; 0x8000]);
        endless.extend_from_slice(b"\r\n");
    }
    assert_eq!(running.raw(&endless).await, 413, "a body without an end");
    assert_eq!(running.counted("github", "too_large"), 2);
}

/// A piece of a body, which is counted for as long as somebody holds it.
struct Piece(Arc<AtomicUsize>);

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &[b'x'; 16 * 1024]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn w01_nothing_of_a_body_is_kept() {
    let running = Running::with(everything()).await;
    let (held, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let pieces = (0..64).map({
        let most = most.clone();
        move |_| {
            let now = held.fetch_add(1, Ordering::Relaxed) + 1;
            most.fetch_max(now, Ordering::Relaxed);
            Ok::<_, Infallible>(bytes::Bytes::from_owner(Piece(held.clone())))
        }
    });
    let request = axum::extract::Request::builder()
        .header("X-Hub-Signature-256", hex_of(&"x".repeat(1024 * 1024)))
        .body(Body::from_stream(futures::stream::iter(pieces)))
        .unwrap();
    let answer = webhook::webhook(State(running.server.clone()), Path("github".to_owned()), request).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let most = most.load(Ordering::Relaxed);
    assert!(most <= 2, "{most} of 64 pieces at a time");
}

#[tokio::test(start_paused = true)]
async fn w01_whoever_sends_too_slowly_is_not_waited_for() {
    let running = Running::with(everything()).await;
    let slow = "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Hub-Signature-256: sha256=00\r\n\
                Content-Length: 2\r\n\r\n{";
    assert_eq!(running.raw(slow.as_bytes()).await, 408);
}

#[tokio::test]
async fn ready_is_who_has_read_something_and_stays_so() {
    let running = Running::with(Secrets::default()).await;
    let ready = async || {
        running
            .raw(b"GET /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            .await
    };
    assert_eq!(ready().await, 503, "no pass is complete");
    let away = Report {
        failed_targets: vec![TargetFailure {
            target: "prod".parse().unwrap(),
            message: "no credentials".to_owned(),
        }],
        ..Report::default()
    };
    running.server.status.passed(Arc::new(away.clone()), now());
    assert_eq!(ready().await, 503, "nothing could be read");
    running.server.status.passed(Arc::new(Report::default()), now());
    assert_eq!(ready().await, 200, "there is nothing to read");
    running.server.status.passed(Arc::new(away), now());
    assert_eq!(ready().await, 200, "the status tells of it");
}

#[tokio::test]
async fn what_is_not_configured_is_not_there() {
    let running = Running::with(Secrets::default()).await;
    for path in [
        "/webhooks/github",
        "/webhooks/gitlab",
        "/webhooks/generic",
        "/api/v1/acknowledge",
    ] {
        assert_eq!(running.post(path, &[], "{}").await, 404, "{path}");
    }
    let running = Running::with(everything()).await;
    assert_eq!(running.post("/webhooks/bitbucket", &[], "{}").await, 404);
    let get = b"GET /webhooks/github HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(running.raw(get).await, 405);
}

#[tokio::test]
async fn an_acknowledgement_needs_the_token_and_the_commit_in_force() {
    let running = Running::with(everything()).await;
    let commit: CommitId = "1".repeat(40).parse().unwrap();
    let body = format!("{{\"commit\": \"{commit}\"}}");
    let bearer = [("Authorization", "Bearer operator")];
    let send = async |headers: &[(&str, &str)], body: &str| running.post("/api/v1/acknowledge", headers, body).await;
    for headers in [
        &[][..],
        &[("Authorization", "Bearer operato")],
        &[("Authorization", "Basic operator")],
    ] {
        assert_eq!(send(headers, &body).await, 401, "{headers:?}");
    }
    for wrong in [
        "",
        "{",
        "[]",
        "{\"commit\": 1}",
        "{\"commit\": \"main\"}",
        "{\"commit\": \"\", \"x\": 1}",
    ] {
        assert_eq!(send(&bearer, wrong).await, 400, "{wrong}");
    }
    assert_eq!(send(&bearer, &" ".repeat(5000)).await, 413);
    assert_eq!(send(&bearer, &body).await, 409, "no commit is in force yet");
    let report = Report {
        revision: Some(commit.clone()),
        ..Report::default()
    };
    running.server.status.passed(Arc::new(report), now());
    assert_eq!(send(&bearer, &body.replace('1', "2")).await, 409, "another commit");
    assert_eq!(running.server.status.get().acknowledged, None);
    assert_eq!(send(&[("authorization", "bearer operator")], &body).await, 202);
    assert_eq!(running.server.status.get().acknowledged, Some(commit));
}
