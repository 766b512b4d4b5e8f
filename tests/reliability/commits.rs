//! A repository for tests with paused time: a plain folder, whose every state is a commit.

use std::path::{Path, PathBuf};

use pinfold::adapters::folder::FolderSource;
use pinfold::domain::{BlobId, CommitId, SourceTree};
use pinfold::ports::{DesiredSource, PortError};
use sha2::{Digest as _, Sha256};

/// A folder that is taken for a repository.
pub(crate) struct Commits {
    path: PathBuf,
    folder: FolderSource,
}

impl Commits {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            folder: FolderSource::new(path),
        }
    }
}

/// Digests every file below a folder, in an order of its own.
fn digest(folder: &Path, digester: &mut Sha256) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            digest(&path, digester);
        } else {
            digester.update(std::fs::read(&path).unwrap());
        }
    }
}

impl DesiredSource for Commits {
    async fn head(&self) -> Result<Option<CommitId>, PortError> {
        let mut digester = Sha256::new();
        digest(&self.path, &mut digester);
        let id = hex::encode(&digester.finalize()[..20]);
        Ok(Some(id.parse().unwrap()))
    }

    async fn tree(&self, _commit: Option<&CommitId>, paths: &[String]) -> Result<SourceTree, PortError> {
        self.folder.tree(None, paths).await
    }

    async fn contents(&self, blobs: &[BlobId]) -> Result<Vec<Vec<u8>>, PortError> {
        self.folder.contents(blobs).await
    }
}
