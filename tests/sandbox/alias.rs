//! Aliases: making, moving and listing them, and the weights of a second version.

use aws_sdk_lambda::operation::update_alias::builders::UpdateAliasFluentBuilder;
use aws_sdk_lambda::types::AliasRoutingConfiguration;

use crate::world::{ARN, World, refusal, sha, zip};

fn conflict() -> (u16, String) {
    (409, "ResourceConflictException".to_owned())
}

fn missing() -> (u16, String) {
    (404, "ResourceNotFoundException".to_owned())
}

fn invalid() -> (u16, String) {
    (400, "InvalidParameterValueException".to_owned())
}

fn stale() -> (u16, String) {
    (412, "PreconditionFailedException".to_owned())
}

/// A routing with these weights; with none of them it is one that clears.
fn weights<const N: usize>(of: [(&str, f64); N]) -> AliasRoutingConfiguration {
    of.into_iter()
        .fold(
            AliasRoutingConfiguration::builder().set_additional_version_weights(Some([].into())),
            |routing, (version, weight)| routing.additional_version_weights(version, weight),
        )
        .build()
}

/// The function `f` with the versions 1, 2 and 3, and the alias `live` on version 1.
async fn world() -> World {
    let world = World::new().await;
    world.function("1").await;
    world.publish().await;
    world.release("2").await;
    world.release("3").await;
    world.alias("live", "1").await;
    world
}

fn update(world: &World) -> UpdateAliasFluentBuilder {
    world.lambda.update_alias().function_name("f").name("live")
}

/// The weight that an alias gives a version.
fn weight(routing: Option<&AliasRoutingConfiguration>, version: &str) -> Option<f64> {
    routing?.additional_version_weights()?.get(version).copied()
}

#[tokio::test]
async fn create_alias_answers_201_with_all_members_and_get_alias_shows_the_same() {
    let world = World::new().await;
    world.function("1").await;
    world.publish().await;
    let made = world.alias("live", "1").await;
    assert_eq!(made.alias_arn(), Some(format!("{ARN}:live").as_str()));
    assert_eq!(made.function_version(), Some("1"));
    assert_eq!(made.description(), Some(""));
    assert!(made.revision_id().is_some());
    assert!(made.routing_config().is_none());
    assert_eq!(world.sandbox.calls().last().unwrap().status, Some(201));
    let shown = world.get_alias("live").await;
    assert_eq!(shown.alias_arn(), made.alias_arn());
    assert_eq!(shown.description(), made.description());
    assert_eq!(shown.revision_id(), made.revision_id());
    assert!(shown.routing_config().is_none());
}

#[tokio::test]
async fn create_alias_of_an_existing_name_is_409_and_changes_nothing() {
    let world = world().await;
    let before = world.get_alias("live").await;
    let again = world
        .lambda
        .create_alias()
        .function_name("f")
        .name("live")
        .function_version("2")
        .send()
        .await;
    assert_eq!(refusal(again), conflict());
    assert_eq!(world.get_alias("live").await.revision_id(), before.revision_id());
    assert_eq!(world.get_alias("live").await.function_version(), Some("1"));
}

#[tokio::test]
async fn update_alias_to_a_missing_version_is_404_and_changes_nothing() {
    let world = world().await;
    let before = world.get_alias("live").await;
    assert_eq!(refusal(update(&world).function_version("9").send().await), missing());
    assert_eq!(world.get_alias("live").await.revision_id(), before.revision_id());
}

#[tokio::test]
async fn get_alias_of_a_missing_alias_is_404() {
    let world = world().await;
    assert_eq!(
        refusal(world.lambda.get_alias().function_name("f").name("nobody").send().await),
        missing()
    );
}

#[tokio::test]
async fn update_alias_with_a_stale_revision_is_412_and_changes_nothing() {
    let world = world().await;
    let before = world.get_alias("live").await;
    update(&world).send().await.unwrap();
    let guarded = update(&world)
        .function_version("2")
        .revision_id(before.revision_id().unwrap());
    assert_eq!(refusal(guarded.send().await), stale());
    assert_eq!(world.get_alias("live").await.function_version(), Some("1"));
}

#[tokio::test]
async fn update_alias_with_the_current_revision_moves_the_alias_and_rotates_its_revision() {
    let world = world().await;
    let revision = world.get_alias("live").await.revision_id.unwrap();
    let moved = update(&world)
        .function_version("2")
        .revision_id(&revision)
        .send()
        .await
        .unwrap();
    assert_eq!(moved.function_version(), Some("2"));
    assert_ne!(moved.revision_id(), Some(revision.as_str()));
    assert_eq!(world.get_alias("live").await.revision_id(), moved.revision_id());
}

#[tokio::test]
async fn every_update_alias_rotates_the_revision_even_an_empty_one() {
    let world = world().await;
    let first = world.get_alias("live").await.revision_id.unwrap();
    let second = update(&world).send().await.unwrap().revision_id.unwrap();
    let third = update(&world)
        .function_version("1")
        .send()
        .await
        .unwrap()
        .revision_id
        .unwrap();
    assert_ne!(first, second);
    assert_ne!(second, third);
}

#[tokio::test]
async fn right_after_update_alias_get_function_shows_the_new_version() {
    let world = world().await;
    update(&world).function_version("2").send().await.unwrap();
    let shown = world.get(Some("live")).await;
    assert_eq!(shown.version(), Some("2"));
    assert_eq!(shown.code_sha256(), Some(sha(&zip("2")).as_str()));
}

#[tokio::test]
async fn a_weight_is_kept_and_shown_everywhere() {
    let world = world().await;
    let reply = update(&world)
        .routing_config(weights([("2", 0.25)]))
        .send()
        .await
        .unwrap();
    assert_eq!(weight(reply.routing_config(), "2"), Some(0.25));
    assert_eq!(weight(world.get_alias("live").await.routing_config(), "2"), Some(0.25));
    let listed = world.lambda.list_aliases().function_name("f").send().await.unwrap();
    assert_eq!(weight(listed.aliases()[0].routing_config(), "2"), Some(0.25));
}

#[tokio::test]
async fn update_alias_without_routing_keeps_the_weights() {
    let world = world().await;
    update(&world)
        .routing_config(weights([("2", 0.25)]))
        .send()
        .await
        .unwrap();
    let moved = update(&world).function_version("3").send().await.unwrap();
    assert_eq!(weight(moved.routing_config(), "2"), Some(0.25));
}

#[tokio::test]
async fn empty_weights_clear_while_the_primary_moves_in_the_same_call() {
    let world = world().await;
    update(&world)
        .routing_config(weights([("2", 0.25)]))
        .send()
        .await
        .unwrap();
    let promoted = update(&world)
        .function_version("2")
        .routing_config(weights([]))
        .send()
        .await
        .unwrap();
    assert_eq!(promoted.function_version(), Some("2"));
    assert!(promoted.routing_config().is_none());
    assert!(world.get_alias("live").await.routing_config().is_none());

    update(&world)
        .routing_config(weights([("1", 0.25)]))
        .send()
        .await
        .unwrap();
    let bare = AliasRoutingConfiguration::builder().build();
    let cleared = update(&world).routing_config(bare).send().await.unwrap();
    assert!(
        cleared.routing_config().is_none(),
        "an empty RoutingConfig clears as well"
    );
}

#[tokio::test]
async fn moving_the_primary_onto_the_secondary_is_400_and_changes_nothing() {
    let world = world().await;
    update(&world)
        .routing_config(weights([("2", 0.25)]))
        .send()
        .await
        .unwrap();
    let before = world.get_alias("live").await;
    assert_eq!(refusal(update(&world).function_version("2").send().await), invalid());
    let after = world.get_alias("live").await;
    assert_eq!(after.revision_id(), before.revision_id());
    assert_eq!(after.function_version(), Some("1"));
}

#[tokio::test]
async fn weights_obey_the_other_rules() {
    let world = world().await;
    let latest = update(&world)
        .function_version("$LATEST")
        .routing_config(weights([("2", 0.25)]));
    assert_eq!(refusal(latest.send().await), invalid());
    let two = update(&world).routing_config(weights([("2", 0.25), ("3", 0.25)]));
    assert_eq!(refusal(two.send().await), invalid());
    let absent = update(&world).routing_config(weights([("9", 0.25)]));
    assert_eq!(refusal(absent.send().await), missing());
    let validation = (400, "ValidationException".to_owned());
    assert_eq!(
        refusal(update(&world).routing_config(weights([("$LATEST", 0.25)])).send().await),
        validation
    );
    assert_eq!(
        refusal(update(&world).routing_config(weights([("2", 1.5)])).send().await),
        validation
    );
    for edge in [0.0, 1.0] {
        let kept = update(&world)
            .routing_config(weights([("2", edge)]))
            .send()
            .await
            .unwrap();
        assert_eq!(weight(kept.routing_config(), "2"), Some(edge));
    }
    // An alias on $LATEST alone is allowed.
    update(&world)
        .function_version("$LATEST")
        .routing_config(weights([]))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn both_versions_of_an_alias_have_the_same_role() {
    let world = world().await;
    let role = "arn:aws:iam::000000000000:role/another";
    world
        .lambda
        .update_function_configuration()
        .function_name("f")
        .role(role)
        .send()
        .await
        .unwrap();
    let version = world.publish().await;
    assert_eq!(
        refusal(
            update(&world)
                .routing_config(weights([(version.as_str(), 0.25)]))
                .send()
                .await
        ),
        invalid()
    );
    update(&world).function_version(version).send().await.unwrap();
}

#[tokio::test]
async fn list_aliases_comes_in_pages() {
    let world = World::new().await;
    world.function("1").await;
    world.publish().await;
    for number in 0..53 {
        world.alias(&format!("alias-{number:02}"), "1").await;
    }
    let (mut marker, mut names, mut sizes) = (None, Vec::new(), Vec::new());
    loop {
        let page = world
            .lambda
            .list_aliases()
            .function_name("f")
            .max_items(20)
            .set_marker(marker)
            .send()
            .await
            .unwrap();
        sizes.push(page.aliases().len());
        names.extend(
            page.aliases()
                .iter()
                .filter_map(|alias| alias.name().map(str::to_owned)),
        );
        marker = page.next_marker().map(str::to_owned);
        if marker.is_none() {
            break;
        }
        assert_eq!(marker.as_ref(), names.last());
    }
    assert_eq!(sizes, [20, 20, 13]);
    assert_eq!(
        names,
        (0..53).map(|number| format!("alias-{number:02}")).collect::<Vec<_>>()
    );
    let whole = world.lambda.list_aliases().function_name("f").send().await.unwrap();
    assert_eq!((whole.aliases().len(), whole.next_marker()), (53, None));
}

#[tokio::test]
async fn list_aliases_by_version_goes_by_the_primary() {
    let world = world().await;
    update(&world)
        .routing_config(weights([("2", 0.25)]))
        .send()
        .await
        .unwrap();
    world.alias("beta", "2").await;
    let listed = world
        .lambda
        .list_aliases()
        .function_name("f")
        .function_version("2")
        .send()
        .await
        .unwrap();
    let names: Vec<_> = listed.aliases().iter().filter_map(|alias| alias.name()).collect();
    assert_eq!(names, ["beta"]);
}

#[tokio::test]
async fn deleting_an_absent_alias_is_a_success() {
    let world = world().await;
    for _ in 0..2 {
        world
            .lambda
            .delete_alias()
            .function_name("f")
            .name("live")
            .send()
            .await
            .unwrap();
    }
    assert_eq!(
        refusal(world.lambda.get_alias().function_name("f").name("live").send().await),
        missing()
    );
}
