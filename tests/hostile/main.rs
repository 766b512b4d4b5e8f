//! Repositories made to do harm, given to the binary in every way that it reads one: `validate`, `plan --source`, and from
//! Git. Each names two honest functions beside: whatever else it holds, these are read, and nobody but the harmful file is
//! told of. The tests are named after the rows of docs/reliability.md.

#[cfg(test)]
#[expect(dead_code, reason = "the command-line tests use the rest")]
#[path = "../cli/command.rs"]
mod command;
#[cfg(test)]
#[path = "../cli/fleet.rs"]
mod fleet;
#[cfg(test)]
mod git;
#[cfg(test)]
#[path = "../scenarios/repository.rs"]
mod repository;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod whole;
#[cfg(test)]
mod zoo;
