//! The desired state from Git: each operation in a child process of this binary, where libgit2 reads object by object, from a
//! bare mirror or in place. Pushes nothing, checks nothing out.

mod child;
mod error;
mod github;
mod known_hosts;
mod last;
mod local;
mod loose;
mod mirror;
mod process;
mod proxy;
mod remote;
mod sizes;
mod snapshot;
mod tree;
mod verify;
mod wire;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::clock::SystemClock;
use crate::domain::{BlobId, BranchName, CommitId, ForcePush, GithubApp, RepositoryUrl, Secret, SourceTree};
use crate::ports::{Clock as _, DesiredSource, PortError, PortErrorKind};
use child::{Children, Deadline, Done};
pub use child::{WORKER_COMMAND, own_program};
use github::Tokens;
use last::LastCommit;
use mirror::Place;
pub use proxy::GitProxy;
use remote::Remote;
use sizes::Sizes;
use snapshot::{Snapshots, Store};
pub use verify::GitVerify;
use wire::{Answer, Known, Operation, Request};
pub use worker::serve_one;

/// Where the desired state is and how to get at it.
#[derive(Debug, Clone)]
pub struct GitSettings {
    /// The repository.
    pub url: RepositoryUrl,
    /// The branch that counts.
    pub branch: BranchName,
    /// Files with credentials, read anew for each connection, so that they may be rotated.
    pub auth: GitAuth,
    /// The GitHub App as whose installation the repository is read over https, in place of a token file.
    pub github_app: Option<GithubApp>,
    /// Which proxy leads to the repository over https, and to the API that makes the App's tokens.
    pub proxy: GitProxy,
    /// PEM file with authorities to trust beside the system's, read anew for each connection.
    pub ca_file: Option<PathBuf>,
    /// Wall clock for one operation.
    pub timeout: Duration,
    /// Where the mirror is kept, in a folder named by a hash of the URL; `None` for a temporary folder, removed
    /// with the [`GitSource`]. A repository on this machine needs no mirror.
    pub cache_dir: Option<PathBuf>,
    /// Whether a rewritten branch is followed.
    pub force_push: ForcePush,
    /// Who must have signed a commit; `None` where nobody need have.
    pub verify: Option<GitVerify>,
    /// The `pinfold` binary, which does the work of an operation as a child process: [`own_program`], but for tests.
    pub program: PathBuf,
}

impl GitSettings {
    /// Returns the settings for a repository that needs nothing else, with the defaults of the configuration.
    pub fn new(url: RepositoryUrl, branch: BranchName, program: PathBuf) -> Self {
        Self {
            url,
            branch,
            auth: GitAuth::default(),
            github_app: None,
            proxy: GitProxy::default(),
            ca_file: None,
            timeout: Duration::from_mins(1),
            cache_dir: None,
            force_push: ForcePush::Allow,
            verify: None,
            program,
        }
    }
}

/// Files with credentials.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GitAuth {
    /// User name for https; without it, `x-access-token`.
    #[serde(with = "wire::optional_path")]
    pub username_file: Option<PathBuf>,
    /// Token or password for https.
    #[serde(with = "wire::optional_path")]
    pub token_file: Option<PathBuf>,
    /// Private key for ssh, without a passphrase. The user is the URL's, or `git`.
    #[serde(with = "wire::optional_path")]
    pub ssh_key_file: Option<PathBuf>,
    /// Host keys to trust for ssh. Without it no ssh server is trusted.
    #[serde(with = "wire::optional_path")]
    pub known_hosts_file: Option<PathBuf>,
}

/// A branch of a Git repository.
///
/// Every operation runs in a child process, one at a time, and ends at the deadline whatever the server does.
#[derive(Debug)]
pub struct GitSource {
    /// Boxed, as is the App: a daemon's futures hold its source more than once.
    snapshots: Box<Snapshots>,
    tokens: Option<Box<Tokens>>,
    timeout: Duration,
    children: Children,
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
    /// There is no room for a temporary folder.
    pub fn new(settings: GitSettings) -> Result<Self, PortError> {
        let history = snapshot::history(settings.force_push);
        let cache = settings
            .cache_dir
            .as_ref()
            .filter(|_| settings.url.local_path().is_none());
        let last = cache.map(|cache| LastCommit::new(cache, &settings.url, &settings.branch));
        let mut temporary = None;
        let store = match (settings.url.local_path(), &settings.cache_dir) {
            (Some(path), _) => Store::Local(path),
            (None, Some(cache)) => Store::Mirror(Place::new(cache, &settings.url, history)),
            (None, None) => {
                let folder = tempfile::Builder::new().prefix("pinfold-").tempdir().map_err(|error| {
                    let message = format!("no temporary folder: {error}: set repository.cacheDir");
                    PortError::new(PortErrorKind::Unknown, format!("open {}", settings.url), message)
                })?;
                let place = Place::new(folder.path(), &settings.url, history);
                temporary = Some(folder);
                Store::Mirror(place)
            }
        };
        let home = match &store {
            Store::Local(_) => None,
            Store::Mirror(place) => Some(place.home()),
        };
        Ok(Self {
            snapshots: Box::new(Snapshots {
                store,
                remote: Remote {
                    url: settings.url,
                    branch: settings.branch,
                    auth: settings.auth,
                    token: None,
                    proxy: settings.proxy,
                    ca_file: settings.ca_file,
                    home,
                },
                force_push: settings.force_push,
                last,
                verify: settings.verify,
            }),
            tokens: settings.github_app.map(|app| Box::new(Tokens::new(app))),
            timeout: settings.timeout,
            children: Children::new(settings.program),
            known: Mutex::default(),
            temporary,
        })
    }

    /// Has a child do one thing for which it may have to ask the server. Where that asks for a token of the GitHub App,
    /// or takes the one that is held no longer, a token is made, and a second child goes on with it.
    ///
    /// A token keeps the rights that it was made with. One that the server takes and lets see nothing is held no longer
    /// either: by the next look the App may have been given what it lacks.
    fn run_remotely(&self, what: &'static str, operation: Operation) -> BoxFuture<'_, Result<Done, PortError>> {
        let deadline = Deadline::after(self.timeout);
        let Some(tokens) = &self.tokens else {
            return self.run(what, operation, None, deadline);
        };
        Box::pin(async move {
            let held = tokens.held(SystemClock.now());
            let done = self.run(what, operation.clone(), held, deadline).await;
            let Err(error) = &done else { return done };
            tokens.judged(error.kind);
            if error.kind != PortErrorKind::Credentials {
                return done;
            }
            let minting = tokens.mint(SystemClock.now(), &self.snapshots.remote);
            let late = |rest: String| tokens.error(PortErrorKind::Unknown, format!("no answer {rest}"));
            let token = deadline.hold(minting, late).await??;
            let done = self.run(what, operation, Some(token), deadline).await;
            done.inspect_err(|error| tokens.judged(error.kind))
        })
    }

    /// Has a child do one thing. Boxed, as it holds a process with its pipes and everything that it is told.
    fn run(
        &self,
        what: &str,
        operation: Operation,
        token: Option<Secret>,
        deadline: Deadline,
    ) -> BoxFuture<'_, Result<Done, PortError>> {
        let what = self.operation(what);
        let mut snapshots = Snapshots::clone(&self.snapshots);
        snapshots.remote.token = token;
        let request = Request {
            snapshots,
            operation,
            now: SystemClock.now(),
        };
        Box::pin(async move { self.children.run(&what, deadline, &request).await })
    }

    fn operation(&self, what: &str) -> String {
        format!("{what} {}", self.snapshots.remote.url)
    }

    /// A child that answers another question than it was asked is broken.
    fn malformed(&self, what: &str) -> PortError {
        let message = "the child process gave an answer that makes no sense";
        PortError::new(PortErrorKind::Malformed, self.operation(what), message)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is one assignment, so a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DesiredSource for GitSource {
    async fn head(&self) -> Result<Option<CommitId>, PortError> {
        const WHAT: &str = "list";
        let Answer::Head(head) = self.run_remotely(WHAT, Operation::Head).await?.answer else {
            return Err(self.malformed(WHAT));
        };
        head.parse().map(Some).map_err(|_| self.malformed(WHAT))
    }

    async fn tree(&self, commit: Option<&CommitId>, paths: &[String]) -> Result<SourceTree, PortError> {
        const WHAT: &str = "fetch";
        let operation = Operation::Tree {
            commit: commit.map(ToString::to_string),
            paths: paths.to_vec(),
            known: self.known().clone(),
        };
        let Answer::Tree { commit, tree } = self.run_remotely(WHAT, operation).await?.answer else {
            return Err(self.malformed(WHAT));
        };
        *self.known() = Known {
            head: Some(commit),
            mirror_corrupt: false,
            sizes: Sizes::of(&tree),
        };
        Ok(tree)
    }

    async fn contents(&self, blobs: &[BlobId]) -> Result<Vec<Vec<u8>>, PortError> {
        const WHAT: &str = "read files of";
        if blobs.is_empty() {
            return Ok(Vec::new());
        }
        let done = self
            .run(
                WHAT,
                Operation::Contents(blobs.to_vec()),
                None,
                Deadline::after(self.timeout),
            )
            .await
            .inspect_err(|error| {
                // What was listed is not there: the next tree is read from a new mirror.
                if error.kind == PortErrorKind::Malformed {
                    self.known().mirror_corrupt = true;
                }
            })?;
        let mut seen = BTreeSet::new();
        let once = blobs.iter().filter(|blob| seen.insert(*blob));
        let files: BTreeMap<&BlobId, Vec<u8>> = once.zip(done.files).collect();
        let of = |blob| files.get(blob).cloned().ok_or_else(|| self.malformed(WHAT));
        blobs.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_without_a_cache_goes_away() {
        let url = "https://h.example/a.git".parse().unwrap();
        let settings = GitSettings::new(url, "main".parse().unwrap(), PathBuf::new());
        let source = GitSource::new(settings).unwrap();
        let folder = source.temporary.as_ref().unwrap().path().to_owned();
        assert!(folder.exists());
        drop(source);
        assert!(!folder.exists());
    }
}
