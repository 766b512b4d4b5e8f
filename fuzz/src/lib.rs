//! What each fuzz target does with its bytes, and what must hold afterwards. Knows nothing of libFuzzer, so that
//! `tests/corpus.rs` runs the very same functions on the kept corpus with a stable toolchain.

mod artifact;
mod config;
mod http;
mod manifest;
mod planner;
mod text;

// The worlds, the model and the invariants are those of the properties.
#[path = "../../tests/reliability/invariants.rs"]
mod invariants;
#[path = "../../tests/reliability/model.rs"]
mod model;
#[path = "../../tests/reliability/worlds.rs"]
mod worlds;

pub use artifact::artifact;
pub use config::config;
pub use http::http;
pub use manifest::{defaults, manifest};
pub use planner::planner;
