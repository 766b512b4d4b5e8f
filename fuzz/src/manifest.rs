//! The bytes are one file of a repository whose other files are sound: whatever it holds, it is read or refused with
//! reasons, and the others are served.

use std::collections::BTreeMap;

use pinfold::domain::{BlobId, DesiredState, EntryKind, SourceEntry, SourceTree, Target};
use pinfold::manifest::{Cache, load, wanted};

use super::text::{check_message, check_place};

const SOUND: &str = "apiVersion: pinfold/v1\nkind: Function\nname: sound\nversion: \"1.0.0\"\nartifact: s3://bucket/{name}.zip\naliases: {}\nmode: reconcile\n";
const LEANING: &str = "apiVersion: pinfold/v1\nkind: Function\nname: leaning\nversion: \"1.0.0\"\n";
const DEFAULTS: &str =
    "apiVersion: pinfold/v1\nkind: Defaults\nartifact: s3://bucket/{name}/{version}.zip\naliases:\n  live: {}\n";

/// Reads the bytes as the manifest of a function.
///
/// # Panics
///
/// Something does not hold.
pub fn manifest(data: &[u8]) {
    let files = [
        ("prod/defaults.yaml", DEFAULTS.as_bytes()),
        ("prod/fuzzed.yaml", data),
        ("prod/sound.yaml", SOUND.as_bytes()),
    ];
    let state = read(&files);
    check(&state, "prod/fuzzed.yaml", data);
    let of_it = state
        .functions
        .values()
        .filter(|function| function.file == "prod/fuzzed.yaml");
    let read = of_it.count();
    let refused = state.faults.iter().any(|fault| fault.file == "prod/fuzzed.yaml");
    assert_eq!(
        read + usize::from(refused),
        1,
        "it is read or refused, and never both: {state:#?}"
    );
    // Unless it claims the very name, the neighbour is served.
    let served = names(&state).iter().any(|name| name == "prod/sound");
    let claimed = state.faulty.keys().any(|key| key.name.as_str() == "sound");
    assert!(served != claimed, "{state:#?}");
    if claimed {
        assert!(
            state.faults.iter().any(|fault| fault.file == "prod/sound.yaml"),
            "both files are named"
        );
    }
}

/// Reads the bytes as the defaults of a folder.
///
/// # Panics
///
/// Something does not hold.
pub fn defaults(data: &[u8]) {
    let files = [
        ("defaults.yaml", DEFAULTS.as_bytes()),
        ("prod/defaults.yaml", data),
        ("prod/leaning.yaml", LEANING.as_bytes()),
        ("prod/sound.yaml", SOUND.as_bytes()),
        ("staging/leaning.yaml", LEANING.as_bytes()),
    ];
    let state = read(&files);
    check(&state, "prod/defaults.yaml", data);
    let refused = state.faults.iter().any(|fault| fault.file == "prod/defaults.yaml");
    let names = names(&state);
    let served = |name: &str| names.iter().any(|served| served == name);
    assert!(
        served("staging/leaning"),
        "another folder is none of its business: {state:#?}"
    );
    let leaning = served("prod/leaning");
    assert!(
        leaning != refused,
        "what leans on it is served, or it is told why not: {state:#?}"
    );
    assert!(
        served("prod/sound") || refused,
        "what takes nothing from it is served: {state:#?}"
    );
}

fn names(state: &DesiredState) -> Vec<String> {
    state.functions.keys().map(ToString::to_string).collect()
}

/// Loads files as one repository, with an empty cache and again with the full one: both must say the same.
fn read(files: &[(&str, &[u8])]) -> DesiredState {
    let entries = files.iter().map(|(path, bytes)| SourceEntry {
        path: (*path).to_owned(),
        plain: true,
        kind: EntryKind::File,
        blob: BlobId(path.as_bytes().to_vec()),
        size: bytes.len() as u64,
    });
    let tree = SourceTree {
        entries: entries.collect(),
        missing: Vec::new(),
    };
    let targets = ["prod", "staging"].map(|name| Target {
        name: name.parse().expect("a target's name"),
        path: name.to_owned(),
        region: "us-east-1".parse().ok(),
        account: None,
        functions: "*".parse().into_iter().collect(),
    });
    let mut cache = Cache::default();
    let blobs = wanted(&tree, &targets, &cache);
    let contents: BTreeMap<BlobId, Vec<u8>> = files
        .iter()
        .map(|(path, bytes)| (BlobId(path.as_bytes().to_vec()), bytes.to_vec()))
        .filter(|(blob, _)| blobs.contains(blob))
        .collect();
    let state = load(None, &tree, &contents, &targets, &mut cache);
    assert!(wanted(&tree, &targets, &cache).is_empty(), "everything is remembered");
    let again = load(None, &tree, &BTreeMap::new(), &targets, &mut cache);
    assert_eq!(
        format!("{state:?}"),
        format!("{again:?}"),
        "what is remembered says the same"
    );
    state
}

fn check(state: &DesiredState, file: &str, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for fault in &state.faults {
        check_message(&fault.message);
        if fault.file == file {
            check_place(&text, fault.line, fault.column);
        }
    }
    for function in state.functions.values() {
        for artifact in function.artifacts() {
            let key = &artifact.location.key;
            assert!(
                (1..=1024).contains(&key.len()) && !key.split('/').any(|segment| segment == ".."),
                "{key}"
            );
        }
    }
}
