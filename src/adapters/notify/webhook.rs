//! A message for any receiver, as signed JSON. Sends nothing.

use axum::http::{HeaderName, HeaderValue};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::adapters::web::Headers;
use crate::domain::{Secret, rfc3339};
use crate::notify::{About, Event, Message};
use crate::ports::{DeliveryError, Retry};

const SIGNATURE: HeaderName = HeaderName::from_static("x-pinfold-signature-256");
const DELIVERY: HeaderName = HeaderName::from_static("x-pinfold-delivery");

/// Builds headers and body.
///
/// The signature is over the whole body, as that of Pinfold's own webhooks is. Against replay the body holds the time of
/// the pass and an id, which are the same where a delivery is tried again.
pub(super) fn request(
    message: &Message,
    page: Option<&str>,
    secret: &Secret,
) -> Result<(Headers, Bytes), DeliveryError> {
    let mut payload = payload(message, page);
    let id = hex::encode(&Sha256::digest(payload.to_string())[..16]);
    payload["id"] = id.clone().into();
    let body = Bytes::from(payload.to_string());
    let signature = format!("sha256={}", sign(secret, &body)?);
    let header = |text: &str| {
        HeaderValue::from_str(text).map_err(|_| DeliveryError::new(Retry::Never, "a header could not be built"))
    };
    Ok((vec![(SIGNATURE, header(&signature)?), (DELIVERY, header(&id)?)], body))
}

fn sign(secret: &Secret, body: &[u8]) -> Result<String, DeliveryError> {
    // HMAC takes a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes())
        .map_err(|_| DeliveryError::new(Retry::Never, "the secret is no key"))?;
    mac.update(body);
    Ok(hex::encode(mac.finalize().into_bytes()))
}

fn payload(message: &Message, page: Option<&str>) -> Value {
    let counts: serde_json::Map<String, Value> = message
        .counts
        .iter()
        .map(|(kind, count)| (kind.as_str().to_owned(), (*count).into()))
        .collect();
    json!({
        "schemaVersion": 1,
        "timestamp": rfc3339(&message.at),
        "revision": message.revision.as_ref().map(ToString::to_string),
        "severity": message.severity().as_str(),
        "title": message.title(),
        "url": page,
        "counts": counts,
        "events": message.events.iter().map(event).collect::<Vec<_>>(),
        "omitted": message.total() - message.events.len(),
    })
}

fn event(event: &Event) -> Value {
    let function = match &event.about {
        About::Target(_) => None,
        About::Function(key) => Some(key.name.as_str()),
    };
    let reasons: Vec<&str> = event.reasons.iter().map(|reason| reason.as_str()).collect();
    json!({
        "kind": event.kind.as_str(),
        "severity": event.severity().as_str(),
        "target": event.about.target().as_str(),
        "function": function,
        "reasons": reasons,
        "message": event.text,
    })
}
