//! Files, folders, targets and the cache, one change a test.

use super::*;
use crate::domain::FaultReason;

#[test]
fn two_files_that_claim_one_function_are_a_conflict() {
    let state = Repo::new(&[("prod/a.yaml", PLAIN), ("prod/b.yml", PLAIN)]).load();
    insta::assert_snapshot!(told(&state), @r#"
    prod/a.yaml:3:7: function api of target prod is claimed by "prod/b.yml" too: keep one of the files
    prod/b.yml:3:7: function api of target prod is claimed by "prod/a.yaml" too: keep one of the files
    "#);
    insta::assert_snapshot!(withheld(&state), @r#"prod/api Conflict: claimed by "prod/a.yaml", "prod/b.yml": keep one of the files"#);
    assert!(state.functions.is_empty());
}

#[test]
fn a_faulty_file_claims_its_function_too() {
    for broken in [
        "name: api\n\tx",
        "name: api\nkind: Function\napiVersion: x\n",
        "---\nname: api\n---\na: b\n",
    ] {
        let state = Repo::new(&[("prod/a.yaml", PLAIN), ("prod/b.yaml", broken)]).load();
        assert_eq!(
            state.faulty[&key("prod", "api")].reason,
            FaultReason::Conflict,
            "{broken}"
        );
        assert!(state.functions.is_empty(), "{broken}");
        assert_eq!(
            state
                .faults
                .iter()
                .filter(|fault| fault.message.contains("claimed by"))
                .count(),
            2
        );
    }
}

#[test]
fn a_conflict_of_very_many_files_is_told_in_short() {
    let paths: Vec<String> = (0..30).map(|n| format!("prod/{n:02}.yaml")).collect();
    let files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), PLAIN)).collect();
    let state = Repo::new(&files).load();
    insta::assert_snapshot!(withheld(&state), @r#"prod/api Conflict: claimed by "prod/00.yaml", "prod/01.yaml", "prod/02.yaml", "prod/03.yaml" and 26 more: keep one of the files"#);
    assert_eq!(state.faults.len(), 30);
}

#[test]
fn one_function_in_two_targets_is_no_conflict() {
    let state = Repo::new(&[("prod/a.yaml", PLAIN), ("staging/a.yaml", PLAIN)])
        .targets(vec![target("prod", "prod"), target("staging", "staging")])
        .load();
    assert_eq!((state.functions.len(), state.faults.len(), state.files), (2, 0, 2));
}

#[test]
fn one_file_may_serve_two_targets() {
    let state = Repo::new(&[("prod/eu/a.yaml", PLAIN)])
        .targets(vec![target("all", ""), target("eu", "prod/eu"), target("prod", "prod")])
        .load();
    assert_eq!((state.functions.len(), state.faults.len(), state.files), (3, 0, 1));
}

#[test]
fn a_faulty_file_withholds_its_own_function_alone() {
    let broken = PLAIN
        .replace("name: api", "name: broken")
        .replace("version:", "verison:");
    let state = Repo::new(&[("prod/api.yaml", PLAIN), ("prod/broken.yaml", &broken)]).load();
    assert_eq!(
        state.functions.keys().map(ToString::to_string).collect::<Vec<_>>(),
        ["prod/api"]
    );
    insta::assert_snapshot!(withheld(&state), @r#"prod/broken InvalidManifest: prod/broken.yaml:4:1: unknown field "verison": did you mean version?"#);
}

#[test]
fn a_faulty_file_that_names_nobody_withholds_itself_alone() {
    let state = Repo::new(&[("prod/api.yaml", PLAIN), ("prod/x.yaml", "a: [")]).load();
    assert_eq!(
        (state.functions.len(), state.faulty.len(), state.faults.len()),
        (1, 0, 1)
    );
    let twice = "name: a\nname: b\nkind: Function\n";
    let state = Repo::new(&[("prod/x.yaml", twice)]).load();
    assert_eq!(state.faulty.len(), 0);
}

#[test]
fn a_name_that_yaml_takes_for_a_number_is_told_all_the_same() {
    let state = one(&PLAIN.replace("name: api", "name: 123"));
    assert!(state.faulty.contains_key(&key("prod", "123")), "{state:?}");
}

#[test]
fn faults_are_in_order_of_file_and_place() {
    let state = Repo::new(&[("prod/b.yaml", "kind: x\nname: /\n"), ("prod/a.yaml", "a: [")]).load();
    let order: Vec<_> = state
        .faults
        .iter()
        .map(|fault| (fault.file.as_str(), fault.line))
        .collect();
    assert_eq!(order[0].0, "prod/a.yaml");
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn hidden_names_are_not_looked_at() {
    let state = Repo::new(&[
        ("prod/.a.yaml", "["),
        ("prod/_a.yaml", "["),
        ("prod/.ci/a.yaml", "["),
        ("prod/_x/y/a.yaml", "["),
        ("prod/a.YAML", "["),
        ("prod/README.md", "["),
        ("other/a.yaml", "["),
    ])
    .load();
    assert_eq!(state, DesiredState::default());
}

#[test]
fn what_is_no_file_is_a_fault_and_not_asked_for() {
    let kinds = [
        (
            EntryKind::Symlink,
            "a symbolic link is never followed: put the file itself here",
        ),
        (
            EntryKind::Submodule,
            "a submodule is never followed: put the files themselves here",
        ),
        (EntryKind::Other, "this is no regular file: put a file here"),
    ];
    for (kind, message) in kinds {
        let mut repo = Repo::new(&[("prod/api.yaml", PLAIN)]);
        repo.entry("prod/api.yaml").kind = kind;
        assert!(wanted(&repo.tree, &repo.targets, &Cache::default()).is_empty());
        let state = repo.load();
        assert_eq!(told(&state), format!("prod/api.yaml:-:-: {message}"));
        assert!(state.functions.is_empty());
    }
}

#[test]
fn a_symbolic_link_that_is_no_manifest_is_not_looked_at() {
    let mut repo = Repo::new(&[("prod/link", PLAIN)]);
    repo.entry("prod/link").kind = EntryKind::Symlink;
    assert_eq!(repo.load(), DesiredState::default());
}

#[test]
fn a_path_that_is_not_plain_is_a_fault() {
    for (path, plain) in [
        ("prod/\u{fffd}.yaml", false),
        ("prod/../api.yaml", false),
        ("prod/a\nb.yaml", true),
    ] {
        let mut repo = Repo::new(&[(path, PLAIN)]);
        repo.entry(path).plain = plain;
        let state = repo.load();
        assert!(state.functions.is_empty());
        assert_eq!(
            state.faults[0].message, "the path is not plain UTF-8 with ordinary names: rename it",
            "{path:?}"
        );
        assert!(!state.faults[0].file.contains('\n'));
    }
}

#[test]
fn a_file_over_one_mebibyte_is_a_fault_and_not_asked_for() {
    let mut repo = Repo::new(&[("prod/api.yaml", PLAIN)]);
    repo.entry("prod/api.yaml").size = 1024 * 1024 + 1;
    assert!(wanted(&repo.tree, &repo.targets, &Cache::default()).is_empty());
    insta::assert_snapshot!(told(&repo.load()), @"prod/api.yaml:-:-: the file has 1048577 bytes and a manifest has at most 1 MiB: split or shorten it");
    repo.entry("prod/api.yaml").size = 1024 * 1024;
    assert_eq!(told(&repo.load()), "");
}

#[test]
fn a_folder_that_the_commit_lacks_fails_its_target_alone() {
    let mut repo =
        Repo::new(&[("prod/api.yaml", PLAIN)]).targets(vec![target("prod", "prod"), target("staging", "stage/eu")]);
    repo.tree.missing.push("stage/eu".to_owned());
    let state = repo.load();
    assert_eq!(
        (state.functions.len(), state.faults.len(), state.failed_targets.len()),
        (1, 0, 1)
    );
    assert_eq!(state.failed_targets[0].target.as_str(), "staging");
    insta::assert_snapshot!(state.failed_targets[0].message, @r#"the commit has no folder "stage/eu": add it, or correct `path` of target staging in the configuration"#);
}

#[test]
fn a_content_that_is_missing_is_a_fault_and_not_kept() {
    let repo = Repo::new(&[("prod/api.yaml", PLAIN)]);
    let mut cache = Cache::default();
    let state = load(None, &repo.tree, &BTreeMap::new(), &repo.targets, &mut cache);
    insta::assert_snapshot!(told(&state), @"prod/api.yaml:-:-: its content could not be had: try again");
    assert!(cache.is_empty());
    assert_eq!(told(&repo.load_with(&mut cache)), "");
}

#[test]
fn an_unchanged_file_is_asked_for_once() {
    let mut repo = Repo::new(&[
        ("prod/api.yaml", PLAIN),
        ("prod/b.yaml", &PLAIN.replace("name: api", "name: b")),
    ]);
    let mut cache = Cache::default();
    let first = repo.load_with(&mut cache);
    assert!(wanted(&repo.tree, &repo.targets, &cache).is_empty());
    assert_eq!(repo.load_with(&mut cache), first);
    let changed = PLAIN.replace("1.5.0", "1.5.1");
    repo.put("prod/api.yaml", changed.as_bytes());
    assert_eq!(
        wanted(&repo.tree, &repo.targets, &cache),
        [BlobId(changed.into_bytes())]
    );
    assert_eq!(repo.load_with(&mut cache), repo.load());
    assert_eq!(cache.len(), 2);
}

#[test]
fn what_the_tree_no_longer_names_is_forgotten() {
    let mut cache = Cache::default();
    Repo::new(&[("prod/api.yaml", PLAIN)]).load_with(&mut cache);
    assert_eq!(cache.len(), 1);
    Repo::new(&[]).load_with(&mut cache);
    assert!(cache.is_empty());
}

#[test]
fn one_content_under_two_names_is_asked_for_once_and_read_in_two_ways() {
    let repo = Repo::new(&[("prod/a/defaults.yaml", PLAIN), ("prod/b.yaml", PLAIN)]);
    assert_eq!(wanted(&repo.tree, &repo.targets, &Cache::default()).len(), 1);
    let mut cache = Cache::default();
    let state = repo.load_with(&mut cache);
    assert_eq!(state.faulty[&key("prod", "api")].reason, FaultReason::Conflict);
    assert_eq!(cache.len(), 2);
}

#[test]
fn the_order_of_the_tree_changes_nothing() {
    let mut repo = Repo::new(&[
        ("prod/a.yaml", PLAIN),
        ("prod/b.yaml", PLAIN),
        ("defaults.yaml", "kind: x"),
    ]);
    let state = repo.load();
    repo.tree.entries.reverse();
    assert_eq!(repo.load(), state);
}
