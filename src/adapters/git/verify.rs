//! Whether a commit may speak: signed, over its very bytes, by a key that the configuration names. Fetches nothing.
//!
//! Times are judged twice: a key must have been valid when the commit says that it was made, which Git asks for too, and
//! must be valid now, as whoever holds a retired key can write any date.

mod allowed_signers;
mod commit;
#[cfg(feature = "openpgp")]
mod openpgp;
mod ssh;

use std::path::{Path, PathBuf};

use git2::{Oid, Repository};
use serde::{Deserialize, Serialize};

use super::super::file;
use super::error;
use super::wire;
use crate::domain::Timestamp;
use crate::ports::{PortError, PortErrorKind};
use commit::SignedCommit;

/// Who may sign commits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitVerify {
    /// SSH keys, in the format of ssh-keygen(1), "ALLOWED SIGNERS".
    #[serde(with = "wire::optional_path")]
    pub allowed_signers_file: Option<PathBuf>,
    /// OpenPGP certificates, armored or binary.
    #[serde(with = "wire::optional_path")]
    pub openpgp_keys_file: Option<PathBuf>,
}

/// The two times at which a key must be valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    /// When the committer says that the commit was made.
    committed: Timestamp,
    /// Now.
    now: Timestamp,
}

/// How a signature begins says how it was made.
const SSH: &str = "-----BEGIN SSH SIGNATURE-----";
const OPENPGP: &str = "-----BEGIN PGP SIGNATURE-----";

/// Checks a commit.
///
/// # Errors
///
/// `Unverified`, and why; `Invalid` where the files with keys cannot be used; `Malformed` where the commit cannot be read.
pub(super) fn check(
    repository: &Repository,
    id: Oid,
    verify: &GitVerify,
    now: Timestamp,
    operation: &str,
) -> Result<(), PortError> {
    let corrupt = |e: git2::Error| error::corrupt(operation, "the commit", &e);
    let objects = repository.odb().map_err(corrupt)?;
    let object = objects.read(id).map_err(corrupt)?;
    let commit = commit::parse(object.data()).map_err(|why| unverified(operation, &why))?;
    // What libgit2 makes of the same bytes is what will be read.
    let tree = repository.find_commit(id).map_err(corrupt)?.tree_id();
    if tree.to_string() != commit.tree {
        return Err(unverified(operation, "it can be read in two ways"));
    }
    signature(&commit, verify, now).map_err(|refusal| match refusal {
        Refusal::Commit(why) => unverified(operation, &why),
        Refusal::Keys(why) => PortError::new(PortErrorKind::Invalid, operation, why),
    })
}

/// Why a commit is not taken.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// It is the commit's fault.
    Commit(String),
    /// The files with keys cannot be used.
    Keys(String),
}

fn signature(commit: &SignedCommit<'_>, verify: &GitVerify, now: Timestamp) -> Result<(), Refusal> {
    let Some(signature) = &commit.signature else {
        return Err(Refusal::Commit("it is not signed".to_owned()));
    };
    let times = Times {
        committed: commit.committed,
        now,
    };
    if times.committed > now + ALLOWED_SKEW {
        let committed = times.committed.to_rfc3339();
        return Err(Refusal::Commit(format!("it was made in the future, at {committed}")));
    }
    if signature.starts_with(SSH) {
        let path = named(verify.allowed_signers_file.as_ref(), "with SSH", "allowedSignersFile")?;
        let keys = file::text(path).map_err(|error| Refusal::Keys(error.to_string()))?;
        let signers =
            allowed_signers::parse(&keys).map_err(|fault| Refusal::Keys(format!("{}: {fault}", path.display())))?;
        return ssh::check(signature, &commit.payload, &signers, times)
            .map_err(|why| Refusal::Commit(format!("{why} ({})", path.display())));
    }
    if signature.starts_with(OPENPGP) {
        let file = named(verify.openpgp_keys_file.as_ref(), "with OpenPGP", "openpgpKeysFile")?;
        return openpgp_signature(signature, &commit.payload, file, times);
    }
    let begin: String = signature.lines().next().unwrap_or_default().chars().take(60).collect();
    Err(Refusal::Commit(format!(
        "its signature is neither SSH nor OpenPGP, but begins with {begin:?}"
    )))
}

/// How far the clocks of those who commit may be ahead.
const ALLOWED_SKEW: std::time::Duration = std::time::Duration::from_mins(10);

fn named<'f>(file: Option<&'f PathBuf>, how: &str, key: &str) -> Result<&'f Path, Refusal> {
    file.map(PathBuf::as_path)
        .ok_or_else(|| Refusal::Commit(format!("it is signed {how}, and repository.verify.{key} is not set")))
}

#[cfg(feature = "openpgp")]
fn openpgp_signature(signature: &str, payload: &[u8], path: &Path, times: Times) -> Result<(), Refusal> {
    let keys = file::bytes(path).map_err(|error| Refusal::Keys(error.to_string()))?;
    let certificates =
        openpgp::certificates(&keys).map_err(|fault| Refusal::Keys(format!("{}: {fault}", path.display())))?;
    openpgp::check(signature, payload, &certificates, times)
        .map_err(|why| Refusal::Commit(format!("{why} ({})", path.display())))
}

#[cfg(not(feature = "openpgp"))]
fn openpgp_signature(_: &str, _: &[u8], _: &Path, _: Times) -> Result<(), Refusal> {
    Err(Refusal::Keys(
        "this build has no OpenPGP: build it with the feature `openpgp`".to_owned(),
    ))
}

fn unverified(operation: &str, why: &str) -> PortError {
    let message = format!(
        "the commit may not speak: {why}; what was verified last stays in force: sign a commit with a key that \
         repository.verify names, and push it"
    );
    PortError::new(PortErrorKind::Unverified, operation, message)
}

#[cfg(test)]
mod tests;
