//! `pinfold validate`: a tree checked offline, with and without a configuration.

use crate::command::Home;

fn manifest(name: &str, rest: &str) -> String {
    format!("apiVersion: pinfold/v1\nkind: Function\nname: {name}\n{rest}")
}

/// Two sound functions in two targets.
fn sound() -> Home {
    let home = Home::new();
    home.file(
        "tree/defaults.yaml",
        "apiVersion: pinfold/v1\nkind: Defaults\nartifact: s3://artifacts-{account}/{name}/{version}.zip\n",
    )
    .file("tree/prod/api.yaml", &manifest("api", "version: \"1.0.0\"\n"))
    .file("tree/staging/api.yml", &manifest("api", "version: \"1.1.0\"\n"));
    home
}

/// Five files, each faulty in another way, beside the two sound ones.
fn faulty() -> Home {
    let home = sound();
    home.file("tree/prod/a.yaml", &manifest("a", "verison: \"1.0.0\"\n"))
        .file("tree/prod/b.yaml", &manifest("b", "version: 1.10\n"))
        .file(
            "tree/prod/c.yaml",
            &manifest("c", "version: \"1.0.0\"\nversion: \"1.0.1\"\n"),
        )
        .file("tree/prod/d.yaml", "name: d\n  kind: [\n")
        .file(
            "tree/staging/e.yaml",
            &manifest("e", "version: \"1.0.0\"\nartifact: https://x/y.zip\n"),
        );
    home
}

#[test]
fn a_sound_tree_ends_with_0() {
    let outcome = sound().run(&["validate", "tree"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(outcome.stdout, @r"2 functions in 2 targets, no faults");
    let outcome = sound().run(&["validate", "tree", "-o", "json"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(outcome.stdout, @r#"
    {
      "faults": [],
      "functions": 2,
      "schemaVersion": 1
    }
    "#);
}

#[test]
fn five_faulty_files_are_told_at_once() {
    let outcome = faulty().run(&["validate", "tree"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (1, ""));
    insta::assert_snapshot!(outcome.stdout, @r#"
    Faults in the repository
      prod/a.yaml:4:1: unknown field "verison": did you mean version?
      prod/b.yaml:4:10: version: this is a number to YAML, not text: write it in quotes, version: "1.10"
      prod/c.yaml:5:1: "version" stands there twice, first in line 4: keep one of the two
      prod/d.yaml:2:7: not valid YAML (mapping values are not allowed in this context): check the indentation and the quotes here and in the line above
      staging/e.yaml:5:11: artifact: an artifact is written s3://BUCKET/KEY, such as s3://acme-artifacts/{name}/{version}.zip
    "#);
}

#[test]
fn faults_are_told_in_json_with_file_and_place() {
    let outcome = faulty().run(&["validate", "tree", "-o", "json"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (1, ""));
    insta::assert_snapshot!(outcome.stdout, @r#"
    {
      "faults": [
        {
          "column": 1,
          "file": "prod/a.yaml",
          "line": 4,
          "message": "unknown field \"verison\": did you mean version?"
        },
        {
          "column": 10,
          "file": "prod/b.yaml",
          "line": 4,
          "message": "version: this is a number to YAML, not text: write it in quotes, version: \"1.10\""
        },
        {
          "column": 1,
          "file": "prod/c.yaml",
          "line": 5,
          "message": "\"version\" stands there twice, first in line 4: keep one of the two"
        },
        {
          "column": 7,
          "file": "prod/d.yaml",
          "line": 2,
          "message": "not valid YAML (mapping values are not allowed in this context): check the indentation and the quotes here and in the line above"
        },
        {
          "column": 11,
          "file": "staging/e.yaml",
          "line": 5,
          "message": "artifact: an artifact is written s3://BUCKET/KEY, such as s3://acme-artifacts/{name}/{version}.zip"
        }
      ],
      "functions": 7,
      "schemaVersion": 1
    }
    "#);
}

#[test]
fn the_configuration_gives_the_targets_and_what_they_know() {
    let home = sound();
    home.file("c.yaml", "targets: [{ name: live, path: prod, region: us-east-1 }]\n");
    let outcome = home.run(&["validate", "tree", "--config", "c.yaml"]);
    assert_eq!(outcome.code, 1, "{outcome:#?}");
    insta::assert_snapshot!(outcome.stdout, @r"
    Faults in the repository
      defaults.yaml:3:11: artifact: for function api in target live: {account} stands in the artifact, but the target names no account: add `account` to the target
    ");
    home.file(
        "c.yaml",
        "targets: [{ name: live, path: prod, region: us-east-1, account: \"111111111111\" }]\n",
    );
    let outcome = home.run(&["validate", "tree", "--config", "c.yaml", "-o", "json"]);
    assert_eq!((outcome.code, outcome.json()["functions"].as_u64()), (0, Some(1)));
}

#[test]
fn a_function_without_an_artifact_is_a_fault() {
    let home = Home::new();
    home.file("tree/prod/api.yaml", &manifest("api", "version: \"1.0.0\"\n"));
    let outcome = home.run(&["validate", "tree"]);
    assert_eq!(outcome.code, 1);
    insta::assert_snapshot!(outcome.stdout, @r"
    Faults in the repository
      prod/api.yaml:3:7: artifact is missing, here and in every defaults.yaml above: add artifact: s3://BUCKET/{name}/{version}.zip
    ");
}

#[test]
fn one_target_can_be_checked_alone() {
    let home = faulty();
    let outcome = home.run(&["validate", "tree", "--target", "staging", "-o", "json"]);
    assert_eq!((outcome.code, outcome.json()["functions"].as_u64()), (1, Some(2)));
    assert_eq!(outcome.json()["faults"].as_array().unwrap().len(), 1);
}

#[test]
fn a_tree_that_is_not_there_is_an_error() {
    let home = sound();
    let outcome = home.run(&["validate", "nowhere"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(outcome.stderr, @r"error: the desired state cannot be read: read folder nowhere: No such file or directory (os error 2): give the folder that is the repository's root");
    home.file("c.yaml", "targets: [{ name: live, path: live, region: us-east-1 }]\n");
    let outcome = home.run(&["validate", "tree", "--config", "c.yaml"]);
    assert_eq!(outcome.code, 2);
    insta::assert_snapshot!(outcome.stderr, @r#"error: target live: the commit has no folder "live": add it, or correct `path` of target live in the configuration"#);
}

#[test]
fn a_note_goes_to_standard_error_and_can_be_silenced() {
    let home = Home::new();
    home.file("tree/README.md", "nothing here\n");
    let outcome = home.run(&["validate", "tree"]);
    assert_eq!(outcome.code, 0);
    insta::assert_snapshot!(outcome.stdout, @r"0 functions in 0 targets, no faults");
    insta::assert_snapshot!(outcome.stderr, @r"no folder of the first level holds manifests; --config names targets elsewhere");
    assert_eq!(home.run(&["validate", "tree", "-q"]).stderr, "");
}
