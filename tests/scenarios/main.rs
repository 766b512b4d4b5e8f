//! Scenarios: a settled world with one thing changed, through the real SDK over HTTP against the embedded Lambda and S3.
//!
//! Each tells what is planned, which calls write, what the report says afterwards and what is live then. Nothing here
//! reaches beyond the loopback, and nothing waits: the clock is turned by whoever sleeps on it.

#[cfg(test)]
mod aliases;
#[cfg(test)]
mod artifacts;
#[cfg(test)]
mod beside;
#[cfg(test)]
mod calm;
#[cfg(test)]
mod contention;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod hints;
#[cfg(test)]
mod json;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod log;
#[cfg(test)]
mod lost;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod notifications;
#[cfg(test)]
mod paging;
#[cfg(test)]
mod partly;
#[cfg(test)]
mod progress;
#[cfg(test)]
mod provisioned;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod repository;
#[cfg(test)]
mod revert;
#[cfg(test)]
mod story;
#[cfg(test)]
mod updates;
#[cfg(test)]
mod wiring;
#[cfg(test)]
mod withheld;
#[cfg(test)]
mod world;
