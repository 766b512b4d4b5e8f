//! The sandbox's own interface: seeding, faults, the record of calls, state, quotas and clock.

use std::time::Duration;

use aws_sdk_lambda::types::{LastUpdateStatus, State};
use aws_smithy_runtime_api::client::result::SdkError;
use pinfold::sandbox::{Code, Effect, Fault, NewFunction, Options, Profile, Sandbox};
use serde_json::{Value, json};

use crate::world::{ROLE, WINDOW, World, http, lambda_client, refusal, sha, zip};

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

#[tokio::test]
async fn a_scripted_update_ends_failed_with_its_reason() {
    let world = World::with_window().await;
    world.function("1").await;
    let effect = Effect::UpdateFails {
        code: "SubnetOutOfIPAddresses".to_owned(),
        reason: "no address".to_owned(),
    };
    world.sandbox.inject(Fault::on("*", effect));
    let reply = world.update("2").await;
    assert_eq!(reply.last_update_status(), Some(&LastUpdateStatus::InProgress));
    world.settle();
    let failed = world.get(None).await;
    assert_eq!(failed.state(), Some(&State::Active), "the old code keeps serving");
    assert_eq!(failed.last_update_status(), Some(&LastUpdateStatus::Failed));
    assert_eq!(failed.last_update_status_reason(), Some("no address"));
    assert_eq!(
        failed.last_update_status_reason_code().unwrap().as_str(),
        "SubnetOutOfIPAddresses"
    );
    world.update("3").await;
}

#[tokio::test]
async fn a_scripted_update_stays_in_progress() {
    let world = World::with_window().await;
    world.function("1").await;
    world
        .sandbox
        .inject(Fault::on("UpdateFunctionCode", Effect::InProgress { ms: 60_000 }));
    world.update("2").await;
    world.clock.advance(WINDOW * 2);
    assert_eq!(
        world.get(None).await.last_update_status(),
        Some(&LastUpdateStatus::InProgress)
    );
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(
        world.get(None).await.last_update_status(),
        Some(&LastUpdateStatus::Successful)
    );
}

/// Turns the clock in steps until the call is answered, and tells how long the call took on that clock.
async fn time<T>(world: &World, call: impl Future<Output = T>) -> (T, Duration) {
    let start = world.clock.now().millis();
    let turn = async {
        loop {
            world.clock.advance(Duration::from_millis(10));
            // Lets the sandbox and the SDK go as far as they get.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::select! {
        done = call => (done, Duration::from_millis(world.clock.now().millis() - start)),
        () = turn => unreachable!("the clock is turned for ever"),
    }
}

#[tokio::test]
async fn a_delayed_call_is_answered_when_its_time_has_come() {
    let world = World::new().await;
    world.function("1").await;
    world
        .sandbox
        .inject(Fault::on("GetFunction", Effect::Delay { ms: 3000 }));
    let (_, took) = time(&world, world.get(None)).await;
    assert!(took >= Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn the_latency_of_aws_is_that_of_its_calls_and_updates() {
    let world = World::with(Options {
        latency: Profile::Aws,
        ..Options::default()
    })
    .await;
    world
        .sandbox
        .place("us-east-1")
        .create_function(NewFunction::new("f", Code::zip(zip("1"))))
        .unwrap();
    let (_, took) = time(&world, world.get(None)).await;
    assert!(took >= Duration::from_millis(130), "{took:?}");
    world
        .sandbox
        .inject(Fault::on("UpdateFunctionCode", Effect::InProgress { ms: 3_600_000 }));
    let (_, took) = time(&world, world.update("2")).await;
    assert!(took >= Duration::from_millis(550), "{took:?}");
    let (shown, _) = time(&world, world.get(None)).await;
    assert_eq!(shown.last_update_status(), Some(&LastUpdateStatus::InProgress));
    world.clock.advance(Duration::from_hours(1));
    time(&world, world.update("3")).await;
    world.clock.advance(Duration::from_secs(26));
    let (shown, _) = time(&world, world.get(None)).await;
    assert_eq!(shown.last_update_status(), Some(&LastUpdateStatus::Successful));
}

#[tokio::test]
async fn the_quotas_of_aws_are_two_buckets_for_each_account_and_region() {
    let world = World::with(Options {
        quotas: Profile::Aws,
        ..Options::default()
    })
    .await;
    world
        .sandbox
        .place("us-east-1")
        .create_function(NewFunction::new("f", Code::zip(zip("1"))))
        .unwrap();
    for _ in 0..100 {
        world.get(None).await;
    }
    let throttled = world.lambda.get_function().function_name("f").send().await.unwrap_err();
    let SdkError::ServiceError(throttled) = throttled else {
        panic!("not a refusal")
    };
    assert_eq!(throttled.raw().status().as_u16(), 429);
    assert_eq!(throttled.raw().headers().get("retry-after"), Some("1"));
    assert_eq!(
        throttled.raw().headers().get("x-amzn-errortype"),
        Some("TooManyRequestsException")
    );
    let body: Value = serde_json::from_slice(throttled.raw().body().bytes().unwrap()).unwrap();
    assert_eq!(body["Reason"], "CallerRateLimitExceeded");

    // Everything else shares a bucket of 15, whatever the operation.
    for _ in 0..8 {
        world.lambda.list_functions().send().await.unwrap();
    }
    for _ in 0..7 {
        world
            .lambda
            .get_function_configuration()
            .function_name("f")
            .send()
            .await
            .unwrap();
    }
    let many = (429, "TooManyRequestsException".to_owned());
    assert_eq!(
        refusal(world.lambda.list_aliases().function_name("f").send().await),
        many
    );

    lambda_client(&world.url, "eu-west-1", "test")
        .list_functions()
        .send()
        .await
        .unwrap();
    lambda_client(&world.url, "us-east-1", "111111111111")
        .list_functions()
        .send()
        .await
        .unwrap();
    world.clock.advance(Duration::from_millis(70));
    world.lambda.list_functions().send().await.unwrap();
    assert_eq!(refusal(world.lambda.list_functions().send().await), many);
}

#[tokio::test]
async fn accounts_and_regions_are_worlds_apart() {
    let world = World::new().await;
    world.function("1").await;
    let missing = (404, "ResourceNotFoundException".to_owned());
    let elsewhere = lambda_client(&world.url, "eu-west-1", "test");
    assert_eq!(
        refusal(elsewhere.get_function().function_name("f").send().await),
        missing
    );
    let other = lambda_client(&world.url, "us-east-1", "111111111111");
    assert_eq!(refusal(other.get_function().function_name("f").send().await), missing);
    let place = world.sandbox.place("us-east-1").account("111111111111");
    place
        .create_function(NewFunction::new("f", Code::zip(zip("1"))))
        .unwrap();
    let shown = other.get_function().function_name("f").send().await.unwrap();
    let arn = shown.configuration().unwrap().function_arn().unwrap().to_owned();
    assert_eq!(arn, "arn:aws:lambda:us-east-1:111111111111:function:f");
}

#[tokio::test]
async fn the_record_holds_every_call_in_order_and_no_secrets() {
    let world = World::new().await;
    world.function("1").await;
    let environment = aws_sdk_lambda::types::Environment::builder()
        .variables("TOKEN", "hunter2")
        .build();
    world
        .lambda
        .update_function_configuration()
        .function_name("f")
        .environment(environment)
        .send()
        .await
        .unwrap();
    world.publish().await;
    world.alias("live", "1").await;
    let _ = world
        .lambda
        .get_function()
        .function_name("f")
        .qualifier("9")
        .send()
        .await;
    world.bucket("b1b").await;
    world.put("b1b", "dir/k", zip("1")).await;

    let calls = world.sandbox.calls();
    let operations: Vec<&str> = calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(
        operations,
        [
            "CreateFunction",
            "UpdateFunctionConfiguration",
            "PublishVersion",
            "CreateAlias",
            "GetFunction",
            "CreateBucket",
            "PutBucketVersioning",
            "PutObject"
        ]
    );
    assert!(calls.is_sorted_by(|a, b| a.seq < b.seq));
    let text = serde_json::to_string(&calls).unwrap();
    assert!(!text.contains("hunter2") && text.contains("TOKEN"));
    assert_eq!(
        calls[0].params["Code"]["ZipFile"],
        json!({ "sha256": sha(&zip("1")), "size": zip("1").len() })
    );
    assert_eq!(calls[0].params["Role"], ROLE);
    assert_eq!(
        (calls[3].qualifier.as_deref(), &calls[3].params["FunctionVersion"]),
        (Some("live"), &json!("1"))
    );
    assert_eq!(calls[4].status, Some(404));
    assert_eq!(calls[4].error_type.as_deref(), Some("ResourceNotFoundException"));
    assert_eq!(
        (calls[7].service.as_str(), calls[7].resource.as_str()),
        ("s3", "b1b/dir/k")
    );
    assert_eq!(
        (calls[0].account.as_str(), calls[0].region.as_str()),
        ("000000000000", "us-east-1")
    );
}

#[tokio::test]
async fn the_sandbox_has_endpoints_of_its_own() {
    let world = World::with_window().await;
    world.function("1").await;
    let url = world.url.as_str();
    assert_eq!(http(url, "GET", "/_sandbox/health", "").await.0, 200);

    let fault = r#"{"operation":"GetFunction","function":"f","effect":{"kind":"reply","status":429,"retryAfter":3}}"#;
    assert_eq!(http(url, "POST", "/_sandbox/faults", fault).await.0, 200);
    let (_, waiting) = http(url, "GET", "/_sandbox/faults", "").await;
    assert!(waiting.contains("\"status\":429"), "{waiting}");
    let many = (429, "TooManyRequestsException".to_owned());
    assert_eq!(
        refusal(world.lambda.get_function().function_name("f").send().await),
        many
    );
    let (status, reason) = http(url, "POST", "/_sandbox/faults", r#"{"effect":{"kind":"explode"}}"#).await;
    assert_eq!(status, 400);
    assert!(reason.contains("explode"), "{reason}");
    let two = r#"[{"operation":"GetAlias","effect":{"kind":"cutBefore"}},
                  {"operation":"GetAlias","effect":{"kind":"cutAfter"}}]"#;
    assert_eq!(http(url, "POST", "/_sandbox/faults", two).await.0, 200);
    assert_eq!(http(url, "DELETE", "/_sandbox/faults", "").await.0, 200);
    assert_eq!(http(url, "GET", "/_sandbox/faults", "").await.1, r#"{"faults":[]}"#);

    let (_, calls) = http(url, "GET", "/_sandbox/calls", "").await;
    let calls: Value = serde_json::from_str(&calls).unwrap();
    assert_eq!(calls["calls"][1]["errorType"], "TooManyRequestsException");
    http(url, "DELETE", "/_sandbox/calls", "").await;
    assert!(world.sandbox.calls().is_empty());

    world.update("2").await;
    let before = world.clock.now().millis();
    let (_, now) = http(url, "POST", "/_sandbox/clock/advance", r#"{"ms":6000}"#).await;
    assert_eq!(now, json!({ "now": before + 6000 }).to_string());
    assert_eq!(
        world.get(None).await.last_update_status(),
        Some(&LastUpdateStatus::Successful)
    );

    let (_, state) = http(url, "GET", "/_sandbox/state", "").await;
    assert_eq!(http(url, "POST", "/_sandbox/reset", "").await.0, 200);
    assert_eq!(world.lambda.list_functions().send().await.unwrap().functions().len(), 0);
    assert_eq!(http(url, "PUT", "/_sandbox/state", &state).await.0, 200);
    assert_eq!(world.get(None).await.code_sha256(), Some(sha(&zip("2")).as_str()));
    assert_eq!(http(url, "PUT", "/_sandbox/state", "{}").await.0, 400);
}

#[tokio::test]
async fn the_link_of_get_function_gives_the_package() {
    let world = World::new().await;
    world.function("1").await;
    world.publish().await;
    world.update("22").await;
    for (qualifier, tag) in [(None, "22"), (Some("1".to_owned()), "1")] {
        let reply = world
            .lambda
            .get_function()
            .function_name("f")
            .set_qualifier(qualifier)
            .send()
            .await
            .unwrap();
        let location = reply.code().unwrap().location().unwrap().to_owned();
        let (status, body) = http(&world.url, "GET", location.strip_prefix(&world.url).unwrap(), "").await;
        assert_eq!(status, 200);
        assert_eq!(body, String::from_utf8_lossy(&zip(tag)));
    }
}

#[tokio::test]
async fn sts_tells_who_calls_and_lends_another_account() {
    use aws_sdk_sts::config::{BehaviorVersion, Credentials, Region};
    let world = World::new().await;
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(&world.url)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("222222222222", "secret", None, None, "test"))
        .build();
    let sts = aws_sdk_sts::Client::from_conf(config);
    assert_eq!(
        sts.get_caller_identity().send().await.unwrap().account(),
        Some("222222222222")
    );
    let role = "arn:aws:iam::333333333333:role/deployer";
    let assumed = sts
        .assume_role()
        .role_arn(role)
        .role_session_name("s")
        .send()
        .await
        .unwrap();
    assert_eq!(assumed.credentials().unwrap().access_key_id(), "333333333333");
}

#[tokio::test]
async fn the_server_stops_when_told_even_while_calls_wait() {
    let clock = pinfold::sandbox::ManualClock::default();
    let options = Options {
        clock: pinfold::sandbox::Clock::Manual(clock),
        ..Options::default()
    };
    let sandbox = Sandbox::new(options);
    sandbox.inject(Fault::on("*", Effect::Delay { ms: 1000 }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = tokio_util::sync::CancellationToken::new();
    let lambda = lambda_client(&url, "us-east-1", "test");
    let call = async {
        let lost = lambda.list_functions().send().await.unwrap_err();
        assert!(matches!(lost, SdkError::DispatchFailure(_)), "{lost:?}");
    };
    let end = async {
        // The call has come in once its fault is spent.
        while http(&url, "GET", "/_sandbox/faults", "").await.1 != r#"{"faults":[]}"# {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let (served, (), ()) = tokio::join!(sandbox.serve(listener, stop.clone()), call, end);
    served.unwrap();
}

#[tokio::test]
async fn somebody_elses_update_can_be_seeded() {
    let world = World::new().await;
    world.function("1").await;
    let busy = world
        .sandbox
        .place("us-east-1")
        .lasting(WINDOW)
        .failing("InternalError", "no luck");
    busy.update_code("f", &Code::zip(zip("2"))).unwrap();
    assert_eq!(
        refusal(world.update_call("3").send().await),
        (409, "ResourceConflictException".to_owned())
    );
    world.settle();
    assert_eq!(
        world.get(None).await.last_update_status(),
        Some(&LastUpdateStatus::Failed)
    );
}

#[tokio::test]
async fn a_call_takes_effect_though_its_client_has_hung_up() {
    let world = World::new().await;
    world.function("1").await;
    world
        .sandbox
        .inject(Fault::on("UpdateFunctionCode", Effect::Delay { ms: 1000 }));
    let came_in = async {
        while http(&world.url, "GET", "/_sandbox/faults", "").await.1 != r#"{"faults":[]}"# {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = world.update_call("2").send() => panic!("the clock stands still"),
        () = came_in => {}
    }
    // Time enough for the sandbox to notice that the connection is gone.
    for _ in 0..20 {
        http(&world.url, "GET", "/_sandbox/health", "").await;
    }
    world.clock.advance(Duration::from_secs(1));
    while world
        .sandbox
        .calls()
        .iter()
        .all(|call| call.operation != "UpdateFunctionCode")
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.get(None).await.code_sha256(), Some(sha(&zip("2")).as_str()));
}
