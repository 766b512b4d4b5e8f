//! Which files of a tree could be manifests, and when a tree is too large: one set of rules for Git and folders. Reads no content.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{BlobId, EntryKind, SourceEntry, SourceTree, bounds};
use crate::ports::{PortError, PortErrorKind};

/// How much may be looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Files and folders together.
    pub(super) files: usize,
    /// Bytes of one file that may still be a manifest; a larger one is listed and never read.
    pub(super) file_bytes: u64,
    /// Bytes of all files that will be read.
    pub(super) total_bytes: u64,
    /// Folders inside folders.
    pub(super) depth: usize,
    /// Bytes of one path.
    pub(super) path_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            files: bounds::MAX_FILES,
            file_bytes: bounds::MAX_FILE_BYTES,
            total_bytes: bounds::MAX_TOTAL_BYTES,
            depth: bounds::MAX_DEPTH,
            path_bytes: bounds::MAX_PATH_BYTES,
        }
    }
}

/// A tree that can be walked.
pub(super) trait Tree {
    /// A folder of the tree.
    type Folder;
    /// Something in a folder that is no folder.
    type Leaf;

    /// What is read, for errors: `read commit 1234567 of URL`.
    fn operation(&self) -> String;

    /// Returns the root.
    fn root(&self) -> Result<Self::Folder, PortError>;

    /// Returns what is in a folder under one name, if anything.
    fn child(&self, folder: &Self::Folder, name: &str) -> Result<Option<Child<Self>>, PortError>;

    /// Returns everything in a folder; `None` where that is more than `most`, which ends the walk.
    fn children(&self, folder: &Self::Folder, most: usize) -> Result<Option<Vec<Child<Self>>>, PortError>;

    /// Returns the content's name and size. Called only for what will be listed.
    fn stat(&self, leaf: &Self::Leaf) -> Result<(BlobId, u64), PortError>;
}

/// One thing in a folder.
pub(super) struct Child<T: Tree + ?Sized> {
    /// Its name, as the bytes that are there.
    pub(super) name: Vec<u8>,
    /// What it is.
    pub(super) node: Node<T>,
}

/// A folder or something else.
pub(super) enum Node<T: Tree + ?Sized> {
    /// A folder.
    Folder(T::Folder),
    /// Not a folder.
    Leaf(EntryKind, T::Leaf),
}

/// Names under which a folder's defaults may be.
const DEFAULTS: [&str; 2] = ["defaults.yaml", "defaults.yml"];

/// Lists the files under `paths` that could be manifests, and the defaults of the folders above them.
///
/// # Errors
///
/// The tree is beyond `bounds`, or cannot be read. Either refuses the tree whole.
pub(super) fn list<T: Tree>(tree: &T, paths: &[String], bounds: &Bounds) -> Result<SourceTree, PortError> {
    let mut walk = Walk {
        tree,
        bounds,
        entries: BTreeMap::new(),
        folders: BTreeSet::new(),
        seen: 0,
        bytes: 0,
    };
    let mut missing = Vec::new();
    for path in paths {
        if !walk.target(path)? && !missing.contains(path) {
            missing.push(path.clone());
        }
    }
    Ok(SourceTree {
        entries: walk.entries.into_values().collect(),
        missing,
    })
}

struct Walk<'a, T: Tree> {
    tree: &'a T,
    bounds: &'a Bounds,
    /// By the path's bytes: two paths that read the same once they are made readable stay two.
    entries: BTreeMap<Vec<u8>, SourceEntry>,
    /// Folders walked already: one target may lie in another.
    folders: BTreeSet<Vec<u8>>,
    seen: usize,
    bytes: u64,
}

impl<T: Tree> Walk<'_, T> {
    /// Goes down to the folder `path`, taking the defaults on the way, and lists all below it. Returns whether
    /// there is such a folder.
    fn target(&mut self, path: &str) -> Result<bool, PortError> {
        let mut folder = self.tree.root()?;
        let mut at = Vec::new();
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            for name in DEFAULTS {
                if let Some(child) = self.tree.child(&folder, name)? {
                    self.leaf(&at, child)?;
                }
            }
            at = self.below(&at, segment.as_bytes())?;
            match self.tree.child(&folder, segment)?.map(|child| child.node) {
                Some(Node::Folder(next)) => folder = next,
                Some(Node::Leaf(..)) | None => return Ok(false),
            }
        }
        self.everything(folder, at)?;
        Ok(true)
    }

    fn everything(&mut self, folder: T::Folder, at: Vec<u8>) -> Result<(), PortError> {
        let mut waiting = vec![(folder, at)];
        while let Some((folder, at)) = waiting.pop() {
            if !self.folders.insert(at.clone()) {
                continue;
            }
            let Some(children) = self.tree.children(&folder, self.bounds.files - self.seen)? else {
                return Err(self.too_large(&format!("more than {} files and folders", self.bounds.files)));
            };
            self.seen += children.len();
            let mut names = BTreeSet::new();
            for child in children {
                let path = self.below(&at, &child.name)?;
                if !names.insert(child.name.clone()) {
                    let message = format!("{} is there twice: the repository is corrupt", readable(&path));
                    return Err(PortError::new(PortErrorKind::Malformed, self.tree.operation(), message));
                }
                match child.node {
                    Node::Folder(_) if hidden(&child.name) => {}
                    Node::Folder(next) => waiting.push((next, path)),
                    Node::Leaf(..) => self.leaf(&at, child)?,
                }
            }
        }
        Ok(())
    }

    /// Lists one entry, where its name could make it a manifest.
    fn leaf(&mut self, at: &[u8], child: Child<T>) -> Result<(), PortError> {
        let Node::Leaf(kind, leaf) = child.node else {
            return Ok(());
        };
        let path = self.below(at, &child.name)?;
        if !manifest_name(&child.name) || self.entries.contains_key(&path) {
            return Ok(());
        }
        let (blob, size) = self.tree.stat(&leaf)?;
        if kind == EntryKind::File && size <= self.bounds.file_bytes {
            self.bytes += size;
            if self.bytes > self.bounds.total_bytes {
                let most = self.bounds.total_bytes;
                return Err(self.too_large(&format!("manifests of more than {most} bytes together")));
            }
        }
        let entry = SourceEntry {
            path: readable(&path),
            plain: plain(&path),
            kind,
            blob,
            size,
        };
        self.entries.insert(path, entry);
        Ok(())
    }

    /// Joins a name to a folder's path, within the bounds.
    fn below(&self, at: &[u8], name: &[u8]) -> Result<Vec<u8>, PortError> {
        let mut path = at.to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        if path.len() > self.bounds.path_bytes {
            return Err(self.too_large(&format!("a path of more than {} bytes", self.bounds.path_bytes)));
        }
        // A file in the deepest folder has one segment more than there are folders.
        if path.split(|byte| *byte == b'/').count() > self.bounds.depth + 1 {
            return Err(self.too_large(&format!("folders more than {} deep", self.bounds.depth)));
        }
        Ok(path)
    }

    fn too_large(&self, what: &str) -> PortError {
        let message = format!("{what}: refused whole; keep other files out of the targets' folders");
        PortError::new(PortErrorKind::TooLarge, self.tree.operation(), message)
    }
}

fn hidden(name: &[u8]) -> bool {
    name.starts_with(b".") || name.starts_with(b"_")
}

fn manifest_name(name: &[u8]) -> bool {
    !hidden(name) && (name.ends_with(b".yaml") || name.ends_with(b".yml"))
}

/// Returns whether the path may be shown and looked up as it is: UTF-8, ordinary segments, nothing that a
/// terminal or another system would take for something else.
fn plain(path: &[u8]) -> bool {
    std::str::from_utf8(path).is_ok_and(|path| {
        !path.chars().any(|c| c.is_control() || c == '\\')
            && path.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
    })
}

/// Makes a path readable: what is not UTF-8 or would move a terminal's cursor becomes a replacement character.
fn readable(path: &[u8]) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    String::from_utf8_lossy(path).chars().map(shown).collect()
}

#[cfg(test)]
mod tests;
