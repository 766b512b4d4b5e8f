//! The example repository that the demo is made from, read from disk.

use std::fs;
use std::path::Path;

use super::*;
use crate::domain::Mode;
use crate::manifest::targets_of;

fn add(repo: &mut Repo, root: &Path, folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add(repo, root, &path);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            repo.put(&name, &fs::read(&path).unwrap());
        }
    }
}

fn example() -> Repo {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("desired-state-example");
    let mut repo = Repo::new(&[]);
    add(&mut repo, &root, &root);
    let mut staging = target("staging", "staging");
    staging.region = "eu-west-1".parse().ok();
    repo.targets.push(staging);
    repo
}

#[test]
fn the_example_is_sound_and_shows_every_feature() {
    let state = example().load();
    assert_eq!(told(&state), "");
    let lines: Vec<String> = state
        .functions
        .iter()
        .map(|(key, function)| {
            let aliases: Vec<String> =
                function.aliases.iter().map(|(name, artifact)| format!("{name}={}", artifact.version)).collect();
            let observe = if function.mode == Mode::Observe { " observe" } else { "" };
            let pinned = if function.code.pin.is_some() { " pinned" } else { "" };
            let suspended = if function.suspend.is_some() { " suspended" } else { "" };
            format!("{key} {} {}{observe}{pinned}{suspended}", function.code.version, aliases.join(" "))
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @"");
}

#[test]
fn the_example_is_sound_without_a_configuration() {
    let mut repo = example();
    repo.targets = targets_of(&repo.tree);
    assert_eq!(repo.targets.len(), 2);
    assert_eq!(told(&repo.load()), "");
}
