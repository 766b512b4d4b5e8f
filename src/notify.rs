//! What people are told of a pass: which events, to whom, in which words. Pure: sends nothing and reads no clock.
//!
//! A [`Tracker`] compares each report with what was told before and returns events; a [`Rule`] says which of them a
//! receiver wants; a [`Message`] is what one receiver is told of one pass. The colour of a commit is a [`CommitStatus`].

mod commit;
mod event;
mod message;
mod receiver;
mod rule;
mod tracker;

pub use commit::{CommitState, CommitStatus, commit_statuses, pending};
pub use event::{About, Event, EventKind, Severity};
pub use message::Message;
pub use receiver::{Forge, ForgeKind, ReceiverKind};
pub use rule::{Rule, Subscription};
pub use tracker::Tracker;

/// What a receiver is to be told.
#[derive(Debug, Clone, PartialEq)]
pub enum Notification {
    /// Events of one pass.
    Message(Message),
    /// How a commit stands in a target.
    Status(CommitStatus),
}

impl Notification {
    /// Returns the status that is to be set, if one is.
    pub fn status(&self) -> Option<&CommitStatus> {
        match self {
            Self::Message(_) => None,
            Self::Status(status) => Some(status),
        }
    }
}

#[cfg(test)]
mod tests;
