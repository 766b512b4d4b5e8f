//! What `GetFunction` and its relatives show of functions, versions and aliases, and how absence is told.

use aws_sdk_lambda::types::{LastUpdateStatus, State};

use crate::world::{ARN, World, refusal, sha, zip};

#[tokio::test]
async fn publish_version_right_after_create_function_with_publish_returns_that_version_1() {
    let world = World::new().await;
    let created = world.create("f", "1", true).await;
    assert_eq!(created.version(), Some("1"));
    assert_eq!(
        created.function_arn(),
        Some(ARN),
        "the ARN of this reply is unqualified"
    );
    assert_eq!(world.publish().await, "1");
    assert_eq!(world.versions().await, ["$LATEST", "1"]);
}

#[tokio::test]
async fn get_function_without_qualifier_shows_latest_and_the_tags() {
    let world = World::new().await;
    world.function("1").await;
    world
        .lambda
        .tag_resource()
        .resource(ARN)
        .tags("team", "a")
        .send()
        .await
        .unwrap();

    let reply = world.lambda.get_function().function_name("f").send().await.unwrap();
    let latest = reply.configuration().unwrap();
    assert_eq!(latest.version(), Some("$LATEST"));
    assert_eq!(latest.function_arn(), Some(ARN));
    assert_eq!(latest.code_sha256(), Some(sha(&zip("1")).as_str()));
    assert_eq!(latest.code_size(), i64::try_from(zip("1").len()).unwrap());
    assert!(latest.last_modified().unwrap().ends_with("+0000"));
    assert!(latest.revision_id().is_some());
    assert_eq!(latest.state(), Some(&State::Active));
    assert_eq!(latest.last_update_status(), Some(&LastUpdateStatus::Successful));
    assert_eq!(reply.tags().unwrap()["team"], "a");
    assert!(reply.code().unwrap().location().is_some());
}

#[tokio::test]
async fn get_function_of_a_version_shows_its_own_code() {
    let world = World::new().await;
    world.function("1").await;
    world.publish().await;
    world.update("2").await;

    let reply = world
        .lambda
        .get_function()
        .function_name("f")
        .qualifier("1")
        .send()
        .await
        .unwrap();
    let version = reply.configuration().unwrap();
    assert_eq!(version.version(), Some("1"));
    assert_eq!(version.function_arn(), Some(format!("{ARN}:1").as_str()));
    assert_eq!(version.code_sha256(), Some(sha(&zip("1")).as_str()));
    assert_eq!(version.state(), Some(&State::Active));
    assert!(reply.tags().is_none(), "tags come without a qualifier only");
}

#[tokio::test]
async fn get_function_of_an_alias_shows_the_primary_version() {
    let world = World::new().await;
    world.function("1").await;
    world.publish().await;
    world.alias("live", "1").await;
    world.update("2").await;

    let (alias, version) = (world.get(Some("live")).await, world.get(Some("1")).await);
    assert_eq!(alias.function_arn(), Some(format!("{ARN}:live").as_str()));
    assert_eq!(alias.version(), Some("1"));
    assert_eq!(alias.code_sha256(), version.code_sha256());
    assert_eq!(alias.last_modified(), version.last_modified());
}

#[tokio::test]
async fn get_function_of_an_alias_shows_the_revision_of_the_version() {
    let world = World::new().await;
    world.function("1").await;
    world.publish().await;
    let alias = world.alias("live", "1").await;
    let shown = world.get(Some("live")).await;
    assert_eq!(shown.revision_id(), world.get(Some("1")).await.revision_id());
    assert_ne!(shown.revision_id(), alias.revision_id());
    assert_eq!(world.get_alias("live").await.revision_id(), alias.revision_id());
}

#[tokio::test]
async fn a_missing_version_is_404() {
    let world = World::new().await;
    world.function("1").await;
    let missing = (404, "ResourceNotFoundException".to_owned());
    for qualifier in ["7", "nobody"] {
        let get = world.lambda.get_function().function_name("f").qualifier(qualifier);
        assert_eq!(refusal(get.send().await), missing);
        let get = world
            .lambda
            .get_function_configuration()
            .function_name("f")
            .qualifier(qualifier);
        assert_eq!(refusal(get.send().await), missing);
    }
}

#[tokio::test]
async fn a_missing_function_is_404() {
    let world = World::new().await;
    let missing = (404, "ResourceNotFoundException".to_owned());
    assert_eq!(
        refusal(world.lambda.get_function().function_name("f").send().await),
        missing
    );
    assert_eq!(
        refusal(
            world
                .lambda
                .get_function_configuration()
                .function_name("f")
                .send()
                .await
        ),
        missing
    );
    assert_eq!(
        refusal(world.lambda.list_versions_by_function().function_name("f").send().await),
        missing
    );
    assert_eq!(
        refusal(world.lambda.list_aliases().function_name("f").send().await),
        missing
    );
}

#[tokio::test]
async fn list_aliases_checks_max_items_before_it_looks_for_the_function() {
    let world = World::new().await;
    let listing = world.lambda.list_aliases().function_name("f").max_items(0).send().await;
    assert_eq!(refusal(listing), (400, "ValidationException".to_owned()));
}

#[tokio::test]
async fn tags_of_create_function_are_what_get_function_and_list_tags_show() {
    use aws_sdk_lambda::primitives::Blob;
    use aws_sdk_lambda::types::FunctionCode;
    let world = World::new().await;
    world
        .lambda
        .create_function()
        .function_name("f")
        .role(crate::world::ROLE)
        .runtime(aws_sdk_lambda::types::Runtime::Nodejs22x)
        .handler("index.handler")
        .code(FunctionCode::builder().zip_file(Blob::new(zip("1"))).build())
        .tags("team", "a")
        .send()
        .await
        .unwrap();
    let shown = world.lambda.get_function().function_name("f").send().await.unwrap();
    let listed = world.lambda.list_tags().resource(ARN).send().await.unwrap();
    assert_eq!(shown.tags().unwrap()["team"], "a");
    assert_eq!(shown.tags(), listed.tags());
}

#[tokio::test]
async fn every_error_names_its_bare_type_in_the_header() {
    use aws_smithy_runtime_api::client::result::SdkError;
    let world = World::new().await;
    world.function("1").await;
    world.publish().await;
    world.alias("live", "1").await;

    let header = |raw: &aws_smithy_runtime_api::client::orchestrator::HttpResponse| {
        raw.headers().get("x-amzn-errortype").unwrap_or_default().to_owned()
    };
    let body = |raw: &aws_smithy_runtime_api::client::orchestrator::HttpResponse| {
        serde_json::from_slice::<serde_json::Value>(raw.body().bytes().unwrap()).unwrap()
    };
    let missing = world.lambda.get_function().function_name("g").send().await.unwrap_err();
    let SdkError::ServiceError(missing) = missing else {
        panic!("not a refusal")
    };
    assert_eq!(header(missing.raw()), "ResourceNotFoundException");
    assert_eq!(
        body(missing.raw())["Message"],
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:g"
    );

    let taken = world
        .lambda
        .create_alias()
        .function_name("f")
        .name("live")
        .function_version("1");
    let SdkError::ServiceError(taken) = taken.send().await.unwrap_err() else {
        panic!("not a refusal")
    };
    assert_eq!(header(taken.raw()), "ResourceConflictException");
    assert!(body(taken.raw())["message"].is_string());
    assert_eq!(body(taken.raw())["Type"], "User");

    let stale = world
        .lambda
        .update_alias()
        .function_name("f")
        .name("live")
        .revision_id("x");
    let SdkError::ServiceError(stale) = stale.send().await.unwrap_err() else {
        panic!("not a refusal")
    };
    assert_eq!(header(stale.raw()), "PreconditionFailedException");

    let wrong = world.lambda.publish_version().function_name("f").code_sha256("x");
    let SdkError::ServiceError(wrong) = wrong.send().await.unwrap_err() else {
        panic!("not a refusal")
    };
    assert_eq!(header(wrong.raw()), "InvalidParameterValueException");

    let invalid = world.lambda.get_function().function_name("no such name!");
    let SdkError::ServiceError(invalid) = invalid.send().await.unwrap_err() else {
        panic!("not a refusal")
    };
    assert_eq!(header(invalid.raw()), "ValidationException");
    assert!(
        body(invalid.raw()).get("Type").is_none(),
        "the request validator gives no Type"
    );
}

#[tokio::test]
async fn a_function_may_be_named_by_arn_or_with_its_qualifier() {
    let world = World::new().await;
    world.function("1").await;
    world.publish().await;
    for name in ["f:1", "000000000000:function:f:1", &format!("{ARN}:1")] {
        let reply = world.lambda.get_function().function_name(name).send().await.unwrap();
        assert_eq!(reply.configuration().unwrap().version(), Some("1"));
    }
    let clash = world
        .lambda
        .get_function()
        .function_name("f:1")
        .qualifier("2")
        .send()
        .await;
    assert_eq!(refusal(clash), (400, "InvalidParameterValueException".to_owned()));
}
