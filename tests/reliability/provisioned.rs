//! Two engines on a function whose alias has provisioned concurrency: one releases, call by call, and the other makes a pass
//! in between; then both make passes while Lambda allocates. Nobody fights the weights that Lambda sets meanwhile.

use std::time::Duration;

use serde_json::Value;

use crate::gate::{Gate, Passed};
use crate::run::{Run, writes_of};
use crate::stage::Stage;

/// Longer than both passes of a release together, waits and all.
const ALLOCATION: Duration = Duration::from_mins(10);

/// `api` runs 1.0.0 and `live` has provisioned concurrency, all of it ready. Git says 1.1.0 now.
fn stage() -> Stage {
    let mut stage = Stage::settled(&["api"]);
    let aws = stage.aws.clone().lasting(ALLOCATION);
    aws.provision("api", "live", 2).unwrap();
    stage.clock.advance(ALLOCATION);
    stage.want("api", "1.1.0", &[("live", "1.1.0")]);
    stage
}

fn weights(stage: &Stage) -> Value {
    stage.aliases("api")[0]["RoutingConfig"]["AdditionalVersionWeights"].clone()
}

fn moves(writes: &[Passed]) -> usize {
    let moved = |passed: &&Passed| passed.name.contains("UpdateAlias") && passed.succeeded == Some(true);
    writes.iter().filter(moved).count()
}

/// Lets one engine make this many calls, then the other a whole pass, then the first the rest. Returns how many calls the
/// first made in all, and all writes.
fn interleave(stage: &Stage, calls: usize) -> (usize, Vec<Passed>) {
    let gates = [0, 1].map(|_| Gate::default().watched(stage.witness()));
    let engines = [0, 1].map(|one: usize| stage.engine(&gates[one]));
    let mut release = Run::new(&engines[0], &stage.desired, &gates[0]);
    for _ in 0..calls {
        release.step();
    }
    Run::new(&engines[1], &stage.desired, &gates[1]).finish();
    release.finish();
    drop(release);
    let writes = gates.iter().flat_map(writes_of).collect();
    (gates[0].count(), writes)
}

#[test]
fn two_that_pass_while_lambda_allocates_leave_its_weights_alone() {
    let mut calls = 0;
    for before in 0.. {
        let stage = stage();
        let case = format!("after {before} calls");
        let (count, writes) = interleave(&stage, before);
        assert_eq!(moves(&writes), 1, "{case}: {writes:#?}");
        stage.assert_sound(&writes, &[&stage.desired], &case);
        assert_eq!(weights(&stage), serde_json::json!({ "1": 1.0 }), "{case}");

        let gates = [0, 1].map(|_| Gate::default());
        let engines = [0, 1].map(|one: usize| stage.engine(&gates[one]));
        for _ in 0..3 {
            for (engine, gate) in engines.iter().zip(&gates) {
                stage.clock.advance(Duration::from_secs(20));
                Run::new(engine, &stage.desired, gate).finish();
            }
        }
        assert_eq!(
            weights(&stage),
            serde_json::json!({ "1": 1.0 }),
            "{case}: Lambda is still at it"
        );
        stage.clock.advance(ALLOCATION);
        for (engine, gate) in engines.iter().zip(&gates) {
            let mut run = Run::new(engine, &stage.desired, gate);
            run.finish();
            assert!(run.in_sync(), "{case}");
            assert!(writes_of(gate).is_empty(), "{case}: {:#?}", writes_of(gate));
        }
        assert_eq!(weights(&stage), Value::Null, "{case}");
        calls = calls.max(count);
        if before >= count {
            break;
        }
    }
    assert!(calls >= 10, "only {calls} calls were made");
}

#[test]
fn lambda_may_be_done_between_any_two_calls_of_a_pass() {
    for before in 0.. {
        let stage = stage();
        let case = format!("Lambda is done before call {before}");
        let gate = Gate::default().watched(stage.witness());
        let engine = stage.engine(&gate);
        Run::new(&engine, &stage.desired, &gate).finish();
        gate.forget();
        let mut run = Run::new(&engine, &stage.desired, &gate);
        let mut calls = 0;
        loop {
            if calls == before {
                stage.clock.advance(ALLOCATION);
            }
            if !run.step() {
                break;
            }
            calls += 1;
        }
        drop(run);
        assert_eq!(moves(&writes_of(&gate)), 0, "{case}: {:#?}", gate.passed());
        gate.forget();
        stage.clock.advance(ALLOCATION);
        assert!(stage.settle_with(&engine, &gate).is_empty(), "{case}");
        if calls <= before {
            break;
        }
    }
}
