//! The list of functions of a sweep, page by page: which functions are not as they were. Looks at no function itself.

use std::collections::BTreeSet;

use super::super::unreadable::is_out_of_reach;
use super::{Walk, lock};
use crate::domain::{FunctionKey, FunctionName, ObservedState, UpdateStatus};
use crate::ports::{Clock, FunctionPage, LambdaRead, PortError};

/// How far the list of functions is.
pub(super) enum List {
    /// These are on the pages that came, and the next has this marker.
    Begun {
        names: Vec<FunctionName>,
        next: Option<String>,
    },
    /// All pages came.
    Complete,
    /// A page could not be had.
    Broken,
}

impl Default for List {
    fn default() -> Self {
        Self::Begun {
            names: Vec::new(),
            next: None,
        }
    }
}

impl<L: LambdaRead, A, C: Clock> Walk<'_, L, A, C> {
    /// Asks for the next page of the list, and notes which functions are not as they were. Returns whether there is more.
    pub(super) async fn list_page(&self) -> bool {
        let marker = match &lock(self.beat).list {
            List::Begun { next, .. } => next.clone(),
            List::Complete | List::Broken => return false,
        };
        let (observer, target) = (&self.engine.observer, &self.ports.target.name);
        match observer.page(target, &self.ports.lambda, marker).await {
            Ok(page) => self.take_page(page),
            Err(error) => {
                self.break_off(error);
                false
            }
        }
    }

    fn take_page(&self, page: FunctionPage) -> bool {
        let observer = &self.engine.observer;
        for listed in &page.functions {
            let Some(key) = self.key(&listed.name) else { continue };
            let differs = match observer.remembered(key) {
                Some(ObservedState::Found(known)) => {
                    listed.revision.as_ref() != Some(&known.latest.revision)
                        || known.latest.update != UpdateStatus::Successful
                }
                Some(ObservedState::Missing) => true,
                Some(ObservedState::Unreadable(_)) | None => false,
            };
            if differs {
                self.list_tells(key);
            }
        }
        let mut beat = lock(self.beat);
        let List::Begun { names, next } = &mut beat.list else {
            return false;
        };
        names.extend(page.functions.into_iter().map(|listed| listed.name));
        *next = page.next;
        if next.is_some() {
            return true;
        }
        let names = std::mem::take(names);
        beat.list = List::Complete;
        drop(beat);
        self.miss(&names.iter().collect());
        observer.keep_listing(&self.ports.target.name, Ok(names));
        false
    }

    /// Notes which functions are not there any more.
    fn miss(&self, listed: &BTreeSet<&FunctionName>) {
        for key in self.functions.keys().copied() {
            let gone = !listed.contains(&key.name);
            if gone && matches!(self.engine.observer.remembered(key), Some(ObservedState::Found(_))) {
                self.list_tells(key);
            }
        }
    }

    /// Goes on without the rest of the list.
    fn break_off(&self, error: PortError) {
        let observer = &self.engine.observer;
        let mut beat = lock(self.beat);
        beat.list = List::Broken;
        if is_out_of_reach(&error) {
            // Nothing else would come back either.
            for key in self.functions.keys().copied() {
                if beat.versions.insert(key.name.clone()) {
                    observer.lose_sight_of(key, &error);
                }
                beat.weights.insert(key.name.clone());
            }
        } else {
            // Of these only what the aliases run was looked at.
            let is_remembered =
                |name: &FunctionName| self.key(name).is_some_and(|key| observer.remembered(key).is_some());
            beat.versions.retain(|name| !is_remembered(name));
        }
        observer.keep_listing(&self.ports.target.name, Err(error));
    }

    /// Notes that a function is not as it was, so that nobody need look.
    fn list_tells(&self, key: &FunctionKey) {
        self.differs(key);
        lock(self.beat).versions.insert(key.name.clone());
    }

    /// Returns the function of this name, if Git names it.
    fn key(&self, name: &FunctionName) -> Option<&FunctionKey> {
        let key = FunctionKey {
            target: self.ports.target.name.clone(),
            name: name.clone(),
        };
        self.functions.get_key_value(&key).map(|(key, _)| *key)
    }
}
