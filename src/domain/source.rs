//! The files of a desired-state tree, before anyone has read them. Names and sizes only, from Git or a folder alike.

use std::fmt;

/// Bounds of one commit. Generous for people, small enough that no repository can exhaust the daemon.
pub mod bounds {
    /// Files and folders looked at in one commit. Ten times the largest fleet that the daemon is made for.
    pub const MAX_FILES: usize = 50_000;
    /// Bytes of one file. A manifest has some hundreds.
    pub const MAX_FILE_BYTES: u64 = 1024 * 1024;
    /// Bytes of all manifests together: they are held in memory while they are parsed.
    pub const MAX_TOTAL_BYTES: u64 = 64 * 1024 * 1024;
    /// Folders inside folders.
    pub const MAX_DEPTH: usize = 32;
    /// Bytes of one path.
    pub const MAX_PATH_BYTES: usize = 1024;
}

/// Names the content of a file: Git's blob id, or a hash of the bytes in a plain folder. Equal ids, equal bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobId(pub Vec<u8>);

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// What an entry of the tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A symbolic link: never followed.
    Symlink,
    /// A submodule: never followed.
    Submodule,
    /// Something else that has a name and is no file, such as a socket in a plain folder.
    Other,
}

/// One file of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    /// Its path from the root with `/` between segments. Where the path is not UTF-8, its readable form,
    /// and `plain` is false.
    pub path: String,
    /// Whether `path` is the very path, and every segment of it an ordinary name.
    pub plain: bool,
    /// What it is.
    pub kind: EntryKind,
    /// Its content.
    pub blob: BlobId,
    /// Its size in bytes.
    pub size: u64,
}

/// The files under the folders that were asked for, and the `defaults.yaml` of the folders above them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceTree {
    /// The files whose names could make them manifests, in order of path.
    pub entries: Vec<SourceEntry>,
    /// Those of the folders asked for that the tree does not have.
    pub missing: Vec<String>,
}
