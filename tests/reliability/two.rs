//! Two engines on one world, call by call in chosen orders: both do the same job, or one is a commit behind. They end in
//! agreement, nothing is published twice, and neither replaces what it has not read.

use std::time::Duration;

use pinfold::domain::DesiredState;
use serde_json::Value;

use crate::dice::Dice;
use crate::gate::{Gate, Passed};
use crate::jobs::{JOBS, Job};
use crate::run::{Run, writes_of};
use crate::stage::{Stage, StageEngine, artifact};

/// Rounds in which two engines take turns after the passes that were interleaved.
const ROUNDS: usize = 6;

/// An engine, and the gate before its calls.
struct Daemon {
    gate: Gate,
    engine: StageEngine,
}

impl Daemon {
    fn new(stage: &Stage) -> Self {
        let gate = Gate::default().watched(stage.witness());
        Self {
            engine: stage.engine(&gate),
            gate,
        }
    }
}

/// Whose turn it is, and for how many calls.
type Turn = (usize, usize);

/// Lets two daemons make one pass each in the order that `turns` gives, then the rest of the first, then of the second.
/// Returns the calls that each made and all writes.
fn interleave(daemons: &[Daemon; 2], desired: [&DesiredState; 2], turns: &[Turn]) -> ([usize; 2], Vec<Passed>) {
    let mut runs = [0, 1].map(|who| Run::new(&daemons[who].engine, desired[who], &daemons[who].gate));
    for (who, calls) in turns {
        for _ in 0..*calls {
            runs[*who].step();
        }
    }
    runs.iter_mut().for_each(Run::finish);
    drop(runs);
    let counts = [0, 1].map(|who| daemons[who].gate.count());
    let mut writes = Vec::new();
    for daemon in daemons {
        writes.extend(writes_of(&daemon.gate));
        daemon.gate.forget();
    }
    (counts, writes)
}

/// Lets both make passes in turn until neither finds anything to do.
fn agree(stage: &Stage, daemons: &[Daemon; 2], case: &str) -> Vec<Passed> {
    let mut writes = Vec::new();
    for _ in 0..ROUNDS {
        stage.clock.advance(Duration::from_secs(5));
        let mut quiet = true;
        for daemon in daemons {
            let mut run = Run::new(&daemon.engine, &stage.desired, &daemon.gate);
            run.finish();
            quiet &= run.in_sync();
            drop(run);
            let written = writes_of(&daemon.gate);
            quiet &= written.is_empty();
            writes.extend(written);
            daemon.gate.forget();
        }
        if quiet {
            return writes;
        }
    }
    panic!("{case}: they do not agree: {:#}", stage.live());
}

/// One job under one order. Returns how many calls each made in its first pass.
fn try_order(stage: &Stage, expected: &Expected, turns: &[Turn], name: &str) -> [usize; 2] {
    let case = format!("{name}, turns {turns:?}");
    let daemons = [Daemon::new(stage), Daemon::new(stage)];
    let (counts, mut writes) = interleave(&daemons, [&stage.desired; 2], turns);
    writes.extend(agree(stage, &daemons, &case));
    assert_eq!(stage.live(), expected.live, "{case}");
    stage.assert_sound(&writes, &[&stage.desired], &case);
    stage.assert_no_version_twice(&case);
    let moves = moves(&writes);
    assert!(moves <= expected.moves, "{case}: {moves} moves: {writes:#?}");
    counts
}

/// What one engine alone comes to.
struct Expected {
    live: Value,
    moves: usize,
    calls: usize,
}

fn alone(job: &Job, window: Duration) -> Expected {
    let stage = job.world(window);
    let gate = Gate::default();
    let engine = stage.engine(&gate);
    Run::new(&engine, &stage.desired, &gate).finish();
    let calls = gate.count();
    let mut writes = writes_of(&gate);
    writes.extend(stage.settle());
    Expected {
        live: stage.live(),
        moves: moves(&writes),
        calls,
    }
}

/// Counts the writes that moved an alias.
fn moves(writes: &[Passed]) -> usize {
    let alias = |passed: &&Passed| passed.name.contains("Alias") && passed.succeeded == Some(true);
    writes.iter().filter(alias).count()
}

/// Draws an order: most turns are short, some are long, as both kinds matter.
fn turns(dice: &mut Dice) -> Vec<Turn> {
    let turn = |dice: &mut Dice| {
        let longest = 1 + dice.roll(6);
        (dice.roll(2), 1 + dice.roll(longest))
    };
    (0..60).map(|_| turn(dice)).collect()
}

fn job(name: &str) -> &'static Job {
    JOBS.iter().find(|job| job.name == name).unwrap()
}

/// Tries every order in which the first is interrupted once, the second works for a while, and the first goes on.
fn every_order(name: &str, window: Duration) -> usize {
    let job = job(name);
    let expected = alone(job, window);
    let stage = job.world(window);
    let start = stage.sandbox.save();
    let mut orders = 0;
    for first in 0..=expected.calls {
        for second in 1.. {
            stage.sandbox.load(start.clone()).unwrap();
            let counts = try_order(&stage, &expected, &[(0, first), (1, second)], name);
            orders += 1;
            if counts[1] <= second {
                break;
            }
        }
    }
    orders
}

#[test]
fn d02_every_order_of_two_passes_with_two_switches_ends_in_agreement() {
    let mut orders = 0;
    for (name, window) in [
        ("bump", Duration::ZERO),
        ("bump", Duration::from_millis(700)),
        ("revert", Duration::ZERO),
        ("beta candidate", Duration::ZERO),
    ] {
        orders += every_order(name, window);
    }
    println!("orders of two engines: {orders}");
    assert!(orders >= 700, "only {orders} orders were tried");
}

#[test]
fn random_orders_of_two_passes_end_in_agreement() {
    let mut orders = 0;
    for (number, job) in JOBS.iter().enumerate() {
        let expected = alone(job, Duration::ZERO);
        let stage = job.world(Duration::ZERO);
        let start = stage.sandbox.save();
        for seed in 0..16 {
            stage.sandbox.load(start.clone()).unwrap();
            let mut dice = Dice::new(seed * 100 + number as u64);
            let turns = turns(&mut dice);
            try_order(&stage, &expected, &turns, &format!("{} with seed {seed}", job.name));
            orders += 1;
        }
    }
    println!("random orders of two engines: {orders}");
}

#[test]
fn one_that_is_a_commit_behind_is_overruled_once_it_catches_up() {
    let mut orders = 0;
    for (name, job) in JOBS.iter().map(|job| (job.name, job)) {
        let expected = alone(job, Duration::ZERO);
        let stage = job.world(Duration::ZERO);
        let start = stage.sandbox.save();
        let mut behind = stage.desired.clone();
        for (key, function) in &mut behind.functions {
            // The commit before: everything at 1.0.0.
            let old = artifact(key.name.as_str(), "1.0.0");
            function.code = old.clone();
            function.aliases.iter_mut().for_each(|(_, own)| *own = old.clone());
        }
        for seed in 0..8 {
            let case = format!("{name} with seed {seed}");
            stage.sandbox.load(start.clone()).unwrap();
            let mut dice = Dice::new(seed);
            let daemons = [Daemon::new(&stage), Daemon::new(&stage)];
            let mut writes = Vec::new();
            for _ in 0..2 {
                let turns = turns(&mut dice);
                writes.extend(interleave(&daemons, [&stage.desired, &behind], &turns).1);
                stage.clock.advance(Duration::from_secs(5));
            }
            writes.extend(agree(&stage, &daemons, &case));
            assert_eq!(stage.live(), expected.live, "{case}");
            stage.assert_sound(&writes, &[&stage.desired, &behind], &case);
            stage.assert_no_version_twice(&case);
            orders += 1;
        }
    }
    println!("orders with one a commit behind: {orders}");
}
