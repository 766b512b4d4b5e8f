//! Points in time, and how they are written.

use std::time::Duration;

use chrono::SecondsFormat;

/// A point in time, UTC.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// Returns the time between two points; none where the clock was set back in between.
pub fn elapsed(before: Timestamp, now: Timestamp) -> Duration {
    (now - before).to_std().unwrap_or_default()
}

/// Writes a time for programs: RFC 3339 in UTC, to the second.
pub fn rfc3339(time: &Timestamp) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Writes a time for people, to the second.
pub fn readable(time: &Timestamp) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
