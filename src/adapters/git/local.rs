//! A repository on this machine: read where it lies, without a mirror. Writes nothing to it, and enters no work tree.
//!
//! libgit2 would copy it by unfolding each object in memory, however large; reading in place unfolds none but
//! those that are asked for.

use std::fs;
use std::io;
use std::path::Path;

use git2::{ErrorCode, Oid, Repository};

use super::error;
use super::remote::Remote;
use crate::ports::{PortError, PortErrorKind};

/// Opens the repository, bare or beside its work tree. Folders above it are not looked at.
pub(super) fn open(path: &Path, operation: &str) -> Result<Repository, PortError> {
    fs::metadata(path).map_err(|error| {
        let kind = if error.kind() == io::ErrorKind::PermissionDenied {
            PortErrorKind::AccessDenied
        } else {
            PortErrorKind::NotFound
        };
        PortError::new(
            kind,
            operation,
            format!("no such repository: {error}: check repository.url"),
        )
    })?;
    Repository::open(path).map_err(|error| error::remote(operation, &error))
}

/// Returns the head of the branch.
pub(super) fn head(repository: &Repository, remote: &Remote, operation: &str) -> Result<Oid, PortError> {
    match repository.refname_to_id(&remote.reference()) {
        Ok(head) => Ok(head),
        Err(error) if error.code() == ErrorCode::NotFound => {
            let names = || -> Result<Vec<String>, git2::Error> {
                let mut references = repository.references_glob("refs/heads/*")?;
                let names = references.names();
                Ok(names.filter_map(Result::ok).map(str::to_owned).collect())
            };
            let names = names().map_err(|error| error::corrupt(operation, "the branches", &error))?;
            Err(remote.no_branch(operation, names.iter().map(String::as_str)))
        }
        Err(error) => Err(error::corrupt(operation, "the branch", &error)),
    }
}
