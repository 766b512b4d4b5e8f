//! A message for an incoming webhook of Slack, in Block Kit. Sends nothing.

use serde_json::{Value, json};

use crate::notify::{Message, Severity};

/// Longest text of a header block, in characters (Block Kit reference, "Header block").
const HEADER: usize = 150;

/// Longest text of a section block, in characters (Block Kit reference, "Section block").
const SECTION: usize = 3000;

/// Events that are listed: what people read in a chat, and far below the fifty blocks of a message.
const LISTED: usize = 15;

/// Builds the payload. What Git and AWS say stands in `plain_text` objects, in which Slack finds no markup and no
/// mention; the fallback, which has to be markup, is escaped.
pub(super) fn payload(message: &Message, page: Option<&str>) -> Value {
    let title = message.title();
    let mut blocks = vec![json!({ "type": "header", "text": plain(&cut(&title, HEADER)) })];
    for line in message.lines(LISTED) {
        let text = plain(&cut(&line, SECTION));
        blocks.push(json!({ "type": "section", "text": text }));
    }
    let mut context = vec![plain(&format!("{} {}", mark(message.severity()), message.commit()))];
    if let Some(page) = page {
        // The address is the operator's own, checked by the configuration.
        context.push(json!({ "type": "mrkdwn", "text": format!("<{page}|status>") }));
    }
    blocks.push(json!({ "type": "context", "elements": context }));
    json!({ "text": escape(&title), "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
}

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

/// Replaces the three characters that make markup (Slack, "Formatting text for app surfaces").
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info,",
        Severity::Warning => "warning,",
        Severity::Error => "error,",
    }
}

fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}
