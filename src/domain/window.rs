//! Deploy windows: times at which functions may be changed, and times at which they must not. Says what holds when; what
//! comes of it is the planner's to say.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use chrono_tz::Tz;
use croner::Cron;

use super::name::{FunctionKey, TargetName};
use super::policy::FunctionGlob;
use super::time::Timestamp;

/// How far ahead the next opening is looked for. A window that comes once a year is found; one that does not open within
/// that time is told without its end.
const HORIZON: TimeDelta = TimeDelta::days(370);

/// Openings and closings that are looked at for it, so that windows of seconds do not make a plan slow.
const CHANGES: usize = 2_000;

/// Beginnings that may lie before the time after which they are looked for: those of one hour, by the second.
const AGAIN: usize = 4_000;

/// Whether a window opens or closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    /// Changes are allowed within it, and outside of all such windows they are not.
    Allow,
    /// Changes are not allowed within it, whatever allows them.
    Deny,
}

/// A time that comes again and again, and the functions that it is for.
#[derive(Debug, Clone)]
pub struct DeployWindow {
    /// Whether it opens or closes.
    pub kind: WindowKind,
    /// When it begins, in local time of the time zone.
    pub cron: Cron,
    /// How long it lasts, in elapsed time: an hour is an hour also where clocks are put back within it.
    pub duration: TimeDelta,
    /// Where the cron expression is read. Clocks that are put forward or back there move its beginning along.
    pub timezone: Tz,
    /// The targets that it is for; empty for all.
    pub targets: Vec<TargetName>,
    /// The functions that it is for; empty for all.
    pub functions: Vec<FunctionGlob>,
}

impl DeployWindow {
    fn is_for(&self, key: &FunctionKey) -> bool {
        (self.targets.is_empty() || self.targets.contains(&key.target))
            && (self.functions.is_empty() || self.functions.iter().any(|glob| glob.matches(&key.name)))
    }

    /// Returns when it ends, where it holds at `now`. It may begin anew before that.
    fn end(&self, now: Timestamp) -> Option<Timestamp> {
        // It holds where it began within its duration: the earliest such beginning tells.
        let begin = self.begin_after(now - self.duration)?;
        (begin <= now).then(|| begin + self.duration)
    }

    /// Returns its next beginning.
    fn begin_after(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.with_timezone(&self.timezone);
        // In the hour that comes twice, the iterator begins with the first of the two, also where that is over.
        let begins = self.cron.iter_after(local).map(|begin| begin.to_utc());
        begins.take(AGAIN).find(|begin| *begin > now)
    }

    /// Returns when it next ends or begins.
    fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.end(now).or_else(|| self.begin_after(now))
    }
}

impl fmt::Display for DeployWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            WindowKind::Allow => "allow",
            WindowKind::Deny => "deny",
        };
        write!(f, "{kind} \"{}\" ({})", self.cron.pattern, self.timezone)
    }
}

/// Why a function must not be changed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The window that denies it; `None` where none allows it.
    pub denied_by: Option<String>,
    /// When it may be changed again; `None` where no such time was found within a year.
    pub until: Option<Timestamp>,
}

/// All windows. Without any, everything may be changed at every time.
#[derive(Debug, Clone, Default)]
pub struct DeployWindows {
    windows: Vec<DeployWindow>,
    /// What was found out for one time: it is the same for all functions that the same windows are for.
    found: Arc<Mutex<Found>>,
}

#[derive(Debug, Default)]
struct Found {
    at: Timestamp,
    by_windows: BTreeMap<Vec<usize>, Option<Closed>>,
}

impl DeployWindows {
    /// Takes the windows.
    pub fn new(windows: Vec<DeployWindow>) -> Self {
        Self {
            windows,
            found: Arc::default(),
        }
    }

    /// Returns why a function must not be changed at `now`; `None` where it may.
    ///
    /// One that denies wins. Where any window allows the function at some time, it must be allowed by one.
    pub fn closed(&self, key: &FunctionKey, now: Timestamp) -> Option<Closed> {
        let of_it: Vec<usize> = (0..self.windows.len())
            .filter(|index| self.windows[*index].is_for(key))
            .collect();
        if of_it.is_empty() {
            return None;
        }
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.at != now {
            *found = Found {
                at: now,
                by_windows: BTreeMap::new(),
            };
        }
        let windows: Vec<&DeployWindow> = of_it.iter().map(|index| &self.windows[*index]).collect();
        found
            .by_windows
            .entry(of_it)
            .or_insert_with(|| Self::closed_by(&windows, now))
            .clone()
    }

    /// Returns whether a function must not be changed at `now`.
    pub fn is_closed(&self, key: &FunctionKey, now: Timestamp) -> bool {
        let windows: Vec<&DeployWindow> = self.windows.iter().filter(|window| window.is_for(key)).collect();
        shut(&windows, now).is_some()
    }

    fn closed_by(windows: &[&DeployWindow], now: Timestamp) -> Option<Closed> {
        let denied_by = shut(windows, now)?.map(ToString::to_string);
        let mut time = now;
        for _ in 0..CHANGES {
            let Some(next) = windows.iter().filter_map(|window| window.next_change(time)).min() else {
                break;
            };
            if next - now > HORIZON {
                break;
            }
            if shut(windows, next).is_none() {
                return Some(Closed {
                    denied_by,
                    until: Some(next),
                });
            }
            time = next;
        }
        Some(Closed { denied_by, until: None })
    }
}

/// Returns the window that denies, or none where none allows; the outer `None` stands for open.
#[expect(clippy::option_option, reason = "open, denied by one, or allowed by none")]
fn shut<'a>(windows: &[&'a DeployWindow], now: Timestamp) -> Option<Option<&'a DeployWindow>> {
    let holds = |window: &&&DeployWindow| window.end(now).is_some();
    let of = |kind| windows.iter().filter(move |window| window.kind == kind);
    if let Some(denies) = of(WindowKind::Deny).find(holds) {
        return Some(Some(denies));
    }
    let allowed = of(WindowKind::Allow).next().is_none() || of(WindowKind::Allow).any(|window| holds(&window));
    (!allowed).then_some(None)
}

#[cfg(test)]
mod tests {
    use croner::parser::{CronParser, Seconds};

    use super::*;

    fn window(kind: WindowKind, cron: &str, hours: i64, timezone: &str) -> DeployWindow {
        DeployWindow {
            kind,
            cron: CronParser::builder()
                .seconds(Seconds::Optional)
                .build()
                .parse(cron)
                .unwrap(),
            duration: TimeDelta::hours(hours),
            timezone: timezone.parse().unwrap(),
            targets: Vec::new(),
            functions: Vec::new(),
        }
    }

    fn key(target: &str, function: &str) -> FunctionKey {
        FunctionKey {
            target: target.parse().unwrap(),
            name: function.parse().unwrap(),
        }
    }

    /// Returns until when `prod/api` is closed: `open`, a time, or `for ever`.
    fn at(windows: &DeployWindows, time: &str) -> String {
        match windows.closed(&key("prod", "api"), time.parse().unwrap()) {
            None => "open".to_owned(),
            Some(closed) => closed.until.map_or("for ever".to_owned(), |until| until.to_rfc3339()),
        }
    }

    /// Tells of each time whether `prod/api` is closed then.
    #[track_caller]
    fn assert_at(windows: &DeployWindows, expected: &[(&str, &str)]) {
        for (time, until) in expected {
            assert_eq!(at(windows, time), *until, "{time}");
        }
    }

    #[test]
    fn a_window_of_the_hour_that_comes_twice_ends_once() {
        // At 2:30 for an hour: that is from 0:30 to 1:30 in UTC, as the clocks go back at 1:00.
        let night = DeployWindows::new(vec![window(WindowKind::Deny, "30 2 * * *", 1, "Europe/Vienna")]);
        assert_at(
            &night,
            &[
                ("2026-10-25T00:29:59Z", "open"),
                ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00+00:00"),
                ("2026-10-25T01:29:59Z", "2026-10-25T01:30:00+00:00"),
                ("2026-10-25T01:30:00Z", "open"),
                ("2026-10-25T02:15:00Z", "open"),
            ],
        );
    }

    #[test]
    fn without_windows_everything_is_open() {
        assert_eq!(at(&DeployWindows::default(), "2026-11-27T17:00:00Z"), "open");
    }

    #[test]
    fn a_weekend_is_denied_from_its_first_second_to_its_last() {
        // From Friday 16:00 in Vienna to Monday 06:00, in winter an hour ahead of UTC.
        let weekend = DeployWindows::new(vec![window(WindowKind::Deny, "0 16 * * FRI", 62, "Europe/Vienna")]);
        assert_at(
            &weekend,
            &[
                ("2026-11-27T14:59:59Z", "open"),
                ("2026-11-27T15:00:00Z", "2026-11-30T05:00:00+00:00"),
                ("2026-11-30T04:59:59Z", "2026-11-30T05:00:00+00:00"),
                ("2026-11-30T05:00:00Z", "open"),
            ],
        );
    }

    #[test]
    fn outside_of_every_window_that_allows_it_is_closed() {
        let hours = DeployWindows::new(vec![
            window(WindowKind::Allow, "0 9 * * MON-FRI", 3, "UTC"),
            window(WindowKind::Allow, "0 0 14 * * MON-THU", 2, "UTC"),
        ]);
        assert_at(
            &hours,
            &[
                ("2026-11-27T10:00:00Z", "open"),
                ("2026-11-26T13:00:00Z", "2026-11-26T14:00:00+00:00"),
                ("2026-11-27T13:00:00Z", "2026-11-30T09:00:00+00:00"),
            ],
        );
    }

    #[test]
    fn one_that_denies_wins() {
        let both = DeployWindows::new(vec![
            window(WindowKind::Allow, "0 8 * * *", 10, "UTC"),
            window(WindowKind::Deny, "0 12 * * *", 1, "UTC"),
        ]);
        assert_eq!(at(&both, "2026-11-27T11:59:00Z"), "open");
        assert_eq!(at(&both, "2026-11-27T12:30:00Z"), "2026-11-27T13:00:00+00:00");
        assert_eq!(at(&both, "2026-11-27T18:30:00Z"), "2026-11-28T08:00:00+00:00");
        let closed = both.closed(&key("prod", "api"), "2026-11-27T12:30:00Z".parse().unwrap());
        assert_eq!(closed.unwrap().denied_by.unwrap(), "deny \"0 12 * * *\" (UTC)");
    }

    #[test]
    fn windows_that_overlap_themselves_or_never_open_are_told_so() {
        let always = DeployWindows::new(vec![window(WindowKind::Deny, "0 * * * *", 2, "UTC")]);
        assert_eq!(at(&always, "2026-11-27T12:30:00Z"), "for ever");
    }

    #[test]
    fn a_window_is_for_its_targets_and_functions_alone() {
        let mut window = window(WindowKind::Deny, "* * * * *", 1, "UTC");
        window.targets = vec!["prod".parse().unwrap()];
        window.functions = vec!["checkout-*".parse().unwrap()];
        let windows = DeployWindows::new(vec![window]);
        let closed = |target, function| {
            let now = "2026-11-27T12:00:00Z".parse().unwrap();
            windows.closed(&key(target, function), now).is_some()
        };
        assert!(closed("prod", "checkout-api"));
        assert!(!closed("prod", "orders"));
        assert!(!closed("staging", "checkout-api"));
    }

    #[test]
    fn a_beginning_that_clocks_skip_comes_when_they_have_been_put_forward() {
        // In Vienna 02:00 becomes 03:00 on 29 March 2026, at 01:00 UTC. 02:30 is not there that day.
        let night = DeployWindows::new(vec![window(WindowKind::Deny, "30 2 * * *", 1, "Europe/Vienna")]);
        assert_eq!(at(&night, "2026-03-28T01:30:00Z"), "2026-03-28T02:30:00+00:00");
        assert_eq!(at(&night, "2026-03-29T00:59:59Z"), "open");
        assert_eq!(at(&night, "2026-03-29T01:30:00Z"), "2026-03-29T02:00:00+00:00");
        assert_eq!(at(&night, "2026-03-30T00:30:00Z"), "2026-03-30T01:30:00+00:00");
    }

    #[test]
    fn where_clocks_are_put_back_a_window_lasts_as_long_as_ever() {
        // In Vienna 03:00 becomes 02:00 on 25 October 2026, at 01:00 UTC: 02:30 comes twice.
        let night = DeployWindows::new(vec![window(WindowKind::Deny, "30 1 * * *", 2, "Europe/Vienna")]);
        assert_eq!(at(&night, "2026-10-24T23:29:59Z"), "open");
        assert_eq!(at(&night, "2026-10-24T23:30:00Z"), "2026-10-25T01:30:00+00:00");
        assert_eq!(at(&night, "2026-10-25T01:29:59Z"), "2026-10-25T01:30:00+00:00");
        assert_eq!(at(&night, "2026-10-25T01:30:00Z"), "open");
        let twice = DeployWindows::new(vec![window(WindowKind::Deny, "30 2 * * *", 1, "Europe/Vienna")]);
        assert_eq!(at(&twice, "2026-10-25T00:30:00Z"), "2026-10-25T01:30:00+00:00");
        assert_eq!(at(&twice, "2026-10-25T01:45:00Z"), "open", "it does not come twice");
    }
}
