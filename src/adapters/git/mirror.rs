//! The bare mirror on disk: where it is, who may use it, how it is made anew. Speaks to no server.
//!
//! It is a cache: whatever is wrong with it, it is thrown away and fetched again.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use git2::{Repository, RepositoryInitOptions};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::wire;
use crate::domain::RepositoryUrl;
use crate::ports::{PortError, PortErrorKind};

/// Digits of the URL's hash that name its folder.
const KEY_DIGITS: usize = 32;
/// The mirror in its folder.
const MIRROR: &str = "mirror.git";
/// How the folder of a mirror begins that is not complete yet.
const FRESH: &str = "fresh-";
/// Files in the mirror's pack folder before it is made anew. Each fetch leaves a pack and its index; libgit2 never
/// joins them, and looks through all of them for each object.
const MAX_PACK_FILES: usize = 200;

/// Files of packs that are still coming in, or whose child was killed.
const UNFINISHED_PACK: &str = "pack_git2_";

/// How much of a branch is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum History {
    /// The head alone, where the server can do so.
    Head,
    /// All of it: whether a commit follows another is to be told.
    Whole,
}

/// The folder of one repository's mirror.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Place {
    #[serde(with = "wire::path")]
    folder: PathBuf,
}

/// The right to use the mirror, shared with other processes; given back when it is dropped.
pub(super) struct Lock(File);

impl Place {
    /// Names the folder below `cache`: by a hash of the URL and of whether the history is kept, so that two mirrors never
    /// mix.
    pub(super) fn new(cache: &Path, url: &RepositoryUrl, history: History) -> Self {
        let hash = Sha256::new().chain_update(url.as_str().as_bytes());
        let hash = match history {
            History::Whole => hash,
            // No URL holds a line break.
            History::Head => hash.chain_update(b"\nhead"),
        };
        let mut key = hex::encode(hash.finalize());
        key.truncate(KEY_DIGITS);
        Self {
            folder: cache.join(key),
        }
    }

    /// Returns a folder that can stand for the user's home.
    pub(super) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// Waits until nobody is replacing the mirror. The folder is made where it is not there.
    pub(super) fn lock(&self) -> Result<Lock, PortError> {
        self.make_folder().map_err(|error| self.error(&error))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.folder.join("lock"))
            .map_err(|error| self.error(&error))?;
        lock.lock_shared()
            .or_else(unsupported)
            .map_err(|error| self.error(&error))?;
        Ok(Lock(lock))
    }

    /// Opens the mirror; makes an empty one where there is none, or none that can be opened.
    pub(super) fn open(&self, lock: &Lock) -> Result<Repository, PortError> {
        let path = self.folder.join(MIRROR);
        if let Ok(repository) = open(&path) {
            return Ok(repository);
        }
        lock.0.lock().or_else(unsupported).map_err(|error| self.error(&error))?;
        // Another process may have made it by now.
        let repository = open(&path).or_else(|_| {
            self.clean(true).map_err(|error| self.error(&error))?;
            init(&path).map_err(|error| self.git_error(&error))
        })?;
        lock.0
            .lock_shared()
            .or_else(unsupported)
            .map_err(|error| self.error(&error))?;
        Ok(repository)
    }

    /// Makes an empty mirror beside the one in use.
    pub(super) fn fresh(&self) -> Result<(TempDir, Repository), PortError> {
        let folder = tempfile::Builder::new()
            .prefix(FRESH)
            .tempdir_in(&self.folder)
            .map_err(|error| self.error(&error))?;
        let repository = init(&folder.path().join(MIRROR)).map_err(|error| self.git_error(&error))?;
        Ok((folder, repository))
    }

    /// Puts a fresh mirror in the place of the one in use, unless another process is using that.
    pub(super) fn replace(&self, lock: &Lock, fresh: &TempDir) -> Result<Repository, PortError> {
        match lock.0.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // Trying may have cost the shared one.
                lock.0
                    .lock_shared()
                    .or_else(unsupported)
                    .map_err(|error| self.error(&error))?;
                let message =
                    "another operation is using the mirror, which must be made anew: the next pass tries again";
                return Err(PortError::new(PortErrorKind::Conflict, self.operation(), message));
            }
            Err(TryLockError::Error(error)) => unsupported(error).map_err(|error| self.error(&error))?,
        }
        let path = self.folder.join(MIRROR);
        // The fresh one is moved out of the way of the cleaning first.
        let incoming = self.folder.join("incoming.git");
        let swap = || {
            remove(&incoming)?;
            fs::rename(fresh.path().join(MIRROR), &incoming)?;
            self.clean(true)?;
            fs::rename(&incoming, &path)
        };
        swap().map_err(|error| self.error(&error))?;
        open(&path).map_err(|error| self.git_error(&error))
    }

    /// Returns whether so many packs have gathered that the mirror should be made anew.
    pub(super) fn crowded(&self) -> bool {
        let packs = self.folder.join(MIRROR).join("objects/pack");
        fs::read_dir(packs).is_ok_and(|files| files.count() > MAX_PACK_FILES)
    }

    /// Makes the folder, for nobody else's eyes: the repository may not be public.
    fn make_folder(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let metadata = fs::symlink_metadata(&self.folder)?;
        if !metadata.is_dir() {
            return Err(io::Error::other("not a folder"));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    }

    /// Removes what killed processes left unfinished, unless another one is at work: each try at a server that hangs would
    /// leave a little more.
    pub(super) fn tidy(&self, lock: &Lock) -> Result<(), PortError> {
        let tidied = match lock.0.try_lock() {
            Ok(()) => self
                .clean(false)
                .and_then(|()| remove_all(&self.folder.join(MIRROR).join("objects/pack"), UNFINISHED_PACK)),
            Err(_) => Ok(()),
        };
        // Also where it was not to be had: trying may have cost the shared one.
        tidied
            .and_then(|()| lock.0.lock_shared().or_else(unsupported))
            .map_err(|error| self.error(&error))
    }

    /// Removes what earlier processes left unfinished, and the mirror itself. Only for who has the lock alone.
    fn clean(&self, mirror: bool) -> io::Result<()> {
        if mirror {
            remove(&self.folder.join(MIRROR))?;
        }
        remove_all(&self.folder, FRESH)
    }

    fn operation(&self) -> String {
        format!("open the mirror in {}", self.folder.display())
    }

    fn error(&self, failure: &io::Error) -> PortError {
        error(self.operation(), failure)
    }

    fn git_error(&self, error: &git2::Error) -> PortError {
        self.error(&io::Error::other(error.message().to_owned()))
    }
}

/// Says that something in the cache could not be read or written.
pub(super) fn error(operation: String, error: &io::Error) -> PortError {
    let kind = if error.kind() == io::ErrorKind::PermissionDenied {
        PortErrorKind::AccessDenied
    } else {
        PortErrorKind::Unknown
    };
    let message = format!("{error}: repository.cacheDir must be a folder that Pinfold may write to, with space left");
    PortError::new(kind, operation, message)
}

/// Passes over a file system without locks: there, two processes must not share a folder.
fn unsupported(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::Unsupported {
        Ok(())
    } else {
        Err(error)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes everything in a folder whose name begins so. A folder that is not there is empty.
fn remove_all(folder: &Path, prefix: &str) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<Repository, git2::Error> {
    let repository = Repository::open_bare(path)?;
    forbid_redirects(&repository)?;
    Ok(repository)
}

fn init(path: &Path) -> Result<Repository, git2::Error> {
    let mut options = RepositoryInitOptions::new();
    options.bare(true).external_template(false);
    let repository = Repository::init_opts(path, &options)?;
    forbid_redirects(&repository)?;
    Ok(repository)
}

/// A mere list of heads takes its word on redirects from the configuration alone.
fn forbid_redirects(repository: &Repository) -> Result<(), git2::Error> {
    const KEY: &str = "http.followRedirects";
    let mut config = repository.config()?;
    if config.get_bool(KEY) != Ok(false) {
        config.set_bool(KEY, false)?;
    }
    Ok(())
}
