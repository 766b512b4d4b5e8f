//! Cron expressions as the scheduler takes them. Checks them; schedules nothing.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeZone as _, Utc};
use croner::Cron;
use croner::errors::CronError as CronParseError;
use croner::parser::{CronParser, Seconds, Year};
use thiserror::Error;

use crate::domain::{one_line, shortened};

/// A cron expression of six fields, seconds first, that the scheduler is known to accept and that comes at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronSchedule {
    expression: String,
    spread: Duration,
}

/// The longest time by which a tick may come late.
const LONGEST_SPREAD: Duration = Duration::from_mins(1);

/// Where a time that comes is looked for: the parser looks day by day until the year 5000, which from today takes seconds
/// where there is none. In the 28 years before that, each date comes on each day of the week.
const FIRST_YEAR: i32 = 4972;

/// Characters of the parser's reason that a message repeats; its own have some sixty.
const SHOWN: usize = 100;

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

/// Parses an expression; years are refused, as one that is over never comes. The error is the parser's reason.
pub(super) fn parse(text: &str, seconds: Seconds) -> Result<Cron, String> {
    // The parser takes a list of nothing, of which then no value comes, and looks for one until the year 5000.
    if text.split_whitespace().any(|field| field.split(',').any(str::is_empty)) {
        return Err("a value is missing beside a comma".to_owned());
    }
    let parser = CronParser::builder().seconds(seconds).year(Year::Disallowed).build();
    // Its reason may repeat the expression, which may be of any length.
    let why = |error: CronParseError| one_line(&shortened(error.to_string().trim_end_matches('.'), SHOWN));
    parser.parse(text).map_err(why)
}

/// Returns a time at which it comes; `None` where it never does. It has no years, so that any point in time serves.
pub(super) fn some_time(cron: &Cron) -> Option<DateTime<Utc>> {
    let start = Utc.with_ymd_and_hms(FIRST_YEAR, 1, 1, 0, 0, 0).single()?;
    cron.find_next_occurrence(&start, false).ok()
}

impl CronSchedule {
    /// Returns the expression, on one line, with one blank between two fields.
    pub fn as_str(&self) -> &str {
        &self.expression
    }

    /// Returns by how much a tick may come late, so that many daemons with one schedule do not all ask in one second: a
    /// tenth of the time from one tick to the next, and a minute at the most.
    pub fn spread(&self) -> Duration {
        self.spread
    }
}

impl FromStr for CronSchedule {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        // The very parser and options of tokio-cron-scheduler, but for years.
        let cron = parse(text, Seconds::Required).map_err(CronError::Syntax)?;
        let first = some_time(&cron).ok_or(CronError::Never)?;
        let second = cron.find_next_occurrence(&first, false).ok();
        let period = second.and_then(|second| (second - first).to_std().ok());
        Ok(Self {
            expression: text.split_whitespace().collect::<Vec<_>>().join(" "),
            spread: period.map_or(LONGEST_SPREAD, |period| (period / 10).min(LONGEST_SPREAD)),
        })
    }
}

impl fmt::Display for CronSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.expression)
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
            ", 4/2 * * * MON",
            "0 1,,2 * * * *",
            "0 0 0 , * *",
            "* * * * * * * *",
            "0 0 0 1 1 * 2020",
        ] {
            assert!(
                matches!(bad.parse::<CronSchedule>(), Err(CronError::Syntax(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn an_expression_of_several_lines_is_shown_on_one() {
        let schedule: CronSchedule = " 0\r\n0/2 \t* * *\rMON-FRI\n".parse().unwrap();
        assert_eq!(schedule.to_string(), "0 0/2 * * * MON-FRI");
    }

    #[test]
    fn a_tick_comes_late_by_a_tenth_of_its_period_or_a_minute() {
        let spread = |text: &str| text.parse::<CronSchedule>().unwrap().spread();
        assert_eq!(spread("0/30 * * * * *"), Duration::from_secs(3));
        assert_eq!(spread("0 0/2 * * * *"), Duration::from_secs(12));
        assert_eq!(spread("0 0 3 * * MON-FRI"), LONGEST_SPREAD);
        assert_eq!(spread("* * * * * *"), Duration::from_millis(100));
    }

    #[test]
    fn what_is_refused_is_told_on_one_line() {
        let told = "0 0/2\u{16} * * * *".parse::<CronSchedule>().unwrap_err().to_string();
        assert!(!told.chars().any(char::is_control), "{told:?}");
    }

    #[test]
    fn a_time_that_never_comes_is_refused() {
        assert_eq!("0 0 0 30 2 *".parse::<CronSchedule>(), Err(CronError::Never));
    }

    #[test]
    fn a_time_that_comes_seldom_is_taken() {
        for day in ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"] {
            // With a plus, day and weekday must both be so: the 29 February comes on each weekday in 28 years.
            let seldom = format!("0 0 0 29 2 +{day}");
            assert!(seldom.parse::<CronSchedule>().is_ok(), "{seldom}");
        }
    }
}
