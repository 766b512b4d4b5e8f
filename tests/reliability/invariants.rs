//! What must be true of every plan, as functions of one world: the properties and the fuzz target of the planner call
//! them. A plan is applied to a model of Lambda and planned anew.

use std::collections::BTreeMap;

use pinfold::domain::{
    Allocation, ChangeLimit, CodeSha256, DeployWindows, DesiredArtifact, DesiredState, FunctionKey, FunctionVersion,
    Mode, PackageKind, PublishedVersion, Routing, Target, UpdateStatus, Version, VersionState,
};
use pinfold::drift::Drift;
use pinfold::plan::{ArtifactFacts, FunctionPlan, Hold, Plan, Policy, Reason, State, Step, VersionRef, plan};

use super::model::{Function, Stop};
use super::worlds::{Case, Live, Store, honest, now, resolve};

fn key(case: &Case, number: usize) -> FunctionKey {
    let prefix = if case.allowed { "f" } else { "foreign" };
    FunctionKey {
        target: "prod".parse().unwrap(),
        name: format!("{prefix}-{number}").parse().unwrap(),
    }
}

/// Plans a world as a pass does: what is not allowed is not even read.
pub(crate) fn plan_of(cases: &[Case], store: &Store, mode: Mode) -> Plan {
    let target = Target {
        name: "prod".parse().unwrap(),
        path: "prod".to_owned(),
        region: None,
        account: None,
        functions: vec!["f-*".parse().unwrap()],
    };
    let mut policy = Policy {
        mode,
        now: now(),
        change_limit: ChangeLimit::Unlimited,
        acknowledged: None,
        windows: DeployWindows::default(),
        held: BTreeMap::new(),
    };
    let (mut desired, mut observations) = (DesiredState::default(), BTreeMap::new());
    let mut facts = ArtifactFacts::new();
    for (number, case) in cases.iter().enumerate() {
        let key = key(case, number);
        desired.functions.insert(key.clone(), case.desired.clone());
        if case.held {
            let hold = Hold {
                reason: Reason::StepFailed,
                message: "it failed a moment ago".to_owned(),
                until: now() + chrono::TimeDelta::seconds(30),
            };
            policy.held.insert(key.clone(), hold);
        }
        if case.allowed {
            observations.insert(key, case.live.state());
            if let Live::Found(function) = &case.live {
                resolve(&case.desired, function, store, &mut facts);
            }
        }
    }
    let (name, facts) = (target.name.clone(), [(target.name.clone(), facts)].into());
    plan(&desired, &[(name, target)].into(), &observations, &facts, &policy)
}

/// Plans one function in a world of its own.
fn plan_one(case: &Case, store: &Store, mode: Mode) -> FunctionPlan {
    let plan = plan_of(std::slice::from_ref(case), store, mode);
    plan.functions.into_values().next().unwrap()
}

/// The hash that Git means: the pin, or what S3 holds for the version.
fn named(artifact: &DesiredArtifact, store: &Store) -> Option<CodeSha256> {
    let stored = store[&artifact.location].as_ref().ok().map(|object| object.sha256);
    artifact.pin.or(stored)
}

/// Checks the steps of a plan against Git, whatever the world is.
fn check_steps(case: &Case, planned: &FunctionPlan, store: &Store) {
    let (mut published, mut uploaded, mut moved) = (None, None, Vec::new());
    for (number, step) in planned.steps.iter().enumerate() {
        match step {
            Step::UpdateCode { code, .. } => {
                let all = std::iter::once(&case.desired.code).chain(case.desired.aliases.values());
                assert!(all.into_iter().any(|one| named(one, store) == Some(code.sha256)));
                let waited = Step::AwaitUpdated { expect: code.sha256 };
                assert_eq!(planned.steps.get(number + 1), Some(&waited), "an upload is waited for");
                uploaded = Some(code.sha256);
            }
            Step::AwaitUpdated { .. } => {}
            Step::PublishVersion { expect, publication } => {
                assert_eq!(publication.sha256, *expect);
                published = Some(*expect);
            }
            Step::CreateAlias { alias, to } | Step::MoveAlias { alias, to, .. } => {
                let points_at = match to {
                    VersionRef::Known { sha256, .. } => Some(*sha256),
                    VersionRef::FromPublish => published,
                };
                assert!(points_at.is_some());
                assert!(!fights(case, step), "{step:?} fights Lambda's own weights");
                assert_eq!(points_at, named(&case.desired.aliases[alias], store), "{alias}");
                assert!(!moved.contains(&alias), "{alias} is moved twice");
                moved.push(alias);
            }
        }
    }
    if uploaded.is_some() {
        assert_eq!(uploaded, named(&case.desired.code, store), "$LATEST ends at `version`");
    }
}

/// Returns whether a step clears the weights of an alias while Lambda moves its provisioned concurrency, and does nothing
/// else.
fn fights(case: &Case, step: &Step) -> bool {
    let (Live::Found(function), Step::MoveAlias { from, to, .. }) = (&case.live, step) else {
        return false;
    };
    let stays = to.known().map(FunctionVersion::Number) == Some(*from);
    stays && function.allocation == Allocation::InProgress
}

/// Returns whether a function may be written to at all.
fn is_writable(case: &Case, mode: Mode) -> bool {
    let Live::Found(function) = &case.live else {
        return false;
    };
    let suspended = case
        .desired
        .suspend
        .as_ref()
        .is_some_and(|suspension| suspension.holds_at(now()));
    case.allowed
        && !suspended
        && !case.held
        && case.desired.mode.stricter(mode) == Mode::Reconcile
        && function.package == PackageKind::Zip
        && function.update != UpdateStatus::InProgress
}

/// An applied plan converges: the next one is empty.
pub(crate) fn converges(mut case: Case, store: &Store) {
    for round in 0.. {
        let planned = plan_one(&case, store, Mode::Reconcile);
        check_steps(&case, &planned, store);
        if planned.steps.is_empty() {
            break;
        }
        assert!(round < 1, "the second plan is not empty: {:#?}", planned.steps);
        match function_of(&mut case).apply(&planned.steps) {
            Ok(()) => {}
            Err(Stop::NeverServes) => break,
            Err(Stop::Refused(why)) => panic!("{why}: {:#?}", planned.steps),
        }
    }
}

/// What is called in sync runs what Git says, without weights.
pub(crate) fn in_sync_is_true(mut case: Case, store: &Store, after_a_pass: bool) {
    if after_a_pass {
        let planned = plan_one(&case, store, Mode::Reconcile);
        if let Live::Found(function) = &mut case.live
            && function.apply(&planned.steps).is_err()
        {
            return;
        }
    }
    let planned = plan_one(&case, store, Mode::Reconcile);
    if planned.state == State::InSync {
        let function = function_of(&mut case).clone();
        assert!(planned.steps.is_empty() && planned.withheld.is_empty());
        assert_eq!(named(&case.desired.code, store), Some(function.sha256));
        for (alias, artifact) in &case.desired.aliases {
            assert_eq!(function.serves(alias), named(artifact, store));
            assert!(function.aliases[alias].1.is_empty(), "no weights");
        }
    }
}

/// A world that is as Git says plans nothing.
pub(crate) fn settled_plans_nothing(case: &Case, function: &Function) {
    let (desired, store) = honest(case.desired.clone());
    let mut settled = Function {
        sha256: named(&desired.code, &store).unwrap(),
        update: UpdateStatus::Successful,
        versions: BTreeMap::new(),
        aliases: BTreeMap::new(),
        ..function.clone()
    };
    for (number, (alias, artifact)) in (1..).zip(&desired.aliases) {
        let version = PublishedVersion {
            sha256: named(artifact, &store).unwrap(),
            config: settled.config,
            publication: None,
            state: VersionState::Active,
        };
        settled.versions.insert(number, version);
        let at = FunctionVersion::Number(Version::new(number).unwrap());
        settled.aliases.insert(alias.clone(), (at, Routing::new()));
    }
    let live = Live::Found(Box::new(settled));
    let case = Case {
        desired,
        live,
        ..case.clone()
    };
    let planned = plan_one(&case, &store, Mode::Reconcile);
    assert!(planned.steps.is_empty(), "{:#?}", planned.steps);
    assert!(planned.drift.is_empty(), "{:#?}", planned.drift);
}

/// A function's plan does not depend on the other functions.
pub(crate) fn planned_apart(cases: &[Case], store: &Store) {
    let together = plan_of(cases, store, Mode::Reconcile);
    assert_eq!(together.functions.len(), cases.len());
    for (number, case) in cases.iter().enumerate() {
        let alone = plan_one(case, store, Mode::Reconcile);
        let planned = &together.functions[&key(case, number)];
        assert_eq!(planned.steps, alone.steps);
        assert_eq!(planned.state, alone.state);
    }
}

/// What must not be written has no steps, and what is not done is told.
pub(crate) fn no_step_unasked_and_nothing_untold(case: &Case, store: &Store, mode: Mode) {
    let planned = plan_one(case, store, mode);
    if !is_writable(case, mode) {
        assert!(planned.steps.is_empty(), "{:#?}", planned.steps);
    }
    for withheld in &planned.withheld {
        assert!(!withheld.message.trim().is_empty());
        assert!(!withheld.message.contains('\n'));
        assert!(
            !withheld.message.contains("not been looked up") && !withheld.message.contains("not been asked"),
            "a look-up was not asked for"
        );
    }
    let told = !planned.drift.is_empty() || !planned.withheld.is_empty() || !planned.steps.is_empty();
    assert!(planned.state == State::InSync || told, "{:?}", planned.state);
    if !case.allowed {
        assert_eq!(planned.withheld[0].reason, Reason::NotAllowed);
        assert!(planned.drift.is_empty(), "it was not even read");
    }
    if matches!(case.live, Live::Unreadable) {
        assert!(planned.drift.is_empty(), "unreadable is neither drift nor absence");
    }
}

/// What drifts is corrected or withheld; where nothing drifts nothing is done.
pub(crate) fn drift_is_corrected_or_withheld(case: &Case, store: &Store) {
    let planned = plan_one(case, store, Mode::Reconcile);
    let ours = planned.drift.iter().any(Drift::is_ours);
    if ours {
        assert!(
            !planned.steps.is_empty() || !planned.withheld.is_empty(),
            "{planned:#?}"
        );
        assert_ne!(planned.state, State::InSync);
    }
    assert!(
        ours || planned.steps.is_empty(),
        "nothing differs, and yet: {:#?}",
        planned.steps
    );
}

/// A process that dies after any step leaves a world that converges, with nothing published twice.
pub(crate) fn survives_a_crash(case: &Case, store: &Store) {
    let planned = plan_one(case, store, Mode::Reconcile);
    let publishes = |step: &&Step| matches!(step, Step::PublishVersion { .. });
    let published = planned.steps.iter().filter(publishes).count();
    for taken in 0..planned.steps.len() {
        let mut case = case.clone();
        let before = function_of(&mut case).versions.len();
        if function_of(&mut case).apply(&planned.steps[..taken]).is_err() {
            break;
        }
        let next = plan_one(&case, store, Mode::Reconcile);
        check_steps(&case, &next, store);
        match function_of(&mut case).apply(&next.steps) {
            Ok(()) => {}
            Err(Stop::NeverServes) => break,
            Err(Stop::Refused(why)) => panic!("{why}: {:#?}", next.steps),
        }
        let versions = function_of(&mut case).versions.len();
        assert!(versions <= before + published, "a crash publishes nothing twice");
        let last = plan_one(&case, store, Mode::Reconcile);
        assert!(last.steps.is_empty(), "{:#?}", last.steps);
    }
}

fn function_of(case: &mut Case) -> &mut Function {
    match &mut case.live {
        Live::Found(function) => function,
        Live::Missing | Live::Unreadable => panic!("nothing else has steps or is in sync"),
    }
}
