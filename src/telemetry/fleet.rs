//! The series that describe a state: read off the last report at every scrape, so that nothing stale is ever served.
//!
//! They are written straight into the text format. A fleet of 10,000 functions has 300,000 of them, and a registry would
//! keep, copy and sort six labels for each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::{AccountId, AliasName, FunctionKey, FunctionVersion, Region, Timestamp, Version};
use crate::drift::Drift;
use crate::plan::{FunctionReport, Reason, Report, State, Step, Subject};

/// The kinds of drift that are Pinfold's to correct. Configuration is not, and has no series: nobody should be
/// woken by what Pinfold will not do.
const KINDS: [&str; 4] = ["code", "alias", "routing", "missing"];

/// What a sync can come to.
const SYNC_RESULTS: [&str; 4] = ["succeeded", "failed", "aborted", "held"];

/// Functions whose series of one metric are written at a time: some hundred KiB of text.
const AT_A_TIME: usize = 500;

/// The series of the fleet. All clones show the same.
#[derive(Clone, Default)]
pub(super) struct Fleet {
    shown: Arc<Mutex<Shown>>,
}

#[derive(Clone, Default)]
struct Shown {
    report: Arc<Report>,
    /// What no single report tells, for each function of the report, in its order.
    times: Arc<Vec<Times>>,
    /// How often `$LATEST` (`None`) or an alias was to be changed, by result. What never was is not there.
    syncs: Arc<BTreeMap<FunctionKey, Syncs>>,
}

type Syncs = BTreeMap<Option<AliasName>, [u64; SYNC_RESULTS.len()]>;

#[derive(Clone, Copy, Default)]
struct Times {
    /// When its drift was first seen, as long as it lasts.
    drifts_since: Option<Timestamp>,
    /// When it was last seen in sync.
    in_sync: Option<Timestamp>,
}

/// One alias of one function, or its `$LATEST`.
#[derive(Clone, Copy)]
struct Subjected<'a> {
    function: &'a FunctionReport,
    alias: Option<&'a AliasName>,
    times: Times,
    syncs: Option<&'a Syncs>,
}

/// Where a label besides the identity has its place: labels are written in order of their names.
#[derive(Clone, Copy)]
enum Further {
    None,
    Kind(&'static [&'static str]),
    Result(&'static [&'static str]),
}

/// One metric. Its value is told for each value of its further label, by its place there.
struct Family {
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    further: Further,
    value: fn(&Subjected<'_>, usize) -> Option<f64>,
}

const FAMILIES: [Family; 10] = [
    Family {
        name: "pinfold_function_drifted",
        help: "1 where it differs from Git in this way.",
        kind: "gauge",
        further: Further::Kind(&KINDS),
        value: |one, kind| Some(flag(one.drifts(KINDS[kind]))),
    },
    Family {
        name: "pinfold_function_drift_started_timestamp_seconds",
        help: "When the present drift was first seen; 0 where there is none.",
        kind: "gauge",
        further: Further::None,
        value: |one, _| {
            let any = KINDS.into_iter().any(|kind| one.drifts(kind));
            Some(
                one.times
                    .drifts_since
                    .filter(|_| any)
                    .map_or(0.0, |time| seconds(&time)),
            )
        },
    },
    Family {
        name: "pinfold_function_ready",
        help: "1 where it runs what Git says.",
        kind: "gauge",
        further: Further::None,
        value: |one, _| Some(flag(one.function.state == State::InSync)),
    },
    Family {
        name: "pinfold_function_suspended",
        help: "1 where its manifest suspends it.",
        kind: "gauge",
        further: Further::None,
        value: |one, _| Some(flag(one.function.state == State::Suspended)),
    },
    Family {
        name: "pinfold_function_held",
        help: "1 where something of it is withheld, other than by a suspension.",
        kind: "gauge",
        further: Further::None,
        value: |one, _| Some(flag(is_held(one.function, one.alias))),
    },
    Family {
        name: "pinfold_function_stalled",
        help: "1 where it is withheld, unreadable or failed, and waits for somebody.",
        kind: "gauge",
        further: Further::None,
        value: |one, _| {
            let state = one.function.state;
            Some(flag(matches!(
                state,
                State::Withheld | State::Unreadable | State::Failed
            )))
        },
    },
    Family {
        name: "pinfold_function_live_version",
        help: "The number of the Lambda version that the alias runs; 0 for $LATEST.",
        kind: "gauge",
        further: Further::None,
        value: |one, _| live_version(one.function, one.alias),
    },
    Family {
        name: "pinfold_function_desired_version",
        help: "The number of the Lambda version that the alias should run, where there is one already; 0 for $LATEST.",
        kind: "gauge",
        further: Further::None,
        value: |one, _| desired_version(one.function, one.alias),
    },
    Family {
        name: "pinfold_function_last_reconcile_success_timestamp_seconds",
        help: "When it was last seen to run what Git says.",
        kind: "gauge",
        further: Further::None,
        value: |one, _| Some(one.times.in_sync.map_or(0.0, |time| seconds(&time))),
    },
    Family {
        name: "pinfold_syncs_total",
        help: "Times that $LATEST or an alias was to be changed.",
        kind: "counter",
        further: Further::Result(&SYNC_RESULTS),
        value: |one, result| {
            let counts = one.syncs.and_then(|syncs| syncs.get(&one.alias.cloned()));
            Some(counts.map_or(0.0, |counts| count(counts[result])))
        },
    },
];

impl Subjected<'_> {
    fn drifts(&self, kind: &str) -> bool {
        let mut drift = self.function.drift.iter();
        drift.any(|drift| concerns(drift, self.alias) == Some(kind))
    }
}

impl Family {
    fn heading(&self) -> String {
        heading(self.name, self.help, self.kind)
    }

    /// Writes a line for each value of the further label. No value needs escaping: names, accounts and Regions hold
    /// neither quotes nor backslashes nor line ends.
    fn write(&self, one: &Subjected<'_>, account: &str, text: &mut String) {
        let (name, function) = (self.name, one.function);
        let alias = one.alias.map_or(LATEST, AliasName::as_str);
        let region = function.region.as_ref().map_or("", Region::as_str);
        let (values, kind, result): (&[&str], _, _) = match self.further {
            Further::None => (&[""], false, false),
            Further::Kind(values) => (values, true, false),
            Further::Result(values) => (values, false, true),
        };
        for (place, further) in values.iter().enumerate() {
            let Some(value) = (self.value)(one, place) else {
                continue;
            };
            for part in [
                name,
                "{account=\"",
                account,
                "\",alias=\"",
                alias,
                "\",function=\"",
                function.key.name.as_str(),
            ] {
                text.push_str(part);
            }
            if kind {
                text.push_str("\",kind=\"");
                text.push_str(further);
            }
            text.push_str("\",region=\"");
            text.push_str(region);
            if result {
                text.push_str("\",result=\"");
                text.push_str(further);
            }
            text.push_str("\",target=\"");
            text.push_str(function.key.target.as_str());
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\"}} {value}");
        }
    }
}

/// What `$LATEST` is called where aliases are.
const LATEST: &str = "$LATEST";

fn heading(name: &str, help: &str, kind: &str) -> String {
    format!("# HELP {name} {help}\n# TYPE {name} {kind}\n")
}

impl Shown {
    /// Writes the series that are not of one function.
    fn whole(&self) -> String {
        let report = &self.report;
        let faulty: BTreeSet<&str> = report.faults.iter().map(|fault| fault.file.as_str()).collect();
        let valid = report.files.saturating_sub(faulty.len());
        let mut text = heading("pinfold_manifests", "Manifest files of the commit in force.", "gauge");
        for (state, files) in [("invalid", faulty.len()), ("valid", valid)] {
            let _ = writeln!(text, "pinfold_manifests{{state=\"{state}\"}} {files}");
        }
        if let Some(revision) = &report.revision {
            let name = "pinfold_git_revision_info";
            text += &heading(name, "Always 1; the label says which commit is in force.", "gauge");
            let _ = writeln!(text, "{name}{{revision=\"{revision}\"}} 1");
        }
        text
    }

    /// Writes one metric of some functions.
    fn part(&self, family: &Family, from: usize) -> String {
        let functions = self
            .report
            .functions
            .iter()
            .zip(&*self.times)
            .skip(from)
            .take(AT_A_TIME);
        let mut text = if from == 0 { family.heading() } else { String::new() };
        for (function, times) in functions {
            let known = || self.report.accounts.get(&function.key.target);
            let account = function.account.as_ref().or_else(known);
            for alias in std::iter::once(None).chain(function.aliases.iter().map(Some)) {
                let one = Subjected {
                    function,
                    alias,
                    times: *times,
                    syncs: self.syncs.get(&function.key),
                };
                family.write(&one, account.map_or("", AccountId::as_str), &mut text);
            }
        }
        text
    }
}

impl Fleet {
    /// Returns every series in the Prometheus text format, a part at a time, as they are now.
    pub(super) fn parts(&self) -> impl Iterator<Item = String> + Send + use<> {
        let shown = self.shown().clone();
        let functions = shown.report.functions.len();
        let parts = FAMILIES.iter().flat_map(move |family| {
            let steps = (0..functions).step_by(AT_A_TIME);
            steps.map(move |from| (family, from))
        });
        std::iter::once(shown.whole()).chain(parts.map(move |(family, from)| shown.part(family, from)))
    }

    /// Shows a report from now on.
    pub(super) fn show(&self, report: &Arc<Report>, now: Timestamp) {
        let mut shown = self.shown();
        let before: BTreeMap<&FunctionKey, Times> = shown
            .report
            .functions
            .iter()
            .map(|function| &function.key)
            .zip(shown.times.iter().copied())
            .collect();
        let times = report.functions.iter().map(|function| {
            let before = before.get(&function.key).copied().unwrap_or_default();
            let in_sync = function.state == State::InSync;
            Times {
                drifts_since: function.drifts().then(|| before.drifts_since.unwrap_or(now)),
                in_sync: if in_sync { Some(now) } else { before.in_sync },
            }
        });
        let times = Arc::new(times.collect());
        let named: BTreeSet<&FunctionKey> = report.functions.iter().map(|function| &function.key).collect();
        if shown.syncs.keys().any(|key| !named.contains(key)) {
            Arc::make_mut(&mut shown.syncs).retain(|key, _| named.contains(key));
        }
        (shown.report, shown.times) = (Arc::clone(report), times);
    }

    /// Counts one sync of one alias, or of `$LATEST`.
    pub(super) fn count_sync(&self, function: &FunctionKey, alias: Option<&AliasName>, result: Sync) {
        let mut shown = self.shown();
        let syncs = Arc::make_mut(&mut shown.syncs).entry(function.clone()).or_default();
        syncs.entry(alias.cloned()).or_default()[result as usize] += 1;
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a sync came to, in the order of [`SYNC_RESULTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    /// It was done.
    Succeeded,
    /// It failed.
    Failed,
    /// A guard was refused, or it was left out.
    Aborted,
    /// It was withheld.
    Held,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a count that reaches 2^53 is no count of changes"
)]
fn count(count: u64) -> f64 {
    count as f64
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
