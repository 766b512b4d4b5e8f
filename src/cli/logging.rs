//! Sets up the log: the daemon logs, one-shot commands only where they are asked to. Always on standard error.

use std::io::IsTerminal as _;

use tracing::{Metadata, error};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use super::exit::Failure;
use super::traces::Traces;
use crate::config::{Log, LogFormat, LogLevel};

/// Starts logging for the daemon, and tracing where the environment asks for it.
///
/// # Errors
///
/// The environment names a collector that is none.
pub(super) fn daemon(log: Log, verbose: u8) -> Result<Traces, Failure> {
    let traces = Traces::from_env()?;
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
    start(format, level, &traces);
    // A panic is a bug, and its line should be one that the log's readers can read.
    std::panic::set_hook(Box::new(|panic| error!(panic = panic.to_string(), "a bug in Pinfold")));
    Ok(traces)
}

/// Starts logging for a command that prints its result: silent unless it is asked for.
pub(super) fn command(verbose: u8) {
    match verbose {
        0 => {}
        1 => start(LogFormat::Text, LogLevel::Info, &Traces::none()),
        _ => start(LogFormat::Text, LogLevel::Debug, &Traces::none()),
    }
}

fn start(format: LogFormat, level: LogLevel, traces: &Traces) {
    let level = match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    // Other crates speak only in trouble: at their finer levels the SDK writes requests, with what is in them.
    let filter = EnvFilter::new(format!("warn,pinfold={level}"));
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // Every line stands alone: what a span says of it, the line says itself.
    let lines = lines.with_filter(filter.and(filter_fn(|metadata: &Metadata<'_>| !metadata.is_span())));
    // A second start, as in tests, leaves the first in force.
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(traces.layer())
        .try_init();
}
