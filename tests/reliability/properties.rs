//! What must be true of every plan, tried on arbitrary worlds. A plan is applied to a model of Lambda and planned anew.

use std::collections::BTreeMap;

use pinfold::domain::{
    ChangeLimit, CodeSha256, DesiredArtifact, DesiredState, FunctionKey, FunctionVersion, Mode, PackageKind, Routing,
    Target, UpdateStatus, Version,
};
use pinfold::plan::{ArtifactFacts, FunctionPlan, Hold, Plan, Policy, Reason, State, Step, VersionRef, plan};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::model::{Function, Stop};
use crate::worlds::{Case, Live, Store, case, function, honest, now, resolve, store};

/// How many times as many worlds each property is tried on as proptest has by default. `PROPTEST_CASES` sets the latter.
const TIMES: u32 = 3;

fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases * TIMES,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(4),
        ..default
    }
}

fn key(case: &Case, number: usize) -> FunctionKey {
    let prefix = if case.allowed { "f" } else { "foreign" };
    FunctionKey {
        target: "prod".parse().unwrap(),
        name: format!("{prefix}-{number}").parse().unwrap(),
    }
}

/// Plans a world as a pass does: what is not allowed is not even read.
fn plan_of(cases: &[Case], store: &Store, mode: Mode) -> Plan {
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

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_applied_plan_converges(case in case(), store in store()) {
        let mut case = case;
        for round in 0.. {
            let planned = plan_one(&case, &store, Mode::Reconcile);
            check_steps(&case, &planned, &store);
            if planned.steps.is_empty() {
                break;
            }
            prop_assert!(round < 1, "the second plan is not empty: {:#?}", planned.steps);
            let Live::Found(function) = &mut case.live else { panic!("nothing else has steps") };
            match function.apply(&planned.steps) {
                Ok(()) => {}
                Err(Stop::NeverServes) => return Ok(()),
                Err(Stop::Refused(why)) => panic!("{why}: {:#?}", planned.steps),
            }
        }
    }

    #[test]
    fn what_is_called_in_sync_runs_what_git_says(case in case(), store in store(), first in any::<bool>()) {
        let mut case = case;
        // Half of the worlds are looked at after a pass, as few are in sync by chance.
        if first {
            let planned = plan_one(&case, &store, Mode::Reconcile);
            if let Live::Found(function) = &mut case.live && function.apply(&planned.steps).is_err() {
                return Ok(());
            }
        }
        let planned = plan_one(&case, &store, Mode::Reconcile);
        if planned.state == State::InSync {
            let Live::Found(function) = &case.live else { panic!("it is not there") };
            prop_assert!(planned.steps.is_empty() && planned.withheld.is_empty());
            prop_assert_eq!(named(&case.desired.code, &store), Some(function.sha256));
            for (alias, artifact) in &case.desired.aliases {
                prop_assert_eq!(function.serves(alias), named(artifact, &store));
                prop_assert!(function.aliases[alias].1.is_empty(), "no weights");
            }
        }
    }

    #[test]
    fn a_world_in_sync_plans_nothing(case in case(), function in function()) {
        let (desired, store) = honest(case.desired.clone());
        let mut settled = Function {
            sha256: named(&desired.code, &store).unwrap(),
            update: UpdateStatus::Successful,
            versions: BTreeMap::new(),
            aliases: BTreeMap::new(),
            ..function
        };
        for (number, (alias, artifact)) in (1..).zip(&desired.aliases) {
            let version = pinfold::domain::PublishedVersion {
                sha256: named(artifact, &store).unwrap(),
                config: settled.config,
                publication: None,
                usable: true,
            };
            settled.versions.insert(number, version);
            let at = FunctionVersion::Number(Version::new(number).unwrap());
            settled.aliases.insert(alias.clone(), (at, Routing::new()));
        }
        let case = Case { live: Live::Found(settled), desired, ..case };
        let planned = plan_one(&case, &store, Mode::Reconcile);
        prop_assert!(planned.steps.is_empty(), "{:#?}", planned.steps);
        prop_assert!(planned.drift.is_empty(), "{:#?}", planned.drift);
    }

    #[test]
    fn functions_are_planned_without_regard_to_one_another(cases in prop::collection::vec(case(), 1..5), store in store()) {
        let together = plan_of(&cases, &store, Mode::Reconcile);
        prop_assert_eq!(together.functions.len(), cases.len());
        for (number, case) in cases.iter().enumerate() {
            let alone = plan_one(case, &store, Mode::Reconcile);
            let planned = &together.functions[&key(case, number)];
            prop_assert_eq!(planned.steps.clone(), alone.steps);
            prop_assert_eq!(planned.state, alone.state);
        }
    }

    #[test]
    fn what_must_not_be_written_has_no_steps_and_what_is_not_done_is_told(
        case in case(),
        store in store(),
        mode in prop_oneof![3 => Just(Mode::Reconcile), 1 => Just(Mode::Observe)],
    ) {
        let planned = plan_one(&case, &store, mode);
        if !is_writable(&case, mode) {
            prop_assert!(planned.steps.is_empty(), "{:#?}", planned.steps);
        }
        for withheld in &planned.withheld {
            prop_assert!(!withheld.message.trim().is_empty());
            prop_assert!(!withheld.message.contains('\n'));
            prop_assert!(!withheld.message.contains("not been looked up"), "a look-up was not asked for");
        }
        let told = !planned.drift.is_empty() || !planned.withheld.is_empty() || !planned.steps.is_empty();
        prop_assert!(planned.state == State::InSync || told, "{:?}", planned.state);
        if !case.allowed {
            prop_assert_eq!(planned.withheld[0].reason, Reason::NotAllowed);
            prop_assert!(planned.drift.is_empty(), "it was not even read");
        }
        if matches!(case.live, Live::Unreadable) {
            prop_assert!(planned.drift.is_empty(), "unreadable is neither drift nor absence");
        }
    }

    #[test]
    fn what_drifts_is_either_corrected_or_withheld(case in case(), store in store()) {
        let planned = plan_one(&case, &store, Mode::Reconcile);
        let ours = planned.drift.iter().any(pinfold::drift::Drift::is_ours);
        if ours {
            prop_assert!(!planned.steps.is_empty() || !planned.withheld.is_empty(), "{:#?}", planned);
            prop_assert_ne!(planned.state, State::InSync);
        }
        prop_assert!(ours || planned.steps.is_empty(), "nothing differs, and yet: {:#?}", planned.steps);
    }

    #[test]
    fn a_process_that_dies_after_any_step_leaves_a_world_that_converges(case in case(), store in store()) {
        let planned = plan_one(&case, &store, Mode::Reconcile);
        let publishes = |step: &&Step| matches!(step, Step::PublishVersion { .. });
        let published = planned.steps.iter().filter(publishes).count();
        for taken in 0..planned.steps.len() {
            let mut case = case.clone();
            let Live::Found(function) = &mut case.live else { panic!("nothing else has steps") };
            let before = function.versions.len();
            if function.apply(&planned.steps[..taken]).is_err() {
                break;
            }
            let next = plan_one(&case, &store, Mode::Reconcile);
            check_steps(&case, &next, &store);
            let Live::Found(function) = &mut case.live else { panic!("it is still there") };
            match function.apply(&next.steps) {
                Ok(()) => {}
                Err(Stop::NeverServes) => break,
                Err(Stop::Refused(why)) => panic!("{why}: {:#?}", next.steps),
            }
            let versions = function.versions.len();
            prop_assert!(versions <= before + published, "a crash publishes nothing twice");
            let last = plan_one(&case, &store, Mode::Reconcile);
            prop_assert!(last.steps.is_empty(), "{:#?}", last.steps);
        }
    }
}
