//! The daemon's HTTP side: health, metrics, the JSON API, a page for people, and webhooks. Reads the status and wakes the
//! daemon; never touches AWS.

mod acknowledge;
mod body;
mod page;
mod secrets;
mod serve;
mod webhook;

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use secrets::{Keyring, Secrets, SigningKey, SigningKeyError};

use crate::domain::{FunctionGlob, TargetName, Timestamp, readable};
use crate::plan::{Progress, Report, Verdict};
use crate::reconcile::{Nudge, Status, StatusBoard};
use crate::telemetry::Telemetry;

/// Says with the text form of the status whether everything is in sync, which the text itself says to people alone.
pub const IN_SYNC_HEADER: HeaderName = HeaderName::from_static("pinfold-in-sync");

/// The media type of the Prometheus text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the server shows.
#[derive(Clone)]
pub struct Server {
    /// The daemon's status.
    pub status: StatusBoard,
    /// Its metrics.
    pub telemetry: Telemetry,
    /// What webhooks wake it with.
    pub nudge: Nudge,
    /// What callers must prove to know. Without a secret there is neither webhook nor acknowledgement.
    pub keyring: Keyring,
    /// The time, against which signed deliveries grow old.
    pub now: fn() -> Timestamp,
}

impl Server {
    /// Serves on `listener` until `stop`, and lets requests in hand end, for a while.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        serve::serve(listener, self.router(), stop).await;
    }

    fn router(self) -> Router {
        Router::new()
            .route("/", get(page::page))
            .route("/livez", get(live))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .route("/api/v1/status", get(status))
            .route("/api/v1/functions/{target}/{name}", get(function))
            .route("/api/v1/acknowledge", post(acknowledge::acknowledge))
            .route("/webhooks/{provider}", post(webhook::webhook))
            .with_state(self)
    }
}

/// Alive means that the loop gets on. One that waits, for its schedule or for AWS, does.
async fn live(State(server): State<Server>) -> Response {
    match server.status.liveness().check() {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not alive: {why}\n")).into_response(),
    }
}

/// Ready means that there is something true to show: a pass could read something of the fleet. Once ready, always ready:
/// what happens later is told by status, metrics and alerts, which a pod that is not ready could not serve.
async fn ready(State(server): State<Server>) -> Response {
    let status = server.status.get();
    if status.observed {
        return "ok\n".into_response();
    }
    let why = match (&status.report, status.source_error) {
        (_, Some(error)) => error,
        (Some(_), None) => "nothing of the fleet could be read yet: the status says why".to_owned(),
        (None, None) => "no pass is complete yet".to_owned(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response()
}

async fn metrics(State(server): State<Server>) -> Response {
    match server.telemetry.parts() {
        Ok(parts) => {
            let body = Body::from_stream(futures::stream::iter(parts.map(Ok::<_, Infallible>)));
            ([(CONTENT_TYPE, METRICS_TYPE)], body).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// What a caller wants to see of the status.
#[derive(Debug, Default, Deserialize)]
struct View {
    target: Option<String>,
    function: Option<String>,
}

/// Narrows a status to what the caller wants to see, or says what is wrong with the wish.
fn narrow(status: Status, view: &View) -> Result<Status, String> {
    let target = view
        .target
        .as_deref()
        .map(str::parse::<TargetName>)
        .transpose()
        .map_err(|error| error.to_string())?;
    let functions = view
        .function
        .as_deref()
        .map(str::parse::<FunctionGlob>)
        .transpose()
        .map_err(|error| error.to_string())?;
    let report = match status.report {
        Some(report) if target.is_some() || functions.is_some() => {
            Some(Arc::new(report.narrowed_to(target.as_ref(), functions.as_ref())))
        }
        whole => whole,
    };
    Ok(Status { report, ..status })
}

async fn status(State(server): State<Server>, Query(view): Query<View>, headers: HeaderMap) -> Response {
    let status = match narrow(server.status.get(), &view) {
        Ok(status) => status,
        Err(message) => return (StatusCode::BAD_REQUEST, Json(json!({ "message": message }))).into_response(),
    };
    let code = if status.report.is_some() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let in_sync = status
        .report
        .as_ref()
        .is_some_and(|report| report.verdict() == Verdict::InSync);
    let marker = [(IN_SYNC_HEADER, if in_sync { "true" } else { "false" })];
    let progress = server.status.progress().get();
    let wants_text = headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.starts_with("text/plain"));
    if wants_text {
        return (code, marker, status_text(&status, progress.as_ref(), (server.now)())).into_response();
    }
    let nothing = Report::default();
    let report = status.report.as_deref().unwrap_or(&nothing);
    let json = report.json_with(status_fields(&status, progress.as_ref()));
    (code, marker, Json(json)).into_response()
}

/// Returns what the status says beside the report.
fn status_fields(status: &Status, progress: Option<&Progress>) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut say = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    if status.report.is_none() {
        say("inSync", false.into());
    }
    say("lastPass", status.last_pass.map(|time| time.to_rfc3339()).into());
    say("lastSweep", status.last_sweep.map(|time| time.to_rfc3339()).into());
    say("sourceError", status.source_error.clone().into());
    say("configError", status.config_error.clone().into());
    say("progress", progress.map_or(Value::Null, Progress::to_json));
    let acknowledged = status.acknowledged.as_ref().map(ToString::to_string);
    say("acknowledged", acknowledged.into());
    fields
}

fn status_text(status: &Status, progress: Option<&Progress>, now: Timestamp) -> String {
    let mut text = match &status.report {
        Some(report) => report.to_text(),
        None => "no pass is complete yet\n".to_owned(),
    };
    if let Some(error) = &status.source_error {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\nThe repository cannot be read: {error}");
    }
    if let Some(error) = &status.config_error {
        let _ = writeln!(text, "\nThe configuration in the file is not in force: {error}");
    }
    for failed in status.report.iter().flat_map(|report| &report.failed_targets) {
        let _ = writeln!(text, "\nTarget {} cannot be read: {}", failed.target, failed.message);
    }
    if let Some(progress) = progress {
        let _ = writeln!(
            text,
            "\nUnder way since {}: {}",
            readable(&progress.since),
            progress.to_text(now)
        );
    }
    text
}

async fn function(State(server): State<Server>, Path((target, name)): Path<(String, String)>) -> Response {
    let status = server.status.get();
    let Some(report) = &status.report else {
        let body = json!({ "message": "no pass is complete yet" });
        return (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response();
    };
    let found = report
        .functions
        .iter()
        .find(|function| function.key.target.as_str() == target && function.key.name.as_str() == name);
    if let Some(function) = found {
        return Json(function.to_json()).into_response();
    }
    let body = json!({ "message": "Git names no such function in this target" });
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

#[cfg(test)]
mod tests;
