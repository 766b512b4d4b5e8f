//! The sweep of a large fleet, in layers: ListFunctions for `$LATEST`, GetFunction for what aliases run, ListAliases for
//! weights. It only looks; what differs is read whole by a pass, and nothing is planned here.
//!
//! It may be dropped at any moment and goes on from there. What it found out is kept in the observer's memory.

mod list;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{join, join_all};
use tokio::sync::Notify;

use super::engine::{Engine, TargetPorts};
use super::glance::Glance;
use crate::domain::{AliasName, DesiredState, FunctionKey, FunctionName, TargetName};
use crate::ports::{Clock, LambdaRead, Priority};
use list::List;

/// Looks side by side with GetFunction: at the default limits 40 calls a second at some 0.3 s each keep 12 of them busy.
const GLANCES_AT_ONCE: usize = 16;

/// Looks side by side with ListAliases: 2.5 calls a second keep one busy.
const WEIGHINGS_AT_ONCE: usize = 2;

/// How long further finds are waited for, so that what was changed together is looked at together.
const GATHER: Duration = Duration::from_millis(500);

/// What a sweep has come to for now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Find {
    /// Something was heard of these functions.
    Changed(BTreeSet<FunctionKey>),
    /// All that can be seen quickly was looked at.
    Complete,
    /// The weights of all functions were looked at, too: the sweep is over.
    Over,
}

/// How far the sweep is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is none.
    Idle,
    /// `$LATEST` and what aliases run.
    Versions,
    /// The weights that are left.
    Weights,
}

/// One sweep after the other.
pub(super) struct Patrol {
    stage: Stage,
    /// The number of the sweep, from 1.
    sweep: u64,
    beats: BTreeMap<TargetName, Mutex<Beat>>,
    finds: Finds,
    /// Whether a sweep has been complete, so that something is remembered of every function.
    knows_the_fleet: bool,
}

/// What this sweep has looked at in one target.
#[derive(Default)]
struct Beat {
    list: List,
    /// Functions of which `$LATEST` and what the aliases run is known.
    versions: BTreeSet<FunctionName>,
    /// Functions of which the weights are known.
    weights: BTreeSet<FunctionName>,
}

#[derive(Default)]
struct Finds {
    keys: Mutex<BTreeSet<FunctionKey>>,
    some: Notify,
}

impl Finds {
    fn keys(&self) -> MutexGuard<'_, BTreeSet<FunctionKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, key: FunctionKey) {
        self.keys().insert(key);
        self.some.notify_one();
    }
}

impl Default for Patrol {
    fn default() -> Self {
        Self {
            stage: Stage::Idle,
            sweep: 0,
            beats: BTreeMap::new(),
            finds: Finds::default(),
            knows_the_fleet: false,
        }
    }
}

impl Patrol {
    /// Begins a sweep. One that is still at versions goes on, as it would only begin anew with what it has seen already.
    pub(super) fn begin(&mut self) {
        if self.stage != Stage::Versions {
            self.stage = Stage::Versions;
            self.sweep += 1;
            self.beats.clear();
        }
    }

    /// Returns whether there is something to look at.
    pub(super) fn is_active(&self) -> bool {
        self.stage != Stage::Idle
    }

    /// Returns whether something is remembered of every function.
    pub(super) fn knows_the_fleet(&self) -> bool {
        self.knows_the_fleet
    }

    /// Goes on with the sweep until there is something to say.
    pub(super) async fn next<L, A, C>(&mut self, engine: &Engine<L, A, C>, desired: &DesiredState) -> Find
    where
        L: LambdaRead,
        C: Clock,
    {
        for target in engine.targets.keys() {
            self.beats.entry(target.clone()).or_default();
        }
        let work = join_all(
            engine
                .targets
                .values()
                .map(|ports| Box::pin(self.walk(engine, ports, desired))),
        );
        let found = async {
            // What woke may have been taken along already.
            while self.finds.keys().is_empty() {
                self.finds.some.notified().await;
            }
            engine.clock.sleep(GATHER).await;
        };
        tokio::select! {
            biased;
            _ = Priority::Sweep.of(work) => {}
            () = found => {}
        }
        let found = std::mem::take(&mut *self.finds.keys());
        if !found.is_empty() {
            return Find::Changed(found);
        }
        if self.stage == Stage::Versions {
            (self.stage, self.knows_the_fleet) = (Stage::Weights, true);
            Find::Complete
        } else {
            self.stage = Stage::Idle;
            Find::Over
        }
    }

    /// Looks at what is left of one target.
    async fn walk<L, A, C>(&self, engine: &Engine<L, A, C>, ports: &TargetPorts<L, A>, desired: &DesiredState)
    where
        L: LambdaRead,
        C: Clock,
    {
        let Some(beat) = self.beats.get(&ports.target.name) else {
            return;
        };
        let functions: BTreeMap<&FunctionKey, Vec<&AliasName>> = desired
            .functions
            .iter()
            .filter(|(key, _)| key.target == ports.target.name && ports.target.allows(&key.name))
            .map(|(key, function)| (key, function.aliases.keys().collect()))
            .collect();
        let walk = Walk {
            engine,
            ports,
            beat,
            functions,
            finds: &self.finds,
            sweep: self.sweep,
        };
        match self.stage {
            Stage::Versions => walk.versions().await,
            Stage::Weights => walk.weights().await,
            Stage::Idle => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One target on the way through it.
struct Walk<'a, L, A, C> {
    engine: &'a Engine<L, A, C>,
    ports: &'a TargetPorts<L, A>,
    beat: &'a Mutex<Beat>,
    functions: BTreeMap<&'a FunctionKey, Vec<&'a AliasName>>,
    finds: &'a Finds,
    sweep: u64,
}

impl<L: LambdaRead, A, C: Clock> Walk<'_, L, A, C> {
    /// Looks at every function once. What brings the first page of the list of functions brings the others too: they come
    /// while functions are looked at.
    async fn versions(&self) {
        self.list_page().await;
        let pages = async { while self.list_page().await {} };
        join(pages, self.look()).await;
        // At those that were taken to be listed, where the list broke off.
        self.look().await;
    }

    /// Looks at what the aliases run. GetFunction begins with those whose weights were read last, ListAliases, which tells
    /// the versions too, with those whose weights have waited longest; where they meet, all are known.
    async fn look(&self) {
        let left = Mutex::new(self.left(|beat| &beat.versions));
        let glances = (0..GLANCES_AT_ONCE).map(|_| async {
            loop {
                let Some(key) = lock(&left).pop_back() else { return };
                // The list may have told of it meanwhile.
                if !lock(self.beat).versions.contains(&key.name) {
                    // Boxed, as futures in futures would grow deeper than the compiler looks.
                    Box::pin(self.glance(key)).await;
                }
            }
        });
        join(join_all(glances), self.weigh_all(&left, |beat| &beat.versions)).await;
    }

    /// Reads the weights of those whose weights were not read in this sweep yet.
    async fn weights(&self) {
        let left = Mutex::new(self.left(|beat| &beat.weights));
        self.weigh_all(&left, |beat| &beat.weights).await;
    }

    /// Reads the weights of those that are left and that nobody has seen meanwhile, from the front.
    async fn weigh_all(
        &self,
        left: &Mutex<VecDeque<&FunctionKey>>,
        seen: impl Fn(&Beat) -> &BTreeSet<FunctionName> + Copy,
    ) {
        let weighings = (0..WEIGHINGS_AT_ONCE).map(|_| async {
            loop {
                let Some(key) = lock(left).pop_front() else { return };
                if !seen(&lock(self.beat)).contains(&key.name) {
                    Box::pin(self.weigh(key)).await;
                }
            }
        });
        join_all(weighings).await;
    }

    /// Returns the functions that this sweep has not looked at in this way, those whose weights have waited longest first.
    fn left(&self, seen: impl Fn(&Beat) -> &BTreeSet<FunctionName>) -> VecDeque<&FunctionKey> {
        let beat = lock(self.beat);
        let mut left: Vec<&FunctionKey> = self
            .functions
            .keys()
            .copied()
            .filter(|key| !seen(&beat).contains(&key.name))
            .collect();
        left.sort_by_cached_key(|key| self.engine.observer.weighed(key));
        left.into()
    }

    async fn glance(&self, key: &FunctionKey) {
        let observer = &self.engine.observer;
        let is_listed = || !matches!(lock(self.beat).list, List::Broken);
        if !self.engine.is_in_hand(key) {
            let aliases = self.functions.get(key).map(Vec::as_slice).unwrap_or_default();
            let listed = is_listed();
            if observer.glance(key, aliases, listed, &self.ports.lambda).await == Glance::Differs {
                self.differs(key);
            } else if listed && !is_listed() {
                // The list broke off meanwhile, and nobody has looked at `$LATEST`.
                return;
            }
        }
        lock(self.beat).versions.insert(key.name.clone());
    }

    async fn weigh(&self, key: &FunctionKey) {
        let observer = &self.engine.observer;
        if !self.engine.is_in_hand(key) {
            let aliases = self.functions.get(key).map(Vec::as_slice).unwrap_or_default();
            if observer.weighed_anew(key, aliases, &self.ports.lambda).await == Glance::Differs {
                self.differs(key);
            }
            observer.weigh(key, self.sweep);
        }
        let mut beat = lock(self.beat);
        beat.versions.insert(key.name.clone());
        beat.weights.insert(key.name.clone());
    }

    fn differs(&self, key: &FunctionKey) {
        self.engine.observer.heard_of(key);
        self.finds.add(key.clone());
    }
}
