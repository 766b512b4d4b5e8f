//! Storms over a daemon: errors by the minute from Lambda, S3 and Git. Nothing is taken for drift that could not be read,
//! no call is multiplied, what was good is held, and when the storm is over nobody has to restart anything.

use std::path::PathBuf;
use std::time::Duration;

use pinfold::plan::State;
use pinfold::sandbox::{Call, Code, Effect, Fault};
use serde_json::json;

use crate::beside::{Daemon, beside, beside_source, reason, state, with_git};
use crate::commits::Commits;
use crate::log::Log;
use crate::world::{Setup, World, until, zip};

/// Every operation of Lambda that Pinfold uses.
const LAMBDA: [&str; 8] = [
    "ListFunctions",
    "GetFunction",
    "ListAliases",
    "ListVersionsByFunction",
    "UpdateFunctionCode",
    "PublishVersion",
    "CreateAlias",
    "UpdateAlias",
];

/// What the SDK makes of one read at the most.
const ATTEMPTS: usize = 3;

fn reply(status: u16, error_type: &str) -> Effect {
    Effect::Reply {
        status,
        error_type: Some(error_type.to_owned()),
        message: None,
        retry_after: None,
    }
}

fn calls(world: &World, operation: &str) -> usize {
    let of = |call: &Call| call.operation == operation;
    world.sandbox.calls().iter().filter(|call| of(call)).count()
}

/// Runs a daemon beside a script, on commits that come from no other thread: with time paused, waiting for one would
/// look like minutes.
async fn weather(functions: &'static [&'static str], script: impl AsyncFnOnce(&mut World, &mut Daemon)) {
    let setup = Setup {
        functions,
        ..Setup::default()
    };
    let mut world = World::with(setup).await;
    let source = Commits::new(world.tree());
    beside_source(&mut world, source, script).await;
}

/// Lets the daemon sweep every two minutes, as it does by default, for this many minutes.
async fn sweep_for(world: &World, daemon: &mut Daemon, minutes: u64) {
    let end = world.clock.now().after(Duration::from_mins(minutes));
    while world.clock.now() < end {
        world.clock.advance(Duration::from_mins(2));
        daemon.sweep(world).await;
    }
}

// Time is paused here and below, as the SDK pauses before it tries again.
#[tokio::test(start_paused = true)]
async fn a01_while_lambda_fails_nothing_is_concluded_and_nothing_multiplied() {
    for (status, error_type, most) in [
        (429, "TooManyRequestsException", 4 * ATTEMPTS),
        (500, "ServiceException", 4 * ATTEMPTS),
        (503, "ServiceUnavailableException", 4 * ATTEMPTS),
        // Without credentials one call tells for all.
        (403, "ExpiredTokenException", ATTEMPTS),
    ] {
        let log = Log::default();
        weather(&["api", "worker", "mail"], async |world, daemon| {
            world.aws.update_code("api", &Code::zip(zip("hotfix"))).unwrap();
            for operation in LAMBDA {
                world
                    .sandbox
                    .inject(Fault::on(operation, reply(status, error_type)).times(0));
            }
            for pass in 0..5 {
                world.clock.advance(Duration::from_mins(2));
                world.sandbox.clear_calls();
                let seen = log.listen();
                let report = daemon.sweep(world).await.report.unwrap();
                for function in &report.functions {
                    assert_eq!(function.state, State::Unreadable, "{error_type}");
                    assert!(function.drift.is_empty(), "{error_type}: {function:?}");
                }
                let metrics = daemon.telemetry.render().unwrap();
                let drifts = |line: &&str| line.starts_with("pinfold_function_drifted{") && line.ends_with(" 1");
                assert_eq!(metrics.lines().find(drifts), None, "{error_type}");
                let made = world.sandbox.calls().len();
                assert!(made <= most, "{error_type}: {made} calls in one pass");
                assert!(world.writes().is_empty());
                let told = seen.complaints();
                assert_eq!(
                    told.len(),
                    usize::from(pass == 0),
                    "{error_type}: one cause is told once, and not in every pass: {told:#?}"
                );
            }
            world.sandbox.clear_faults();
            daemon.sweep(world).await;
            for function in ["api", "worker", "mail"] {
                assert_eq!(state(&daemon.status.get(), function), State::InSync, "{error_type}");
            }
            assert_eq!(
                world.writes().len(),
                1,
                "{error_type}: the hotfix is replaced, and nothing else"
            );
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a02_what_may_not_be_read_is_told_once_and_hinders_nothing_else() {
    let log = Log::default();
    weather(&["api", "worker", "mail"], async |world, daemon| {
        for function in ["worker", "mail"] {
            let denied = Fault::on("GetFunction", reply(403, "AccessDeniedException"));
            world.sandbox.inject(denied.of(function).times(0));
        }
        let seen = log.listen();
        world.function("api", "1.1.0");
        let status = daemon.look_at_source(world).await;
        assert_eq!(state(&status, "api"), State::InSync);
        for function in ["worker", "mail"] {
            assert_eq!(state(&status, function), State::Unreadable);
        }
        let told = seen.complaints();
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].contains("functions=2"), "{told:#?}");
        world.sandbox.clear_faults();
        let status = daemon.sweep(world).await;
        assert_eq!(state(&status, "worker"), State::InSync);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a01_writes_that_are_throttled_for_half_an_hour_are_tried_ever_more_seldom() {
    weather(&["api"], async |world, daemon| {
        let throttled = reply(429, "TooManyRequestsException");
        world
            .sandbox
            .inject(Fault::on("UpdateFunctionCode", throttled).times(0));
        world.function("api", "1.1.0");
        daemon.look_at_source(world).await;
        sweep_for(world, daemon, 30).await;
        let tries = calls(world, "UpdateFunctionCode");
        assert!((4..=7).contains(&tries), "{tries} tries in half an hour");
        world.sandbox.clear_faults();
        sweep_for(world, daemon, 16).await;
        assert_eq!(state(&daemon.status.get(), "api"), State::InSync);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_is_refused_for_ever_is_tried_ever_more_seldom() {
    weather(&["api"], async |world, daemon| {
        let refused = reply(412, "PreconditionFailedException");
        world.sandbox.inject(Fault::on("UpdateAlias", refused).times(0));
        world.function("api", "1.1.0");
        daemon.look_at_source(world).await;
        let end = world.clock.now().after(Duration::from_mins(15));
        while world.clock.now() < end {
            // Much more often than any schedule: what holds the daemon back is its own.
            world.clock.advance(Duration::from_secs(9));
            daemon.sweep(world).await;
        }
        let tries = calls(world, "UpdateAlias");
        assert!((4..=30).contains(&tries), "{tries} tries in a quarter of an hour");
        assert!(reason(&daemon.status.get()).is_some(), "it is told why nothing happens");
        world.sandbox.clear_faults();
        sweep_for(world, daemon, 16).await;
        assert_eq!(state(&daemon.status.get(), "api"), State::InSync);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_can_never_serve_is_not_asked_for_again_and_again() {
    weather(&["api"], async |world, daemon| {
        let snapshots = json!({ "FunctionName": "api", "SnapStart": { "ApplyOn": "PublishedVersions" } });
        world.aws.call("UpdateFunctionConfiguration", snapshots).unwrap();
        let fails = Effect::UpdateFails {
            code: "FunctionError".to_owned(),
            reason: "the handler ends in an error".to_owned(),
        };
        world.sandbox.inject(Fault::on("PublishVersion", fails).times(0));
        world.function("api", "1.1.0");
        daemon.look_at_source(world).await;
        assert_eq!(world.aws.alias("api", "live").unwrap()["FunctionVersion"], "1");
        sweep_for(world, daemon, 30).await;
        let tries = calls(world, "PublishVersion");
        assert!(tries <= 10, "{tries} tries in half an hour");
        assert_eq!(state(&daemon.status.get(), "api"), State::Withheld);
        world.sandbox.clear_faults();
        world.function("api", "1.0.0");
        daemon.look_at_source(world).await;
        assert_eq!(
            state(&daemon.status.get(), "api"),
            State::InSync,
            "another commit is tried at once"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn looks_at_an_update_are_not_multiplied_while_lambda_is_throttled() {
    weather(&["api"], async |world, daemon| {
        // The first look is the one that the plan is made from.
        let throttled = Fault::on("GetFunction", reply(429, "TooManyRequestsException"));
        world.sandbox.inject(throttled.of("api").nth(2).times(0));
        world.function("api", "1.1.0");
        daemon.look_at_source(world).await;
        let looks = calls(world, "GetFunction");
        assert!(looks <= 40 * ATTEMPTS, "{looks} looks while one update was waited for");
        assert_eq!(calls(world, "UpdateFunctionCode"), 1);
        world.sandbox.clear_faults();
        sweep_for(world, daemon, 4).await;
        assert_eq!(state(&daemon.status.get(), "api"), State::InSync);
        assert_eq!(
            calls(world, "UpdateFunctionCode"),
            1,
            "what was uploaded is not uploaded again"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a06_while_s3_is_away_aliases_stay_and_nothing_is_called_drift() {
    for (status, error_type) in [(503, "SlowDown"), (500, "InternalError"), (403, "AccessDenied")] {
        weather(&["api", "worker"], async |world, daemon| {
            world
                .sandbox
                .inject(Fault::on("HeadObject", reply(status, error_type)).times(0));
            world.function("api", "1.1.0");
            daemon.look_at_source(world).await;
            for _ in 0..4 {
                world.clock.advance(Duration::from_mins(2));
                world.sandbox.clear_calls();
                let status = daemon.sweep(world).await;
                for function in ["api", "worker"] {
                    assert_eq!(state(&status, function), State::Withheld, "{error_type}");
                }
                assert_eq!(reason(&status), Some("ArtifactUnreadable"), "{error_type}");
                assert!(world.writes().is_empty());
                assert_eq!(world.aws.alias("api", "live").unwrap()["FunctionVersion"], "1");
                let asked = calls(world, "HeadObject");
                assert!(asked <= 2 * ATTEMPTS, "{error_type}: {asked} look-ups in one pass");
            }
            world.sandbox.clear_faults();
            let status = daemon.sweep(world).await;
            assert_eq!(state(&status, "api"), State::InSync, "{error_type}");
            assert_eq!(world.aws.alias("api", "live").unwrap()["FunctionVersion"], "2");
        })
        .await;
    }
}

#[tokio::test]
async fn while_git_is_away_drift_is_corrected_to_the_last_good_commit() {
    let mut world = with_git(&["api"]).await;
    let log = Log::default();
    beside(&mut world, async |world, daemon| {
        let path = PathBuf::from(world.origin.as_ref().unwrap().path());
        let away = path.with_extension("away");
        std::fs::rename(&path, &away).unwrap();
        // One more and it would be somebody else's opinion.
        for round in 0..2 {
            let seen = log.listen();
            world
                .aws
                .update_code("api", &Code::zip(zip(&format!("hotfix {round}"))))
                .unwrap();
            daemon.nudge.source();
            until(|| daemon.status.get().source_error.is_some()).await;
            let status = daemon.sweep(world).await;
            assert_eq!(state(&status, "api"), State::InSync);
            assert!(status.source_error.is_some());
            let told = seen.complaints();
            assert_eq!(told.len(), usize::from(round == 0), "it is told once: {told:#?}");
        }
        std::fs::rename(&away, &path).unwrap();
        world.function("api", "1.1.0");
        let status = daemon.look_at_source(world).await;
        assert_eq!((state(&status, "api"), status.source_error), (State::InSync, None));
    })
    .await;
}
