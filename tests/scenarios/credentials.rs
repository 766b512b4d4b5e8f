//! Credentials that STS does not give, that expire or change: nothing is read with them, and nothing is concluded.

use pinfold::plan::State;
use pinfold::reconcile::Scope;
use pinfold::sandbox::{Call, Effect, Fault};
use tokio_util::sync::CancellationToken;

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

/// What the end of credentials looks like to whoever uses them.
fn expired() -> Effect {
    refusal(403, "ExpiredTokenException")
}

/// Credentials that end with a call, counted from 1: for that one, or for all that come.
fn ending(call: usize, times: u32) -> Fault {
    Fault::on("*", expired()).nth(u32::try_from(call).unwrap()).times(times)
}

fn succeeded(world: &World) -> Vec<String> {
    let carried_out = |call: &Call| call.service == "lambda" && call.status.is_some_and(|status| status < 300);
    let writes = world.writes().into_iter().filter(carried_out);
    writes.map(|call| call.operation).collect()
}

fn sorted(mut operations: Vec<String>) -> Vec<String> {
    operations.sort();
    operations
}

#[tokio::test(start_paused = true)]
async fn a02_credentials_that_expire_at_any_call_of_a_quiet_pass_are_no_drift() {
    let world = World::settled().await;
    let start = world.sandbox.save();
    for times in [1, 0] {
        for call in 1.. {
            world.sandbox.load(start.clone()).unwrap();
            world.sandbox.clear_calls();
            world.sandbox.inject(ending(call, times));
            let report = world.apply().await;
            let case = format!("call {call}, {times} times: {report:#?}");
            let function = &report.functions[0];
            assert!(function.drift.is_empty() && function.steps.is_empty(), "{case}");
            assert!(world.writes().is_empty(), "{case}");
            let reached = world.sandbox.calls().len() >= call;
            world.sandbox.clear_faults();
            let report = world.apply().await;
            assert_eq!(report.functions[0].state, State::InSync, "{case}");
            if !reached {
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a02_credentials_that_expire_at_any_call_of_a_change_cost_nothing_but_looks() {
    // Where the first of two aliases is held up, the other is served, and the first's code is uploaded after that, and
    // `$LATEST` put back once more.
    for (aliases, more) in [("live: {}", 0), ("live: {}, beta: { version: \"2.0.0-rc.1\" }", 2)] {
        let mut world = World::settled().await;
        world.manifest("api", &format!("version: \"1.1.0\"\naliases: {{ {aliases} }}\n"));
        let start = world.sandbox.save();
        world.restart().await;
        world.sandbox.clear_calls();
        world.apply().await;
        let (calls, expected) = (world.sandbox.calls(), succeeded(&world));
        for times in [1, 0] {
            for (number, call) in calls.iter().enumerate() {
                world.restart().await;
                world.sandbox.load(start.clone()).unwrap();
                world.sandbox.clear_calls();
                world.sandbox.inject(ending(number + 1, times));
                let during = world.apply().await;
                // The SDK has others from now on.
                world.sandbox.clear_faults();
                let report = world.apply().await;
                let case = format!("{} at {number}, {times} times: {during:#?}", call.operation);
                assert_eq!(report.functions[0].state, State::InSync, "{case}\n{report:#?}");
                let mut done = succeeded(&world);
                let uploads = |done: &[String]| done.iter().filter(|one| *one == "UpdateFunctionCode").count();
                let again = uploads(&done) - uploads(&expected);
                assert!(again <= more, "{case}: {done:?}");
                done.retain(|operation| operation != "UpdateFunctionCode");
                let mut rest = expected.clone();
                rest.retain(|operation| operation != "UpdateFunctionCode");
                assert_eq!(sorted(done), sorted(rest), "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a02_credentials_that_change_with_every_call_make_no_difference() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    let desired = world.desired().await;
    // The sandbox's clock is years behind, so that whatever STS gives has expired, and the SDK asks again each time.
    let engine = engine_as(&world.url, &["*".to_owned()], ROLE, &world.clock).await;
    world.sandbox.clear_calls();
    let stop = CancellationToken::new();
    let report = engine.apply(&desired, &Scope::default(), &world.policy, &stop).await;
    assert_eq!(report.unwrap().functions[0].state, State::InSync);
    let calls = world.sandbox.calls();
    let (given, used): (Vec<_>, Vec<_>) = calls.iter().partition(|call| call.operation == "AssumeRole");
    assert_eq!(given.len(), used.len(), "one call, one session");
    assert_eq!(
        succeeded(&world),
        ["UpdateFunctionCode", "PublishVersion", "UpdateAlias"]
    );
}
