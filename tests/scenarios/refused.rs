//! Calls that are refused: guards that no longer hold, throttling, failures, missing rights.

use pinfold::sandbox::{Code, Effect};

use crate::world::{World, zip};

#[tokio::test]
async fn a_refused_guard_is_looked_at_again_in_the_same_pass() {
    for (operation, status) in [
        ("UpdateFunctionCode", 412),
        ("UpdateFunctionCode", 409),
        ("PublishVersion", 409),
        ("UpdateAlias", 412),
        ("UpdateAlias", 409),
    ] {
        let mut world = World::settled().await;
        world.function("api", "1.1.0");
        world.refuse(operation, status, 1);
        let report = world.apply().await;
        assert_eq!(report.to_json()["inSync"], true, "{operation}: {:#}", report.to_json());
        let words: Vec<_> = world.told(&report).matches("refused").map(str::to_owned).collect();
        assert_eq!(words.len(), 1, "{operation}");
        let statuses: Vec<_> = world.writes().iter().filter_map(|call| call.status).collect();
        assert_eq!(statuses.iter().filter(|got| **got == status).count(), 1, "{operation}");
        assert_eq!(statuses.len(), 4, "{operation}");
        world.sandbox.clear_calls();
        world.apply().await;
        assert_eq!(world.writes(), [], "{operation}");
    }
}

#[tokio::test]
async fn a04_a_guard_that_is_refused_for_ever_is_tried_three_times_a_pass() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    world.refuse("UpdateFunctionCode", 412, 0);
    insta::assert_snapshot!(world.pass().await, @r#"
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"} refused with 412
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"} refused with 412
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"} refused with 412
    after: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","message":"UpdateFunctionCode api: PreconditionFailedException: a fault that was asked for","objectVersion":"object:api/1.1.0.zip","result":"refused","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","message":"UpdateCode before it was not done","result":"skipped"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","message":"UpdateCode before it was not done","result":"skipped","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","message":"UpdateCode before it was not done","result":"skipped","to":null}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","message":"UpdateFunctionCode api: PreconditionFailedException: a fault that was asked for","objectVersion":"object:api/1.1.0.zip","result":"refused","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","message":"UpdateCode before it was not done","result":"skipped"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","message":"UpdateCode before it was not done","result":"skipped","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","message":"UpdateCode before it was not done","result":"skipped","to":null}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","message":"UpdateFunctionCode api: PreconditionFailedException: a fault that was asked for","objectVersion":"object:api/1.1.0.zip","result":"refused","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","message":"UpdateCode before it was not done","result":"skipped"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","message":"UpdateCode before it was not done","result":"skipped","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","message":"UpdateCode before it was not done","result":"skipped","to":null}
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
    world.sandbox.clear_faults();
    world.settle().await;
}

#[tokio::test]
async fn a04_an_alias_that_somebody_moves_meanwhile_is_not_overrun() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    world.inject("UpdateAlias", Effect::Delay { ms: 1_000 });
    let (report, ()) = tokio::join!(world.apply(), async {
        world.until_called("PublishVersion").await;
        world.aws.update_alias("api", "live", 1, Some((2, 0.5))).unwrap();
        world.delayed("UpdateAlias").await;
    });
    insta::assert_snapshot!(world.written().join("\n"), @r#"
    UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"}
    PublishVersion api {"CodeSha256":"sha:1.1.0","Description":"pinfold 1.1.0 sha256:sha:1.1.0"}
    UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}} refused with 412
    UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"read since","RoutingConfig":{"AdditionalVersionWeights":{}}}
    "#);
    insta::assert_snapshot!(world.told(&report), @r#"
    inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"done","to":"2","version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","message":"UpdateAlias api:live: PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id","result":"refused","to":"2"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"done","to":"2"}
    "#);
    world.settle().await;
}

#[tokio::test]
async fn code_that_somebody_uploads_meanwhile_is_seen_and_replaced() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    world.inject("UpdateFunctionCode", Effect::Delay { ms: 1_000 });
    let (report, ()) = tokio::join!(world.apply(), async {
        world.until_called("ListAliases").await;
        world.aws.update_code("api", &Code::zip(zip("hotfix"))).unwrap();
        world.delayed("UpdateFunctionCode").await;
    });
    insta::assert_snapshot!(world.written().join("\n"), @r#"
    UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"} refused with 412
    UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"read since","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"}
    PublishVersion api {"CodeSha256":"sha:1.1.0","Description":"pinfold 1.1.0 sha256:sha:1.1.0"}
    UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    "#);
    insta::assert_snapshot!(world.told(&report), @r#"
    inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","message":"UpdateFunctionCode api: PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id","objectVersion":"object:api/1.1.0.zip","result":"refused","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","message":"UpdateCode before it was not done","result":"skipped"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","message":"UpdateCode before it was not done","result":"skipped","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","message":"UpdateCode before it was not done","result":"skipped","to":null}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"done","to":"2","version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"done","to":"2"}
    "#);
}

#[tokio::test]
async fn a_throttled_write_fails_and_the_next_pass_makes_it() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    world.refuse("PublishVersion", 429, 1);
    insta::assert_snapshot!(world.pass().await, @r#"
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"}
      PublishVersion api {"CodeSha256":"sha:1.1.0","Description":"pinfold 1.1.0 sha256:sha:1.1.0"} refused with 429
    after: inSync false
      api Failed
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","message":"PublishVersion api: TooManyRequestsException: a fault that was asked for","result":"failed","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","message":"PublishVersion before it was not done","result":"skipped","to":null}
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
    world.settle().await;
}

#[tokio::test]
async fn a_write_that_ends_in_a_5xx_is_looked_at_and_made_again() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    world.refuse("UpdateAlias", 500, 1);
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"planned","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"planned"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"planned","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"planned","to":null}
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"}
      PublishVersion api {"CodeSha256":"sha:1.1.0","Description":"pinfold 1.1.0 sha256:sha:1.1.0"}
      UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}} refused with 500
      UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"done","to":"2","version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","message":"UpdateAlias api:live at http://sandbox (us-east-1): ServiceException: a fault that was asked for","result":"failed","to":"2"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"done","to":"2"}
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2
    "#);
}

#[tokio::test]
async fn a_write_that_is_not_allowed_says_so() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    world.refuse("UpdateFunctionCode", 403, 1);
    insta::assert_snapshot!(world.pass().await, @r#"
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"} refused with 403
    after: inSync false
      api Failed
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","message":"UpdateFunctionCode api: AccessDeniedException: a fault that was asked for","objectVersion":"object:api/1.1.0.zip","result":"failed","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","message":"UpdateCode before it was not done","result":"skipped"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","message":"UpdateCode before it was not done","result":"skipped","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","message":"UpdateCode before it was not done","result":"skipped","to":null}
        withheld {"alias":"$LATEST","message":"UpdateFunctionCode api: AccessDeniedException: a fault that was asked for","reason":"AccessDenied"}
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
    world.settle().await;
}

#[tokio::test]
async fn a09_a_full_code_storage_is_named() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    let full = Effect::Reply {
        status: 400,
        error_type: Some("CodeStorageExceededException".to_owned()),
        message: Some("Code storage limit exceeded.".to_owned()),
        retry_after: None,
    };
    world.inject("UpdateFunctionCode", full);
    insta::assert_snapshot!(world.pass().await, @r#"
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"} refused with 400
    after: inSync false
      api Failed
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","message":"UpdateFunctionCode api: CodeStorageExceededException: Code storage limit exceeded.","objectVersion":"object:api/1.1.0.zip","result":"failed","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","message":"UpdateCode before it was not done","result":"skipped"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","message":"UpdateCode before it was not done","result":"skipped","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","message":"UpdateCode before it was not done","result":"skipped","to":null}
        withheld {"alias":"$LATEST","message":"UpdateFunctionCode api: CodeStorageExceededException: Code storage limit exceeded.","reason":"CodeStorageExceeded"}
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
    world.settle().await;
}

// Time is paused, as the SDK pauses before it tries again.
#[tokio::test(start_paused = true)]
async fn a_read_that_fails_once_is_made_again_by_the_sdk() {
    for (operation, status) in [
        ("GetFunction", 500),
        ("ListAliases", 429),
        ("ListFunctions", 503),
        ("HeadObject", 500),
    ] {
        let world = World::settled().await;
        world.refuse(operation, status, 1);
        let report = world.plan().await;
        assert_eq!(world.told(&report), "inSync true\n  api InSync", "{operation}");
        assert!(
            world.counts().contains(&format!("{operation} 2")),
            "{operation}: {:?}",
            world.counts()
        );
    }
}
