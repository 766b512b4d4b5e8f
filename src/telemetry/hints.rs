//! What is told of word that comes of changes by others.

use prometheus::{IntCounterVec, Opts, Registry};
use tracing::{debug, info, warn};

use super::Telemetry;
use super::said::Topic;

/// The service of the queue, as calls to it are counted. What it answers does not show that a pass gets on.
pub const QUEUE_SERVICE: &str = "sqs";

/// What can become of a message.
const RESULTS: [&str; 4] = ["nudged", "own", "ignored", "malformed"];

/// Counts them.
pub(super) struct HintCounter(IntCounterVec);

impl HintCounter {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let options = Opts::new("pinfold_hints_total", "Messages that told of changes by others.");
        let counter = IntCounterVec::new(options, &["result"])?;
        registry.register(Box::new(counter.clone()))?;
        for result in RESULTS {
            counter.with_label_values(&[result]);
        }
        Ok(Self(counter))
    }
}

/// What became of a message.
#[derive(Debug)]
pub enum HintResult {
    /// A function is looked at.
    Nudged,
    /// Pinfold made the change itself.
    Own,
    /// It concerns no function of a target, or changed nothing.
    Ignored,
    /// It cannot be understood, and why.
    Malformed(String),
}

/// A message came.
#[derive(Debug)]
pub struct HintsHeard<'a> {
    /// The queue.
    pub queue: &'a str,
    /// What became of it.
    pub result: HintResult,
}

impl HintsHeard<'_> {
    /// Counts it. Of messages that cannot be understood the first is logged.
    pub fn emit(&self, telemetry: &Telemetry) {
        let queue = self.queue;
        let result = match &self.result {
            HintResult::Nudged => "nudged",
            HintResult::Own => "own",
            HintResult::Ignored => "ignored",
            HintResult::Malformed(error) => {
                if telemetry.said.is_news(Topic::MalformedHint(queue.to_owned()), "") {
                    warn!(
                        queue,
                        error, "a message is no event of a change, and is dropped, as are others like it"
                    );
                } else {
                    debug!(queue, error, "a message is no event of a change, and is dropped");
                }
                "malformed"
            }
        };
        telemetry.metrics.hints.0.with_label_values(&[result]).inc();
    }
}

/// A queue does not answer.
#[derive(Debug)]
pub struct HintsUnheard<'a> {
    /// The queue.
    pub queue: &'a str,
    /// What came back, in one line.
    pub error: &'a str,
}

impl HintsUnheard<'_> {
    /// Notes that it answers.
    pub fn is_over(queue: &str, telemetry: &Telemetry) {
        if telemetry.said.is_over(&Topic::Hints(queue.to_owned())) {
            info!(queue, "the queue of events answers again");
        }
    }

    /// Logs it; what lasts is said once.
    pub fn emit(&self, telemetry: &Telemetry) {
        let Self { queue, error } = self;
        if telemetry.said.is_news(Topic::Hints((*queue).to_owned()), "") {
            warn!(
                queue,
                error, "the queue of events does not answer: changes are seen by the sweep alone until it does"
            );
        } else {
            debug!(queue, error, "the queue of events still does not answer");
        }
    }
}
