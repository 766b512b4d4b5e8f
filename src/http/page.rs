//! The page for people: one table of all functions. Static HTML, no script, everything escaped.

use std::fmt::Write as _;

use axum::extract::State;
use axum::response::Html;

use super::Server;
use crate::domain::{CommitId, readable};
use crate::plan::{FunctionReport, counted};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;\
color:#1c2430;background:#fff}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .8rem;\
border-bottom:1px solid #dde3ea;vertical-align:top}th{font-weight:600;color:#5b6776}code{font-size:.9em}\
.InSync{color:#18794e}.Drifted,.Withheld{color:#9a6700}.Failed,.Unreadable{color:#c1272d}.Progressing{color:#0b6bcb}\
.Suspended{color:#5b6776}@media(prefers-color-scheme:dark){body{color:#d7dde5;background:#12161c}th{color:#8b98a9}\
th,td{border-color:#2b3440}.InSync{color:#56d364}.Drifted,.Withheld{color:#e3b341}.Failed,.Unreadable{color:#ff7b72}}";

/// Renders the page.
pub(super) async fn page(State(server): State<Server>) -> Html<String> {
    let status = server.status.get();
    let mut body = String::from("<h1>Pinfold</h1>");
    // Writing to a String cannot fail.
    if let Some(progress) = server.status.progress().get() {
        let revision = progress.revision.as_ref().map(CommitId::to_string);
        let _ = write!(
            body,
            "<p class=\"Progressing\"><progress max=\"{}\" value=\"{}\"></progress> Under way since {}{}: {}</p>",
            progress.functions(),
            progress.ended(),
            escape(&readable(&progress.since)),
            revision.map_or(String::new(), |revision| format!(
                ", for commit <code>{}</code>",
                escape(&revision)
            )),
            escape(&progress.to_text((server.now)()))
        );
    }
    match &status.report {
        None => body.push_str("<p>No pass is complete yet.</p>"),
        Some(report) => {
            let revision = report
                .revision
                .as_ref()
                .map_or("a plain folder".to_owned(), ToString::to_string);
            let time = status.last_pass.as_ref().map(readable);
            let _ = write!(
                body,
                "<p>Commit <code>{}</code>, last pass {}</p>",
                escape(&revision),
                escape(&time.unwrap_or_default())
            );
            let _ = write!(body, "<p>");
            for (state, count) in report.summary() {
                let _ = write!(body, "<span class=\"{0}\">{count} {0}</span> ", state.as_str());
            }
            let unread = report.awaiting_weights();
            if unread > 0 {
                let _ = write!(body, "(weights of {} not read yet)", counted(unread, "function"));
            }
            body.push_str("</p><table><thead><tr><th>Target</th><th>Function</th><th>State</th><th>Live</th><th>Why</th></tr></thead><tbody>");
            for function in &report.functions {
                row(&mut body, function);
            }
            body.push_str("</tbody></table>");
            for fault in &report.faults {
                let _ = write!(
                    body,
                    "<p class=\"Failed\"><code>{}</code>: {}</p>",
                    escape(&fault.file),
                    escape(&fault.message)
                );
            }
        }
    }
    let troubles = [
        ("The repository cannot be read", &status.source_error),
        ("The configuration in the file is not in force", &status.config_error),
    ];
    for (what, error) in troubles {
        if let Some(error) = error {
            let _ = write!(body, "<p class=\"Failed\">{what}: {}</p>", escape(error));
        }
    }
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"5\"><title>Pinfold</title>\
         <style>{STYLE}</style></head><body>{body}</body></html>"
    ))
}

fn row(body: &mut String, function: &FunctionReport) {
    let state = function.state.as_str();
    let live = function.live.as_ref().map(|live| {
        live.aliases
            .iter()
            .filter(|(alias, _)| function.aliases.contains(alias))
            .map(|(alias, serving)| {
                let artifact = serving.sha256.and_then(|sha256| live.known.get(&sha256));
                let artifact = artifact.map_or(String::new(), |version| format!(" ({version})"));
                format!("{alias}: {}{artifact}", serving.version)
            })
            .collect::<Vec<_>>()
            .join(", ")
    });
    let _ = write!(
        body,
        "<tr><td>{}</td><td>{}</td><td class=\"{state}\">{state}</td><td>{}</td><td>",
        escape(function.key.target.as_str()),
        escape(function.key.name.as_str()),
        escape(&live.unwrap_or_default()),
    );
    for withheld in &function.withheld {
        let label = withheld
            .subject
            .label()
            .map(|label| format!("{label}: "))
            .unwrap_or_default();
        let _ = write!(
            body,
            "{}<a href=\"{}\" title=\"{}\">{}</a> {}{}<br>",
            escape(&label),
            withheld.reason.help(),
            escape(withheld.reason.release()),
            withheld.reason,
            escape(&withheld.message),
            escape(&withheld.since_text())
        );
    }
    body.push_str("</td></tr>");
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_become_markup() {
        assert_eq!(escape("<b onclick='x'>&\""), "&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;");
    }
}
