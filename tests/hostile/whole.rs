//! Repositories that are refused whole, because nobody could say what they say: `plan` ends with 2 and names why, and
//! what is live stays.

use std::fs;

use crate::command::Outcome;
use crate::fleet::{CONFIG, Fleet};
use crate::git::{Entry, FILE, Writer};

const MANIFEST: &[u8] = b"apiVersion: pinfold/v1\nkind: Function\nname: harm\nversion: \"1.0.0\"\n";

/// Plans from a Git repository that is made for it.
fn plan(make: impl FnOnce(&Writer)) -> (Fleet, Outcome) {
    let fleet = Fleet::new();
    make(&Writer::open(fleet.origin.path()));
    let outcome = fleet.home.run(&["plan", "--config", CONFIG, "-o", "json"]);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    assert_eq!(fleet.writes(), Vec::<String>::new());
    (fleet, outcome)
}

fn refused(words: &str, make: impl FnOnce(&Writer)) {
    let (_, outcome) = plan(make);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.stderr.contains(words), "{words:?} is not in {}", outcome.stderr);
}

fn entries(git: &Writer, paths: impl IntoIterator<Item = String>) -> Vec<Entry> {
    let id = git.blob(MANIFEST);
    let entry = |path: String| Entry {
        path: path.into_bytes(),
        mode: FILE,
        id,
    };
    paths.into_iter().map(entry).collect()
}

#[test]
fn g09_more_files_than_any_fleet_has_are_refused() {
    refused("50000", |git| {
        let paths = (0..=50_000).map(|n| format!("prod/{n}.yaml"));
        git.commit(git.tree(entries(git, paths)));
    });
}

#[test]
fn g09_folders_without_bottom_are_refused() {
    refused("32", |git| {
        let leaf = git.tree(entries(git, ["x.yaml".to_owned()]));
        let deep = git.nested(leaf, b"a", 1_000);
        git.commit(git.raw_tree(vec![(b"prod".to_vec(), 0o040_000, deep)]));
    });
}

#[test]
fn g09_a_tree_that_holds_itself_many_times_over_is_refused() {
    // Ten entries of one tree on each of ten levels: ten objects, ten thousand million paths.
    refused("50000", |git| {
        let mut tree = git.tree(entries(git, ["x.yaml".to_owned()]));
        for _ in 0..10 {
            let inside = (0..10).map(|n| (format!("{n}").into_bytes(), 0o040_000, tree));
            tree = git.raw_tree(inside.collect());
        }
        git.commit(git.raw_tree(vec![(b"prod".to_vec(), 0o040_000, tree)]));
    });
}

#[test]
fn g09_paths_beyond_all_measure_are_refused() {
    refused("1024 bytes", |git| {
        let path = format!("prod/{}.yaml", "x".repeat(2_000));
        git.commit(git.tree(entries(git, [path])));
    });
}

#[test]
fn g09_more_bytes_than_any_fleet_has_are_refused() {
    refused("67108864 bytes", |git| {
        let all = (0..70).map(|n: u32| {
            // Each is within the bound of a file.
            let text = format!("{}{}", n, " ".repeat(1_000_000));
            Entry {
                path: format!("prod/{n}.yaml").into_bytes(),
                mode: FILE,
                id: git.blob(text.as_bytes()),
            }
        });
        git.commit(git.tree(all.collect()));
    });
}

#[test]
fn g10_objects_that_are_missing_or_broken_are_told_and_nothing_is_concluded() {
    type Harm = fn(&std::path::Path);
    let harms: [(&str, Harm); 3] = [
        ("missing", |path| fs::remove_file(path).unwrap()),
        ("cut short", |path| {
            let bytes = fs::read(path).unwrap();
            rewrite(path, &bytes[..bytes.len() / 2]);
        }),
        ("overwritten", |path| rewrite(path, b"this is no object")),
    ];
    for (harm, spoil) in harms {
        for of_the_tree in [true, false] {
            let (_, outcome) = plan(|git| {
                let blob = git.blob(MANIFEST);
                let tree = git.tree(entries(git, ["prod/harm.yaml".to_owned()]));
                git.commit(tree);
                spoil(&git.object(if of_the_tree { tree } else { blob }));
            });
            assert_eq!(outcome.code, 2, "{harm}: {outcome:?}");
        }
    }
}

/// Git writes objects that nobody may write to.
fn rewrite(path: &std::path::Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn g11_a_name_that_is_a_path_is_refused() {
    for name in ["..", ".", "a/b.yaml"] {
        refused("whose name is a path", |git| {
            let leaf = git.tree(entries(git, ["x.yaml".to_owned()]));
            let folder = git.raw_tree(vec![(name.as_bytes().to_vec(), 0o040_000, leaf)]);
            git.commit(git.raw_tree(vec![(b"prod".to_vec(), 0o040_000, folder)]));
        });
    }
}

#[test]
fn g10_one_path_twice_in_a_tree_is_never_two_truths() {
    let (_, outcome) = plan(|git| {
        let other = String::from_utf8_lossy(MANIFEST).replace("1.0.0", "1.1.0");
        let mut all = entries(git, ["prod/harm.yaml".to_owned()]);
        all.push(Entry {
            path: b"prod/harm.yaml".to_vec(),
            mode: FILE,
            id: git.blob(other.as_bytes()),
        });
        git.commit(git.tree(all));
    });
    // Either is told, and none is taken for what Git says.
    assert_ne!(outcome.code, 0, "{outcome:?}");
    if outcome.code == 1 {
        let report = outcome.json();
        assert_ne!(report["faults"].as_array().unwrap().len(), 0, "{report:#}");
    }
}

#[test]
fn g07_a_branch_that_is_no_commit_is_told() {
    let (_, outcome) = plan(|git| {
        git.commit(git2::Oid::from_bytes(&[7; 20]).unwrap());
    });
    assert_eq!(outcome.code, 2, "{outcome:?}");
}
