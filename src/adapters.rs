//! The outside world behind the ports: Git and plain folders. Adapters decide nothing; they read, write and report.

pub mod folder;
pub mod git;
mod listing;
