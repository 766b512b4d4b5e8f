//! defaults.yaml and what it passes on, one change a test.

use super::*;
use crate::domain::Mode;

const BARE: &str = "apiVersion: pinfold/v1\nkind: Function\nname: api\nversion: \"1\"\n";

fn defaults(fields: &str) -> String {
    format!("apiVersion: pinfold/v1\nkind: Defaults\n{fields}")
}

fn bucket(files: &[(&str, &str)]) -> String {
    let state = Repo::new(files).load();
    assert_eq!(told(&state), "");
    state.functions[&key("prod", "api")].code.location.bucket.clone()
}

#[test]
fn defaults_of_the_root_reach_every_folder() {
    let root = defaults("artifact: s3://of-root/{name}\n");
    assert_eq!(
        bucket(&[("defaults.yaml", &root), ("prod/a/b/api.yaml", BARE)]),
        "of-root"
    );
}

#[test]
fn the_nearer_folder_wins() {
    let (root, near, own) = (
        defaults("artifact: s3://of-root/x\n"),
        defaults("artifact: s3://of-near/x\n"),
        "artifact: s3://of-own/x\n",
    );
    let files = [
        ("defaults.yaml", root.as_str()),
        ("prod/eu/defaults.yml", &near),
        ("prod/eu/api.yaml", BARE),
    ];
    assert_eq!(bucket(&files), "of-near");
    let text = format!("{BARE}{own}");
    assert_eq!(bucket(&[files[0], files[1], ("prod/eu/api.yaml", &text)]), "of-own");
}

#[test]
fn defaults_beside_the_way_do_not_count() {
    let (root, side) = (
        defaults("artifact: s3://of-root/x\n"),
        defaults("artifact: s3://of-side/x\n"),
    );
    assert_eq!(
        bucket(&[
            ("defaults.yaml", &root),
            ("prod/eu/defaults.yaml", &side),
            ("prod/eu-2/api.yaml", BARE)
        ]),
        "of-root"
    );
}

#[test]
fn each_key_comes_from_where_it_is_said() {
    let root = defaults("artifact: s3://of-root/{name}\nmode: observe\naliases: { live: {} }\n");
    let near = defaults("mode: reconcile\n");
    let files = [
        ("defaults.yaml", root.as_str()),
        ("prod/defaults.yaml", &near),
        ("prod/api.yaml", BARE),
    ];
    let state = Repo::new(&files).load();
    let function = &state.functions[&key("prod", "api")];
    assert_eq!(function.mode, Mode::Reconcile);
    assert_eq!(function.code.location.bucket, "of-root");
    assert_eq!(function.aliases.len(), 1);
    let state = Repo::new(&[files[0], files[2]]).load();
    assert_eq!(state.functions[&key("prod", "api")].mode, Mode::Observe);
}

#[test]
fn aliases_are_taken_whole() {
    let root = defaults("artifact: s3://of-root/{name}\naliases: { live: {}, beta: { version: \"2\" } }\n");
    let text = format!("{BARE}aliases: {{ canary: {{}} }}\n");
    let state = Repo::new(&[("defaults.yaml", &root), ("prod/api.yaml", &text)]).load();
    let names: Vec<_> = state.functions[&key("prod", "api")]
        .aliases
        .keys()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, ["canary"]);
    let text = format!("{BARE}aliases: {{}}\n");
    let state = Repo::new(&[("defaults.yaml", &root), ("prod/api.yaml", &text)]).load();
    assert!(state.functions[&key("prod", "api")].aliases.is_empty());
}

#[test]
fn placeholders_are_filled_for_each_target() {
    let root = defaults("artifact: s3://acme-{region}/{target}/{name}/{version}.zip\n");
    let mut staging = target("staging", "staging");
    staging.region = "eu-west-1".parse().ok();
    let state = Repo::new(&[
        ("defaults.yaml", &root),
        ("prod/api.yaml", BARE),
        ("staging/api.yaml", BARE),
    ])
    .targets(vec![target("prod", "prod"), staging])
    .load();
    let locations: Vec<_> = state
        .functions
        .values()
        .map(|function| function.code.location.to_string())
        .collect();
    assert_eq!(
        locations,
        [
            "s3://acme-us-east-1/prod/api/1.zip",
            "s3://acme-eu-west-1/staging/api/1.zip"
        ]
    );
}

#[test]
fn a_faulty_defaults_withholds_what_it_applies_to_and_is_told_once() {
    let own = PLAIN.replace("name: api", "name: own");
    let sound = PLAIN.replace("name: api", "name: sound");
    let broken = defaults("artefact: s3://of-root/x\n");
    let state = Repo::new(&[
        ("prod/eu/defaults.yaml", &broken),
        ("prod/eu/api.yaml", BARE),
        ("prod/eu/deep/own.yaml", &own),
        ("prod/sound.yaml", &sound),
    ])
    .load();
    insta::assert_snapshot!(told(&state), @r#"prod/eu/defaults.yaml:3:1: unknown field "artefact": did you mean artifact?"#);
    insta::assert_snapshot!(withheld(&state), @r#"
    prod/api InvalidManifest: prod/eu/defaults.yaml:3:1: unknown field "artefact": did you mean artifact?
    prod/own InvalidManifest: prod/eu/defaults.yaml:3:1: unknown field "artefact": did you mean artifact?
    "#);
    assert_eq!(
        state.functions.keys().map(ToString::to_string).collect::<Vec<_>>(),
        ["prod/sound"]
    );
}

#[test]
fn a_faulty_defaults_above_the_target_withholds_all_of_it() {
    let state = Repo::new(&[("defaults.yaml", "kind: ["), ("prod/api.yaml", PLAIN)]).load();
    assert!(state.functions.is_empty());
    assert_eq!(state.faults[0].file, "defaults.yaml");
    assert_eq!(state.faulty.len(), 1);
}

#[test]
fn two_defaults_in_one_folder_are_faults_of_both() {
    let one = defaults("artifact: s3://of-root/x\n");
    let state = Repo::new(&[
        ("defaults.yaml", &one),
        ("defaults.yml", &one),
        ("prod/api.yaml", PLAIN),
    ])
    .load();
    insta::assert_snapshot!(told(&state), @"
    defaults.yaml:-:-: defaults.yaml and defaults.yml stand in one folder: keep one of the two
    defaults.yml:-:-: defaults.yaml and defaults.yml stand in one folder: keep one of the two
    ");
    assert_eq!(state.faulty.len(), 1);
}

#[test]
fn defaults_in_another_file_are_a_fault() {
    let text = defaults("artifact: s3://of-root/x\n");
    let state = Repo::new(&[("prod/shared.yaml", &text), ("prod/api.yaml", PLAIN)]).load();
    insta::assert_snapshot!(told(&state), @"prod/shared.yaml:2:7: kind: Defaults belongs into a file called defaults.yaml: rename the file, or write kind: Function");
    assert_eq!(state.functions.len(), 1);
}

#[test]
fn a_function_in_defaults_is_a_fault_and_withholds_both() {
    let state = Repo::new(&[
        ("prod/defaults.yaml", PLAIN),
        ("prod/b.yaml", &PLAIN.replace("name: api", "name: b")),
    ])
    .load();
    insta::assert_snapshot!(told(&state), @"prod/defaults.yaml:2:7: defaults.yaml holds what functions share: move this function into a file of its own, or write kind: Defaults");
    let names: Vec<_> = state.faulty.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["prod/api", "prod/b"]);
}

#[test]
fn a_faulty_defaults_claims_no_function() {
    for text in [defaults("name: api\n"), "name: api\n\tx".to_owned()] {
        let state = Repo::new(&[("prod/eu/defaults.yaml", &text), ("prod/api.yaml", PLAIN)]).load();
        assert_eq!(
            (state.functions.len(), state.faulty.len(), state.faults.len()),
            (1, 0, 1),
            "{text}"
        );
    }
}

#[test]
fn a_field_of_functions_alone_is_unknown_in_defaults() {
    let text = defaults("artifact: s3://of-root/x\nversion: \"1\"\n");
    let state = Repo::new(&[("prod/defaults.yaml", &text)]).load();
    insta::assert_snapshot!(told(&state), @r#"prod/defaults.yaml:4:1: unknown field "version": the fields here are apiVersion, kind, artifact, aliases, mode"#);
}

#[test]
fn an_artifact_of_defaults_that_does_not_fill_is_one_fault_of_defaults() {
    let root = defaults("artifact: s3://acme-{name}/x\n");
    let (upper, other) = (
        BARE.replace("name: api", "name: Upper"),
        BARE.replace("name: api", "name: Other"),
    );
    let state = Repo::new(&[
        ("defaults.yaml", &root),
        ("prod/api.yaml", BARE),
        ("prod/o.yaml", &other),
        ("prod/u.yaml", &upper),
    ])
    .load();
    insta::assert_snapshot!(told(&state), @r#"defaults.yaml:3:11: artifact: for function Other and 1 more in target prod: bucket "acme-Other" breaks S3's naming rules: 3 to 63 of a-z 0-9 . -, beginning and ending with a letter or digit, no two dots together"#);
    assert_eq!((state.functions.len(), state.faulty.len()), (1, 2));
}

#[test]
fn an_alias_of_defaults_that_does_not_fill_is_a_fault_of_defaults() {
    let root = defaults("artifact: s3://acme/x\naliases:\n  beta: { artifact: \"s3://acme-{account}/x\" }\n");
    let state = Repo::new(&[("defaults.yaml", &root), ("prod/api.yaml", BARE)]).load();
    insta::assert_snapshot!(told(&state), @"defaults.yaml:5:21: aliases.beta.artifact: for function api in target prod: {account} stands in the artifact, but the target names no account: add `account` to the target");
}

#[test]
fn a_symbolic_link_called_defaults_withholds_its_folder() {
    let mut repo = Repo::new(&[("prod/defaults.yaml", "../x"), ("prod/api.yaml", PLAIN)]);
    repo.entry("prod/defaults.yaml").kind = EntryKind::Symlink;
    let state = repo.load();
    assert!(state.functions.is_empty());
    assert_eq!(state.faulty.len(), 1);
}
