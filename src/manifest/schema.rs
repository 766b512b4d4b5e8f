//! JSON Schema of the two kinds of file, for editors and CI. Describes what `file` reads; checks nothing itself.
//!
//! A schema sees one file at a time: that an artifact comes from defaults.yaml, or that two files claim one function,
//! only `pinfold validate` can tell.

use serde_json::{Value, json};

use super::file::API_VERSION;
use super::suspend::MAX_REASON;

/// Draft 2020-12, the newest that editors know.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Returns the JSON Schema of `kind: Function`.
pub fn function_schema() -> Value {
    json!({
        "$schema": DRAFT,
        "title": "Pinfold function",
        "description": "Which artifact version one Lambda function and its aliases run.",
        "type": "object",
        "additionalProperties": false,
        "required": ["apiVersion", "kind", "name", "version"],
        "properties": {
            "apiVersion": { "const": API_VERSION },
            "kind": { "const": "Function" },
            "name": {
                "type": "string",
                "description": "The function's name in Lambda: no ARN, no qualifier.",
                "pattern": "^[A-Za-z0-9_-]{1,64}$",
            },
            "version": version("The artifact's version: what $LATEST holds, and every alias that names none. In quotes."),
            "sha256": sha256(),
            "artifact": artifact("Where the zip lies; optional where a defaults.yaml says it."),
            "objectVersion": object_version(),
            "aliases": aliases(),
            "mode": mode(),
            "suspend": {
                "type": "object",
                "description": "While it is there, nothing of this function is written; drift is still reported.",
                "additionalProperties": false,
                "required": ["reason"],
                "properties": {
                    "reason": {
                        "type": "string",
                        "description": "Why, for whoever finds it.",
                        "pattern": "\\S",
                        "maxLength": MAX_REASON,
                    },
                    "until": {
                        "type": "string",
                        "description": "When it ends by itself: RFC 3339 with a zone.",
                        "format": "date-time",
                        "examples": ["2026-12-01T00:00:00Z"],
                    },
                },
            },
        },
    })
}

/// Returns the JSON Schema of `kind: Defaults`.
pub fn defaults_schema() -> Value {
    json!({
        "$schema": DRAFT,
        "title": "Pinfold defaults",
        "description": "What the functions of this folder and of those below share, key by key; the nearer file wins.",
        "type": "object",
        "additionalProperties": false,
        "required": ["apiVersion", "kind"],
        "properties": {
            "apiVersion": { "const": API_VERSION },
            "kind": { "const": "Defaults" },
            "artifact": artifact("Where the zips lie."),
            "aliases": aliases(),
            "mode": mode(),
        },
    })
}

fn aliases() -> Value {
    json!({
        "type": "object",
        "description": "What each alias runs. Aliases that are not named here are left alone. Taken whole: a nearer \
                        file's aliases replace all of these.",
        // No lookahead: not every validator's regular expressions have it.
        "propertyNames": { "pattern": "^[0-9]*[A-Za-z_-][A-Za-z0-9_-]*$", "maxLength": 128 },
        "additionalProperties": {
            "type": ["object", "null"],
            "description": "Runs the function's `version` unless it names its own.",
            "additionalProperties": false,
            "properties": {
                "version": version("Another version than the function's. Neither sha256 nor objectVersion of the function then applies."),
                "sha256": sha256(),
                "objectVersion": object_version(),
                "artifact": artifact("Another place than the function's."),
            },
        },
    })
}

fn version(description: &str) -> Value {
    json!({
        "type": "string",
        "description": description,
        "pattern": "^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$",
    })
}

fn sha256() -> Value {
    json!({
        "type": "string",
        "description": "SHA-256 of the zip: 64 hex digits as sha256sum prints, or 44 characters of base64 as CodeSha256 shows.",
        "pattern": "^(sha256:)?([0-9A-Fa-f]{64}|[A-Za-z0-9+/]{43}=)$",
    })
}

fn artifact(description: &str) -> Value {
    json!({
        "type": "string",
        "description": format!("{description} Placeholders: {{name}} {{version}} {{target}} {{region}} {{account}}."),
        "pattern": "^s3://([^{}]|\\{(name|version|target|region|account)\\})+$",
        "examples": ["s3://acme-artifacts-{region}/{name}/{version}.zip"],
    })
}

fn object_version() -> Value {
    json!({
        "type": "string",
        "description": "The S3 object version.",
        "pattern": "^[!-~]{1,1024}$",
    })
}

fn mode() -> Value {
    json!({
        "enum": ["reconcile", "observe"],
        "description": "Whether drift is corrected or only reported. The configuration's observe is not lifted here.",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::aliases::ALIAS_FIELDS;
    use crate::manifest::file::{DEFAULTS_FIELDS, FUNCTION_FIELDS};
    use crate::manifest::suspend::SUSPEND_FIELDS;

    fn sorted(fields: &[&str]) -> Vec<String> {
        let mut fields: Vec<_> = fields.iter().map(|field| (*field).to_owned()).collect();
        fields.sort();
        fields
    }

    fn properties(schema: &Value, at: &str) -> Vec<String> {
        let mut fields: Vec<_> = schema
            .pointer(at)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        fields.sort();
        fields
    }

    #[test]
    fn the_schemas_have_the_fields_that_are_read() {
        let function = function_schema();
        assert_eq!(properties(&function, "/properties"), sorted(&FUNCTION_FIELDS));
        assert_eq!(
            properties(&function, "/properties/suspend/properties"),
            sorted(&SUSPEND_FIELDS)
        );
        let alias = "/properties/aliases/additionalProperties/properties";
        assert_eq!(properties(&function, alias), sorted(&ALIAS_FIELDS));
        let defaults = defaults_schema();
        assert_eq!(properties(&defaults, "/properties"), sorted(&DEFAULTS_FIELDS));
        assert_eq!(properties(&defaults, alias), sorted(&ALIAS_FIELDS));
    }
}
