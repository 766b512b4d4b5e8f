//! Steps that fail while others can go on: one alias's trouble is not another's, and `$LATEST` never stays behind.

use pinfold::sandbox::{Effect, Fault};

use crate::world::World;

/// `live` is to be bumped to 1.1.0, and `beta` to get a candidate of its own, which passes through `$LATEST`.
async fn bump_and_candidate() -> World {
    let mut world = World::settled().await;
    world.manifest(
        "api",
        "version: \"1.1.0\"\naliases: { live: {}, beta: { version: \"2.0.0-rc.1\" } }\n",
    );
    world
}

#[tokio::test]
async fn latest_is_put_back_where_the_candidates_alias_may_not_be_made() {
    let world = bump_and_candidate().await;
    world.refuse("CreateAlias", 403, 0);
    let report = world.apply().await;
    assert_eq!(report.to_json()["functions"][0]["state"], "Failed");
    insta::assert_snapshot!(world.live(), @r#"
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:2.0.0-rc.1 pinfold 2.0.0-rc.1 sha256:sha:2.0.0-rc.1
        3 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 3
    "#);
    world.sandbox.clear_calls();
    world.apply().await;
    assert_eq!(
        world.writes().len(),
        1,
        "the next pass tries the alias alone: {:?}",
        world.written()
    );
}

#[tokio::test]
async fn latest_is_put_back_where_the_candidate_cannot_be_published() {
    let world = bump_and_candidate().await;
    world.refuse("PublishVersion", 403, 1);
    world.apply().await;
    insta::assert_snapshot!(world.live(), @r#"
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2
    "#);
}

#[tokio::test]
async fn a_candidate_that_lambda_does_not_take_does_not_keep_live_waiting() {
    let world = bump_and_candidate().await;
    world.refuse("UpdateFunctionCode", 400, 1);
    world.apply().await;
    insta::assert_snapshot!(world.live(), @r#"
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2
    "#);
}

#[tokio::test]
async fn a_candidate_whose_update_fails_does_not_keep_live_waiting() {
    let world = bump_and_candidate().await;
    let failing = Effect::UpdateFails {
        code: "InternalError".to_owned(),
        reason: "it broke".to_owned(),
    };
    world.sandbox.inject(Fault::on("UpdateFunctionCode", failing));
    world.apply().await;
    insta::assert_snapshot!(world.live(), @r#"
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2
    "#);
}

#[tokio::test]
async fn an_alias_that_cannot_be_moved_back_does_not_keep_another_waiting() {
    let mut world = World::settled().await;
    world.manifest("api", "version: \"1.1.0\"\naliases: { live: {}, beta: {} }\n");
    world.settle().await;
    world.manifest("api", "version: \"1.0.0\"\naliases: { live: {}, beta: {} }\n");
    world.refuse("UpdateAlias", 403, 1);
    world.apply().await;
    insta::assert_snapshot!(world.live(), @r#"
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        beta -> 2
        live -> 1
    "#);
}
