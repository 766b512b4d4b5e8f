//! Reads what is live. A failed read is reported as such, never as absence, and never stops the other functions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;
use futures::future::BoxFuture;
use litemap::LiteMap;
use tracing::Instrument as _;

use super::contain::contained;
use super::glance::Glance;
use super::reading::Reading;
use super::unreadable::{internal, is_out_of_reach, read_failure};
use crate::domain::{
    FunctionKey, FunctionName, FunctionVersion, ObservedFunction, ObservedState, PublishedVersion, ReadFailure,
    ReadFailureKind, RevisionId, Target, TargetName, Version, VersionState, few,
};
use crate::ports::{FunctionPage, LambdaRead, PortError, PortErrorKind};
use crate::telemetry::{Telemetry, Work, function_span};

/// Functions read side by side in one target. At the default limits the rate limiter is what holds them back:
/// 40 calls a second at some 0.3 s each keep 12 of them busy.
pub(super) const READS_AT_ONCE: usize = 16;

/// How often a function is read again that changed between the calls which read it.
const READ_TRIES: usize = 3;

/// Reads functions, and remembers how they were: the versions that were published never change, and as long as nothing
/// is heard of a function it is as it was.
pub struct Observer {
    pub(super) telemetry: Telemetry,
    /// How many functions were read so far.
    pub(super) reading: Reading,
    memory: Mutex<BTreeMap<FunctionKey, Memory>>,
    /// What each target listed last.
    listings: Mutex<BTreeMap<TargetName, Listing>>,
}

/// The names of all functions of a target, or why they could not be listed.
pub(super) type Listing = Result<Vec<FunctionName>, PortError>;

/// What is remembered of one function. May be dropped at any time.
#[derive(Default)]
struct Memory {
    /// What the last look at it came to; `None` where something was heard of it since.
    state: Option<ObservedState>,
    /// How it was when it was last read whole. Its versions are all there are as long as `$LATEST` has the RevisionId
    /// they came with: a publication rotates it.
    whole: Option<Arc<ObservedFunction>>,
    /// Versions that were found unable to serve, which the list does not always show.
    unusable: BTreeMap<Version, VersionState>,
    /// The sweep in which its weights were last read; 0 where they never were.
    weighed: u64,
    /// Whether the last try to read its weights failed. A glance does not read them, so that it cannot tell that they can
    /// be read again.
    weights_lost: bool,
}

/// What a look at a function asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// What a glance sees.
    Glance,
    /// The weights, or all there is.
    Weights,
}

/// What reading one target came to.
pub(super) struct TargetObservation {
    /// An entry for each function that was asked for.
    pub(super) functions: BTreeMap<FunctionName, ObservedState>,
    /// The names of all functions there, or why they could not be listed.
    pub(super) listed: Listing,
}

impl Observer {
    /// Remembers nothing yet.
    pub(super) fn new(telemetry: Telemetry) -> Self {
        Self {
            telemetry,
            reading: Reading::default(),
            memory: Mutex::default(),
            listings: Mutex::default(),
        }
    }

    /// Reads the named functions of a target, and where `list` is set the names of all.
    pub(super) async fn target<L: LambdaRead>(
        &self,
        target: &Target,
        lambda: &L,
        names: &[FunctionName],
        list: bool,
    ) -> TargetObservation {
        let expected = self.reading.expect(names.len());
        let listed = if list {
            self.names(&target.name, lambda).await
        } else {
            Ok(Vec::new())
        };
        if let Err(error) = &listed
            && is_out_of_reach(error)
        {
            // Nothing else would come back either: asking for each function would only multiply the failure.
            let state = ObservedState::Unreadable(read_failure(error));
            let functions = names.iter().map(|name| (name.clone(), state.clone())).collect();
            return TargetObservation { functions, listed };
        }
        let expected = &expected;
        let functions = futures::stream::iter(names)
            .map(|name| async move {
                let key = FunctionKey {
                    target: target.name.clone(),
                    name: name.clone(),
                };
                let span = function_span(&key, Work::Observe);
                let state = self.function(&key, lambda).instrument(span).await;
                expected.done();
                (name.clone(), state)
            })
            .buffer_unordered(READS_AT_ONCE)
            .collect()
            .await;
        TargetObservation { functions, listed }
    }

    /// Lists the names of all functions of a target.
    async fn names<L: LambdaRead>(&self, target: &TargetName, lambda: &L) -> Listing {
        let (mut names, mut marker) = (Vec::new(), None);
        loop {
            let page = self.page(target, lambda, marker).await?;
            names.extend(page.functions.into_iter().map(|function| function.name));
            if page.next.is_none() {
                return Ok(names);
            }
            marker = page.next;
        }
    }

    /// Lists a page of the functions of a target. A panic in that is a failure to list them, and no more. Boxed: a pass holds
    /// a future in a future, and so on, deeper than the compiler looks.
    pub(super) fn page<'a, L: LambdaRead>(
        &'a self,
        target: &'a TargetName,
        lambda: &'a L,
        marker: Option<String>,
    ) -> BoxFuture<'a, Result<FunctionPage, PortError>> {
        Box::pin(async move {
            let listing = lambda.list_functions(marker.as_deref());
            let page = contained(&self.telemetry, None, listing).await;
            page.unwrap_or_else(|message| {
                let operation = format!("list the functions of target {target}");
                Err(PortError::new(PortErrorKind::Unknown, operation, message))
            })
        })
    }

    /// Reads one function.
    pub(super) async fn function<L: LambdaRead>(&self, key: &FunctionKey, lambda: &L) -> ObservedState {
        contained(&self.telemetry, Some(key), self.read_function(key, lambda))
            .await
            .unwrap_or_else(|message| self.lose(key, Depth::Weights, internal(message)))
    }

    /// Does a part of a sweep's look at a function, and returns what it came to. Where that is not known, it is the same:
    /// a pass reports what is remembered then.
    pub(super) async fn glanced(
        &self,
        key: &FunctionKey,
        depth: Depth,
        look: impl Future<Output = Result<Glance, PortError>>,
    ) -> Glance {
        let failure = match contained(&self.telemetry, Some(key), look).await {
            Ok(Ok(glance)) => return glance,
            Ok(Err(error)) => read_failure(&error),
            Err(message) => internal(message),
        };
        self.lose(key, depth, failure);
        Glance::Same
    }

    async fn read_function<L: LambdaRead>(&self, key: &FunctionKey, lambda: &L) -> ObservedState {
        for _ in 0..READ_TRIES {
            match self.try_function(key, lambda).await {
                Ok(Some(read)) => {
                    let mut lock = self.lock();
                    let memory = lock.entry(key.clone()).or_default();
                    (memory.state, memory.weights_lost) = (Some(read.clone()), false);
                    return read;
                }
                // Something changed between two calls: the parts do not fit together.
                Ok(None) => {}
                Err(error) => return self.lose(key, Depth::Weights, read_failure(&error)),
            }
        }
        let failure = ReadFailure {
            kind: ReadFailureKind::Other,
            message: format!("{} kept changing while it was read", key.name),
        };
        self.lose(key, Depth::Weights, failure)
    }

    async fn try_function<L: LambdaRead>(
        &self,
        key: &FunctionKey,
        lambda: &L,
    ) -> Result<Option<ObservedState>, PortError> {
        let Some(snapshot) = lambda.function(&key.name).await? else {
            return Ok(Some(ObservedState::Missing));
        };
        let aliases = match lambda.aliases(&key.name).await {
            // It was there a moment ago.
            Err(error) if error.kind == PortErrorKind::NotFound => return Ok(None),
            aliases => few(aliases?),
        };
        let needed = || {
            aliases.values().filter_map(|alias| match alias.version {
                FunctionVersion::Number(number) => Some(number),
                FunctionVersion::Latest => None,
            })
        };
        let covers = |latest: &RevisionId, versions: &LiteMap<Version, PublishedVersion>| {
            *latest == snapshot.latest.revision && needed().all(|number| versions.contains_key(&number))
        };
        let mut latest = snapshot.latest.clone();
        let known = self
            .whole(key)
            .filter(|known| covers(&known.latest.revision, &known.versions));
        let mut versions = if let Some(known) = known {
            latest.config = known.latest.config;
            known.versions.clone()
        } else {
            let list = match lambda.versions(&key.name).await {
                Err(error) if error.kind == PortErrorKind::NotFound => return Ok(None),
                list => list?,
            };
            let versions = few(list.versions);
            if !covers(&list.latest_revision, &versions) {
                return Ok(None);
            }
            latest.config = list.latest_config;
            versions
        };
        let mut lock = self.lock();
        let memory = lock.entry(key.clone()).or_default();
        for (number, state) in &memory.unusable {
            if let Some(version) = versions.get_mut(number) {
                version.state = *state;
            }
        }
        let found = Arc::new(ObservedFunction {
            account: snapshot.account,
            latest,
            aliases,
            weights_read: true,
            versions,
            allocations: BTreeMap::new(),
        });
        memory.whole = Some(Arc::clone(&found));
        Ok(Some(ObservedState::Found(found)))
    }

    /// Forgets a function, because it turned out not to be what it was.
    pub(super) fn forget(&self, key: &FunctionKey) {
        if let Some(memory) = self.lock().get_mut(key) {
            (memory.state, memory.whole) = (None, None);
        }
    }

    /// Notes that something was heard of a function: how it was is no longer how it is.
    pub(super) fn heard_of(&self, key: &FunctionKey) {
        if let Some(memory) = self.lock().get_mut(key) {
            memory.state = None;
        }
    }

    /// Returns how a function was when it was last looked at, unless something was heard of it since.
    pub(super) fn remembered(&self, key: &FunctionKey) -> Option<ObservedState> {
        self.lock().get(key).and_then(|memory| memory.state.clone())
    }

    /// Returns whether a function was read whole: with its weights, its guards and all its versions.
    pub(super) fn is_whole(&self, key: &FunctionKey) -> bool {
        matches!(self.remembered(key), Some(ObservedState::Found(found)) if found.weights_read)
    }

    /// Remembers what a look at a function came to, in the place of what was known of it.
    pub(super) fn remember(&self, key: &FunctionKey, state: ObservedState) {
        self.lock().entry(key.clone()).or_default().state = Some(state);
    }

    /// Remembers that nothing of a target could be looked at: a function may be as it was, and that is not known.
    pub(super) fn lose_sight_of(&self, key: &FunctionKey, error: &PortError) {
        self.lose(key, Depth::Glance, read_failure(error));
    }

    /// Remembers that a look at a function failed: it may be as it was, and that is not known.
    pub(super) fn lose(&self, key: &FunctionKey, depth: Depth, failure: ReadFailure) -> ObservedState {
        let state = ObservedState::Unreadable(failure);
        let mut lock = self.lock();
        let memory = lock.entry(key.clone()).or_default();
        memory.state = Some(state.clone());
        memory.weights_lost |= depth == Depth::Weights;
        state
    }

    /// Returns whether the last try to read the weights of a function failed.
    pub(super) fn has_lost_weights(&self, key: &FunctionKey) -> bool {
        self.lock().get(key).is_some_and(|memory| memory.weights_lost)
    }

    /// Returns in which sweep the weights of a function were last read.
    pub(super) fn weighed(&self, key: &FunctionKey) -> u64 {
        self.lock().get(key).map_or(0, |memory| memory.weighed)
    }

    /// Notes in which sweep the weights of a function were read.
    pub(super) fn weigh(&self, key: &FunctionKey, sweep: u64) {
        self.lock().entry(key.clone()).or_default().weighed = sweep;
    }

    /// Keeps what a target listed.
    pub(super) fn keep_listing(&self, target: &TargetName, listing: Listing) {
        let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        listings.insert(target.clone(), listing);
    }

    /// Returns what a target listed last.
    pub(super) fn listing(&self, target: &TargetName) -> Option<Listing> {
        let listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        listings.get(target).cloned()
    }

    /// Remembers that a version was found unable to serve, so that the next plan does without it.
    pub(super) fn mark(&self, key: &FunctionKey, version: Version, state: VersionState) {
        self.lock()
            .entry(key.clone())
            .or_default()
            .unusable
            .insert(version, state);
    }

    /// Drops what is remembered of functions that Git no longer names.
    pub(super) fn retain(&self, named: impl Fn(&FunctionKey) -> bool) {
        self.lock().retain(|key, _| named(key));
    }

    fn whole(&self, key: &FunctionKey) -> Option<Arc<ObservedFunction>> {
        self.lock().get(key).and_then(|memory| memory.whole.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<FunctionKey, Memory>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
