//! Sets up the log: the daemon logs, one-shot commands only where they are asked to. Always on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat, LogLevel};

/// Starts logging for the daemon.
pub(super) fn daemon(log: Log, verbose: u8) {
    let level = match (log.level, verbose) {
        (level, 0) => level,
        (level, 1) => level.max(LogLevel::Debug),
        (_, _) => LogLevel::Trace,
    };
    let format = log.format.unwrap_or(if std::io::stderr().is_terminal() {
        LogFormat::Text
    } else {
        LogFormat::Json
    });
    start(format, level);
}

/// Starts logging for a command that prints its result: silent unless it is asked for.
pub(super) fn command(verbose: u8) {
    match verbose {
        0 => {}
        1 => start(LogFormat::Text, LogLevel::Info),
        _ => start(LogFormat::Text, LogLevel::Debug),
    }
}

fn start(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    // Other crates speak only in trouble: at their finer levels the SDK writes requests, with what is in them.
    let filter = EnvFilter::new(format!("warn,pinfold={level}"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    // A second start, as in tests, leaves the first in force.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
