//! The demo as a newcomer runs it: what it shows, how it ends, and that README shows what it really prints.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Runs the binary in an empty environment with a home of its own.
fn pinfold(home: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pinfold"))
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        .output()
        .expect("the binary runs")
}

#[test]
fn the_demo_shows_every_kind_of_drift_and_ends_in_sync() {
    let home = TempDir::new().expect("a folder");
    let run = pinfold(&home, &["demo", "--once", "--listen", "127.0.0.1:0"]);
    let text = String::from_utf8(run.stdout).expect("text");
    assert_eq!(
        run.status.code(),
        Some(0),
        "{text}\n{}",
        String::from_utf8_lossy(&run.stderr)
    );
    for (kind, shown) in [
        ("an edited $LATEST", "code: not published by Pinfold"),
        ("an alias moved by hand", "MoveAlias      live from 1 to version 2"),
        ("forgotten weights", "weights: 10% to version 1"),
        ("a missing alias", "beta is missing"),
        ("a bump", "PublishVersion 2.3.1"),
        ("a revert", "MoveAlias      live from 2 to version 1"),
    ] {
        assert!(text.contains(shown), "{kind}: no {shown:?} in\n{text}");
    }
    assert!(
        text.trim_end()
            .lines()
            .last()
            .is_some_and(|line| line.ends_with("InSync")),
        "{text}"
    );
    assert!(
        fs::read_dir(home.path()).expect("the folder").next().is_none(),
        "nothing is left behind"
    );
}

#[test]
fn readme_shows_what_the_demo_prints() {
    let readme = include_str!("../README.md");
    let shown = readme
        .split("<!-- demo:")
        .nth(1)
        .and_then(|rest| rest.split("```text\n").nth(1)?.split("```\n").next())
        .expect("README has the output");
    let home = TempDir::new().expect("a folder");
    let run = pinfold(&home, &["demo", "--once", "--listen", "127.0.0.1:0"]);
    let text = String::from_utf8(run.stdout).expect("text");
    assert!(
        text.starts_with(shown.trim_end()),
        "README shows\n{shown}\nbut the demo prints\n{text}"
    );
}

#[test]
fn the_demo_leaves_a_folder_with_something_in_it_alone() {
    let home = TempDir::new().expect("a folder");
    fs::write(home.path().join("mine"), "x").expect("a file");
    let run = pinfold(&home, &["demo", "--once", "--dir", &home.path().display().to_string()]);
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&run.stderr).contains("is not empty"));
}
