//! What one receiver is told of one pass: many functions are one message with a bounded list. Knows no receiver's format.

use std::collections::BTreeMap;

use super::event::{Event, EventKind, Severity};
use crate::domain::{CommitId, Timestamp};

/// Events that a message holds at the most: what receivers show of a larger pass is its counts.
const MAX_EVENTS: usize = 100;

/// Events of one pass, for one receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The commit in force.
    pub revision: Option<CommitId>,
    /// When the pass was complete.
    pub at: Timestamp,
    /// How many events there are of each kind, those included that [`Message::events`] leaves out.
    pub counts: BTreeMap<EventKind, usize>,
    /// The events, the gravest first, a hundred at the most.
    pub events: Vec<Event>,
}

impl Message {
    /// Puts events together; `None` where there are none.
    pub fn of(mut events: Vec<Event>, revision: Option<CommitId>, at: Timestamp) -> Option<Self> {
        let mut counts = BTreeMap::new();
        for event in &events {
            *counts.entry(event.kind).or_default() += 1;
        }
        events.sort_by(|a, b| {
            let key = |event: &Event| (std::cmp::Reverse(event.severity()), event.kind);
            key(a).cmp(&key(b)).then_with(|| a.about.cmp(&b.about))
        });
        events.truncate(MAX_EVENTS);
        (!events.is_empty()).then_some(Self {
            revision,
            at,
            counts,
            events,
        })
    }

    /// Returns how grave the gravest event is.
    pub fn severity(&self) -> Severity {
        self.events.first().map(Event::severity).unwrap_or_default()
    }

    /// Returns how many events there are.
    pub fn total(&self) -> usize {
        self.counts.values().sum()
    }

    /// Returns the message in one line: `Pinfold: 2 failed, 1 deployed`, or the one thing that happened.
    pub fn title(&self) -> String {
        if let ([event], 1) = (self.events.as_slice(), self.total()) {
            return format!("Pinfold: {} {}", event.about, event.kind.words());
        }
        let counts: Vec<String> = self
            .counts
            .iter()
            .map(|(kind, count)| format!("{count} {}", kind.words()))
            .collect();
        format!("Pinfold: {}", counts.join(", "))
    }

    /// Returns the first `most` events as lines, and one line for those that are left out.
    pub fn lines(&self, most: usize) -> Vec<String> {
        let mut lines: Vec<String> = self
            .events
            .iter()
            .take(most)
            .map(|event| format!("{} {}: {}", event.about, event.kind.words(), event.text))
            .collect();
        let left = self.total() - lines.len();
        if left > 0 {
            lines.push(format!("and {left} more"));
        }
        lines
    }

    /// Returns the commit as people read it.
    pub fn commit(&self) -> String {
        match &self.revision {
            Some(revision) => format!("commit {}", revision.short()),
            None => "no commit".to_owned(),
        }
    }
}
