//! Where people are told things: Slack, Microsoft Teams, any webhook, and beside the commits on GitHub and GitLab.
//!
//! Each file builds one receiver's payload out of a notification. What is told, and when, is not decided here.

mod forge;
mod slack;
mod teams;
mod webhook;

use std::path::Path;

use bytes::Bytes;
use serde_json::Value;

use super::file;
use super::web::{Answer, Headers, NoAnswer, Web};
use crate::domain::{Secret, WebhookUrl};
use crate::notify::{Notification, ReceiverKind};
use crate::ports::{DeliveryError, Notifier, Retry};

/// A receiver, with what is needed to reach it. Secrets are read from their files for each delivery, so that a new one
/// takes effect by itself.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// The client.
    pub web: Web,
    /// What it is.
    pub kind: ReceiverKind,
    /// Where people find Pinfold's page, for links; `None` for none.
    pub page: Option<String>,
}

impl Notifier for Receiver {
    async fn notify(&self, notification: &Notification) -> Result<(), DeliveryError> {
        let page = self.page.as_deref();
        match (&self.kind, notification) {
            (ReceiverKind::Slack { url_file }, Notification::Message(message)) => {
                self.post(url_file, Vec::new(), bytes(&slack::payload(message, page)))
                    .await
            }
            (ReceiverKind::Teams { url_file }, Notification::Message(message)) => {
                self.post(url_file, Vec::new(), bytes(&teams::payload(message, page)))
                    .await
            }
            (ReceiverKind::Webhook { url_file, secret_file }, Notification::Message(message)) => {
                let secret = secret(secret_file).await?;
                let (headers, body) = webhook::request(message, page, &secret)?;
                self.post(url_file, headers, body).await
            }
            (ReceiverKind::Forge(forge), Notification::Status(status)) => {
                let token = secret(&forge.token_file).await?;
                forge.set(&self.web, status, page, &token).await
            }
            // Nobody subscribes a receiver to what it has no words for.
            (
                ReceiverKind::Slack { .. } | ReceiverKind::Teams { .. } | ReceiverKind::Webhook { .. },
                Notification::Status(_),
            )
            | (ReceiverKind::Forge(_), Notification::Message(_)) => Ok(()),
        }
    }
}

impl Receiver {
    /// Posts to the address that the file holds.
    async fn post(&self, url_file: &Path, headers: Headers, body: Bytes) -> Result<(), DeliveryError> {
        let url = address(url_file).await?;
        judge(self.web.post(url.reveal(), headers, body).await)
    }
}

/// Says what an answer means: whether the receiver has it, and whether it may be sent again.
fn judge(answer: Result<Answer, NoAnswer>) -> Result<(), DeliveryError> {
    let answer = answer.map_err(|error| DeliveryError::new(unanswered(error), error.to_string()))?;
    let status = answer.status;
    if status.is_success() {
        return Ok(());
    }
    let (retry, hint) = match status.as_u16() {
        429 | 503 => (answer.retry_after.map_or(Retry::Later, Retry::After), "it is busy"),
        408 | 500..=599 => (Retry::Later, "it has trouble of its own"),
        300..=399 => (
            Retry::Never,
            "a redirect, which is not followed: write the address that it leads to",
        ),
        401 | 403 => (
            Retry::Never,
            "the token or the address is not taken, or may not do this",
        ),
        404 | 410 => (
            Retry::Never,
            "there is nothing at that address: it was removed, or it is wrong",
        ),
        _ => (Retry::Never, "it does not take what was sent"),
    };
    let said = said(&answer.body).map(|word| format!(" ({word})")).unwrap_or_default();
    Err(DeliveryError::new(
        retry,
        format!("answered {}{said}: {hint}", status.as_u16()),
    ))
}

fn unanswered(error: NoAnswer) -> Retry {
    match error {
        NoAnswer::Request => Retry::Never,
        NoAnswer::Connect | NoAnswer::Proxy | NoAnswer::Tls | NoAnswer::Timeout | NoAnswer::Broken => Retry::Later,
    }
}

/// Returns the error's word, such as Slack's `invalid_blocks`. Whatever else an answer says could be anything, the
/// address included, and is not repeated.
fn said(body: &Bytes) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let word = (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    word.then_some(text)
}

fn bytes(payload: &Value) -> Bytes {
    payload.to_string().into()
}

async fn address(file: &Path) -> Result<WebhookUrl, DeliveryError> {
    let text = secret(file).await?;
    let wrong = |error| DeliveryError::new(Retry::Never, format!("{}: {error}", file.display()));
    text.reveal().parse().map_err(wrong)
}

async fn secret(path: &Path) -> Result<Secret, DeliveryError> {
    let later = |why: String| DeliveryError::new(Retry::Later, why);
    let path = path.to_owned();
    // A volume that hangs holds up this receiver alone.
    tokio::task::spawn_blocking(move || file::secret(&path))
        .await
        .map_err(|error| later(error.to_string()))?
        .map_err(|error| later(error.to_string()))
}

#[cfg(test)]
mod tests;
