//! Weights that Git does not name: cleared, or left alone where they are Lambda's own.

use super::*;
use crate::domain::{Allocation, Weight, few};

/// Gives `live`, which points at version 1, a weight for version 2, and says where its allocation stands.
fn weigh(live: &mut ObservedFunction, weight: f64, allocation: impl Into<Option<Allocation>>) {
    live.aliases.get_mut(&alias("live")).unwrap().routing = few([(number(2), Weight(weight))]);
    let told = allocation.into().map(|one| (alias("live"), one));
    live.allocations = told.into_iter().collect();
}

fn failed() -> Allocation {
    Allocation::Failed {
        reason: "FUNCTION_ERROR_INIT_FAILURE".into(),
    }
}

fn untold() -> Allocation {
    Allocation::Untold {
        why: "GetProvisionedConcurrencyConfig f:live: AccessDeniedException: not yours".into(),
    }
}

/// 1.0.0 behind `live`, as version 1, and 0.9.0 before it, as version 2.
fn weighted(weight: f64, allocation: impl Into<Option<Allocation>>) -> World {
    World::settled().live(|live| {
        live.versions.insert(number(2), published("0.9.0"));
        weigh(live, weight, allocation);
    })
}

#[test]
fn weights_left_behind_are_cleared_and_the_version_kept() {
    let world = World::settled().live(|live| {
        live.versions.insert(number(2), published("1.0.0"));
        weigh(live, 0.1, Allocation::Settled);
    });
    let plan = world.plan();
    assert_eq!(summary(&plan), ["Drifted", "MoveAlias live 1 1 alias-1"]);
    assert!(matches!(plan.drift[..], [Drift::Routing { .. }]));
}

#[test]
fn weights_are_not_cleared_onto_a_version_that_cannot_serve() {
    let weighted = |latest: &'static str| {
        World::settled().live(move |live| {
            live.latest.sha256 = Some(hash(latest));
            live.versions.get_mut(&number(1)).unwrap().state = VersionState::Failed;
            weigh(live, 0.1, Allocation::Settled);
        })
    };
    assert_eq!(
        summary(&weighted("1.0.0").plan()),
        ["Drifted", "PublishVersion 1.0.0", "MoveAlias live 1 published alias-1"]
    );
    // The candidate has to be uploaded again, so its object is looked up though Pinfold's own publication vouches.
    let mut candidate = weighted("main").stored("main").desire(|desired| {
        desired.code = artifact("main");
        desired.aliases.insert(alias("live"), pinned("1.0.0"));
    });
    candidate.facts.remove(&location("1.0.0"));
    assert_eq!(candidate.lookups(), ["f/1.0.0.zip"]);
}

#[test]
fn weights_are_left_alone_while_lambda_moves_provisioned_concurrency() {
    for weight in [1.0, 0.4] {
        let plan = weighted(weight, Allocation::InProgress).plan();
        assert_eq!(summary(&plan), ["Progressing", "live UpdateInProgress"]);
        assert!(matches!(plan.drift[..], [Drift::Routing { .. }]), "it is told");
    }
    let plan = weighted(1.0, Allocation::InProgress).plan();
    assert_eq!(
        plan.withheld[0].message,
        "Lambda allocates the provisioned concurrency of version 1 and until then has weights of its own (100% to version \
         2): they are left alone until the allocation is READY or has FAILED"
    );
}

#[test]
fn when_nothing_moves_any_more_weights_are_cleared_as_ever() {
    for weight in [1.0, 0.4] {
        let plan = weighted(weight, Allocation::Settled).plan();
        assert_eq!(summary(&plan), ["Drifted", "MoveAlias live 1 1 alias-1"]);
    }
    assert_eq!(
        summary(&weighted(0.4, failed()).plan()),
        ["Drifted", "MoveAlias live 1 1 alias-1"]
    );
}

#[test]
fn callers_are_not_sent_to_a_version_that_lambda_could_not_start() {
    let plan = weighted(1.0, failed()).plan();
    assert_eq!(summary(&plan), ["Withheld", "live AllocationFailed"]);
    assert!(
        plan.withheld[0].message.contains("(FUNCTION_ERROR_INIT_FAILURE)"),
        "{plan:?}"
    );
    // What releases it: Git goes back to what the callers have.
    let back = weighted(1.0, failed()).stored("0.9.0").desire(|desired| {
        desired.code = artifact("0.9.0");
        desired.aliases.insert(alias("live"), artifact("0.9.0"));
    });
    assert!(summary(&back.plan()).contains(&"MoveAlias live 1 2 alias-1".to_owned()));
}

#[test]
fn without_the_permission_only_what_may_be_lambdas_own_is_left_alone() {
    let plan = weighted(1.0, untold()).plan();
    assert_eq!(summary(&plan), ["Withheld", "live AccessDenied"]);
    assert_eq!(
        summary(&weighted(0.4, untold()).plan()),
        ["Drifted", "MoveAlias live 1 1 alias-1"]
    );
}

#[test]
fn what_was_not_asked_is_not_taken_for_settled() {
    assert_eq!(summary(&weighted(0.4, None).plan()), ["Withheld", "live Unreadable"]);
}

#[test]
fn an_alias_that_runs_the_wrong_code_is_moved_whatever_lambda_is_at() {
    for allocation in [Some(Allocation::InProgress), Some(failed()), Some(untold()), None] {
        let world = weighted(1.0, allocation).stored("0.9.0").desire(|desired| {
            desired.aliases.insert(alias("live"), artifact("0.9.0"));
        });
        assert_eq!(summary(&world.plan()), ["Drifted", "MoveAlias live 1 2 alias-1"]);
    }
}

#[test]
fn another_alias_and_latest_are_served_meanwhile() {
    let world = weighted(1.0, Allocation::InProgress).stored("2.0.0").desire(|desired| {
        desired.aliases.insert(alias("beta"), artifact("1.0.0"));
    });
    assert_eq!(
        summary(&world.plan()),
        ["Drifted", "CreateAlias beta 1", "live UpdateInProgress"]
    );
}

#[test]
fn what_forbids_every_write_is_told_first() {
    let mut world = weighted(1.0, Allocation::InProgress);
    world.policy.mode = Mode::Observe;
    assert_eq!(
        summary(&world.plan()),
        ["Drifted", "- ObserveOnly", "live UpdateInProgress"]
    );
}

#[test]
fn only_what_git_names_and_has_weights_is_asked_for() {
    let asked = |world: &World| {
        let ObservedState::Found(found) = &world.observed else {
            panic!("it is found")
        };
        allocations_to_ask(&world.desired, found)
    };
    assert_eq!(asked(&World::settled()), []);
    assert_eq!(asked(&weighted(0.4, None)), [alias("live")]);
    assert_eq!(asked(&weighted(0.4, Allocation::Settled)), []);
    let unnamed = weighted(0.4, None).desire(|desired| desired.aliases.clear());
    assert_eq!(asked(&unnamed), []);
    let image = weighted(0.4, None).live(|live| live.latest.package = PackageKind::Image);
    assert_eq!(asked(&image), []);
}
