//! Panics in one function's work, at every kind of call: it is told and counted, the other functions are served, and the
//! next pass finds nothing that it could not go on from.

use pinfold::plan::{FunctionReport, Reason, State};

use crate::gate::Gate;
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
