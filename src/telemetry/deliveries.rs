//! Notifications on their way: what reached its receiver, what did not, and what was left out. Logs and counts together.

use tracing::{debug, info, warn};

use super::Telemetry;

/// What became of notifications for one receiver.
#[derive(Debug)]
pub struct NotificationOutcome<'a> {
    /// The receiver's name in the configuration.
    pub receiver: &'a str,
    /// Its kind, such as `slack`.
    pub provider: &'static str,
    /// What became of them.
    pub outcome: Outcome<'a>,
}

/// What became of a notification.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// The receiver has it.
    Sent {
        /// Whether the one before it did not get through.
        again: bool,
    },
    /// It is sent again after a pause.
    Retried {
        /// Why, in one line, without the receiver's address.
        error: &'a str,
    },
    /// It was given up.
    Failed {
        /// Why, in one line, without the receiver's address.
        error: &'a str,
        /// Whether the one before it got through, or there was none.
        first: bool,
    },
    /// So many events were the same as a short while ago, and not told again.
    Deduplicated {
        /// How many.
        events: usize,
    },
    /// The queue was full, and this the oldest in it.
    Dropped,
}

impl NotificationOutcome<'_> {
    /// Logs and counts it. A receiver that is away for long is told of once, and once when it is back.
    pub fn emit(&self, telemetry: &Telemetry) {
        let (receiver, kind) = (self.receiver, self.provider);
        let (result, count) = match &self.outcome {
            Outcome::Sent { again } => {
                if *again {
                    info!(receiver, kind, "notifications reach their receiver again");
                } else {
                    debug!(receiver, kind, "a notification was sent");
                }
                ("sent", 1)
            }
            Outcome::Retried { error } => {
                debug!(
                    receiver,
                    kind, error, "a notification did not get through; it is sent again"
                );
                return;
            }
            Outcome::Failed { error, first } => {
                if *first {
                    warn!(
                        receiver,
                        kind,
                        error,
                        "a notification did not get through and was given up; further ones are counted in \
                         pinfold_notifications_total"
                    );
                } else {
                    debug!(receiver, kind, error, "a notification was given up");
                }
                ("failed", 1)
            }
            Outcome::Deduplicated { events } => ("deduplicated", *events),
            Outcome::Dropped => {
                debug!(receiver, kind, "the queue is full; its oldest notification was dropped");
                ("dropped", 1)
            }
        };
        telemetry
            .metrics
            .notifications
            .with_label_values(&[kind, result])
            .inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }
}
