//! The sandbox's time: a wall clock, or one that a test turns by hand. Nothing else in the sandbox may read the time.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// A moment, as milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment that lies `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// The moment `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// Whole seconds, the rest cut off.
    #[must_use]
    pub(crate) const fn whole_seconds(self) -> Self {
        Self(self.0 - self.0 % 1000)
    }

    /// As Lambda writes `LastModified`: `2026-01-01T00:00:00.000+0000`.
    pub(crate) fn lambda(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S%.3f+0000")
    }

    /// As S3 writes times in XML: `2026-01-01T00:00:00.000Z`.
    pub(crate) fn iso8601(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S%.3fZ")
    }

    /// As HTTP headers want it: `Thu, 01 Jan 2026 00:00:00 GMT`.
    pub(crate) fn http_date(self) -> String {
        self.format("%a, %d %b %Y %H:%M:%S GMT")
    }

    fn format(self, pattern: &str) -> String {
        i64::try_from(self.0)
            .ok()
            .and_then(chrono::DateTime::from_timestamp_millis)
            .unwrap_or_default()
            .format(pattern)
            .to_string()
    }
}

/// Where the sandbox takes its time from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's own clock.
    #[default]
    Wall,
    /// A clock that stands still until it is turned.
    Manual(ManualClock),
}

impl Clock {
    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Wall => wall_now(),
            Self::Manual(clock) => clock.now(),
        }
    }

    /// Waits until `duration` has passed on this clock. On a manual clock that takes an [`ManualClock::advance`].
    pub(crate) async fn sleep(&self, duration: Duration) {
        if duration.is_zero() {
            return;
        }
        match self {
            Self::Wall => tokio::time::sleep(duration).await,
            Self::Manual(clock) => {
                let deadline = clock.now().after(duration);
                clock.reached(deadline).await;
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox stands in for AWS and so has a clock of its own; tests take the manual one"
)]
fn wall_now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::default().after(since)
}

/// A clock that only moves when told to. Clones show the same time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: watch::Sender<Timestamp>,
}

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self {
            now: watch::Sender::new(start),
        }
    }

    /// The time it shows.
    pub fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    /// Turns it forward, and wakes the calls that wait for the time that has now come.
    pub fn advance(&self, duration: Duration) {
        self.now.send_modify(|now| *now = now.after(duration));
    }

    async fn reached(&self, deadline: Timestamp) {
        let mut receiver = self.now.subscribe();
        // The sender lives in `self`, so waiting can only end with the deadline.
        let _ = receiver.wait_for(|now| *now >= deadline).await;
    }
}

impl Default for ManualClock {
    /// Stands at 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self::new(Timestamp::from_millis(1_767_225_600_000))
    }
}
