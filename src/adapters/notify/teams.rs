//! A message for a workflow of Microsoft Teams, as an Adaptive Card. Sends nothing.

use serde_json::{Value, json};

use crate::notify::{Message, Severity};

/// Events that are listed: with the 300 characters of each the card stays far below the 28 KB that Teams takes.
const LISTED: usize = 15;

/// Builds the payload that the trigger "When a Teams webhook request is received" takes.
///
/// All text stands in text runs, in which Adaptive Cards know no Markdown; a mention would need an entity beside it.
pub(super) fn payload(message: &Message, page: Option<&str>) -> Value {
    let colour = match message.severity() {
        Severity::Info => "good",
        Severity::Warning => "warning",
        Severity::Error => "attention",
    };
    let title = json!({
        "type": "TextRun", "text": message.title(), "size": "large", "weight": "bolder", "color": colour
    });
    let mut body = vec![block(&title)];
    body.extend(
        message
            .lines(LISTED)
            .into_iter()
            .map(|line| block(&json!({ "type": "TextRun", "text": line }))),
    );
    body.push(block(
        &json!({ "type": "TextRun", "text": message.commit(), "isSubtle": true, "size": "small" }),
    ));
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": message.title(),
        "msteams": { "width": "Full" },
        "body": body,
    });
    if let Some(page) = page {
        card["actions"] = json!([{ "type": "Action.OpenUrl", "title": "Status", "url": page }]);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

fn block(run: &Value) -> Value {
    json!({ "type": "RichTextBlock", "inlines": [run] })
}
