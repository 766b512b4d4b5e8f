//! Why something is asked of AWS, and so who may ask first. Carried by the task, so that no call has to pass it on.

use std::future::Future;

/// What a call is made for. The earlier kinds go first where calls have to wait for their share of a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// It changes something, or looks after something that was just changed.
    Write,
    /// It looks at a function that is about to be changed.
    BeforeWrite,
    /// It looks at a function of which something was heard, or somebody waits for the answer.
    Nudged,
    /// It looks after the fleet, because it is time again.
    Sweep,
}

tokio::task_local! {
    static PRIORITY: Priority;
}

impl Priority {
    /// Every priority, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Write, Self::BeforeWrite, Self::Nudged, Self::Sweep];

    /// Returns the word for it in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::BeforeWrite => "before_write",
            Self::Nudged => "nudged",
            Self::Sweep => "sweep",
        }
    }

    /// Makes the calls of `work` for this reason.
    pub async fn of<T>(self, work: impl Future<Output = T>) -> T {
        PRIORITY.scope(self, work).await
    }

    /// Returns what the calls of this task are made for: where nobody said so, somebody waits.
    pub fn current() -> Self {
        PRIORITY.try_with(|priority| *priority).unwrap_or(Self::Nudged)
    }
}
