//! `pinfold status`: asks a running daemon. Shows what the daemon says, and concludes nothing of its own.

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::time::Duration;

use axum::http::Request;
use axum::http::header::ACCEPT;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::{Global, OutputFormat, logging};
use crate::http::IN_SYNC_HEADER;

/// Longest wait for the answer. The daemon answers from memory.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of the largest answer: some kilobytes for each function of a large fleet.
const LARGEST: usize = 256 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Where the daemon answers
    #[arg(
        long,
        env = "PINFOLD_URL",
        default_value = "http://127.0.0.1:8420",
        value_name = "URL"
    )]
    url: String,
}

pub(super) async fn run(args: &StatusArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    logging::command(global.verbose);
    let base = format!("{}/api/v1/status", args.url.trim_end_matches('/'));
    let url = format!("{base}{}", query(global));
    let media = match output.format {
        OutputFormat::Text => "text/plain",
        OutputFormat::Json => "application/json",
    };
    let answer = tokio::time::timeout(TIMEOUT, ask(&url, media))
        .await
        .map_err(|_| Failure::error(format!("{url}: no answer within {} s", TIMEOUT.as_secs())))?
        .map_err(|error| {
            Failure::error(format!(
                "{url}: {error:#}: is the daemon running, and is this its address?"
            ))
        })?;
    match output.format {
        OutputFormat::Text => output.data(&String::from_utf8_lossy(&answer.body))?,
        OutputFormat::Json => output.json(&serde_json::from_slice::<Value>(&answer.body)?)?,
    }
    match (answer.status, answer.in_sync) {
        (200, true) => Ok(Exit::Ok),
        (200, false) => Ok(Exit::Differs),
        (status, _) => Err(Failure::error(format!(
            "{url}: the daemon has nothing to show yet (HTTP status {status})"
        ))),
    }
}

/// Asks for what the flags narrow the command to.
fn query(global: &Global) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(target) = &global.target {
        query.append_pair("target", target.as_str());
    }
    if let Some(glob) = &global.function {
        query.append_pair("function", &glob.to_string());
    }
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

struct Answer {
    status: u16,
    in_sync: bool,
    body: Bytes,
}

async fn ask(url: &str, media: &str) -> anyhow::Result<Answer> {
    let connector = HttpsConnectorBuilder::new()
        .with_native_roots()?
        .https_or_http()
        .enable_http1()
        .build();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let request = Request::get(url).header(ACCEPT, media).body(Empty::new())?;
    let response = client.request(request).await?;
    let status = response.status().as_u16();
    let marker = response.headers().get(IN_SYNC_HEADER);
    anyhow::ensure!(marker.is_some(), "this is not a Pinfold daemon (HTTP status {status})");
    let in_sync = marker.is_some_and(|value| value.as_bytes() == b"true");
    let body = Limited::new(response.into_body(), LARGEST)
        .collect()
        .await
        .map_err(|error| anyhow::anyhow!(error))?;
    Ok(Answer {
        status,
        in_sync,
        body: body.to_bytes(),
    })
}
