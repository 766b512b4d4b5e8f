//! A report as people read it: a table, then for each function that differs a diff, the steps and what is withheld.
//!
//! Always writes ANSI styles; whoever prints strips them where the terminal or the user wants none.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{Table, presets};

use super::diff;
use super::report::{FunctionReport, Report, State, StepReport, StepResult};
use super::step::{Step, VersionRef};
use super::withheld::Reason;
use crate::domain::{Fault, FunctionVersion};
use crate::drift::Drift;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Makes a text a hyperlink, which terminals show that know them (the sequence OSC 8). Where colours are not wanted it is
/// taken away with them.
fn link(address: &str, text: &str) -> String {
    format!("\x1b]8;;{address}\x1b\\{text}\x1b]8;;\x1b\\")
}

/// Counts things as people do: one function, two functions.
pub fn counted(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

impl Report {
    /// Renders the whole report. Failed targets are not in it: they are errors, and whoever prints says so apart.
    pub fn to_text(&self) -> String {
        let mut parts = vec![self.headline()];
        if !self.functions.is_empty() {
            parts.push(self.table());
        }
        // What is said of a whole target need not be said of each of its functions.
        let failed =
            |function: &&FunctionReport| self.failed_targets.iter().any(|one| one.target == function.key.target);
        let told: Vec<_> = self.functions.iter().filter(|one| !failed(one)).collect();
        parts.extend(told.iter().filter_map(|one| one.details()));
        if !self.faults.is_empty() {
            parts.push(faults_text(&self.faults));
        }
        if !self.unmanaged.is_empty() {
            let names: Vec<_> = self
                .unmanaged
                .iter()
                .map(|one| format!("  {}/{}", one.target, one.function))
                .collect();
            let heading = paint(BOLD, "Not named in Git, and left alone");
            parts.push(format!("{heading}\n{}\n", names.join("\n")));
        }
        if told.iter().any(|one| !one.withheld.is_empty()) {
            parts.push(format!("What is withheld, and what releases it: {}\n", Reason::PAGE));
        }
        parts.join("\n")
    }

    /// Renders the first line and the table.
    pub fn to_summary_text(&self) -> String {
        format!("{}\n{}", self.headline(), self.table())
    }

    /// Renders the steps of every function that has some; empty where none has.
    pub fn steps_text(&self) -> String {
        self.functions
            .iter()
            .filter(|function| !function.steps.is_empty())
            .map(|function| format!("\n{}", function.title() + &function.step_lines()))
            .collect()
    }

    /// Renders the first line: the commit and the count of each state.
    pub fn headline(&self) -> String {
        let counts: Vec<String> = self
            .summary()
            .into_iter()
            .filter(|(state, count)| *count > 0 || *state == State::InSync)
            .map(|(state, count)| paint(style_of(state), &format!("{count} {}", words(state))))
            .collect();
        let revision = match &self.revision {
            Some(revision) => format!("commit {}", revision.short()),
            None => "working tree".to_owned(),
        };
        let unread = match self.awaiting_weights() {
            0 => String::new(),
            unread => paint(
                DIM,
                &format!(" (weights of {} not read yet)", counted(unread, "function")),
            ),
        };
        format!(
            "{}  {}: {}{unread}\n",
            paint(BOLD, &revision),
            counted(self.functions.len(), "function"),
            counts.join(", ")
        )
    }

    fn table(&self) -> String {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_header(["TARGET", "FUNCTION", "STATE", "WHY"]);
        for function in &self.functions {
            table.add_row([
                function.key.target.as_str(),
                function.key.name.as_str(),
                function.state.as_str(),
                &function.why(),
            ]);
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        format!("{}\n", lines.join("\n"))
    }
}

/// Renders faults, one a line, as compilers do.
pub fn faults_text(faults: &[Fault]) -> String {
    let mut text = paint(BOLD, "Faults in the repository\n");
    for fault in faults {
        let place = match (fault.line, fault.column) {
            (Some(line), Some(column)) => format!("{}:{line}:{column}", fault.file),
            (Some(line), None) => format!("{}:{line}", fault.file),
            (None, _) => fault.file.clone(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}: {}", paint(RED, &place), fault.message);
    }
    text
}

impl FunctionReport {
    /// Says in a few words why the function is in its state.
    /// Renders in a few words how it differs and what is withheld: the last column of the table.
    pub fn why(&self) -> String {
        let mut words: Vec<String> = self.drift.iter().map(kind_words).collect();
        for withheld in &self.withheld {
            words.push(match withheld.subject.label() {
                Some(label) => format!("{label}: {}", withheld.reason),
                None => withheld.reason.to_string(),
            });
        }
        words.join(", ")
    }

    fn title(&self) -> String {
        format!(
            "{}  {}\n",
            paint(BOLD, &self.key.to_string()),
            paint(style_of(self.state), self.state.as_str())
        )
    }

    fn step_lines(&self) -> String {
        let lines = self.steps.iter().enumerate();
        lines
            .map(|(index, step)| format!("  {:>2}. {}\n", index + 1, step_text(step)))
            .collect()
    }

    fn details(&self) -> Option<String> {
        let diff = diff::unified(self);
        if diff.is_empty() && self.steps.is_empty() && self.withheld.is_empty() {
            return None;
        }
        let mut text = self.title();
        for line in diff.lines() {
            let style = match line.as_bytes().first() {
                Some(b'+') => GREEN,
                Some(b'-') => RED,
                Some(b'@') => CYAN,
                Some(_) | None => Style::new(),
            };
            let _ = writeln!(text, "  {}", paint(style, line));
        }
        text.push_str(&self.step_lines());
        for withheld in &self.withheld {
            let subject = withheld
                .subject
                .label()
                .map(|label| format!("{label} "))
                .unwrap_or_default();
            let reason = link(&withheld.reason.help(), &paint(YELLOW, withheld.reason.as_str()));
            let _ = writeln!(
                text,
                "  {} {subject}{reason}: {}{}",
                paint(DIM, "withheld"),
                withheld.message,
                withheld.since_text()
            );
        }
        Some(text)
    }
}

fn kind_words(drift: &Drift) -> String {
    match drift {
        Drift::Missing { .. } => "no such function".to_owned(),
        Drift::Code { failed: Some(_), .. } => "$LATEST update failed".to_owned(),
        Drift::Code { failed: None, .. } => "$LATEST code".to_owned(),
        Drift::Alias { alias, live: None, .. } => format!("{alias} is missing"),
        Drift::Alias {
            alias, live: Some(_), ..
        } => format!("{alias} code"),
        Drift::Routing { alias, .. } => format!("{alias} weights"),
        Drift::Configuration { alias, .. } => format!("{alias} configuration"),
    }
}

/// Says what a step does, and what became of it.
fn step_text(report: &StepReport) -> String {
    let to = |to: &VersionRef| match report.version.or(to.known()) {
        Some(version) => format!("version {version}"),
        None => "the published version".to_owned(),
    };
    let what = match &report.step {
        Step::UpdateCode { version, code, .. } => {
            format!(
                "$LATEST to {version} from s3://{}/{}",
                code.location.bucket, code.location.key
            )
        }
        Step::AwaitUpdated { .. } => "until the update is complete".to_owned(),
        Step::PublishVersion { publication, .. } => match report.version {
            Some(version) => format!("{} as version {version}", publication.version),
            None => publication.version.to_string(),
        },
        Step::CreateAlias { alias, to: version } => format!("{alias} at {}", to(version)),
        Step::MoveAlias {
            alias,
            from: FunctionVersion::Number(from),
            to: version,
            ..
        } if version.known() == Some(*from) => {
            format!("{alias} stays at version {from}, without weights")
        }
        Step::MoveAlias {
            alias,
            from,
            to: version,
            ..
        } => format!("{alias} from {from} to {}", to(version)),
    };
    let result = match report.result {
        StepResult::Planned => String::new(),
        StepResult::Done => paint(GREEN, "  done"),
        StepResult::Refused => paint(YELLOW, "  refused"),
        StepResult::Failed => paint(RED, "  failed"),
        StepResult::Skipped => paint(DIM, "  skipped"),
    };
    let message = report
        .message
        .as_ref()
        .map(|message| format!(": {message}"))
        .unwrap_or_default();
    format!("{:<14} {what}{result}{message}", report.step.action())
}

fn style_of(state: State) -> Style {
    match state {
        State::InSync => GREEN,
        State::Drifted | State::Withheld => YELLOW,
        State::Progressing => CYAN,
        State::Suspended => DIM,
        State::Unreadable | State::Failed => RED,
    }
}

fn words(state: State) -> &'static str {
    match state {
        State::InSync => "in sync",
        State::Drifted => "drifted",
        State::Progressing => "progressing",
        State::Withheld => "withheld",
        State::Suspended => "suspended",
        State::Unreadable => "unreadable",
        State::Failed => "failed",
    }
}
