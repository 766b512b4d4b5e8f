//! `UpdateFunctionCode`: what shows at once, what shows when it is through, and which guards hold in between.

use aws_sdk_lambda::types::{LastUpdateStatus, State};

use crate::world::{ARN, World, refusal, sha, zip};

fn conflict() -> (u16, String) {
    (409, "ResourceConflictException".to_owned())
}

fn stale() -> (u16, String) {
    (412, "PreconditionFailedException".to_owned())
}

#[tokio::test]
async fn update_function_code_answers_with_latest_and_already_the_new_code() {
    let world = World::new().await;
    world.function("1").await;
    let reply = world.update("22").await;
    assert_eq!(reply.version(), Some("$LATEST"));
    assert_eq!(reply.code_sha256(), Some(sha(&zip("22")).as_str()));
    assert_eq!(reply.code_size(), i64::try_from(zip("22").len()).unwrap());
}

#[tokio::test]
async fn revision_id_and_last_modified_change_with_an_accepted_update() {
    let world = World::new().await;
    world.function("1").await;
    let before = world.get(None).await;
    let reply = world.update("2").await;
    assert_ne!(reply.revision_id(), before.revision_id());
    assert_ne!(reply.last_modified(), before.last_modified());
    assert!(
        reply.last_modified().unwrap().contains(".000+"),
        "an update writes whole seconds"
    );
}

#[tokio::test]
async fn a_published_version_keeps_its_code_and_revision_when_latest_changes() {
    let world = World::new().await;
    world.function("1").await;
    world.publish().await;
    let before = world.get(Some("1")).await;
    world.update("2").await;
    let after = world.get(Some("1")).await;
    assert_eq!(after.code_sha256(), before.code_sha256());
    assert_eq!(after.revision_id(), before.revision_id());
}

#[tokio::test]
async fn the_identical_zip_is_accepted_again_with_a_new_revision() {
    let world = World::new().await;
    world.function("1").await;
    let before = world.get(None).await;
    let reply = world.update("1").await;
    assert_eq!(reply.code_sha256(), before.code_sha256());
    assert_ne!(reply.revision_id(), before.revision_id());
}

#[tokio::test]
async fn update_function_code_replies_active_with_in_progress() {
    let world = World::new().await;
    world.function("1").await;
    let reply = world.update("2").await;
    assert_eq!(reply.state(), Some(&State::Active));
    assert_eq!(reply.last_update_status(), Some(&LastUpdateStatus::InProgress));
}

#[tokio::test]
async fn while_in_progress_get_function_already_shows_the_new_code() {
    let world = World::with_window().await;
    world.function("1").await;
    world.update("2").await;
    let shown = world.get(None).await;
    assert_eq!(shown.code_sha256(), Some(sha(&zip("2")).as_str()));
    assert_eq!(shown.last_update_status(), Some(&LastUpdateStatus::InProgress));
}

#[tokio::test]
async fn the_revision_rotates_a_second_time_when_the_update_completes() {
    let world = World::with_window().await;
    world.function("1").await;
    let reply = world.update("2").await;
    assert_eq!(world.get(None).await.revision_id(), reply.revision_id());
    world.settle();
    let after = world.get(None).await;
    assert_eq!(after.last_update_status(), Some(&LastUpdateStatus::Successful));
    assert_ne!(after.revision_id(), reply.revision_id());
    assert_eq!(after.last_modified(), reply.last_modified());
}

#[tokio::test]
async fn the_revision_of_the_reply_is_stale_after_completion() {
    let world = World::new().await;
    world.function("1").await;
    let reply = world.update("2").await;
    let guarded = world.update_call("3").revision_id(reply.revision_id().unwrap());
    assert_eq!(refusal(guarded.send().await), stale());
}

#[tokio::test]
async fn a_second_update_while_in_progress_is_409_and_the_first_ones_code_stays() {
    let world = World::with_window().await;
    world.function("1").await;
    world.update("2").await;
    assert_eq!(refusal(world.update_call("3").send().await), conflict());
    world.settle();
    assert_eq!(world.get(None).await.code_sha256(), Some(sha(&zip("2")).as_str()));
}

#[tokio::test]
async fn publish_version_while_in_progress_is_409_and_publishes_nothing() {
    let world = World::with_window().await;
    world.function("1").await;
    world.update("2").await;
    assert_eq!(
        refusal(world.lambda.publish_version().function_name("f").send().await),
        conflict()
    );
    assert_eq!(world.versions().await, ["$LATEST"]);
}

#[tokio::test]
async fn other_writes_while_in_progress_are_409_too() {
    let world = World::with_window().await;
    world.function("1").await;
    world.update("2").await;
    let configuration = world
        .lambda
        .update_function_configuration()
        .function_name("f")
        .timeout(9);
    assert_eq!(refusal(configuration.send().await), conflict());
    assert_eq!(
        refusal(world.lambda.tag_resource().resource(ARN).tags("a", "b").send().await),
        conflict()
    );
}

#[tokio::test]
async fn an_update_with_a_wrong_revision_is_412_and_changes_nothing() {
    let world = World::new().await;
    world.function("1").await;
    let before = world.get(None).await;
    for wrong in ["00000000-0000-4000-8000-000000000000", "not a revision"] {
        assert_eq!(refusal(world.update_call("2").revision_id(wrong).send().await), stale());
    }
    assert_eq!(world.get(None).await, before);
}

#[tokio::test]
async fn the_current_revision_is_accepted_once() {
    let world = World::new().await;
    world.function("1").await;
    let revision = world.latest_revision().await;
    world.update_call("2").revision_id(&revision).send().await.unwrap();
    assert_eq!(
        refusal(world.update_call("2").revision_id(&revision).send().await),
        stale()
    );
}

#[tokio::test]
async fn creating_or_moving_an_alias_spoils_no_code_guard() {
    let world = World::new().await;
    world.function("1").await;
    world.publish().await;
    world.release("2").await;
    let before = world.latest_revision().await;
    world.alias("live", "1").await;
    world
        .lambda
        .update_alias()
        .function_name("f")
        .name("live")
        .function_version("2")
        .send()
        .await
        .unwrap();
    assert_eq!(world.latest_revision().await, before);
}

#[tokio::test]
async fn a_new_publication_rotates_the_revision_of_latest_but_not_its_last_modified() {
    let world = World::new().await;
    world.function("1").await;
    let before = world.get(None).await;
    world.publish().await;
    let after = world.get(None).await;
    assert_ne!(after.revision_id(), before.revision_id());
    assert_eq!(after.last_modified(), before.last_modified());
    assert_eq!(world.get(Some("1")).await.last_modified(), before.last_modified());
}

#[tokio::test]
async fn an_update_with_publish_replies_with_the_new_version() {
    let world = World::new().await;
    world.function("1").await;
    let reply = world.update_call("2").publish(true).send().await.unwrap();
    assert_eq!(reply.version(), Some("1"));
    assert_eq!(reply.function_arn(), Some(format!("{ARN}:1").as_str()));
    assert_eq!(reply.code_sha256(), Some(sha(&zip("2")).as_str()));
}

#[tokio::test]
async fn an_update_with_publish_replies_pending_without_a_last_update() {
    let world = World::new().await;
    world.function("1").await;
    let reply = world.update_call("2").publish(true).send().await.unwrap();
    assert_eq!(reply.state(), Some(&State::Pending));
    assert_eq!(reply.last_update_status(), None);
}

#[tokio::test]
async fn while_an_update_with_publish_runs_latest_is_in_progress_and_the_version_pending() {
    let world = World::with_window().await;
    world.function("1").await;
    world.update_call("2").publish(true).send().await.unwrap();
    let latest = world.get(None).await;
    assert_eq!(latest.state(), Some(&State::Active));
    assert_eq!(latest.last_update_status(), Some(&LastUpdateStatus::InProgress));
    assert_eq!(world.get(Some("1")).await.state(), Some(&State::Pending));
}

#[tokio::test]
async fn when_an_update_with_publish_is_done_the_versions_revision_has_rotated() {
    let world = World::with_window().await;
    world.function("1").await;
    let reply = world.update_call("2").publish(true).send().await.unwrap();
    world.settle();
    let version = world.get(Some("1")).await;
    assert_eq!(version.state(), Some(&State::Active));
    assert_eq!(version.last_update_status(), Some(&LastUpdateStatus::Successful));
    assert_ne!(version.revision_id(), reply.revision_id());
}

#[tokio::test]
async fn the_same_zip_twice_with_publish_makes_two_versions() {
    let world = World::new().await;
    world.function("1").await;
    let first = world.update_call("2").publish(true).send().await.unwrap();
    let second = world.update_call("2").publish(true).send().await.unwrap();
    assert_eq!((first.version(), second.version()), (Some("1"), Some("2")));
    assert_eq!(first.code_sha256(), second.code_sha256());
}

#[tokio::test]
async fn dry_run_with_publish_is_refused_before_the_revision_is_looked_at() {
    let world = World::new().await;
    world.function("1").await;
    let both = world
        .update_call("2")
        .publish(true)
        .dry_run(true)
        .revision_id("stale")
        .send()
        .await;
    assert_eq!(refusal(both), (400, "InvalidParameterValueException".to_owned()));
}

#[tokio::test]
async fn dry_run_changes_nothing() {
    let world = World::new().await;
    world.function("1").await;
    let before = world.get(None).await;
    let reply = world.update_call("2").dry_run(true).send().await.unwrap();
    assert_eq!(reply.code_sha256(), Some(sha(&zip("2")).as_str()));
    assert_eq!(world.get(None).await, before);
}
