//! Panics in one function's work, at every kind of call: it is told and counted, the other functions are served, and the
//! next pass finds nothing that it could not go on from.

use std::time::Duration;

use pinfold::plan::{FunctionReport, Reason, State};

use crate::gate::Gate;
use crate::patrol::Patrol;
use crate::run::{Run, writes_of};
use crate::stage::Stage;

/// Calls of a bump that end in a panic, and what is told of the function then.
const CALLS: [(&str, State, Reason); 8] = [
    ("GetFunction api", State::Unreadable, Reason::InternalError),
    ("ListAliases api", State::Unreadable, Reason::InternalError),
    ("ListVersions api", State::Unreadable, Reason::InternalError),
    ("HeadObject api/", State::Withheld, Reason::ArtifactUnreadable),
    ("UpdateFunctionCode api", State::Failed, Reason::InternalError),
    ("PublishVersion api", State::Failed, Reason::InternalError),
    ("GetFunction api:2", State::Failed, Reason::InternalError),
    ("UpdateAlias api", State::Failed, Reason::InternalError),
];

fn bump() -> Stage {
    let mut stage = Stage::settled(&["api", "worker"]);
    for function in ["api", "worker"] {
        stage.want(function, "1.1.0", &[("live", "1.1.0")]);
    }
    stage
}

#[test]
fn d03_a_panic_in_one_functions_work_stops_nothing_else() {
    let world = bump();
    let start = world.sandbox.save();
    for (call, state, reason) in CALLS {
        world.sandbox.load(start.clone()).unwrap();
        let gate = Gate::default().panicking(call);
        let engine = world.engine(&gate);
        let before = engine.telemetry().render().unwrap();
        let mut run = Run::new(&engine, &world.desired, &gate);
        run.finish();
        let [api, worker]: &[FunctionReport; 2] = run.report().functions.as_slice().try_into().unwrap();
        assert_eq!(worker.state, State::InSync, "{call}: {worker:#?}");
        assert_eq!((api.state, api.withheld[0].reason), (state, reason), "{call}: {api:#?}");
        assert!(api.withheld[0].message.contains("a port has a bug"), "{call}: {api:#?}");
        assert_ne!(engine.telemetry().render().unwrap(), before, "{call}: it is counted");
        let mut writes = writes_of(&gate);
        drop(run);
        writes.extend(world.settle());
        world.assert_sound(&writes, &[&world.desired], call);
        world.assert_no_version_twice(call);
    }
}

#[test]
fn d03_a_panic_while_a_target_is_listed_stops_nothing_that_git_names() {
    let world = bump();
    let gate = Gate::default().panicking("ListFunctions");
    let engine = world.engine(&gate);
    let mut run = Run::new(&engine, &world.desired, &gate);
    run.finish();
    let states: Vec<State> = run.report().functions.iter().map(|function| function.state).collect();
    assert_eq!(states, [State::InSync, State::InSync], "{:#?}", run.report());
    let counted = engine.telemetry().render().unwrap();
    assert!(!counted.contains("pinfold_panics_total 0\n"), "it is counted");

    let (mut world, gate) = (Stage::settled(&["api", "worker"]), Gate::default());
    let mut patrol = Patrol::new(&world, &gate);
    let _gate = gate.panicking("ListFunctions");
    world.want("worker", "1.1.0", &[("live", "1.1.0")]);
    for _ in 0..2 {
        let before = patrol.status().last_sweep;
        world.clock.advance(Duration::from_mins(2));
        patrol.nudge(&world);
        patrol.finish();
        assert!(patrol.status().last_sweep > before, "the sweep is over");
    }
    let report = patrol.status().report.unwrap();
    let states: Vec<State> = report.functions.iter().map(|function| function.state).collect();
    assert_eq!(states, [State::InSync, State::InSync], "{report:#?}");
}

/// Calls of a sweep in layers: of the first look at a function, of the looks after it, and of the look at its weights.
const LOOKS: [(&str, bool); 4] = [
    ("GetFunction api", false),
    ("GetFunction api:live", false),
    ("GetFunction api:live", true),
    ("ListAliases api", true),
];

#[test]
fn d03_a_panic_in_the_look_at_one_function_stops_no_sweep() {
    for (call, at_rest) in LOOKS {
        let case = format!("{call}, at rest: {at_rest}");
        let (mut world, gate) = (Stage::settled(&["api", "worker"]), Gate::default());
        let mut patrol = if at_rest {
            Patrol::at_rest(&world, &gate)
        } else {
            Patrol::new(&world, &gate)
        };
        let gate = gate.panicking(call);
        world.want("worker", "1.1.0", &[("live", "1.1.0")]);
        for sweep in 0..3 {
            let before = patrol.status().last_sweep;
            world.clock.advance(Duration::from_mins(2));
            patrol.nudge(&world);
            patrol.finish();
            let status = patrol.status();
            assert!(status.last_sweep > before, "{case}: the sweep is over");
            let report = status.report.unwrap();
            let [api, worker]: &[FunctionReport; 2] = report.functions.as_slice().try_into().unwrap();
            assert_eq!(worker.state, State::InSync, "{case}: {worker:#?}");
            // What is found out beside a pass, or about weights, is told by the pass of the next sweep. In the first one the
            // look at the weights reads whole what the first look could not see, and a report follows that says so.
            if sweep > 1 {
                let told = (api.state, api.withheld.first().map(|withheld| withheld.reason));
                assert_eq!(
                    told,
                    (State::Unreadable, Some(Reason::InternalError)),
                    "{case}: {api:#?}"
                );
            }
        }
        gate.mend();
        patrol.settle(&world);
        assert!(patrol.is_in_sync(), "{case}");
    }
}
