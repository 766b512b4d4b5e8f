//! The sandbox's own interface: seeding, faults, the record of calls, state, quotas and clock.

use aws_smithy_runtime_api::client::result::SdkError;
use pinfold::sandbox::{Code, Effect, Fault, NewFunction, Options, Sandbox};

use crate::world::{World, refusal, sha, zip};

#[tokio::test]
async fn a_seeded_function_is_what_the_sdk_sees() {
    let world = World::new().await;
    let aws = world.sandbox.place("us-east-1");
    aws.create_function(NewFunction::new("f", Code::zip(zip("1"))).tag("team", "a"))
        .unwrap();
    let version = aws.publish("f").unwrap();
    aws.create_alias("f", "live", version).unwrap();
    aws.update_code("f", &Code::zip(zip("2"))).unwrap();

    assert_eq!(world.get(Some("live")).await.code_sha256.unwrap(), sha(&zip("1")));
    assert_eq!(world.get(None).await.code_sha256.unwrap(), sha(&zip("2")));
    assert_eq!(world.sandbox.calls().len(), 2, "seeding leaves no trace in the record");
}

#[tokio::test]
async fn a_lost_reply_leaves_its_effect() {
    let world = World::new().await;
    world.function("1").await;
    world
        .sandbox
        .inject(Fault::on("UpdateFunctionCode", Effect::CutAfter).of("f"));

    let lost = world.update_call("2").send().await.unwrap_err();
    assert!(matches!(lost, SdkError::DispatchFailure(_)), "{lost:?}");
    assert_eq!(world.get(None).await.code_sha256.unwrap(), sha(&zip("2")));
    let call = world
        .sandbox
        .calls()
        .into_iter()
        .find(|call| call.operation == "UpdateFunctionCode")
        .unwrap();
    assert_eq!((call.cut, call.status, call.resource.as_str()), (true, Some(200), "f"));
}

#[tokio::test]
async fn a_call_cut_before_its_effect_does_nothing() {
    let world = World::new().await;
    world.function("1").await;
    world
        .sandbox
        .inject(Fault::on("UpdateFunctionCode", Effect::CutBefore).nth(2));

    world.update("2").await;
    let cut = world.update_call("3").send().await.unwrap_err();
    assert!(matches!(cut, SdkError::DispatchFailure(_)), "{cut:?}");
    assert_eq!(world.get(None).await.code_sha256.unwrap(), sha(&zip("2")));
    world.update("4").await;
}

#[tokio::test]
async fn a_scripted_refusal_has_its_status_and_type() {
    let world = World::new().await;
    world.function("1").await;
    for (status, code) in [
        (429, "TooManyRequestsException"),
        (500, "ServiceException"),
        (403, "AccessDeniedException"),
        (409, "ResourceConflictException"),
        (412, "PreconditionFailedException"),
    ] {
        let effect = Effect::Reply {
            status,
            error_type: None,
            message: None,
            retry_after: None,
        };
        world.sandbox.inject(Fault::on("UpdateFunctionCode", effect));
        assert_eq!(refusal(world.update_call("2").send().await), (status, code.to_owned()));
    }
    assert_eq!(world.get(None).await.code_sha256.unwrap(), sha(&zip("1")));
}

#[tokio::test]
async fn state_survives_being_saved_and_loaded() {
    let world = World::new().await;
    world.function("1").await;
    world.release("2").await;
    world.alias("live", "1").await;
    world.bucket("artifacts").await;
    world.put("artifacts", "f.zip", zip("3")).await;

    let json = serde_json::to_string(&world.sandbox.save()).unwrap();
    let copy = Sandbox::new(Options::default());
    copy.load(serde_json::from_str(&json).unwrap()).unwrap();

    assert_eq!(serde_json::to_string(&copy.save()).unwrap(), json);
    let place = copy.place("us-east-1");
    assert_eq!(place.alias("f", "live").unwrap()["FunctionVersion"], "1");
    place.update_code("f", &Code::s3("artifacts", "f.zip")).unwrap();
    assert_eq!(place.publish("f").unwrap(), 2);
}
