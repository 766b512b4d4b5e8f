//! Reads what a caller sends, never more of it and never for longer than it is worth. Looks at no content.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, Limited};

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

/// Lets a body of at most so many bytes go by, piece by piece: whoever takes a piece keeps of it what it needs. What is
/// compressed stays so.
pub(super) async fn pass(body: Body, most: usize, mut take: impl FnMut(&[u8])) -> Result<(), StatusCode> {
    let mut body = Limited::new(body, most);
    let all = async {
        while let Some(frame) = body.frame().await {
            // A connection that broke hears no answer, so that the other failure is the one that counts.
            let frame = frame.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
            if let Some(piece) = frame.data_ref() {
                take(piece);
            }
        }
        Ok(())
    };
    let passed = tokio::time::timeout(TIME, all).await;
    passed.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
}

/// Reads a body of at most so many bytes, which must be few: every connection may hold them.
pub(super) async fn read(body: Body, most: usize) -> Result<Vec<u8>, StatusCode> {
    let mut bytes = Vec::new();
    pass(body, most, |piece| bytes.extend_from_slice(piece)).await?;
    Ok(bytes)
}
