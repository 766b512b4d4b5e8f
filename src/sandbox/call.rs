//! The record of calls, in the order in which they took effect: what the tests of a client assert on.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One call that the sandbox was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Its place in the order of effects, from 1.
    pub seq: u64,
    /// `lambda`, `s3` or `sts`.
    pub service: String,
    /// Such as `UpdateFunctionCode`.
    pub operation: String,
    /// The function's name, or the bucket, or `bucket/key`; empty for listings of everything.
    pub resource: String,
    /// The qualifier, or the alias's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
    /// The members of the request. A zip shows as its hash and size, an environment variable without its value.
    pub params: Value,
    /// The HTTP status that the call came to; where the connection was cut before the effect, none.
    pub status: Option<u16>,
    /// The error's type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// Whether the connection was cut and the client saw no reply.
    #[serde(default)]
    pub cut: bool,
    /// The account called for.
    pub account: String,
    /// The region called in.
    pub region: String,
}

/// The newest calls; older ones make room for them.
#[derive(Debug)]
pub(crate) struct CallLog {
    calls: VecDeque<Call>,
    last: u64,
    capacity: usize,
}

impl CallLog {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self {
            calls: VecDeque::new(),
            last: 0,
            capacity,
        }
    }

    pub(crate) fn record(&mut self, mut call: Call) {
        self.last += 1;
        call.seq = self.last;
        if self.calls.len() >= self.capacity {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    pub(crate) fn all(&self) -> Vec<Call> {
        self.calls.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.calls.clear();
    }
}
