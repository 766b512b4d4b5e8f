//! Pinfold keeps AWS Lambda functions and aliases at the versions that Git names.
//!
//! The crate is the machinery behind the `pinfold` binary. `docs/ARCHITECTURE.md` is the map: which room
//! does what, and who may enter which.

pub mod adapters;
pub mod cli;
pub mod config;
pub mod domain;
pub mod drift;
pub mod http;
pub mod manifest;
pub mod notify;
pub mod plan;
pub mod ports;
pub mod reconcile;
pub mod sandbox;
pub mod telemetry;
