//! The only rooms that know the AWS SDK, git2 and the clock. Translate; decide nothing.

pub mod aws;
pub mod clock;
pub mod cron;
pub mod file;
pub mod folder;
pub mod git;
#[cfg(feature = "events")]
pub mod hints;
pub mod lambda;
mod listing;
pub mod notify;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod s3;
pub mod web;
