//! The machine's clock. The one place that asks it for the time.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use chrono::Utc;

use crate::domain::Timestamp;
use crate::ports::Clock;

/// The moment from which uptime counts.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port that everybody else asks")]
    fn now(&self) -> Timestamp {
        Utc::now()
    }

    fn uptime(&self) -> Duration {
        START.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
