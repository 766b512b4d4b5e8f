//! `POST /webhooks/{github|gitlab|generic}`: whoever knows the secret has the repository looked at. What the body says
//! is not looked into.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;

use super::secrets::{Secrets, Signature, SigningKey, is_same};
use super::{Server, body};
use crate::domain::Timestamp;
use crate::telemetry::{WebhookProvider, WebhookReceived, WebhookResult};

/// Bytes of the largest body. A push of GitHub or GitLab has some kilobytes.
const LARGEST: usize = 1024 * 1024;

/// How far GitLab's clock and ours may be apart: the tolerance that the Standard Webhooks specification's libraries
/// have. An older delivery is a replay.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// Signatures in one header at the most: GitLab sends one for each key, and has two while one is rotated.
const SIGNATURES: usize = 8;

/// Answers a delivery.
pub(super) async fn webhook(State(server): State<Server>, Path(name): Path<String>, request: Request) -> Response {
    let secrets = server.keyring.get();
    let Some(check) = Check::of(&name, &secrets) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let now = (server.now)();
    let result = receive(&check, request, now).await;
    let (result, status) = match result {
        Ok(()) => (WebhookResult::Accepted, StatusCode::ACCEPTED),
        Err(StatusCode::UNAUTHORIZED) => (WebhookResult::BadSignature, StatusCode::UNAUTHORIZED),
        Err(status) => (WebhookResult::TooLarge, status),
    };
    WebhookReceived {
        provider: check.provider(),
        result,
    }
    .emit(&server.telemetry);
    if result == WebhookResult::Accepted {
        server.nudge.source();
    }
    status.into_response()
}

/// What proves that a delivery comes from whom it should.
enum Check<'a> {
    /// The header `X-Hub-Signature-256`.
    GitHub(&'a SigningKey),
    /// A signature, a token, or either.
    GitLab(Option<&'a SigningKey>, Option<&'a crate::domain::Secret>),
    /// The header `X-Pinfold-Signature-256`.
    Generic(&'a SigningKey),
}

async fn receive(check: &Check<'_>, request: Request, now: Timestamp) -> Result<(), StatusCode> {
    let (parts, content) = request.into_parts();
    body::check_length(&parts.headers, LARGEST)?;
    // Without anything that could prove something there is no reason to read on.
    let mut proof = check.proof(&parts.headers, now).ok_or(StatusCode::UNAUTHORIZED)?;
    body::pass(content, LARGEST, |piece| proof.take(piece)).await?;
    if proof.holds() {
        Ok(())
    } else {
        Err(StatusCode::UNAUTHORIZED)
    }
}

/// What a delivery proves once its body has gone by, of which nothing is kept: however many deliveries come at once, they
/// take no memory to speak of.
enum Proof {
    /// One of these must be the signature of the body.
    Signed(Signature, Vec<Vec<u8>>),
    /// The token was right, whatever the body is.
    Token,
}

impl Proof {
    fn take(&mut self, piece: &[u8]) {
        match self {
            Self::Signed(signature, _) => signature.take(piece),
            Self::Token => {}
        }
    }

    fn holds(&self) -> bool {
        match self {
            Self::Signed(signature, offered) => offered.iter().any(|offered| signature.is(offered)),
            Self::Token => true,
        }
    }
}

impl<'a> Check<'a> {
    /// Returns the check of a provider; `None` for one that is unknown or has no secret.
    fn of(name: &str, secrets: &'a Secrets) -> Option<Self> {
        match name {
            "github" => secrets.github.as_ref().map(Self::GitHub),
            "gitlab" if secrets.gitlab.is_some() || secrets.gitlab_token.is_some() => {
                Some(Self::GitLab(secrets.gitlab.as_ref(), secrets.gitlab_token.as_ref()))
            }
            "generic" => secrets.generic.as_ref().map(Self::Generic),
            _ => None,
        }
    }

    fn provider(&self) -> WebhookProvider {
        match self {
            Self::GitHub(_) => WebhookProvider::GitHub,
            Self::GitLab(..) => WebhookProvider::GitLab,
            Self::Generic(_) => WebhookProvider::Generic,
        }
    }

    /// Returns what is left to be proved by the body; `None` where the headers prove nothing already.
    fn proof(&self, headers: &HeaderMap, now: Timestamp) -> Option<Proof> {
        match self {
            Self::GitHub(key) => signed_hex(key, text(headers, "x-hub-signature-256")?),
            Self::Generic(key) => signed_hex(key, text(headers, "x-pinfold-signature-256")?),
            // A signature that is there must hold: the token beside it, which others may have seen, does not mend it.
            Self::GitLab(Some(key), _) if headers.contains_key("webhook-signature") => {
                signed_standard(key, headers, now)
            }
            Self::GitLab(_, Some(token)) => {
                let sent = headers.get("x-gitlab-token")?;
                is_same(token, sent.as_bytes()).then_some(Proof::Token)
            }
            Self::GitLab(..) => None,
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Takes `sha256=` and the signature of the body in hexadecimal.
fn signed_hex(key: &SigningKey, header: &str) -> Option<Proof> {
    let offered = hex::decode(header.strip_prefix("sha256=")?).ok()?;
    Some(Proof::Signed(key.begin(), vec![offered]))
}

/// Takes signatures as the Standard Webhooks specification has them: over id, time and body, one of several.
fn signed_standard(key: &SigningKey, headers: &HeaderMap, now: Timestamp) -> Option<Proof> {
    let (id, time) = (text(headers, "webhook-id")?, text(headers, "webhook-timestamp")?);
    let sent = Timestamp::from_timestamp(time.parse().ok()?, 0)?;
    if (now - sent).abs() > TOLERANCE {
        return None;
    }
    let mut signature = key.begin();
    for piece in [id, ".", time, "."] {
        signature.take(piece.as_bytes());
    }
    let offered = text(headers, "webhook-signature")?
        .split(' ')
        .take(SIGNATURES)
        .filter_map(|offered| offered.strip_prefix("v1,"))
        .filter_map(|offered| STANDARD.decode(offered).ok());
    Some(Proof::Signed(signature, offered.collect()))
}
