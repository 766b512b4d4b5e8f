//! Which files of the repository are manifests, and which folder serves which target. Looks at names alone, never at
//! contents.

use std::collections::BTreeSet;

use crate::domain::{SourceTree, Target, TargetName};

/// What a file is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// One function's manifest.
    Function,
    /// What the functions of a folder share.
    Defaults,
}

impl Role {
    /// Returns what the file's name makes it; `None` for a file that nobody looks at.
    pub(super) fn of(path: &str) -> Option<Self> {
        let (_, name) = split(path);
        let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"))?;
        if hidden(name) {
            None
        } else if stem == "defaults" {
            Some(Self::Defaults)
        } else {
            Some(Self::Function)
        }
    }
}

/// Splits a path into its folder (empty for the root) and its file name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Returns the folders that hold `folder`, from the root down, and `folder` itself at the end.
pub(super) fn ancestors(folder: &str) -> impl Iterator<Item = &str> {
    let cuts = folder.match_indices('/').map(|(at, _)| &folder[..at]);
    let whole = (!folder.is_empty()).then_some(folder);
    std::iter::once("").chain(cuts).chain(whole)
}

/// Returns whether a file of this role has a say in the target at `target_path`.
pub(super) fn serves(role: Role, path: &str, target_path: &str) -> bool {
    match below(path, target_path) {
        Some(rest) => !rest.split('/').any(hidden),
        None => role == Role::Defaults && below(target_path, split(path).0).is_some(),
    }
}

/// Returns the part of `path` below `folder`; `None` where it is not inside.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() {
        return Some(path);
    }
    path.strip_prefix(folder)?.strip_prefix('/')
}

/// A name that begins with a dot or an underscore is not looked at: editors, CI and people's drafts live there.
/// `.` and `..` are no names; a path that holds one is reported as not plain.
fn hidden(name: &str) -> bool {
    name.starts_with(['.', '_']) && !matches!(name, "." | "..")
}

/// Returns the targets of a tree that is checked without a configuration: each folder of the first level that holds
/// manifests, for any function, in no known Region or account.
///
/// A folder whose name is no target name is checked all the same, under the nearest name that is one.
pub fn targets_of(tree: &SourceTree) -> Vec<Target> {
    let folders: BTreeSet<&str> = tree
        .entries
        .iter()
        .filter(|entry| Role::of(&entry.path).is_some())
        .filter_map(|entry| {
            let (first, _) = entry.path.split_once('/')?;
            let looked_at = !entry.path.split('/').any(hidden);
            looked_at.then_some(first)
        })
        .collect();
    let mut taken = BTreeSet::new();
    let mut targets = Vec::new();
    for folder in folders {
        let Some(name) = target_name(folder, &taken) else {
            continue;
        };
        taken.insert(name.clone());
        targets.push(Target {
            name,
            path: folder.to_owned(),
            region: None,
            account: None,
            functions: "*".parse().into_iter().collect(),
        });
    }
    targets
}

/// Returns the folder's name as a target's, with what is not allowed there replaced and a number where it is taken.
fn target_name(folder: &str, taken: &BTreeSet<TargetName>) -> Option<TargetName> {
    if let Ok(name) = folder.parse()
        && !taken.contains(&name)
    {
        return Some(name);
    }
    // Room for a number at the end of the 64 characters of a target name.
    let plain: String = folder
        .chars()
        .take(50)
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    (1..=taken.len() + 1)
        .filter_map(|number| format!("x{plain}-{number}").parse().ok())
        .find(|name| !taken.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BlobId, EntryKind, SourceEntry};

    fn tree(paths: &[&str]) -> SourceTree {
        SourceTree {
            entries: paths
                .iter()
                .map(|path| SourceEntry {
                    path: (*path).to_owned(),
                    plain: true,
                    kind: EntryKind::File,
                    blob: BlobId(vec![]),
                    size: 0,
                })
                .collect(),
            missing: vec![],
        }
    }

    #[test]
    fn a_name_makes_the_role() {
        assert_eq!(Role::of("prod/a.yaml"), Some(Role::Function));
        assert_eq!(Role::of("a.yml"), Some(Role::Function));
        assert_eq!(Role::of("defaults.yml"), Some(Role::Defaults));
        assert_eq!(Role::of("prod/my-defaults.yaml"), Some(Role::Function));
        for other in [
            "a.YAML",
            "README.md",
            ".a.yaml",
            "prod/_a.yml",
            "yaml",
            ".yaml",
            "a.yaml.orig",
        ] {
            assert_eq!(Role::of(other), None, "{other}");
        }
    }

    #[test]
    fn a_target_reads_its_own_folder() {
        assert!(serves(Role::Function, "prod/a/b.yaml", "prod"));
        assert!(serves(Role::Function, "b.yaml", ""));
        assert!(!serves(Role::Function, "production/b.yaml", "prod"));
        assert!(!serves(Role::Function, "b.yaml", "prod"));
    }

    #[test]
    fn defaults_above_a_target_serve_it() {
        assert!(serves(Role::Defaults, "defaults.yaml", "eu/prod"));
        assert!(serves(Role::Defaults, "eu/defaults.yaml", "eu/prod"));
        assert!(serves(Role::Defaults, "eu/prod/defaults.yaml", "eu/prod"));
        assert!(!serves(Role::Defaults, "us/defaults.yaml", "eu/prod"));
        assert!(!serves(Role::Defaults, "e/defaults.yaml", "eu/prod"));
    }

    #[test]
    fn a_hidden_folder_is_not_looked_at_unless_a_target_names_it() {
        assert!(!serves(Role::Function, "prod/.drafts/a.yaml", "prod"));
        assert!(!serves(Role::Function, "_old/a.yaml", ""));
        assert!(serves(Role::Function, ".deploy/prod/a.yaml", ".deploy/prod"));
    }

    #[test]
    fn a_folder_knows_those_above_it() {
        let list = |folder| ancestors(folder).collect::<Vec<_>>();
        assert_eq!(list(""), [""]);
        assert_eq!(list("a"), ["", "a"]);
        assert_eq!(list("a/b/c"), ["", "a", "a/b", "a/b/c"]);
    }

    #[test]
    fn each_first_folder_with_manifests_is_a_target() {
        let tree = tree(&[
            ".github/x.yaml",
            "defaults.yaml",
            "docs/x.md",
            "prod/_old/a.yaml",
            "prod/a.yaml",
            "stage/eu/b.yml",
            "tmp/_x.yaml",
        ]);
        let paths: Vec<_> = targets_of(&tree)
            .into_iter()
            .map(|t| (t.name.to_string(), t.path))
            .collect();
        assert_eq!(
            paths,
            [("prod".into(), "prod".into()), ("stage".into(), "stage".into())]
        );
    }

    #[test]
    fn a_folder_that_is_no_target_name_is_checked_all_the_same() {
        let tree = tree(&["ä/a.yaml", "ö/a.yaml", "-x/a.yaml"]);
        let names: Vec<_> = targets_of(&tree).into_iter().map(|t| t.name.to_string()).collect();
        assert_eq!(names, ["x-x-1", "x--1", "x--2"]);
    }
}
