//! Updates of `$LATEST` that take their time or fail: somebody else's, and Pinfold's own.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use chrono::TimeDelta;
use pinfold::domain::Timestamp;
use pinfold::ports::Clock;
use pinfold::reconcile::{PassPolicy, Scope};
use pinfold::sandbox::Effect;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::wiring::{TestClock, engine_with};
use crate::world::{BUCKET, World, zip};

#[tokio::test]
async fn a03_an_update_in_progress_is_not_waited_for_and_not_disturbed() {
    let mut world = World::settled().await;
    upload_by_hand(&mut world, Effect::InProgress { ms: 60_000 }).await;
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Progressing
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"code","live":{"codeSha256":"sha:hotfix","functionVersion":"$LATEST"}}
        withheld {"alias":null,"message":"an update of the function is in progress: it is looked at again when that is done","reason":"UpdateInProgress"}
    writes: none
    after: as planned
    live:
      api
        $LATEST sha:hotfix
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        $LATEST is "InProgress"
        live -> 1
    "#);
    world.clock.advance(Duration::from_mins(1));
    world.settle().await;
}

#[tokio::test]
async fn a03_an_update_that_failed_is_sent_again_and_nothing_published_from_it() {
    let mut world = World::settled().await;
    upload_by_hand(&mut world, failing()).await;
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"code","live":{"codeSha256":"sha:hotfix","functionVersion":"$LATEST","lastUpdateStatus":"Failed","lastUpdateStatusReason":"SubnetOutOfIPAddresses: no address is left"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.0.0.zip","codeSha256":"sha:1.0.0","objectVersion":"object:api/1.0.0.zip","result":"planned","version":"1.0.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.0.0","result":"planned"}
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.0.0.zip","S3ObjectVersion":"object:api/1.0.0.zip"}
    after: inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.0.0.zip","codeSha256":"sha:1.0.0","objectVersion":"object:api/1.0.0.zip","result":"done","version":"1.0.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.0.0","result":"done"}
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
}

#[tokio::test]
async fn an_update_that_failed_with_the_right_hash_is_not_taken_for_done() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    world.inject("UpdateFunctionCode", failing());
    insta::assert_snapshot!(world.pass().await, @r#"
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"}
    after: inSync false
      api Failed
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.1.0","functionVersion":"$LATEST","lastUpdateStatus":"Failed","lastUpdateStatusReason":"SubnetOutOfIPAddresses: no address is left"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","message":"the update failed, and the code before it goes on serving: SubnetOutOfIPAddresses: no address is left","result":"failed"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","message":"AwaitUpdated before it was not done","result":"skipped","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","message":"AwaitUpdated before it was not done","result":"skipped","to":null}
        withheld {"alias":"$LATEST","message":"the update failed, and the code before it goes on serving: SubnetOutOfIPAddresses: no address is left","reason":"LastUpdateFailed"}
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        $LATEST is "Failed"
        live -> 1
    "#);
    world.mark();
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.1.0","functionVersion":"$LATEST","lastUpdateStatus":"Failed","lastUpdateStatusReason":"SubnetOutOfIPAddresses: no address is left"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"planned","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"planned"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"planned","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"planned","to":null}
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"}
      PublishVersion api {"CodeSha256":"sha:1.1.0","Description":"pinfold 1.1.0 sha256:sha:1.1.0"}
      UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"done","to":"2","version":"1.1.0"}
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
async fn an_update_of_its_own_is_waited_for() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    world.inject("UpdateFunctionCode", Effect::InProgress { ms: 20_000 });
    let before = world.clock.now();
    world.settle().await;
    let waited = world.clock.now().millis() - before.millis();
    assert!((20_000..22_000).contains(&waited), "{waited} ms");
}

#[tokio::test]
async fn an_update_without_end_is_left_to_itself_after_five_minutes() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    world.inject("UpdateFunctionCode", Effect::InProgress { ms: 3_600_000 });
    insta::assert_snapshot!(world.pass().await, @r#"
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"}
    after: inSync false
      api Progressing
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","message":"the update is not complete after 300 s","result":"refused"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","message":"AwaitUpdated before it was not done","result":"skipped","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","message":"AwaitUpdated before it was not done","result":"skipped","to":null}
        withheld {"alias":null,"message":"an update of the function is in progress: it is looked at again when that is done","reason":"UpdateInProgress"}
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        $LATEST is "InProgress"
        live -> 1
    "#);
    world.sandbox.clear_calls();
    world.apply().await;
    assert_eq!(world.writes(), []);
    world.clock.advance(Duration::from_hours(1));
    world.settle().await;
}

#[tokio::test]
async fn a_version_whose_snapshot_is_still_taken_is_not_served_yet() {
    let mut world = World::settled().await;
    let input = json!({ "FunctionName": "api", "SnapStart": { "ApplyOn": "PublishedVersions" } });
    world.aws.call("UpdateFunctionConfiguration", input).unwrap();
    world.function("api", "1.1.0");
    world.inject("PublishVersion", Effect::InProgress { ms: 90_000 });
    let before = world.clock.now();
    world.apply().await;
    let waited = world.clock.now().millis() - before.millis();
    assert!((90_000..92_000).contains(&waited), "{waited} ms");
    insta::assert_snapshot!(world.live(), @r"
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2
    ");
    world.settle().await;
}

#[tokio::test]
async fn a_function_that_is_still_being_created_is_waited_for_by_the_next_pass() {
    let mut world = World::settled().await;
    world.inject("CreateFunction", Effect::InProgress { ms: 60_000 });
    let call = world
        .lambda()
        .create_function()
        .function_name("young")
        .role("arn:aws:iam::000000000000:role/worker");
    let code = FunctionCode::builder().zip_file(Blob::new(zip("1.0.0"))).build();
    let call = call.runtime(Runtime::Nodejs22x).handler("index.handler").code(code);
    call.send().await.unwrap();
    world.upload("young", "1.0.0", "1.0.0");
    world.function("young", "1.0.0");
    let told = world.told(&world.apply().await);
    assert!(told.contains("young Progressing"), "{told}");
    assert!(told.contains("UpdateInProgress"), "{told}");
    world.clock.advance(Duration::from_mins(1));
    world.settle().await;
    assert_eq!(world.aws.alias("young", "live").unwrap()["FunctionVersion"], "1");
}

#[tokio::test]
async fn a03_a_function_that_is_deleted_meanwhile_is_reported_as_missing() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    let (report, ()) = tokio::join!(world.apply(), async {
        world.until_called("UpdateFunctionCode").await;
        world
            .aws
            .call("DeleteFunction", json!({ "FunctionName": "api" }))
            .unwrap();
    });
    let told = world.told(&report);
    assert!(told.contains("FunctionMissing"), "{told}");
    assert!(told.starts_with("inSync false\n  api Withheld"), "{told}");
}

fn failing() -> Effect {
    Effect::UpdateFails {
        code: "SubnetOutOfIPAddresses".to_owned(),
        reason: "no address is left".to_owned(),
    }
}

/// Somebody uploads a hotfix, to which something befalls.
async fn upload_by_hand(world: &mut World, effect: Effect) {
    world.name_hash("hotfix");
    world.inject("UpdateFunctionCode", effect);
    let call = world.lambda().update_function_code().function_name("api");
    call.zip_file(Blob::new(zip("hotfix"))).send().await.unwrap();
    world.mark();
}

#[tokio::test]
async fn a_package_that_a_customers_key_encrypts_stays_so() {
    let key = "arn:aws:kms:us-east-1:000000000000:key/ours";
    let mut world = World::settled().await;
    let same = json!({
        "FunctionName": "api", "S3Bucket": BUCKET, "S3Key": "api/1.0.0.zip", "SourceKMSKeyArn": key,
    });
    world.aws.call("UpdateFunctionCode", same).unwrap();
    world.function("api", "1.1.0");
    assert_eq!(world.apply().await.to_json()["inSync"], true);
    assert_eq!(world.aws.function("api", None).unwrap()["Code"]["SourceKMSKeyArn"], key);
}

#[tokio::test]
async fn a_publication_that_can_never_succeed_is_a_failure_and_no_refused_guard() {
    let mut world = World::settled().await;
    world.refuse("PublishVersion", 400, 0);
    world.function("api", "1.1.0");
    let report = world.apply().await.to_json();
    assert_eq!(report["functions"][0]["state"], "Failed", "{report:#}");
    let tries = world
        .writes()
        .iter()
        .filter(|call| call.operation == "PublishVersion")
        .count();
    assert_eq!(tries, 1);
}

#[tokio::test]
async fn a03_what_fell_idle_is_uploaded_and_published_anew_once() {
    let mut world = World::settled().await;
    world.aws.fall_idle("api", 1).unwrap();
    world.mark();
    world.manifest("api", "version: \"1.0.0\"\naliases: { live: {}, canary: {} }\n");
    world.apply().await;
    let writes: Vec<String> = world.writes().into_iter().map(|call| call.operation).collect();
    assert_eq!(writes, ["UpdateFunctionCode", "PublishVersion", "CreateAlias"]);
    assert_eq!(world.aws.alias("api", "canary").unwrap()["FunctionVersion"], "2");
    assert_eq!(
        world.aws.alias("api", "live").unwrap()["FunctionVersion"],
        "1",
        "what an alias runs already wakes with the first call"
    );
    world.settle().await;
    world.restart().await;
    world.settle().await;
}

/// A clock that is set back and forth by a day with every look at it. Time itself goes on as ever.
struct SetClock(TestClock, AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        let looks = self.1.fetch_add(1, Ordering::Relaxed);
        self.0.now() + TimeDelta::days(if looks % 2 == 0 { 1 } else { -1 })
    }

    fn uptime(&self) -> Duration {
        self.0.uptime()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

#[tokio::test]
async fn a10_a_clock_that_is_set_back_and_forth_neither_ends_a_wait_nor_lengthens_it() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    world.inject("UpdateFunctionCode", Effect::InProgress { ms: 60_000 });
    let before = world.clock.now().millis();
    let clock = SetClock(TestClock(world.clock.clone()), AtomicI64::new(0));
    let engine = engine_with(&world.url, &["*".to_owned()], clock).await;
    let desired = world.desired().await;
    let (scope, policy, stop) = (Scope::default(), PassPolicy::default(), CancellationToken::new());
    let report = engine.apply(&desired, &scope, &policy, &stop).await.unwrap();
    assert_eq!(report.to_json()["inSync"], true, "{:#}", report.to_json());
    let waited = world.clock.now().millis() - before;
    assert!((60_000..70_000).contains(&waited), "{waited} ms");
}
