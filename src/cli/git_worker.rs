//! `pinfold git-worker`: the child process that does one Git operation. Started by Pinfold itself, never by people.

use super::exit::{Exit, Failure};
use crate::adapters::git;

pub(super) fn run() -> Result<Exit, Failure> {
    git::serve_one().map_err(|error| {
        Failure::error(format!(
            "`git-worker` is for Pinfold itself, which talks to it through a pipe: {error}"
        ))
    })?;
    Ok(Exit::Ok)
}
