//! Requests to the repository: what was asked for, what it came to, and the log line and counts of each.

use std::time::Duration;

use tracing::{debug, info, warn};

use super::Telemetry;
use super::events::millis;
use super::said::Topic;
use crate::domain::Timestamp;

/// What the repository is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitOperation {
    /// Which commit the branch is at.
    List,
    /// A commit and its files.
    Fetch,
}

impl GitOperation {
    pub(super) const ALL: [Self; 2] = [Self::List, Self::Fetch];

    /// Returns the word for it in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Fetch => "fetch",
        }
    }
}

/// What a request to the repository came to: the classes of failures are those that ask for different help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitResult {
    /// It was answered.
    Ok,
    /// The credentials are not taken, or may not read it.
    Auth,
    /// Nobody answered at the address.
    Network,
    /// No answer came in time.
    Timeout,
    /// A bound of ours was exceeded.
    TooLarge,
    /// There is no such repository, branch or commit.
    NotFound,
    /// The branch was rewritten, and that is not followed; or it moved on.
    Refused,
    /// The commit is not signed by anybody who may.
    Unverified,
    /// What came back makes no sense, or the request made none.
    Protocol,
}

impl GitResult {
    pub(super) const ALL: [Self; 9] = [
        Self::Ok,
        Self::Auth,
        Self::Network,
        Self::Timeout,
        Self::TooLarge,
        Self::NotFound,
        Self::Refused,
        Self::Unverified,
        Self::Protocol,
    ];

    /// Returns the word for it in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Auth => "auth",
            Self::Network => "network",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::Unverified => "unverified",
            Self::Protocol => "protocol",
        }
    }
}

/// A request to the repository came back.
#[derive(Debug)]
pub struct GitRequest<'a> {
    /// What was asked for.
    pub operation: GitOperation,
    /// How it failed, if it did: one line, no secret.
    pub error: Option<&'a str>,
    /// What it came to.
    pub result: GitResult,
    /// How long it took.
    pub duration: Duration,
}

impl GitRequest<'_> {
    /// Logs and counts it.
    pub fn emit(&self, telemetry: &Telemetry) {
        let topic = match self.operation {
            GitOperation::List => Topic::GitList,
            GitOperation::Fetch => Topic::GitFetch,
        };
        let (operation, result) = (self.operation.as_str(), self.result.as_str());
        let metrics = &telemetry.metrics;
        metrics.git_requests.with_label_values(&[operation, result]).inc();
        metrics
            .git_request_seconds
            .with_label_values(&[operation])
            .observe(self.duration.as_secs_f64());
        match self.error {
            None => {
                if telemetry.said.is_over(&topic) {
                    info!(operation, "the repository can be read again");
                }
                debug!(
                    operation,
                    duration_ms = millis(self.duration),
                    "the repository answered"
                );
            }
            Some(error) if telemetry.said.is_news(topic, result) => warn!(
                operation,
                result,
                error,
                "the repository could not be read; the last good commit stays in force, and the next look is as scheduled"
            ),
            Some(error) => debug!(operation, result, error, "the repository could still not be read"),
        }
    }
}

/// What stands in the repository is known: the commit in force is the head of the branch.
#[derive(Debug)]
pub struct RepositoryRead {
    /// The time now.
    pub now: Timestamp,
}

impl RepositoryRead {
    /// Notes when that was.
    pub fn emit(&self, telemetry: &Telemetry) {
        telemetry.metrics.git_last_success.set(super::fleet::seconds(&self.now));
    }
}
