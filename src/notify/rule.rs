//! Which events a receiver wants to hear of. Knows nothing of how they reach it.

use std::collections::BTreeSet;

use super::event::{About, Event, EventKind, Severity};
use crate::domain::{FunctionGlob, TargetName};

/// What a receiver is told of.
#[derive(Debug, Clone)]
pub enum Subscription {
    /// Events, as messages.
    Events(Rule),
    /// How each commit stands, in these targets; empty for all.
    Statuses(BTreeSet<TargetName>),
}

/// Which events are wanted. All of it has to fit.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The kinds.
    pub events: BTreeSet<EventKind>,
    /// The targets; empty for all.
    pub targets: BTreeSet<TargetName>,
    /// Globs of function names; empty for all. What concerns a whole target concerns its functions.
    pub functions: Vec<FunctionGlob>,
    /// The least grave that is wanted. The end of a thing is as wanted as its beginning, whatever its gravity.
    pub min_severity: Severity,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            events: EventKind::ALL.into(),
            targets: BTreeSet::new(),
            functions: Vec::new(),
            min_severity: Severity::Info,
        }
    }
}

impl Rule {
    /// Returns whether the event is wanted.
    pub fn wants(&self, event: &Event) -> bool {
        let function = match &event.about {
            About::Target(_) => true,
            About::Function(key) => {
                self.functions.is_empty() || self.functions.iter().any(|glob| glob.matches(&key.name))
            }
        };
        let grave = event.severity() >= self.min_severity || event.kind == EventKind::Recovered;
        function && grave && self.events.contains(&event.kind) && includes(&self.targets, event.about.target())
    }
}

impl Subscription {
    /// Returns whether statuses of this target are wanted.
    pub fn wants_status(&self, target: &TargetName) -> bool {
        match self {
            Self::Events(_) => false,
            Self::Statuses(targets) => includes(targets, target),
        }
    }
}

fn includes(targets: &BTreeSet<TargetName>, target: &TargetName) -> bool {
    targets.is_empty() || targets.contains(target)
}
