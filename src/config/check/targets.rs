//! Checks `targets`: each by itself, and their names against each other. Asks AWS nothing.

use std::collections::BTreeMap;

use super::super::TargetConfig;
use super::super::faults::Faults;
use super::super::loose::Loose;
use super::super::place::FieldPath;
use super::super::raw::{RawEvents, RawTarget};
use super::{ListHints, QUOTE, SECTION, list, optional, parse};
use crate::domain::{AccountId, FunctionGlob, QueueUrl, Region, Target, TargetName, bounds};

/// Checks the list.
pub(super) fn targets(
    raw: Option<Loose<Vec<Loose<RawTarget>>>>,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<Vec<TargetConfig>> {
    const HINT: &str = "list at least one target, each with `- name:`, `path:` and `region:`";
    if raw.is_none() {
        faults.add(&FieldPath::default(), &format!("`targets` is missing: {HINT}"));
    }
    let list = faults.take(path, raw, HINT)?;
    if list.is_empty() {
        faults.add(path, &format!("empty: {HINT}"));
    }
    let mut first_of_name: BTreeMap<TargetName, usize> = BTreeMap::new();
    let mut checked = Vec::new();
    let count = list.len();
    for (at, raw) in list.into_iter().enumerate() {
        let path = path.index(at);
        let Some(raw) = faults.take(&path, Some(raw), SECTION) else {
            continue;
        };
        let name = faults
            .need(
                &path.key("name"),
                raw.name.clone(),
                "give the target a name, such as prod",
            )
            .and_then(|text| parse::<TargetName>(&text, &path.key("name"), faults));
        if let Some(name) = &name {
            let first = *first_of_name.entry(name.clone()).or_insert(at);
            if first != at {
                let message = format!("{name} is the name of targets[{first}] already: give this one another");
                faults.add(&path.key("name"), &message);
            }
        }
        checked.extend(target(name, raw, &path, faults));
    }
    (checked.len() == count).then_some(checked)
}

fn target(name: Option<TargetName>, raw: RawTarget, path: &FieldPath, faults: &mut Faults<'_>) -> Option<TargetConfig> {
    let folder = faults
        .need(
            &path.key("path"),
            raw.path,
            "write the folder of the repository, or \".\" for all of it",
        )
        .and_then(|text| folder(&text, &path.key("path"), faults));
    let region = faults
        .need(&path.key("region"), raw.region, "write an AWS Region such as us-east-1")
        .and_then(|text| parse::<Region>(&text, &path.key("region"), faults));
    let account = optional::<AccountId>(raw.account, &path.key("account"), faults);
    let role_arn = role_arn(raw.role_arn, account.as_ref(), &path.key("roleArn"), faults);
    let external_id = external_id(raw.external_id, &path.key("externalId"), faults);
    if let (Some(None), Some(Some(_))) = (&role_arn, &external_id) {
        faults.add(
            &path.key("externalId"),
            "an external id without a role: add `roleArn`, or remove it",
        );
    }
    let functions = functions(raw.functions, &path.key("functions"), faults);
    let endpoint_url = optional(raw.endpoint_url, &path.key("endpointUrl"), faults);
    let s3_endpoint_url = optional(raw.s3_endpoint_url, &path.key("s3EndpointUrl"), faults);
    let event_queue = event_queue(raw.events, &path.key("events"), faults);
    Some(TargetConfig {
        target: Target {
            name: name?,
            path: folder?,
            region: Some(region?),
            account: account?,
            functions: functions?,
        },
        role_arn: role_arn?,
        external_id: external_id?,
        endpoint_url: endpoint_url?,
        s3_endpoint_url: s3_endpoint_url?,
        event_queue: event_queue?,
    })
}

#[expect(clippy::option_option, reason = "a queue is there, not there, or faulty")]
fn event_queue(raw: Option<Loose<RawEvents>>, path: &FieldPath, faults: &mut Faults<'_>) -> Option<Option<QueueUrl>> {
    let Some(raw) = raw else { return Some(None) };
    let raw = faults.take(path, Some(raw), SECTION)?;
    let hint = "write the URL of the queue, as SQS shows it";
    let text = faults.need(&path.key("queueUrl"), raw.queue_url, hint)?;
    parse(&text, &path.key("queueUrl"), faults).map(Some)
}

/// Reads a folder of the repository: `.` is all of it, and becomes the empty path.
fn folder(text: &str, path: &FieldPath, faults: &mut Faults<'_>) -> Option<String> {
    let folder = text.strip_prefix("./").unwrap_or(text);
    let folder = folder
        .strip_suffix('/')
        .filter(|rest| !rest.is_empty())
        .unwrap_or(folder);
    let segments = || folder.split('/');
    let fault = if text == "." || text == "./" {
        return Some(String::new());
    } else if folder.is_empty() {
        "empty: write \".\" for all of the repository"
    } else if folder.starts_with('/') {
        "absolute: write it from the repository's root, without a slash before it"
    } else if folder.contains('\\') {
        "a backslash: write / between folders"
    } else if folder.chars().any(char::is_control) {
        "holds a control character: remove it"
    } else if segments().any(|segment| segment == "..") {
        "`..` leads out of the repository: write the folder from the repository's root"
    } else if segments().any(|segment| segment.is_empty() || segment == ".") {
        "an empty segment: write one / between folders"
    } else if segments().any(|segment| segment.starts_with(['.', '_'])) {
        "a folder whose name begins with `.` or `_` is not looked at: name another"
    } else if folder.len() > bounds::MAX_PATH_BYTES || segments().count() > bounds::MAX_DEPTH {
        "too long or too deep: no commit with such a path is taken"
    } else {
        return Some(folder.to_owned());
    };
    faults.add(path, fault);
    None
}

/// Reads the ARN of a role (IAM User Guide, "IAM identifiers").
#[expect(clippy::option_option, reason = "a field is there, not there, or faulty")]
fn role_arn(
    raw: Option<Loose<String>>,
    account: Option<&Option<AccountId>>,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<Option<String>> {
    let Some(raw) = raw else { return Some(None) };
    let text = faults.take(path, Some(raw), QUOTE)?;
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let sound = |name: &str| {
        (1..=512).contains(&name.len())
            && !name.ends_with('/')
            && name
                .bytes()
                .all(|b| b.is_ascii_graphic() && !matches!(b, b':' | b'*' | b'?'))
    };
    if let ["arn", partition, "iam", "", role_account, resource] = parts.as_slice()
        && (*partition == "aws" || partition.starts_with("aws-"))
        && resource.strip_prefix("role/").is_some_and(sound)
        && let Ok(role_account) = role_account.parse::<AccountId>()
    {
        if let Some(Some(account)) = account
            && *account != role_account
        {
            faults.add(
                path,
                &format!("a role of account {role_account}, but `account` is {account}: correct one of them"),
            );
            return None;
        }
        return Some(Some(text));
    }
    faults.add(path, "not the ARN of a role: write arn:aws:iam::ACCOUNT:role/NAME");
    None
}

/// Reads an external id (STS API Reference, AssumeRole, ExternalId).
#[expect(clippy::option_option, reason = "a field is there, not there, or faulty")]
fn external_id(raw: Option<Loose<String>>, path: &FieldPath, faults: &mut Faults<'_>) -> Option<Option<String>> {
    let Some(raw) = raw else { return Some(None) };
    let text = faults.take(path, Some(raw), QUOTE)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b);
    if (2..=1224).contains(&text.len()) && text.bytes().all(allowed) {
        return Some(Some(text));
    }
    faults.add(
        path,
        "not an external id: write 2 to 1224 of A-Z a-z 0-9 _ + = , . @ : / -",
    );
    None
}

fn functions(
    raw: Option<Loose<Vec<Loose<String>>>>,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<Vec<FunctionGlob>> {
    let Some(raw) = raw else {
        return Some(vec![parse("*", path, faults)?]);
    };
    let hints = ListHints {
        list: "write a list of globs such as [\"checkout-*\"]",
        empty: "empty: no function could be managed; write [\"*\"] for all",
        item: QUOTE,
    };
    list(raw, &hints, path, faults, |text, path, faults| {
        parse(&text, path, faults)
    })
}
