//! One function's drift as a unified diff: live as it is, desired as it will be. Text only; decides nothing.

use std::fmt::Write as _;

use similar::TextDiff;

use super::report::{FunctionReport, Live};
use crate::domain::{CodeSha256, FunctionVersion, Routing, Weight};
use crate::drift::{DesiredCode, Drift, LiveAlias};

/// Renders the drift of a function; empty where there is none.
pub(super) fn unified(report: &FunctionReport) -> String {
    let (mut live, mut desired) = (String::new(), String::new());
    let nothing = Live::default();
    let known = report.live.as_ref().unwrap_or(&nothing);
    let mut subject = None;
    for drift in &report.drift {
        let heading = match drift {
            Drift::Missing { .. } => "function:".to_owned(),
            Drift::Code { .. } => "$LATEST:".to_owned(),
            Drift::Alias { alias, .. } | Drift::Routing { alias, .. } | Drift::Configuration { alias, .. } => {
                format!("alias {alias}:")
            }
        };
        // An alias that does not exist has no heading on the live side: all of it is to come.
        let absent = matches!(drift, Drift::Missing { .. } | Drift::Alias { live: None, .. });
        if subject.as_ref() != Some(&heading) {
            line(&mut desired, &heading);
            if !absent {
                line(&mut live, &heading);
            }
            subject = Some(heading);
        }
        match drift {
            Drift::Missing { desired: wanted }
            | Drift::Alias {
                desired: wanted,
                live: None,
                ..
            } => {
                line(&mut desired, &format!("  code: {}", wanted_code(wanted)));
            }
            Drift::Code {
                desired: wanted,
                live: found,
                failed,
            } => {
                line(&mut desired, &format!("  code: {}", wanted_code(wanted)));
                let found = found_code(*found, known);
                let failed = failed.as_ref().map(|reason| format!(", its update failed: {reason}"));
                line(&mut live, &format!("  code: {found}{}", failed.unwrap_or_default()));
            }
            Drift::Alias {
                desired: wanted,
                live: Some(found),
                ..
            } => {
                line(&mut desired, &format!("  code: {}", wanted_code(wanted)));
                line(&mut live, &format!("  code: {}", found_alias(found, known)));
            }
            Drift::Routing { live: found, .. } => {
                line(&mut desired, "  weights: none");
                line(&mut live, &format!("  weights: {}", weights(found)));
            }
            Drift::Configuration { version, .. } => {
                line(&mut desired, "  configuration: $LATEST's (not Pinfold's to change)");
                line(&mut live, &format!("  configuration: older, of version {version}"));
            }
        }
    }
    let diff = TextDiff::from_lines(&live, &desired);
    if live == desired {
        String::new()
    } else {
        diff.unified_diff().header("live", "desired").to_string()
    }
}

fn line(side: &mut String, text: &str) {
    side.push_str(text);
    side.push('\n');
}

fn wanted_code(desired: &DesiredCode) -> String {
    match desired.sha256 {
        Some(sha256) => format!("{} ({sha256})", desired.version),
        None => format!("{} (hash not known)", desired.version),
    }
}

fn found_code(sha256: Option<CodeSha256>, known: &Live) -> String {
    match sha256.map(|sha256| (sha256, known.known.get(&sha256))) {
        Some((sha256, Some(version))) => format!("{version} ({sha256})"),
        Some((sha256, None)) => format!("not published by Pinfold ({sha256})"),
        None => "unknown".to_owned(),
    }
}

fn found_alias(found: &LiveAlias, known: &Live) -> String {
    let code = found_code(found.sha256, known);
    match found.version {
        FunctionVersion::Latest => format!("{code}, whatever $LATEST holds"),
        FunctionVersion::Number(number) => format!("{code}, version {number}"),
    }
}

pub(super) fn weights(routing: &Routing) -> String {
    routing.iter().fold(String::new(), |mut text, (version, weight)| {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{} to version {version}", percent(*weight));
        text
    })
}

/// Shows a weight without the noise of binary fractions: 0.07 is 7%, not 7.000000000000001%.
fn percent(weight: Weight) -> String {
    let exact = (weight.0 * 1e10).round() / 1e8;
    format!("{exact}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_shown_as_people_write_them() {
        for (weight, shown) in [
            (0.07, "7%"),
            (0.29, "29%"),
            (0.000_1, "0.01%"),
            (1.0, "100%"),
            (0.0, "0%"),
            (1.0 / 3.0, "33.33333333%"),
        ] {
            assert_eq!(percent(Weight(weight)), shown);
        }
    }
}
