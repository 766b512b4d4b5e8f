//! Git objects written byte for byte: libgit2 itself would refuse to make most of what a hostile server can send.

use std::collections::BTreeMap;

use git2::{ObjectType, Odb, Oid, Repository, Signature, Time};

/// Modes of entries.
pub(crate) const FILE: u32 = 0o100_644;
pub(crate) const LINK: u32 = 0o120_000;
pub(crate) const SUBMODULE: u32 = 0o160_000;
const FOLDER: u32 = 0o040_000;

/// One entry of a tree by its whole path. Segments may be anything but empty; the same path may come twice.
pub(crate) struct Entry {
    pub(crate) path: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) id: Oid,
}

/// A repository to be written to.
pub(crate) struct Writer {
    repository: Repository,
}

impl Writer {
    pub(crate) fn open(path: &str) -> Self {
        Self {
            repository: Repository::open_bare(path).unwrap(),
        }
    }

    fn odb(&self) -> Odb<'_> {
        self.repository.odb().unwrap()
    }

    pub(crate) fn blob(&self, bytes: &[u8]) -> Oid {
        self.odb().write(ObjectType::Blob, bytes).unwrap()
    }

    /// Writes the tree of these entries, in their order where names are equal.
    pub(crate) fn tree(&self, entries: Vec<Entry>) -> Oid {
        let mut folders: BTreeMap<Vec<u8>, Vec<Entry>> = BTreeMap::new();
        let mut own = Vec::new();
        for mut entry in entries {
            match entry.path.iter().position(|byte| *byte == b'/') {
                Some(at) => {
                    let rest = entry.path.split_off(at + 1);
                    entry.path.pop();
                    let folder = folders.entry(entry.path).or_default();
                    folder.push(Entry { path: rest, ..entry });
                }
                None => own.push((entry.path, entry.mode, entry.id)),
            }
        }
        own.extend(
            folders
                .into_iter()
                .map(|(name, inside)| (name, FOLDER, self.tree(inside))),
        );
        self.raw_tree(own)
    }

    /// Writes one tree.
    pub(crate) fn raw_tree(&self, mut entries: Vec<(Vec<u8>, u32, Oid)>) -> Oid {
        // Git sorts folders as if their names ended in a slash.
        entries.sort_by_key(|(name, mode, _)| [name.as_slice(), if *mode == FOLDER { b"/" } else { b"" }].concat());
        let mut bytes = Vec::new();
        for (name, mode, id) in entries {
            bytes.extend_from_slice(format!("{mode:o} ").as_bytes());
            bytes.extend_from_slice(&name);
            bytes.push(0);
            bytes.extend_from_slice(id.as_bytes());
        }
        self.odb().write(ObjectType::Tree, &bytes).unwrap()
    }

    /// Puts a tree inside of folders of one name.
    pub(crate) fn nested(&self, mut tree: Oid, name: &[u8], depth: usize) -> Oid {
        for _ in 0..depth {
            tree = self.raw_tree(vec![(name.to_vec(), FOLDER, tree)]);
        }
        tree
    }

    /// Makes a commit of the tree the head of `main`, whether or not the tree is there.
    pub(crate) fn commit(&self, tree: Oid) -> Oid {
        let author = Signature::new("Test", "test@example.com", &Time::new(1_700_000_000, 0)).unwrap();
        let text = format!("tree {tree}\nauthor {0}\ncommitter {0}\n\nharm\n", shown(&author));
        let commit = self.odb().write(ObjectType::Commit, text.as_bytes()).unwrap();
        self.repository
            .reference("refs/heads/main", commit, true, "harm")
            .unwrap();
        commit
    }

    /// Where an object lies on the disk.
    pub(crate) fn object(&self, id: Oid) -> std::path::PathBuf {
        let name = id.to_string();
        self.repository.path().join("objects").join(&name[..2]).join(&name[2..])
    }
}

fn shown(author: &Signature<'_>) -> String {
    let (name, email) = (author.name().unwrap(), author.email().unwrap());
    format!("{name} <{email}> {} +0000", author.when().seconds())
}
