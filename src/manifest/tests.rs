//! A repository in a test: files by path, and what the reader makes of them. Touches a disk for the example alone.

mod aliases;
mod defaults;
mod example;
mod fields;
mod hostile;
mod repository;
mod yaml;

use std::collections::BTreeMap;

use super::{Cache, load, wanted};
use crate::domain::{
    BlobId, DesiredArtifact, DesiredFunction, DesiredState, EntryKind, FunctionKey, Mode, S3Location, SourceEntry,
    SourceTree, Target, few,
};

/// A manifest with nothing that is not needed.
pub(super) const PLAIN: &str = "\
apiVersion: pinfold/v1
kind: Function
name: api
version: \"1.5.0\"
artifact: s3://acme-artifacts/{name}/{version}.zip
";

/// Files and their contents, and the targets that read them: `prod` unless a test says otherwise.
pub(super) struct Repo {
    pub(super) tree: SourceTree,
    pub(super) contents: BTreeMap<BlobId, Vec<u8>>,
    pub(super) targets: Vec<Target>,
}

impl Repo {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let mut repo = Self {
            tree: SourceTree::default(),
            contents: BTreeMap::new(),
            targets: vec![target("prod", "prod")],
        };
        for (path, text) in files {
            repo.put(path, text.as_bytes());
        }
        repo
    }

    /// Adds a file. The blob's id is its content, which is as good as a hash of it.
    pub(super) fn put(&mut self, path: &str, bytes: &[u8]) {
        let blob = BlobId(bytes.to_vec());
        self.contents.insert(blob.clone(), bytes.to_vec());
        self.tree.entries.retain(|entry| entry.path != path);
        self.tree.entries.push(SourceEntry {
            path: path.to_owned(),
            plain: true,
            kind: EntryKind::File,
            blob,
            size: bytes.len() as u64,
        });
        self.tree.entries.sort_by(|a, b| a.path.cmp(&b.path));
    }

    pub(super) fn targets(mut self, targets: Vec<Target>) -> Self {
        self.targets = targets;
        self
    }

    pub(super) fn entry(&mut self, path: &str) -> &mut SourceEntry {
        self.tree
            .entries
            .iter_mut()
            .find(|entry| entry.path == path)
            .expect("a path of the test")
    }

    pub(super) fn load(&self) -> DesiredState {
        self.load_with(&mut Cache::default())
    }

    /// Loads with the contents that were asked for and no others.
    pub(super) fn load_with(&self, cache: &mut Cache) -> DesiredState {
        let asked = wanted(&self.tree, &self.targets, cache);
        let contents = asked
            .into_iter()
            .map(|blob| (blob.clone(), self.contents[&blob].clone()))
            .collect();
        load(None, &self.tree, &contents, &self.targets, cache)
    }
}

pub(super) fn target(name: &str, path: &str) -> Target {
    Target {
        name: name.parse().unwrap(),
        path: path.to_owned(),
        region: "us-east-1".parse().ok(),
        account: None,
        functions: vec!["*".parse().unwrap()],
    }
}

pub(super) fn key(target: &str, name: &str) -> FunctionKey {
    FunctionKey {
        target: target.parse().unwrap(),
        name: name.parse().unwrap(),
    }
}

/// Loads one manifest as `prod/api.yaml`.
pub(super) fn one(text: &str) -> DesiredState {
    Repo::new(&[("prod/api.yaml", text)]).load()
}

/// Loads [`PLAIN`] with more lines, and returns the function, which must be sound.
pub(super) fn sound(more: &str) -> DesiredFunction {
    let state = one(&format!("{PLAIN}{more}"));
    assert_eq!(told(&state), "");
    state.functions[&key("prod", "api")].clone()
}

/// Loads [`PLAIN`] with more lines, and returns the faults; the function must be withheld.
pub(super) fn faults(more: &str) -> String {
    let state = one(&format!("{PLAIN}{more}"));
    assert!(state.functions.is_empty(), "{state:?}");
    assert!(state.faulty.contains_key(&key("prod", "api")), "{state:?}");
    told(&state)
}

/// Returns all faults, a line each.
pub(super) fn told(state: &DesiredState) -> String {
    let place = |number: Option<usize>| number.map_or("-".to_owned(), |number| number.to_string());
    let lines: Vec<String> = state
        .faults
        .iter()
        .map(|fault| {
            format!(
                "{}:{}:{}: {}",
                fault.file,
                place(fault.line),
                place(fault.column),
                fault.message
            )
        })
        .collect();
    lines.join("\n")
}

/// Returns the functions that are withheld, a line each.
pub(super) fn withheld(state: &DesiredState) -> String {
    let lines: Vec<String> = state
        .faulty
        .iter()
        .map(|(key, faulty)| format!("{key} {:?}: {}", faulty.reason, faulty.message))
        .collect();
    lines.join("\n")
}

#[test]
fn nothing_says_nothing() {
    let state = Repo::new(&[]).load();
    assert_eq!(state, DesiredState::default());
}

#[test]
fn a_plain_manifest_is_read() {
    let state = one(PLAIN);
    let expected = DesiredFunction {
        file: "prod/api.yaml".to_owned(),
        code: DesiredArtifact {
            version: "1.5.0".parse().unwrap(),
            pin: None,
            location: S3Location {
                bucket: "acme-artifacts".to_owned(),
                key: "api/1.5.0.zip".to_owned(),
                object_version: None,
            },
        },
        aliases: few([]),
        mode: Mode::Reconcile,
        suspend: None,
    };
    assert_eq!(state.functions, [(key("prod", "api"), expected)].into());
    assert_eq!((state.faults.len(), state.faulty.len(), state.files), (0, 0, 1));
}

/// Writes one line for each number.
pub(super) fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count)
        .map(|number| line(number) + "\n")
        .collect::<Vec<_>>()
        .concat()
}
