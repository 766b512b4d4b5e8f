//! What an operator reads of a daemon's day: its start and end, each commit with its faults, what began or ended, and
//! what it had to give up.

use tracing::{debug, error, info, warn};

use super::Telemetry;
use crate::domain::{CommitId, DesiredState, FunctionKey, Timestamp};
use crate::notify::{About, Event, EventKind, Severity};

/// Faults, or events of one kind, that are told one by one. More are counted; the page and the API have all of them.
const TOLD: usize = 20;

/// The daemon begins.
#[derive(Debug)]
pub struct Started<'a> {
    /// The repository; `None` where the configuration names none.
    pub repository: Option<&'a str>,
    /// The names of the targets.
    pub targets: Vec<&'a str>,
    /// Whether drift is only reported.
    pub observes: bool,
    /// How many receivers are notified.
    pub receivers: usize,
}

impl Started<'_> {
    /// Logs it.
    pub fn emit(&self) {
        info!(
            version = env!("CARGO_PKG_VERSION"),
            repository = self.repository,
            targets = self.targets.join(", "),
            mode = if self.observes { "observe" } else { "reconcile" },
            receivers = self.receivers,
            "Pinfold starts"
        );
    }
}

/// The daemon was told to end.
#[derive(Debug)]
pub struct Stopping;

impl Stopping {
    /// Logs it.
    pub fn emit(&self) {
        info!("told to stop: the steps in hand are finished first");
    }
}

/// Another commit is in force.
#[derive(Debug)]
pub struct CommitInForce<'a> {
    /// What it says.
    pub desired: &'a DesiredState,
}

impl CommitInForce<'_> {
    /// Logs it, and its faults.
    pub fn emit(&self) {
        let Self { desired } = self;
        let revision = desired.revision.as_ref().map(ToString::to_string);
        info!(
            revision,
            functions = desired.functions.len(),
            files = desired.files,
            faults = desired.faults.len(),
            "another commit is in force"
        );
        for fault in desired.faults.iter().take(TOLD) {
            warn!(
                revision,
                file = fault.file,
                line = fault.line,
                column = fault.column,
                error = fault.message,
                "a file of the repository is faulty; what it names is left as it is until the file is mended"
            );
        }
        if desired.faults.len() > TOLD {
            let more = desired.faults.len() - TOLD;
            warn!(
                revision,
                more, "further faults are not told: `pinfold validate` shows all of them"
            );
        }
    }
}

/// Things began or ended, as a report shows.
#[derive(Debug)]
pub struct EventsHappened<'a> {
    /// The events of one pass.
    pub events: &'a [Event],
}

impl EventsHappened<'_> {
    /// Logs each, the first twenty of each kind. What is told again within the hour is for those who look closely.
    pub fn emit(&self) {
        for kind in EventKind::ALL {
            // What failed was told when it did, step by step.
            let told = |event: &&Event| event.kind == kind && (kind != EventKind::Failed);
            let of_kind: Vec<&Event> = self.events.iter().filter(told).collect();
            for event in of_kind.iter().take(TOLD) {
                log(event);
            }
            if of_kind.len() > TOLD {
                let (event, more) = (kind.as_str(), of_kind.len() - TOLD);
                info!(
                    event,
                    more, "and so it is for further functions: the status shows all of them"
                );
            }
        }
    }
}

/// A panic was contained: a bug, whose cause the panic's own line in the log tells.
#[derive(Debug)]
pub struct Panicked<'a> {
    /// The function whose work ended with it; `None` where it was another's.
    pub key: Option<&'a FunctionKey>,
    /// What is told of it.
    pub message: &'a str,
}

impl Panicked<'_> {
    /// Logs and counts it.
    pub fn emit(&self, telemetry: &Telemetry) {
        telemetry.metrics.panics.inc();
        let target = self.key.map(|key| key.target.as_str());
        let function = self.key.map(|key| key.name.as_str());
        error!(
            target,
            function,
            error = self.message,
            "a bug ended this piece of work and nothing else: please report it"
        );
    }
}

/// The daemon was to stop, and what it had in hand took too long.
#[derive(Debug)]
pub struct StepsAbandoned;

impl StepsAbandoned {
    /// Logs it.
    pub fn emit(&self) {
        warn!(
            "the steps in hand did not end in time and are left as they are; the next process looks what came of them"
        );
    }
}

/// Somebody else keeps undoing what Git says of a function, which is left alone for a while.
#[derive(Debug)]
pub struct FunctionContended<'a> {
    /// The function.
    pub key: &'a FunctionKey,
    /// The commit that says what is undone.
    pub revision: Option<&'a CommitId>,
    /// What was found, when, and until when it is left alone.
    pub message: &'a str,
}

impl FunctionContended<'_> {
    /// Logs it.
    pub fn emit(&self) {
        warn!(
            target = self.key.target.as_str(),
            function = self.key.name.as_str(),
            revision = self.revision.map(ToString::to_string),
            why = self.message,
            "somebody else keeps undoing what Git says of a function"
        );
    }
}

/// The configuration was read anew.
#[derive(Debug)]
pub struct ConfigReloaded<'a> {
    /// What of it needs a restart, or why it is not in force: one line for each fault.
    pub result: Result<&'a [&'a str], &'a str>,
    /// The time now.
    pub now: Timestamp,
}

impl ConfigReloaded<'_> {
    /// Logs and counts it.
    pub fn emit(&self, telemetry: &Telemetry) {
        let metrics = &telemetry.metrics;
        metrics.config_reload_successful.set(i64::from(self.result.is_ok()));
        let restart = match self.result {
            Ok(restart) => restart,
            Err(error) => {
                error!(
                    error,
                    "the configuration cannot be used: the one before it stays in force; correct the file"
                );
                return;
            }
        };
        metrics.config_reload_success.set(super::fleet::seconds(&self.now));
        info!("the configuration was read anew and is in force");
        if !restart.is_empty() {
            let fields = restart.join(", ");
            warn!(
                fields,
                "of the new configuration these come into force with a restart alone"
            );
        }
    }
}

fn log(event: &Event) {
    let kind = event.kind.as_str();
    let target = event.about.target().as_str();
    let function = match &event.about {
        About::Target(_) => None,
        About::Function(key) => Some(key.name.as_str()),
    };
    let reasons: Vec<&str> = event.reasons.iter().map(|reason| reason.as_str()).collect();
    let reason = (!reasons.is_empty()).then(|| reasons.join(", "));
    let (what, text) = (event.kind.words(), event.text.as_str());
    let severity = if event.repeated { None } else { Some(event.severity()) };
    match severity {
        None => debug!(event = kind, target, function, reason, "{what} again: {text}"),
        Some(Severity::Info) => info!(event = kind, target, function, reason, "{what}: {text}"),
        Some(Severity::Warning) => warn!(event = kind, target, function, reason, "{what}: {text}"),
        Some(Severity::Error) => error!(event = kind, target, function, reason, "{what}: {text}"),
    }
}
