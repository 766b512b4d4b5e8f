//! The sandbox's state in a file. A file is there whole or not at all; what is in it is the sandbox's affair.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use super::super::exit::Failure;
use crate::sandbox::{Sandbox, State};

/// Puts the state of a file into a sandbox.
pub(super) fn load(sandbox: &Sandbox, file: &Path) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        let remedy = "name a file that `pinfold sandbox --save` of this version wrote, or leave out --load";
        Failure::error(format!("cannot load {}: {error}: {remedy}", file.display()))
    };
    let bytes = fs::read(file).map_err(|error| failed(&error))?;
    let state: State = serde_json::from_slice(&bytes).map_err(|error| failed(&error))?;
    sandbox.load(state).map_err(|error| failed(&error))
}

/// Tells before anything is done whether the state could be written.
pub(super) fn check(file: &Path) -> Result<(), Failure> {
    if file.is_dir() {
        return Err(not_saved(file, &"this is a folder"));
    }
    beside(file).map(drop)
}

/// Writes the state of a sandbox: beside the file first, so that the old one stays until the new one is whole.
pub(super) fn save(sandbox: &Sandbox, file: &Path) -> Result<(), Failure> {
    let temporary = beside(file)?;
    let mut writer = BufWriter::new(temporary.as_file());
    serde_json::to_writer(&mut writer, &sandbox.save()).map_err(|error| not_saved(file, &error))?;
    writer.flush().map_err(|error| not_saved(file, &error))?;
    drop(writer);
    temporary
        .as_file()
        .sync_all()
        .map_err(|error| not_saved(file, &error))?;
    temporary.persist(file).map_err(|error| not_saved(file, &error.error))?;
    Ok(())
}

fn beside(file: &Path) -> Result<NamedTempFile, Failure> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    NamedTempFile::new_in(folder).map_err(|error| not_saved(file, &error))
}

fn not_saved(file: &Path, error: &dyn std::fmt::Display) -> Failure {
    let remedy = "name a file in a folder that exists and can be written to";
    Failure::error(format!("cannot save to {}: {error}: {remedy}", file.display()))
}
