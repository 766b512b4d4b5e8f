//! Digests what a version freezes besides its code, over the JSON as it came. Fields that nobody knows yet count.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::domain::ConfigDigest;

/// Members of FunctionConfiguration that say which version it is, what code it has or how it is doing, and not
/// how it is configured. Whatever is not in this list counts, also what AWS adds tomorrow: an unknown
/// difference must make two versions differ, not be overlooked.
const NOT_CONFIGURATION: [&str; 15] = [
    "CodeSha256",
    "CodeSize",
    "ConfigSha256",
    "Description",
    "FunctionArn",
    "LastModified",
    "MasterArn",
    "RevisionId",
    "RuntimeVersionConfig",
    "SigningJobArn",
    "SigningProfileVersionArn",
    "State",
    "StateReason",
    "StateReasonCode",
    "Version",
];

/// Further members that are left out, by how they begin.
const NOT_CONFIGURATION_PREFIX: &str = "LastUpdateStatus";

/// Digests one FunctionConfiguration.
///
/// Returns `None` where the configuration could not be read whole: without kms:Decrypt, Lambda shows an error in
/// place of the environment.
pub(super) fn config_digest(configuration: &Value) -> Option<ConfigDigest> {
    let members = configuration.as_object()?;
    if members
        .get("Environment")
        .and_then(|environment| environment.get("Error"))
        .is_some_and(|error| !error.is_null())
    {
        return None;
    }
    let mut kept = Map::new();
    for (name, value) in members {
        if NOT_CONFIGURATION.contains(&name.as_str()) || name.starts_with(NOT_CONFIGURATION_PREFIX) {
            continue;
        }
        let value = match name.as_str() {
            // Whether the snapshot is taken differs between $LATEST and a version; whether one is wanted does not.
            "SnapStart" => value.get("ApplyOn").cloned().unwrap_or_default(),
            _ => value.clone(),
        };
        if !value.is_null() {
            kept.insert(name.clone(), value);
        }
    }
    // serde_json keeps the members of an object sorted, so equal content gives equal text.
    let text = Value::Object(kept).to_string();
    Some(ConfigDigest(Sha256::digest(text.as_bytes()).into()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn base() -> Value {
        json!({
            "FunctionName": "f", "Version": "$LATEST", "CodeSha256": "x", "MemorySize": 128, "Timeout": 3,
            "Environment": { "Variables": { "A": "1" } }, "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
            "State": "Active", "LastUpdateStatus": "Successful", "StateReasonCode": null,
        })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut changed = base();
        changed[name] = value;
        changed
    }

    #[test]
    fn what_names_the_version_does_not_count() {
        for (name, value) in [
            ("Version", json!("7")),
            ("CodeSha256", json!("y")),
            ("State", json!("Pending")),
            ("LastUpdateStatus", json!("InProgress")),
            ("LastUpdateStatusReason", json!("because")),
            ("Description", json!("pinfold 1.0.0")),
            ("SnapStart", json!({ "ApplyOn": "None", "OptimizationStatus": "On" })),
            ("Unset", Value::Null),
        ] {
            assert_eq!(config_digest(&base()), config_digest(&with(name, value)), "{name}");
        }
    }

    #[test]
    fn configuration_counts_also_where_nobody_knows_the_field() {
        for (name, value) in [
            ("MemorySize", json!(256)),
            ("Environment", json!({ "Variables": { "A": "2" } })),
            ("SnapStart", json!({ "ApplyOn": "PublishedVersions" })),
            ("FieldOfTomorrow", json!(true)),
        ] {
            assert_ne!(config_digest(&base()), config_digest(&with(name, value)), "{name}");
        }
    }

    #[test]
    fn an_environment_that_could_not_be_decrypted_is_unknown() {
        let hidden = json!({ "Error": { "ErrorCode": "AccessDeniedException" } });
        assert_eq!(config_digest(&with("Environment", hidden)), None);
    }
}
