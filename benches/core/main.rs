//! Times what a pass over 10,000 functions spends of Pinfold's own: reading Git, planning, rendering. AWS is not asked.
//!
//! `cargo bench --bench core`; docs/performance.md says what the numbers should be and were.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says where by itself")]

mod fleet;
mod origin;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Bencher, Criterion, criterion_group, criterion_main};
use pinfold::plan::Report;
use pinfold::ports::DesiredSource as _;
use pinfold::reconcile::{ManifestCache, load};
use pinfold::telemetry::Telemetry;
use serde_json::Map;

use fleet::Fleet;
use origin::Origin;

/// The largest fleet that the daemon is made for.
const FUNCTIONS: usize = 10_000;

fn git(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut origin = Origin::new(FUNCTIONS);
    let targets = [fleet::target()];
    let source = origin.source();
    let mut group = criterion.benchmark_group("git");
    group.bench_function("poll, nothing changed", |bench| {
        bench.iter(|| runtime.block_on(source.head()).unwrap());
    });
    group.bench_function("first load", |bench| {
        let read = || async {
            let source = origin.source();
            let head = source.head().await.unwrap();
            load(&source, head, &targets, &mut ManifestCache::default())
                .await
                .unwrap()
        };
        bench.iter_with_large_drop(|| runtime.block_on(read()));
    });
    let fleet = Fleet::new(FUNCTIONS);
    let mut cache = ManifestCache::default();
    let mut look = || {
        let head = runtime.block_on(source.head()).unwrap();
        let desired = runtime.block_on(load(&source, head, &targets, &mut cache)).unwrap();
        (fleet.plan(&desired), desired)
    };
    // Fills the caches, as the daemon's first look does.
    drop(look());
    let mut bumps = 0;
    group.bench_function("one manifest changed, commit seen to plan ready", |bench| {
        bench.iter_custom(|times| {
            let mut total = Duration::ZERO;
            for _ in 0..times {
                bumps += 1;
                origin.bump(bumps % FUNCTIONS, &format!("1.1.{bumps}"));
                let began = Instant::now();
                let looked = look();
                total += began.elapsed();
                drop(looked);
            }
            total
        });
    });
    group.finish();
}

fn planning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    let in_sync =
        |fleet: Fleet| move |bench: &mut Bencher<'_>| bench.iter_with_large_drop(|| fleet.plan(&fleet.desired));
    group.bench_function("in sync", in_sync(Fleet::new(FUNCTIONS)));
    group.bench_function("in sync, nothing pinned", in_sync(Fleet::new(FUNCTIONS).unpinned()));
    let fleet = Fleet::new(FUNCTIONS);
    group.bench_function("report of a plan", |bench| {
        bench.iter_batched(
            || fleet.plan(&fleet.desired),
            |plan| Report::functions_of(plan, &fleet.desired, &fleet.observations, &fleet.targets),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn rendering(criterion: &mut Criterion) {
    let fleet = Fleet::new(FUNCTIONS);
    let report = Arc::new(fleet.report());
    let telemetry = Telemetry::new().unwrap();
    telemetry.observe(&report, fleet.policy.now);
    let mut group = criterion.benchmark_group("render");
    group.bench_function("status", |bench| {
        bench.iter(|| serde_json::to_string(&report.json_with(Map::new())).unwrap());
    });
    group.bench_function("metrics", |bench| bench.iter(|| telemetry.render().unwrap()));
    group.bench_function("a pass taken into the metrics", |bench| {
        bench.iter(|| telemetry.observe(black_box(&report), fleet.policy.now));
    });
    group.finish();
}

criterion_group! {
    name = core;
    // Each of these takes milliseconds: a few dozen samples say enough.
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3)).without_plots();
    targets = git, planning, rendering
}
criterion_main!(core);
