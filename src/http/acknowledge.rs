//! `POST /api/v1/acknowledge`: somebody who knows the token says that a commit is meant. Lets nothing else happen.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::secrets::is_same;
use super::{Server, body};
use crate::domain::{CommitId, Secret};
use crate::telemetry::CommitAcknowledged;

/// Bytes of the largest body: a commit and some spaces.
const LARGEST: usize = 4096;

/// What is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledgement {
    /// The commit whose changes are meant: the one in force.
    commit: String,
}

/// Takes an acknowledgement.
pub(super) async fn acknowledge(State(server): State<Server>, request: Request) -> Response {
    let secrets = server.keyring.get();
    let Some(token) = &secrets.api else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (parts, content) = request.into_parts();
    if let Err(status) = body::check_length(&parts.headers, LARGEST) {
        return status.into_response();
    }
    if !is_allowed(token, &parts.headers) {
        let how = [(WWW_AUTHENTICATE, "Bearer")];
        return (StatusCode::UNAUTHORIZED, how, message("a bearer token is needed")).into_response();
    }
    let content = match body::read(content, LARGEST).await {
        Ok(content) => content,
        Err(status) => return status.into_response(),
    };
    let commit = serde_json::from_slice::<Acknowledgement>(&content)
        .ok()
        .and_then(|sent| sent.commit.parse::<CommitId>().ok());
    let Some(commit) = commit else {
        let wanted = message("write {\"commit\": \"the 40 hex digits of the commit that waits\"}");
        return (StatusCode::BAD_REQUEST, wanted).into_response();
    };
    let in_force = server.status.get().report.and_then(|report| report.revision.clone());
    if in_force.as_ref() != Some(&commit) {
        let found = in_force.map_or("none yet".to_owned(), |commit| commit.to_string());
        let text = format!("{commit} is not the commit in force, which is {found}");
        return (StatusCode::CONFLICT, message(&text)).into_response();
    }
    CommitAcknowledged { revision: &commit }.emit();
    let answer = Json(json!({ "acknowledged": commit.to_string() }));
    server.status.acknowledge(commit);
    server.nudge.sweep();
    (StatusCode::ACCEPTED, answer).into_response()
}

fn is_allowed(token: &Secret, headers: &HeaderMap) -> bool {
    let sent = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    // The scheme's name is case-insensitive (RFC 9110, section 11.1).
    let sent = sent.and_then(|sent| sent.split_at_checked(7));
    sent.is_some_and(|(scheme, sent)| scheme.eq_ignore_ascii_case(b"bearer ") && is_same(token, sent))
}

fn message(text: &str) -> Json<Value> {
    Json(json!({ "message": text }))
}
