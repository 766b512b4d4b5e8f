//! Wakes the passes on their schedules. A tick carries no instruction; what it wakes looks for itself.

use std::sync::Arc;
use std::time::Duration;

use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Schedules that tick until they are dropped by [`Cron::stop`].
pub struct Cron {
    scheduler: JobScheduler,
}

impl Cron {
    /// Starts a scheduler without schedules.
    ///
    /// # Errors
    ///
    /// The scheduler cannot start its task.
    pub async fn start() -> Result<Self, JobSchedulerError> {
        let scheduler = JobScheduler::new().await?;
        scheduler.start().await?;
        Ok(Self { scheduler })
    }

    /// Calls `tick` at every time of a cron expression with seconds, in UTC, or up to `spread` later: many daemons with
    /// one schedule should not all ask in one second.
    ///
    /// # Errors
    ///
    /// The expression is not one.
    pub async fn every(
        &self,
        expression: &str,
        spread: Duration,
        tick: impl Fn() + Send + Sync + 'static,
    ) -> Result<(), JobSchedulerError> {
        let tick = Arc::new(tick);
        let job = Job::new_async(expression, move |_, _| {
            let tick = Arc::clone(&tick);
            Box::pin(async move {
                tokio::time::sleep(spread.mul_f64(fastrand::f64())).await;
                tick();
            })
        })?;
        self.scheduler.add(job).await.map(|_| ())
    }

    /// Ends all schedules.
    ///
    /// # Errors
    ///
    /// The scheduler has ended already.
    pub async fn stop(mut self) -> Result<(), JobSchedulerError> {
        self.scheduler.shutdown().await
    }
}
