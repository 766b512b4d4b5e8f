//! The fields of one manifest, one change a test.

use super::*;
use crate::domain::Mode;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const BASE64: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// Returns the faults of [`PLAIN`] with one piece replaced.
fn with(from: &str, to: &str) -> String {
    assert!(PLAIN.contains(from));
    told(&one(&PLAIN.replace(from, to)))
}

#[test]
fn a_pin_is_hex_or_base64_with_or_without_prefix() {
    for pin in [
        HEX.to_owned(),
        HEX.to_uppercase(),
        BASE64.to_owned(),
        format!("sha256:{HEX}"),
    ] {
        assert_eq!(
            sound(&format!("sha256: {pin}\n")).code.pin.unwrap().to_hex(),
            HEX,
            "{pin}"
        );
    }
}

#[test]
fn a_pin_that_is_none_is_a_fault() {
    insta::assert_snapshot!(faults("sha256: abc\n"), @"prod/api.yaml:6:9: sha256: not a SHA-256: use 64 hex digits (as sha256sum prints) or 44 characters of base64 (as CodeSha256 shows)");
}

#[test]
fn a_pin_of_digits_alone_needs_quotes() {
    let digits = "1".repeat(64);
    assert!(faults(&format!("sha256: {digits}\n")).contains("write it in quotes, sha256: \"1111"));
    assert!(sound(&format!("sha256: \"{digits}\"\n")).code.pin.is_some());
}

#[test]
fn an_object_version_is_part_of_the_location() {
    let function = sound("objectVersion: 3HL4kqtJvjVBH40N\n");
    assert_eq!(
        function.code.location.object_version.as_deref(),
        Some("3HL4kqtJvjVBH40N")
    );
}

#[test]
fn an_object_version_that_is_none_is_a_fault() {
    insta::assert_snapshot!(faults("objectVersion: \"a b\"\n"), @r#"prod/api.yaml:6:16: objectVersion: objectVersion "a b" is not valid: 1 to 1024 visible characters, as S3 returned it"#);
}

#[test]
fn mode_is_reconcile_or_observe() {
    assert_eq!(sound("mode: reconcile\n").mode, Mode::Reconcile);
    assert_eq!(sound("mode: observe\n").mode, Mode::Observe);
    insta::assert_snapshot!(faults("mode: Observe\n"), @r#"prod/api.yaml:6:7: mode: "Observe" is not known: did you mean observe?"#);
    insta::assert_snapshot!(faults("mode: dry-run\n"), @r#"prod/api.yaml:6:7: mode: "dry-run" is not known: write reconcile or observe"#);
}

#[test]
fn a_suspension_has_a_reason_and_may_end() {
    let suspension = sound("suspend: { reason: incident 4711 }\n").suspend.unwrap();
    assert_eq!((suspension.reason.as_str(), suspension.until), ("incident 4711", None));
    let until = |text: &str| {
        let suspension = sound(&format!("suspend: {{ reason: x, until: {text} }}\n"))
            .suspend
            .unwrap();
        suspension.until.unwrap().to_rfc3339()
    };
    assert_eq!(until("2026-12-01T00:00:00Z"), "2026-12-01T00:00:00+00:00");
    assert_eq!(until("\"2026-12-01T02:00:00+02:00\""), "2026-12-01T00:00:00+00:00");
}

#[test]
fn a_reason_of_several_lines_becomes_one() {
    let suspension = sound("suspend:\n  reason: |\n    incident 4711,\n    ask Ada\n")
        .suspend
        .unwrap();
    assert_eq!(suspension.reason, "incident 4711, ask Ada");
}

#[test]
fn a_suspension_without_a_reason_is_a_fault() {
    insta::assert_snapshot!(faults("suspend: {}\n"), @r#"prod/api.yaml:6:10: suspend.reason is missing: add why, suspend.reason: "incident 4711""#);
    insta::assert_snapshot!(faults("suspend:\n"), @r#"prod/api.yaml:6:9: suspend: it takes a reason, as in suspend: { reason: "incident 4711" }; remove it to resume"#);
    insta::assert_snapshot!(faults("suspend: true\n"), @r#"prod/api.yaml:6:10: suspend: it takes a reason, as in suspend: { reason: "incident 4711" }; remove it to resume"#);
    insta::assert_snapshot!(faults("suspend: { reason: \"  \" }\n"), @"prod/api.yaml:6:20: suspend.reason: it is empty: say why, so that whoever finds it knows when to end it");
    assert!(faults("suspend: { reason: \"a\\eb\" }\n").contains("control characters"));
    // Marks that turn the reading direction are obeyed as well.
    assert!(faults("suspend: { reason: \"a\\u202eb\" }\n").contains("control characters"));
    assert!(faults(&format!("suspend: {{ reason: {} }}\n", "x".repeat(1001))).contains("shorten it"));
}

#[test]
fn the_end_of_a_suspension_has_a_zone() {
    for bad in ["2026-12-01", "2026-12-01T00:00:00", "tomorrow", "2026-13-01T00:00:00Z"] {
        let told = faults(&format!("suspend: {{ reason: x, until: {bad} }}\n"));
        assert!(told.contains("is no time with a zone: write RFC 3339"), "{told}");
    }
}

#[test]
fn a_version_is_text() {
    insta::assert_snapshot!(with("\"1.5.0\"", "1.10"), @r#"prod/api.yaml:4:10: version: this is a number to YAML, not text: write it in quotes, version: "1.10""#);
    insta::assert_snapshot!(with("\"1.5.0\"", "true"), @r#"prod/api.yaml:4:10: version: this is a boolean to YAML, not text: write it in quotes, version: "true""#);
    insta::assert_snapshot!(with("\"1.5.0\"", ""), @"prod/api.yaml:4:9: version: there is no value: write one, or remove the line");
    insta::assert_snapshot!(with("\"1.5.0\"", "[a]"), @"prod/api.yaml:4:10: version: it takes text, not a list");
    for number in [
        "7",
        "-7",
        "1e3",
        ".5",
        "0x1F",
        "0o7",
        ".nan",
        ".inf",
        "99999999999999999999999999999999999999999",
    ] {
        assert!(
            with("\"1.5.0\"", number).contains(&format!("version: \"{number}\"")),
            "{number}"
        );
    }
}

#[test]
fn a_version_that_some_take_for_something_else_needs_quotes() {
    insta::assert_snapshot!(with("\"1.5.0\"", "007"), @r#"prod/api.yaml:4:10: version: not every reader of YAML takes this for text: write it in quotes, version: "007""#);
    for text in ["on", "No", "y", "1_000", "12e4567", "infinity"] {
        assert!(with("\"1.5.0\"", text).contains("write it in quotes"), "{text}");
        assert_eq!(with("1.5.0", text), "", "{text}");
        assert_eq!(with("\"1.5.0\"", &format!("'{text}'")), "", "{text}");
    }
}

#[test]
fn however_many_texts_are_in_quotes_none_is_a_fault() {
    let more = lines(500, |n| format!("  a{n}:\n    version: \"{n}\""));
    assert_eq!(sound(&format!("aliases:\n{more}")).aliases.len(), 500);
}

#[test]
fn a_plain_text_needs_no_quotes() {
    for text in ["1.5.0", "v1", "1.6.0-rc.1+build_7", "2024.01.02"] {
        assert_eq!(with("\"1.5.0\"", text), "", "{text}");
    }
}

#[test]
fn a_version_keeps_to_its_rule() {
    insta::assert_snapshot!(with("1.5.0", "1/2"), @r#"prod/api.yaml:4:10: version: version "1/2" is not valid: use 1 to 128 of A-Z a-z 0-9 . _ + -, beginning with a letter or digit"#);
}

#[test]
fn a_name_is_a_plain_name() {
    insta::assert_snapshot!(with("name: api", "name: arn:aws:lambda:us-east-1:1:function:api"), @r#"prod/api.yaml:3:7: name: function name "arn:aws:lambda:us-east-1:1:function:api" is not valid: use 1 to 64 of A-Z a-z 0-9 - _ (a plain name: no ARN, no :qualifier)"#);
}

#[test]
fn a_missing_field_is_a_fault_that_says_what_to_add() {
    insta::assert_snapshot!(with("name: api\n", ""), @"prod/api.yaml:1:1: name is missing: add the function's name in Lambda, name: checkout-api");
    insta::assert_snapshot!(with("version: \"1.5.0\"\n", ""), @r#"prod/api.yaml:1:1: version is missing: add the artifact's version in quotes, version: "1.5.0""#);
    insta::assert_snapshot!(with("apiVersion: pinfold/v1\n", ""), @"prod/api.yaml:1:1: apiVersion is missing: add apiVersion: pinfold/v1");
    insta::assert_snapshot!(with("kind: Function\n", ""), @"prod/api.yaml:1:1: kind is missing: add kind: Function");
}

#[test]
fn another_api_version_is_a_fault() {
    insta::assert_snapshot!(with("pinfold/v1", "pinfold/v2"), @r#"prod/api.yaml:1:13: apiVersion: "pinfold/v2" is not known: write apiVersion: pinfold/v1"#);
}

#[test]
fn another_kind_is_a_fault() {
    insta::assert_snapshot!(with("kind: Function", "kind: function"), @r#"prod/api.yaml:2:7: kind: "function" is not known: write kind: Function"#);
}

#[test]
fn a_file_that_is_no_manifest_is_told_so_once() {
    insta::assert_snapshot!(told(&one("services:\n  web: {}\n")), @"prod/api.yaml:1:1: this is no manifest: begin with apiVersion: pinfold/v1 and kind, or give a file that is something else a name that begins with _ or .");
    insta::assert_snapshot!(told(&one("{}")), @"prod/api.yaml:1:1: this is no manifest: begin with apiVersion: pinfold/v1 and kind, or give a file that is something else a name that begins with _ or .");
    insta::assert_snapshot!(told(&one("- a\n")), @"prod/api.yaml:1:1: a manifest is made of fields, beginning with apiVersion: pinfold/v1");
}

#[test]
fn an_unknown_field_is_a_fault_with_the_nearest_name() {
    insta::assert_snapshot!(faults("objectversion: x\n"), @r#"prod/api.yaml:6:1: unknown field "objectversion": did you mean objectVersion?"#);
    insta::assert_snapshot!(faults("alias: {}\n"), @r#"prod/api.yaml:6:1: unknown field "alias": did you mean aliases?"#);
    insta::assert_snapshot!(faults("sha: x\n"), @r#"prod/api.yaml:6:1: unknown field "sha": did you mean sha256?"#);
    insta::assert_snapshot!(faults("runtime: x\n"), @r#"prod/api.yaml:6:1: unknown field "runtime": the fields here are apiVersion, kind, name, version, sha256, artifact, objectVersion, aliases, mode, suspend"#);
    insta::assert_snapshot!(faults("suspend: { reasn: x }\n"), @r#"prod/api.yaml:6:12: suspend: unknown field "reasn": did you mean reason?"#);
}

#[test]
fn a_doubled_field_is_a_fault_at_the_second() {
    insta::assert_snapshot!(faults("version: \"2\"\n"), @r#"prod/api.yaml:6:1: "version" stands there twice, first in line 4: keep one of the two"#);
    insta::assert_snapshot!(faults("suspend:\n  reason: a\n  reason: b\n"), @r#"prod/api.yaml:8:3: suspend: "reason" stands there twice, first in line 7: keep one of the two"#);
}

#[test]
fn a_key_that_is_no_text_is_a_fault() {
    insta::assert_snapshot!(faults("7: x\n"), @"prod/api.yaml:6:1: the key 7 is not text: write it in quotes");
    insta::assert_snapshot!(faults("? \n: x\n"), @"prod/api.yaml:6:2: the key is not text: write it in quotes");
    assert!(faults("? [a]\n: x\n").contains("is not text"));
    assert!(faults("? {a: b}\n: x\n").contains("is not text"));
}

#[test]
fn all_faults_of_a_file_are_told_at_once() {
    let text = "apiVersion: pinfold/v1\nkind: Function\nname: api\nverison: 1.5\nmode: off\naliases:\n  7: {}\n  live: {vers: x}\n";
    insta::assert_snapshot!(told(&one(text)), @r#"
    prod/api.yaml:4:1: unknown field "verison": did you mean version?
    prod/api.yaml:5:7: mode: not every reader of YAML takes this for text: write it in quotes, mode: "off"
    prod/api.yaml:7:3: aliases: the key 7 is not text: write it in quotes
    prod/api.yaml:8:10: aliases.live: unknown field "vers": did you mean version?
    "#);
}

#[test]
fn a_file_with_very_many_faults_tells_the_first() {
    let more = lines(100, |n| format!("field{n}: x"));
    let told = faults(&more);
    assert_eq!(told.lines().count(), 21);
    assert!(
        told.lines()
            .last()
            .unwrap()
            .ends_with(":26:1: the file has 80 more faults: correct the others first"),
        "{told}"
    );
}

#[test]
fn an_artifact_is_checked_where_it_is_written() {
    insta::assert_snapshot!(with("s3://acme-artifacts/{name}/{version}.zip", "s3://b/{nmae}"), @"prod/api.yaml:5:11: artifact: unknown placeholder {nmae}: use {name}, {version}, {target}, {region} or {account}");
    insta::assert_snapshot!(with("s3://acme-artifacts", "https://acme-artifacts"), @"prod/api.yaml:5:11: artifact: an artifact is written s3://BUCKET/KEY, such as s3://acme-artifacts/{name}/{version}.zip");
    insta::assert_snapshot!(with("acme-artifacts", "Acme"), @r#"prod/api.yaml:5:11: artifact: in target prod: bucket "Acme" breaks S3's naming rules: 3 to 63 of a-z 0-9 . -, beginning and ending with a letter or digit, no two dots together"#);
}

#[test]
fn a_function_without_an_artifact_is_a_fault() {
    let text = PLAIN.replace("artifact: s3://acme-artifacts/{name}/{version}.zip\n", "");
    insta::assert_snapshot!(told(&one(&text)), @"prod/api.yaml:3:7: artifact is missing, here and in every defaults.yaml above: add artifact: s3://BUCKET/{name}/{version}.zip");
    assert!(one(&text).faulty.contains_key(&key("prod", "api")));
}

#[test]
fn an_account_is_asked_of_the_target() {
    let text = PLAIN.replace("acme-artifacts", "acme-{account}");
    insta::assert_snapshot!(told(&one(&text)), @"prod/api.yaml:5:11: artifact: in target prod: {account} stands in the artifact, but the target names no account: add `account` to the target");
    let mut named = target("prod", "prod");
    named.account = "111111111111".parse().ok();
    let state = Repo::new(&[("prod/api.yaml", &text)]).targets(vec![named]).load();
    assert_eq!(
        state.functions[&key("prod", "api")].code.location.bucket,
        "acme-111111111111"
    );
}

#[test]
fn without_a_configuration_an_account_is_taken_for_given() {
    let text = PLAIN.replace("acme-artifacts", "acme-{account}-{region}");
    let mut unconfigured = target("prod", "prod");
    unconfigured.region = None;
    let state = Repo::new(&[("prod/api.yaml", &text)])
        .targets(vec![unconfigured])
        .load();
    assert_eq!(told(&state), "");
}
