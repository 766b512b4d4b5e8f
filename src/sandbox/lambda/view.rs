//! Renders functions, versions and aliases as Lambda's JSON. It changes nothing.

use serde_json::{Map, Value, json};

use super::super::ids::Ids;
use super::model::{Alias, Function, LastUpdate, Members, Origin, State, Version, VersionNumber};

/// How much of a configuration a reply shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Everything.
    Full,
    /// As listings show it: without the states, the last update and the runtime version.
    Listed,
}

/// A `FunctionConfiguration`.
pub(super) fn configuration(
    function: &Function,
    number: VersionNumber,
    version: &Version,
    arn: &str,
    detail: Detail,
) -> Map<String, Value> {
    let mut out = version.config.members();
    let runtime = runtime_version(function, &out);
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("FunctionName", json!(function.name));
    put("FunctionArn", json!(arn));
    put("Version", json!(number.to_string()));
    put("Description", json!(version.description));
    put("CodeSize", json!(version.code.size));
    put("LastModified", json!(version.last_modified.lambda()));
    put("RevisionId", json!(version.revision_id));
    if let Some(sha) = visible_sha(version) {
        put("CodeSha256", json!(sha));
    }
    if detail == Detail::Full {
        match &version.state {
            State::Pending => {
                put("State", json!("Pending"));
                put("StateReason", json!("The function is being created."));
                put("StateReasonCode", json!("Creating"));
            }
            State::Active => {
                put("State", json!("Active"));
            }
            State::Inactive => {
                put("State", json!("Inactive"));
                put("StateReason", json!("The function is inactive."));
                put("StateReasonCode", json!("Idle"));
            }
            State::Failed { code, reason } => {
                put("State", json!("Failed"));
                put("StateReason", json!(reason));
                put("StateReasonCode", json!(code));
            }
        }
        match &version.last_update {
            None => {}
            Some(LastUpdate::InProgress) => {
                put("LastUpdateStatus", json!("InProgress"));
                put("LastUpdateStatusReason", json!("The function is being created."));
                put("LastUpdateStatusReasonCode", json!("Creating"));
            }
            Some(LastUpdate::Successful) => {
                put("LastUpdateStatus", json!("Successful"));
            }
            Some(LastUpdate::Failed { code, reason }) => {
                put("LastUpdateStatus", json!("Failed"));
                put("LastUpdateStatusReason", json!(reason));
                put("LastUpdateStatusReasonCode", json!(code));
            }
        }
        if let Some(runtime) = runtime {
            put("RuntimeVersionConfig", runtime);
        }
    }
    snap_start(&mut out, number);
    out
}

/// Of a function that refers to its S3 object Lambda learns the hash late: it is empty while a version is pending and
/// missing while an update runs.
fn visible_sha(version: &Version) -> Option<&str> {
    let known_late = matches!(version.code.origin, Origin::Reference { .. });
    if known_late && version.is_updating() {
        return None;
    }
    Some(if known_late && version.state == State::Pending {
        ""
    } else {
        &version.code.sha256
    })
}

/// The managed runtime's own version: the same for equal runtimes of a region.
fn runtime_version(function: &Function, members: &Members) -> Option<Value> {
    let runtime = members.get("Runtime")?.as_str()?;
    let region = function.arn.split(':').nth(3).unwrap_or_default();
    let seed = runtime
        .bytes()
        .fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut ids = Ids::new(seed);
    let digest = format!("{}{}", ids.uuid(), ids.uuid()).replace('-', "");
    Some(json!({ "RuntimeVersionArn": format!("arn:aws:lambda:{region}::runtime:{digest}") }))
}

fn snap_start(out: &mut Map<String, Value>, number: VersionNumber) {
    let Some(Value::Object(snap_start)) = out.get_mut("SnapStart") else {
        return;
    };
    let optimised = matches!(number, VersionNumber::Published(_))
        && snap_start.get("ApplyOn").is_some_and(|on| on == "PublishedVersions");
    snap_start.insert(
        "OptimizationStatus".to_owned(),
        json!(if optimised { "On" } else { "Off" }),
    );
}

/// An `AliasConfiguration`.
pub(super) fn alias(function: &Function, name: &str, alias: &Alias) -> Value {
    let mut out = json!({
        "AliasArn": function.qualified(name),
        "Name": name,
        "FunctionVersion": alias.version.to_string(),
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    });
    if !alias.weights.is_empty() {
        let weights: Map<String, Value> = alias
            .weights
            .iter()
            .map(|(number, weight)| (number.to_string(), json!(weight)))
            .collect();
        out["RoutingConfig"] = json!({ "AdditionalVersionWeights": weights });
    }
    out
}

/// The `Code` member of `GetFunction`.
pub(super) fn code(endpoint: &str, function: &Function, number: VersionNumber, version: &Version) -> Value {
    let location = || {
        let arn = function.arn.replace(':', "/");
        let number = match number {
            VersionNumber::Latest => "latest".to_owned(),
            VersionNumber::Published(number) => number.to_string(),
        };
        format!("{endpoint}/_sandbox/code/{arn}/{number}")
    };
    let mut out = match &version.code.origin {
        Origin::Copy => json!({ "RepositoryType": "S3", "Location": location() }),
        Origin::Reference { bucket, key, version } => json!({
            "RepositoryType": "S3",
            "Location": location(),
            "ResolvedS3Object": { "S3Bucket": bucket, "S3Key": key, "S3ObjectVersion": version },
        }),
        Origin::Image { uri } => {
            let digest = &*version.code.sha256;
            let repository = uri.split_once('@').map_or_else(
                || {
                    let slash = uri.rfind('/').map_or(0, |at| at + 1);
                    uri[slash..]
                        .rfind(':')
                        .map_or(uri.as_str(), |colon| &uri[..slash + colon])
                },
                |(repository, _)| repository,
            );
            json!({
                "RepositoryType": "ECR",
                "ImageUri": uri,
                "ResolvedImageUri": format!("{repository}@sha256:{digest}"),
            })
        }
    };
    if let Some(key) = &version.code.kms_key {
        out["SourceKMSKeyArn"] = json!(key);
    }
    out
}
