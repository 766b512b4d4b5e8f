//! Checks `notifications`: each receiver by itself, what belongs to its kind, and names against each other. Opens no file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::faults::Faults;
use super::super::loose::Loose;
use super::super::place::FieldPath;
use super::super::raw::{RawEventKind, RawNotifications, RawReceiver, RawReceiverKind, RawSeverity};
use super::super::{Notifications, Receiver, TargetConfig};
use super::{ListHints, QUOTE, SECTION, encrypted, local_path, optional, parse};
use crate::domain::{EndpointUrl, FunctionGlob, TargetName};
use crate::notify::{EventKind, Forge, ForgeKind, ReceiverKind, Rule, Severity, Subscription};

/// GitHub's own API.
const GITHUB: &str = "https://api.github.com";
/// GitLab's own API.
const GITLAB: &str = "https://gitlab.com/api/v4";

const WORDS: &str = "write one of these words";

/// Checks the section. `targets` are those that the file has, as far as they are sound.
pub(super) fn notifications(
    raw: Option<Loose<RawNotifications>>,
    targets: &[TargetConfig],
    base: &Path,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<Notifications> {
    let Some(raw) = raw else {
        return Some(Notifications::default());
    };
    let raw = faults.take(path, Some(raw), SECTION)?;
    let page_url = optional::<EndpointUrl>(raw.page_url, &path.key("pageUrl"), faults);
    let ca_file = local_path(raw.ca_file, base, &path.key("caFile"), faults);
    let place = path.key("receivers");
    let list = faults.need(
        &place,
        raw.receivers,
        "list the receivers, each with `- name:` and `kind:`, or remove `notifications`",
    )?;
    let count = list.len();
    let mut first_of_name: BTreeMap<String, usize> = BTreeMap::new();
    let mut receivers = Vec::new();
    for (at, raw) in list.into_iter().enumerate() {
        let path = place.index(at);
        let Some(raw) = faults.take(&path, Some(raw), SECTION) else {
            continue;
        };
        let Some(receiver) = receiver(raw, targets, base, &path, faults) else {
            continue;
        };
        let first = *first_of_name.entry(receiver.name.clone()).or_insert(at);
        if first != at {
            let message = format!("the name of receivers[{first}] already: give this one another");
            faults.add(&path.key("name"), &message);
        }
        receivers.push(receiver);
    }
    (receivers.len() == count).then_some(Notifications {
        page_url: page_url?,
        ca_file: ca_file?,
        receivers,
    })
}

fn receiver(
    raw: RawReceiver,
    targets: &[TargetConfig],
    base: &Path,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<Receiver> {
    // The same rule as for targets: a word that is safe in logs.
    let name = faults
        .need(&path.key("name"), raw.name, "give the receiver a name, such as ops")
        .and_then(|text| parse::<TargetName>(&text, &path.key("name"), faults));
    let kind = faults.need(&path.key("kind"), raw.kind, WORDS)?;
    let word = match kind {
        RawReceiverKind::Slack => "slack",
        RawReceiverKind::Teams => "teams",
        RawReceiverKind::Webhook => "webhook",
        RawReceiverKind::Github => "github",
        RawReceiverKind::Gitlab => "gitlab",
    };
    let is_forge = matches!(kind, RawReceiverKind::Github | RawReceiverKind::Gitlab);
    let is_webhook = matches!(kind, RawReceiverKind::Webhook);
    for (key, present, belongs) in [
        ("urlFile", raw.url_file.is_some(), !is_forge),
        ("secretFile", raw.secret_file.is_some(), is_webhook),
        ("tokenFile", raw.token_file.is_some(), is_forge),
        ("repository", raw.repository.is_some(), is_forge),
        ("apiUrl", raw.api_url.is_some(), is_forge),
        ("events", raw.events.is_some(), !is_forge),
        ("functions", raw.functions.is_some(), !is_forge),
        ("minSeverity", raw.min_severity.is_some(), !is_forge),
    ] {
        if present && !belongs {
            let message = format!("does not belong to a receiver of kind {word}: remove it");
            faults.add(&path.key(key), &message);
        }
    }
    let file = |key: &str, raw: Option<Loose<String>>, faults: &mut Faults<'_>| {
        if raw.is_none() {
            faults.add(&path.key(key), &format!("missing: a receiver of kind {word} needs it"));
        }
        local_path(raw, base, &path.key(key), faults).flatten()
    };
    let forge = |kind: ForgeKind, default: &str, token_file: Option<PathBuf>, faults: &mut Faults<'_>| {
        let api_url = match raw.api_url.clone() {
            Some(raw) => optional::<EndpointUrl>(Some(raw), &path.key("apiUrl"), faults).flatten(),
            None => parse(default, &path.key("apiUrl"), faults),
        };
        let api_url = api_url.and_then(|url| encrypted(url, &path.key("apiUrl"), faults));
        let hint = "write OWNER/NAME";
        let repository = faults
            .need(&path.key("repository"), raw.repository.clone(), hint)
            .and_then(|text| repository(text, &path.key("repository"), faults));
        Some(ReceiverKind::Forge(Forge {
            kind,
            api_url: api_url?,
            repository: repository?,
            token_file: token_file?,
        }))
    };
    let kind = match kind {
        RawReceiverKind::Slack => {
            file("urlFile", raw.url_file, faults).map(|url_file| ReceiverKind::Slack { url_file })
        }
        RawReceiverKind::Teams => {
            file("urlFile", raw.url_file, faults).map(|url_file| ReceiverKind::Teams { url_file })
        }
        RawReceiverKind::Webhook => {
            let url_file = file("urlFile", raw.url_file, faults);
            let secret_file = file("secretFile", raw.secret_file, faults);
            url_file
                .zip(secret_file)
                .map(|(url_file, secret_file)| ReceiverKind::Webhook { url_file, secret_file })
        }
        RawReceiverKind::Github => {
            let token = file("tokenFile", raw.token_file, faults);
            forge(ForgeKind::GitHub, GITHUB, token, faults)
        }
        RawReceiverKind::Gitlab => {
            let token = file("tokenFile", raw.token_file, faults);
            forge(ForgeKind::GitLab, GITLAB, token, faults)
        }
    };
    let wanted = self::targets(raw.targets, targets, &path.key("targets"), faults);
    let subscription = if is_forge {
        wanted.map(Subscription::Statuses)
    } else {
        let events = events(raw.events, &path.key("events"), faults);
        let functions = functions(raw.functions, &path.key("functions"), faults);
        let min_severity = severity(raw.min_severity, &path.key("minSeverity"), faults);
        rule(events, wanted, functions, min_severity).map(Subscription::Events)
    };
    Some(Receiver {
        name: name?.to_string(),
        kind: kind?,
        subscription: subscription?,
    })
}

fn rule(
    events: Option<BTreeSet<EventKind>>,
    targets: Option<BTreeSet<TargetName>>,
    functions: Option<Vec<FunctionGlob>>,
    min_severity: Option<Severity>,
) -> Option<Rule> {
    Some(Rule {
        events: events?,
        targets: targets?,
        functions: functions?,
        min_severity: min_severity?,
    })
}

/// Reads the path of a repository on a forge, of characters that need no encoding in a URL.
fn repository(text: String, path: &FieldPath, faults: &mut Faults<'_>) -> Option<String> {
    let segment = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    if text.contains('/') && text.len() <= 255 && text.split('/').all(segment) {
        return Some(text);
    }
    faults.add(
        path,
        "not a repository: write OWNER/NAME, without the host and without .git",
    );
    None
}

/// Reads a list that may be left out. The hints are for what is no list, and for what is no item.
fn list<R, T>(
    raw: Option<Loose<Vec<Loose<R>>>>,
    (list, item): (&str, &str),
    path: &FieldPath,
    faults: &mut Faults<'_>,
    read: impl Fn(R, &FieldPath, &mut Faults<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let hints = ListHints {
        list,
        empty: "empty: nothing could be told; remove it for all",
        item,
    };
    match raw {
        Some(raw) => super::list(raw, &hints, path, faults, read),
        None => Some(Vec::new()),
    }
}

fn targets(
    raw: Option<Loose<Vec<Loose<String>>>>,
    known: &[TargetConfig],
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<BTreeSet<TargetName>> {
    let names: Vec<TargetName> = known.iter().map(|target| target.target.name.clone()).collect();
    let found = list(
        raw,
        ("write a list such as [prod]", QUOTE),
        path,
        faults,
        |text, path, faults| {
            let name: TargetName = parse(&text, path, faults)?;
            // Where the targets are faulty themselves, they are told, and not what names them.
            if !names.is_empty() && !names.contains(&name) {
                faults.add(path, &format!("there is no target {name}: name one of `targets`"));
                return None;
            }
            Some(name)
        },
    );
    found.map(|names| names.into_iter().collect())
}

fn functions(
    raw: Option<Loose<Vec<Loose<String>>>>,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<Vec<FunctionGlob>> {
    let hint = "write a list of globs such as [\"checkout-*\"]";
    list(raw, (hint, QUOTE), path, faults, |text, path, faults| {
        parse(&text, path, faults)
    })
}

fn events(
    raw: Option<Loose<Vec<Loose<RawEventKind>>>>,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<BTreeSet<EventKind>> {
    if raw.is_none() {
        return Some(EventKind::ALL.into());
    }
    let kinds = list(
        raw,
        ("write a list such as [failed, recovered]", WORDS),
        path,
        faults,
        |kind, _, _| {
            Some(match kind {
                RawEventKind::Failed => EventKind::Failed,
                RawEventKind::Withheld => EventKind::Withheld,
                RawEventKind::DriftFound => EventKind::DriftFound,
                RawEventKind::DriftCorrected => EventKind::DriftCorrected,
                RawEventKind::Deployed => EventKind::Deployed,
                RawEventKind::Recovered => EventKind::Recovered,
            })
        },
    )?;
    Some(kinds.into_iter().collect())
}

fn severity(raw: Option<Loose<RawSeverity>>, path: &FieldPath, faults: &mut Faults<'_>) -> Option<Severity> {
    match raw {
        None => Some(Severity::default()),
        Some(raw) => Some(match faults.take(path, Some(raw), WORDS)? {
            RawSeverity::Info => Severity::Info,
            RawSeverity::Warning => Severity::Warning,
            RawSeverity::Error => Severity::Error,
        }),
    }
}
