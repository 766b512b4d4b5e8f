//! Lambda's request quotas as token buckets. They count on the sandbox's clock and know nothing of what a call does.

use std::collections::BTreeMap;
use std::time::Duration;

use super::clock::Timestamp;

/// `GetFunction` has a quota of its own: 100 a second for an account in a region, and it cannot be raised.
const GET_FUNCTION_PER_SECOND: f64 = 100.0;
/// `GetPolicy` has one too.
const GET_POLICY_PER_SECOND: f64 = 15.0;
/// All other operations of the control plane share this one: 15 a second across all of them, not 15 each.
const REST_PER_SECOND: f64 = 15.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    GetFunction,
    GetPolicy,
    Rest,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled: Timestamp,
}

/// The buckets of every account and region.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    buckets: BTreeMap<(String, String, Kind), Bucket>,
}

impl Quotas {
    /// Takes a token for a call, or tells how long to wait for one. AWS publishes no burst size for these buckets; here
    /// a bucket holds one second's worth. `scale` is the factor on durations: a half makes the rates double.
    pub(crate) fn take(
        &mut self,
        (account, region): (&str, &str),
        operation: &str,
        now: Timestamp,
        scale: f64,
    ) -> Result<(), Duration> {
        let (kind, rate) = match operation {
            "GetFunction" => (Kind::GetFunction, GET_FUNCTION_PER_SECOND),
            "GetPolicy" => (Kind::GetPolicy, GET_POLICY_PER_SECOND),
            _ => (Kind::Rest, REST_PER_SECOND),
        };
        let per_second = if scale > 0.0 {
            rate / scale
        } else {
            return Ok(());
        };
        let bucket = self
            .buckets
            .entry((account.to_owned(), region.to_owned(), kind))
            .or_insert(Bucket {
                tokens: rate,
                filled: now,
            });
        let passed = Duration::from_millis(now.millis().saturating_sub(bucket.filled.millis()));
        bucket.tokens = passed.as_secs_f64().mul_add(per_second, bucket.tokens).min(rate);
        bucket.filled = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - bucket.tokens) / per_second))
    }

    pub(crate) fn clear(&mut self) {
        self.buckets.clear();
    }
}
