//! One file's bytes to one checked manifest, or to its flaws. Knows nothing of folders, targets and other files.

use litemap::LiteMap;

use super::aliases::{self, Alias};
use super::claim;
use super::fields::{Fields, Reader};
use super::flaw::{Flaw, Place, shown};
use super::layout::Role;
use super::suspend;
use super::yaml::{self, Node, Value};
use crate::domain::nearest;
use crate::domain::{
    AliasName, ArtifactTemplate, ArtifactVersion, CodeSha256, FunctionName, Mode, S3Location, Suspension,
};

/// The one apiVersion there is.
pub(super) const API_VERSION: &str = "pinfold/v1";
/// The fields of `kind: Function`.
pub(super) const FUNCTION_FIELDS: [&str; 10] = [
    "apiVersion",
    "kind",
    "name",
    "version",
    "sha256",
    "artifact",
    "objectVersion",
    "aliases",
    "mode",
    "suspend",
];
/// The fields of `kind: Defaults`.
pub(super) const DEFAULTS_FIELDS: [&str; 5] = ["apiVersion", "kind", "artifact", "aliases", "mode"];
/// Bytes of a refused file that are searched for its name.
const MAX_SCANNED: usize = 1024 * 1024;

/// What one content came to in one role.
#[derive(Debug)]
pub(super) struct Parsed {
    /// What is wrong with it; the content is there only where nothing is.
    pub(super) flaws: Vec<Flaw>,
    /// The function that it is about, where that can be told.
    pub(super) claim: Option<FunctionName>,
    /// Where it names the function.
    pub(super) claimed_at: Option<Place>,
    /// What it says.
    pub(super) content: Option<Content>,
}

/// What a sound file says.
#[derive(Debug)]
pub(super) enum Content {
    Function(Box<FunctionFile>),
    Defaults(Box<Shareable>),
}

/// A sound `kind: Function`.
#[derive(Debug)]
pub(super) struct FunctionFile {
    pub(super) name: FunctionName,
    pub(super) version: ArtifactVersion,
    pub(super) pin: Option<CodeSha256>,
    pub(super) object_version: Option<String>,
    pub(super) shared: Shareable,
    pub(super) suspend: Option<Suspension>,
}

/// What a function may say for itself and otherwise has from its folders, key by key.
#[derive(Debug, Default)]
pub(super) struct Shareable {
    pub(super) artifact: Option<Written>,
    pub(super) aliases: Option<LiteMap<AliasName, Alias>>,
    pub(super) mode: Option<Mode>,
}

/// An artifact as a file writes it, and where: the file answers for it, whoever it is filled for.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) template: ArtifactTemplate,
    pub(super) field: String,
    pub(super) place: Option<Place>,
}

impl Parsed {
    /// Returns what is left of a file that was refused before anybody read it.
    pub(super) fn refused(flaw: Flaw) -> Self {
        Self {
            flaws: vec![flaw],
            claim: None,
            claimed_at: None,
            content: None,
        }
    }
}

/// Says that a file is too large.
pub(super) fn too_large(bytes: u64) -> Flaw {
    Flaw::new(
        None,
        format!("the file has {bytes} bytes and a manifest has at most 1 MiB: split or shorten it"),
    )
}

/// Parses one content.
pub(super) fn parse(role: Role, bytes: &[u8]) -> Parsed {
    let text = match yaml::text_of(bytes) {
        Ok(text) => text,
        Err(flaw) => {
            // Bytes that are no text may still name their function in a sound line.
            let lossy = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_SCANNED)]);
            let lossy = lossy.trim_start_matches('\u{feff}');
            return Parsed {
                claim: (role == Role::Function).then(|| claim::told_by(lossy)).flatten(),
                claimed_at: claim::place_of(lossy, "name"),
                ..Parsed::refused(flaw)
            };
        }
    };
    let mut parsed = match yaml::read(text) {
        Ok(node) => checked(role, text, &node),
        Err(flaw) => Parsed::refused(flaw),
    };
    if role == Role::Function && parsed.content.is_none() && parsed.claim.is_none() {
        parsed.claim = claim::told_by(text);
    }
    parsed.claimed_at = claim::place_of(text, "name");
    parsed
}

fn checked(role: Role, text: &str, node: &Node) -> Parsed {
    let mut reader = Reader::new(text);
    let mut misplaced = false;
    let content = match &node.value {
        Value::Map(pairs) if wrong_kind(&mut reader, role, node, pairs) => {
            misplaced = true;
            None
        }
        Value::Map(_) => match role {
            Role::Function => function(&mut reader, text, node).map(|file| Content::Function(Box::new(file))),
            Role::Defaults => Some(Content::Defaults(Box::new(defaults(&mut reader, text, node)))),
        },
        Value::Null | Value::Bool | Value::Number | Value::Text(_) | Value::List => {
            reader.note(
                node,
                "a manifest is made of fields, beginning with apiVersion: pinfold/v1",
            );
            None
        }
    };
    let flaws = reader.into_flaws();
    let content = content.filter(|_| flaws.is_empty());
    let claim = match &content {
        Some(Content::Function(file)) => Some(file.name.clone()),
        // A defaults.yaml is about no function, unless it says that it is one.
        None if role == Role::Function || misplaced => claim_of(node),
        Some(Content::Defaults(_)) | None => None,
    };
    Parsed {
        flaws,
        claim,
        claimed_at: None,
        content,
    }
}

/// Notes that a file holds what belongs into another; its fields would all be wrong for the same reason.
fn wrong_kind(reader: &mut Reader<'_>, role: Role, node: &Node, pairs: &[(Node, Node)]) -> bool {
    let field = |name: &str| pairs.iter().find(|(key, _)| key.value == Value::Text(name.to_owned()));
    let Some((_, kind)) = field("kind") else {
        let stranger = field("apiVersion").is_none() && field("name").is_none();
        if stranger {
            reader.note(
                node,
                "this is no manifest: begin with apiVersion: pinfold/v1 and kind, or give a file that is \
                 something else a name that begins with _ or .",
            );
        }
        return stranger;
    };
    let message = match (role, &kind.value) {
        (Role::Function, Value::Text(kind)) if kind == "Defaults" => {
            "kind: Defaults belongs into a file called defaults.yaml: rename the file, or write kind: Function"
        }
        (Role::Defaults, Value::Text(kind)) if kind == "Function" => {
            "defaults.yaml holds what functions share: move this function into a file of its own, or write kind: \
             Defaults"
        }
        (Role::Function | Role::Defaults, _) => return false,
    };
    reader.note(kind, message);
    true
}

/// Returns the function that a faulty mapping names, unless it names two.
fn claim_of(node: &Node) -> Option<FunctionName> {
    let Value::Map(pairs) = &node.value else {
        return None;
    };
    let mut names = pairs
        .iter()
        .filter(|(key, _)| key.value == Value::Text("name".to_owned()))
        .map(|(_, value)| match &value.value {
            Value::Text(name) => name.parse().ok(),
            Value::Null | Value::Bool | Value::Number | Value::List | Value::Map(_) => None,
        });
    let first: FunctionName = names.next()??;
    names.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

fn function(reader: &mut Reader<'_>, text: &str, node: &Node) -> Option<FunctionFile> {
    let fields = reader.fields("", node, &FUNCTION_FIELDS);
    header(reader, node, &fields, "Function");
    let name = required(
        reader,
        node,
        &fields,
        "name",
        "the function's name in Lambda, name: checkout-api",
    )
    .and_then(|value| reader.parsed("name", value));
    let version = required(
        reader,
        node,
        &fields,
        "version",
        "the artifact's version in quotes, version: \"1.5.0\"",
    )
    .and_then(|value| reader.parsed("version", value));
    let pin = fields.get("sha256").and_then(|value| reader.parsed("sha256", value));
    let object_version = fields
        .get("objectVersion")
        .and_then(|value| object_version(reader, "objectVersion", value));
    let suspend = fields.get("suspend").and_then(|value| suspend::read(reader, value));
    let shared = shareable(reader, text, &fields);
    Some(FunctionFile {
        name: name?,
        version: version?,
        pin,
        object_version,
        shared,
        suspend,
    })
}

fn defaults(reader: &mut Reader<'_>, text: &str, node: &Node) -> Shareable {
    let fields = reader.fields("", node, &DEFAULTS_FIELDS);
    header(reader, node, &fields, "Defaults");
    shareable(reader, text, &fields)
}

fn header(reader: &mut Reader<'_>, node: &Node, fields: &Fields<'_>, kind: &str) {
    let lines = [("apiVersion", API_VERSION), ("kind", kind)];
    for (field, only) in lines {
        if let Some(value) = required(reader, node, fields, field, &format!("{field}: {only}"))
            && let Some(text) = reader.text(field, value)
            && text != only
        {
            reader.note(
                value,
                format!("{field}: {} is not known: write {field}: {only}", shown(text)),
            );
        }
    }
}

/// Returns a field that every such file has, or notes that it is missing and what to write.
fn required<'n>(
    reader: &mut Reader<'_>,
    node: &Node,
    fields: &Fields<'n>,
    field: &str,
    write: &str,
) -> Option<&'n Node> {
    let found = fields.get(field).copied();
    if found.is_none() {
        reader.missing(node, field, write);
    }
    found
}

fn shareable(reader: &mut Reader<'_>, text: &str, fields: &Fields<'_>) -> Shareable {
    let artifact = fields
        .get("artifact")
        .and_then(|value| reader.parsed("artifact", value));
    Shareable {
        artifact: artifact.map(|template| Written {
            template,
            field: "artifact".to_owned(),
            place: claim::place_of(text, "artifact"),
        }),
        aliases: fields.get("aliases").map(|value| aliases::read(reader, value)),
        mode: fields.get("mode").and_then(|value| mode(reader, value)),
    }
}

/// Reads an S3 object version, at whatever path.
pub(super) fn object_version(reader: &mut Reader<'_>, path: &str, node: &Node) -> Option<String> {
    let text = reader.text(path, node)?;
    match S3Location::check_object_version(text) {
        Ok(()) => Some(text.to_owned()),
        Err(error) => {
            reader.note(node, format!("{path}: {error}"));
            None
        }
    }
}

fn mode(reader: &mut Reader<'_>, node: &Node) -> Option<Mode> {
    const MODES: [&str; 2] = ["reconcile", "observe"];
    let text = reader.text("mode", node)?;
    match text {
        "reconcile" => return Some(Mode::Reconcile),
        "observe" => return Some(Mode::Observe),
        _ => {}
    }
    let write = nearest(text, &MODES).map_or("write reconcile or observe".to_owned(), |m| {
        format!("did you mean {m}?")
    });
    reader.note(node, format!("mode: {} is not known: {write}", shown(text)));
    None
}
