//! Reads an event of CloudTrail as EventBridge passes it on. Takes nothing for granted: anybody may write to a queue.

use serde::Deserialize;

use crate::domain::{AccountId, FunctionName, Region};
use crate::ports::Hint;

/// Calls that change code, versions or aliases, without the version of the API behind their names (`20150331`,
/// `20150331v2`), which CloudTrail writes there (Lambda Developer Guide, "Logging AWS Lambda API calls").
const CHANGES: [&str; 8] = [
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
    "PublishVersion",
    "CreateAlias",
    "UpdateAlias",
    "DeleteAlias",
    "CreateFunction",
    "DeleteFunction",
];

/// Longest text of a message that is repeated, in characters.
const LONGEST: usize = 100;

/// Who makes calls: a role, whatever its session, or a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Principal(String);

impl Principal {
    /// Reads a principal's id, such as `AROAEXAMPLE:session`. The sessions of a role come and go.
    pub(super) fn of(id: &str) -> Self {
        Self(id.split(':').next().unwrap_or_default().to_owned())
    }
}

/// An event of EventBridge.
#[derive(Deserialize)]
struct Event {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    account: String,
    region: String,
    detail: serde_json::Value,
}

/// A record of CloudTrail.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_name: String,
    error_code: Option<String>,
    user_identity: Option<Identity>,
    request_parameters: Option<Parameters>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    principal_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    function_name: Option<String>,
}

/// Reads a message.
pub(super) fn read(body: &str, own: Option<&Principal>) -> Hint {
    let event: Event = match serde_json::from_str(body) {
        Ok(event) => event,
        Err(error) => return Hint::Malformed(format!("not an event of EventBridge: {error}")),
    };
    if event.source != "aws.lambda" || event.detail_type != "AWS API Call via CloudTrail" {
        return Hint::Irrelevant;
    }
    let record: Record = match serde_json::from_value(event.detail) {
        Ok(record) => record,
        Err(error) => return Hint::Malformed(format!("not a record of CloudTrail: {error}")),
    };
    let is_change = CHANGES.iter().any(|change| {
        let version = record.event_name.strip_prefix(change);
        version.is_some_and(|version| version.is_empty() || version.starts_with(|c: char| c.is_ascii_digit()))
    });
    if !is_change || record.error_code.is_some() {
        return Hint::Irrelevant;
    }
    let by = record.user_identity.and_then(|identity| identity.principal_id);
    if own.is_some() && by.as_deref().map(Principal::of).as_ref() == own {
        return Hint::Own;
    }
    let name = record
        .request_parameters
        .and_then(|parameters| parameters.function_name);
    let Some(name) = name else {
        return Hint::Malformed(format!("{} of no function", record.event_name));
    };
    let place = Place::of(&name);
    let parsed = (
        place.account.unwrap_or(&event.account).parse::<AccountId>(),
        place.region.unwrap_or(&event.region).parse::<Region>(),
        place.function.parse::<FunctionName>(),
    );
    if let (Ok(account), Ok(region), Ok(function)) = parsed {
        return Hint::Changed {
            account,
            region,
            function,
        };
    }
    let shown: String = name.chars().take(LONGEST).collect();
    Hint::Malformed(format!("{shown:?} names no function"))
}

/// What the name of a function says in a call: callers may give the name, a part of the ARN or all of it, each with a
/// qualifier behind it (Lambda API Reference, FunctionName).
struct Place<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    function: &'a str,
}

impl<'a> Place<'a> {
    fn of(name: &'a str) -> Self {
        let parts: Vec<&str> = name.split(':').collect();
        let (region, account, function) = match parts.as_slice() {
            ["arn", _, "lambda", region, account, "function", function, ..] => {
                (Some(*region), Some(*account), *function)
            }
            [account, "function", function, ..] => (None, Some(*account), *function),
            [function, ..] => (None, None, *function),
            [] => (None, None, name),
        };
        Self {
            region,
            account,
            function,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(change: impl FnOnce(&mut Value)) -> String {
        let mut event = json!({
            "version": "0", "id": "1", "source": "aws.lambda", "detail-type": "AWS API Call via CloudTrail",
            "account": "111111111111", "region": "us-east-1", "time": "2026-01-01T00:00:00Z", "resources": [],
            "detail": {
                "eventVersion": "1.08", "eventSource": "lambda.amazonaws.com", "eventName": "UpdateAlias20150331",
                "userIdentity": { "type": "AssumedRole", "principalId": "AROAEXAMPLE:somebody" },
                "requestParameters": { "functionName": "checkout-api", "name": "live", "functionVersion": "7" },
                "responseElements": { "name": "live" },
            },
        });
        change(&mut event);
        event.to_string()
    }

    fn changed(account: &str, region: &str) -> Hint {
        Hint::Changed {
            account: account.parse().unwrap(),
            region: region.parse().unwrap(),
            function: "checkout-api".parse().unwrap(),
        }
    }

    #[test]
    fn a_change_is_heard_however_its_function_is_named() {
        let here = changed("111111111111", "us-east-1");
        for (name, expected) in [
            ("checkout-api", here.clone()),
            ("checkout-api:live", here.clone()),
            ("111111111111:function:checkout-api", here),
            (
                "arn:aws:lambda:eu-west-1:222222222222:function:checkout-api:7",
                changed("222222222222", "eu-west-1"),
            ),
        ] {
            let body = event(|event| event["detail"]["requestParameters"]["functionName"] = name.into());
            assert_eq!(read(&body, None), expected, "{name}");
        }
        for name in [
            "UpdateFunctionCode20150331v2",
            "PublishVersion20150331",
            "DeleteAlias20150331",
        ] {
            let body = event(|event| event["detail"]["eventName"] = name.into());
            assert!(matches!(read(&body, None), Hint::Changed { .. }), "{name}");
        }
    }

    #[test]
    fn what_changes_nothing_is_not_heard_of() {
        let irrelevant: [fn(&mut Value); 5] = [
            |event| event["detail"]["errorCode"] = "AccessDenied".into(),
            |event| event["detail"]["eventName"] = "AddPermission20150331v2".into(),
            |event| event["detail"]["eventName"] = "UpdateAliasOfSomethingElse".into(),
            |event| event["source"] = "aws.s3".into(),
            |event| event["detail-type"] = "Something Else".into(),
        ];
        for change in irrelevant {
            assert_eq!(read(&event(change), None), Hint::Irrelevant);
        }
    }

    #[test]
    fn pinfolds_own_calls_are_known_by_its_role() {
        let own = Principal::of("AROAEXAMPLE:pinfold");
        assert_eq!(read(&event(|_| ()), Some(&own)), Hint::Own);
        let other = Principal::of("AROAOTHER:somebody");
        assert!(matches!(read(&event(|_| ()), Some(&other)), Hint::Changed { .. }));
        let nobody = event(|event| event["detail"]["userIdentity"] = Value::Null);
        assert!(matches!(read(&nobody, Some(&own)), Hint::Changed { .. }));
    }

    #[test]
    fn what_is_no_event_is_malformed() {
        let malformed: [fn(&mut Value); 5] = [
            |event| *event = json!("x"),
            |event| event["detail"] = json!("x"),
            |event| event["detail"]["requestParameters"] = Value::Null,
            |event| event["detail"]["requestParameters"]["functionName"] = "../x".into(),
            |event| event["account"] = "x".into(),
        ];
        for change in malformed {
            assert!(matches!(read(&event(change), None), Hint::Malformed(_)));
        }
        assert!(matches!(read("", None), Hint::Malformed(_)));
        assert!(matches!(read(&"[".repeat(100_000), None), Hint::Malformed(_)));
    }
}
