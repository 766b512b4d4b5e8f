//! `POST /webhooks/{github|gitlab|generic}`: whoever knows the secret has the repository looked at. What the body says
//! is not looked into.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;

use super::secrets::{Secrets, SigningKey, is_same};
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
    // Without any proof there is no reason to read on.
    if !check.is_offered(&parts.headers) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let content = body::read(content, LARGEST).await?;
    if check.holds(&parts.headers, &content, now) {
        Ok(())
    } else {
        Err(StatusCode::UNAUTHORIZED)
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

    fn is_offered(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::GitHub(_) => headers.contains_key("x-hub-signature-256"),
            Self::GitLab(..) => headers.contains_key("webhook-signature") || headers.contains_key("x-gitlab-token"),
            Self::Generic(_) => headers.contains_key("x-pinfold-signature-256"),
        }
    }

    fn holds(&self, headers: &HeaderMap, content: &[u8], now: Timestamp) -> bool {
        match self {
            Self::GitHub(key) => signed_hex(key, text(headers, "x-hub-signature-256"), content),
            Self::Generic(key) => signed_hex(key, text(headers, "x-pinfold-signature-256"), content),
            // A signature that is there must hold: the token beside it, which others may have seen, does not mend it.
            Self::GitLab(Some(key), _) if headers.contains_key("webhook-signature") => {
                signed_standard(key, headers, content, now)
            }
            Self::GitLab(_, Some(token)) => {
                let sent = headers.get("x-gitlab-token");
                sent.is_some_and(|sent| is_same(token, sent.as_bytes()))
            }
            Self::GitLab(..) => false,
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Checks `sha256=` and the signature of the body in hexadecimal.
fn signed_hex(key: &SigningKey, header: Option<&str>, content: &[u8]) -> bool {
    header
        .and_then(|header| header.strip_prefix("sha256="))
        .and_then(|signature| hex::decode(signature).ok())
        .is_some_and(|signature| key.signed(&[content], &signature))
}

/// Checks signatures as the Standard Webhooks specification has them: over id, time and body, one of several.
fn signed_standard(key: &SigningKey, headers: &HeaderMap, content: &[u8], now: Timestamp) -> bool {
    let (Some(id), Some(time), Some(signatures)) = (
        text(headers, "webhook-id"),
        text(headers, "webhook-timestamp"),
        text(headers, "webhook-signature"),
    ) else {
        return false;
    };
    let sent = time
        .parse::<i64>()
        .ok()
        .and_then(|seconds| Timestamp::from_timestamp(seconds, 0));
    if sent.is_none_or(|sent| (now - sent).abs() > TOLERANCE) {
        return false;
    }
    let signed = [id.as_bytes(), b".", time.as_bytes(), b".", content];
    signatures
        .split(' ')
        .take(SIGNATURES)
        .filter_map(|signature| signature.strip_prefix("v1,"))
        .filter_map(|signature| STANDARD.decode(signature).ok())
        .any(|signature| key.signed(&signed, &signature))
}
