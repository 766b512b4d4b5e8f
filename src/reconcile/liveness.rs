//! Whether the daemon gets on: a loop that hangs is told apart from one that waits for good reason. Mends nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::telemetry::Telemetry;

/// How often the loop is heard of.
const BEAT: Duration = Duration::from_secs(5);

/// The loop beats beside its work. Where it has not for this long, something blocks it for good: the longest that it
/// computes without a break are some seconds, for the manifests of a large commit.
const SILENT: Duration = Duration::from_mins(1);

/// A pass hears from AWS all the time: it waits no longer than half a minute between two looks, and a call ends within
/// minutes whatever happens to it. Where nothing came for this long, nothing will.
const STUCK: Duration = Duration::from_mins(10);

/// Tells whether the daemon gets on. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Liveness(Arc<Mutex<Pulse>>);

#[derive(Debug, Default)]
struct Pulse {
    /// When the loop was last heard of; `None` before it has begun.
    beat: Option<Instant>,
    /// When the pass under way last got on; `None` where there is none.
    progress: Option<Instant>,
    /// What had been heard from AWS by then.
    heard: u64,
}

impl Liveness {
    /// Beats for as long as it is polled: from the same task as the loop, so that what blocks the one blocks the other.
    pub async fn beat(&self, telemetry: &Telemetry) {
        loop {
            self.beat_once(telemetry.heard());
            tokio::time::sleep(BEAT).await;
        }
    }

    fn beat_once(&self, heard: u64) {
        let now = Instant::now();
        let mut pulse = self.lock();
        pulse.beat = Some(now);
        if pulse.heard != heard {
            pulse.heard = heard;
            pulse.progress = pulse.progress.map(|_| now);
        }
    }

    /// Notes that a pass begins, and with the guard's end that it is over.
    pub(super) fn pass(&self) -> PassGuard<'_> {
        self.lock().progress = Some(Instant::now());
        PassGuard(self)
    }

    /// Says whether the daemon gets on.
    ///
    /// # Errors
    ///
    /// It does not: the reason in one line.
    pub fn check(&self) -> Result<(), String> {
        let pulse = self.lock();
        if let Some(silent) = pulse.beat.map(|beat| beat.elapsed()).filter(|silent| *silent >= SILENT) {
            return Err(format!("the loop has been blocked for {} s", silent.as_secs()));
        }
        if let Some(stuck) = pulse.progress.map(|at| at.elapsed()).filter(|stuck| *stuck >= STUCK) {
            return Err(format!("a pass has not got on for {} s", stuck.as_secs()));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Pulse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pass under way.
pub(super) struct PassGuard<'a>(&'a Liveness);

impl Drop for PassGuard<'_> {
    fn drop(&mut self) {
        self.0.lock().progress = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::LimiterWait;

    /// Lets time pass beside a loop that beats.
    async fn pass_time(liveness: &Liveness, telemetry: &Telemetry, time: Duration) {
        tokio::select! {
            () = liveness.beat(telemetry) => {}
            () = tokio::time::sleep(time) => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_waits_for_its_schedule_lives() {
        let (liveness, telemetry) = (Liveness::default(), Telemetry::new().unwrap());
        assert_eq!(liveness.check(), Ok(()), "it has not begun yet");
        pass_time(&liveness, &telemetry, Duration::from_hours(48)).await;
        assert_eq!(liveness.check(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_is_blocked_does_not() {
        let (liveness, telemetry) = (Liveness::default(), Telemetry::new().unwrap());
        pass_time(&liveness, &telemetry, BEAT).await;
        tokio::time::advance(SILENT).await;
        let told = liveness.check().unwrap_err();
        assert!(told.contains("blocked"), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_pass_lives_while_aws_answers_and_no_longer() {
        let (liveness, telemetry) = (Liveness::default(), Telemetry::new().unwrap());
        let pass = liveness.pass();
        for _ in 0..20 {
            pass_time(&liveness, &telemetry, STUCK / 2).await;
            LimiterWait {
                service: "lambda",
                priority: "sweep",
                duration: Duration::ZERO,
            }
            .emit(&telemetry);
            pass_time(&liveness, &telemetry, BEAT).await;
            assert_eq!(liveness.check(), Ok(()));
        }
        pass_time(&liveness, &telemetry, STUCK).await;
        let told = liveness.check().unwrap_err();
        assert!(told.contains("has not got on"), "{told}");
        drop(pass);
        assert_eq!(liveness.check(), Ok(()), "it is over");
    }
}
