//! Reads what is live. A failed read is reported as such, never as absence, and never stops the other functions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures::StreamExt as _;

use crate::domain::{
    FunctionKey, FunctionName, FunctionVersion, ObservedFunction, ObservedState, PublishedVersion, ReadFailure,
    ReadFailureKind, Target, TargetName, Version,
};
use crate::ports::{LambdaRead, PortError, PortErrorKind, VersionList};
use crate::telemetry::FunctionsUnreadable;

/// Functions read side by side in one target. At the default limits the rate limiter is what holds them back:
/// 40 calls a second at some 0.3 s each keep 12 of them busy.
const READS_AT_ONCE: usize = 16;

/// How often a function is read again that changed between the calls which read it.
const READ_TRIES: usize = 3;

/// Reads functions, and remembers what can never change: the versions that were published.
#[derive(Default)]
pub struct Observer {
    memory: Mutex<BTreeMap<FunctionKey, Memory>>,
}

/// What is remembered of one function. May be dropped at any time.
#[derive(Default)]
struct Memory {
    /// The versions, valid as long as `$LATEST` has the RevisionId they came with: a publication rotates it.
    list: Option<VersionList>,
    /// Versions that were found unable to serve, which the list does not always show.
    unusable: BTreeSet<Version>,
}

/// What reading one target came to.
pub(super) struct TargetObservation {
    /// An entry for each function that was asked for.
    pub(super) functions: BTreeMap<FunctionName, ObservedState>,
    /// The names of all functions there, or why they could not be listed.
    pub(super) listed: Result<Vec<FunctionName>, PortError>,
}

impl Observer {
    /// Reads the named functions of a target, and where `list` is set the names of all.
    pub(super) async fn target<L: LambdaRead>(
        &self,
        target: &Target,
        lambda: &L,
        names: &[FunctionName],
        list: bool,
    ) -> TargetObservation {
        let listed = if list {
            lambda.list_functions().await
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
        let functions = futures::stream::iter(names)
            .map(|name| async move {
                let key = FunctionKey {
                    target: target.name.clone(),
                    name: name.clone(),
                };
                (name.clone(), self.function(&key, lambda).await)
            })
            .buffer_unordered(READS_AT_ONCE)
            .collect()
            .await;
        TargetObservation { functions, listed }
    }

    /// Reads one function.
    pub(super) async fn function<L: LambdaRead>(&self, key: &FunctionKey, lambda: &L) -> ObservedState {
        let mut state = ObservedState::Unreadable(ReadFailure {
            kind: ReadFailureKind::Other,
            message: format!("{} kept changing while it was read", key.name),
        });
        for _ in 0..READ_TRIES {
            match self.try_function(key, lambda).await {
                Ok(Some(read)) => {
                    state = read;
                    break;
                }
                // Something changed between two calls: the parts do not fit together.
                Ok(None) => {}
                Err(error) => {
                    state = ObservedState::Unreadable(read_failure(&error));
                    break;
                }
            }
        }
        state
    }

    async fn try_function<L: LambdaRead>(
        &self,
        key: &FunctionKey,
        lambda: &L,
    ) -> Result<Option<ObservedState>, PortError> {
        let Some(snapshot) = lambda.function(&key.name).await? else {
            return Ok(Some(ObservedState::Missing));
        };
        let aliases: BTreeMap<_, _> = match lambda.aliases(&key.name).await {
            // It was there a moment ago.
            Err(error) if error.kind == PortErrorKind::NotFound => return Ok(None),
            aliases => aliases?.into_iter().collect(),
        };
        let needed = || {
            aliases.values().filter_map(|alias| match alias.version {
                FunctionVersion::Number(number) => Some(number),
                FunctionVersion::Latest => None,
            })
        };
        let covers = |list: &VersionList| {
            list.latest_revision == snapshot.latest.revision
                && needed().all(|number| list.versions.iter().any(|(known, _)| *known == number))
        };
        let list = match self.remembered(key).filter(covers) {
            Some(list) => list,
            None => match lambda.versions(&key.name).await {
                Err(error) if error.kind == PortErrorKind::NotFound => return Ok(None),
                list => list?,
            },
        };
        if !covers(&list) {
            return Ok(None);
        }
        let mut latest = snapshot.latest;
        latest.config = list.latest_config;
        let versions = self.remember(key, list);
        let account = snapshot.account;
        Ok(Some(ObservedState::Found(Box::new(ObservedFunction {
            account,
            latest,
            aliases,
            versions,
        }))))
    }

    /// Forgets the versions of a function, because they turned out not to be what they were.
    pub(super) fn forget(&self, key: &FunctionKey) {
        if let Some(memory) = self.lock().get_mut(key) {
            memory.list = None;
        }
    }

    /// Remembers that a version was found unable to serve, so that the next plan does without it.
    pub(super) fn mark_unusable(&self, key: &FunctionKey, version: Version) {
        self.lock().entry(key.clone()).or_default().unusable.insert(version);
    }

    /// Drops what is remembered of functions that Git no longer names.
    pub(super) fn retain(&self, named: impl Fn(&FunctionKey) -> bool) {
        self.lock().retain(|key, _| named(key));
    }

    fn remembered(&self, key: &FunctionKey) -> Option<VersionList> {
        self.lock().get(key).and_then(|memory| memory.list.clone())
    }

    fn remember(&self, key: &FunctionKey, list: VersionList) -> BTreeMap<Version, PublishedVersion> {
        let mut lock = self.lock();
        let memory = lock.entry(key.clone()).or_default();
        let mut versions: BTreeMap<_, _> = list.versions.iter().cloned().collect();
        for number in &memory.unusable {
            if let Some(version) = versions.get_mut(number) {
                version.usable = false;
            }
        }
        memory.list = Some(list);
        versions
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<FunctionKey, Memory>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether nothing else would be answered either: asking on would only multiply the failure.
pub(super) fn is_out_of_reach(error: &PortError) -> bool {
    matches!(error.kind, PortErrorKind::Unreachable | PortErrorKind::Credentials)
}

/// Tells which functions of a target could not be read: once for each kind of failure, however many there are.
pub(super) fn tell_unreadable<'a>(
    target: &TargetName,
    functions: impl Iterator<Item = (&'a FunctionName, &'a ObservedState)>,
) {
    let mut kinds: BTreeMap<ReadFailureKind, (usize, &FunctionName, &str)> = BTreeMap::new();
    for (name, state) in functions {
        if let ObservedState::Unreadable(failure) = state {
            let (count, _, _) = kinds.entry(failure.kind).or_insert((0, name, &failure.message));
            *count += 1;
        }
    }
    for (count, function, error) in kinds.into_values() {
        FunctionsUnreadable {
            target,
            count,
            function,
            error,
        }
        .emit();
    }
}

fn read_failure(error: &PortError) -> ReadFailure {
    let kind = match error.kind {
        PortErrorKind::AccessDenied => ReadFailureKind::AccessDenied,
        PortErrorKind::NotFound
        | PortErrorKind::Conflict
        | PortErrorKind::Precondition
        | PortErrorKind::Throttled
        | PortErrorKind::Credentials
        | PortErrorKind::CodeStorageExceeded
        | PortErrorKind::Invalid
        | PortErrorKind::Unreachable
        | PortErrorKind::Unknown
        | PortErrorKind::TooLarge
        | PortErrorKind::Malformed => ReadFailureKind::Other,
    };
    ReadFailure {
        kind,
        message: error.to_string(),
    }
}
