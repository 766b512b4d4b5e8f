//! What callers of the daemon's HTTP side ask of it: webhooks that arrive, commits that are acknowledged.

use tracing::{debug, info};

use super::Telemetry;
use crate::domain::CommitId;

/// Who sends a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookProvider {
    /// GitHub.
    GitHub,
    /// GitLab.
    GitLab,
    /// Anybody else.
    Generic,
}

impl WebhookProvider {
    /// Every provider.
    pub(super) const ALL: [Self; 3] = [Self::GitHub, Self::GitLab, Self::Generic];

    /// Returns the word for it in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Generic => "generic",
        }
    }
}

/// What became of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookResult {
    /// It is signed rightly: the repository is looked at.
    Accepted,
    /// It is not signed, wrongly signed, or too old.
    BadSignature,
    /// Its body is too large, or took too long.
    TooLarge,
}

impl WebhookResult {
    /// Every result.
    pub(super) const ALL: [Self; 3] = [Self::Accepted, Self::BadSignature, Self::TooLarge];

    /// Returns the word for it in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::BadSignature => "bad_signature",
            Self::TooLarge => "too_large",
        }
    }
}

/// A webhook arrived.
#[derive(Debug)]
pub struct WebhookReceived {
    /// Who sent it, by the address that it was sent to.
    pub provider: WebhookProvider,
    /// What became of it.
    pub result: WebhookResult,
}

impl WebhookReceived {
    /// Logs and counts it. Anybody can send these, so they are no line of the ordinary log.
    pub fn emit(&self, telemetry: &Telemetry) {
        let (provider, result) = (self.provider.as_str(), self.result.as_str());
        telemetry
            .metrics
            .webhook_requests
            .with_label_values(&[provider, result])
            .inc();
        debug!(provider, result, "a webhook arrived");
    }
}

/// Somebody said over the API that the changes of a commit are meant.
#[derive(Debug)]
pub struct CommitAcknowledged<'a> {
    /// The commit.
    pub revision: &'a CommitId,
}

impl CommitAcknowledged<'_> {
    /// Logs it.
    pub fn emit(&self) {
        let revision = self.revision.as_str();
        info!(
            revision,
            "the commit was acknowledged over the API: what waited for that is done now"
        );
    }
}
