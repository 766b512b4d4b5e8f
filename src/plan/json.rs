//! The JSON of a report: `plan`, `apply`, `status` and the API share this shape. Fields may be added, none renamed.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::exit::Verdict;
use super::report::{FunctionReport, Report, StepReport};
use super::step::{Step, VersionRef};
use super::withheld::Withheld;
use crate::domain::{AccountId, CodeSha256, Fault, FunctionVersion, Region, Routing, rfc3339};
use crate::drift::{DesiredCode, Drift, LiveAlias};

/// The version of the shape. It changes when a field is renamed or dropped.
pub const SCHEMA_VERSION: u32 = 1;

impl Report {
    /// Returns the whole report.
    pub fn to_json(&self) -> Value {
        let mut json = self.json_without_functions();
        let functions = self.functions.iter().map(FunctionReport::to_json);
        json.insert("functions".to_owned(), functions.collect());
        Value::Object(json)
    }

    /// Returns the whole report and further fields, to be written one function after the other: the values of ten thousand
    /// take many times the memory of their text.
    pub fn json_with(&self, further: Map<String, Value>) -> impl Serialize {
        let mut fields = self.json_without_functions();
        fields.extend(further);
        Written {
            fields,
            functions: Functions(&self.functions),
        }
    }

    fn json_without_functions(&self) -> Map<String, Value> {
        let summary: Map<String, Value> = self
            .summary()
            .into_iter()
            .map(|(state, count)| (lower_first(state.as_str()), count.into()))
            .collect();
        let unmanaged = self.unmanaged.iter().map(|unmanaged| {
            json!({
                "target": unmanaged.target.as_str(),
                "function": unmanaged.function.as_str(),
            })
        });
        let failed_targets = self.failed_targets.iter().map(|failed| {
            json!({
                "target": failed.target.as_str(),
                "message": failed.message,
            })
        });
        let fields: [(&str, Value); 7] = [
            ("schemaVersion", SCHEMA_VERSION.into()),
            ("revision", self.revision.as_ref().map(ToString::to_string).into()),
            ("inSync", (self.verdict() == Verdict::InSync).into()),
            ("summary", Value::Object(summary)),
            ("faults", self.faults.iter().map(fault).collect()),
            ("unmanaged", unmanaged.collect()),
            ("failedTargets", failed_targets.collect()),
        ];
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    fields: Map<String, Value>,
    functions: Functions<'a>,
}

struct Functions<'a>(&'a [FunctionReport]);

impl Serialize for Functions<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(FunctionReport::to_json))
    }
}

impl FunctionReport {
    /// Returns the entry of one function.
    pub fn to_json(&self) -> Value {
        json!({
            "target": self.key.target.as_str(),
            "account": self.account.as_ref().map(AccountId::as_str),
            "region": self.region.as_ref().map(Region::as_str),
            "function": self.key.name.as_str(),
            "state": self.state.as_str(),
            "drift": self.drift.iter().map(drift).collect::<Vec<_>>(),
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
            "withheld": self.withheld.iter().map(withheld).collect::<Vec<_>>(),
            "weightsRead": self.live.as_ref().map(|live| live.weights_read),
        })
    }
}

/// Returns one fault, as `plan` and `validate` show it.
pub fn fault(fault: &Fault) -> Value {
    json!({ "file": fault.file, "line": fault.line, "column": fault.column, "message": fault.message })
}

fn lower_first(word: &str) -> String {
    let mut text = word.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}

fn drift(drift: &Drift) -> Value {
    let entry = |kind: &str, alias: Value, desired: Value, live: Value| json!({ "kind": kind, "alias": alias, "desired": desired, "live": live });
    match drift {
        Drift::Missing { desired } => entry("missing", Value::Null, desired_code(desired), Value::Null),
        Drift::Code { desired, live, failed } => {
            let mut found = json!({ "functionVersion": "$LATEST", "codeSha256": sha(*live) });
            if let Some(reason) = failed {
                found["lastUpdateStatus"] = "Failed".into();
                found["lastUpdateStatusReason"] = reason.as_str().into();
            }
            entry("code", "$LATEST".into(), desired_code(desired), found)
        }
        Drift::Alias { alias, desired, live } => entry(
            "alias",
            alias.as_str().into(),
            desired_code(desired),
            live.as_ref().map_or(Value::Null, live_alias),
        ),
        Drift::Routing { alias, live } => entry(
            "routing",
            alias.as_str().into(),
            weights(&Routing::new()),
            weights(live),
        ),
        Drift::Configuration {
            alias,
            desired,
            version,
        } => {
            let live = LiveAlias {
                version: FunctionVersion::Number(*version),
                sha256: desired.sha256,
            };
            entry(
                "configuration",
                alias.as_str().into(),
                desired_code(desired),
                live_alias(&live),
            )
        }
    }
}

fn desired_code(desired: &DesiredCode) -> Value {
    json!({ "version": desired.version.as_str(), "codeSha256": sha(desired.sha256) })
}

fn live_alias(live: &LiveAlias) -> Value {
    json!({ "functionVersion": live.version.to_string(), "codeSha256": sha(live.sha256) })
}

fn weights(routing: &Routing) -> Value {
    let weights: Map<String, Value> = routing
        .iter()
        .map(|(version, weight)| (version.to_string(), weight.0.into()))
        .collect();
    json!({ "weights": weights })
}

fn sha(sha256: Option<CodeSha256>) -> Value {
    sha256.map_or(Value::Null, |sha256| sha256.to_string().into())
}

fn step(report: &StepReport) -> Value {
    let mut entry = json!({ "action": report.step.action(), "result": report.result.as_str() });
    let to = |to: &VersionRef| match report.version.or(to.known()) {
        Some(version) => version.to_string().into(),
        None => Value::Null,
    };
    match &report.step {
        Step::UpdateCode { version, code, .. } => {
            entry["alias"] = "$LATEST".into();
            entry["version"] = version.as_str().into();
            entry["codeSha256"] = code.sha256.to_string().into();
            entry["artifact"] = format!("s3://{}/{}", code.location.bucket, code.location.key).into();
            entry["objectVersion"] = code.location.object_version.as_deref().into();
        }
        Step::AwaitUpdated { expect } => {
            entry["alias"] = "$LATEST".into();
            entry["codeSha256"] = expect.to_string().into();
        }
        Step::PublishVersion { expect, publication } => {
            entry["version"] = publication.version.as_str().into();
            entry["codeSha256"] = expect.to_string().into();
            entry["to"] = report.version.map(|version| version.to_string()).into();
        }
        Step::CreateAlias { alias, to: version } => {
            entry["alias"] = alias.as_str().into();
            entry["from"] = Value::Null;
            entry["to"] = to(version);
        }
        Step::MoveAlias {
            alias,
            from,
            to: version,
            ..
        } => {
            entry["alias"] = alias.as_str().into();
            entry["from"] = from.to_string().into();
            entry["to"] = to(version);
        }
    }
    if let Some(message) = &report.message {
        entry["message"] = message.as_str().into();
    }
    entry
}

fn withheld(withheld: &Withheld) -> Value {
    json!({
        "alias": withheld.subject.label(),
        "reason": withheld.reason.as_str(),
        "message": withheld.message,
        "since": withheld.since.as_ref().map(rfc3339),
        "until": withheld.until.as_ref().map(rfc3339),
        "release": withheld.reason.release(),
        "help": withheld.reason.help(),
    })
}
