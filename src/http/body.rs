//! Reads what a caller sends, never more of it and never for longer than it is worth. Looks at no content.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;

/// Longest time for a body: whoever sends slower than this holds a connection for no good reason.
const TIME: Duration = Duration::from_secs(10);

/// Refuses a body that says of itself that it is too large, before anything of it is read.
pub(super) fn check_length(headers: &HeaderMap, most: usize) -> Result<(), StatusCode> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match length.map(str::parse::<u64>) {
        Some(Ok(length)) if length > most as u64 => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Some(_) | None => Ok(()),
    }
}

/// Reads a body of at most so many bytes. What is compressed stays so.
pub(super) async fn read(body: Body, most: usize) -> Result<Bytes, StatusCode> {
    match tokio::time::timeout(TIME, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // A connection that broke hears no answer, so this is the one that counts.
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}
