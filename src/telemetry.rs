//! What the daemon tells about itself: one struct for each thing that happens, which logs and counts it together.
//!
//! Labels and error words come from closed sets. Never a credential, a presigned URL or a function's environment.

mod callers;
mod daemon;
mod deliveries;
mod events;
mod fleet;
mod git;
mod hints;
mod limiters;
mod metrics;
mod said;
mod spans;
mod wave;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use callers::{CommitAcknowledged, WebhookProvider, WebhookReceived, WebhookResult};
pub use daemon::{
    CommitInForce, ConfigReloaded, EventsHappened, FunctionContended, Panicked, Started, StepsAbandoned, Stopping,
};
pub use deliveries::{NotificationOutcome, Outcome};
pub use events::{
    AllocationsUntold, AwsRequest, FunctionsUnreadable, LimiterWait, ListingFailed, PassFinished, PassPhase,
    PassSkipped, PassSuperseded, PhaseFinished, StepFinished, TargetFailed,
};
use fleet::Fleet;
pub use git::{GitOperation, GitRequest, GitResult, RepositoryRead};
pub use hints::{HintResult, HintsHeard, HintsUnheard, QUEUE_SERVICE};
pub use limiters::LimiterRate;
use metrics::Metrics;
use prometheus::{Registry, TextEncoder};
use said::Said;
pub use spans::{Work, answered, aws_span, function_span, pass_span};
pub use wave::{WaveBegun, WaveBounds, WaveProgressed};

use crate::domain::Timestamp;
use crate::plan::Report;

/// The metrics of one daemon, in a registry of their own. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Telemetry {
    registry: Registry,
    metrics: Arc<Metrics>,
    fleet: Fleet,
    said: Arc<Said>,
    limiters: Arc<Mutex<Vec<LimiterRate>>>,
    heard: Arc<AtomicU64>,
}

impl Telemetry {
    /// Registers every metric.
    ///
    /// # Errors
    ///
    /// Two metrics have one name, which is a mistake in this room.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let metrics = Arc::new(Metrics::register(&registry)?);
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(Self {
            registry,
            metrics,
            fleet: Fleet::default(),
            said: Arc::default(),
            limiters: Arc::default(),
            heard: Arc::default(),
        })
    }

    /// Returns how often something was heard from AWS or its rate limit, so that a pass can be seen to get on.
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Shows these rate limits from now on, in the place of others.
    pub fn show_limiters(&self, limiters: Vec<LimiterRate>) {
        *self.limiters() = limiters;
    }

    fn limiters(&self) -> MutexGuard<'_, Vec<LimiterRate>> {
        self.limiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the report of a pass: from now on the per-function series show it.
    pub fn observe(&self, report: &Arc<Report>, now: Timestamp) {
        self.fleet.show(report, now);
    }

    /// Returns every metric in the Prometheus text format.
    ///
    /// # Errors
    ///
    /// As [`Telemetry::parts`].
    pub fn render(&self) -> Result<String, prometheus::Error> {
        Ok(self.parts()?.collect())
    }

    /// Returns every metric in the Prometheus text format, a part at a time: with a large fleet the whole text takes more
    /// memory than everything else.
    ///
    /// # Errors
    ///
    /// A metric cannot be written in the format, which is a mistake in this room.
    pub fn parts(&self) -> Result<impl Iterator<Item = String> + Send + use<>, prometheus::Error> {
        let gathered = {
            let limiters = self.limiters();
            self.metrics.limiters.measure(&limiters);
            self.registry.gather()
        };
        let counted = TextEncoder::new().encode_to_string(&gathered)?;
        Ok(std::iter::once(counted).chain(self.fleet.parts()))
    }
}
