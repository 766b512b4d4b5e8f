//! Provisioned concurrency: while Lambda moves it along with an alias, the weights are Lambda's own, and nobody fights them.

use std::time::Duration;

use pinfold::plan::State;
use pinfold::reconcile::Status;
use pinfold::sandbox::{Code, Effect, Fault};
use serde_json::json;

use crate::beside::{beside_by_hand, beside_layered, reason, state, with_git};
use crate::world::{World, zip};

/// How long an allocation takes here.
const ALLOCATION: Duration = Duration::from_secs(90);

/// What is asked of Lambda where weights may be its own, and of nothing else.
const ASK: &str = "GetProvisionedConcurrencyConfig";

/// Gives `live` of `api` provisioned concurrency, all of it ready.
fn provision(world: &World) {
    let aws = world.aws.clone().lasting(ALLOCATION);
    aws.provision("api", "live", 2).unwrap();
    world.clock.advance(ALLOCATION);
}

/// As [`World::settled`], `live` with provisioned concurrency.
async fn provisioned() -> World {
    let mut world = World::settled().await;
    provision(&world);
    world.mark();
    world
}

/// Returns how often it was asked since calls were forgotten.
fn asked(world: &World) -> usize {
    world
        .sandbox
        .calls()
        .iter()
        .filter(|call| call.operation == ASK)
        .count()
}

fn deny(world: &World) {
    let effect = Effect::Reply {
        status: 403,
        error_type: Some("AccessDeniedException".to_owned()),
        message: Some("not yours".to_owned()),
        retry_after: None,
    };
    world.sandbox.inject(Fault::on(ASK, effect).times(0));
}

#[tokio::test]
async fn a_release_is_left_to_lambda_until_what_is_provisioned_has_followed() {
    let mut world = provisioned().await;
    world.function("api", "1.1.0");
    insta::assert_snapshot!(world.pass().await, @r#"
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"}
      PublishVersion api {"CodeSha256":"sha:1.1.0","Description":"pinfold 1.1.0 sha256:sha:1.1.0"}
      UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync false
      api Progressing
        drift {"alias":"live","desired":{"weights":{}},"kind":"routing","live":{"weights":{"1":1.0}}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"done","to":"2","version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"done","to":"2"}
        withheld {"alias":"live","message":"Lambda allocates the provisioned concurrency of version 2 and until then has weights of its own (100% to version 1): they are left alone until the allocation is READY or has FAILED","reason":"UpdateInProgress"}
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2 {"1":1.0}
    "#);
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(20));
        world.sandbox.clear_calls();
        let report = world.apply().await;
        assert_eq!(report.functions[0].state, State::Progressing);
        assert_eq!((world.writes(), asked(&world)), (vec![], 1));
    }
    world.clock.advance(ALLOCATION);
    world.sandbox.clear_calls();
    assert_eq!(world.apply().await.to_json()["inSync"], true);
    assert_eq!((world.writes(), asked(&world)), (vec![], 0), "nothing is left to ask");
}

#[tokio::test]
async fn a_fleet_in_sync_is_never_asked_and_weights_are_asked_for_once_a_pass() {
    let mut world = World::with(crate::world::Setup {
        functions: &["api", "mail"],
        ..crate::world::Setup::default()
    })
    .await;
    provision(&world);
    world.mark();
    world.plan().await;
    world.apply().await;
    assert_eq!(asked(&world), 0);
    // An alias that Git does not name is none of Pinfold's business.
    world.aws.update_code("mail", &Code::zip(zip("edited"))).unwrap();
    let edited = world.aws.publish("mail").unwrap();
    world.aws.create_alias("mail", "canary", 1).unwrap();
    world
        .aws
        .update_alias("mail", "canary", 1, Some((edited, 0.5)))
        .unwrap();
    world.mark();
    world.plan().await;
    assert_eq!(asked(&world), 0);
    world.aws.update_alias("mail", "live", 1, Some((edited, 0.5))).unwrap();
    world.plan().await;
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn weights_of_somebody_on_a_provisioned_alias_are_cleared() {
    let mut world = World::released().await;
    provision(&world);
    world.aws.update_alias("api", "live", 2, Some((1, 0.1))).unwrap();
    world.mark();
    let report = world.apply().await;
    assert_eq!(report.to_json()["inSync"], true, "{:#}", report.to_json());
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn where_the_allocation_fails_callers_stay_and_git_can_go_back() {
    let mut world = provisioned().await;
    let reason = "FUNCTION_ERROR_INIT_FAILURE".to_owned();
    let code = "FunctionError".to_owned();
    world.inject("UpdateAlias", Effect::UpdateFails { code, reason });
    world.function("api", "1.1.0");
    world.apply().await;
    world.clock.advance(ALLOCATION);
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Withheld
        drift {"alias":"live","desired":{"weights":{}},"kind":"routing","live":{"weights":{"1":1.0}}}
        withheld {"alias":"live","message":"the provisioned concurrency of version 2 could not be allocated (FUNCTION_ERROR_INIT_FAILURE), and Lambda keeps the callers where they were (100% to version 1): without these weights all of them would get a version that may not start, so name one in Git that does, or take the provisioned concurrency away","reason":"AllocationFailed"}
    writes: none
    after: as planned
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2 {"1":1.0}
    "#);
    world.function("api", "1.0.0");
    let report = world.apply().await;
    assert_eq!(report.functions[0].state, State::Progressing, "{:#}", report.to_json());
    let alias = world.aws.alias("api", "live").unwrap();
    assert_eq!(alias["FunctionVersion"], "1");
    world.clock.advance(ALLOCATION);
    assert_eq!(world.apply().await.to_json()["inSync"], true);
}

#[tokio::test]
async fn a_commit_that_comes_meanwhile_does_not_wait() {
    let mut world = provisioned().await;
    world.function("api", "1.1.0");
    world.apply().await;
    world.function("api", "1.0.0");
    world.mark();
    world.apply().await;
    assert_eq!(world.aws.alias("api", "live").unwrap()["FunctionVersion"], "1");
    world.clock.advance(ALLOCATION);
    assert_eq!(world.apply().await.to_json()["inSync"], true);
}

#[tokio::test]
async fn a_move_whose_reply_is_lost_is_known_by_its_version() {
    let mut world = provisioned().await;
    world.function("api", "1.1.0");
    world.inject("UpdateAlias", Effect::CutAfter);
    let report = world.apply().await;
    let function = &report.to_json()["functions"][0];
    assert_eq!(function["state"], "Progressing");
    let moved = function["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&moved["action"], &moved["result"]),
        (&json!("MoveAlias"), &json!("done"))
    );
}

#[tokio::test]
async fn without_the_permission_what_may_be_lambdas_own_is_left_alone_and_the_rest_is_served() {
    let mut world = World::released().await;
    world.aws.update_alias("api", "live", 2, Some((1, 0.1))).unwrap();
    world.mark();
    deny(&world);
    let report = world.apply().await;
    assert_eq!(report.to_json()["inSync"], true, "a canary is none of Lambda's");
    assert_eq!(world.writes().len(), 1);

    world.aws.update_alias("api", "live", 2, Some((1, 1.0))).unwrap();
    world.mark();
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Withheld
        drift {"alias":"live","desired":{"weights":{}},"kind":"routing","live":{"weights":{"1":1.0}}}
        withheld {"alias":"live","message":"GetProvisionedConcurrencyConfig api:live: AccessDeniedException: not yours; so it is not known whether the weights (100% to version 1) are Lambda's own, and they are left alone","reason":"AccessDenied"}
    writes: none
    after: as planned
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2 {"1":1.0}
    "#);
    world.sandbox.clear_faults();
    assert_eq!(world.apply().await.to_json()["inSync"], true, "it is asked again");
}

#[tokio::test]
async fn what_cannot_be_asked_is_not_concluded() {
    let mut world = World::released().await;
    world.aws.update_alias("api", "live", 2, Some((1, 0.1))).unwrap();
    world.mark();
    world.refuse(ASK, 400, 0);
    let report = world.apply().await;
    assert_eq!(report.functions[0].state, State::Unreadable);
    assert_eq!(world.writes(), []);
    world.sandbox.clear_faults();
    assert_eq!(world.apply().await.to_json()["inSync"], true);
}

#[tokio::test]
async fn a_daemon_tells_since_when_and_takes_the_weights_for_nobodys_reversal() {
    let mut world = with_git(&["api"]).await;
    provision(&world);
    beside_by_hand(&mut world, async |world, daemon| {
        world.function("api", "1.1.0");
        let status = daemon.look_at_source(world).await;
        assert_eq!(
            (state(&status, "api"), reason(&status)),
            (State::Progressing, Some("UpdateInProgress"))
        );
        let told = |status: &Status| status.report.as_ref().unwrap().functions[0].withheld[0].clone();
        let since = told(&status).since;
        world.mark();
        for _ in 0..4 {
            world.clock.advance(Duration::from_secs(15));
            let status = daemon.sweep(world).await;
            assert_eq!(state(&status, "api"), State::Progressing);
            assert_eq!(told(&status).since, since);
        }
        world.clock.advance(ALLOCATION);
        assert_eq!(state(&daemon.sweep(world).await, "api"), State::InSync);
        assert_eq!(world.writes(), []);
    })
    .await;
}

#[tokio::test]
async fn a_large_fleet_is_swept_in_layers_and_hears_of_the_end_too() {
    let mut world = with_git(&["api", "mail", "worker"]).await;
    provision(&world);
    beside_layered(&mut world, async |world, daemon| {
        daemon.first_sweep().await;
        world.function("api", "1.1.0");
        let status = daemon.look_at_source(world).await;
        assert_eq!(state(&status, "api"), State::Progressing);
        world.mark();
        while state(&daemon.sweep(world).await, "api") != State::InSync {}
        assert_eq!(world.writes(), []);
    })
    .await;
}
