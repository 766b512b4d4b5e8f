//! `DeleteFunction` with a qualifier: what goes, what stays, and what is refused.

use aws_sdk_lambda::types::AliasRoutingConfiguration;

use crate::world::{World, refusal};

fn conflict() -> (u16, String) {
    (409, "ResourceConflictException".to_owned())
}

/// The function `f` with the versions 1 and 2.
async fn world() -> World {
    let world = World::new().await;
    world.function("1").await;
    world.publish().await;
    world.release("2").await;
    world
}

#[tokio::test]
async fn deleting_a_version_answers_204_and_leaves_everything_else() {
    let world = world().await;
    let (latest, second) = (world.get(None).await, world.get(Some("2")).await);
    world
        .lambda
        .delete_function()
        .function_name("f")
        .qualifier("1")
        .send()
        .await
        .unwrap();
    assert_eq!(world.sandbox.calls().last().unwrap().status, Some(204));
    assert_eq!(world.versions().await, ["$LATEST", "2"]);
    assert_eq!(world.get(None).await, latest);
    assert_eq!(world.get(Some("2")).await, second);
}

#[tokio::test]
async fn after_deleting_the_last_allocated_version_an_unchanged_publish_allocates_the_next_number() {
    let world = world().await;
    let before = world.latest_revision().await;
    world
        .lambda
        .delete_function()
        .function_name("f")
        .qualifier("2")
        .send()
        .await
        .unwrap();
    assert_ne!(world.latest_revision().await, before);
    assert_eq!(world.publish().await, "3");
}

#[tokio::test]
async fn deleting_an_absent_version_is_204() {
    let world = world().await;
    world
        .lambda
        .delete_function()
        .function_name("f")
        .qualifier("9")
        .send()
        .await
        .unwrap();
    assert_eq!(world.sandbox.calls().last().unwrap().status, Some(204));
}

#[tokio::test]
async fn deleting_a_version_an_alias_points_at_is_409() {
    let world = world().await;
    world.alias("live", "1").await;
    let delete = world
        .lambda
        .delete_function()
        .function_name("f")
        .qualifier("1")
        .send()
        .await;
    assert_eq!(refusal(delete), conflict());
    assert_eq!(world.versions().await, ["$LATEST", "1", "2"]);
}

#[tokio::test]
async fn deleting_a_version_that_only_has_weight_is_409() {
    let world = world().await;
    let routing = AliasRoutingConfiguration::builder()
        .additional_version_weights("2", 0.25)
        .build();
    let alias = world
        .lambda
        .create_alias()
        .function_name("f")
        .name("live")
        .function_version("1");
    alias.routing_config(routing).send().await.unwrap();
    let delete = world
        .lambda
        .delete_function()
        .function_name("f")
        .qualifier("2")
        .send()
        .await;
    assert_eq!(refusal(delete), conflict());
    assert_eq!(world.versions().await, ["$LATEST", "1", "2"]);
    let kept = world.get_alias("live").await;
    let weights = kept.routing_config().unwrap().additional_version_weights();
    assert_eq!(weights.unwrap().get("2").copied(), Some(0.25));
}

#[tokio::test]
async fn latest_is_no_version_to_delete() {
    let world = world().await;
    let delete = world
        .lambda
        .delete_function()
        .function_name("f")
        .qualifier("$LATEST")
        .send()
        .await;
    assert_eq!(refusal(delete), (400, "InvalidParameterValueException".to_owned()));
}
