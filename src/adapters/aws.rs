//! What the Lambda and S3 adapters share: credentials, the HTTP client with its rate limits, counting, error classes.

mod bucket;
mod connect;
mod error;
mod limit;
mod observe;

pub use bucket::Rate;
#[cfg(test)]
pub(super) use connect::connect_to;
pub use connect::{Access, Connection, Limiters, Limits, connect};
pub(super) use error::{one_line, port_error};
pub(super) use limit::Limited;
pub use limit::Limiter;
pub(super) use observe::Attempts;
