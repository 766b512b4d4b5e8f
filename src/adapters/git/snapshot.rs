//! Brings a commit here, checks that it may follow the last one, and lists it. Repairs the mirror once, and decides nothing else.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use git2::{ObjectType, Oid, Repository};
use serde::{Deserialize, Serialize};

use super::super::listing::{Bounds, list};
use super::error;
use super::last::LastCommit;
use super::local;
use super::loose;
use super::mirror::{History, Lock, Place};
use super::remote::Remote;
use super::sizes::Sizes;
use super::tree::CommitTree;
use super::verify::{self, GitVerify};
use super::wire::{self, Known};
use crate::domain::{BlobId, ForcePush, SourceTree, Timestamp, bounds};
use crate::ports::{PortError, PortErrorKind};

/// A repository and where its objects are read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Snapshots {
    /// Where objects are read.
    pub(super) store: Store,
    /// The repository.
    pub(super) remote: Remote,
    /// Whether a rewritten branch is followed.
    #[serde(with = "wire::Rewrites")]
    pub(super) force_push: ForcePush,
    /// Where the last commit is kept for the next process; `None` where there is no cache to keep it in.
    pub(super) last: Option<LastCommit>,
    /// Who must have signed a commit; `None` where nobody need have.
    pub(super) verify: Option<GitVerify>,
}

/// Where objects are read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Store {
    /// In the repository itself, which is on this machine.
    Local(#[serde(with = "wire::path")] PathBuf),
    /// In a mirror.
    Mirror(Place),
}

/// The mirror while a commit is looked for.
struct Mirror<'p> {
    place: &'p Place,
    lock: Lock,
    repository: Option<Repository>,
    /// Whether it was made anew just now, so that doing so once more would not help.
    fresh: bool,
}

impl Mirror<'_> {
    fn repository(&mut self) -> Result<&Repository, PortError> {
        let repository = match self.repository.take() {
            Some(repository) => repository,
            None => self.place.open(&self.lock)?,
        };
        Ok(self.repository.insert(repository))
    }

    fn has(&mut self, commit: Oid) -> Result<bool, PortError> {
        self.repository().map(|repository| has(repository, commit))
    }
}

impl Snapshots {
    /// Asks for the head of the branch.
    pub(super) fn head(&self) -> Result<Oid, PortError> {
        match &self.store {
            Store::Local(path) => {
                let operation = format!("list {}", self.remote.url);
                local::head(&local::open(path, &operation)?, &self.remote, &operation)
            }
            Store::Mirror(place) => {
                let lock = place.lock()?;
                let mirror = place.open(&lock)?;
                self.remote.head(&mirror)
            }
        }
    }

    /// Brings a commit here (the head, where none is named) and lists it. Returns it with its files.
    pub(super) fn tree(
        &self,
        commit: Option<&str>,
        paths: &[String],
        known: &Known,
        now: Timestamp,
    ) -> Result<(Oid, SourceTree), PortError> {
        let commit = match commit {
            Some(commit) => Oid::from_str(commit).map_err(|error| {
                let message = format!("not a commit of a SHA-1 repository: {}", error.message());
                PortError::new(PortErrorKind::Invalid, format!("fetch {}", self.remote.url), message)
            })?,
            None => self.head()?,
        };
        let place = match &self.store {
            Store::Local(path) => {
                let repository = local::open(path, &self.operation(commit))?;
                return Ok((
                    commit,
                    self.read(&repository, commit, paths, &self.last(known)?, &known.sizes, now)?,
                ));
            }
            Store::Mirror(place) => place,
        };
        let lock = place.lock()?;
        place.tidy(&lock)?;
        let last = self.last(known)?;
        let mut mirror = Mirror {
            place,
            lock,
            repository: None,
            fresh: false,
        };
        if known.mirror_corrupt {
            self.renew(&mut mirror)?;
        }
        if !mirror.has(commit)? {
            self.fetch(&mut mirror, commit)?;
        }
        // An object that is there in name only keeps a fetch from bringing it.
        if !mirror.has(commit)? && !mirror.fresh {
            self.renew(&mut mirror)?;
        }
        let tree = match self.read(mirror.repository()?, commit, paths, &last, &known.sizes, now) {
            Err(error) if error.kind == PortErrorKind::Malformed && !mirror.fresh => {
                self.renew(&mut mirror)?;
                self.read(mirror.repository()?, commit, paths, &last, &known.sizes, now)?
            }
            other => other?,
        };
        match (&self.last, self.force_push) {
            (Some(last), ForcePush::Refuse) => last.keep(commit)?,
            // Whoever refuses again begins with the branch as it is then.
            (Some(last), ForcePush::Allow) => last.forget()?,
            (None, _) => {}
        }
        Ok((commit, tree))
    }

    /// Reads files by the names of their contents, and hands each to `take` before the next is read. Names that come
    /// again are passed over.
    pub(super) fn contents(
        &self,
        blobs: &[BlobId],
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), PortError> {
        let operation = format!("read files of {}", self.remote.url);
        let error = |kind, message: String| PortError::new(kind, operation.as_str(), message);
        let (repository, _lock) = match &self.store {
            Store::Local(path) => (local::open(path, &operation)?, None),
            Store::Mirror(place) => {
                let lock = place.lock()?;
                (place.open(&lock)?, Some(lock))
            }
        };
        let objects = repository
            .odb()
            .map_err(|e| error::corrupt(&operation, "the repository", &e))?;
        let (mut seen, mut total) = (BTreeSet::new(), 0);
        for blob in blobs.iter().filter(|blob| seen.insert(*blob)) {
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
            loose::check(&repository, id).map_err(|message| error(PortErrorKind::Malformed, message))?;
            take(objects.read(id).map_err(corrupt)?.data())
                .map_err(|gone| error(PortErrorKind::Unknown, format!("nobody takes the files: {gone}")))?;
        }
        Ok(())
    }

    /// Fetches the branch, into a new mirror where the old one has grown crowded or cannot take it.
    fn fetch(&self, mirror: &mut Mirror<'_>, commit: Oid) -> Result<(), PortError> {
        if !mirror.fresh && mirror.place.crowded() {
            match self.renew(mirror) {
                // Another process is reading; a crowded mirror is slow, and serves until the next time.
                Err(error) if error.kind == PortErrorKind::Conflict => {}
                other => return other,
            }
        }
        match self.remote.fetch(mirror.repository()?, history(self.force_push)) {
            Ok(()) => Ok(()),
            // Another process was quicker with the reference; the objects are here.
            Err(failure) if failure.mirror_suspect && mirror.has(commit)? => Ok(()),
            Err(failure) if failure.mirror_suspect && !mirror.fresh => self.renew(mirror),
            Err(failure) => Err(failure.error),
        }
    }

    /// Fetches the branch into a new mirror and puts it in the old one's place.
    fn renew(&self, mirror: &mut Mirror<'_>) -> Result<(), PortError> {
        let (folder, fresh) = mirror.place.fresh()?;
        self.remote
            .fetch(&fresh, history(self.force_push))
            .map_err(|failure| failure.error)?;
        drop(fresh);
        mirror.repository = Some(mirror.place.replace(&mirror.lock, &folder)?);
        mirror.fresh = true;
        Ok(())
    }

    /// Checks that the commit is there, may speak and may follow the last one, and lists it.
    fn read(
        &self,
        repository: &Repository,
        commit: Oid,
        paths: &[String],
        last: &[Oid],
        sizes: &Sizes,
        now: Timestamp,
    ) -> Result<SourceTree, PortError> {
        if !has(repository, commit) {
            let branch = &self.remote.branch;
            let message = format!(
                "commit {commit} is not there: branch {branch} moved on meanwhile, or the repository is corrupt; the next \
                 look asks again"
            );
            return Err(PortError::new(PortErrorKind::Conflict, self.operation(commit), message));
        }
        let tree = CommitTree::open(repository, commit, sizes, self.operation(commit))?;
        if let Some(who) = &self.verify {
            verify::check(repository, commit, who, now, &self.operation(commit))?;
        }
        last.iter()
            .try_for_each(|last| self.check_ancestry(repository, commit, *last))?;
        list(&tree, paths, &Bounds::default())
    }

    /// Returns the commits that the next one must descend from: the last of this process, and the last that any process
    /// has kept.
    fn last(&self, known: &Known) -> Result<Vec<Oid>, PortError> {
        if self.force_push == ForcePush::Allow {
            return Ok(Vec::new());
        }
        let own = known.head.as_deref().and_then(|head| Oid::from_str(head).ok());
        let kept = self.last.as_ref().map(LastCommit::read).transpose()?.flatten();
        Ok(own.into_iter().chain(kept).collect())
    }

    /// Refuses a commit that does not descend from the last one.
    fn check_ancestry(&self, repository: &Repository, commit: Oid, last: Oid) -> Result<(), PortError> {
        if commit == last {
            return Ok(());
        }
        let descends = || repository.graph_descendant_of(commit, last);
        // One that is not here is not in the history that was fetched.
        if has(repository, last)
            && descends().map_err(|error| error::corrupt(&self.operation(commit), "the history", &error))?
        {
            return Ok(());
        }
        let branch = &self.remote.branch;
        let restart = if self.last.is_none() {
            ", or restart Pinfold"
        } else {
            ""
        };
        let message = format!(
            "branch {branch} was rewritten: {commit} does not descend from {last}, which is kept; find out who pushed, then \
             set repository.forcePush to allow until it is read{restart}"
        );
        Err(PortError::new(PortErrorKind::Invalid, self.operation(commit), message))
    }

    fn operation(&self, commit: Oid) -> String {
        format!("read commit {commit} of {}", self.remote.url)
    }
}

/// Returns how much has to be fetched: whether a commit follows another is asked only where that counts.
pub(super) fn history(force_push: ForcePush) -> History {
    match force_push {
        ForcePush::Allow => History::Head,
        ForcePush::Refuse => History::Whole,
    }
}

fn has(repository: &Repository, commit: Oid) -> bool {
    repository.odb().is_ok_and(|objects| objects.exists(commit))
}
