//! Provisioned concurrency of an alias, and the weights that Lambda sets by itself while it moves.

use std::time::Duration;

use aws_sdk_lambda::operation::get_provisioned_concurrency_config::GetProvisionedConcurrencyConfigOutput;
use aws_sdk_lambda::operation::put_provisioned_concurrency_config::builders::PutProvisionedConcurrencyConfigFluentBuilder;
use aws_sdk_lambda::types::{AliasRoutingConfiguration, ProvisionedConcurrencyStatusEnum as Status};
use pinfold::sandbox::{Effect, Fault};

use crate::world::{WINDOW, World, refusal};

/// The function `f` with the versions 1 and 2, and the alias `live` on version 1.
async fn world() -> World {
    let world = World::with_window().await;
    world.function("1").await;
    world.publish().await;
    world.release("2").await;
    world.alias("live", "1").await;
    world
}

fn put(world: &World, qualifier: &str) -> PutProvisionedConcurrencyConfigFluentBuilder {
    let call = world.lambda.put_provisioned_concurrency_config().function_name("f");
    call.qualifier(qualifier).provisioned_concurrent_executions(2)
}

async fn get(world: &World) -> GetProvisionedConcurrencyConfigOutput {
    let call = world.lambda.get_provisioned_concurrency_config().function_name("f");
    call.qualifier("live").send().await.unwrap()
}

async fn move_to(world: &World, version: &str) -> Option<String> {
    let call = world.lambda.update_alias().function_name("f").name("live");
    let reply = call.function_version(version).send().await.unwrap();
    assert!(reply.routing_config().is_none(), "the reply shows what was asked for");
    reply.revision_id
}

/// The weights and the RevisionId of `live`.
async fn live(world: &World) -> (Vec<(String, f64)>, Option<String>) {
    let alias = world.get_alias("live").await;
    let weights = alias
        .routing_config
        .and_then(|routing| routing.additional_version_weights)
        .into_iter()
        .flatten()
        .collect();
    (weights, alias.revision_id)
}

#[tokio::test]
async fn an_alias_has_none_until_it_is_given_some_and_its_allocation_takes_time() {
    let world = world().await;
    let none = (404, "ProvisionedConcurrencyConfigNotFoundException".to_owned());
    for qualifier in ["live", "1"] {
        let call = world.lambda.get_provisioned_concurrency_config().function_name("f");
        assert_eq!(refusal(call.qualifier(qualifier).send().await), none);
    }
    let made = put(&world, "live").send().await.unwrap();
    assert_eq!(
        (made.status(), made.allocated_provisioned_concurrent_executions()),
        (Some(&Status::InProgress), Some(0))
    );
    let almost = Duration::from_millis(1);
    world.clock.advance(WINDOW.saturating_sub(almost));
    assert_eq!(get(&world).await.status(), Some(&Status::InProgress));
    world.clock.advance(almost);
    let done = get(&world).await;
    assert_eq!(
        (done.status(), done.allocated_provisioned_concurrent_executions()),
        (Some(&Status::Ready), Some(2))
    );
    assert_eq!(live(&world).await.0, []);
}

#[tokio::test]
async fn an_alias_that_moves_keeps_its_callers_at_the_version_before_until_the_allocation_is_ready() {
    let world = world().await;
    put(&world, "live").send().await.unwrap();
    world.settle();
    let told = move_to(&world, "2").await;
    let (weights, shifting) = live(&world).await;
    assert_eq!(weights, [("1".to_owned(), 1.0)]);
    assert_ne!(shifting, told, "the weights are a change of their own");
    let moving = get(&world).await;
    assert_eq!(
        (moving.status(), moving.allocated_provisioned_concurrent_executions()),
        (Some(&Status::InProgress), Some(2)),
        "the numbers do not tell"
    );
    assert_eq!(world.get(Some("live")).await.version(), Some("2"));
    world.settle();
    assert_eq!(get(&world).await.status(), Some(&Status::Ready));
    let (weights, after) = live(&world).await;
    assert_eq!(weights, []);
    assert_ne!(after, shifting);
}

#[tokio::test]
async fn where_the_allocation_fails_the_callers_stay_where_they_were() {
    let world = world().await;
    put(&world, "live").send().await.unwrap();
    world.settle();
    world.sandbox.inject(Fault::on(
        "UpdateAlias",
        Effect::UpdateFails {
            code: "FunctionError".to_owned(),
            reason: "FUNCTION_ERROR_INIT_FAILURE".to_owned(),
        },
    ));
    move_to(&world, "2").await;
    world.settle();
    let failed = get(&world).await;
    assert_eq!(
        (failed.status(), failed.status_reason()),
        (Some(&Status::Failed), Some("FUNCTION_ERROR_INIT_FAILURE"))
    );
    assert_eq!(live(&world).await.0, [("1".to_owned(), 1.0)]);
}

#[tokio::test]
async fn weights_that_a_caller_sets_or_clears_meanwhile_are_the_callers() {
    for (asked, left) in [(vec![], vec![]), (vec![("1", 0.5)], vec![("1".to_owned(), 0.5)])] {
        let world = world().await;
        put(&world, "live").send().await.unwrap();
        world.settle();
        move_to(&world, "2").await;
        let weights = asked.into_iter().map(|(version, weight)| (version.to_owned(), weight));
        let routing = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights.collect()));
        let call = world.lambda.update_alias().function_name("f").name("live");
        call.routing_config(routing.build()).send().await.unwrap();
        assert_eq!(live(&world).await.0, left);
        assert_eq!(get(&world).await.status(), Some(&Status::InProgress));
        world.settle();
        assert_eq!(live(&world).await.0, left);
        assert_eq!(get(&world).await.status(), Some(&Status::Ready));
    }
}

#[tokio::test]
async fn what_lambda_does_not_provision_is_refused() {
    let world = world().await;
    world.alias("latest", "$LATEST").await;
    world
        .sandbox
        .place("us-east-1")
        .update_alias("f", "live", 1, Some((2, 0.5)))
        .unwrap();
    let invalid = (400, "InvalidParameterValueException".to_owned());
    for qualifier in ["live", "latest", "$LATEST", "1"] {
        assert_eq!(refusal(put(&world, qualifier).send().await), invalid, "{qualifier}");
    }
    let missing = (404, "ResourceNotFoundException".to_owned());
    assert_eq!(refusal(put(&world, "beta").send().await), missing);
}

#[tokio::test]
async fn what_is_provisioned_is_saved_and_loaded() {
    let world = world().await;
    put(&world, "live").send().await.unwrap();
    world.settle();
    move_to(&world, "2").await;
    let saved = serde_json::to_string(&world.sandbox.save()).unwrap();
    world.settle();
    assert_eq!(live(&world).await.0, []);
    world.sandbox.load(serde_json::from_str(&saved).unwrap()).unwrap();
    assert_eq!(live(&world).await.0, [], "its time has come already");
    assert_eq!(get(&world).await.status(), Some(&Status::Ready));
}
