//! What GitHub is asked, what becomes of its answers, and that nothing secret is in what is said of them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::DateTime;
use jsonwebtoken::{DecodingKey, Validation};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::{GitAuth, GitProxy};
use super::*;

const TOKEN: &str = "ghs_canary0123456789canary0123456789canary";

/// An answer, whole.
fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn minted() -> String {
    let body = format!(r#"{{"token":"{TOKEN}","expires_at":"2026-01-01T01:00:00Z","permissions":{{}}}}"#);
    answer("201 Created", "", &body)
}

/// The head of a request, in small letters, and its body.
type Asked = (String, Vec<u8>);

/// A stand-in for GitHub's API that answers every request in one way.
struct Api {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Api {
    #[expect(clippy::disallowed_methods, reason = "the runtime of the test ends it")]
    async fn start(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = Self {
            url: format!("http://{}/api/v3", listener.local_addr().unwrap()),
            asked: Arc::default(),
        };
        let asked = api.asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
                let length = head
                    .split("content-length: ")
                    .nth(1)
                    .and_then(|rest| rest.lines().next());
                let mut body = vec![0; length.unwrap().parse().unwrap()];
                stream.read_exact(&mut body).await.unwrap();
                asked.lock().unwrap().push((head, body));
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        api
    }
}

fn now() -> Timestamp {
    DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap().to_utc()
}

fn file(content: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file
}

fn tokens(api: &str, key: &Path) -> Tokens {
    Tokens::new(GithubApp {
        app_id: "123456".parse().unwrap(),
        installation_id: 42.try_into().unwrap(),
        private_key_file: key.to_owned(),
        api_url: api.parse().unwrap(),
    })
}

fn remote() -> Remote {
    Remote {
        url: "https://git.example/acme/versions.git".parse().unwrap(),
        branch: "main".parse().unwrap(),
        auth: GitAuth::default(),
        token: None,
        proxy: GitProxy {
            choice: "none".parse().unwrap(),
            credentials_file: None,
        },
        ca_file: None,
        home: None,
    }
}

async fn refusal(answer: String) -> PortError {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let file = file(&key.serialize_pem());
    let api = Api::start(answer).await;
    let error = tokens(&api.url, file.path()).mint(now(), &remote()).await.unwrap_err();
    let asked = api.asked.lock().unwrap();
    let jwt = asked[0].0.split("bearer ").nth(1).and_then(|rest| rest.lines().next());
    let shown = error.to_string().to_ascii_lowercase();
    assert!(jwt.unwrap().split('.').all(|part| !shown.contains(part)), "{error}");
    assert!(error.operation.contains(&api.url), "{error}");
    error
}

#[tokio::test]
async fn a_token_is_asked_for_and_held_until_shortly_before_its_end() {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let file = file(&key.serialize_pem());
    let api = Api::start(minted()).await;
    let tokens = tokens(&api.url, file.path());
    assert!(tokens.held(now()).is_none());
    let token = tokens.mint(now(), &remote()).await.unwrap();
    assert_eq!(token.reveal(), TOKEN);

    let asked = api.asked.lock().unwrap();
    let [(head, body)] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert!(
        head.starts_with("post /api/v3/app/installations/42/access_tokens http/1.1"),
        "{head}"
    );
    assert!(head.contains("accept: application/vnd.github+json"), "{head}");
    assert!(head.contains("user-agent: pinfold/"), "{head}");
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(
        body,
        json!({"repositories": ["versions"], "permissions": {"contents": "read"}})
    );

    assert_eq!(tokens.held(now()).unwrap().reveal(), TOKEN);
    assert!(tokens.held(now() + TimeDelta::minutes(47)).is_some());
    assert!(tokens.held(now() + TimeDelta::minutes(48)).is_none());
    let shown = format!("{tokens:?}");
    assert!(!shown.contains(TOKEN), "{shown}");
}

#[test]
fn the_app_signs_for_some_minutes() {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let file = file(&key.serialize_pem());
    let jwt = tokens("http://127.0.0.1:1", file.path()).jwt(now()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    // The clock of the test is not the machine's.
    validation.validate_exp = false;
    let public = DecodingKey::from_rsa_pem(key.public_key_pem().as_bytes()).unwrap();
    let claims = jsonwebtoken::decode::<Value>(jwt.reveal(), &public, &validation)
        .unwrap()
        .claims;
    let at = now().timestamp();
    assert_eq!(claims, json!({"iat": at - 60, "exp": at + 480, "iss": "123456"}));
}

#[test]
fn a_key_that_is_none_is_named() {
    let rsa = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let escaped = rsa.serialize_pem().replace('\n', "\\n");
    for content in ["hunter2", &rsa.public_key_pem(), &ec.serialize_pem(), &escaped] {
        let file = file(content);
        let error = tokens("http://127.0.0.1:1", file.path()).jwt(now()).unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Credentials);
        let named = format!("{} is not an RSA private key in PEM", file.path().display());
        assert!(error.message.starts_with(&named), "{error}");
        assert!(
            error
                .message
                .ends_with("check repository.auth.githubApp.privateKeyFile"),
            "{error}"
        );
        assert!(!error.message.contains("hunter2"), "{error}");
    }
    let empty = file("");
    let error = tokens("http://127.0.0.1:1", empty.path()).jwt(now()).unwrap_err();
    assert!(
        error
            .message
            .contains(" is empty: check repository.auth.githubApp.privateKeyFile"),
        "{error}"
    );
    let missing = PathBuf::from("/nowhere/key.pem");
    let error = tokens("http://127.0.0.1:1", &missing).jwt(now()).unwrap_err();
    assert!(error.message.starts_with("cannot read /nowhere/key.pem"), "{error}");
}

#[tokio::test]
async fn each_refusal_has_its_kind_and_its_remedy() {
    use PortErrorKind as K;
    let says = |message: &str| json!({"message": message, "status": "4xx"}).to_string();
    for (status, headers, body, kind, words) in [
        (
            "401 Unauthorized",
            "",
            says("A JSON web token could not be decoded"),
            K::Credentials,
            "(A JSON web token could not be decoded): is the private key one of this App's? check repository.auth.githubApp.appId",
        ),
        (
            "401 Unauthorized",
            "Date: Wed, 31 Dec 2025 23:55:00 GMT\r\n",
            says("no"),
            K::Credentials,
            "the clock of this machine is 300 s ahead of GitHub's",
        ),
        (
            "401 Unauthorized",
            "Date: Thu, 01 Jan 2026 00:10:00 GMT\r\n",
            says("no"),
            K::Credentials,
            "the clock of this machine is 600 s behind GitHub's",
        ),
        (
            "401 Unauthorized",
            "Date: Thu, 01 Jan 2026 00:00:20 GMT\r\n",
            says("no"),
            K::Credentials,
            "is the private key",
        ),
        (
            "403 Forbidden",
            "",
            says("This installation has been suspended"),
            K::AccessDenied,
            "is the installation suspended",
        ),
        (
            "403 Forbidden",
            "Retry-After: 60\r\n",
            says("You have exceeded a secondary rate limit"),
            K::Throttled,
            "tried again",
        ),
        (
            "404 Not Found",
            "",
            says("Not Found"),
            K::NotFound,
            "check repository.auth.githubApp.installationId",
        ),
        (
            "422 Unprocessable Entity",
            "",
            says("There is at least one repository that does not exist"),
            K::AccessDenied,
            "may not read the repository versions: give it that repository and the permission Contents: read",
        ),
        (
            "429 Too Many Requests",
            "",
            String::new(),
            K::Throttled,
            "answered 429: it is tried again",
        ),
        (
            "502 Bad Gateway",
            "",
            "<html>".to_owned(),
            K::Unknown,
            "answered 502: GitHub is not well",
        ),
        (
            "301 Moved Permanently",
            "Location: https://elsewhere.example\r\n",
            String::new(),
            K::Invalid,
            "correct repository.auth.githubApp.apiUrl",
        ),
        (
            "200 OK",
            "",
            "<html>".to_owned(),
            K::Malformed,
            "not an answer of GitHub's API: check repository.auth.githubApp.apiUrl",
        ),
        (
            "201 Created",
            "",
            r#"{"token":""}"#.to_owned(),
            K::Malformed,
            "not an answer of GitHub's API",
        ),
    ] {
        let error = refusal(answer(status, headers, &body)).await;
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(words), "{status}: {error}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_taken_for_one_of_somebody_else() {
    let whole = minted();
    let error = refusal(whole[..whole.len() - 5].to_owned()).await;
    assert_eq!(error.kind, PortErrorKind::Unknown);
    assert!(error.message.contains("answered 201, and broke off"), "{error}");
}

#[tokio::test]
async fn what_could_be_a_credential_is_not_repeated() {
    let body = json!({"message": format!("no use for {TOKEN} here")}).to_string();
    let error = refusal(answer("401 Unauthorized", "", &body)).await;
    assert!(error.message.contains("(no use for ... here)"), "{error}");
    let long = json!({"message": "word ".repeat(100)}).to_string();
    let error = refusal(answer("401 Unauthorized", "", &long)).await;
    assert!(error.message.starts_with("answered 401: "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_api_that_is_silent_or_away_is_told() {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let file = file(&key.serialize_pem());
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let error = tokens(&url, file.path()).mint(now(), &remote()).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Unknown);
    assert!(
        error.message.starts_with("no answer within 10 s: check the network"),
        "{error}"
    );
}

#[tokio::test]
async fn an_api_that_is_not_there_is_told() {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let file = file(&key.serialize_pem());
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let error = tokens(&url, file.path()).mint(now(), &remote()).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Unreachable);
    assert!(
        error
            .message
            .contains("check repository.auth.githubApp.apiUrl and the network"),
        "{error}"
    );

    let without = Remote {
        ca_file: Some("/nowhere/ca.pem".into()),
        ..remote()
    };
    let error = tokens(&url, file.path()).mint(now(), &without).await.unwrap_err();
    assert!(
        error.message.contains("/nowhere/ca.pem") && error.message.contains("repository.caFile"),
        "{error}"
    );
}
