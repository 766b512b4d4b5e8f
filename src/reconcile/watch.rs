//! Looks at the repository whenever it is asked to, and says which commit is in force. Makes no pass and waits for none.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::contain::contained;
use super::desire::{ManifestCache, load};
use super::status::{Nudge, StatusBoard};
use crate::domain::{DesiredState, Target};
use crate::ports::{Clock, DesiredSource, PortError, PortErrorKind};
use crate::telemetry::{CommitInForce, GitOperation, GitRequest, GitResult, RepositoryRead, Telemetry};

/// Looks in one [`PERIOD`] at the most: enough for a busy hour of merges. Whoever may send webhooks can send thousands a
/// second; the server of the repository should not see one request for each.
const LOOKS: usize = 10;

/// The time in which so many looks may be made.
const PERIOD: Duration = Duration::from_secs(10);

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
        let mut recent = VecDeque::with_capacity(LOOKS);
        let watching = async {
            loop {
                recent.push_back(self.clock.uptime());
                self.look().await;
                self.nudge.source_wanted().await;
                if recent.len() == LOOKS
                    && let Some(first) = recent.pop_front()
                {
                    self.clock
                        .sleep((first + PERIOD).saturating_sub(self.clock.uptime()))
                        .await;
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = watching => {}
        }
    }

    /// Looks at the repository, and puts another commit in force where there is one.
    async fn look(&mut self) {
        let telemetry = self.telemetry;
        let result = contained(telemetry, None, self.try_look())
            .await
            .unwrap_or_else(|message| Err(PortError::new(PortErrorKind::Malformed, "read the repository", message)));
        self.status.source_error(result.as_ref().err().map(ToString::to_string));
        if result.is_ok() {
            RepositoryRead { now: self.clock.now() }.emit(telemetry);
        }
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
    let error = result.as_ref().err();
    GitRequest {
        operation,
        error: error.map(ToString::to_string).as_deref(),
        result: error.map_or(GitResult::Ok, |error| class(error.kind)),
        duration: clock.uptime().saturating_sub(before),
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::domain::{BlobId, CommitId, SourceTree};
    use crate::reconcile::paused::Paused;

    /// A repository that counts who asks, and is away.
    #[derive(Default)]
    struct Away(AtomicUsize);

    impl Away {
        fn error<T>() -> Result<T, PortError> {
            Err(PortError::new(PortErrorKind::Unreachable, "ask", "it is away"))
        }
    }

    impl DesiredSource for Away {
        async fn head(&self) -> Result<Option<CommitId>, PortError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Self::error()
        }

        async fn tree(&self, _: Option<&CommitId>, _: &[String]) -> Result<SourceTree, PortError> {
            Self::error()
        }

        async fn contents(&self, _: &[BlobId]) -> Result<Vec<Vec<u8>>, PortError> {
            Self::error()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn w04_a_flood_of_pushes_is_a_few_looks() {
        let (source, clock) = (Away::default(), Paused::new());
        let (telemetry, nudge) = (Telemetry::new().unwrap(), Nudge::default());
        let (status, stop) = (StatusBoard::default(), CancellationToken::new());
        let watcher = Watcher {
            source: &source,
            targets: Vec::new(),
            clock: &clock,
            telemetry: &telemetry,
            nudge: &nudge,
            status: &status,
            cache: ManifestCache::default(),
            in_force: watch::channel(None).0,
        };
        let pushes = async {
            for _ in 0..60_000 {
                nudge.source();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let looks = source.0.load(Ordering::Relaxed);
            assert!((50..=80).contains(&looks), "{looks} looks in a minute");
            tokio::time::sleep(PERIOD).await;
            let last = source.0.load(Ordering::Relaxed);
            assert!(last > looks, "and one after the last push");
            stop.cancel();
        };
        tokio::join!(watcher.run(&stop), pushes);
    }
}
