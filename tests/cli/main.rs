//! The binary from outside: arguments, exit codes, what goes where, and the commands end to end as child processes.
//!
//! Every process gets an empty environment with a home of its own, and nothing reaches beyond the loopback.

#[cfg(test)]
mod command;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod passes;
#[cfg(test)]
mod plan;
#[cfg(test)]
#[path = "../scenarios/repository.rs"]
mod repository;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod validate;
