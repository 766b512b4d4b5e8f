//! Going back: to code that is published already, and what today's configuration has to do with it.

use crate::hands::sha;
use crate::world::scenario;

#[tokio::test]
async fn a_revert_moves_the_alias_first_and_publishes_nothing() {
    scenario("revert", async |world| {
        world.release().await;
        world.version("1.0.0");
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift code $LATEST: 1.0.0 (sha:1.0.0), live $LATEST (sha:1.1.0)
            drift alias live: 1.0.0 (sha:1.0.0), live 2 (sha:1.1.0)
            step MoveAlias live 2 to 1: planned
            step UpdateCode 1.0.0 (sha:1.0.0) of object:1.0.0: planned
            step AwaitUpdated sha:1.0.0: planned
        after: inSync true
          api InSync
            step MoveAlias live 2 to 1: done
            step UpdateCode 1.0.0 (sha:1.0.0) of object:1.0.0: done
            step AwaitUpdated sha:1.0.0: done
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
          live -> 1
        ");
    })
    .await;
}

#[tokio::test]
async fn a_revert_of_a_revert_takes_the_version_that_is_there() {
    scenario("revert-of-revert", async |world| {
        world.release().await;
        world.version("1.0.0");
        world.settle().await;
        world.version("1.1.0");
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift code $LATEST: 1.1.0 (sha:1.1.0), live $LATEST (sha:1.0.0)
            drift alias live: 1.1.0 (sha:1.1.0), live 1 (sha:1.0.0)
            step MoveAlias live 1 to 2: planned
            step UpdateCode 1.1.0 (sha:1.1.0) of object:1.1.0: planned
            step AwaitUpdated sha:1.1.0: planned
        after: inSync true
          api InSync
            step MoveAlias live 1 to 2: done
            step UpdateCode 1.1.0 (sha:1.1.0) of object:1.1.0: done
            step AwaitUpdated sha:1.1.0: done
        live:
          $LATEST sha:1.1.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
          live -> 2
        ");
    })
    .await;
}

#[tokio::test]
async fn a_configuration_newer_than_the_version_is_told_and_is_in_sync() {
    scenario("configuration", async |world| {
        world.hands.configure(&world.function, 9).await;
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync true
          api InSync
            drift configuration live: 1.0.0 (sha:1.0.0), live 1 (sha:1.0.0)
        after: as planned
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          live -> 1
        ");
    })
    .await;
}

#[tokio::test]
async fn a_revert_across_a_change_of_configuration_publishes_the_old_code_anew() {
    scenario("revert-across", async |world| {
        world.release().await;
        world.hands.configure(&world.function, 9).await;
        world.version("1.0.0");
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift code $LATEST: 1.0.0 (sha:1.0.0), live $LATEST (sha:1.1.0)
            drift alias live: 1.0.0 (sha:1.0.0), live 2 (sha:1.1.0)
            step UpdateCode 1.0.0 (sha:1.0.0) of object:1.0.0: planned
            step AwaitUpdated sha:1.0.0: planned
            step PublishVersion sha:1.0.0 as -: planned
            step MoveAlias live 2 to -: planned
        after: inSync true
          api InSync
            step UpdateCode 1.0.0 (sha:1.0.0) of object:1.0.0: done
            step AwaitUpdated sha:1.0.0: done
            step PublishVersion sha:1.0.0 as 3: done
            step MoveAlias live 2 to 3: done
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
          3 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          live -> 3
        ");
    })
    .await;
}

#[tokio::test]
async fn a_revert_whose_artifact_is_gone_moves_the_alias_all_the_same_where_git_pins_it() {
    scenario("revert-without", async |world| {
        world.release().await;
        world.hands.delete_object(&world.key("1.0.0")).await;
        world.manifest(&format!("version: \"1.0.0\"\nsha256: {}\n", sha("1.0.0")));
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift code $LATEST: 1.0.0 (sha:1.0.0), live $LATEST (sha:1.1.0)
            drift alias live: 1.0.0 (sha:1.0.0), live 2 (sha:1.1.0)
            step MoveAlias live 2 to 1: planned
            withheld $LATEST ArtifactNotFound
        after: inSync false
          api Withheld
            drift code $LATEST: 1.0.0 (sha:1.0.0), live $LATEST (sha:1.1.0)
            step MoveAlias live 2 to 1: done
            withheld $LATEST ArtifactNotFound
        live:
          $LATEST sha:1.1.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
          live -> 1
        ");
    })
    .await;
}
