//! Runs every fuzz target on the corpus that is kept for it: what fuzzing has found once stays found, with a stable
//! toolchain and no fuzzer.

use std::fs;
use std::path::Path;

#[cfg(test)]
#[expect(unreachable_pub, reason = "the fuzz crate exports them")]
#[path = "../fuzz/src/lib.rs"]
mod fuzz;

/// Files that each corpus has at least, so that a folder that is moved does not pass in silence.
const FEWEST: usize = 5;

fn each(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("an entry of the corpus").path())
        .collect();
    files.sort();
    assert!(files.len() >= FEWEST, "{}: {} files", folder.display(), files.len());
    // Nothing at all is an input, too.
    run(b"");
    for file in files {
        let bytes = fs::read(&file).expect("a file of the corpus can be read");
        let ended = std::panic::catch_unwind(|| run(&bytes));
        assert!(ended.is_ok(), "{}", file.display());
    }
}

#[test]
fn manifests() {
    each("manifest", fuzz::manifest);
}

#[test]
fn defaults() {
    each("defaults", fuzz::defaults);
}

#[test]
fn configurations() {
    each("config", fuzz::config);
}

#[test]
fn artifacts_and_other_words() {
    each("artifact", fuzz::artifact);
}

#[test]
fn http_requests() {
    each("http", fuzz::http);
}

#[test]
fn worlds_for_the_planner() {
    each("planner", fuzz::planner);
}
