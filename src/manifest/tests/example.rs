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
            let mut words = vec![key.to_string(), function.code.version.to_string()];
            words.extend(
                function
                    .aliases
                    .iter()
                    .map(|(name, artifact)| format!("{name}={}", artifact.version)),
            );
            words.extend((function.mode == Mode::Observe).then(|| "observe".to_owned()));
            words.extend(function.code.pin.map(|_| "pinned".to_owned()));
            words.extend(function.suspend.as_ref().map(|_| "suspended".to_owned()));
            words.join(" ")
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    prod/checkout-api 1.5.0 beta=1.6.0-rc.1 live=1.5.0
    prod/checkout-worker 1.5.0 live=1.5.0
    prod/image-resizer 1.1.0
    prod/notifications-mailer 3.0.2 live=3.0.2
    prod/orders-events 4.12.0 live=4.12.0
    prod/orders-export 0.9.4 live=0.9.4 suspended
    prod/payments-webhook 2.3.1 live=2.3.1 pinned
    prod/search-indexer 2.0.0 live=2.0.0 observe
    staging/checkout-api 1.6.0-rc.1 live=1.6.0-rc.1
    staging/notifications-mailer 3.0.2 live=3.0.2
    staging/payments-webhook 2.4.0-rc.2 live=2.4.0-rc.2
    ");
}

#[test]
fn the_example_is_sound_without_a_configuration() {
    let mut repo = example();
    repo.targets = targets_of(&repo.tree);
    assert_eq!(repo.targets.len(), 2);
    assert_eq!(told(&repo.load()), "");
}
