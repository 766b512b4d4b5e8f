//! Word of changes that others make. It wakes, and nothing depends on it: what is not heard is seen by the next sweep.

use crate::domain::{AccountId, FunctionName, Region};

/// What a message tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Somebody changed a function.
    Changed {
        /// The account.
        account: AccountId,
        /// The Region.
        region: Region,
        /// The function.
        function: FunctionName,
    },
    /// Pinfold itself changed one.
    Own,
    /// Nothing that changes code or aliases, or nothing that took effect.
    Irrelevant,
    /// It cannot be understood, and why.
    Malformed(String),
}

/// A message, and what it is taken off the queue by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HintMessage {
    /// What it tells.
    pub hint: Hint,
    /// The receipt of this delivery.
    pub receipt: String,
}
