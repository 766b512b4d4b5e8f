//! Brings a commit into the mirror, checks that it may follow the last one, and lists it. Repairs the mirror once.

use std::collections::BTreeMap;

use git2::{ErrorCode, ObjectType, Oid, Repository};

use super::super::listing::{Bounds, list};
use super::error;
use super::mirror::{Lock, Place};
use super::remote::Remote;
use super::tree::CommitTree;
use super::worker::Deadline;
use crate::domain::{BlobId, ForcePush, SourceTree, bounds};
use crate::ports::{PortError, PortErrorKind};

/// A repository and its mirror.
#[derive(Debug)]
pub(super) struct Snapshots {
    /// The mirror.
    pub(super) place: Place,
    /// The repository.
    pub(super) remote: Remote,
    /// Whether a rewritten branch is followed.
    pub(super) force_push: ForcePush,
    /// How much a commit may hold.
    pub(super) bounds: Bounds,
}

/// What earlier operations found out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    /// The last commit that was listed.
    pub(super) head: Option<Oid>,
    /// Whether objects were missing from the mirror.
    pub(super) mirror_corrupt: bool,
}

/// The mirror while a commit is looked for.
struct Mirror {
    repository: Repository,
    /// Whether it was made anew just now, so that doing so once more would not help.
    fresh: bool,
}

impl Snapshots {
    /// Asks for the head of the branch.
    pub(super) fn head(&self, deadline: Deadline) -> Result<Oid, PortError> {
        let lock = self.place.lock()?;
        let mirror = self.place.open(&lock)?;
        self.remote.head(&mirror, deadline)
    }

    /// Brings a commit here (the head, where none is named) and lists it. Returns it with its files.
    pub(super) fn tree(
        &self,
        commit: Option<Oid>,
        paths: &[String],
        known: Known,
        deadline: Deadline,
    ) -> Result<(Oid, SourceTree), PortError> {
        let lock = self.place.lock()?;
        let mut mirror = Mirror {
            repository: self.place.open(&lock)?,
            fresh: false,
        };
        let commit = match commit {
            Some(commit) => commit,
            None => self.remote.head(&mirror.repository, deadline)?,
        };
        if known.mirror_corrupt {
            mirror = self.renew(&lock, deadline)?;
        }
        if !has(&mirror, commit) {
            mirror = self.fetch(mirror, &lock, deadline)?;
        }
        // An object that is there in name only keeps a fetch from bringing it.
        if !has(&mirror, commit) && !mirror.fresh {
            mirror = self.renew(&lock, deadline)?;
        }
        if !has(&mirror, commit) {
            let message = format!(
                "commit {commit} is on branch {} no more: the next pass looks again",
                self.remote.branch
            );
            return Err(PortError::new(PortErrorKind::Conflict, self.operation(commit), message));
        }
        self.check_ancestry(&mirror.repository, commit, known.head)?;
        let tree = match self.list(&mirror.repository, commit, paths) {
            Err(error) if error.kind == PortErrorKind::Malformed && !mirror.fresh => {
                mirror = self.renew(&lock, deadline)?;
                self.list(&mirror.repository, commit, paths)?
            }
            other => other?,
        };
        Ok((commit, tree))
    }

    /// Reads files by the names of their contents. Each name is read once.
    pub(super) fn contents(&self, blobs: &[BlobId]) -> Result<Vec<Vec<u8>>, PortError> {
        let operation = format!("read files of {}", self.remote.url);
        let error = |kind, message: String| PortError::new(kind, operation.as_str(), message);
        let lock = self.place.lock()?;
        let mirror = self.place.open(&lock)?;
        let objects = mirror.odb().map_err(|e| error::corrupt(&operation, "the mirror", &e))?;
        let mut read: BTreeMap<&BlobId, Vec<u8>> = BTreeMap::new();
        let mut total = 0;
        for blob in blobs {
            if read.contains_key(blob) {
                continue;
            }
            let id = Oid::from_bytes(&blob.0)
                .map_err(|_| error(PortErrorKind::Invalid, format!("{blob:?} is not the name of a blob")))?;
            let corrupt = |e: git2::Error| error::corrupt(&operation, &format!("object {id}"), &e);
            let (size, kind) = objects.read_header(id).map_err(corrupt)?;
            total += size as u64;
            if kind != ObjectType::Blob {
                return Err(error(
                    PortErrorKind::Malformed,
                    format!("object {id} is a {kind}, not a file"),
                ));
            }
            if size as u64 > bounds::MAX_FILE_BYTES {
                return Err(error(
                    PortErrorKind::TooLarge,
                    format!("file {id} has {size} bytes, more than 1 MiB"),
                ));
            }
            if total > bounds::MAX_TOTAL_BYTES {
                return Err(error(
                    PortErrorKind::TooLarge,
                    "files of more than 64 MiB together".to_owned(),
                ));
            }
            read.insert(blob, objects.read(id).map_err(corrupt)?.data().to_vec());
        }
        Ok(blobs
            .iter()
            .map(|blob| read.get(blob).cloned().unwrap_or_default())
            .collect())
    }

    /// Fetches the branch, into a new mirror where the old one has grown crowded or cannot take it.
    fn fetch(&self, mirror: Mirror, lock: &Lock, deadline: Deadline) -> Result<Mirror, PortError> {
        if !mirror.fresh && self.place.crowded() {
            return self.renew(lock, deadline);
        }
        match self.remote.fetch(&mirror.repository, deadline) {
            Ok(()) => Ok(mirror),
            Err(failure) if failure.mirror_suspect && !mirror.fresh => self.renew(lock, deadline),
            Err(failure) => Err(failure.error),
        }
    }

    /// Fetches the branch into a new mirror and puts it in the old one's place.
    fn renew(&self, lock: &Lock, deadline: Deadline) -> Result<Mirror, PortError> {
        let (folder, fresh) = self.place.fresh()?;
        self.remote.fetch(&fresh, deadline).map_err(|failure| failure.error)?;
        if deadline.passed() {
            let message = "the time is up".to_owned();
            return Err(PortError::new(
                PortErrorKind::Unknown,
                format!("fetch {}", self.remote.url),
                message,
            ));
        }
        drop(fresh);
        Ok(Mirror {
            repository: self.place.replace(lock, &folder)?,
            fresh: true,
        })
    }

    /// Refuses a commit that does not descend from the last one, where that is asked for.
    fn check_ancestry(&self, mirror: &Repository, commit: Oid, last: Option<Oid>) -> Result<(), PortError> {
        let Some(last) = last.filter(|last| *last != commit && self.force_push == ForcePush::Refuse) else {
            return Ok(());
        };
        let descends = match mirror.graph_descendant_of(commit, last) {
            // The last commit is not in the history that was fetched.
            Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
            other => other,
        };
        if descends.map_err(|error| error::corrupt(&self.operation(commit), "the history", &error))? {
            return Ok(());
        }
        let branch = &self.remote.branch;
        let message = format!(
            "branch {branch} was rewritten: {commit} does not descend from {last}, which is kept; find out who pushed, \
             then restart Pinfold to take it, or set repository.forcePush to allow"
        );
        Err(PortError::new(PortErrorKind::Invalid, self.operation(commit), message))
    }

    fn list(&self, mirror: &Repository, commit: Oid, paths: &[String]) -> Result<SourceTree, PortError> {
        list(
            &CommitTree::open(mirror, commit, self.operation(commit))?,
            paths,
            &self.bounds,
        )
    }

    fn operation(&self, commit: Oid) -> String {
        format!("read commit {commit} of {}", self.remote.url)
    }
}

fn has(mirror: &Mirror, commit: Oid) -> bool {
    mirror.repository.find_commit(commit).is_ok()
}
