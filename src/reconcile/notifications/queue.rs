//! What one receiver is still to be told, bounded: where it is full, the oldest goes. Sends nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::notify::{CommitStatus, Notification};

/// Messages that wait for one receiver at the most. Each is a pass, so this is an hour of sweeps.
const MESSAGES: usize = 32;

/// Statuses that wait at the most: there is one for each target, and they are small.
const STATUSES: usize = 512;

/// The queue of one receiver.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    notifications: VecDeque<Notification>,
    /// What [`Queue::next`] returned last, where that is a status.
    in_hand: Option<CommitStatus>,
    /// Whether there is a newer status in its place, elsewhere.
    superseded: bool,
    closed: bool,
}

impl Queue {
    /// Adds a notification. A commit's status takes the place of an older one of that target, which nobody need see any
    /// more. Returns whether one was dropped for it.
    pub(super) fn push(&self, notification: Notification) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = &mut waiting.notifications;
        let most = match &notification {
            Notification::Message(_) => MESSAGES,
            Notification::Status(new) => {
                queue.retain(|one| !one.status().is_some_and(|old| old.gives_way_to(new)));
                STATUSES
            }
        };
        let full = queue.len() >= most;
        if full {
            queue.pop_front();
        }
        queue.push_back(notification);
        self.changed.notify_one();
        full
    }

    /// Takes out what a status makes obsolete that somebody else is to set.
    pub(super) fn supersede(&self, new: &CommitStatus) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let gives_way = |old: &CommitStatus| old.gives_way_to(new);
        waiting.notifications.retain(|one| !one.status().is_some_and(gives_way));
        let in_hand = waiting.in_hand.as_ref().is_some_and(gives_way);
        waiting.superseded |= in_hand;
    }

    /// Returns whether what [`Queue::next`] returned last must not be told any more.
    pub(super) fn is_superseded(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).superseded
    }

    /// Lets [`Queue::next`] end once it is empty.
    pub(super) fn close(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_one();
    }

    /// Waits for the next notification; `None` where the queue is closed and empty.
    pub(super) async fn next(&self) -> Option<Notification> {
        loop {
            {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let next = waiting.notifications.pop_front();
                waiting.in_hand = next.as_ref().and_then(Notification::status).cloned();
                waiting.superseded = false;
                if next.is_some() {
                    return next;
                }
                if waiting.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;

    use super::*;
    use crate::notify::{CommitState, Message};

    fn message(second: i64) -> Notification {
        Notification::Message(Message {
            revision: None,
            at: DateTime::from_timestamp(second, 0).unwrap(),
            counts: BTreeMap::new(),
            events: Vec::new(),
        })
    }

    fn status(target: &str, state: CommitState) -> Notification {
        Notification::Status(CommitStatus {
            revision: "1111111111111111111111111111111111111111".parse().unwrap(),
            target: target.parse().unwrap(),
            state,
            description: String::new(),
        })
    }

    #[tokio::test]
    async fn where_the_queue_is_full_the_oldest_goes() {
        let queue = Queue::default();
        for second in 0..32 {
            assert!(!queue.push(message(second)));
        }
        assert!(queue.push(message(32)));
        queue.close();
        assert_eq!(queue.next().await, Some(message(1)));
        for _ in 2..=32 {
            assert!(queue.next().await.is_some());
        }
        assert_eq!(queue.next().await, None);
    }

    #[tokio::test]
    async fn a_newer_status_takes_the_place_of_the_older() {
        let queue = Queue::default();
        queue.push(status("prod", CommitState::Pending));
        queue.push(status("staging", CommitState::Pending));
        queue.push(status("prod", CommitState::Success));
        queue.close();
        assert_eq!(queue.next().await, Some(status("staging", CommitState::Pending)));
        assert_eq!(queue.next().await, Some(status("prod", CommitState::Success)));
        assert_eq!(queue.next().await, None);
    }
}
