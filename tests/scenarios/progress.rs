//! How far a release is, while it is under way: what the status and a scrape tell of it, and that it is gone afterwards.

use std::time::Duration;

use pinfold::plan::State;
use pinfold::sandbox::{Effect, Fault};
use serde_json::json;

use crate::beside::{Daemon, beside_by_hand, state, with_git};
use crate::world::{refusal, until};

/// Returns what a scrape tells of the changes under way: to come, in hand, and done, failed and refused.
fn scraped(daemon: &Daemon) -> [String; 5] {
    [
        "pinfold_queue_depth ",
        "pinfold_workers_busy ",
        "pinfold_wave_functions{result=\"done\"} ",
        "pinfold_wave_functions{result=\"failed\"} ",
        "pinfold_wave_functions{result=\"refused\"} ",
    ]
    .map(|series| daemon.metric(series).unwrap())
}

#[tokio::test]
async fn a_release_tells_how_far_it_is_and_a_revert_goes_first() {
    let mut world = with_git(&["a", "b", "c", "reverted"]).await;
    world.function("reverted", "1.1.0");
    world.settle().await;
    beside_by_hand(&mut world, async |world, daemon| {
        let started = "pinfold_wave_started_timestamp_seconds ";
        assert_eq!(daemon.status.progress().get(), None);
        assert_eq!(scraped(daemon), ["0"; 5]);
        assert_eq!(daemon.metric(started).as_deref(), Some("0"));
        assert_eq!(daemon.metric("pinfold_workers ").as_deref(), Some("96"));

        // Updates that last until somebody turns the clock, and one that is refused.
        let lasting = Effect::InProgress { ms: 60_000 };
        for name in ["a", "b", "reverted"] {
            world
                .sandbox
                .inject(Fault::on("UpdateFunctionCode", lasting.clone()).of(name));
        }
        let broken = Fault::on("UpdateFunctionCode", refusal(400)).of("c");
        world.sandbox.inject(broken);
        for name in ["a", "b", "c"] {
            world.function(name, "1.1.0");
        }
        world.function("reverted", "1.0.0");
        let head = world.desired().await.revision.unwrap();
        daemon.nudge.source();
        until(|| {
            let progress = daemon.status.progress().get();
            progress.is_some_and(|progress| progress.failed == 1 && progress.in_hand == 3) && world.writes().len() == 5
        })
        .await;
        let progress = daemon.status.progress().get().unwrap();
        assert_eq!(
            progress.to_json(),
            json!({
                "revision": head.to_string(), "since": "2026-01-01T00:00:00Z", "expectedEnd": null,
                "functions": 4, "done": 0, "failed": 1, "refused": 0, "inHand": 3, "toCome": 0,
                "moves": { "functions": 1, "done": 1 },
            })
        );
        assert_eq!(scraped(daemon), ["0", "3", "0", "1", "0"]);
        assert_ne!(daemon.metric(started).as_deref(), Some("0"));

        world.clock.advance(Duration::from_mins(2));
        let status = daemon.next_pass().await;
        assert_eq!(state(&status, "reverted"), State::InSync);
        assert_eq!(state(&status, "c"), State::Failed);
        assert_eq!(daemon.status.progress().get(), None, "nothing is under way any more");
        assert_eq!(scraped(daemon), ["0"; 5]);
    })
    .await;
}
