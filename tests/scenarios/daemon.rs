//! The daemon's loop: what wakes it, what it holds on to when the repository is away, when it leaves a function alone,
//! and that looking again at one function does not mean looking at all.

use std::path::PathBuf;
use std::time::Duration;

use pinfold::domain::ChangeLimit;
use pinfold::plan::State;
use pinfold::reconcile::Memory;
use pinfold::sandbox::{Code, Effect, Fault};

use crate::beside::{
    beside, beside_by_hand, beside_by_hand_and_keep, beside_resumed, reason, revision, state, with_git,
};
use crate::world::{Setup, World, sha, until, zip};

fn denied() -> Effect {
    Effect::Reply {
        status: 403,
        error_type: Some("AccessDeniedException".to_owned()),
        message: None,
        retry_after: None,
    }
}

#[tokio::test]
async fn a_commit_is_live_after_one_look_at_the_repository() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        let before = revision(&daemon.status.get());
        world.function("api", "1.1.0");
        let status = daemon.look_at_source(world).await;
        assert_ne!(revision(&status), before);
        assert_eq!(state(&status, "api"), State::InSync);
        assert_eq!(world.aws.alias("api", "live").unwrap()["FunctionVersion"], "2");
        assert!(daemon.metric("pinfold_syncs_total{account=\"000000000000\",alias=\"live\",function=\"api\",region=\"us-east-1\",result=\"succeeded\",target=\"prod\"}").is_some_and(|count| count != "0"));
    })
    .await;
}

#[tokio::test]
async fn an_unchanged_commit_costs_no_fetch_and_no_call_to_aws() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        daemon.nudge.source();
        let listed = "pinfold_git_requests_total{operation=\"list\",result=\"ok\"}";
        until(|| daemon.metric(listed).is_some_and(|count| count != "1")).await;
        // A sweep afterwards proves that no pass came of the look.
        daemon.sweep(world).await;
        let reads = world
            .sandbox
            .calls()
            .iter()
            .filter(|call| call.operation == "GetFunction")
            .count();
        assert_eq!(reads, 1, "the sweep's own");
        let fetched = daemon.metric("pinfold_git_requests_total{operation=\"fetch\",result=\"ok\"}");
        assert_eq!(fetched.as_deref(), Some("1"), "nor a fetch");
        assert!(world.writes().is_empty());
    })
    .await;
}

#[tokio::test]
async fn while_the_repository_is_away_the_last_good_commit_is_held() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        let path = PathBuf::from(world.origin.as_ref().unwrap().path());
        let away = path.with_extension("away");
        std::fs::rename(&path, &away).unwrap();
        daemon.nudge.source();
        daemon.until(|status| status.source_error.is_some()).await;
        world.aws.update_code("api", &Code::zip(zip("edited"))).unwrap();
        let status = daemon.sweep(world).await;
        assert_eq!(state(&status, "api"), State::InSync, "drift is corrected all the same");
        let error = status.source_error.expect("the status says so");
        assert!(error.contains("no such repository"), "{error}");
        std::fs::rename(&away, &path).unwrap();
        world.function("api", "1.1.0");
        let status = daemon.look_at_source(world).await;
        assert_eq!(status.source_error, None);
        assert_eq!(world.aws.alias("api", "live").unwrap()["FunctionVersion"], "2");
    })
    .await;
}

#[tokio::test]
async fn what_one_configuration_knew_the_next_goes_on_from() {
    let mut world = with_git(&["api"]).await;
    let memory = beside_resumed(&mut world, Memory::default(), async |world, daemon| {
        world.inject("UpdateFunctionCode", denied());
        world.function("api", "1.1.0");
        assert_eq!(state(&daemon.look_at_source(world).await, "api"), State::Failed);
    })
    .await;
    let path = PathBuf::from(world.origin.as_ref().unwrap().path());
    std::fs::rename(&path, path.with_extension("away")).unwrap();
    let memory = beside_resumed(&mut world, memory, async |world, daemon| {
        let status = daemon.sweep(world).await;
        assert_eq!(state(&status, "api"), State::Withheld, "the pause goes on");
        assert!(
            revision(&status).is_some(),
            "the commit stays in force while nobody can ask for it"
        );
        assert!(world.writes().is_empty());
        world.clock.advance(Duration::from_secs(30));
        assert_eq!(state(&daemon.sweep(world).await, "api"), State::InSync);
    })
    .await;
    beside_resumed(&mut world, memory, async |world, daemon| {
        assert_eq!(state(&daemon.status.get(), "api"), State::InSync);
        assert!(world.writes().is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_a_new_configuration_cuts_short_has_not_failed() {
    let mut world = with_git(&["api"]).await;
    world.inject("UpdateFunctionCode", Effect::InProgress { ms: 60_000 });
    let memory = beside_by_hand_and_keep(&mut world, async |world, daemon| {
        world.function("api", "1.1.0");
        daemon.nudge.source();
        until(|| !world.writes().is_empty()).await;
    })
    .await;
    beside_resumed(&mut world, memory, async |_, daemon| {
        let status = daemon.status.get();
        assert_ne!(state(&status, "api"), State::Withheld, "{:?}", reason(&status));
    })
    .await;
}

#[tokio::test]
async fn after_a_failure_a_function_is_left_alone_until_it_is_time_or_git_changes() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        world.sandbox.inject(Fault::on("UpdateFunctionCode", denied()).times(0));
        world.function("api", "1.1.0");
        let status = daemon.look_at_source(world).await;
        assert_eq!(
            (state(&status, "api"), reason(&status)),
            (State::Failed, Some("AccessDenied"))
        );
        world.sandbox.clear_calls();

        let status = daemon.sweep(world).await;
        assert_eq!(
            (state(&status, "api"), reason(&status)),
            (State::Withheld, Some("AccessDenied"))
        );
        assert!(world.writes().is_empty(), "it is left alone");

        world.clock.advance(Duration::from_secs(30));
        let status = daemon.sweep(world).await;
        assert_eq!(state(&status, "api"), State::Failed);
        assert_eq!(world.writes().len(), 1, "its time has come");
        world.sandbox.clear_calls();

        world.clock.advance(Duration::from_secs(30));
        daemon.sweep(world).await;
        assert!(world.writes().is_empty(), "the second pause is longer");

        world.sandbox.clear_faults();
        world.function("api", "2.0.0-rc.1");
        let status = daemon.look_at_source(world).await;
        assert_eq!(state(&status, "api"), State::InSync, "another commit is tried at once");
    })
    .await;
}

#[tokio::test]
async fn an_update_that_failed_is_sent_again_after_a_pause() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        let failing = Effect::UpdateFails {
            code: "SubnetOutOfIPAddresses".to_owned(),
            reason: "no address is left".to_owned(),
        };
        world.inject("UpdateFunctionCode", failing);
        world.function("api", "1.1.0");
        assert_eq!(state(&daemon.look_at_source(world).await, "api"), State::Failed);
        world.sandbox.clear_calls();
        let status = daemon.sweep(world).await;
        assert_eq!(
            (state(&status, "api"), reason(&status)),
            (State::Withheld, Some("LastUpdateFailed"))
        );
        assert!(world.writes().is_empty(), "it is left alone");
        world.clock.advance(Duration::from_secs(30));
        assert_eq!(state(&daemon.sweep(world).await, "api"), State::InSync);
    })
    .await;
}

#[tokio::test]
async fn looking_again_at_one_function_leaves_the_others_unread() {
    let mut world = with_git(&["api", "worker"]).await;
    beside(&mut world, async |world, daemon| {
        world
            .aws
            .clone()
            .lasting(Duration::from_secs(7))
            .update_code("api", &Code::zip(zip("edited")))
            .unwrap();
        let status = daemon.sweep(world).await;
        assert_eq!(state(&status, "api"), State::Progressing);
        assert_eq!(state(&status, "worker"), State::InSync);
        world.sandbox.clear_calls();
        // The daemon looks again by itself, and its waiting turns the clock.
        while state(&daemon.next_pass().await, "api") != State::InSync {}
        let touched: Vec<_> = world.sandbox.calls().into_iter().map(|call| call.resource).collect();
        assert!(
            touched.iter().all(|resource| !resource.starts_with("worker")),
            "{touched:?}"
        );
        assert_eq!(
            state(&daemon.status.get(), "worker"),
            State::InSync,
            "it is still reported"
        );
    })
    .await;
}

#[tokio::test]
async fn a_function_that_leaves_git_takes_its_series_along() {
    let mut world = with_git(&["api", "worker"]).await;
    beside(&mut world, async |world, daemon| {
        let series =
            "pinfold_function_drifted{account=\"000000000000\",alias=\"live\",function=\"worker\",kind=\"alias\"";
        assert!(daemon.metric(series).is_some());
        world.remove("prod/worker.yaml");
        let status = daemon.look_at_source(world).await;
        assert_eq!(status.report.unwrap().unmanaged.len(), 1);
        let text = daemon.telemetry.render().unwrap();
        assert!(!text.contains("=\"worker\""), "{text}");
    })
    .await;
}

#[tokio::test]
async fn a_function_that_cannot_be_read_keeps_its_series() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        let series = "pinfold_function_ready{account=\"000000000000\",alias=\"live\",function=\"api\"";
        world.sandbox.inject(Fault::on("GetFunction", denied()).times(0));
        let status = daemon.sweep(world).await;
        assert_eq!(state(&status, "api"), State::Unreadable);
        assert!(daemon.metric(series).is_some_and(|value| value.ends_with('0')));
    })
    .await;
}

#[tokio::test]
async fn looking_again_at_one_function_leaves_the_pauses_of_others() {
    let mut world = with_git(&["api", "worker"]).await;
    beside(&mut world, async |world, daemon| {
        world
            .sandbox
            .inject(Fault::on("UpdateFunctionCode", denied()).of("worker").times(0));
        world
            .aws
            .clone()
            .lasting(Duration::from_secs(7))
            .update_code("api", &Code::zip(zip("edited")))
            .unwrap();
        world.function("worker", "1.1.0");
        daemon.look_at_source(world).await;
        while state(&daemon.next_pass().await, "api") != State::InSync {}
        world.sandbox.clear_calls();
        let status = daemon.sweep(world).await;
        assert_eq!(state(&status, "worker"), State::Withheld);
        assert!(world.writes().is_empty());
    })
    .await;
}

/// More functions than a pass may change without being acknowledged.
const MANY: &[&str] = &[
    "f01", "f02", "f03", "f04", "f05", "f06", "f07", "f08", "f09", "f10", "f11", "f12", "f13",
];

#[tokio::test]
async fn a_pass_that_waits_to_be_acknowledged_does_not_go_ahead_function_by_function() {
    let mut world = with_git(MANY).await;
    beside(&mut world, async |world, daemon| {
        for name in MANY {
            world.function(name, "1.1.0");
        }
        world
            .aws
            .clone()
            .lasting(Duration::from_secs(7))
            .update_code("f01", &Code::zip(zip("edited")))
            .unwrap();
        let status = daemon.look_at_source(world).await;
        assert_eq!(state(&status, "f01"), State::Progressing);
        assert_eq!(state(&status, "f02"), State::Withheld);
        // By now f01's update is complete; a look at it alone would find a change small enough to be allowed.
        world.clock.advance(Duration::from_secs(10));
        daemon.sweep(world).await;
        assert!(world.writes().is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_acknowledged_commit_is_served_at_once_and_the_next_waits_again() {
    let mut world = with_git(MANY).await;
    beside(&mut world, async |world, daemon| {
        for (version, acknowledged) in [("1.1.0", true), ("2.0.0-rc.1", false)] {
            for name in MANY {
                world.function(name, version);
            }
            let status = daemon.look_at_source(world).await;
            assert_eq!(state(&status, "f01"), State::Withheld, "{version}");
            assert_eq!(status.acknowledged, None, "{version}: that of another commit is over");
            if acknowledged {
                daemon.status.acknowledge(revision(&status).unwrap());
                assert_eq!(state(&daemon.sweep(world).await, "f01"), State::InSync);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn d01_where_pinfold_is_to_stop_only_the_steps_in_hand_are_finished() {
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
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        world.refuse("UpdateFunctionCode", 412, 0);
        world.function("api", "1.1.0");
        daemon.look_at_source(world).await;
        for _ in 0..2 {
            daemon.next_pass().await;
        }
        // Three rounds in each of two passes, and the third leaves it alone: an unchanged commit wakes nothing either.
        daemon.nudge.source();
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.writes().len(), 6);
    })
    .await;
}

/// Functions of which one pass changes no more than some at a time.
const DOZEN: &[&str] = &[
    "f01", "f02", "f03", "f04", "f05", "f06", "f07", "f08", "f09", "f10", "f11", "f12",
];

#[tokio::test]
async fn a_newer_commit_ends_the_waits_of_the_older() {
    let mut world = with_git(DOZEN).await;
    beside_by_hand(&mut world, async |world, daemon| {
        // Updates that last for an hour: nobody turns the clock, so a wait for them does not end by itself.
        let lasting = Effect::InProgress { ms: 3_600_000 };
        world.sandbox.inject(Fault::on("UpdateFunctionCode", lasting).times(0));
        for name in &DOZEN[..10] {
            world.function(name, "1.1.0");
        }
        daemon.nudge.source();
        world.until_written(10).await;
        world.sandbox.clear_faults();

        for name in &DOZEN[..10] {
            world.function(name, "1.0.0");
        }
        world.function("f12", "1.1.0");
        let head = world.desired().await.revision;
        daemon.nudge.source();
        let newer = daemon
            .until(|status| state(status, "f12") == State::InSync && revision(status) == head)
            .await;
        assert_eq!(state(&newer, "f01"), State::Progressing, "its update goes on by itself");
        let published = world
            .writes()
            .into_iter()
            .filter(|call| call.operation == "PublishVersion");
        let published: Vec<String> = published.map(|call| call.resource).collect();
        assert_eq!(published, ["f12"], "under the older commit nothing more was done");
        assert_eq!(world.aws.alias("f01", "live").unwrap()["FunctionVersion"], "1");

        world.clock.advance(Duration::from_hours(1));
        let settled = daemon.sweep(world).await;
        assert_eq!(state(&settled, "f01"), State::InSync, "$LATEST is put right");
        let latest = world.aws.function("f01", None).unwrap();
        assert_eq!(latest["Configuration"]["CodeSha256"], sha("1.0.0"));
    })
    .await;
}

#[tokio::test]
async fn commits_that_come_faster_than_the_fleet_is_read_do_not_keep_it_from_being_served() {
    let mut world = with_git(&["api"]).await;
    beside_by_hand(&mut world, async |world, daemon| {
        let fetched = "pinfold_git_requests_total{operation=\"fetch\",result=\"ok\"}";
        // Nothing is read to the end until the clock is turned.
        let slow = Effect::Delay { ms: 60_000 };
        world.sandbox.inject(Fault::on("GetFunction", slow).times(0));
        for (version, fetches) in [("1.1.0", "2"), ("2.0.0-rc.1", "3"), ("1.0.0", "4")] {
            world.function("api", version);
            daemon.nudge.source();
            until(|| daemon.metric(fetched).as_deref() == Some(fetches)).await;
        }
        world.sandbox.clear_faults();
        world.clock.advance(Duration::from_mins(1));
        let head = world.desired().await.revision;
        daemon
            .until(|status| state(status, "api") == State::InSync && revision(status) == head)
            .await;
        let uploads: Vec<_> = world.writes();
        // The first pass was ended before it did anything, so the second was left to do something first.
        assert_eq!(uploads[0].operation, "UpdateFunctionCode");
        let skipped = daemon.metric("pinfold_reconciles_total{result=\"skipped\"}");
        assert_eq!(skipped.as_deref(), Some("2"));
    })
    .await;
}
