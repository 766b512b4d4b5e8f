//! A value that may be of the wrong type without stopping the rest of the file. Holds the fault; reports nothing.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_yaml::Value;

/// A field of the file: its value, or why there is none.
///
/// serde stops at the first value of a wrong type; people want to see all of them at once.
#[derive(Debug, Clone)]
pub(super) struct Loose<T>(pub(super) Result<T, Mismatch>);

/// A value of the wrong type. Its content is not kept: a secret may have slipped into the wrong field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// What stands there: `a text`, `a number`.
    pub(super) found: &'static str,
    /// What should: `a mapping`, one of several words.
    pub(super) expected: String,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let found = kind(&value);
        Ok(Self(serde_yaml::from_value(value).map_err(|error| Mismatch {
            found,
            expected: expected(&error.to_string()),
        })))
    }
}

impl<T: JsonSchema> JsonSchema for Loose<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Names what a value is, in the words of people who write YAML.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
        Value::Tagged(_) => "a tagged value",
    }
}

/// Takes what serde expected out of its message; the rest of the message repeats the value.
fn expected(message: &str) -> String {
    let expected = message
        .rsplit_once("expected ")
        .map_or("something else", |(_, tail)| tail);
    match expected {
        "a string" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "f64" | "u64" => "a number".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mismatch<T: DeserializeOwned + std::fmt::Debug>(yaml: &str) -> Mismatch {
        serde_yaml::from_str::<Loose<T>>(yaml).unwrap().0.unwrap_err()
    }

    #[test]
    fn a_wrong_type_is_described_without_its_content() {
        let found = mismatch::<Vec<String>>("hunter2");
        assert_eq!((found.found, found.expected.as_str()), ("a text", "a list"));
        let found = mismatch::<String>("111111111111");
        assert_eq!((found.found, found.expected.as_str()), ("a number", "a text"));
        let found = mismatch::<f64>("[1]");
        assert_eq!((found.found, found.expected.as_str()), ("a list", "a number"));
    }
}
