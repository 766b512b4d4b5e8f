//! Aliases of one manifest, one change a test.

use super::*;
use crate::domain::CodeSha256;

/// Returns each alias with its version, whether it is pinned, and where its zip lies.
fn aliases(more: &str) -> String {
    let lines: Vec<String> = sound(more)
        .aliases
        .iter()
        .map(|(name, artifact)| {
            let pin = artifact.pin.map_or("unpinned".to_owned(), CodeSha256::short);
            format!("{name} {} {pin} {}", artifact.version, artifact.location)
        })
        .collect();
    lines.join("\n")
}

const PINNED: &str = "sha256: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nobjectVersion: abc\n";

#[test]
fn without_aliases_only_latest_is_looked_after() {
    assert!(sound("").aliases.is_empty());
    assert!(sound("aliases: {}\n").aliases.is_empty());
}

#[test]
fn an_alias_with_nothing_behind_it_runs_the_version() {
    insta::assert_snapshot!(aliases("aliases:\n  live:\n"), @"live 1.5.0 unpinned s3://acme-artifacts/api/1.5.0.zip");
    assert_eq!(aliases("aliases:\n  live:\n"), aliases("aliases: { live: {} }\n"));
}

#[test]
fn an_alias_has_pin_and_object_version_of_its_function() {
    insta::assert_snapshot!(aliases(&format!("{PINNED}aliases: {{ live: {{}} }}\n")), @"live 1.5.0 47DEQpj8 s3://acme-artifacts/api/1.5.0.zip (object version abc)");
}

#[test]
fn an_alias_with_a_version_has_neither() {
    insta::assert_snapshot!(aliases(&format!("{PINNED}aliases: {{ beta: {{ version: 1.6.0-rc.1 }} }}\n")), @"beta 1.6.0-rc.1 unpinned s3://acme-artifacts/api/1.6.0-rc.1.zip");
}

#[test]
fn an_alias_may_say_everything_itself() {
    let more = "aliases:\n  beta:\n    version: \"2\"\n    sha256: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n    objectVersion: xyz\n    artifact: s3://acme-beta/{version}.zip\n";
    insta::assert_snapshot!(aliases(&format!("{PINNED}{more}")), @"beta 2 AAAAAAAA s3://acme-beta/2.zip (object version xyz)");
}

#[test]
fn an_alias_is_named_as_lambda_allows() {
    insta::assert_snapshot!(faults("aliases: { \"7\": {} }\n"), @r#"prod/api.yaml:6:12: aliases: alias name "7" is not valid: use 1 to 128 of A-Z a-z 0-9 - _, not digits alone, and not $LATEST"#);
    assert!(faults("aliases: { $LATEST: {} }\n").contains("not $LATEST"));
}

#[test]
fn a_fault_in_an_alias_names_its_path() {
    insta::assert_snapshot!(faults("aliases:\n  beta:\n    version: 1.10\n    sha256: x\n    artefact: y\n"), @r#"
    prod/api.yaml:8:14: aliases.beta.version: this is a number to YAML, not text: write it in quotes, version: "1.10"
    prod/api.yaml:9:13: aliases.beta.sha256: not a SHA-256: use 64 hex digits (as sha256sum prints) or 44 characters of base64 (as CodeSha256 shows)
    prod/api.yaml:10:5: aliases.beta: unknown field "artefact": did you mean artifact?
    "#);
}

#[test]
fn an_alias_that_is_no_mapping_is_a_fault() {
    insta::assert_snapshot!(faults("aliases: { beta: 1.6.0-rc.1 }\n"), @r#"prod/api.yaml:6:18: aliases.beta: it takes fields, not text: write aliases.beta.version: "1.6.0-rc.1" or {}"#);
    insta::assert_snapshot!(faults("aliases: { beta: 1 }\n"), @"prod/api.yaml:6:18: aliases.beta: it takes fields of the form `key: value`, not a number");
    insta::assert_snapshot!(faults("aliases: [live]\n"), @"prod/api.yaml:6:10: aliases: it takes fields of the form `key: value`, not a list");
}

#[test]
fn aliases_with_nothing_behind_them_are_not_clear() {
    insta::assert_snapshot!(faults("aliases:\n"), @"prod/api.yaml:6:9: aliases: there is none: write aliases: {} for no alias, or remove the line for the defaults'");
}

#[test]
fn a_doubled_alias_and_a_doubled_field_of_one_are_faults() {
    insta::assert_snapshot!(faults("aliases:\n  live: {}\n  live: {}\n"), @r#"prod/api.yaml:8:3: aliases: "live" stands there twice, first in line 7: keep one of the two"#);
    insta::assert_snapshot!(faults("aliases:\n  live:\n    version: a\n    version: b\n"), @r#"prod/api.yaml:9:5: aliases.live: "version" stands there twice, first in line 8: keep one of the two"#);
}

#[test]
fn an_artifact_of_an_alias_is_checked_at_its_place() {
    insta::assert_snapshot!(faults("aliases:\n  beta:\n    artifact: s3://Acme/x\n"), @r#"prod/api.yaml:8:15: aliases.beta.artifact: in target prod: bucket "Acme" breaks S3's naming rules: 3 to 63 of a-z 0-9 . -, beginning and ending with a letter or digit, no two dots together"#);
}

#[test]
fn merge_keys_are_not_read() {
    insta::assert_snapshot!(faults("aliases:\n  live: &a {}\n  beta:\n    <<: *a\n"), @"prod/api.yaml:9:5: aliases.beta: YAML merge keys (<<) are not read: write the fields out, or share them in defaults.yaml");
    assert!(faults("aliases:\n  <<: {}\n").contains("merge keys are not read"));
}
