//! The daemon's loop: what it does between sweeps, and what it leaves alone until one is due.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use pinfold::domain::ChangeLimit;
use pinfold::plan::Report;
use pinfold::reconcile::{Driver, DriverPolicy, Nudge, StatusBoard};
use pinfold::sandbox::{Effect, Fault};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::wiring::engine;
use crate::world::{Setup, World, zip};

/// More functions than a pass may change without being acknowledged.
const MANY: &[&str] = &[
    "f01", "f02", "f03", "f04", "f05", "f06", "f07", "f08", "f09", "f10", "f11", "f12", "f13",
];

/// A daemon at work on a world.
struct Daemon {
    nudge: Nudge,
    status: StatusBoard,
}

impl Daemon {
    /// Runs a daemon for as long as a script takes.
    async fn with(world: &World, script: impl AsyncFnOnce(&Self)) {
        let engine = engine(&world.url, &["*".to_owned()], &world.clock).await;
        let (nudge, status, stop) = (Nudge::default(), StatusBoard::default(), CancellationToken::new());
        let source = world.origin.as_ref().unwrap().source();
        let driver = Driver::new(source, engine, DriverPolicy::default(), nudge.clone(), status.clone());
        let daemon = Self { nudge, status };
        tokio::join!(driver.run(stop.clone()), async {
            script(&daemon).await;
            stop.cancel();
        });
    }

    /// Waits for a report of which this is true.
    async fn until(&self, mut wanted: impl FnMut(&Value) -> bool) -> Arc<Report> {
        let mut watch = self.status.watch();
        let found = watch.wait_for(|status| status.report.as_ref().is_some_and(|report| wanted(&report.to_json())));
        let found = tokio::time::timeout(Duration::from_secs(20), found).await;
        found.expect("such a report").unwrap().report.clone().unwrap()
    }

    /// Makes a sweep and waits until it is complete.
    async fn sweep(&self) -> Value {
        let mut watch = self.status.watch();
        watch.mark_unchanged();
        self.nudge.sweep();
        tokio::time::timeout(Duration::from_secs(20), watch.changed())
            .await
            .expect("a pass")
            .unwrap();
        self.status.get().report.unwrap().to_json()
    }
}

fn function<'a>(report: &'a Value, name: &str) -> &'a Value {
    let functions = report["functions"].as_array().unwrap();
    functions.iter().find(|function| function["function"] == name).unwrap()
}

/// Somebody uploads other code, which takes its time.
async fn upload_by_hand(world: &World, function: &str, ms: u64) {
    world
        .sandbox
        .inject(Fault::on("UpdateFunctionCode", Effect::InProgress { ms }).of(function));
    let call = world.lambda().update_function_code().function_name(function);
    call.zip_file(Blob::new(zip("hotfix"))).send().await.unwrap();
    world.sandbox.clear_calls();
}

#[tokio::test]
async fn a_pass_that_waits_to_be_acknowledged_does_not_go_ahead_function_by_function() {
    let mut world = World::with(Setup {
        functions: MANY,
        git: true,
        ..Setup::default()
    })
    .await;
    for name in MANY {
        world.function(name, "1.1.0");
    }
    upload_by_hand(&world, "f01", 4_000).await;
    Daemon::with(&world, async |daemon| {
        daemon
            .until(|report| function(report, "f02")["withheld"][0]["reason"] == "TooManyChanges")
            .await;
        // Time for another look at f01, whose update is complete by then, if the daemon meant to take one.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(world.writes(), []);
        world.clock.advance(Duration::from_secs(10));
        daemon.sweep().await;
        assert_eq!(world.writes(), []);
    })
    .await;
}

#[tokio::test]
async fn a_function_that_failed_keeps_its_pause_whatever_becomes_of_others() {
    let mut world = World::with(Setup {
        functions: &["bad", "busy"],
        git: true,
        ..Setup::default()
    })
    .await;
    world.function("bad", "1.1.0");
    upload_by_hand(&world, "busy", 8_000).await;
    let throttled = Effect::Reply {
        status: 429,
        error_type: None,
        message: None,
        retry_after: None,
    };
    world
        .sandbox
        .inject(Fault::on("UpdateFunctionCode", throttled).of("bad").times(0));
    Daemon::with(&world, async |daemon| {
        daemon
            .until(|report| function(report, "busy")["state"] == "InSync")
            .await;
        let tries = || world.writes().iter().filter(|call| call.resource == "bad").count();
        assert_eq!(tries(), 1);
        let report = daemon.sweep().await;
        let held = function(&report, "bad");
        assert_eq!(tries(), 1, "{held:#}");
        assert_eq!(held["state"], "Withheld");
        assert_eq!(held["withheld"][0]["reason"], "StepFailed");
        world.clock.advance(Duration::from_secs(30));
        daemon.sweep().await;
        assert_eq!(tries(), 2);
    })
    .await;
}

#[tokio::test]
async fn where_pinfold_is_to_stop_only_the_steps_in_hand_are_finished() {
    let mut world = World::with(Setup {
        functions: MANY,
        ..Setup::default()
    })
    .await;
    for name in MANY {
        world.function(name, "1.1.0");
    }
    world.policy.change_limit = ChangeLimit::Unlimited;
    let report = world.apply_until_called("UpdateFunctionCode").await.unwrap().to_json();
    let calls = world.sandbox.calls();
    let at = calls
        .iter()
        .position(|call| call.operation == "UpdateFunctionCode")
        .unwrap();
    let read = calls[at..]
        .iter()
        .filter(|call| call.operation == "ListAliases")
        .count();
    assert_eq!(read, 0, "everything that was to be changed is read again");
    assert_eq!(report["inSync"], false);
    world.settle().await;
}

#[tokio::test]
async fn a_guard_that_is_refused_for_ever_is_left_to_the_sweeps_after_some_looks() {
    let mut world = World::with(Setup {
        git: true,
        ..Setup::default()
    })
    .await;
    world.function("api", "1.1.0");
    world.refuse("UpdateFunctionCode", 412, 0);
    Daemon::with(&world, async |daemon| {
        daemon
            .until(|report| function(report, "api")["state"] == "Drifted")
            .await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    })
    .await;
    assert!(world.writes().len() <= 30, "{} writes", world.writes().len());
}
