//! The desired state from Git, through libgit2: read object by object, from a bare mirror or in place. Pushes nothing, checks nothing out.

mod error;
mod known_hosts;
mod local;
mod loose;
mod mirror;
mod process;
mod remote;
mod snapshot;
mod tree;
mod worker;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use git2::Oid;
use tempfile::TempDir;

use super::listing::Bounds;
use crate::domain::{BlobId, BranchName, CommitId, ForcePush, RepositoryUrl, SourceTree};
use crate::ports::{DesiredSource, PortError, PortErrorKind};
use mirror::Place;
use remote::Remote;
use snapshot::{Known, Snapshots, Store};
use worker::{Deadline, Worker};

/// Where the desired state is and how to get at it.
#[derive(Debug, Clone)]
pub struct GitSettings {
    /// The repository.
    pub url: RepositoryUrl,
    /// The branch that counts.
    pub branch: BranchName,
    /// Files with credentials, read anew for each connection, so that they may be rotated.
    pub auth: GitAuth,
    /// PEM file with authorities to trust beside the system's. libgit2 knows one for the whole process: the first
    /// [`GitSource`] sets it.
    pub ca_file: Option<PathBuf>,
    /// Wall clock for one operation.
    pub timeout: Duration,
    /// Where the mirror is kept, in a folder named by a hash of the URL; `None` for a temporary folder, removed
    /// with the [`GitSource`]. A repository on this machine needs no mirror.
    pub cache_dir: Option<PathBuf>,
    /// Whether a rewritten branch is followed.
    pub force_push: ForcePush,
}

/// Files with credentials.
#[derive(Debug, Clone, Default)]
pub struct GitAuth {
    /// User name for https; without it, `x-access-token`.
    pub username_file: Option<PathBuf>,
    /// Token or password for https.
    pub token_file: Option<PathBuf>,
    /// Private key for ssh, without a passphrase. The user is the URL's, or `git`.
    pub ssh_key_file: Option<PathBuf>,
    /// Host keys to trust for ssh. Without it no ssh server is trusted.
    pub known_hosts_file: Option<PathBuf>,
}

/// A branch of a Git repository.
///
/// Every operation runs on a thread of its own and ends, for the caller, at the deadline, one at a time.
#[derive(Debug)]
pub struct GitSource {
    snapshots: Arc<Snapshots>,
    timeout: Duration,
    worker: Worker,
    known: Mutex<Known>,
    /// Removed when the source is dropped.
    #[cfg_attr(not(test), expect(dead_code, reason = "held for its destructor"))]
    temporary: Option<TempDir>,
}

impl GitSource {
    /// Takes the settings. Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// There is no room for a temporary folder, or the file with authorities cannot be read.
    pub fn new(settings: GitSettings) -> Result<Self, PortError> {
        Self::with_bounds(settings, Bounds::default())
    }

    fn with_bounds(settings: GitSettings, bounds: Bounds) -> Result<Self, PortError> {
        let operation = || format!("open {}", settings.url);
        let mut temporary = None;
        let store = match (settings.url.local_path(), &settings.cache_dir) {
            (Some(path), _) => Store::Local(path),
            (None, Some(cache)) => Store::Mirror(Place::new(cache, &settings.url)),
            (None, None) => {
                let folder = tempfile::Builder::new().prefix("pinfold-").tempdir().map_err(|error| {
                    let message = format!("no temporary folder: {error}: set repository.cacheDir");
                    PortError::new(PortErrorKind::Unknown, operation(), message)
                })?;
                let place = Place::new(folder.path(), &settings.url);
                temporary = Some(folder);
                Store::Mirror(place)
            }
        };
        let home = match &store {
            Store::Local(_) => None,
            Store::Mirror(place) => Some(place.home()),
        };
        process::prepare(settings.ca_file.as_deref(), home.as_deref())
            .map_err(|message| PortError::new(PortErrorKind::Invalid, operation(), message))?;
        Ok(Self {
            snapshots: Arc::new(Snapshots {
                store,
                remote: Remote {
                    url: settings.url,
                    branch: settings.branch,
                    auth: settings.auth,
                    home,
                },
                force_push: settings.force_push,
                bounds,
            }),
            timeout: settings.timeout,
            worker: Worker::default(),
            known: Mutex::default(),
            temporary,
        })
    }

    /// Runs an operation on the worker.
    async fn run<T, F>(&self, operation: &str, work: F) -> Result<T, PortError>
    where
        T: Send + 'static,
        F: FnOnce(&Snapshots, Deadline) -> Result<T, PortError> + Send + 'static,
    {
        let snapshots = Arc::clone(&self.snapshots);
        let work = move |deadline| work(&snapshots, deadline);
        self.worker.run(operation, self.timeout, work).await
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is one assignment, so a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DesiredSource for GitSource {
    async fn head(&self) -> Result<Option<CommitId>, PortError> {
        let operation = format!("list {}", self.snapshots.remote.url);
        let head = self.run(&operation, Snapshots::head).await?;
        let malformed = |error| PortError::new(PortErrorKind::Malformed, operation, format!("{error}"));
        head.to_string().parse().map(Some).map_err(malformed)
    }

    async fn tree(&self, commit: Option<&CommitId>, paths: &[String]) -> Result<SourceTree, PortError> {
        let operation = format!("fetch {}", self.snapshots.remote.url);
        let commit = match commit.map(|commit| Oid::from_str(commit.as_str())).transpose() {
            Ok(commit) => commit,
            Err(error) => {
                let message = format!("not a commit of a SHA-1 repository: {}", error.message());
                return Err(PortError::new(PortErrorKind::Invalid, operation, message));
            }
        };
        let (paths, known) = (paths.to_vec(), *self.known());
        let work = move |snapshots: &Snapshots, deadline| snapshots.tree(commit, &paths, known, deadline);
        let (commit, tree) = self.run(&operation, work).await?;
        *self.known() = Known {
            head: Some(commit),
            mirror_corrupt: false,
        };
        Ok(tree)
    }

    async fn contents(&self, blobs: &[BlobId]) -> Result<Vec<Vec<u8>>, PortError> {
        let operation = format!("read files of {}", self.snapshots.remote.url);
        let blobs = blobs.to_vec();
        let work = move |snapshots: &Snapshots, _| snapshots.contents(&blobs);
        self.run(&operation, work).await.inspect_err(|error| {
            // What was listed is not there: the next tree is read from a new mirror.
            if error.kind == PortErrorKind::Malformed {
                self.known().mirror_corrupt = true;
            }
        })
    }
}

#[cfg(test)]
mod tests;
