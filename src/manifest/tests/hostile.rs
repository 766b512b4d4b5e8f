//! Properties that hold for any bytes: nothing panics, every fault says something, nothing faulty is acted on.

use proptest::prelude::*;

use super::*;

/// A manifest that uses everything there is, to be damaged.
const FULL: &str = "\
apiVersion: pinfold/v1
kind: Function
name: api # comment
version: \"1.5.0\"
sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
artifact: s3://acme-artifacts-{region}/{name}/{version}.zip
objectVersion: 3HL4kqtJvjVBH40N
aliases:
  live: &same {}
  beta:
    version: '1.6.0-rc.1'
  gamma: *same
mode: observe
suspend:
  reason: |
    incident 4711
  until: 2026-12-01T00:00:00Z
";

/// Pieces that mean something to YAML or to Pinfold.
const PIECES: [&str; 24] = [
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\t",
    "\"",
    "'",
    "[",
    "{",
    "}",
    "&a ",
    "*a",
    "!",
    "!!str ",
    "|",
    ">",
    "#",
    "---\n",
    "%",
    "\u{feff}",
    "\0",
    "name: b\n",
    "<<: ",
    "defaults",
];

fn check(bytes: &[u8]) {
    for path in ["prod/api.yaml", "prod/defaults.yaml"] {
        let mut repo = Repo::new(&[("prod/other.yaml", &PLAIN.replace("name: api", "name: other"))]);
        repo.put(path, bytes);
        let mut cache = Cache::default();
        let state = repo.load_with(&mut cache);
        assert_eq!(repo.load_with(&mut cache), state, "the cache changes nothing");
        for fault in &state.faults {
            assert!(!fault.message.is_empty() && !fault.file.is_empty());
            assert!(!fault.message.chars().any(char::is_control), "{fault:?}");
            assert!(fault.message.chars().count() <= 1001, "{fault:?}");
            assert!(fault.line != Some(0) && fault.column != Some(0), "{fault:?}");
        }
        assert!(state.faults.is_sorted());
        for (key, faulty) in &state.faulty {
            assert!(!faulty.message.is_empty());
            assert!(!state.functions.contains_key(key));
        }
        // Whatever stands in the file: it is faulty and says so, or it is read.
        let read = state.functions.values().any(|function| function.file == path);
        let faulty = state.faults.iter().any(|fault| fault.file == path);
        assert!(
            read != faulty || (path.ends_with("defaults.yaml") && !read),
            "{state:?}"
        );
    }
}

#[test]
fn the_undamaged_manifest_is_sound() {
    assert_eq!(told(&one(FULL)), "");
    check(FULL.as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes);
    }

    #[test]
    fn any_pieces(pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..30)) {
        check(pieces.concat().as_bytes());
    }

    #[test]
    fn a_damaged_manifest(
        damages in proptest::collection::vec((any::<prop::sample::Index>(), 0..12_usize, prop::sample::select(&PIECES[..])), 1..5),
    ) {
        let mut bytes = FULL.as_bytes().to_vec();
        for (at, removed, piece) in damages {
            let at = at.index(bytes.len() + 1);
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
        }
        check(&bytes);
    }

    #[test]
    fn a_manifest_with_a_changed_byte(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = FULL.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        check(&bytes);
    }
}
