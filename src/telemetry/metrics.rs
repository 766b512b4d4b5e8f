//! The counters and histograms, their names, help and buckets. Counts only; when is the events' affair.

use prometheus::{
    Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::callers::{WebhookProvider, WebhookResult};
use super::events::PassPhase;
use super::git::{GitOperation, GitResult};
use super::hints::{HintCounter, QUEUE_SERVICE};
use super::limiters::LimiterGauges;
use super::wave::WaveGauges;
use crate::plan::Reason;

/// What a pass over the fleet can come to.
const RECONCILE_RESULTS: [&str; 4] = ["ok", "drift", "error", "skipped"];

/// What a call to AWS can come to.
const AWS_RESULTS: [&str; 5] = ["ok", "throttled", "denied", "conflict", "error"];

/// The calls that Pinfold makes.
const AWS_OPERATIONS: [(&str, &[&str]); 3] = [
    (
        "lambda",
        &[
            "ListFunctions",
            "GetFunction",
            "ListAliases",
            "ListVersionsByFunction",
            "GetProvisionedConcurrencyConfig",
            "UpdateFunctionCode",
            "PublishVersion",
            "CreateAlias",
            "UpdateAlias",
        ],
    ),
    ("s3", &["HeadObject", "GetObject"]),
    (QUEUE_SERVICE, &["ReceiveMessage", "DeleteMessageBatch"]),
];

/// What calls are made for, the most urgent first.
const PRIORITIES: [&str; 4] = ["write", "before_write", "nudged", "sweep"];

/// The kinds of receivers, and what can become of a notification.
const PROVIDERS: [&str; 5] = ["slack", "teams", "webhook", "github", "gitlab"];
const NOTIFICATION_RESULTS: [&str; 4] = ["sent", "failed", "deduplicated", "dropped"];

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
    pub(super) notifications: IntCounterVec,
    pub(super) webhook_requests: IntCounterVec,
    pub(super) panics: IntCounter,
    pub(super) config_reload_successful: IntGauge,
    pub(super) config_reload_success: Gauge,
    pub(super) hints: HintCounter,
    pub(super) limiters: LimiterGauges,
    pub(super) wave: WaveGauges,
}

/// The labels of a series that has none.
const NONE: &[&str] = &[];

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
        let moment = |name: &str, help: &str| {
            let metric = Gauge::new(name, help)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let histogram = |name: &str, help: &str, labels: &[&str], buckets: &[f64]| {
            let metric = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
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
                &["service", "priority"],
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
            git_last_success: moment(
                "pinfold_git_last_success_timestamp_seconds",
                "When the repository was last read, and its head was the commit in force.",
            )?,
            panics: counter("pinfold_panics_total", "Bugs that ended a piece of work alone.", &[])?
                .with_label_values(NONE),
            config_reload_successful: gauge(
                "pinfold_config_last_reload_successful",
                "Whether the configuration that was read last is in force.",
                NONE,
            )?
            .with_label_values(NONE),
            config_reload_success: moment(
                "pinfold_config_last_reload_success_timestamp_seconds",
                "When a configuration that was read anew came into force; 0 where none has.",
            )?,
            hints: HintCounter::register(registry)?,
            limiters: LimiterGauges::register(registry)?,
            wave: WaveGauges::register(registry)?,
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
            notifications: counter(
                "pinfold_notifications_total",
                "Notifications, and events that were not told again.",
                &["provider", "result"],
            )?,
            webhook_requests: counter(
                "pinfold_webhook_requests_total",
                "Webhooks that arrived where one is configured.",
                &["provider", "result"],
            )?,
        };
        metrics.pre_register();
        let build = gauge(
            "pinfold_build_info",
            "Always 1; the labels say which build this is.",
            &["version", "revision"],
        )?;
        let revision = option_env!("PINFOLD_REVISION").unwrap_or("unknown");
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), revision]).set(1);
        Ok(metrics)
    }

    /// Gives every series whose labels are known beforehand its zero, so that increase() sees the first event.
    fn pre_register(&self) {
        // The configuration that the daemon started with is in force.
        self.config_reload_successful.set(1);
        for result in RECONCILE_RESULTS {
            self.reconciles.with_label_values(&[result]);
        }
        for phase in PassPhase::ALL {
            self.reconcile_seconds.with_label_values(&[phase.as_str()]);
        }
        for reason in Reason::ALL.map(Reason::as_str).into_iter().chain([FAILED]) {
            self.reconcile_errors.with_label_values(&[reason]);
        }
        for provider in WebhookProvider::ALL {
            for result in WebhookResult::ALL {
                let labels = [provider.as_str(), result.as_str()];
                self.webhook_requests.with_label_values(&labels);
            }
        }
        for operation in GitOperation::ALL.map(GitOperation::as_str) {
            self.git_request_seconds.with_label_values(&[operation]);
            for result in GitResult::ALL.map(GitResult::as_str) {
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
        for provider in PROVIDERS {
            for result in NOTIFICATION_RESULTS {
                self.notifications.with_label_values(&[provider, result]);
            }
        }
        for priority in PRIORITIES {
            self.limiter_wait_seconds.with_label_values(&["lambda", priority]);
        }
    }
}
