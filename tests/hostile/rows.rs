//! One test for each row: the beasts of the row beside honest functions, read in every way.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::command::Outcome;
use crate::fleet::{CONFIG, Fleet};
use crate::git::{Entry, FILE, LINK, SUBMODULE, Writer};
use crate::zoo::{self, Beast, Body, Fate};

/// The functions that the fleet has, and that every tree names.
const HONEST: [&str; 2] = ["api", "worker"];

/// Writes the beasts that a folder can hold.
fn write(fleet: &Fleet, beasts: &[Beast]) {
    for beast in beasts {
        let path = fleet.home.path().join("tree/prod").join(OsStr::from_bytes(beast.path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match &beast.body {
            Body::Bytes(bytes) => fs::write(path, bytes).unwrap(),
            Body::Link(to) => symlink(to, path).unwrap(),
            Body::Submodule | Body::Unwritable(_) => {}
        }
    }
}

/// Commits the honest files and all beasts.
fn commit(fleet: &Fleet, beasts: &[Beast]) {
    let git = Writer::open(fleet.origin.path());
    let file = |path: &str| Entry {
        path: path.as_bytes().to_vec(),
        mode: FILE,
        id: git.blob(&fs::read(fleet.home.path().join("tree").join(path)).unwrap()),
    };
    let mut entries = vec![file("defaults.yaml"), file("prod/api.yaml"), file("prod/worker.yaml")];
    entries.extend(beasts.iter().map(|beast| {
        let (mode, id) = match &beast.body {
            Body::Bytes(bytes) | Body::Unwritable(bytes) => (FILE, git.blob(bytes)),
            Body::Link(to) => (LINK, git.blob(to.as_bytes())),
            Body::Submodule => (SUBMODULE, git2::Oid::from_bytes(&[9; 20]).unwrap()),
        };
        let path = [b"prod/", beast.path].concat();
        Entry { path, mode, id }
    }));
    git.commit(git.tree(entries));
}

/// The path as faults show it: readable, and with nothing that a terminal would obey.
fn shown(beast: &Beast) -> String {
    let path = String::from_utf8_lossy(beast.path);
    format!("prod/{}", path.replace(char::is_control, "\u{fffd}"))
}

fn in_git_alone(beast: &Beast) -> bool {
    matches!(beast.body, Body::Submodule | Body::Unwritable(_))
}

/// Holds the faults to what must be said: of each beast its words, and of nothing else anything.
fn check_faults(faults: &Value, beasts: &[&Beast]) {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for fault in faults.as_array().unwrap() {
        let text = |member: &str| fault[member].as_str().unwrap().to_owned();
        let message = text("message");
        assert!(
            !message.chars().any(char::is_control) && message.chars().count() <= 1001,
            "{message:?}"
        );
        told.entry(text("file")).or_default().push(message);
    }
    for beast in beasts {
        let of_it = told.remove(&shown(beast)).unwrap_or_default();
        match beast.fate {
            Fate::Fault(words) => assert!(
                of_it.iter().any(|message| message.contains(words)),
                "{}: {words:?} is not in {of_it:?}, nor in {told:#?}",
                shown(beast)
            ),
            Fate::Sound(_) | Fate::Unseen => assert_eq!(of_it, Vec::<String>::new(), "{}", shown(beast)),
        }
    }
    assert_eq!(told, BTreeMap::new(), "nothing else is said");
}

/// Holds a report to it that exactly the honest and the sound are read, and the honest are served.
fn check_functions(report: &Value, beasts: &[&Beast]) {
    let mut read = BTreeSet::new();
    for function in report["functions"].as_array().unwrap() {
        let name = function["function"].as_str().unwrap();
        let reasons: Vec<&str> = function["withheld"]
            .as_array()
            .unwrap()
            .iter()
            .map(|withheld| withheld["reason"].as_str().unwrap())
            .collect();
        let refused = reasons
            .iter()
            .any(|reason| matches!(*reason, "InvalidManifest" | "Conflict"));
        if HONEST.contains(&name) {
            assert_eq!(reasons, Vec::<&str>::new(), "{name} is no concern of the others");
            assert_ne!(function["steps"].as_array().unwrap().len(), 0);
        }
        if !refused {
            read.insert(name.to_owned());
        }
    }
    let sound = beasts.iter().filter_map(|beast| match beast.fate {
        Fate::Sound(name) => Some(name),
        Fate::Fault(_) | Fate::Unseen => None,
    });
    let expected: BTreeSet<String> = HONEST.into_iter().chain(sound).map(str::to_owned).collect();
    assert_eq!(read, expected);
}

fn check_ending(outcome: &Outcome) -> Value {
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    outcome.json()
}

/// Reads the beasts in every way.
fn in_every_way(beasts: &[Beast]) -> Fleet {
    let fleet = Fleet::new();
    write(&fleet, beasts);
    commit(&fleet, beasts);
    let all: Vec<&Beast> = beasts.iter().collect();
    let in_folder: Vec<&Beast> = beasts.iter().filter(|beast| !in_git_alone(beast)).collect();
    let home = &fleet.home;
    let validated = check_ending(&home.run(&["validate", "tree", "-o", "json"]));
    check_faults(&validated["faults"], &in_folder);
    let from_folder = check_ending(&home.run(&["plan", "--config", CONFIG, "--source", "tree", "-o", "json"]));
    check_faults(&from_folder["faults"], &in_folder);
    check_functions(&from_folder, &in_folder);
    let from_git = check_ending(&home.run(&["plan", "--config", CONFIG, "-o", "json"]));
    check_faults(&from_git["faults"], &all);
    check_functions(&from_git, &all);
    assert_eq!(fleet.writes(), Vec::<String>::new());
    fleet
}

#[test]
fn g11_links_submodules_and_strange_names_are_told_and_never_followed() {
    in_every_way(&zoo::g11());
}

#[test]
fn m01_what_parsers_choke_on_is_a_fault_of_its_file() {
    in_every_way(&zoo::m01());
}

#[test]
fn m02_a_slip_of_the_hand_is_a_fault_with_what_was_meant() {
    in_every_way(&zoo::m02());
}

#[test]
fn m03_a_version_is_text_and_nothing_that_yaml_makes_of_it() {
    in_every_way(&zoo::m03());
}

#[test]
fn m04_a_time_that_is_none_is_a_fault() {
    in_every_way(&zoo::m04());
    let home = crate::command::Home::new();
    for timeout in ["-1s", "1ns", "9e9h"] {
        let text = format!(
            "repository: {{ url: ., timeout: {timeout} }}\ntargets: [{{ name: a, path: a, region: us-east-1 }}]\n"
        );
        let outcome = home.file("bad.yaml", &text).run(&["plan", "--config", "bad.yaml"]);
        assert_eq!(outcome.code, 2);
        assert!(outcome.stderr.contains("repository.timeout"), "{}", outcome.stderr);
    }
}

#[test]
fn m05_two_files_that_claim_one_function_are_both_told_and_nothing_is_done() {
    let fleet = in_every_way(&zoo::m05());
    let plan = fleet.home.run(&["plan", "--config", CONFIG, "-o", "json"]).json();
    let functions = plan["functions"].as_array().unwrap();
    let claimed = functions.iter().find(|one| one["function"] == "claimed").unwrap();
    assert_eq!(claimed["withheld"][0]["reason"], "Conflict");
}

#[test]
fn m06_functions_whose_files_go_all_at_once_are_left_as_they_are() {
    let fleet = Fleet::new();
    let apply = ["apply", "--config", CONFIG, "-q"];
    assert_eq!(fleet.home.run(&apply).code, 0);
    let before = fleet.writes().len();
    fs::remove_file(fleet.home.path().join("tree/prod/api.yaml")).unwrap();
    fs::remove_file(fleet.home.path().join("tree/prod/worker.yaml")).unwrap();
    fleet.home.file("tree/prod/notes.txt", "all gone\n");
    fleet.origin.commit(&fleet.home.path().join("tree"));
    let outcome = fleet.home.run(&["apply", "--config", CONFIG, "-o", "json"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let report = outcome.json();
    assert_eq!(report["functions"].as_array().unwrap().len(), 0);
    assert_eq!(report["unmanaged"].as_array().unwrap().len(), 2);
    assert_eq!(fleet.writes().len(), before, "nothing is written");
}

#[test]
fn m07_a_name_that_reaches_elsewhere_is_a_fault_before_anything_is_called() {
    let fleet = in_every_way(&zoo::m07());
    let (_, calls) = crate::command::http("GET", &format!("{}/_sandbox/calls", fleet.url), "");
    assert!(
        !calls.contains("arn") && !calls.contains("$LATEST\"") && !calls.contains("../"),
        "{calls}"
    );
}

#[test]
fn all_of_it_together_keeps_nobody_honest_from_being_served() {
    let mut taken = BTreeSet::new();
    let beasts: Vec<Beast> = [
        zoo::m01(),
        zoo::m02(),
        zoo::m03(),
        zoo::m04(),
        zoo::m05(),
        zoo::m07(),
        zoo::g11(),
    ]
    .into_iter()
    .flatten()
    .filter(|beast| taken.insert(beast.path))
    .collect();
    let fleet = in_every_way(&beasts);
    let outcome = fleet.home.run(&["apply", "--config", CONFIG, "-o", "json"]);
    let report = check_ending(&outcome);
    for name in HONEST {
        let functions = report["functions"].as_array().unwrap();
        let function = functions.iter().find(|one| one["function"] == name).unwrap();
        assert_eq!(function["state"], "InSync", "{function}");
        assert_eq!(fleet.served(name, "live"), crate::fleet::sha("1.0.0"));
    }
}
