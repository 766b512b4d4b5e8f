//! The last commit that was in force, in a file beside the mirrors, so that a rewritten branch is refused after a restart
//! too. Knows nothing of what commits follow each other.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use git2::Oid;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{mirror, wire};
use crate::domain::{BranchName, RepositoryUrl};
use crate::ports::PortError;

/// Digits of the hash that names the file.
const KEY_DIGITS: usize = 32;

/// Where the commit of one branch is kept. Like everything in the cache it may be deleted: then the branch is taken as it
/// is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LastCommit {
    #[serde(with = "wire::path")]
    file: PathBuf,
}

impl LastCommit {
    /// Names the file in the folder `cache`.
    pub(super) fn new(cache: &Path, url: &RepositoryUrl, branch: &BranchName) -> Self {
        let hash = Sha256::new()
            .chain_update(url.as_str().as_bytes())
            // No URL holds a line break.
            .chain_update(format!("\n{branch}").as_bytes());
        let mut key = hex::encode(hash.finalize());
        key.truncate(KEY_DIGITS);
        Self {
            file: cache.join(format!("{key}.last")),
        }
    }

    /// Returns the commit; `None` where none is kept.
    pub(super) fn read(&self) -> Result<Option<Oid>, PortError> {
        let text = match fs::read_to_string(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| self.error(&error))?,
        };
        let commit = Oid::from_str(text.trim());
        commit.map(Some).map_err(|_| {
            let error = io::Error::other("it names no commit: remove it, and the branch is taken as it is");
            self.error(&error)
        })
    }

    /// Keeps another commit. It is on the disk whole, or the one before it is.
    pub(super) fn keep(&self, commit: Oid) -> Result<(), PortError> {
        if self.read()? == Some(commit) {
            return Ok(());
        }
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            writeln!(file, "{commit}")?;
            file.as_file().sync_all()?;
            file.persist(&self.file).map(drop).map_err(io::Error::from)
        };
        write().map_err(|error| self.error(&error))
    }

    /// Keeps none any more.
    pub(super) fn forget(&self) -> Result<(), PortError> {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.error(&error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn error(&self, error: &io::Error) -> PortError {
        mirror::error(format!("keep the last commit in {}", self.file.display()), error)
    }
}
