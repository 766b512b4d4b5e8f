//! Drift that Pinfold corrects: a new version in Git, and what other hands did to Lambda.

use aws_sdk_lambda::types::Architecture;

use crate::departures::Fact;
use crate::world::scenario;

#[tokio::test]
async fn where_nothing_changed_nothing_is_written() {
    scenario("no-change", async |world| {
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync true
          api InSync
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
async fn a_bump_is_uploaded_published_and_served() {
    scenario("bump", async |world| {
        world.version("1.1.0");
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift code $LATEST: 1.1.0 (sha:1.1.0), live $LATEST (sha:1.0.0)
            drift alias live: 1.1.0 (sha:1.1.0), live 1 (sha:1.0.0)
            step UpdateCode 1.1.0 (sha:1.1.0) of object:1.1.0: planned
            step AwaitUpdated sha:1.1.0: planned
            step PublishVersion sha:1.1.0 as -: planned
            step MoveAlias live 1 to -: planned
        after: inSync true
          api InSync
            step UpdateCode 1.1.0 (sha:1.1.0) of object:1.1.0: done
            step AwaitUpdated sha:1.1.0: done
            step PublishVersion sha:1.1.0 as 2: done
            step MoveAlias live 1 to 2: done
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
async fn a_bump_of_one_alias_leaves_the_others_alone() {
    scenario("bump-of-one-alias", async |world| {
        world.manifest("version: \"1.0.0\"\naliases: { live: {}, beta: { version: \"1.1.0\" } }\n");
        world.settle().await;
        world.manifest("version: \"1.0.0\"\naliases: { live: {}, beta: { version: \"2.0.0-rc.1\" } }\n");
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift alias beta: 2.0.0-rc.1 (sha:2.0.0-rc.1), live 2 (sha:1.1.0)
            step UpdateCode 2.0.0-rc.1 (sha:2.0.0-rc.1) of object:2.0.0-rc.1: planned
            step AwaitUpdated sha:2.0.0-rc.1: planned
            step PublishVersion sha:2.0.0-rc.1 as -: planned
            step MoveAlias beta 2 to -: planned
            step UpdateCode 1.0.0 (sha:1.0.0) of object:1.0.0: planned
            step AwaitUpdated sha:1.0.0: planned
        after: inSync true
          api InSync
            step UpdateCode 2.0.0-rc.1 (sha:2.0.0-rc.1) of object:2.0.0-rc.1: done
            step AwaitUpdated sha:2.0.0-rc.1: done
            step PublishVersion sha:2.0.0-rc.1 as 3: done
            step MoveAlias beta 2 to 3: done
            step UpdateCode 1.0.0 (sha:1.0.0) of object:1.0.0: done
            step AwaitUpdated sha:1.0.0: done
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
          3 sha:2.0.0-rc.1 pinfold 2.0.0-rc.1 sha256:sha:2.0.0-rc.1
          beta -> 3
          live -> 1
        ");
    })
    .await;
}

#[tokio::test]
async fn a_second_alias_gets_its_candidate_and_latest_is_put_back() {
    scenario("candidate", async |world| {
        world.manifest("version: \"1.0.0\"\naliases: { live: {}, beta: { version: \"2.0.0-rc.1\" } }\n");
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift alias beta: 2.0.0-rc.1 (sha:2.0.0-rc.1), live nothing
            step UpdateCode 2.0.0-rc.1 (sha:2.0.0-rc.1) of object:2.0.0-rc.1: planned
            step AwaitUpdated sha:2.0.0-rc.1: planned
            step PublishVersion sha:2.0.0-rc.1 as -: planned
            step CreateAlias beta - to -: planned
            step UpdateCode 1.0.0 (sha:1.0.0) of object:1.0.0: planned
            step AwaitUpdated sha:1.0.0: planned
        after: inSync true
          api InSync
            step UpdateCode 2.0.0-rc.1 (sha:2.0.0-rc.1) of object:2.0.0-rc.1: done
            step AwaitUpdated sha:2.0.0-rc.1: done
            step PublishVersion sha:2.0.0-rc.1 as 2: done
            step CreateAlias beta - to 2: done
            step UpdateCode 1.0.0 (sha:1.0.0) of object:1.0.0: done
            step AwaitUpdated sha:1.0.0: done
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          2 sha:2.0.0-rc.1 pinfold 2.0.0-rc.1 sha256:sha:2.0.0-rc.1
          beta -> 2
          live -> 1
        ");
    })
    .await;
}

#[tokio::test]
async fn a_hand_edited_latest_is_put_back_and_nothing_published() {
    scenario("hand-edited", async |world| {
        world.name_hash("edited");
        world.hands.update_code(&world.function, "edited").await;
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift code $LATEST: 1.0.0 (sha:1.0.0), live $LATEST (sha:edited)
            step UpdateCode 1.0.0 (sha:1.0.0) of object:1.0.0: planned
            step AwaitUpdated sha:1.0.0: planned
        after: inSync true
          api InSync
            step UpdateCode 1.0.0 (sha:1.0.0) of object:1.0.0: done
            step AwaitUpdated sha:1.0.0: done
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          live -> 1
        ");
    })
    .await;
}

#[tokio::test]
async fn a_hand_edit_that_was_published_and_served_is_put_back_alias_first() {
    scenario("hand-released", async |world| {
        world.name_hash("edited");
        world.hands.update_code(&world.function, "edited").await;
        let version = world.hands.publish(&world.function).await;
        world.hands.move_alias(&world.function, "live", &version).await;
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift code $LATEST: 1.0.0 (sha:1.0.0), live $LATEST (sha:edited)
            drift alias live: 1.0.0 (sha:1.0.0), live 2 (sha:edited)
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
          2 sha:edited
          live -> 1
        ");
    })
    .await;
}

#[tokio::test]
async fn an_alias_moved_by_hand_goes_back_in_one_write() {
    scenario("alias-moved", async |world| {
        world.release().await;
        world.hands.move_alias(&world.function, "live", "1").await;
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift alias live: 1.1.0 (sha:1.1.0), live 1 (sha:1.0.0)
            step MoveAlias live 1 to 2: planned
        after: inSync true
          api InSync
            step MoveAlias live 1 to 2: done
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
async fn a08_weights_left_behind_are_cleared() {
    scenario("weights", async |world| {
        world.release().await;
        if world.departs(Fact::UpdateAliasFailsOnWeights) {
            world.hands.delete_alias(&world.function, "live").await;
            world.hands.create_shifted(&world.function, "live", "2", "1").await;
        } else {
            let shift = world.hands.shift(&world.function, "live", "1");
            shift.send().await.unwrap();
        }
        insta::assert_snapshot!(world.story().await, @r#"
        plan: inSync false
          api Drifted
            drift routing live: no weights, live {"1":0.1}
            step MoveAlias live 2 to 2: planned
        after: inSync true
          api InSync
            step MoveAlias live 2 to 2: done
        live:
          $LATEST sha:1.1.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
          live -> 2
        "#);
    })
    .await;
}

#[tokio::test]
async fn a_missing_alias_is_made_again_on_the_version_that_is_there() {
    scenario("alias-missing", async |world| {
        world.hands.delete_alias(&world.function, "live").await;
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift alias live: 1.0.0 (sha:1.0.0), live nothing
            step CreateAlias live - to 1: planned
        after: inSync true
          api InSync
            step CreateAlias live - to 1: done
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          live -> 1
        ");
    })
    .await;
}

#[tokio::test]
async fn an_alias_that_points_at_latest_is_pinned_to_a_version() {
    scenario("alias-at-latest", async |world| {
        world.hands.move_alias(&world.function, "live", "$LATEST").await;
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift alias live: 1.0.0 (sha:1.0.0), live $LATEST (sha:1.0.0)
            step MoveAlias live $LATEST to 1: planned
        after: inSync true
          api InSync
            step MoveAlias live $LATEST to 1: done
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          live -> 1
        ");
    })
    .await;
}

#[tokio::test]
async fn an_alias_that_git_does_not_name_stays_where_it_is() {
    scenario("alias-of-others", async |world| {
        world.hands.create_alias(&world.function, "canary", "1").await;
        world.version("1.1.0");
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift code $LATEST: 1.1.0 (sha:1.1.0), live $LATEST (sha:1.0.0)
            drift alias live: 1.1.0 (sha:1.1.0), live 1 (sha:1.0.0)
            step UpdateCode 1.1.0 (sha:1.1.0) of object:1.1.0: planned
            step AwaitUpdated sha:1.1.0: planned
            step PublishVersion sha:1.1.0 as -: planned
            step MoveAlias live 1 to -: planned
        after: inSync true
          api InSync
            step UpdateCode 1.1.0 (sha:1.1.0) of object:1.1.0: done
            step AwaitUpdated sha:1.1.0: done
            step PublishVersion sha:1.1.0 as 2: done
            step MoveAlias live 1 to 2: done
        live:
          $LATEST sha:1.1.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
          canary -> 1
          live -> 2
        ");
    })
    .await;
}

#[tokio::test]
async fn an_arm_function_stays_one() {
    scenario("arm", async |world| {
        let call = world.hands.lambda.update_function_code().function_name(&world.function);
        let call = call.s3_bucket(&world.hands.bucket).s3_key(world.key("1.0.0"));
        call.architectures(Architecture::Arm64).send().await.unwrap();
        world.hands.wait(&world.function).await;
        world.version("1.1.0");
        world.settle().await;
        let latest = world.hands.latest(&world.function).await;
        assert_eq!(latest.architectures(), [Architecture::Arm64]);
    })
    .await;
}
