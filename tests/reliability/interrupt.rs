//! A newer commit ends the pass of the one before it, at any of its calls. The step in hand is finished and no other is
//! taken, no alias is left at what neither commit names, and the next pass brings everything to the newer one.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::gate::{Gate, Passed, Write};
use crate::jobs::{JOBS, Job};
use crate::run::{Run, writes_of};
use crate::stage::Stage;

/// Uploads that are through by the next call, and uploads that are in progress when the newer commit comes.
const WINDOWS: [Duration; 2] = [Duration::ZERO, Duration::from_millis(700)];

/// What the newer commit says: what the job's does not, and what it did before.
type Newer = (&'static str, fn(&mut Stage));

const NEWER: [Newer; 3] = [
    ("other code", |stage| {
        stage.want("api", "2.0.0-rc.2", &[("live", "2.0.0-rc.2")]);
    }),
    ("the first code", |stage| {
        stage.want("api", "1.0.0", &[("live", "1.0.0")]);
    }),
    ("the alias alone stays behind", |stage| {
        stage.want("api", "2.0.0-rc.1", &[("live", "1.0.0")]);
    }),
];

/// The calls of the pass that nothing ends.
fn undisturbed(job: &Job, window: Duration) -> Vec<Passed> {
    let stage = job.world(window);
    let gate = Gate::default();
    let engine = stage.engine(&gate);
    Run::new(&engine, &stage.desired, &gate).finish();
    gate.passed()
}

/// Ends a pass at its `k`-th call: before it is made, or while it is on its way.
fn cut(stage: &Stage, k: usize, on_its_way: bool) -> (Vec<Passed>, usize) {
    let gate = Gate::default().watched(stage.witness());
    let engine = stage.engine(&gate);
    let end = CancellationToken::new();
    let mut run = Run::ending(&engine, &stage.desired, &gate, end.clone());
    for _ in 0..k {
        run.step();
    }
    if on_its_way {
        gate.admit();
    }
    end.cancel();
    run.finish();
    drop(run);
    let after = gate.passed()[k.min(gate.count())..].to_vec();
    let later = after.iter().filter(|passed| passed.write.is_some()).count();
    (writes_of(&gate), later)
}

#[test]
fn a_newer_commit_may_come_at_any_call_of_a_pass() {
    let (mut points, mut most) = (0, 0);
    for job in &JOBS {
        for window in WINDOWS {
            let calls = undisturbed(job, window);
            let mut world = job.world(window);
            let (start, older) = (world.sandbox.save(), world.desired.clone());
            // How long uploads last makes no difference before the first of them, nor to what the newer commit says.
            let uploads = |passed: &Passed| matches!(passed.write, Some(Write::Update(..)));
            let first = calls.iter().position(uploads).unwrap_or(calls.len());
            let (first, tried) = if window.is_zero() { (0, 3) } else { (first, 1) };
            for (says, newer) in NEWER.into_iter().take(tried) {
                for k in first..=calls.len() {
                    for on_its_way in [false, true] {
                        let case = format!("{}, {says}, at call {k} (on its way: {on_its_way})", job.name);
                        world.sandbox.load(start.clone()).unwrap();
                        world.desired = older.clone();
                        let (mut writes, later) = cut(&world, k, on_its_way);
                        // Only what was in hand is finished, one step for each function.
                        let functions = world.desired.functions.len();
                        assert!(later <= functions, "{case}: {later} writes after it: {writes:#?}");
                        most = most.max(later);
                        newer(&mut world);
                        writes.extend(world.settle());
                        world.assert_sound(&writes, &[&older, &world.desired], &case);
                        world.assert_no_version_twice(&case);
                        points += 1;
                    }
                }
            }
        }
    }
    println!("newer commits: {points}; at most {most} writes after one");
    assert!(points >= 1_700, "only {points} were tried");
}
