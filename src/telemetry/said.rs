//! What the log has said already, so that a lasting thing is said once, and its end once. Decides no level.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::{AliasName, FunctionKey, TargetName};

/// Something that may last: the thing, of which there is one state at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    /// The repository does not answer which commit the branch is at.
    GitList,
    /// A commit cannot be fetched.
    GitFetch,
    /// A target cannot be read.
    Target(TargetName),
    /// The functions of a target cannot be listed.
    Listing(TargetName),
    /// Where the provisioned concurrency of a target's aliases stands may not be asked.
    Allocations(TargetName),
    /// Functions of a target cannot be read.
    Functions(TargetName),
    /// A step of a function, by its action and alias, fails.
    Step(FunctionKey, &'static str, Option<AliasName>),
    /// A queue of events does not answer.
    Hints(String),
    /// A message of a queue is no event.
    MalformedHint(String),
    /// How the fleet stands.
    Fleet,
}

/// What was said last of each topic.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<BTreeMap<Topic, String>>);

impl Said {
    /// Notes how a thing is. Returns whether that is news.
    pub(super) fn is_news(&self, topic: Topic, state: &str) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.insert(topic, state.to_owned()).as_deref() != Some(state)
    }

    /// Notes that a thing is over. Returns whether it was there.
    pub(super) fn is_over(&self, topic: &Topic) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.remove(topic).is_some()
    }
}
