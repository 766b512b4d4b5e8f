//! Every crash point: a pass dies at every one of its calls, in every moment of the call, and a process that remembers
//! nothing goes on. What comes out is what would have come out anyway, and nothing was done twice.

use std::time::Duration;

use serde_json::Value;

use crate::gate::{Gate, Moment, Passed, Write};
use crate::jobs::{JOBS, Job};
use crate::run::{Run, writes_of};
use crate::stage::Stage;

/// Uploads that are through by the next call, and uploads that the next process finds in progress.
const WINDOWS: [Duration; 2] = [Duration::ZERO, Duration::from_millis(700)];

/// What the undisturbed pass came to.
struct Undisturbed {
    /// The calls of its first pass.
    calls: Vec<Passed>,
    /// All writes until nothing was left to do.
    writes: usize,
    live: Value,
}

impl Undisturbed {
    /// Returns the calls that are worth trying. How long uploads last makes no difference before the first of them.
    fn worth_trying(&self, window: Duration) -> std::ops::Range<usize> {
        let uploads = |passed: &Passed| matches!(passed.write, Some(Write::Update(..)));
        let end = self.calls.len();
        let first = self.calls.iter().position(uploads).unwrap_or(end);
        if window.is_zero() { 0..end } else { first..end }
    }
}

fn undisturbed(job: &Job, window: Duration) -> Undisturbed {
    let stage = job.world(window);
    let gate = Gate::default();
    let engine = stage.engine(&gate);
    let mut run = Run::new(&engine, &stage.desired, &gate);
    run.finish();
    drop(run);
    let calls = gate.passed();
    let mut writes = writes_of(&gate);
    writes.extend(stage.settle());
    stage.assert_sound(&writes, &[&stage.desired], job.name);
    stage.assert_no_version_twice(job.name);
    Undisturbed {
        calls,
        writes: writes.len(),
        live: stage.live(),
    }
}

/// Lets a pass die, and returns its gate.
fn die(stage: &Stage, k: usize, moment: Moment) -> Gate {
    let gate = Gate::default().dying(k, moment);
    let engine = stage.engine(&gate);
    let mut run = Run::new(&engine, &stage.desired, &gate);
    while !gate.is_dead() {
        assert!(run.step(), "call {k} is reached");
    }
    gate
}

fn succeeded(writes: &[Passed]) -> usize {
    writes.iter().filter(|passed| passed.succeeded == Some(true)).count()
}

#[test]
fn a05_a_process_may_die_at_any_moment_of_any_call() {
    let (mut points, mut most) = (0, 0);
    for window in WINDOWS {
        for job in &JOBS {
            let expected = undisturbed(job, window);
            let uploads = expected
                .calls
                .iter()
                .any(|passed| matches!(passed.write, Some(Write::Update(..))));
            if !uploads && !window.is_zero() {
                continue;
            }
            let world = job.world(window);
            let start = world.sandbox.save();
            for k in expected.worth_trying(window) {
                for moment in [Moment::Before, Moment::AfterEffect, Moment::AfterReply] {
                    world.sandbox.load(start.clone()).unwrap();
                    let case = format!("{} dies {moment:?} call {k}, {}", job.name, expected.calls[k].name);
                    let gate = die(&world, k, moment);
                    let mut writes = writes_of(&gate);
                    writes.extend(world.settle());
                    assert_eq!(world.live(), expected.live, "{case}");
                    world.assert_sound(&writes, &[&world.desired], &case);
                    world.assert_no_version_twice(&case);
                    let extra = succeeded(&writes).saturating_sub(expected.writes);
                    assert!(extra <= 1, "{case}: {extra} writes more than undisturbed: {writes:#?}");
                    most = most.max(extra);
                    points += 1;
                }
            }
        }
    }
    println!(
        "crash points: {points} over {} jobs; at most {most} writes more",
        JOBS.len()
    );
    assert!(points >= 1_300, "only {points} crash points were tried");
}

#[test]
fn a_write_of_a_dead_process_may_arrive_while_another_one_works() {
    let mut points = 0;
    for job in &JOBS {
        let expected = undisturbed(job, Duration::ZERO);
        let world = job.world(Duration::ZERO);
        let start = world.sandbox.save();
        let written = expected.calls.iter().enumerate();
        for (k, _) in written.filter(|(_, passed)| passed.write.is_some()) {
            // The second process makes no more calls than a whole pass; the write may also arrive after it.
            for arrival in 0..=expected.calls.len() {
                world.sandbox.load(start.clone()).unwrap();
                let name = &expected.calls[k].name;
                let case = format!("{}: {name} arrives at call {arrival} of the next process", job.name);
                let dead = die(&world, k, Moment::InFlight);
                let mut writes = writes_of(&dead);
                let gate = Gate::default();
                let engine = world.engine(&gate);
                let mut run = Run::new(&engine, &world.desired, &gate);
                for _ in 0..arrival {
                    run.step();
                }
                world.arrive(&dead.in_flight().unwrap());
                run.finish();
                drop(run);
                writes.extend(writes_of(&gate));
                writes.extend(world.settle());
                assert_eq!(world.live(), expected.live, "{case}");
                world.assert_sound(&writes, &[&world.desired], &case);
                world.assert_no_version_twice(&case);
                points += 1;
            }
        }
    }
    println!("late arrivals: {points}");
    assert!(points >= 500, "only {points} late arrivals were tried");
}

#[test]
fn a_reply_may_be_lost_at_any_call_and_the_process_lives_on() {
    let mut points = 0;
    for window in WINDOWS {
        for job in &JOBS {
            let expected = undisturbed(job, window);
            let world = job.world(window);
            let start = world.sandbox.save();
            for k in expected.worth_trying(window) {
                let call = &expected.calls[k];
                // Only what writes can take effect later, and it can do so at any of some calls to come.
                let arrivals = if call.write.is_some() { 0..4 } else { 0..0 };
                let late = arrivals.map(|arrival| (Moment::InFlight, k + 1 + 3 * arrival));
                for (moment, arrival) in [(Moment::Before, 0), (Moment::AfterEffect, 0)].into_iter().chain(late) {
                    world.sandbox.load(start.clone()).unwrap();
                    let case = format!(
                        "{}: {} is lost {moment:?}, arrives before {arrival}",
                        job.name, call.name
                    );
                    let gate = Gate::default().losing(k, moment).watched(world.witness());
                    let engine = world.engine(&gate);
                    let mut run = Run::new(&engine, &world.desired, &gate);
                    for _ in 0..arrival {
                        run.step();
                    }
                    gate.in_flight().iter().for_each(|write| world.arrive(write));
                    run.finish();
                    drop(run);
                    let mut writes = writes_of(&gate);
                    gate.forget();
                    writes.extend(world.settle_with(&engine, &gate));
                    assert_eq!(world.live(), expected.live, "{case}");
                    world.assert_sound(&writes, &[&world.desired], &case);
                    world.assert_no_version_twice(&case);
                    points += 1;
                }
            }
        }
    }
    println!("lost replies: {points}");
    assert!(points >= 1_200, "only {points} lost replies were tried");
}
