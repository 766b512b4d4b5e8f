//! Runs the daemon's driver on a large fleet in the sandbox, with AWS's quotas and latencies, in real time: what a sweep
//! costs, how soon a moved alias is seen, how long a wave takes. Beside it, models of what other tools call.
//!
//! `cargo bench --bench fleet -- FUNCTIONS`; docs/performance.md says what the numbers mean. `cargo test --bench fleet` runs it
//! with a handful.

#![expect(clippy::unwrap_used, reason = "a program that cannot go on says where by itself")]

mod models;
#[path = "../shared/target.rs"]
mod target;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use world::World;

/// Without a number in the arguments: what `cargo bench` measures with, and what shows that the program works.
const FUNCTIONS: usize = 120;
const A_HANDFUL: usize = 3;

/// How long the program may take, and how much longer for each function.
const PATIENCE: Duration = Duration::from_mins(5);
const A_FUNCTION: Duration = Duration::from_secs(6);

/// Aliases that are moved by hand, one after the other.
const MOVED: usize = 3;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let number = std::env::args().find_map(|argument| argument.parse().ok());
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let functions = number.unwrap_or(if measuring { FUNCTIONS } else { A_HANDFUL });
    let patience = PATIENCE + A_FUNCTION * u32::try_from(functions).unwrap();
    let here = tokio::task::LocalSet::new();
    let whole = here.run_until(async { tokio::time::timeout(patience, run(functions)).await });
    runtime.block_on(whole).expect("it is over in time");
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
}

/// Calls to Lambda by quota: GetFunction, and everything else.
pub(crate) fn quotas(calls: &BTreeMap<String, usize>) -> (usize, usize) {
    let of_its_own = calls.get("GetFunction").copied().unwrap_or_default();
    (of_its_own, calls.values().sum::<usize>() - of_its_own)
}

fn row(what: &str, took: Duration, calls: &BTreeMap<String, usize>, floor: Option<f64>) {
    let (of_its_own, shared) = quotas(calls);
    let took = took.as_secs_f64();
    let floor = floor.map_or("-".to_owned(), |floor| format!("{floor:.1} s ({:.2})", took / floor));
    say(&format!("| {what} | {of_its_own} | {shared} | {took:.1} s | {floor} |"));
}

#[expect(clippy::cast_precision_loss, reason = "some thousands at the most")]
async fn run(functions: usize) {
    let count = functions as f64;
    let world = World::new(functions).await;
    say(&format!(
        "{functions} functions with one alias each; quotas and latencies as AWS's, in real time\n"
    ));
    say("| what | GetFunction | other calls | took | floor (ratio) |");
    say("| --- | --- | --- | --- | --- |");

    // At the default limits, 40 and 5 a second.
    let mut daemon = world.daemon(40.0, 5.0).await;
    let began = Instant::now();
    daemon.first_report().await;
    row(
        "first report after a start",
        began.elapsed(),
        &world.calls(),
        Some(2.0 * count / 40.0),
    );
    daemon.whole_sweep().await;
    world.forget_calls();
    let began = Instant::now();
    daemon.sweep().await;
    row("sweep: versions", began.elapsed(), &world.calls(), Some(count / 45.0));
    daemon.whole_sweep().await;
    row(
        "the same, and all weights",
        began.elapsed(),
        &world.calls(),
        Some(count / 2.5),
    );
    world.forget_calls();
    for one in 0..MOVED {
        let function = one * functions / MOVED;
        // Looks from before are not those at what is moved now.
        world.forget_calls();
        let began = Instant::now();
        world.move_alias(function);
        daemon.nudge();
        let (seen, repaired) = world.until_repaired(function, began).await;
        say(&format!(
            "| alias moved as a sweep begins: seen, and repaired after that | | | {:.1} s, {:.1} s | |",
            seen.as_secs_f64(),
            (repaired.saturating_sub(seen)).as_secs_f64()
        ));
        daemon.whole_sweep().await;
    }
    daemon.stop().await;

    // A wave at the whole of AWS's quota.
    let mut daemon = world.daemon(100.0, 15.0).await;
    daemon.first_report().await;
    daemon.whole_sweep().await;
    world.forget_calls();
    let began = Instant::now();
    world.bump("2.0.0");
    daemon.look_at_source();
    world.until_live("2.0.0").await;
    row(
        "wave: every function bumped, 15 writes a second",
        began.elapsed(),
        &world.calls(),
        Some(3.0 * count / 15.0),
    );
    daemon.stop().await;

    say("\nmodels of what other tools call, on the same sandbox, one function after the other:\n");
    say("| model | GetFunction | other calls | took | functions |");
    say("| --- | --- | --- | --- | --- |");
    for model in models::all() {
        world.refill().await;
        world.forget_calls();
        let began = Instant::now();
        let done = model.run(&world).await;
        let (of_its_own, shared) = quotas(&world.calls());
        let took = began.elapsed().as_secs_f64();
        say(&format!(
            "| {} | {of_its_own} | {shared} | {took:.1} s | {done} |",
            model.name()
        ));
    }
}
