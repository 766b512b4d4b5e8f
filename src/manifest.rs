//! The pure reader of the desired-state repository: files in, one checked `DesiredState` out. Never reads a disk, a
//! clock or the network, and never stops at the first fault.
//!
//! [`wanted`] says which contents are needed, [`load`] merges them. Between the two somebody else fetches.
//! What was parsed once is kept in a [`Cache`] by the id of its content, so that a commit that changes one
//! manifest of ten thousand parses one.

mod aliases;
mod claim;
mod fields;
mod file;
mod flaw;
mod layout;
mod merge;
mod schema;
mod suspend;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use layout::targets_of;
pub use schema::{defaults_schema, function_schema};

use crate::domain::{
    BlobId, CommitId, DesiredState, EntryKind, SourceEntry, SourceTree, Target, TargetFailure, bounds,
};
use file::Parsed;
use flaw::{Flaw, shown};
use layout::Role;

/// Parsed files by the id of their content, so that an unchanged file is never parsed twice.
///
/// A hint and nothing else: it may be dropped at any time, and costs one parse of everything when it is.
/// It holds what the latest tree named and no more.
#[derive(Debug, Default)]
pub struct Cache {
    functions: BTreeMap<BlobId, Arc<Parsed>>,
    defaults: BTreeMap<BlobId, Arc<Parsed>>,
}

impl Cache {
    /// Returns how many parsed files it holds.
    pub fn len(&self) -> usize {
        self.functions.len() + self.defaults.len()
    }

    /// Returns whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    // One content under two names is read in two ways, so each way has its own map.
    fn of(&self, role: Role) -> &BTreeMap<BlobId, Arc<Parsed>> {
        match role {
            Role::Function => &self.functions,
            Role::Defaults => &self.defaults,
        }
    }

    fn of_mut(&mut self, role: Role) -> &mut BTreeMap<BlobId, Arc<Parsed>> {
        match role {
            Role::Function => &mut self.functions,
            Role::Defaults => &mut self.defaults,
        }
    }
}

/// Returns the contents that [`load`] will need for this tree: those of manifests and defaults that are not cached
/// and not refused unread, in the order of the tree, each once.
pub fn wanted(tree: &SourceTree, targets: &[Target], cache: &Cache) -> Vec<BlobId> {
    let mut seen = BTreeSet::new();
    manifests(tree, targets)
        .filter(|(entry, role)| {
            refusal(entry).is_none() && !cache.of(*role).contains_key(&entry.blob) && seen.insert(&entry.blob)
        })
        .map(|(entry, _)| entry.blob.clone())
        .collect()
}

/// Merges everything that one commit says.
///
/// `contents` are those that [`wanted`] asked for; a content that is missing there is a fault of its files alone.
/// Afterwards `cache` holds what this tree names and nothing else.
///
/// Where a target names neither Region nor account, the tree is checked without a configuration, and
/// stand-ins fill `{region}` and `{account}`.
pub fn load(
    revision: Option<CommitId>,
    tree: &SourceTree,
    contents: &BTreeMap<BlobId, Vec<u8>>,
    targets: &[Target],
    cache: &mut Cache,
) -> DesiredState {
    let mut kept = Cache::default();
    let mut files = BTreeMap::new();
    for (entry, role) in manifests(tree, targets) {
        let parsed = match refusal(entry) {
            Some(flaw) => Arc::new(Parsed::refused(flaw)),
            None => parsed(entry, role, contents, cache, &mut kept),
        };
        files.insert(entry.path.as_str(), (role, parsed));
    }
    *cache = kept;

    let (failed, present): (Vec<&Target>, Vec<&Target>) =
        targets.iter().partition(|target| tree.missing.contains(&target.path));
    let mut state = merge::merge(&files, &present);
    state.revision = revision;
    state.failed_targets = failed
        .into_iter()
        .map(|target| TargetFailure {
            target: target.name.clone(),
            message: format!(
                "the commit has no folder {}: add it, or correct `path` of target {} in the configuration",
                shown(&target.path),
                target.name
            ),
        })
        .collect();
    state
}

/// Returns the entries whose names make them a manifest or defaults of some target.
fn manifests<'a>(tree: &'a SourceTree, targets: &'a [Target]) -> impl Iterator<Item = (&'a SourceEntry, Role)> {
    tree.entries.iter().filter_map(move |entry| {
        let role = Role::of(&entry.path)?;
        let used = targets
            .iter()
            .any(|target| layout::serves(role, &entry.path, &target.path));
        used.then_some((entry, role))
    })
}

/// Returns why a file is refused without a look at its content.
fn refusal(entry: &SourceEntry) -> Option<Flaw> {
    let message = match entry.kind {
        EntryKind::Symlink => "a symbolic link is never followed: put the file itself here",
        EntryKind::Submodule => "a submodule is never followed: put the files themselves here",
        EntryKind::Other => "this is no regular file: put a file here",
        EntryKind::File if !entry.plain || entry.path.chars().any(char::is_control) => {
            "the path is not plain UTF-8 with ordinary names: rename it"
        }
        EntryKind::File if entry.size > bounds::MAX_FILE_BYTES => return Some(file::too_large(entry.size)),
        EntryKind::File => return None,
    };
    Some(Flaw::new(None, message))
}

/// Takes a parsed file from the old cache or parses it, and keeps it in the new one.
fn parsed(
    entry: &SourceEntry,
    role: Role,
    contents: &BTreeMap<BlobId, Vec<u8>>,
    old: &Cache,
    kept: &mut Cache,
) -> Arc<Parsed> {
    if let Some(found) = kept.of(role).get(&entry.blob).or_else(|| old.of(role).get(&entry.blob)) {
        let found = Arc::clone(found);
        kept.of_mut(role).insert(entry.blob.clone(), Arc::clone(&found));
        return found;
    }
    let Some(bytes) = contents.get(&entry.blob) else {
        // Not kept: the next load may have it.
        return Arc::new(Parsed::refused(Flaw::new(
            None,
            "its content could not be had: try again",
        )));
    };
    let fresh = Arc::new(file::parse(role, bytes));
    kept.of_mut(role).insert(entry.blob.clone(), Arc::clone(&fresh));
    fresh
}
