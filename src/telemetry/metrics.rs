//! The counters and histograms, their names, help and buckets. Counts only; when is the events' affair.

use std::sync::Mutex;

use prometheus::{Gauge, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::events::PassPhase;
use crate::domain::{AccountId, AliasName, Region};
use crate::plan::{FunctionReport, Reason, Report};

/// The labels that name one alias of one function; `$LATEST` counts as an alias.
pub(super) const IDENTITY: [&str; 5] = ["target", "account", "region", "function", "alias"];

/// What a sync can come to.
const SYNC_RESULTS: [&str; 4] = ["succeeded", "failed", "aborted", "held"];

/// What a pass over the fleet can come to.
const RECONCILE_RESULTS: [&str; 4] = ["ok", "drift", "error", "skipped"];

/// What a call to AWS can come to.
const AWS_RESULTS: [&str; 5] = ["ok", "throttled", "denied", "conflict", "error"];

/// The calls that Pinfold makes.
const AWS_OPERATIONS: [(&str, &[&str]); 2] = [
    (
        "lambda",
        &[
            "ListFunctions",
            "GetFunction",
            "ListAliases",
            "ListVersionsByFunction",
            "UpdateFunctionCode",
            "PublishVersion",
            "CreateAlias",
            "UpdateAlias",
        ],
    ),
    ("s3", &["HeadObject", "GetObject"]),
];

/// The requests that the repository gets.
const GIT_OPERATIONS: [&str; 2] = ["list", "fetch"];

/// What a request to the repository can come to: `ok`, and a word for each class of failure.
const GIT_RESULTS: [&str; 8] = [
    "ok",
    "auth",
    "network",
    "timeout",
    "too_large",
    "not_found",
    "refused",
    "protocol",
];

/// The word for a failed function that has no reason.
pub(super) const FAILED: &str = "Failed";

/// Seconds. From a warm read to an update that waits for a SnapStart snapshot.
const PHASE_BUCKETS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// Seconds. Lambda answers reads in 0.1 to 0.4 s, and code updates in 0.6 s and more.
const REQUEST_BUCKETS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Every metric that is counted as things happen.
pub(super) struct Metrics {
    pub(super) aws_requests: IntCounterVec,
    pub(super) aws_request_seconds: HistogramVec,
    pub(super) limiter_wait_seconds: HistogramVec,
    pub(super) git_requests: IntCounterVec,
    pub(super) git_request_seconds: HistogramVec,
    pub(super) git_last_success: Gauge,
    pub(super) reconciles: IntCounterVec,
    pub(super) reconcile_seconds: HistogramVec,
    pub(super) reconcile_errors: IntCounterVec,
    syncs: IntCounterVec,
    /// The identities that `syncs` has series for, so that a function which leaves Git takes its series along.
    known: Mutex<Vec<[String; 5]>>,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let histogram = |name: &str, help: &str, labels: &[&str], buckets: &[f64]| {
            let metric = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let git_last_success = Gauge::new(
            "pinfold_git_last_success_timestamp_seconds",
            "When the repository last answered which commit the branch is at.",
        )?;
        registry.register(Box::new(git_last_success.clone()))?;
        let build = gauge(
            "pinfold_build_info",
            "Always 1; the labels say which build this is.",
            &["version", "revision"],
        )?;
        let revision = option_env!("PINFOLD_REVISION").unwrap_or("unknown");
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), revision]).set(1);
        let metrics = Self {
            aws_requests: counter(
                "pinfold_aws_requests_total",
                "Calls to AWS, each attempt counted.",
                &["service", "operation", "result"],
            )?,
            aws_request_seconds: histogram(
                "pinfold_aws_request_duration_seconds",
                "Time that calls to AWS took, waiting for the rate limit included.",
                &["service", "operation"],
                &REQUEST_BUCKETS,
            )?,
            limiter_wait_seconds: histogram(
                "pinfold_aws_limiter_wait_seconds",
                "Time that calls waited for their share of the rate limit.",
                &["service"],
                &PHASE_BUCKETS,
            )?,
            git_requests: counter(
                "pinfold_git_requests_total",
                "Requests to the repository.",
                &["operation", "result"],
            )?,
            git_request_seconds: histogram(
                "pinfold_git_request_duration_seconds",
                "Time that requests to the repository took.",
                &["operation"],
                &REQUEST_BUCKETS,
            )?,
            git_last_success,
            reconciles: counter("pinfold_reconciles_total", "Passes over the whole fleet.", &["result"])?,
            reconcile_seconds: histogram(
                "pinfold_reconcile_duration_seconds",
                "Time that the phases of a pass took.",
                &["phase"],
                &PHASE_BUCKETS,
            )?,
            reconcile_errors: counter(
                "pinfold_reconcile_errors_total",
                "Functions that a pass could not bring in line, by reason.",
                &["reason"],
            )?,
            syncs: counter(
                "pinfold_syncs_total",
                "Times that $LATEST or an alias was to be changed.",
                &[&IDENTITY[..], &["result"]].concat(),
            )?,
            known: Mutex::new(Vec::new()),
        };
        metrics.pre_register();
        Ok(metrics)
    }

    /// Gives every series whose labels are known beforehand its zero, so that increase() sees the first event.
    fn pre_register(&self) {
        for result in RECONCILE_RESULTS {
            self.reconciles.with_label_values(&[result]);
        }
        for phase in PassPhase::ALL {
            self.reconcile_seconds.with_label_values(&[phase.as_str()]);
        }
        for reason in Reason::ALL.map(Reason::as_str).into_iter().chain([FAILED]) {
            self.reconcile_errors.with_label_values(&[reason]);
        }
        for operation in GIT_OPERATIONS {
            self.git_request_seconds.with_label_values(&[operation]);
            for result in GIT_RESULTS {
                self.git_requests.with_label_values(&[operation, result]);
            }
        }
        for (service, operations) in AWS_OPERATIONS {
            for operation in operations {
                self.aws_request_seconds.with_label_values(&[service, operation]);
                for result in AWS_RESULTS {
                    self.aws_requests.with_label_values(&[service, operation, result]);
                }
            }
        }
        self.limiter_wait_seconds.with_label_values(&["lambda"]);
    }

    /// Counts one sync of one alias.
    pub(super) fn count_sync(&self, identity: &[String; 5], result: &str) {
        self.syncs.with_label_values(&labels(identity, result)).inc();
    }

    /// Gives every function of the report its series, and takes away those of functions that are gone.
    pub(super) fn keep_syncs_of(&self, report: &Report) {
        let mut current: Vec<[String; 5]> = report
            .functions
            .iter()
            .flat_map(|function| identities(report, function))
            .collect();
        current.sort();
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for identity in known.iter().filter(|identity| current.binary_search(identity).is_err()) {
            for result in SYNC_RESULTS {
                // Absent already is as good.
                let _ = self.syncs.remove_label_values(&labels(identity, result));
            }
        }
        for identity in current.iter().filter(|identity| known.binary_search(identity).is_err()) {
            for result in SYNC_RESULTS {
                self.syncs.with_label_values(&labels(identity, result));
            }
        }
        *known = current;
    }
}

fn labels<'a>(identity: &'a [String; 5], result: &'a str) -> [&'a str; 6] {
    let [target, account, region, function, alias] = identity;
    [target, account, region, function, alias, result]
}

/// Returns the label values of `$LATEST` and of every alias that Git names.
pub(super) fn identities<'a>(
    report: &'a Report,
    function: &'a FunctionReport,
) -> impl Iterator<Item = [String; 5]> + use<'a> {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let account = function
        .account
        .as_ref()
        .or_else(|| report.accounts.get(&function.key.target));
    std::iter::once("$LATEST")
        .chain(function.aliases.iter().map(AliasName::as_str))
        .map(move |alias| {
            [
                function.key.target.to_string(),
                text(account.map(AccountId::as_str)),
                text(function.region.as_ref().map(Region::as_str)),
                function.key.name.to_string(),
                alias.to_owned(),
            ]
        })
}
