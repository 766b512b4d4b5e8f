//! Looks at the repository whenever it is asked to, and says which commit is in force. Makes no pass and waits for none.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::desire::{ManifestCache, load};
use super::status::{Nudge, StatusBoard};
use crate::domain::{DesiredState, Target};
use crate::ports::{Clock, DesiredSource, PortError, PortErrorKind};
use crate::telemetry::{CommitInForce, GitOperation, GitRequest, GitResult, Telemetry};

/// The desired state that passes work from; `None` until a commit has been read.
pub(super) type InForce = Option<Arc<DesiredState>>;

/// Brings the desired state, beside the passes and never in their way.
pub(super) struct Watcher<'a, S, C> {
    pub(super) source: &'a S,
    pub(super) targets: Vec<Target>,
    pub(super) clock: &'a C,
    pub(super) telemetry: &'a Telemetry,
    pub(super) nudge: &'a Nudge,
    pub(super) status: &'a StatusBoard,
    pub(super) cache: ManifestCache,
    /// Where the commit in force is told. It stays in force while the repository cannot be read.
    pub(super) in_force: watch::Sender<InForce>,
}

impl<S: DesiredSource, C: Clock> Watcher<'_, S, C> {
    /// Looks once, and then at every nudge, until `stop`.
    pub(super) async fn run(mut self, stop: &CancellationToken) {
        let watching = async {
            loop {
                self.look().await;
                self.nudge.source_wanted().await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = watching => {}
        }
    }

    /// Looks at the repository, and puts another commit in force where there is one.
    async fn look(&mut self) {
        let result = self.try_look().await;
        self.status.source_error(result.as_ref().err().map(ToString::to_string));
        if let Ok(Some(desired)) = result {
            CommitInForce { desired: &desired }.emit();
            self.status.commit(desired.revision.clone());
            self.in_force.send_replace(Some(Arc::new(desired)));
        }
    }

    async fn try_look(&mut self) -> Result<Option<DesiredState>, PortError> {
        let (clock, telemetry) = (self.clock, self.telemetry);
        let head = timed(clock, telemetry, GitOperation::List, self.source.head()).await?;
        let unchanged = |desired: &Arc<DesiredState>| desired.revision == head;
        if self.in_force.borrow().as_ref().is_some_and(unchanged) {
            return Ok(None);
        }
        let fetch = load(self.source, head, &self.targets, &mut self.cache);
        timed(clock, telemetry, GitOperation::Fetch, fetch).await.map(Some)
    }
}

async fn timed<C: Clock, T>(
    clock: &C,
    telemetry: &Telemetry,
    operation: GitOperation,
    work: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    let before = clock.uptime();
    let result = work.await;
    let now = clock.now();
    let error = result.as_ref().err();
    GitRequest {
        operation,
        error: error.map(ToString::to_string).as_deref(),
        result: error.map_or(GitResult::Ok, |error| class(error.kind)),
        duration: clock.uptime().saturating_sub(before),
        now,
    }
    .emit(telemetry);
    result
}

/// Returns the class of a failure.
fn class(kind: PortErrorKind) -> GitResult {
    match kind {
        PortErrorKind::AccessDenied | PortErrorKind::Credentials => GitResult::Auth,
        PortErrorKind::Unreachable => GitResult::Network,
        PortErrorKind::Unknown => GitResult::Timeout,
        PortErrorKind::TooLarge => GitResult::TooLarge,
        PortErrorKind::NotFound => GitResult::NotFound,
        PortErrorKind::Conflict | PortErrorKind::Precondition => GitResult::Refused,
        PortErrorKind::Unverified => GitResult::Unverified,
        PortErrorKind::Throttled
        | PortErrorKind::CodeStorageExceeded
        | PortErrorKind::Invalid
        | PortErrorKind::Malformed => GitResult::Protocol,
    }
}
