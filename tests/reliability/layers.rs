//! The worst day of a large fleet, whose sweeps are made in layers and whose commits are planned from memory: a process
//! dies at any call, and somebody interferes with what is remembered.

use std::time::Duration;

use serde_json::Value;

use crate::gate::{Gate, Moment, Passed};
use crate::human::DEEDS;
use crate::jobs::{JOBS, Job};
use crate::patrol::Patrol;
use crate::run::writes_of;
use crate::stage::Stage;

/// What a daemon remembers when the job comes up.
#[derive(Debug, Clone, Copy)]
enum Memory {
    /// Nothing: it finds the job in its first sweep.
    None,
    /// The fleet as it was before.
    OfTheWorldBefore,
}

/// A daemon that is about to find something to do, and the world that it is in.
fn begin(job: &Job, stage: &mut Stage, memory: Memory, gate: &Gate) -> Patrol {
    match memory {
        Memory::None => {
            job.change(stage);
            Patrol::new(stage, gate)
        }
        Memory::OfTheWorldBefore => {
            let patrol = Patrol::at_rest(stage, gate);
            job.change(stage);
            patrol.nudge(stage);
            patrol
        }
    }
}

/// What an undisturbed daemon comes to.
struct Undisturbed {
    calls: Vec<Passed>,
    writes: usize,
    live: Value,
}

fn undisturbed(job: &Job, memory: Memory) -> Undisturbed {
    let mut stage = job.rest(Duration::ZERO);
    let gate = Gate::default().watched(stage.witness());
    let mut patrol = begin(job, &mut stage, memory, &gate);
    patrol.finish();
    let calls = gate.passed();
    let mut writes = writes_of(&gate);
    writes.extend(patrol.settle(&stage));
    let case = format!("{} with memory {memory:?}", job.name);
    stage.assert_sound(&writes, &[&stage.desired], &case);
    stage.assert_no_version_twice(&case);
    Undisturbed {
        calls,
        writes: writes.len(),
        live: stage.live(),
    }
}

fn jobs<'a>(names: &'a [&str]) -> impl Iterator<Item = &'static Job> + use<'a> {
    JOBS.iter().filter(|job| names.contains(&job.name))
}

fn succeeded(writes: &[Passed]) -> usize {
    writes.iter().filter(|passed| passed.succeeded == Some(true)).count()
}

#[test]
fn a05_a_process_may_die_at_any_call_of_a_sweep_in_layers() {
    let mut points = 0;
    for job in jobs(&["beta and bump", "revert", "weights", "two functions"]) {
        for memory in [Memory::None, Memory::OfTheWorldBefore] {
            let expected = undisturbed(job, memory);
            let mut stage = job.rest(Duration::ZERO);
            let (start, older) = (stage.sandbox.save(), stage.desired.clone());
            for (k, call) in expected.calls.iter().enumerate() {
                for moment in [Moment::Before, Moment::AfterEffect, Moment::AfterReply] {
                    // Whether what only reads has been read makes no difference to anybody else.
                    if moment != Moment::Before && call.write.is_none() {
                        continue;
                    }
                    stage.sandbox.load(start.clone()).unwrap();
                    stage.desired = older.clone();
                    let case = format!("{}, {memory:?}: dies {moment:?} call {k}, {}", job.name, call.name);
                    let gate = Gate::default();
                    let mut dying = begin(job, &mut stage, memory, &gate);
                    gate.die_at(k, moment);
                    while !gate.is_dead() {
                        assert!(dying.step(), "{case}: it is reached");
                    }
                    let mut writes = writes_of(&gate);
                    writes.extend(Patrol::new(&stage, &Gate::default()).settle(&stage));
                    assert_eq!(stage.live(), expected.live, "{case}");
                    stage.assert_sound(&writes, &[&stage.desired], &case);
                    stage.assert_no_version_twice(&case);
                    let extra = succeeded(&writes).saturating_sub(expected.writes);
                    assert!(extra <= 1, "{case}: {extra} writes more than undisturbed: {writes:#?}");
                    points += 1;
                }
            }
        }
    }
    println!("crash points of sweeps in layers: {points}");
    assert!(points >= 220, "only {points} crash points were tried");
}

#[test]
fn somebody_may_do_anything_between_any_two_calls_of_a_sweep_in_layers() {
    let mut points = 0;
    for job in jobs(&["beta candidate"]) {
        let expected = undisturbed(job, Memory::OfTheWorldBefore);
        let mut stage = job.rest(Duration::ZERO);
        let (start, older) = (stage.sandbox.save(), stage.desired.clone());
        for deed in &DEEDS {
            for before in 0..=expected.calls.len() {
                stage.sandbox.load(start.clone()).unwrap();
                stage.desired = older.clone();
                let case = format!("{}: somebody {} before call {before}", job.name, deed.0);
                let gate = Gate::default().watched(stage.witness());
                let mut patrol = begin(job, &mut stage, Memory::OfTheWorldBefore, &gate);
                for _ in 0..before {
                    patrol.step();
                }
                deed.1(&stage.aws);
                patrol.finish();
                let mut writes = writes_of(&gate);
                writes.extend(patrol.settle(&stage));
                assert_eq!(stage.live(), expected.live, "{case}");
                stage.assert_sound(&writes, &[&stage.desired], &case);
                stage.assert_no_version_twice(&case);
                points += 1;
            }
        }
    }
    println!("interferences with sweeps in layers: {points}");
    assert!(points >= 300, "only {points} interferences were tried");
}
