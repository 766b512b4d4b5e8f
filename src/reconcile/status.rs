//! What the daemon shows of itself between passes, and the way to wake it. A nudge carries no instruction.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::liveness::Liveness;
use super::progress::ProgressBoard;
use crate::domain::{CommitId, FunctionKey, Timestamp};
use crate::plan::{FunctionReport, Report, State};

/// What the daemon knows at this moment.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The commit in force, from when it was read; `None` until then.
    pub commit: Option<CommitId>,
    /// The report of the last pass; `None` until the first one is complete.
    pub report: Option<Arc<Report>>,
    /// When the last pass was complete.
    pub last_pass: Option<Timestamp>,
    /// Whether anything that Git names has been read from Lambda since the start, or Git names nothing.
    pub observed: bool,
    /// When everything of the fleet had last been looked at, weights included; `None` until the first sweep is over.
    pub last_sweep: Option<Timestamp>,
    /// Why the repository could not be read at the last try; `None` where it could.
    pub source_error: Option<String>,
    /// Why the configuration that stands in the file is not in force; `None` where it is.
    pub config_error: Option<String>,
    /// The commit whose changes somebody said are meant, for as long as it is in force.
    pub acknowledged: Option<CommitId>,
    /// How often somebody said so, of whatever commit.
    pub acknowledgements: u64,
}

/// Holds the status for whoever shows it. Readers never wait for a pass.
#[derive(Debug, Clone)]
pub struct StatusBoard {
    sender: Arc<watch::Sender<Status>>,
    liveness: Liveness,
    progress: ProgressBoard,
}

impl Default for StatusBoard {
    fn default() -> Self {
        Self {
            sender: Arc::new(watch::Sender::new(Status::default())),
            liveness: Liveness::default(),
            progress: ProgressBoard::default(),
        }
    }
}

impl StatusBoard {
    /// Returns what tells whether the daemon gets on.
    pub fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    /// Returns how far the passes are that change something.
    pub fn progress(&self) -> &ProgressBoard {
        &self.progress
    }

    /// Returns the present status.
    pub fn get(&self) -> Status {
        self.sender.borrow().clone()
    }

    /// Returns a receiver that hears of every change.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.sender.subscribe()
    }

    /// Notes whether the configuration could be read anew.
    pub fn config_error(&self, error: Option<String>) {
        self.sender.send_modify(|status| status.config_error = error);
    }

    /// Notes that somebody said that the changes of a commit are meant.
    pub fn acknowledge(&self, commit: CommitId) {
        self.sender.send_modify(|status| {
            status.acknowledged = Some(commit);
            status.acknowledgements += 1;
        });
    }

    /// Forgets what was acknowledged: it was said of other functions.
    pub fn forget_acknowledgement(&self) {
        self.sender.send_modify(|status| status.acknowledged = None);
    }

    /// Returns the commit that is acknowledged, where it is the one in force. An acknowledgement of another one is over.
    pub(super) fn acknowledged(&self, in_force: Option<&CommitId>) -> Option<CommitId> {
        self.sender.send_if_modified(|status| {
            let over = status.acknowledged.is_some() && status.acknowledged.as_ref() != in_force;
            if over {
                status.acknowledged = None;
            }
            over
        });
        self.sender.borrow().acknowledged.clone()
    }

    /// Notes that a pass is complete.
    pub fn passed(&self, report: Arc<Report>, now: Timestamp) {
        self.sender.send_modify(|status| {
            status.observed |= is_good(&report);
            status.report = Some(report);
            status.last_pass = Some(now);
        });
    }

    /// Notes that another commit is in force.
    pub(super) fn commit(&self, commit: Option<CommitId>) {
        self.sender.send_modify(|status| status.commit = commit);
    }

    /// Notes that a sweep is over.
    pub(super) fn swept(&self, now: Timestamp) {
        self.sender.send_modify(|status| status.last_sweep = Some(now));
    }

    /// Notes whether the repository could be read.
    pub(super) fn source_error(&self, error: Option<String>) {
        self.sender.send_if_modified(|status| {
            let changed = status.source_error != error;
            status.source_error = error;
            changed
        });
    }
}

/// Returns whether a report shows anything that was read.
fn is_good(report: &Report) -> bool {
    let read = |function: &FunctionReport| function.state != State::Unreadable;
    report.functions.iter().any(read) || (report.functions.is_empty() && report.failed_targets.is_empty())
}

/// Wakes the driver. However often it is nudged while it works, it wakes once more and looks at everything.
#[derive(Debug, Clone, Default)]
pub struct Nudge {
    shared: Arc<Wakes>,
}

/// Functions that were heard of, at the most, before the fleet as a whole is looked at.
const MOST_HEARD: usize = 10_000;

/// Each holds one permit at the most, so that nudges which nobody has answered yet are one.
#[derive(Debug, Default)]
struct Wakes {
    source: Notify,
    sweep: Notify,
    /// Functions of which something was heard.
    heard: Mutex<BTreeSet<FunctionKey>>,
    some_heard: Notify,
}

impl Nudge {
    /// Has the repository looked at.
    pub fn source(&self) {
        self.shared.source.notify_one();
    }

    /// Has the fleet looked at.
    pub fn sweep(&self) {
        self.shared.sweep.notify_one();
    }

    /// Has some functions looked at, because something was heard of them.
    pub fn functions(&self, keys: impl IntoIterator<Item = FunctionKey>) {
        let mut heard = self.heard();
        heard.extend(keys);
        if heard.len() > MOST_HEARD {
            heard.clear();
            self.sweep();
        }
        if !heard.is_empty() {
            self.shared.some_heard.notify_one();
        }
    }

    /// Waits until something was heard of functions.
    pub(super) async fn functions_heard(&self) {
        // What woke may have been taken along already.
        while self.heard().is_empty() {
            self.shared.some_heard.notified().await;
        }
    }

    /// Returns the functions of which something was heard, and answers all nudges for them so far.
    pub(super) fn take_heard(&self) -> BTreeSet<FunctionKey> {
        std::mem::take(&mut *self.heard())
    }

    fn heard(&self) -> MutexGuard<'_, BTreeSet<FunctionKey>> {
        self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the repository is to be looked at, and answers all nudges so far.
    pub(super) async fn source_wanted(&self) {
        self.shared.source.notified().await;
    }

    /// Waits until the fleet is to be looked at, and answers all nudges so far.
    pub(super) async fn sweep_wanted(&self) {
        self.shared.sweep.notified().await;
    }
}
