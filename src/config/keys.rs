//! Keys that the file should not have, judged by the schema, with the key that was probably meant. Reads no values.

use serde_json::Value as Json;
use serde_yaml::{Mapping, Value};

use super::faults::Faults;
use super::place::FieldPath;
use crate::domain::nearest;

/// Takes out of `value` every key that `schema` does not know, and reports each.
///
/// The schema is made from the very structs that read the file, so the two cannot differ.
pub(super) fn strike_unknown(value: &mut Value, schema: &Json, path: &FieldPath, faults: &mut Faults<'_>) {
    match value {
        Value::Mapping(mapping) => {
            if let Some(known) = find(schema, "properties").and_then(Json::as_object) {
                strike_in(mapping, known, path, faults);
            }
        }
        Value::Sequence(items) => {
            if let Some(schema) = find(schema, "items") {
                for (at, item) in items.iter_mut().enumerate() {
                    strike_unknown(item, schema, &path.index(at), faults);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => {}
    }
}

fn strike_in(mapping: &mut Mapping, known: &serde_json::Map<String, Json>, path: &FieldPath, faults: &mut Faults<'_>) {
    mapping.retain(|key, value| {
        let Some(key) = key.as_str() else {
            faults.add(
                path,
                "a key that is not a text: keys are words such as those in the schema",
            );
            return false;
        };
        if let Some(schema) = known.get(key) {
            strike_unknown(value, schema, &path.key(key), faults);
            return true;
        }
        let keys: Vec<&str> = known.keys().map(String::as_str).collect();
        faults.add(&path.key(key), &remedy(key, &keys));
        false
    });
}

fn remedy(key: &str, known: &[&str]) -> String {
    match nearest(key, known) {
        Some(near) => format!("unknown key: did you mean `{near}`?"),
        None => format!("unknown key: known here are {}", known.join(", ")),
    }
}

/// Finds a keyword of the schema, through the alternatives with which an optional value is written.
fn find<'a>(schema: &'a Json, keyword: &str) -> Option<&'a Json> {
    schema.get(keyword).or_else(|| {
        let alternatives = schema.get("anyOf").or_else(|| schema.get("oneOf"))?;
        alternatives.as_array()?.iter().find_map(|one| one.get(keyword))
    })
}
