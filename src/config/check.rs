//! From the shapes of the file to a configuration that is valid: every field, every fault. Opens no file.
//!
//! Each function returns `None` only after it has reported why.

mod notifications;
mod repository;
mod targets;
mod webhooks;
mod windows;

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_yaml::Value;

use super::cron::CronSchedule;
use super::faults::Faults;
use super::loose::{Loose, kind};
use super::place::FieldPath;
use super::raw::{RawConfig, RawHttp, RawLimits, RawLog, RawLogFormat, RawLogLevel, RawMode, RawSchedule};
use super::{Config, Http, Limits, Log, LogFormat, LogLevel, Schedule};
use crate::domain::{ChangeLimit, EndpointUrl, Mode, TargetName};

/// Remedy for a text that YAML reads as something else, such as `account: 111111111111`.
const QUOTE: &str = "put it in quotes";
/// Remedy for a section that is no mapping.
const SECTION: &str = "write its keys below it, indented";

/// Port of the HTTP server where the file names none.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8420);
/// Half a minute: a merge shows soon, and a head costs the server one small request.
const DEFAULT_GIT_SCHEDULE: &str = "0/30 * * * * *";
/// Two minutes: hand-made drift is found soon, at a few GetFunction calls a second for a thousand functions.
const DEFAULT_SWEEP_SCHEDULE: &str = "0 0/2 * * * *";
/// Of the 100 a second that AWS grants for GetFunction, shared with everyone in the account.
const DEFAULT_GET_FUNCTION_RATE: f64 = 40.0;
/// Of the 15 a second that AWS grants for the rest of the control plane, likewise.
const DEFAULT_CONTROL_PLANE_RATE: f64 = 5.0;
/// Slower than one call in ten seconds, a sweep would not end.
const MIN_RATE: f64 = 0.1;
/// Faster than AWS by far, for emulators without quotas; a bound against slips such as a missing point.
const MAX_RATE: f64 = 10_000.0;

/// Checks the whole file.
pub(super) fn config(raw: RawConfig, base: &Path, faults: &mut Faults<'_>) -> Option<Config> {
    let root = FieldPath::default();
    let path = root.key("repository");
    let repository = match raw.repository {
        Some(section) => faults
            .take(&path, Some(section), SECTION)
            .and_then(|raw| repository::repository(raw, base, &path, faults))
            .map(Some),
        None => Some(None),
    };
    let targets = targets::targets(raw.targets, &root.key("targets"), faults);
    let mode = mode(raw.mode, &root.key("mode"), faults);
    let names: Option<Vec<TargetName>> = targets
        .as_ref()
        .map(|targets| targets.iter().map(|target| target.target.name.clone()).collect());
    let windows = windows::windows(raw.windows, names.as_deref(), &root.key("windows"), faults);
    let schedule = schedule(raw.schedule, &root.key("schedule"), faults);
    let limits = limits(raw.limits, &root.key("limits"), faults);
    let notifications = notifications::notifications(
        raw.notifications,
        targets.as_deref().unwrap_or_default(),
        base,
        &root.key("notifications"),
        faults,
    );
    let webhooks = webhooks::webhooks(raw.webhooks, base, &root.key("webhooks"), faults);
    let http = http(raw.http, base, &root.key("http"), faults);
    let log = log(raw.log, &root.key("log"), faults);
    Some(Config {
        repository: repository?,
        targets: targets?,
        mode: mode?,
        windows: windows?,
        schedule: schedule?,
        limits: limits?,
        notifications: notifications?,
        webhooks: webhooks?,
        http: http?,
        log: log?,
    })
}

/// Unpacks a section that may be left out whole.
fn section<T: Default>(raw: Option<Loose<T>>, path: &FieldPath, faults: &mut Faults<'_>) -> Option<T> {
    match raw {
        Some(raw) => faults.take(path, Some(raw), SECTION),
        None => Some(T::default()),
    }
}

/// Parses a text by its type, whose error says the remedy.
fn parse<T>(text: &str, path: &FieldPath, faults: &mut Faults<'_>) -> Option<T>
where
    T: FromStr<Err: Display>,
{
    text.parse()
        .map_err(|error: T::Err| faults.add(path, &error.to_string()))
        .ok()
}

/// Reads a text that may be left out. The outer `None` stands for a fault.
#[expect(clippy::option_option, reason = "a field is there, not there, or faulty")]
fn optional<T>(raw: Option<Loose<String>>, path: &FieldPath, faults: &mut Faults<'_>) -> Option<Option<T>>
where
    T: FromStr<Err: Display>,
{
    match raw {
        Some(raw) => parse(&faults.take(path, Some(raw), QUOTE)?, path, faults).map(Some),
        None => Some(None),
    }
}

/// What to write instead where a list is no list, has no item, or has an item that is none.
struct ListHints<'a> {
    list: &'a str,
    empty: &'a str,
    item: &'a str,
}

/// Reads a list, each item by itself, so that all faulty ones are told.
fn list<R, T>(
    raw: Loose<Vec<Loose<R>>>,
    hints: &ListHints<'_>,
    path: &FieldPath,
    faults: &mut Faults<'_>,
    item: impl Fn(R, &FieldPath, &mut Faults<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let list = faults.take(path, Some(raw), hints.list)?;
    if list.is_empty() {
        faults.add(path, hints.empty);
        return None;
    }
    let count = list.len();
    let items: Vec<T> = list
        .into_iter()
        .enumerate()
        .filter_map(|(at, raw)| {
            let path = path.index(at);
            let raw = faults.take(&path, Some(raw), hints.item)?;
            item(raw, &path, faults)
        })
        .collect();
    (items.len() == count).then_some(items)
}

/// Reads a text with a default, which is not checked again but by tests.
fn or_default<T>(raw: Option<Loose<String>>, default: &str, path: &FieldPath, faults: &mut Faults<'_>) -> Option<T>
where
    T: FromStr<Err: Display>,
{
    match raw {
        Some(raw) => parse(&faults.take(path, Some(raw), QUOTE)?, path, faults),
        None => parse(default, path, faults),
    }
}

/// A token goes over an encrypted connection, or stays on this machine.
fn encrypted(url: EndpointUrl, path: &FieldPath, faults: &mut Faults<'_>) -> Option<EndpointUrl> {
    if url.as_str().starts_with("https://") || url.is_loopback() {
        return Some(url);
    }
    faults.add(
        path,
        "not encrypted, so that everybody on the way could read the token: write https://",
    );
    None
}

/// Reads the path of a file or folder on this machine.
#[expect(clippy::option_option, reason = "a field is there, not there, or faulty")]
fn local_path(
    raw: Option<Loose<String>>,
    base: &Path,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<Option<PathBuf>> {
    let Some(raw) = raw else { return Some(None) };
    let text = faults.take(path, Some(raw), QUOTE)?;
    let fault = if text.is_empty() {
        "empty: write a path, or remove the key"
    } else if text.chars().any(char::is_control) {
        "holds a control character: remove it"
    } else if text == "~" || text.starts_with("~/") {
        "`~` is not expanded: write the path of the home folder"
    } else {
        return Some(Some(base.join(text)));
    };
    faults.add(path, fault);
    None
}

fn mode(raw: Option<Loose<RawMode>>, path: &FieldPath, faults: &mut Faults<'_>) -> Option<Mode> {
    match raw {
        None => Some(Mode::default()),
        Some(raw) => match faults.take(path, Some(raw), "write one of these words")? {
            RawMode::Reconcile => Some(Mode::Reconcile),
            RawMode::Observe => Some(Mode::Observe),
        },
    }
}

fn schedule(raw: Option<Loose<RawSchedule>>, path: &FieldPath, faults: &mut Faults<'_>) -> Option<Schedule> {
    let raw = section(raw, path, faults)?;
    let git = or_default::<CronSchedule>(raw.git, DEFAULT_GIT_SCHEDULE, &path.key("git"), faults);
    let sweep = or_default::<CronSchedule>(raw.sweep, DEFAULT_SWEEP_SCHEDULE, &path.key("sweep"), faults);
    Some(Schedule {
        git: git?,
        sweep: sweep?,
    })
}

fn limits(raw: Option<Loose<RawLimits>>, path: &FieldPath, faults: &mut Faults<'_>) -> Option<Limits> {
    let raw = section(raw, path, faults)?;
    let get_function = rate(
        raw.get_function_per_second,
        DEFAULT_GET_FUNCTION_RATE,
        &path.key("getFunctionPerSecond"),
        faults,
    );
    let control_plane = rate(
        raw.control_plane_per_second,
        DEFAULT_CONTROL_PLANE_RATE,
        &path.key("controlPlanePerSecond"),
        faults,
    );
    let max_changed = change_limit(raw.max_changed_functions, &path.key("maxChangedFunctions"), faults);
    Some(Limits {
        get_function_per_second: get_function?,
        control_plane_per_second: control_plane?,
        max_changed_functions: max_changed?,
    })
}

fn rate(raw: Option<Loose<f64>>, default: f64, path: &FieldPath, faults: &mut Faults<'_>) -> Option<f64> {
    let Some(raw) = raw else { return Some(default) };
    let rate = faults.take(path, Some(raw), "write calls a second, such as 5")?;
    // NaN is in no range.
    if (MIN_RATE..=MAX_RATE).contains(&rate) {
        return Some(rate);
    }
    faults.add(
        path,
        &format!("out of range: write calls a second, from {MIN_RATE} to {MAX_RATE}"),
    );
    None
}

fn change_limit(raw: Option<Value>, path: &FieldPath, faults: &mut Faults<'_>) -> Option<ChangeLimit> {
    let text = match raw {
        None => return Some(ChangeLimit::default()),
        Some(Value::String(text)) => text,
        Some(Value::Number(number)) => number.to_string(),
        Some(other @ (Value::Null | Value::Bool(_) | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_))) => {
            kind(&other).to_owned()
        }
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let limit = match text.strip_suffix('%') {
        _ if text == "none" => Some(ChangeLimit::Unlimited),
        Some(percent) if digits(percent) => percent.parse().ok().filter(|p| *p <= 100).map(ChangeLimit::Percent),
        None if digits(&text) => text.parse().ok().map(ChangeLimit::Count),
        Some(_) | None => None,
    };
    if limit.is_none() {
        faults.add(
            path,
            "write a number of functions such as 20, a percentage from 0% to 100%, or none",
        );
    }
    limit
}

fn http(raw: Option<Loose<RawHttp>>, base: &Path, path: &FieldPath, faults: &mut Faults<'_>) -> Option<Http> {
    let raw = section(raw, path, faults)?;
    let token_file = local_path(raw.token_file, base, &path.key("tokenFile"), faults);
    let listen = listen(raw.listen, &path.key("listen"), faults);
    Some(Http {
        listen: listen?,
        token_file: token_file?,
    })
}

fn listen(raw: Option<Loose<String>>, path: &FieldPath, faults: &mut Faults<'_>) -> Option<SocketAddr> {
    let Some(raw) = raw else { return Some(DEFAULT_LISTEN) };
    let text = faults.take(path, Some(raw), "write ADDRESS:PORT in quotes")?;
    let Ok(listen) = text.parse() else {
        faults.add(
            path,
            "not an IP address and port: write 0.0.0.0:8420 for all interfaces, 127.0.0.1:8420 for this machine alone",
        );
        return None;
    };
    Some(listen)
}

fn log(raw: Option<Loose<RawLog>>, path: &FieldPath, faults: &mut Faults<'_>) -> Option<Log> {
    const HINT: &str = "write one of these words";
    let raw = section(raw, path, faults)?;
    let format = match raw.format {
        None => Some(None),
        Some(raw) => faults.take(&path.key("format"), Some(raw), HINT).map(|format| {
            Some(match format {
                RawLogFormat::Text => LogFormat::Text,
                RawLogFormat::Json => LogFormat::Json,
            })
        }),
    };
    let level = match raw.level {
        None => Some(LogLevel::default()),
        Some(raw) => faults
            .take(&path.key("level"), Some(raw), HINT)
            .map(|level| match level {
                RawLogLevel::Error => LogLevel::Error,
                RawLogLevel::Warn => LogLevel::Warn,
                RawLogLevel::Info => LogLevel::Info,
                RawLogLevel::Debug => LogLevel::Debug,
                RawLogLevel::Trace => LogLevel::Trace,
            }),
    };
    Some(Log {
        format: format?,
        level: level?,
    })
}
