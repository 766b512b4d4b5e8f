//! A clock for tests of waits: the runtime's, which stands still while a test works.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Timestamp;
use crate::ports::Clock;

/// The time since it was made.
pub(super) struct Paused(Instant);

impl Paused {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.uptime()
    }

    fn uptime(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
