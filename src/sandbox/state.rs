//! Saving and loading what the services hold. The JSON is the sandbox's own; nothing outside may take it apart.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::lambda::Lambda;
use super::s3::S3;
use super::world::Shared;

/// The layout of the JSON. It is raised when a change makes older files unreadable.
const LAYOUT: u32 = 1;

/// Everything that the services of a sandbox hold, as a value that serde can write.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    layout: u32,
    lambda: Lambda,
    s3: S3,
    /// Deployment packages by their hash, each once: base64.
    #[serde(default)]
    packages: BTreeMap<String, String>,
}

/// Why a state cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// It was written by another version of the program.
    #[error("the state has layout {found}, this program reads layout {LAYOUT}")]
    Layout {
        /// The layout of the state.
        found: u32,
    },
    /// A package is not base64.
    #[error("the package {sha256} is not valid base64")]
    Package {
        /// The hash under which it is listed.
        sha256: String,
    },
}

pub(crate) fn save(shared: &Shared) -> State {
    let (lambda, s3) = {
        let world = shared.lock();
        (world.lambda.clone(), world.s3.clone())
    };
    let mut packages = BTreeMap::new();
    for code in lambda.codes() {
        if !code.bytes.is_empty() && !packages.contains_key(&*code.sha256) {
            packages.insert(code.sha256.to_string(), STANDARD.encode(&code.bytes));
        }
    }
    State {
        layout: LAYOUT,
        lambda,
        s3,
        packages,
    }
}

pub(crate) fn load(shared: &Shared, mut state: State) -> Result<(), StateError> {
    if state.layout != LAYOUT {
        return Err(StateError::Layout { found: state.layout });
    }
    let mut packages = BTreeMap::new();
    for (sha256, text) in std::mem::take(&mut state.packages) {
        match STANDARD.decode(text) {
            Ok(bytes) => packages.insert(sha256, Bytes::from(bytes)),
            Err(_) => return Err(StateError::Package { sha256 }),
        };
    }
    state.lambda.restore(&packages);
    let mut world = shared.lock();
    world.lambda = state.lambda;
    world.s3 = state.s3;
    Ok(())
}
