//! Cron expressions as the scheduler takes them. Checks them; schedules nothing.

use std::fmt;
use std::str::FromStr;

use chrono::DateTime;
use croner::parser::{CronParser, Seconds};
use thiserror::Error;

/// A cron expression of six fields, seconds first, that the scheduler is known to accept and that comes at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronSchedule(String);

/// Why a cron expression was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CronError {
    /// It cannot be read.
    #[error(
        "not a cron expression ({0}): write six fields, seconds first, such as \"0 0/2 * * * *\" for every two minutes"
    )]
    Syntax(String),
    /// It names a time that never comes, such as 30 February.
    #[error("this time never comes: change the day or the month")]
    Never,
}

impl CronSchedule {
    /// Returns the expression.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CronSchedule {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        // The very parser and options of tokio-cron-scheduler.
        let cron = CronParser::builder()
            .seconds(Seconds::Required)
            .build()
            .parse(text)
            .map_err(|error| CronError::Syntax(error.to_string().trim_end_matches('.').to_owned()))?;
        // Any point in time serves: the question is whether there is a next one at all.
        cron.find_next_occurrence(&DateTime::UNIX_EPOCH, false)
            .map_err(|_| CronError::Never)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for CronSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_fields_with_seconds_first() {
        for good in ["0/30 * * * * *", "0 0/2 * * * *", "*/5 * * * * *", "0 0 3 * * MON-FRI"] {
            assert!(good.parse::<CronSchedule>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "* * * * *",
            "61 * * * * *",
            "often",
            "0/0 * * * * *",
            "* * * * * * * *",
        ] {
            assert!(
                matches!(bad.parse::<CronSchedule>(), Err(CronError::Syntax(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_time_that_never_comes_is_refused() {
        assert_eq!("0 0 0 30 2 *".parse::<CronSchedule>(), Err(CronError::Never));
    }
}
