//! Checks `windows`: when functions may be changed. Looks at no clock.

use chrono::TimeDelta;
use croner::Cron;
use croner::parser::Seconds;

use super::super::cron::{parse, some_time};
use super::super::faults::Faults;
use super::super::loose::Loose;
use super::super::place::FieldPath;
use super::super::raw::RawWindow;
use super::{QUOTE, SECTION};
use crate::domain::{DeployWindow, DeployWindows, FunctionGlob, TargetName, WindowKind, nearest};

/// Remedy for what is no list of texts.
const LIST: &str = "write a list of texts in [ ]";

/// Shorter than this, a window may fall between two sweeps.
const SHORTEST: TimeDelta = TimeDelta::minutes(1);

/// Longer than this, what is meant is `mode: observe`.
const LONGEST: TimeDelta = TimeDelta::days(31);

/// Checks the section. The windows are for targets that there are.
pub(super) fn windows(
    raw: Option<Loose<Vec<Loose<RawWindow>>>>,
    targets: Option<&[TargetName]>,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<DeployWindows> {
    let Some(raw) = raw else {
        return Some(DeployWindows::default());
    };
    let raw = faults.take(path, Some(raw), "write a list, each with `- deny:` or `- allow:`")?;
    let checked: Vec<Option<DeployWindow>> = raw
        .into_iter()
        .enumerate()
        .map(|(at, raw)| window(raw, targets, &path.index(at), faults))
        .collect();
    checked.into_iter().collect::<Option<Vec<_>>>().map(DeployWindows::new)
}

fn window(
    raw: Loose<RawWindow>,
    targets: Option<&[TargetName]>,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<DeployWindow> {
    let raw = faults.take(path, Some(raw), SECTION)?;
    let begin = match (raw.allow, raw.deny) {
        (Some(allow), None) => cron(allow, &path.key("allow"), faults).map(|cron| (WindowKind::Allow, cron)),
        (None, Some(deny)) => cron(deny, &path.key("deny"), faults).map(|cron| (WindowKind::Deny, cron)),
        (Some(_), Some(_)) => {
            faults.add(path, "both `allow` and `deny`: write two windows");
            None
        }
        (None, None) => {
            faults.add(
                path,
                "neither `allow` nor `deny`: write one with the cron expression of its beginning",
            );
            None
        }
    };
    let duration = duration(raw.duration, &path.key("duration"), faults);
    let zone = path.key("timezone");
    let timezone = faults
        .need(
            &zone,
            raw.timezone,
            "write a name of the IANA database, such as Europe/Vienna or UTC",
        )
        .and_then(|text| {
            let fault = "no such time zone: write a name of the IANA database, such as Europe/Vienna or UTC";
            text.parse().map_err(|_| faults.add(&zone, fault)).ok()
        });
    let of_targets = list(
        raw.targets,
        &path.key("targets"),
        faults,
        |name: &TargetName, path, faults| {
            let known = targets.is_none_or(|targets| targets.contains(name));
            if !known {
                let names: Vec<&str> = targets.into_iter().flatten().map(TargetName::as_str).collect();
                let hint = nearest(name.as_str(), &names);
                let hint = hint.map_or(String::new(), |name| format!(": did you mean {name}?"));
                faults.add(path, &format!("no target has this name{hint}"));
            }
            known
        },
    );
    let functions = list(
        raw.functions,
        &path.key("functions"),
        faults,
        |_: &FunctionGlob, _, _| true,
    );
    let (kind, cron) = begin?;
    Some(DeployWindow {
        kind,
        cron,
        duration: duration?,
        timezone: timezone?,
        targets: of_targets?,
        functions: functions?,
    })
}

/// Reads a cron expression of five fields, or of six with seconds first.
fn cron(raw: Loose<String>, path: &FieldPath, faults: &mut Faults<'_>) -> Option<Cron> {
    let text = faults.take(path, Some(raw), QUOTE)?;
    let cron = match parse(&text, Seconds::Optional) {
        Ok(cron) => cron,
        Err(error) => {
            let hint = "write five fields, such as \"0 16 * * FRI\", or six with seconds first";
            faults.add(path, &format!("not a cron expression ({error}): {hint}"));
            return None;
        }
    };
    if some_time(&cron).is_none() {
        faults.add(path, "this time never comes: change the day or the month");
        return None;
    }
    Some(cron)
}

fn duration(raw: Option<Loose<String>>, path: &FieldPath, faults: &mut Faults<'_>) -> Option<TimeDelta> {
    const HINT: &str = "write a number with its unit, such as 90m or 62h";
    let text = faults.need(path, raw, HINT)?;
    let duration = humantime::parse_duration(text.trim())
        .ok()
        .and_then(|duration| TimeDelta::from_std(duration).ok());
    let fault = match duration {
        None => format!("not a duration: {HINT}"),
        Some(duration) if duration < SHORTEST => "shorter than a minute: write 1m to 31days".to_owned(),
        Some(duration) if duration > LONGEST => {
            "longer than 31 days: write 1m to 31days, or `mode: observe`".to_owned()
        }
        Some(duration) => return Some(duration),
    };
    faults.add(path, &fault);
    None
}

/// Reads a list of texts that may be left out.
fn list<T: std::str::FromStr<Err: std::fmt::Display>>(
    raw: Option<Loose<Vec<Loose<String>>>>,
    path: &FieldPath,
    faults: &mut Faults<'_>,
    mut is_right: impl FnMut(&T, &FieldPath, &mut Faults<'_>) -> bool,
) -> Option<Vec<T>> {
    let Some(raw) = raw else { return Some(Vec::new()) };
    let raw = faults.take(path, Some(raw), LIST)?;
    if raw.is_empty() {
        faults.add(
            path,
            "an empty list matches nothing: remove the key for all, or name some",
        );
        return None;
    }
    let read: Vec<Option<T>> = raw
        .into_iter()
        .enumerate()
        .map(|(at, raw)| {
            let path = path.index(at);
            let text = faults.take(&path, Some(raw), QUOTE)?;
            let value = super::parse::<T>(&text, &path, faults)?;
            is_right(&value, &path, faults).then_some(value)
        })
        .collect();
    read.into_iter().collect()
}
