//! What somebody changed is looked at as soon as it is heard of, and nothing else is.

use pinfold::domain::FunctionKey;
use pinfold::plan::State;

use crate::beside::{Daemon, beside, beside_layered, state, with_git};
use crate::world::World;

fn key(function: &str) -> FunctionKey {
    FunctionKey {
        target: "prod".parse().unwrap(),
        name: function.parse().unwrap(),
    }
}

/// Two functions of which `api` was released twice, and `live` is then moved back by hand, which somebody tells of.
async fn moved_by_hand(world: &mut World, daemon: &mut Daemon) {
    world.aws.update_alias("api", "live", 1, None).unwrap();
    world.sandbox.clear_calls();
    // Neither what Git does not name, nor what no target has, is looked at.
    let stranger = FunctionKey {
        target: "elsewhere".parse().unwrap(),
        ..key("api")
    };
    daemon.nudge.functions([key("stranger"), stranger, key("api")]);
    while state(&daemon.next_pass().await, "api") != State::InSync {}
    assert_eq!(world.aws.alias("api", "live").unwrap()["FunctionVersion"], "2");
    let calls = world.sandbox.calls().into_iter();
    let others: Vec<String> = calls
        .filter(|call| !call.resource.contains("api"))
        .map(|call| format!("{} {}", call.operation, call.resource))
        .collect();
    assert_eq!(others, [""; 0]);
    assert_eq!(
        state(&daemon.status.get(), "worker"),
        State::InSync,
        "it is still reported"
    );
}

async fn released() -> World {
    let mut world = with_git(&["api", "worker"]).await;
    world.function("api", "1.1.0");
    world.settle().await;
    world.create("stranger");
    world
}

#[tokio::test]
async fn a_function_that_was_heard_of_is_put_right_without_a_sweep() {
    let mut world = released().await;
    beside(&mut world, async |world, daemon| {
        moved_by_hand(world, daemon).await;
    })
    .await;
}

#[tokio::test]
async fn a_function_of_a_large_fleet_that_was_heard_of_is_put_right_without_a_sweep() {
    let mut world = released().await;
    beside_layered(&mut world, async |world, daemon| {
        // The sweep that begins with the first commit is over with this.
        daemon.until(|status| status.last_sweep.is_some()).await;
        moved_by_hand(world, daemon).await;
    })
    .await;
}
