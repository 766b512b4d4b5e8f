//! Objects that lie in files of their own: whether they can be unfolded to their end. Keeps no content.
//!
//! libgit2 1.9 goes round for ever on such a file that ends too soon, and no deadline stops that thread.

use std::fs::File;
use std::io::{self, Read as _};

use flate2::read::ZlibDecoder;
use git2::{Oid, Repository};

/// Most bytes that are unfolded: more than anything that is read here may have.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Checks an object, if it lies in a file of its own.
///
/// # Errors
///
/// The file ends too soon or is no compressed object; the text says so.
pub(super) fn check(repository: &Repository, id: Oid) -> Result<(), String> {
    let name = id.to_string();
    let (folder, file) = name.split_at(2);
    let path = repository.commondir().join("objects").join(folder).join(file);
    let unfold = || {
        io::copy(
            &mut ZlibDecoder::new(File::open(path)?).take(MAX_BYTES),
            &mut io::sink(),
        )
    };
    match unfold() {
        Ok(_) => Ok(()),
        // In a pack, where libgit2 finds such faults by itself, or nowhere, which it says too.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("object {id} cannot be read: {error}")),
    }
}
