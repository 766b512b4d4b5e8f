//! Credentials that STS does not give, or that expire: nothing is read with them, and nothing is concluded.

use pinfold::plan::State;
use pinfold::reconcile::Scope;
use pinfold::sandbox::{Effect, Fault};

use crate::wiring::engine_as;
use crate::world::World;

const ROLE: &str = "arn:aws:iam::000000000000:role/pinfold";

fn refusal(status: u16, error_type: &str) -> Effect {
    Effect::Reply {
        status,
        error_type: Some(error_type.to_owned()),
        message: None,
        retry_after: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a02_while_sts_is_away_nothing_is_read_and_nothing_is_concluded() {
    let world = World::settled().await;
    let engine = engine_as(&world.url, &["*".to_owned()], ROLE, &world.clock).await;
    let desired = world.desired().await;
    world
        .sandbox
        .inject(Fault::on("AssumeRole", refusal(503, "ServiceUnavailable")).times(0));
    world.sandbox.clear_calls();
    let report = engine.plan(&desired, &Scope::default(), &world.policy).await;
    let function = &report.functions[0];
    assert_eq!(function.state, State::Unreadable);
    assert!(function.drift.is_empty() && function.steps.is_empty(), "{function:#?}");
    assert_eq!(report.failed_targets.len(), 1, "it is told once, of the target");
    let calls = world.sandbox.calls();
    assert!(calls.iter().all(|call| call.operation == "AssumeRole"), "{calls:#?}");
    assert!(calls.len() <= 3, "{} calls", calls.len());

    // It goes on without a restart.
    world.sandbox.clear_faults();
    let report = engine.plan(&desired, &Scope::default(), &world.policy).await;
    assert_eq!(report.functions[0].state, State::InSync, "{report:#?}");
}

#[tokio::test(start_paused = true)]
async fn a02_a_role_that_may_not_be_assumed_is_told_as_such() {
    let world = World::settled().await;
    let engine = engine_as(&world.url, &["*".to_owned()], ROLE, &world.clock).await;
    let desired = world.desired().await;
    world
        .sandbox
        .inject(Fault::on("AssumeRole", refusal(403, "AccessDenied")).times(0));
    let report = engine.plan(&desired, &Scope::default(), &world.policy).await;
    assert_eq!(report.functions[0].state, State::Unreadable);
    let message = &report.failed_targets[0].message;
    assert!(message.contains("AccessDenied"), "{message}");
}
