//! The worst day, systematically: processes that die at every call, two at once in every order, hands that interfere
//! between any two calls, storms of errors, and properties over arbitrary worlds. docs/reliability.md says what is promised.
//!
//! Nothing here waits, reads a clock or goes beyond the loopback; what is random is seeded.

#[cfg(test)]
#[expect(dead_code, reason = "the scenarios use the rest")]
#[path = "../scenarios/beside.rs"]
mod beside;
#[cfg(test)]
#[expect(dead_code, reason = "the command-line tests use the rest")]
#[path = "../cli/command.rs"]
mod command;
#[cfg(test)]
mod commits;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod dice;
#[cfg(test)]
mod direct;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod http;
#[cfg(test)]
mod human;
#[cfg(test)]
mod interrupt;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod log;
#[cfg(test)]
mod model;
#[cfg(test)]
mod panics;
#[cfg(test)]
mod patrol;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod provisioned;
#[cfg(test)]
#[path = "../scenarios/repository.rs"]
mod repository;
#[cfg(test)]
mod run;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod storms;
#[cfg(test)]
mod two;
#[cfg(test)]
mod windows;
#[cfg(test)]
#[expect(dead_code, reason = "the scenarios use the rest")]
#[path = "../scenarios/wiring.rs"]
mod wiring;
#[cfg(test)]
#[expect(dead_code, reason = "the scenarios use the rest")]
#[path = "../scenarios/world.rs"]
mod world;
#[cfg(test)]
mod worlds;
