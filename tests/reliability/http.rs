//! Crash points once more, through the real SDK over HTTP: whatever the adapters add to a call must not make a
//! difference. Fewer jobs than without HTTP, every call of each.

use pinfold::adapters::lambda::LambdaWriter;
use pinfold::adapters::s3::S3Artifacts;
use pinfold::domain::DesiredState;
use pinfold::plan::Verdict;
use pinfold::reconcile::{Engine, PassPolicy, Scope, TargetPorts};
use pinfold::sandbox::{Effect, Fault};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::gate::{Gate, Gated, Moment};
use crate::wiring::{TestClock, way};
use crate::world::World;

type HttpEngine = Engine<Gated<LambdaWriter>, Gated<S3Artifacts>, TestClock>;

async fn engine(world: &World, gate: &Gate) -> HttpEngine {
    let (target, connection, telemetry) = way(&world.url, &["*".to_owned()]).await;
    let ports = TargetPorts {
        target,
        lambda: Gated {
            inner: LambdaWriter::new(&connection, &telemetry),
            gate: gate.clone(),
        },
        artifacts: Gated {
            inner: S3Artifacts::new(&connection, &telemetry),
            gate: gate.clone(),
        },
    };
    Engine::new(vec![ports], TestClock(world.clock.clone()), telemetry)
}

async fn pass(engine: &HttpEngine, desired: &DesiredState) -> Verdict {
    let (scope, policy, stop) = (Scope::default(), PassPolicy::default(), CancellationToken::new());
    let report = engine.apply(desired, &scope, &policy, &stop).await;
    report.unwrap().verdict()
}

/// What is live, with version numbers and descriptions, and without ids and times.
fn live(world: &World) -> Value {
    let input = json!({ "FunctionName": "api" });
    let listed = world.aws.call("ListVersionsByFunction", input).unwrap();
    let version = |one: &Value| json!([one["Version"], one["CodeSha256"], one["Description"]]);
    let versions: Vec<Value> = listed["Versions"].as_array().unwrap().iter().map(version).collect();
    let alias = |one: &Value| json!([one["Name"], one["FunctionVersion"], one["RoutingConfig"]]);
    let aliases: Vec<Value> = world.aliases("api").iter().map(alias).collect();
    json!({ "versions": versions, "aliases": aliases })
}

/// Waits until the engine is dead, or the reply of a call is lost to it.
async fn death(world: &World, gate: &Gate) {
    while !gate.is_dead() && !world.sandbox.calls().last().is_some_and(|call| call.cut) {
        tokio::task::yield_now().await;
    }
}

async fn every_call(world: &World) -> usize {
    let desired = world.desired().await;
    let start = world.sandbox.save();
    let gate = Gate::open();
    world.sandbox.clear_calls();
    assert_eq!(pass(&engine(world, &gate).await, &desired).await, Verdict::InSync);
    let (calls, expected) = (gate.passed(), live(world));
    assert_eq!(
        world.sandbox.calls().len(),
        calls.len(),
        "each call of a port is one call to AWS"
    );
    let written = world.writes().len();
    let mut points = 0;
    for (k, call) in calls.iter().enumerate() {
        for moment in [Moment::Before, Moment::AfterEffect, Moment::AfterReply] {
            let case = format!("it dies {moment:?} call {k}, {}", call.name);
            world.sandbox.load(start.clone()).unwrap();
            world.sandbox.clear_calls();
            let gate = Gate::open().dying(k, moment);
            if moment == Moment::AfterEffect {
                let nth = u32::try_from(k + 1).unwrap();
                world.sandbox.inject(Fault::on("*", Effect::CutAfter).nth(nth));
            }
            let engine_that_dies = engine(world, &gate).await;
            tokio::select! {
                biased;
                () = death(world, &gate) => {}
                verdict = pass(&engine_that_dies, &desired) => panic!("{case}: it lives on: {verdict:?}"),
            }
            drop(engine_that_dies);
            let reached = k + usize::from(moment != Moment::Before);
            // Look-ups in S3 go side by side, so one more or less may have arrived.
            let made = world.sandbox.calls().len();
            assert!(made.abs_diff(reached) <= 1, "{case}: {made} calls");
            let gate = Gate::open();
            assert_eq!(
                pass(&engine(world, &gate).await, &desired).await,
                Verdict::InSync,
                "{case}"
            );
            assert_eq!(live(world), expected, "{case}");
            assert_eq!(world.writes().len(), written, "{case}: nothing is written twice");
            points += 1;
        }
    }
    points
}

#[tokio::test]
async fn a_bump_may_die_at_any_moment_of_any_call_to_aws() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    let points = every_call(&world).await;
    println!("crash points over HTTP, bump: {points}");
    assert!(points >= 40, "only {points}");
}

#[tokio::test]
async fn a_candidate_may_die_at_any_moment_of_any_call_to_aws() {
    let mut world = World::settled().await;
    world.manifest(
        "api",
        "version: \"1.0.0\"\naliases: { live: {}, beta: { version: \"2.0.0-rc.1\" } }\n",
    );
    let points = every_call(&world).await;
    println!("crash points over HTTP, candidate: {points}");
    assert!(points >= 54, "only {points}");
}
