//! Who calls, and which service: read from the signature's scope. The signature itself is not verified.

use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;

use super::uri;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Lambda,
    S3,
    Sts,
}

/// The account and the region that a call is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) account: String,
    pub(super) region: String,
    /// The region that was signed for; an unsigned call names none.
    pub(super) signed_region: Option<String>,
    signed_service: Option<String>,
}

impl Caller {
    pub(super) fn of(head: &Parts, default_account: &str) -> Self {
        let header = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let credential = header
            .and_then(|value| value.split_once("Credential="))
            .map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or_default().to_owned())
            .or_else(|| {
                // A presigned URL carries the scope in its query.
                let query = uri::pairs(head.uri.query().unwrap_or_default());
                query
                    .into_iter()
                    .find(|(name, _)| name == "X-Amz-Credential")
                    .map(|(_, value)| value)
            })
            .unwrap_or_default();
        // An access key id may itself hold slashes nowhere, so the scope is what follows the first one.
        let mut scope = credential.split('/').map(str::to_owned);
        let key = scope.next().unwrap_or_default();
        let _date = scope.next();
        let signed_region = scope.next().filter(|region| !region.is_empty());
        let signed_service = scope.next();
        let is_account = key.len() == 12 && key.bytes().all(|b| b.is_ascii_digit());
        Self {
            account: if is_account { key } else { default_account.to_owned() },
            region: signed_region.clone().unwrap_or_else(|| "us-east-1".to_owned()),
            signed_region,
            signed_service,
        }
    }

    /// The service by the signature's scope, else by the look of the request.
    pub(super) fn service(&self, head: &Parts, body: &[u8]) -> Service {
        match self.signed_service.as_deref() {
            Some("lambda") => return Service::Lambda,
            Some("s3" | "s3-outposts" | "s3express") => return Service::S3,
            Some("sts") => return Service::Sts,
            Some(_) | None => {}
        }
        let first = head
            .uri
            .path()
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default();
        let dated = first.len() == 10
            && first.bytes().enumerate().all(|(at, b)| {
                if matches!(at, 4 | 7) {
                    b == b'-'
                } else {
                    b.is_ascii_digit()
                }
            });
        if dated {
            Service::Lambda
        } else if head.method == axum::http::Method::POST && head.uri.path() == "/" && body.starts_with(b"Action=") {
            Service::Sts
        } else {
            Service::S3
        }
    }
}

/// The URL under which this client reaches the sandbox.
pub(super) fn endpoint(head: &Parts) -> String {
    let host = head
        .headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    format!("http://{host}")
}
