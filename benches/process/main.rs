//! What a daemon costs as a process: memory, file handles, processor time.
//!
//! `cargo bench --bench process -- soak PASSES` runs the driver through thousands of passes and commits.
//! `cargo bench --bench process -- size FUNCTIONS...` starts `pinfold run` on fleets of different sizes.
//! docs/performance.md says what came of it. `cargo test --bench process` runs a little of both.

#![expect(clippy::unwrap_used, reason = "a program that cannot go on says where by itself")]

mod beside;
mod origin;
#[path = "../../tests/scenarios/repository.rs"]
mod repository;
mod size;
mod soak;
#[path = "../shared/target.rs"]
mod target;

use std::io::Write as _;

/// Without numbers in the arguments: what `cargo bench` measures with, and what shows that the program works.
const PASSES: usize = 10_000;
const A_FEW: usize = 40;
const FLEETS: [usize; 3] = [100, 1_000, 10_000];
const A_HANDFUL: [usize; 1] = [5];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let arguments: Vec<String> = std::env::args().collect();
    let named = |name: &str| arguments.iter().any(|argument| argument == name);
    let measuring = named("--bench");
    let numbers: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let all = !named("soak") && !named("size");
    let here = tokio::task::LocalSet::new();
    let work = here.run_until(async {
        if all || named("size") {
            let fleets: &[usize] = match (numbers.as_slice(), measuring) {
                ([], true) => &FLEETS,
                ([], false) => &A_HANDFUL,
                (numbers, _) => numbers,
            };
            size::run(fleets, measuring).await;
        }
        if all || named("soak") {
            let passes = numbers.first().copied();
            soak::run(passes.unwrap_or(if measuring { PASSES } else { A_FEW })).await;
        }
    });
    runtime.block_on(work);
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
}
