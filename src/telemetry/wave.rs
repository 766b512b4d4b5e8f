//! What is told of a wave of changes while it is under way, and the gauges that show it.

use prometheus::{Gauge, IntGauge, IntGaugeVec, Opts, Registry};
use tracing::info;

use super::Telemetry;
use super::fleet::seconds;
use crate::domain::CommitId;
use crate::plan::Progress;

/// What can become of a function in a wave.
const RESULTS: [&str; 3] = ["done", "failed", "refused"];

/// How far the changes under way are.
pub(super) struct WaveGauges {
    queue_depth: IntGauge,
    workers: IntGauge,
    workers_busy: IntGauge,
    functions: IntGaugeVec,
    started: Gauge,
}

impl WaveGauges {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauges = Self {
            queue_depth: IntGauge::new(
                "pinfold_queue_depth",
                "Functions that are to be changed and wait for their turn.",
            )?,
            workers: IntGauge::new("pinfold_workers", "Functions that a pass can have in hand at a time.")?,
            workers_busy: IntGauge::new("pinfold_workers_busy", "Functions that are being changed.")?,
            functions: IntGaugeVec::new(
                Opts::new(
                    "pinfold_wave_functions",
                    "Functions that the changes under way are done with.",
                ),
                &["result"],
            )?,
            started: Gauge::new(
                "pinfold_wave_started_timestamp_seconds",
                "When the changes under way were begun; 0 where there are none.",
            )?,
        };
        registry.register(Box::new(gauges.queue_depth.clone()))?;
        registry.register(Box::new(gauges.workers.clone()))?;
        registry.register(Box::new(gauges.workers_busy.clone()))?;
        registry.register(Box::new(gauges.functions.clone()))?;
        registry.register(Box::new(gauges.started.clone()))?;
        for result in RESULTS {
            gauges.functions.with_label_values(&[result]);
        }
        Ok(gauges)
    }
}

/// Changes can be made from now on.
#[derive(Debug)]
pub struct WaveBounds {
    /// How many functions are changed at a time, at the most.
    pub functions_at_once: usize,
}

impl WaveBounds {
    /// Shows it.
    pub fn emit(&self, telemetry: &Telemetry) {
        let functions = i64::try_from(self.functions_at_once).unwrap_or(i64::MAX);
        telemetry.metrics.wave.workers.set(functions);
    }
}

/// Many functions are about to be changed.
#[derive(Debug)]
pub struct WaveBegun<'a> {
    /// The commit that asks for it.
    pub revision: Option<&'a CommitId>,
    /// How many functions there are.
    pub functions: usize,
    /// How many of them only need an alias to be moved, and go first.
    pub moves: usize,
}

impl WaveBegun<'_> {
    /// Logs it.
    pub fn emit(&self) {
        let revision = self.revision.map(ToString::to_string);
        let (functions, moves) = (self.functions, self.moves);
        info!(
            revision,
            functions, moves, "a wave of changes begins, reverts first; the status shows how far it is"
        );
    }
}

/// The progress of the changes under way is another.
#[derive(Debug)]
pub struct WaveProgressed<'a> {
    /// How far they are; `None` where nothing is being changed any more.
    pub progress: Option<&'a Progress>,
}

impl WaveProgressed<'_> {
    /// Measures it.
    pub fn emit(&self, telemetry: &Telemetry) {
        let gauges = &telemetry.metrics.wave;
        let count = |of: fn(&Progress) -> usize| {
            let count = self.progress.map_or(0, of);
            i64::try_from(count).unwrap_or(i64::MAX)
        };
        gauges.queue_depth.set(count(|progress| progress.to_come));
        gauges.workers_busy.set(count(|progress| progress.in_hand));
        let ended = [
            count(|progress| progress.done),
            count(|progress| progress.failed),
            count(|progress| progress.refused),
        ];
        for (result, functions) in RESULTS.into_iter().zip(ended) {
            gauges.functions.with_label_values(&[result]).set(functions);
        }
        let since = self.progress.map_or(0.0, |progress| seconds(&progress.since));
        gauges.started.set(since);
    }
}
