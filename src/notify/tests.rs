//! What is told of which report, and what is not told twice.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration};
use litemap::LiteMap;

use super::event::Event;
use super::*;
use crate::domain::{
    AliasName, CodeSha256, Fault, FunctionKey, FunctionVersion, Target, TargetFailure, Timestamp, Version,
};
use crate::plan::{
    FunctionReport, Live, Reason, Report, Serving, State, Step, StepReport, StepResult, Subject, VersionRef, Withheld,
};

fn at(minutes: i64) -> Timestamp {
    DateTime::UNIX_EPOCH + Duration::minutes(minutes)
}

fn hash(tag: u8) -> CodeSha256 {
    CodeSha256::from_bytes([tag; 32])
}

fn live() -> AliasName {
    "live".parse().unwrap()
}

fn version(number: u64) -> Version {
    number.to_string().parse().unwrap()
}

fn key(name: &str) -> FunctionKey {
    FunctionKey {
        target: "prod".parse().unwrap(),
        name: name.parse().unwrap(),
    }
}

/// A function that serves the code of this tag.
fn function(name: &str, state: State, tag: u8) -> FunctionReport {
    let serving = Serving {
        version: FunctionVersion::Number(version(u64::from(tag))),
        sha256: Some(hash(tag)),
    };
    FunctionReport {
        key: key(name),
        account: None,
        region: None,
        state,
        drift: Vec::new(),
        steps: Vec::new(),
        withheld: Vec::new(),
        live: Some(Live {
            account: None,
            latest: Some(hash(tag)),
            weights_read: true,
            aliases: LiteMap::from_iter([(live(), serving)]),
            known: LiteMap::from_iter([(hash(tag), format!("1.{tag}.0").parse().unwrap())]),
        }),
        aliases: vec![live()],
    }
}

/// The same, after its alias was moved, or was to be.
fn moved(mut function: FunctionReport, guard: &str, result: StepResult) -> FunctionReport {
    function.steps = vec![StepReport {
        step: Step::MoveAlias {
            alias: live(),
            from: FunctionVersion::Number(version(9)),
            to: VersionRef::Known {
                version: version(2),
                sha256: hash(2),
            },
            expect: guard.parse().unwrap(),
        },
        version: Some(version(2)),
        result,
        message: (result == StepResult::Failed).then(|| "UpdateAlias: denied\nby <!channel>".to_owned()),
    }];
    function
}

fn withheld(mut function: FunctionReport, reason: Reason) -> FunctionReport {
    function.withheld.push(Withheld {
        subject: Subject::Function,
        reason,
        message: "the next try is at 12:00".to_owned(),
        since: None,
        until: None,
    });
    function
}

fn report(functions: Vec<FunctionReport>) -> Report {
    Report {
        revision: "1111111111111111111111111111111111111111".parse().ok(),
        functions,
        ..Report::default()
    }
}

/// Shows each event in a line; one that is not told again has a `~`.
fn shown(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .map(|event| {
            let again = if event.repeated { "~" } else { "" };
            format!("{again}{} {}: {}", event.about, event.kind.as_str(), event.text)
        })
        .collect()
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn of_a_fleet_that_is_well_nothing_is_told() {
    let mut tracker = Tracker::default();
    let suspended = withheld(function("worker", State::Suspended, 1), Reason::Suspended);
    let report = report(vec![function("api", State::InSync, 1), suspended]);
    for minute in 0..3 {
        assert_eq!(shown(&tracker.observe(&report, at(minute))), none());
    }
}

#[test]
fn new_code_is_deployed_and_old_code_is_put_back() {
    let mut tracker = Tracker::default();
    tracker.observe(&report(vec![function("api", State::InSync, 1)]), at(0));
    let deployed = report(vec![moved(function("api", State::InSync, 2), "a", StepResult::Done)]);
    let told = shown(&tracker.observe(&deployed, at(1)));
    assert_eq!(told, ["prod/api deployed: live runs 1.2.0 (version 2)"]);
    assert_eq!(
        shown(&tracker.observe(&deployed, at(2))),
        none(),
        "a narrower pass carries the steps along"
    );
    tracker.observe(&report(vec![function("api", State::InSync, 2)]), at(3));
    let corrected = |guard| report(vec![moved(function("api", State::InSync, 2), guard, StepResult::Done)]);
    let told = shown(&tracker.observe(&corrected("b"), at(4)));
    assert_eq!(told, ["prod/api driftCorrected: live runs 1.2.0 (version 2)"]);
    let told = shown(&tracker.observe(&corrected("c"), at(6)));
    assert_eq!(
        told,
        ["~prod/api driftCorrected: live runs 1.2.0 (version 2)"],
        "not within an hour"
    );
    let told = shown(&tracker.observe(&corrected("d"), at(65)));
    assert_eq!(told, ["prod/api driftCorrected: live runs 1.2.0 (version 2)"]);
}

#[test]
fn a_failure_is_told_once_with_its_pauses_and_its_end_once() {
    let mut tracker = Tracker::default();
    let failed = |guard| {
        report(vec![moved(
            function("api", State::Failed, 1),
            guard,
            StepResult::Failed,
        )])
    };
    let held = report(vec![withheld(function("api", State::Withheld, 1), Reason::StepFailed)]);
    let told = shown(&tracker.observe(&failed("a"), at(0)));
    assert_eq!(
        told,
        ["prod/api failed: MoveAlias of live: UpdateAlias: denied by <!channel>"]
    );
    assert_eq!(shown(&tracker.observe(&held, at(1))), none());
    assert_eq!(shown(&tracker.observe(&failed("b"), at(2))), none());
    let well = report(vec![function("api", State::InSync, 1)]);
    assert_eq!(
        shown(&tracker.observe(&well, at(3))),
        ["prod/api recovered: runs what Git says again"]
    );
    assert_eq!(shown(&tracker.observe(&well, at(4))), none());
    let told = shown(&tracker.observe(&failed("c"), at(5)));
    assert!(
        told[0].starts_with("~prod/api failed"),
        "the same within the hour: {told:?}"
    );
    assert!(shown(&tracker.observe(&well, at(6)))[0].starts_with('~'), "nor its end");
}

#[test]
fn another_reason_is_another_thing_to_tell() {
    let mut tracker = Tracker::default();
    let one = withheld(function("api", State::Withheld, 1), Reason::ArtifactNotFound);
    let both = withheld(one.clone(), Reason::ArtifactMismatch);
    assert_eq!(tracker.observe(&report(vec![one]), at(0)).len(), 1);
    let events = tracker.observe(&report(vec![both]), at(2));
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].severity(), Severity::Error, "bytes that nobody vouches for");
}

#[test]
fn what_may_be_over_by_itself_is_told_when_it_lasts() {
    let mut tracker = Tracker::default();
    let away = withheld(function("api", State::Unreadable, 1), Reason::Unreadable);
    let refused = moved(function("worker", State::Drifted, 1), "a", StepResult::Refused);
    let report = report(vec![away, refused]);
    assert_eq!(shown(&tracker.observe(&report, at(0))), none());
    assert_eq!(
        shown(&tracker.observe(&report, at(2))),
        [
            "prod/api withheld: Unreadable: the next try is at 12:00",
            "prod/worker driftFound: "
        ]
    );
}

#[test]
fn drift_that_is_only_observed_is_told_at_once() {
    let mut tracker = Tracker::default();
    let drifted = withheld(function("api", State::Drifted, 1), Reason::ObserveOnly);
    let told = shown(&tracker.observe(&report(vec![drifted]), at(0)));
    assert_eq!(told, ["prod/api driftFound: ObserveOnly"]);
}

#[test]
fn a_target_that_is_away_is_told_once_for_all_its_functions() {
    let mut tracker = Tracker::default();
    let mut away = report(vec![withheld(
        function("api", State::Unreadable, 1),
        Reason::Unreadable,
    )]);
    away.failed_targets.push(TargetFailure {
        target: "prod".parse().unwrap(),
        message: "no credentials".to_owned(),
    });
    tracker.observe(&away, at(0));
    assert_eq!(shown(&tracker.observe(&away, at(2))), ["prod failed: no credentials"]);
    let well = report(vec![function("api", State::InSync, 1)]);
    assert_eq!(
        shown(&tracker.observe(&well, at(4))),
        ["prod recovered: can be read again"]
    );
}

#[test]
fn a_new_process_tells_once_what_is_wrong() {
    let wrong = report(vec![withheld(
        function("api", State::Withheld, 1),
        Reason::ArtifactNotFound,
    )]);
    for _ in 0..2 {
        let mut tracker = Tracker::default();
        assert_eq!(tracker.observe(&wrong, at(0)).len(), 1);
        assert_eq!(tracker.observe(&wrong, at(2)).len(), 0);
    }
}

#[test]
fn a_thousand_functions_are_one_message_with_a_bounded_list() {
    let mut tracker = Tracker::default();
    let functions = (0..1000).map(|number| {
        let state = if number == 700 { State::Failed } else { State::Withheld };
        withheld(function(&format!("f{number:03}"), state, 1), Reason::TooManyChanges)
    });
    let events = tracker.observe(&report(functions.collect()), at(0));
    let message = Message::of(events, None, at(0)).unwrap();
    assert_eq!(message.events.len(), 100);
    assert_eq!(message.title(), "Pinfold: 1 failed, 999 withheld");
    let lines = message.lines(2);
    assert!(lines[0].starts_with("prod/f700 failed"), "the gravest first: {lines:?}");
    assert_eq!(lines[2], "and 998 more");
}

#[test]
fn a_text_is_one_line_and_bounded() {
    let about = About::Function(key("api"));
    let long = format!("a\r\nb\u{202e}c\u{0}{}", "x".repeat(400));
    let event = Event::new(EventKind::Failed, about, BTreeSet::new(), &long);
    assert!(event.text.starts_with("a b c x"), "{}", event.text);
    assert_eq!(event.text.chars().count(), 300);
}

#[test]
fn a_rule_narrows_by_kind_target_function_and_severity() {
    let event = |kind| Event::new(kind, About::Function(key("api")), BTreeSet::new(), "");
    let all = Rule::default();
    assert!(EventKind::ALL.into_iter().all(|kind| all.wants(&event(kind))));
    let grave = Rule {
        min_severity: Severity::Warning,
        ..Rule::default()
    };
    assert!(grave.wants(&event(EventKind::DriftFound)) && !grave.wants(&event(EventKind::Deployed)));
    assert!(
        grave.wants(&event(EventKind::Recovered)),
        "who heard of it hears of its end"
    );
    for other in [
        Rule {
            events: [EventKind::Failed].into(),
            ..Rule::default()
        },
        Rule {
            targets: ["staging".parse().unwrap()].into(),
            ..Rule::default()
        },
        Rule {
            functions: vec!["worker-*".parse().unwrap()],
            ..Rule::default()
        },
    ] {
        assert!(!other.wants(&event(EventKind::Deployed)), "{other:?}");
    }
}

fn target(path: &str) -> Target {
    Target {
        name: "prod".parse().unwrap(),
        path: path.to_owned(),
        region: None,
        account: None,
        functions: Vec::new(),
    }
}

/// Returns how the commit stands.
fn status(report: &Report) -> String {
    let statuses = commit_statuses(report, &[target("prod")]);
    let [one] = statuses.as_slice() else {
        panic!("one target")
    };
    format!("{} {:?}: {}", one.context(), one.state, one.description)
}

#[test]
fn a_commit_is_green_when_all_functions_run_it() {
    let well = function("api", State::InSync, 1);
    let mut given = report(vec![well.clone(), function("worker", State::Suspended, 1)]);
    assert_eq!(
        status(&given),
        "pinfold/prod Success: 1 of 2 functions run what Git says, 1 are suspended"
    );
    given.functions[1] = function("worker", State::Drifted, 1);
    assert_eq!(status(&given), "pinfold/prod Pending: 1 of 2 functions differ");
    given.functions[1] = withheld(function("worker", State::Withheld, 1), Reason::ArtifactNotFound);
    assert_eq!(
        status(&given),
        "pinfold/prod Failure: 1 of 2 functions wait for somebody, the first is worker (ArtifactNotFound)"
    );
    given.functions.pop();
    let fault = |file: &str| Fault {
        file: file.to_owned(),
        line: None,
        column: None,
        message: String::new(),
    };
    given.faults = vec![fault("production/x.yaml")];
    assert_eq!(
        status(&given),
        "pinfold/prod Success: all 1 functions run what Git says"
    );
    given.faults = vec![fault("prod/x.yaml")];
    assert_eq!(status(&given), "pinfold/prod Failure: 1 faults in the files below prod");
}

#[test]
fn the_description_of_a_status_fits_githubs_bound() {
    let mut given = report(Vec::new());
    given.failed_targets.push(TargetFailure {
        target: "prod".parse().unwrap(),
        message: "é".repeat(400),
    });
    let statuses = commit_statuses(&given, &[target("")]);
    assert_eq!(statuses[0].description.chars().count(), 140);
}
