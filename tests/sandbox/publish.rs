//! `PublishVersion`: when it makes a version, which one it answers with, and its guards.

use aws_sdk_lambda::types::{LastUpdateStatus, State};

use crate::world::{ARN, World, refusal, sha, zip};

fn stale() -> (u16, String) {
    (412, "PreconditionFailedException".to_owned())
}

fn invalid() -> (u16, String) {
    (400, "InvalidParameterValueException".to_owned())
}

#[tokio::test]
async fn publish_version_answers_201_with_the_new_version() {
    let world = World::new().await;
    world.function("1").await;
    world.sandbox.clear_calls();
    let reply = world.lambda.publish_version().function_name("f").send().await.unwrap();
    assert_eq!(reply.version(), Some("1"));
    assert_eq!(reply.code_sha256(), Some(sha(&zip("1")).as_str()));
    assert_eq!(world.sandbox.calls()[0].status, Some(201));
}

#[tokio::test]
async fn a_version_of_publish_version_is_active_at_once() {
    let world = World::with_window().await;
    world.function("1").await;
    let reply = world.lambda.publish_version().function_name("f").send().await.unwrap();
    assert_eq!(reply.state(), Some(&State::Active));
    assert_eq!(reply.last_update_status(), Some(&LastUpdateStatus::Successful));
}

#[tokio::test]
async fn publishing_unchanged_answers_with_the_same_version() {
    let world = World::new().await;
    world.function("1").await;
    let first = world.lambda.publish_version().function_name("f").send().await.unwrap();
    let revision = world.latest_revision().await;
    world.sandbox.clear_calls();
    let again = world
        .lambda
        .publish_version()
        .function_name("f")
        .description("another")
        .send()
        .await
        .unwrap();
    assert_eq!(world.sandbox.calls()[0].status, Some(201));
    assert_eq!(
        (again.version(), again.revision_id()),
        (first.version(), first.revision_id())
    );
    assert_eq!(world.latest_revision().await, revision);
}

#[tokio::test]
async fn publish_version_with_a_wrong_hash_is_400_and_publishes_nothing() {
    let world = World::new().await;
    world.function("1").await;
    let wrong = world
        .lambda
        .publish_version()
        .function_name("f")
        .code_sha256(sha(b"other"))
        .send()
        .await;
    assert_eq!(refusal(wrong), invalid());
    assert_eq!(world.versions().await, ["$LATEST"]);
}

#[tokio::test]
async fn publish_version_with_a_stale_revision_is_412_and_publishes_nothing() {
    let world = World::new().await;
    world.function("1").await;
    let revision = world.latest_revision().await;
    world.update("2").await;
    let guarded = world
        .lambda
        .publish_version()
        .function_name("f")
        .revision_id(&revision)
        .send()
        .await;
    assert_eq!(refusal(guarded), stale());
    // Where both guards are wrong, the revision is reported.
    let both = world
        .lambda
        .publish_version()
        .function_name("f")
        .revision_id(&revision)
        .code_sha256("x")
        .send()
        .await;
    assert_eq!(refusal(both), stale());
    assert_eq!(world.versions().await, ["$LATEST"]);
}

#[tokio::test]
async fn the_guards_of_publish_version_hold_when_there_is_nothing_to_publish() {
    let world = World::new().await;
    world.function("1").await;
    let revision = world.latest_revision().await;
    world.publish().await;
    let guarded = world
        .lambda
        .publish_version()
        .function_name("f")
        .revision_id(revision)
        .send()
        .await;
    assert_eq!(refusal(guarded), stale());
    let guarded = world
        .lambda
        .publish_version()
        .function_name("f")
        .code_sha256(sha(b"other"))
        .send()
        .await;
    assert_eq!(refusal(guarded), invalid());
}

#[tokio::test]
async fn uploading_the_identical_zip_makes_a_new_version_publishable() {
    let world = World::new().await;
    world.function("1").await;
    assert_eq!(world.publish().await, "1");
    assert_eq!(world.release("1").await, "2");
}

#[tokio::test]
async fn updating_the_configuration_to_the_same_values_makes_a_new_version_publishable() {
    let world = World::new().await;
    world.function("1").await;
    assert_eq!(world.publish().await, "1");
    world
        .lambda
        .update_function_configuration()
        .function_name("f")
        .timeout(3)
        .send()
        .await
        .unwrap();
    assert_eq!(world.publish().await, "2");
}

#[tokio::test]
async fn going_back_publishes_a_new_number() {
    let world = World::new().await;
    world.function("a").await;
    world.publish().await;
    assert_eq!(world.release("b").await, "2");
    assert_eq!(world.release("a").await, "3");
    assert_eq!(
        world.get(Some("3")).await.code_sha256(),
        world.get(Some("1")).await.code_sha256()
    );
}

#[tokio::test]
async fn a_tag_write_makes_nothing_publishable_yet_spoils_a_guard() {
    let world = World::new().await;
    world.function("1").await;
    world.publish().await;
    let before = world.get(None).await;
    world
        .lambda
        .tag_resource()
        .resource(ARN)
        .tags("team", "a")
        .send()
        .await
        .unwrap();
    let after = world.get(None).await;
    assert_ne!(after.revision_id(), before.revision_id());
    assert_ne!(after.last_modified(), before.last_modified());
    assert_eq!(world.publish().await, "1");

    world
        .lambda
        .untag_resource()
        .resource(ARN)
        .tag_keys("team")
        .send()
        .await
        .unwrap();
    assert_ne!(world.latest_revision().await, after.revision_id().unwrap());
    assert!(
        world
            .lambda
            .list_tags()
            .resource(ARN)
            .send()
            .await
            .unwrap()
            .tags()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_reserved_concurrency_write_rotates_the_revision() {
    let world = World::new().await;
    world.function("1").await;
    let before = world.latest_revision().await;
    let put = world
        .lambda
        .put_function_concurrency()
        .function_name("f")
        .reserved_concurrent_executions(5);
    put.send().await.unwrap();
    assert_ne!(world.latest_revision().await, before);
    let shown = world.lambda.get_function().function_name("f").send().await.unwrap();
    assert_eq!(shown.concurrency().unwrap().reserved_concurrent_executions(), Some(5));
    world
        .lambda
        .delete_function_concurrency()
        .function_name("f")
        .send()
        .await
        .unwrap();
    let left = world
        .lambda
        .get_function_concurrency()
        .function_name("f")
        .send()
        .await
        .unwrap();
    assert_eq!(left.reserved_concurrent_executions(), None);
}

#[tokio::test]
async fn numbers_go_on_counting_after_a_function_is_made_again() {
    let world = World::new().await;
    world.function("1").await;
    world.publish().await;
    world.lambda.delete_function().function_name("f").send().await.unwrap();
    assert_eq!(
        refusal(world.lambda.get_function().function_name("f").send().await),
        (404, "ResourceNotFoundException".to_owned())
    );
    world.function("1").await;
    assert_eq!(world.publish().await, "2");
}

#[tokio::test]
async fn a_description_at_publishing_leaves_latest_alone() {
    let world = World::new().await;
    world.function("1").await;
    let reply = world
        .lambda
        .publish_version()
        .function_name("f")
        .description("first")
        .send()
        .await
        .unwrap();
    assert_eq!(reply.description(), Some("first"));
    assert_eq!(world.get(None).await.description(), Some(""));
}

#[tokio::test]
async fn a_description_has_256_characters_at_most() {
    let world = World::new().await;
    world.function("1").await;
    let publish = |length| {
        world
            .lambda
            .publish_version()
            .function_name("f")
            .description("é".repeat(length))
    };
    assert_eq!(
        refusal(publish(257).send().await),
        (400, "ValidationException".to_owned())
    );
    assert_eq!(publish(256).send().await.unwrap().version(), Some("1"));
}

#[tokio::test]
async fn publishing_after_an_update_with_publish_answers_with_its_version() {
    let world = World::new().await;
    world.function("1").await;
    let made = world.update_call("2").publish(true).send().await.unwrap();
    let again = world
        .lambda
        .publish_version()
        .function_name("f")
        .code_sha256(sha(&zip("2")));
    assert_eq!(again.send().await.unwrap().version(), made.version());
}
