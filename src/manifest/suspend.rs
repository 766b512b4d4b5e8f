//! The `suspend` of a manifest. Asks no clock: whether it holds is for others to say.

use super::fields::Reader;
use super::flaw::shown;
use super::yaml::{Node, Value};
use crate::domain::{Suspension, Timestamp, is_obeyed};

/// The fields of `suspend`.
pub(super) const SUSPEND_FIELDS: [&str; 2] = ["reason", "until"];
/// Longest reason of a suspension, in characters: it is repeated in every status.
pub(super) const MAX_REASON: usize = 1000;

/// Reads `suspend`.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Suspension> {
    let fields = match &node.value {
        Value::Map(_) => reader.fields("suspend", node, &SUSPEND_FIELDS),
        Value::Null | Value::Bool | Value::Number | Value::Text(_) | Value::List => {
            reader.note(
                node,
                "suspend: it takes a reason, as in suspend: { reason: \"incident 4711\" }; remove it to resume",
            );
            return None;
        }
    };
    let reason = if let Some(value) = fields.get("reason") {
        reader
            .text("suspend.reason", value)
            .and_then(|text| reason(reader, value, text))
    } else {
        reader.missing(node, "suspend.reason", "why, suspend.reason: \"incident 4711\"");
        None
    };
    let until = fields.get("until").map(|value| instant(reader, value));
    Some(Suspension {
        reason: reason?,
        until: match until {
            Some(time) => Some(time?),
            None => None,
        },
    })
}

/// Brings a reason into one line, as a status shows it.
fn reason(reader: &mut Reader<'_>, node: &Node, text: &str) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = if line.is_empty() {
        "suspend.reason: it is empty: say why, so that whoever finds it knows when to end it".to_owned()
    } else if line.chars().count() > MAX_REASON {
        format!("suspend.reason: it is longer than {MAX_REASON} characters: shorten it to a line and a link")
    } else if line.chars().any(is_obeyed) {
        "suspend.reason: it holds control characters: write plain text".to_owned()
    } else {
        return Some(line);
    };
    reader.note(node, message);
    None
}

fn instant(reader: &mut Reader<'_>, node: &Node) -> Option<Timestamp> {
    const PATH: &str = "suspend.until";
    let text = reader.text(PATH, node)?;
    let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) else {
        reader.note(
            node,
            format!(
                "{PATH}: {} is no time with a zone: write RFC 3339, as in 2026-12-01T00:00:00Z",
                shown(text)
            ),
        );
        return None;
    };
    Some(time.to_utc())
}
