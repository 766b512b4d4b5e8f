//! YAML that people and attackers write, one change a test.

use super::super::yaml::{MAX_DEPTH, MAX_VALUES, READ};
use super::*;

fn faults_of(bytes: &[u8]) -> String {
    let mut repo = Repo::new(&[]);
    repo.put("prod/api.yaml", bytes);
    let state = repo.load();
    assert!(state.functions.is_empty(), "{state:?}");
    told(&state)
}

#[test]
fn a_byte_order_mark_and_crlf_change_nothing() {
    let plain = one(PLAIN);
    assert_eq!(one(&format!("\u{feff}{PLAIN}")), plain);
    assert_eq!(one(&PLAIN.replace('\n', "\r\n")), plain);
    assert_eq!(
        one(&format!("# comment: [\n---\n{PLAIN}...\n")).functions,
        plain.functions
    );
}

#[test]
fn a_place_is_right_with_a_byte_order_mark_and_crlf() {
    let text = format!("\u{feff}{PLAIN}é: 1\n").replace('\n', "\r\n");
    assert!(
        told(&one(&text)).starts_with("prod/api.yaml:6:1: unknown field"),
        "{}",
        told(&one(&text))
    );
}

#[test]
fn a_file_that_holds_nothing_is_a_fault() {
    for text in ["", "\n\n", "# only a comment\n", "---\n", "~\n", "\u{feff}"] {
        assert_eq!(
            faults_of(text.as_bytes()),
            "prod/api.yaml:-:-: the file holds nothing: write a manifest that begins with apiVersion: pinfold/v1, or \
             remove the file",
            "{text:?}"
        );
    }
}

#[test]
fn a_second_document_is_a_fault() {
    insta::assert_snapshot!(faults(&format!("---\n{PLAIN}")), @"prod/api.yaml:7:1: a second YAML document begins here: put one function in each file, and remove the --- line");
    assert!(faults("---\n").contains("a second YAML document"));
    assert!(faults("---\n[\n").contains("a second YAML document"));
}

#[test]
fn broken_yaml_is_a_fault_with_its_place() {
    insta::assert_snapshot!(faults("aliases: {\n"), @"prod/api.yaml:7:1: not valid YAML (did not find expected node content): check the indentation and the quotes here and in the line above");
    insta::assert_snapshot!(faults("mode: a: b\n"), @"prod/api.yaml:6:8: not valid YAML (mapping values are not allowed in this context): check the indentation and the quotes here and in the line above");
    insta::assert_snapshot!(faults("aliases:\n\tlive: {}\n"), @"prod/api.yaml:7:1: not valid YAML (found character that cannot start any token): the line is indented with a tab: indent with spaces");
    insta::assert_snapshot!(faults("mode: *a\n"), @"prod/api.yaml:6:7: not valid YAML (unknown anchor): define the anchor (&name) above its use (*name), or put quotes around text that begins with *");
}

#[test]
fn a_merge_conflict_is_a_fault_that_withholds_its_function() {
    let text = PLAIN.replace(
        "version: \"1.5.0\"\n",
        "<<<<<<< HEAD\nversion: \"1\"\n=======\nversion: \"2\"\n>>>>>>> b\n",
    );
    let state = one(&text);
    assert_eq!(state.faults.len(), 1);
    assert!(state.faulty.contains_key(&key("prod", "api")));
}

#[test]
fn bytes_that_are_no_text_are_a_fault() {
    let mut bytes = PLAIN.as_bytes().to_vec();
    bytes.extend_from_slice(b"mode: \xff\n");
    insta::assert_snapshot!(faults_of(&bytes), @"prod/api.yaml:6:7: this byte is not UTF-8: save the file as UTF-8");
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain(PLAIN.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(faults_of(&utf16).contains("save the file as UTF-8"));
}

#[test]
fn characters_that_nobody_sees_are_a_fault() {
    insta::assert_snapshot!(faults("mode: observe\0\n"), @"prod/api.yaml:6:14: the character U+0000 has no place in a manifest: remove it");
    for c in ['\u{1b}', '\u{7f}', '\u{85}', '\u{2028}', '\u{feff}', '\u{ffff}'] {
        assert!(
            faults(&format!("# a{c}version: x\n")).contains(&format!("U+{:04X}", u32::from(c))),
            "{c:?}"
        );
    }
    insta::assert_snapshot!(faults("# a\rmode: observe\n"), @"prod/api.yaml:6:4: a carriage return without a line feed: end lines with LF or CRLF");
}

#[test]
fn tags_are_refused() {
    insta::assert_snapshot!(told(&one(&PLAIN.replace("\"1.5.0\"", "!!str 1.10"))), @"prod/api.yaml:4:10: YAML tags (!...) are not read: remove the tag, and put text in quotes");
    for text in [
        "mode: !x observe\n",
        "mode: ! observe\n",
        "aliases: !!map {}\n",
        "aliases: {live: !x {}}\n",
        "mode: &a !!str observe\n",
    ] {
        assert!(faults(text).contains("YAML tags (!...) are not read"), "{text}");
    }
}

#[test]
fn an_exclamation_mark_in_text_is_no_tag() {
    let suspend = "suspend: # !x\n  reason: \"!!str\" # !\n";
    assert_eq!(sound(suspend).suspend.unwrap().reason, "!!str");
    assert_eq!(
        sound("suspend:\n  reason: |\n    !ha!\n    !!str\n")
            .suspend
            .unwrap()
            .reason,
        "!ha! !!str"
    );
    assert_eq!(
        sound("suspend: { reason: ouch! !x }\n").suspend.unwrap().reason,
        "ouch! !x"
    );
}

#[test]
fn directives_are_refused() {
    insta::assert_snapshot!(told(&one(&format!("%YAML 1.1\n---\n{PLAIN}"))), @"prod/api.yaml:1:1: YAML directives (%...) are not read: remove the line");
}

#[test]
fn anchors_are_read_within_reason() {
    let function = sound("aliases:\n  live: &same { version: \"2\" }\n  beta: *same\n");
    assert_eq!(
        function
            .aliases
            .values()
            .map(|a| a.version.to_string())
            .collect::<Vec<_>>(),
        ["2", "2"]
    );
}

#[test]
fn an_anchor_defined_twice_is_a_fault() {
    let more = "aliases:\n  a: &x { version: a }\n  b: &x { version: b }\n  c: &y { version: c }\n  d: *x\n";
    insta::assert_snapshot!(faults(more), @"prod/api.yaml:8:6: the anchor &x is defined twice: give each its own name");
    sound("# &x and &x and *x\naliases:\n  a: &x { version: a }\n  d: *x\nsuspend: { reason: R &x D }\n");
}

#[test]
fn very_many_anchors_are_a_fault() {
    let more = lines(65, |n| format!("  a{n}: &x{n} {{}}"));
    assert!(faults(&format!("aliases:\n{more}  b: *x1\n")).contains("over 64 anchors"));
}

#[test]
fn a_bomb_does_not_go_off() {
    let bomb = lines(12, |n| match n {
        0 => "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]".to_owned(),
        _ => format!("a{n}: &a{n} [{}]", vec![format!("*a{}", n - 1); 10].join(", ")),
    });
    let told = faults(&bomb);
    assert!(told.contains("far more than any manifest"), "{told}");
    let read = values_read(|| _ = faults(&bomb));
    assert!(read <= 2 * (MAX_VALUES as usize + 1), "{read} of 10^12 values are read");
}

#[test]
fn a_bomb_of_text_does_not_go_off() {
    let more = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 100].join(", "));
    assert!(faults(&more).contains("far more than any manifest"));
}

#[test]
fn an_anchor_that_holds_itself_is_a_fault() {
    assert!(
        faults("aliases: &a [*a, *a]\n").contains("nested deeper"),
        "{}",
        faults("aliases: &a [*a, *a]\n")
    );
    assert!(faults("aliases: &a { b: *a }\n").contains("nested deeper"));
}

#[test]
fn deep_nesting_is_a_fault_that_costs_next_to_nothing() {
    for deep in [
        "[".repeat(500_000),
        "{a: ".repeat(200_000),
        "- ".repeat(500_000),
        "? ".repeat(500_000),
    ] {
        let read = values_read(|| assert!(!faults_of(deep.as_bytes()).is_empty()));
        assert!(read <= 2 * MAX_DEPTH, "{read} values are read");
    }
    insta::assert_snapshot!(faults(&format!("mode: {}{}\n", "[".repeat(100), "]".repeat(100))), @"prod/api.yaml:6:22: values are nested deeper than in any manifest: write it flatter");
}

#[test]
fn a_giant_text_is_a_fault_that_is_told_in_short() {
    let told = faults(&format!("mode: {}\n", "x".repeat(1_000_000)));
    assert!(told.contains("mode: \"xxxx"), "{told}");
    assert!(told.len() < 400);
}

#[test]
fn a_hostile_file_with_many_faults_is_searched_a_few_times_alone() {
    let more = lines(4000, |n| format!("field{n}: {}", "y".repeat(200)));
    let read = values_read(|| assert_eq!(faults(&more).lines().count(), 21));
    // Once for what it says, and for places a few times more, whatever the number of faults.
    assert!(read <= 8 * 8_100, "{read} values are read");
}

/// Returns how many values are read meanwhile.
fn values_read(meanwhile: impl FnOnce()) -> usize {
    let before = READ.get();
    meanwhile();
    READ.get() - before
}

#[test]
fn a_pointer_to_large_file_storage_is_told_as_one() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    insta::assert_snapshot!(faults_of(pointer.as_bytes()), @"prod/api.yaml:-:-: this is a Git LFS pointer: keep manifests in Git itself, not in LFS");
}

#[test]
fn a_message_holds_no_control_characters_of_the_file() {
    let told = faults("\"a\\e[2Jb\\n\": x\n");
    assert!(!told.chars().any(char::is_control), "{told:?}");
}
