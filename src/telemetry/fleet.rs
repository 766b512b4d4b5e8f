//! The series that describe a state: read off the last report at every scrape, so that nothing stale is ever served.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts};

use super::metrics::{IDENTITY, identities};
use crate::domain::{AliasName, FunctionKey, FunctionVersion, Timestamp, Version};
use crate::drift::Drift;
use crate::plan::{FunctionReport, Reason, Report, State, Step, Subject};

/// The kinds of drift that are Pinfold's to correct. Configuration is not, and has no series: nobody should be
/// woken by what Pinfold will not do.
const KINDS: [&str; 4] = ["code", "alias", "routing", "missing"];

/// The series of the fleet. All clones show the same.
#[derive(Clone)]
pub(super) struct Fleet {
    shown: Arc<Mutex<Shown>>,
    descriptions: Vec<Desc>,
}

#[derive(Default)]
struct Shown {
    report: Arc<Report>,
    /// When the drift of each function was first seen, as long as it lasts.
    since: BTreeMap<FunctionKey, Timestamp>,
    /// When each function was last seen in sync.
    in_sync: BTreeMap<FunctionKey, Timestamp>,
}

/// The gauges, built empty for each scrape.
struct Series {
    drifted: GaugeVec,
    since: GaugeVec,
    ready: GaugeVec,
    suspended: GaugeVec,
    held: GaugeVec,
    stalled: GaugeVec,
    version: GaugeVec,
    desired: GaugeVec,
    in_sync: GaugeVec,
    manifests: GaugeVec,
    revision: GaugeVec,
}

impl Series {
    fn new() -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str, labels: &[&str]| GaugeVec::new(Opts::new(name, help), labels);
        Ok(Self {
            drifted: gauge(
                "pinfold_function_drifted",
                "1 where it differs from Git in this way.",
                &[&IDENTITY[..], &["kind"]].concat(),
            )?,
            since: gauge(
                "pinfold_function_drift_started_timestamp_seconds",
                "When the present drift was first seen; 0 where there is none.",
                &IDENTITY,
            )?,
            ready: gauge("pinfold_function_ready", "1 where it runs what Git says.", &IDENTITY)?,
            suspended: gauge(
                "pinfold_function_suspended",
                "1 where its manifest suspends it.",
                &IDENTITY,
            )?,
            held: gauge(
                "pinfold_function_held",
                "1 where something of it is withheld, other than by a suspension.",
                &IDENTITY,
            )?,
            stalled: gauge(
                "pinfold_function_stalled",
                "1 where it is withheld, unreadable or failed, and waits for somebody.",
                &IDENTITY,
            )?,
            version: gauge(
                "pinfold_function_live_version",
                "The number of the Lambda version that the alias runs; 0 for $LATEST.",
                &IDENTITY,
            )?,
            desired: gauge(
                "pinfold_function_desired_version",
                "The number of the Lambda version that the alias should run, where there is one already; 0 for $LATEST.",
                &IDENTITY,
            )?,
            in_sync: gauge(
                "pinfold_function_last_reconcile_success_timestamp_seconds",
                "When it was last seen to run what Git says.",
                &IDENTITY,
            )?,
            manifests: gauge(
                "pinfold_manifests",
                "Manifest files of the commit in force.",
                &["state"],
            )?,
            revision: gauge(
                "pinfold_git_revision_info",
                "Always 1; the label says which commit is in force.",
                &["revision"],
            )?,
        })
    }

    fn all(&self) -> [&GaugeVec; 11] {
        [
            &self.drifted,
            &self.since,
            &self.ready,
            &self.suspended,
            &self.held,
            &self.stalled,
            &self.version,
            &self.desired,
            &self.in_sync,
            &self.manifests,
            &self.revision,
        ]
    }

    fn of(&self, shown: &Shown) {
        for function in &shown.report.functions {
            self.add(function, shown);
        }
        let report = &shown.report;
        let faulty: BTreeSet<&str> = report.faults.iter().map(|fault| fault.file.as_str()).collect();
        let count = |files: usize| f64::from(u32::try_from(files).unwrap_or(u32::MAX));
        let valid = report.files.saturating_sub(faulty.len());
        for (state, files) in [("valid", valid), ("invalid", faulty.len())] {
            self.manifests.with_label_values(&[state]).set(count(files));
        }
        if let Some(revision) = &report.revision {
            self.revision.with_label_values(&[revision.as_str()]).set(1.0);
        }
    }

    fn add(&self, function: &FunctionReport, shown: &Shown) {
        let since = shown.since.get(&function.key).map_or(0.0, seconds);
        let in_sync = shown.in_sync.get(&function.key).map_or(0.0, seconds);
        let aliases = std::iter::once(None).chain(function.aliases.iter().map(Some));
        for (identity, alias) in identities(&shown.report, function).zip(aliases) {
            let labels: Vec<&str> = identity.iter().map(String::as_str).collect();
            let drifts = |kind| function.drift.iter().any(|drift| concerns(drift, alias) == Some(kind));
            for kind in KINDS {
                self.drifted
                    .with_label_values(&[&labels[..], &[kind]].concat())
                    .set(flag(drifts(kind)));
            }
            let any = KINDS.into_iter().any(drifts);
            self.since.with_label_values(&labels).set(if any { since } else { 0.0 });
            self.ready
                .with_label_values(&labels)
                .set(flag(function.state == State::InSync));
            self.suspended
                .with_label_values(&labels)
                .set(flag(function.state == State::Suspended));
            self.held.with_label_values(&labels).set(flag(is_held(function, alias)));
            let stalled = matches!(function.state, State::Withheld | State::Unreadable | State::Failed);
            self.stalled.with_label_values(&labels).set(flag(stalled));
            self.in_sync.with_label_values(&labels).set(in_sync);
            if let Some(version) = live_version(function, alias) {
                self.version.with_label_values(&labels).set(version);
            }
            if let Some(version) = desired_version(function, alias) {
                self.desired.with_label_values(&labels).set(version);
            }
        }
    }
}

impl Fleet {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let series = Series::new()?;
        let descriptions = series
            .all()
            .into_iter()
            .flat_map(|gauge| gauge.desc().into_iter().cloned())
            .collect();
        Ok(Self {
            shown: Arc::default(),
            descriptions,
        })
    }

    pub(super) fn show(&self, report: &Arc<Report>, now: Timestamp) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut since, mut in_sync) = (BTreeMap::new(), BTreeMap::new());
        for function in &report.functions {
            if function.drifts() {
                since.insert(function.key.clone(), *shown.since.get(&function.key).unwrap_or(&now));
            }
            if function.state == State::InSync {
                in_sync.insert(function.key.clone(), now);
            } else if let Some(before) = shown.in_sync.get(&function.key) {
                in_sync.insert(function.key.clone(), *before);
            }
        }
        *shown = Shown {
            report: Arc::clone(report),
            since,
            in_sync,
        };
    }
}

impl Collector for Fleet {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // The names were accepted when the fleet was made.
        let Ok(series) = Series::new() else { return Vec::new() };
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        series.of(&shown);
        series.all().into_iter().flat_map(Collector::collect).collect()
    }
}

fn flag(set: bool) -> f64 {
    f64::from(u8::from(set))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 stay exact for 285,000 years"
)]
pub(super) fn seconds(time: &Timestamp) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}

/// Returns the kind of a drift if it concerns this alias (`None`: `$LATEST`, or the whole function).
fn concerns(drift: &Drift, alias: Option<&AliasName>) -> Option<&'static str> {
    match (drift, alias) {
        (Drift::Missing { .. }, None) => Some("missing"),
        (Drift::Code { .. }, None) => Some("code"),
        (Drift::Alias { alias: which, .. }, Some(alias)) if which == alias => Some("alias"),
        (Drift::Routing { alias: which, .. }, Some(alias)) if which == alias => Some("routing"),
        (
            Drift::Missing { .. }
            | Drift::Code { .. }
            | Drift::Alias { .. }
            | Drift::Routing { .. }
            | Drift::Configuration { .. },
            _,
        ) => None,
    }
}

/// Returns whether something of this alias (`None`: `$LATEST`) is withheld. A suspension is told by a series of its own.
///
/// What is withheld for the whole function concerns what drifts; where that is not known, all of it.
pub(super) fn is_held(function: &FunctionReport, alias: Option<&AliasName>) -> bool {
    let nothing_known = !function.drifts() && function.state != State::InSync;
    let drifts = function.drift.iter().any(|drift| concerns(drift, alias).is_some());
    function
        .withheld
        .iter()
        .filter(|withheld| withheld.reason != Reason::Suspended)
        .any(|withheld| match (&withheld.subject, alias) {
            (Subject::Function, _) => drifts || nothing_known,
            (Subject::Latest, None) => true,
            (Subject::Alias(which), Some(alias)) => which == alias,
            (Subject::Latest, Some(_)) | (Subject::Alias(_), None) => false,
        })
}

fn live_version(function: &FunctionReport, alias: Option<&AliasName>) -> Option<f64> {
    let live = function.live.as_ref()?;
    let Some(alias) = alias else { return Some(0.0) };
    live.aliases.get(alias).map(|serving| match serving.version {
        FunctionVersion::Latest => 0.0,
        FunctionVersion::Number(version) => number(version),
    })
}

/// Returns the version that an alias should run: the one it runs where that is right, else the one that its step names.
/// What is not published yet has no number, and neither has what could not be compared.
fn desired_version(function: &FunctionReport, alias: Option<&AliasName>) -> Option<f64> {
    let Some(alias) = alias else {
        return live_version(function, None);
    };
    if let Some(report) = function.steps.iter().rfind(|report| report.step.alias() == Some(alias)) {
        let to = match report.step {
            Step::CreateAlias { to, .. } | Step::MoveAlias { to, .. } => to.known(),
            Step::UpdateCode { .. } | Step::AwaitUpdated { .. } | Step::PublishVersion { .. } => None,
        };
        return report.version.or(to).map(number);
    }
    let differs = |drift: &Drift| matches!(drift, Drift::Alias { alias: which, .. } if which == alias);
    let compared = matches!(
        function.state,
        State::InSync | State::Drifted | State::Suspended | State::Failed
    );
    let right = compared && !is_held(function, Some(alias)) && !function.drift.iter().any(differs);
    right.then(|| live_version(function, Some(alias)))?
}

#[expect(clippy::cast_precision_loss, reason = "Lambda's version numbers stay far below 2^53")]
fn number(version: Version) -> f64 {
    version.get() as f64
}
