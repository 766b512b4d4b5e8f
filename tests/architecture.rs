//! Holds the plan of the house to the code: who may import whom, what the pure core must not touch, and that every file
//! says in its first line what it is for. docs/ARCHITECTURE.md has the same table for people.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where by itself")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room, and the rooms that it may import.
const ROOMS: [(&str, &[&str]); 13] = [
    ("domain", &[]),
    ("manifest", &["domain"]),
    ("drift", &["domain"]),
    ("plan", &["domain", "drift"]),
    ("notify", &["domain", "plan"]),
    ("ports", &["domain", "notify"]),
    ("telemetry", &["domain", "drift", "plan", "notify"]),
    (
        "reconcile",
        &["domain", "manifest", "drift", "plan", "notify", "ports", "telemetry"],
    ),
    ("adapters", &["domain", "notify", "ports", "telemetry"]),
    ("http", &["domain", "plan", "reconcile", "telemetry"]),
    ("config", &["domain", "notify"]),
    ("sandbox", &[]),
    (
        "cli",
        &[
            "domain",
            "manifest",
            "drift",
            "plan",
            "notify",
            "ports",
            "telemetry",
            "reconcile",
            "adapters",
            "http",
            "config",
            "sandbox",
        ],
    ),
];

/// The rooms that must stay free of I/O, so that they cannot fail, block or depend on the moment.
const PURE: [&str; 5] = ["domain", "manifest", "drift", "plan", "notify"];

/// What no pure room may name.
const IMPURE: [&str; 13] = [
    "tokio",
    "tracing",
    "aws_",
    "axum",
    "git2",
    "prometheus",
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime",
];

/// Crates that have one home, and the rooms that are it.
const HOMES: [(&str, &[&str]); 7] = [
    ("git2", &["adapters", "cli/demo/repository.rs"]),
    ("aws_sdk_", &["adapters"]),
    ("serde_yaml", &["manifest", "config"]),
    ("tokio_cron_scheduler", &["adapters"]),
    ("opentelemetry", &["adapters", "cli/traces.rs"]),
    ("prometheus", &["telemetry"]),
    ("similar", &["plan"]),
];

/// Lines of production code that no file may exceed. Above 400 a file owes a reason.
const LONGEST: usize = 600;

struct Source {
    /// From `src/`, with `/`.
    path: String,
    room: String,
    text: String,
    /// Whether the file holds tests alone.
    test_only: bool,
}

impl Source {
    /// Returns the lines of production code: everything before the unit tests, comments left out.
    fn code(&self) -> String {
        let production = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        production
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let mut sources: Vec<Source> = files
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            let room = path.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
            let test_only = path.contains("/tests/") || path.ends_with("/tests.rs");
            Source {
                text: fs::read_to_string(&file).unwrap(),
                path,
                room,
                test_only,
            }
        })
        .filter(|source| !matches!(source.room.as_str(), "lib" | "main"))
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 50, "the walk found the sources");
    sources
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Returns the rooms that a text names as `crate::room`, `use crate::{a, b}` included.
fn imports(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let list = after.strip_prefix('{').and_then(|rest| rest.split('}').next());
        for item in list
            .unwrap_or(after)
            .split(',')
            .take(if list.is_some() { usize::MAX } else { 1 })
        {
            let name: String = item
                .trim()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            rooms.insert(name);
        }
    }
    rooms
}

/// Returns whether a text names a crate or module, as a word of its own.
fn names(code: &str, what: &str) -> bool {
    code.match_indices(what).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let starts = before.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '_' | '"' | '.' | '-' | '/')));
        let rest = &code[at + what.len()..];
        let ends = what.ends_with('_') || what.contains("::") || rest.starts_with("::");
        starts && ends
    })
}

#[test]
fn every_room_imports_only_what_the_plan_allows() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.test_only) {
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == source.room) else {
            wrong.push(format!("{}: no such room in the plan", source.path));
            continue;
        };
        for import in imports(&source.code()) {
            let known = ROOMS.iter().any(|(room, _)| *room == import);
            if known && import != source.room && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{}: {} may not import {import}", source.path, source.room));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pure_core_touches_nothing_outside() {
    let mut wrong = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| !source.test_only && PURE.contains(&source.room.as_str()))
    {
        let code = source.code();
        wrong.extend(
            IMPURE
                .iter()
                .filter(|what| names(&code, what))
                .map(|what| format!("{}: names {what}", source.path)),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_has_one_home_stays_there() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.test_only) {
        let code = source.code();
        for (what, homes) in HOMES {
            let at_home = homes.iter().any(|home| source.room == *home || source.path == *home);
            if !at_home && names(&code, what) {
                wrong.push(format!("{}: {what} belongs to {}", source.path, homes.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|source| {
            !source
                .text
                .lines()
                .next()
                .is_some_and(|line| line.starts_with("//! ") && line.len() > 24)
        })
        .map(|source| source.path.clone())
        .collect();
    assert!(
        wrong.is_empty(),
        "these do not open with a `//!` line: {}",
        wrong.join(", ")
    );
}

#[test]
fn no_file_is_too_long_and_none_is_called_mod() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.test_only) {
        let lines = source
            .text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default()
            .lines()
            .count();
        if lines > LONGEST {
            wrong.push(format!("{} has {lines} lines", source.path));
        }
        if source.path.ends_with("/mod.rs") {
            wrong.push(format!("{}: files are foo.rs beside foo/", source.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_checks_see_what_they_are_for() {
    let seen = imports("use crate::{a, b::C};\nuse crate::plan::{Plan};\nlet x = crate::domain::X;");
    assert_eq!(seen, ["a", "b", "domain", "plan"].map(str::to_owned).into());
    assert!(names("use tokio::sync;", "tokio"));
    assert!(names("let x = std::env::var(\"A\");", "std::env"));
    assert!(names("aws_sdk_s3::Client", "aws_sdk_"));
    assert!(!names("let text = \"git2 is a crate\";", "git2"));
    assert!(!names("let my_tokio = 1;", "tokio"));
}
