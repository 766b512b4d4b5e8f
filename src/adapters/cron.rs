//! Wakes the passes on their schedules. A tick carries no instruction; what it wakes looks for itself.

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

    /// Calls `tick` at every time of a cron expression with seconds, in UTC.
    ///
    /// # Errors
    ///
    /// The expression is not one.
    pub async fn every(
        &self,
        expression: &str,
        tick: impl Fn() + Send + Sync + 'static,
    ) -> Result<(), JobSchedulerError> {
        self.scheduler
            .add(Job::new(expression, move |_, _| tick())?)
            .await
            .map(|_| ())
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
