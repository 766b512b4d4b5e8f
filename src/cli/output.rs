//! Printing: results to standard output, everything else to standard error, colour only where it is wanted.

use std::io::Write as _;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::{Color, OutputFormat};
use crate::plan::Report;

const HEADING: Style = AnsiColor::Cyan.on_default().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();

/// Where and how a command prints.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    pub(super) format: OutputFormat,
    choice: ColorChoice,
    quiet: bool,
}

impl Output {
    pub(super) fn new(format: OutputFormat, color: Color, quiet: bool) -> Self {
        let choice = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::AlwaysAnsi,
            Color::Never => ColorChoice::Never,
        };
        Self { format, choice, quiet }
    }

    /// Prints a result.
    pub(super) fn data(self, text: &str) -> Result<(), Failure> {
        let mut out = AutoStream::new(std::io::stdout(), self.choice);
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // Whoever read the result has enough, as `head` does.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            result => Ok(result?),
        }
    }

    /// Prints a result as JSON.
    pub(super) fn json(self, value: &Value) -> Result<(), Failure> {
        self.data(&format!("{value:#}\n"))
    }

    /// Prints something beside the result.
    pub(super) fn note(self, text: &str) {
        if !self.quiet {
            self.to_stderr(&format!("{text}\n"));
        }
    }

    /// Prints an error, in one line.
    pub(super) fn error(self, message: &str) {
        self.to_stderr(&format!("{ERROR}error:{ERROR:#} {message}\n"));
    }

    fn to_stderr(self, text: &str) {
        // Where standard error is closed, nobody can be told.
        let _ = AutoStream::new(std::io::stderr(), self.choice).write_all(text.as_bytes());
    }

    /// Prints a text that is for people alone; nothing where programs read the output.
    pub(super) fn text(self, text: &str) -> Result<(), Failure> {
        match self.format {
            OutputFormat::Text => self.data(text),
            OutputFormat::Json => Ok(()),
        }
    }

    /// Prints a heading between results for people.
    pub(super) fn heading(self, text: &str) -> Result<(), Failure> {
        self.text(&format!("{HEADING}── {text}{HEADING:#}\n\n"))
    }

    /// Prints what was done in a pass, and how things stand after it.
    pub(super) fn progress(self, report: &Report) -> Result<(), Failure> {
        match self.format {
            OutputFormat::Text => self.data(&format!("{}{}\n", report.headline(), report.steps_text())),
            OutputFormat::Json => self.json(&report.to_json()),
        }
    }

    /// Prints a report, and its failed targets as errors. Returns how the command ends.
    pub(super) fn report(self, report: &Report) -> Result<Exit, Failure> {
        match self.format {
            OutputFormat::Text => self.data(&report.to_text())?,
            OutputFormat::Json => self.json(&report.to_json())?,
        }
        for failed in &report.failed_targets {
            self.error(&format!("target {}: {}", failed.target, failed.message));
        }
        Ok(Exit::of(report.verdict()))
    }
}
