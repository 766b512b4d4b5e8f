//! The tree of one commit, read from the mirror's objects. Inflates no blob, and never has a work tree.

use git2::{ObjectType, Odb, Oid, Repository, TreeEntry};

use super::super::listing::{Child, Node, Tree};
use super::error;
use super::loose;
use super::sizes::Sizes;
use crate::domain::{BlobId, EntryKind};
use crate::ports::{PortError, PortErrorKind};

/// Bytes of one folder's object: the files of a whole commit's bound in one folder, with longish names. Checked
/// before it is inflated.
const MAX_FOLDER_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of a commit's object: a message, some parents, a signature.
const MAX_COMMIT_BYTES: usize = 1024 * 1024;

/// Git's modes for what is in a folder; the rest are files.
const MODE_FOLDER: i32 = 0o040_000;
const MODE_SYMLINK: i32 = 0o120_000;
const MODE_SUBMODULE: i32 = 0o160_000;

/// A commit that can be walked.
pub(super) struct CommitTree<'r> {
    repository: &'r Repository,
    objects: Odb<'r>,
    sizes: &'r Sizes,
    root: Oid,
    operation: String,
}

impl<'r> CommitTree<'r> {
    /// Opens a commit's tree. Of files whose size is known nothing is read.
    pub(super) fn open(
        repository: &'r Repository,
        commit: Oid,
        sizes: &'r Sizes,
        operation: String,
    ) -> Result<Self, PortError> {
        let objects = repository
            .odb()
            .map_err(|error| error::corrupt(&operation, "the repository", &error))?;
        let mut tree = Self {
            repository,
            objects,
            sizes,
            root: commit,
            operation,
        };
        tree.header(commit, ObjectType::Commit, MAX_COMMIT_BYTES)?;
        tree.check(commit)?;
        tree.root = repository
            .find_commit(commit)
            .map_err(|error| error::corrupt(&tree.operation, "the commit", &error))?
            .tree_id();
        Ok(tree)
    }

    /// Reads the size of an object, which may be `most`, without its content.
    fn header(&self, id: Oid, wanted: ObjectType, most: usize) -> Result<usize, PortError> {
        let (size, found) = self
            .objects
            .read_header(id)
            .map_err(|error| error::corrupt(&self.operation, &format!("object {id}"), &error))?;
        if found != wanted {
            return Err(self.malformed(&format!("object {id} is a {found} and should be a {wanted}")));
        }
        if size > most {
            let message = format!("{wanted} {id} has {size} bytes, more than {most}: refused whole");
            return Err(PortError::new(PortErrorKind::TooLarge, &*self.operation, message));
        }
        Ok(size)
    }

    /// Checks that an object can be read at all.
    fn check(&self, id: Oid) -> Result<(), PortError> {
        loose::check(self.repository, id).map_err(|message| self.malformed(&message))
    }

    fn folder(&self, id: Oid) -> Result<git2::Tree<'r>, PortError> {
        self.header(id, ObjectType::Tree, MAX_FOLDER_BYTES)?;
        self.check(id)?;
        let corrupt = |error: git2::Error| error::corrupt(&self.operation, &format!("folder {id}"), &error);
        self.repository.find_tree(id).map_err(corrupt)
    }

    fn child_of(&self, entry: &TreeEntry<'_>) -> Result<Child<Self>, PortError> {
        let name = entry.name_bytes().to_vec();
        // Git itself makes no such entries; joined to a path they would read as another file.
        if name.is_empty() || name.contains(&b'/') || matches!(name.as_slice(), b"." | b"..") {
            return Err(self.malformed("a folder has an entry whose name is a path"));
        }
        let leaf = |kind| Node::Leaf(kind, Leaf { id: entry.id(), kind });
        let node = match entry.filemode() {
            MODE_FOLDER => Node::Folder(entry.id()),
            MODE_SYMLINK => leaf(EntryKind::Symlink),
            MODE_SUBMODULE => leaf(EntryKind::Submodule),
            _ => leaf(EntryKind::File),
        };
        Ok(Child { name, node })
    }

    fn malformed(&self, message: &str) -> PortError {
        let message = format!("{message}: the repository is corrupt; run `git fsck` on it");
        PortError::new(PortErrorKind::Malformed, &*self.operation, message)
    }
}

/// What is no folder.
pub(super) struct Leaf {
    id: Oid,
    kind: EntryKind,
}

impl Tree for CommitTree<'_> {
    type Folder = Oid;
    type Leaf = Leaf;

    fn operation(&self) -> String {
        self.operation.clone()
    }

    fn root(&self) -> Result<Oid, PortError> {
        Ok(self.root)
    }

    fn child(&self, folder: &Oid, name: &str) -> Result<Option<Child<Self>>, PortError> {
        self.folder(*folder)?
            .get_name(name)
            .map(|entry| self.child_of(&entry))
            .transpose()
    }

    fn children(&self, folder: &Oid, most: usize) -> Result<Option<Vec<Child<Self>>>, PortError> {
        let folder = self.folder(*folder)?;
        if folder.len() > most {
            return Ok(None);
        }
        folder
            .iter()
            .map(|entry| self.child_of(&entry))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    fn stat(&self, leaf: &Leaf) -> Result<(BlobId, u64), PortError> {
        let size = match (leaf.kind, self.sizes.get(leaf.id)) {
            // Its object is a commit of another repository.
            (EntryKind::Submodule, _) => 0,
            (EntryKind::File, Some(known)) => known,
            (EntryKind::File | EntryKind::Symlink | EntryKind::Other, _) => {
                self.header(leaf.id, ObjectType::Blob, usize::MAX)? as u64
            }
        };
        Ok((BlobId(leaf.id.as_bytes().to_vec()), size))
    }
}
