//! Somebody else with another opinion: who changes a function back again and again is left alone, told of, and tried
//! again ever more seldom.

use std::time::Duration;

use pinfold::plan::State;

use crate::beside::{Daemon, beside, reason, revision, state, with_git};
use crate::world::World;

/// Has `live` run another version, as a tool with its own idea of it would.
fn reverse(world: &World) {
    world.aws.update_alias("api", "live", 1, None).unwrap();
}

/// Reverses and sweeps until the daemon lets go. Returns how often it did not.
async fn until_held(world: &World, daemon: &mut Daemon) -> usize {
    for corrections in 0.. {
        reverse(world);
        let status = daemon.sweep(world).await;
        if state(&status, "api") == State::Withheld {
            return corrections;
        }
        assert_eq!(state(&status, "api"), State::InSync);
        world.clock.advance(Duration::from_mins(1));
    }
    unreachable!("it is held some time");
}

#[tokio::test]
async fn a_function_that_is_changed_back_again_and_again_is_left_alone() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        world.function("api", "1.1.0");
        daemon.look_at_source(world).await;
        assert_eq!(until_held(world, daemon).await, 3);
        let status = daemon.status.get();
        assert_eq!(reason(&status), Some("Contended"));
        let withheld = &status.report.as_ref().unwrap().functions[0].withheld[0];
        assert_eq!(
            withheld.message.matches("live was at 1 (RevisionId ").count(),
            3,
            "{}",
            withheld.message
        );
        assert!(withheld.until.is_some() && withheld.since.is_some(), "{withheld:?}");
        assert_eq!(
            world.aws.alias("api", "live").unwrap()["FunctionVersion"],
            "1",
            "it stays"
        );

        world.clock.advance(Duration::from_mins(15));
        assert_eq!(
            state(&daemon.sweep(world).await, "api"),
            State::InSync,
            "it is tried again"
        );
        reverse(world);
        world.clock.advance(Duration::from_mins(15));
        assert_eq!(
            state(&daemon.sweep(world).await, "api"),
            State::Withheld,
            "the second pause is longer"
        );
    })
    .await;
}

#[tokio::test]
async fn a_new_commit_and_an_acknowledgement_end_the_pause() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        world.function("api", "1.1.0");
        daemon.look_at_source(world).await;
        until_held(world, daemon).await;
        let commit = revision(&daemon.status.get()).unwrap();
        daemon.status.acknowledge(commit);
        assert_eq!(state(&daemon.sweep(world).await, "api"), State::InSync);

        until_held(world, daemon).await;
        world.function("api", "2.0.0-rc.1");
        assert_eq!(state(&daemon.look_at_source(world).await, "api"), State::InSync);
    })
    .await;
}

#[tokio::test]
async fn reversals_that_are_far_apart_are_no_fight() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        world.function("api", "1.1.0");
        daemon.look_at_source(world).await;
        for _ in 0..6 {
            reverse(world);
            assert_eq!(state(&daemon.sweep(world).await, "api"), State::InSync);
            world.clock.advance(Duration::from_hours(3));
        }
    })
    .await;
}
