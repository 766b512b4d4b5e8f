//! Scenarios: a settled world with one thing changed, through the real SDK over HTTP against the embedded Lambda and S3.
//!
//! Each tells what is planned, which calls write, what the report says afterwards and what is live then. Nothing here
//! reaches beyond the loopback, and nothing waits: the clock is turned by whoever sleeps on it.

mod artifacts;
mod calm;
mod drift;
mod fleet;
mod lost;
mod origin;
mod refused;
mod revert;
mod story;
mod updates;
mod wiring;
mod withheld;
mod world;
