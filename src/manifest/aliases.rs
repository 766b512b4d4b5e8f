//! The `aliases` of a manifest, and what each alias has from its function. Fills no template and asks no target.

use litemap::LiteMap;

use super::fields::{Reader, inside};
use super::file::{self, Written};
use super::flaw::shown;
use super::yaml::{Node, Value};
use crate::domain::{AliasName, ArtifactVersion, CodeSha256};

/// The fields of one alias.
pub(super) const ALIAS_FIELDS: [&str; 4] = ["version", "sha256", "objectVersion", "artifact"];

/// What a file says of one alias. What it leaves out comes from the function.
#[derive(Debug, Default)]
pub(super) struct Alias {
    pub(super) version: Option<ArtifactVersion>,
    pub(super) pin: Option<CodeSha256>,
    pub(super) object_version: Option<String>,
    pub(super) artifact: Option<Written>,
}

/// Which bytes something should run, before it is known where they lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) version: &'a ArtifactVersion,
    pub(super) pin: Option<CodeSha256>,
    pub(super) object_version: Option<&'a str>,
}

impl Alias {
    /// Returns what the alias runs, given what its function does.
    ///
    /// A pin and an object version belong to the bytes of one version, so an alias with another version has neither
    /// from the function. An object version belongs to one object besides, so an alias with an artifact of its
    /// own does not have the function's.
    pub(super) fn over<'a>(&'a self, function: Wish<'a>) -> Wish<'a> {
        let inherits_bytes = self.version.is_none();
        let inherits_object = inherits_bytes && self.artifact.is_none();
        Wish {
            version: self.version.as_ref().unwrap_or(function.version),
            pin: self.pin.or(function.pin.filter(|_| inherits_bytes)),
            object_version: self
                .object_version
                .as_deref()
                .or(function.object_version.filter(|_| inherits_object)),
        }
    }
}

/// Reads `aliases`.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> LiteMap<AliasName, Alias> {
    let mut aliases = LiteMap::new();
    if node.value == Value::Null {
        // Nothing here could mean "none" or "as in defaults.yaml", and the two run different code.
        reader.note(
            node,
            "aliases: there is none: write aliases: {} for no alias, or remove the line for the defaults'",
        );
        return aliases;
    }
    let pairs = reader.pairs("aliases", node);
    aliases.reserve(pairs.len());
    for (key, text, value) in pairs {
        match text.parse::<AliasName>() {
            Ok(name) => {
                let alias = alias(reader, &inside("aliases", text), value);
                aliases.insert(name, alias);
            }
            Err(error) if text == "<<" => {
                reader.note(
                    key,
                    format!("aliases: {error}; YAML merge keys are not read: write the aliases out"),
                );
            }
            Err(error) => reader.note(key, format!("aliases: {error}")),
        }
    }
    aliases
}

fn alias(reader: &mut Reader<'_>, path: &str, node: &Node) -> Alias {
    match &node.value {
        Value::Null => return Alias::default(),
        Value::Text(text) => {
            reader.note(
                node,
                format!(
                    "{path}: it takes fields, not text: write {path}.version: {} or {{}}",
                    shown(text)
                ),
            );
            return Alias::default();
        }
        Value::Bool | Value::Number | Value::List | Value::Map(_) => {}
    }
    let fields = reader.fields(path, node, &ALIAS_FIELDS);
    let path_of = |field| inside(path, field);
    let artifact_path = path_of("artifact");
    let artifact = fields.get("artifact").and_then(|value| {
        let template = reader.parsed(&artifact_path, value)?;
        Some(Written {
            template,
            place: reader.place(value),
            field: artifact_path,
        })
    });
    Alias {
        version: fields
            .get("version")
            .and_then(|value| reader.parsed(&path_of("version"), value)),
        pin: fields
            .get("sha256")
            .and_then(|value| reader.parsed(&path_of("sha256"), value)),
        object_version: fields
            .get("objectVersion")
            .and_then(|value| file::object_version(reader, &path_of("objectVersion"), value)),
        artifact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIN: [u8; 32] = [1; 32];
    const OWN: [u8; 32] = [2; 32];

    fn over(alias: &Alias) -> (String, Option<[u8; 32]>, Option<String>) {
        let version: ArtifactVersion = "1".parse().unwrap();
        let wish = alias.over(Wish {
            version: &version,
            pin: Some(CodeSha256::from_bytes(PIN)),
            object_version: Some("object"),
        });
        let pin = wish
            .pin
            .map(|pin| if pin == CodeSha256::from_bytes(PIN) { PIN } else { OWN });
        (wish.version.to_string(), pin, wish.object_version.map(str::to_owned))
    }

    fn written() -> Written {
        Written {
            template: "s3://bucket/key".parse().unwrap(),
            field: String::new(),
            place: None,
        }
    }

    #[test]
    fn an_alias_without_fields_runs_what_its_function_does() {
        assert_eq!(over(&Alias::default()), ("1".into(), Some(PIN), Some("object".into())));
    }

    #[test]
    fn an_alias_with_a_version_has_neither_pin_nor_object_version_of_its_function() {
        let alias = Alias {
            version: "2".parse().ok(),
            ..Alias::default()
        };
        assert_eq!(over(&alias), ("2".into(), None, None));
        let same = Alias {
            version: "1".parse().ok(),
            ..Alias::default()
        };
        assert_eq!(over(&same), ("1".into(), None, None));
    }

    #[test]
    fn an_alias_with_a_pin_alone_overrides_the_pin_alone() {
        let alias = Alias {
            pin: Some(CodeSha256::from_bytes(OWN)),
            ..Alias::default()
        };
        assert_eq!(over(&alias), ("1".into(), Some(OWN), Some("object".into())));
    }

    #[test]
    fn an_alias_with_an_object_version_alone_overrides_it_alone() {
        let alias = Alias {
            object_version: Some("own".into()),
            ..Alias::default()
        };
        assert_eq!(over(&alias), ("1".into(), Some(PIN), Some("own".into())));
    }

    #[test]
    fn an_alias_with_an_artifact_has_no_object_version_of_another_object() {
        let alias = Alias {
            artifact: Some(written()),
            ..Alias::default()
        };
        assert_eq!(over(&alias), ("1".into(), Some(PIN), None));
    }
}
