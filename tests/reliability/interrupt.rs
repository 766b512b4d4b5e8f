//! A newer commit, or a stop, ends a pass at any of its calls. The step in hand is finished and no other is
//! taken, no alias is left at what neither commit names, and the next pass brings everything to the newer one.

use std::time::Duration;

use pinfold::plan::Report;
use tokio_util::sync::CancellationToken;

use crate::gate::{Gate, Passed, Write};
use crate::jobs::{JOBS, Job};
use crate::run::{Run, writes_of};
use crate::stage::{Stage, hash, key};

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

/// What a pass that was ended early came to.
struct Cut {
    writes: Vec<Passed>,
    /// Writes that were made after its end was asked for.
    later: usize,
    /// None where no step had been taken.
    report: Option<Report>,
}

/// Ends a pass at its `k`-th call: before it is made, or while it is on its way.
fn cut(stage: &Stage, k: usize, on_its_way: bool) -> Cut {
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
    let report = run.into_report();
    let after = gate.passed()[k.min(gate.count())..].to_vec();
    Cut {
        writes: writes_of(&gate),
        later: after.iter().filter(|passed| passed.write.is_some()).count(),
        report,
    }
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
                        let Cut { mut writes, later, .. } = cut(&world, k, on_its_way);
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

/// Returns the version whose code was left in `$LATEST` on the way of an alias through it.
fn left(stage: &Stage) -> Option<String> {
    let desired = &stage.desired.functions[&key("api")];
    let latest = stage.versions("api")[0]["CodeSha256"].clone();
    let mut candidates = desired.aliases.values().map(|alias| alias.version.as_str());
    let wanted = desired.code.version.as_str();
    candidates
        .find(|version| *version != wanted && latest == hash(version).to_string())
        .map(str::to_owned)
}

#[test]
fn d01_a_pass_that_is_stopped_at_any_call_is_finished_by_the_next_start() {
    let (mut points, mut candidates) = (0, 0);
    for job in &JOBS {
        let calls = undisturbed(job, Duration::ZERO);
        let world = job.world(Duration::ZERO);
        let start = world.sandbox.save();
        let was = left(&world);
        let expected = world.settle().len();
        let live = world.live();
        for k in 0..=calls.len() {
            for on_its_way in [false, true] {
                let case = format!("{} is stopped at call {k} (on its way: {on_its_way})", job.name);
                world.sandbox.load(start.clone()).unwrap();
                let Cut { mut writes, report, .. } = cut(&world, k, on_its_way);
                if let Some(version) = left(&world).filter(|version| was.as_ref() != Some(version)) {
                    let told = format!("{:?}", report.unwrap().functions);
                    let says = format!("$LATEST holds the code of {version}");
                    assert!(told.contains(&says), "{case}: {told}");
                    candidates += 1;
                }
                writes.extend(world.settle());
                assert_eq!(world.live(), live, "{case}");
                assert_eq!(writes.len(), expected, "{case}: nothing is done twice: {writes:#?}");
                world.assert_sound(&writes, &[&world.desired], &case);
                world.assert_no_version_twice(&case);
                points += 1;
            }
        }
    }
    println!("stops: {points}, of which {candidates} leave a candidate in $LATEST");
    assert!(
        points >= 500 && candidates >= 50,
        "only {points} and {candidates} were tried"
    );
}
