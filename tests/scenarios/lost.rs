//! Lost replies: the call took effect and nobody said so. The same pass finds out, and nothing is done twice. Likewise
//! what a process that died, or was asked to end, left half done.

use pinfold::sandbox::Effect;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_lost_reply_to_the_upload_is_found_out_by_looking() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    world.inject("UpdateFunctionCode", Effect::CutAfter);
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
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"}, reply lost
      PublishVersion api {"CodeSha256":"sha:1.1.0","Description":"pinfold 1.1.0 sha256:sha:1.1.0"}
      UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","message":"UpdateFunctionCode api at http://sandbox (us-east-1): other: connection closed before message completed; the new code is there","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
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
async fn a_lost_reply_to_the_publication_makes_no_second_version() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    world.inject("PublishVersion", Effect::CutAfter);
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
      PublishVersion api {"CodeSha256":"sha:1.1.0","Description":"pinfold 1.1.0 sha256:sha:1.1.0"}, reply lost
      UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","message":"PublishVersion api at http://sandbox (us-east-1): other: connection closed before message completed","result":"failed","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","message":"PublishVersion before it was not done","result":"skipped","to":null}
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
async fn a_lost_reply_to_the_move_is_found_out_by_looking() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    world.inject("UpdateAlias", Effect::CutAfter);
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
      UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}, reply lost
    after: inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"done","to":"2","version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","message":"UpdateAlias api:live at http://sandbox (us-east-1): other: connection closed before message completed; the alias is there","result":"done","to":"2"}
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2
    "#);
}

#[tokio::test]
async fn a_lost_reply_to_the_creation_of_an_alias_is_found_out_by_looking() {
    let mut world = World::settled().await;
    let input = json!({ "FunctionName": "api", "Name": "live" });
    world.aws.call("DeleteAlias", input).unwrap();
    world.mark();
    world.inject("CreateAlias", Effect::CutAfter);
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"live","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"alias","live":null}
        step {"action":"CreateAlias","alias":"live","from":null,"result":"planned","to":"1"}
    writes:
      CreateAlias api {"FunctionVersion":"1","Name":"live"}, reply lost
    after: inSync true
      api InSync
        step {"action":"CreateAlias","alias":"live","from":null,"message":"CreateAlias api:live at http://sandbox (us-east-1): other: connection closed before message completed; the alias is there","result":"done","to":"1"}
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
}

#[tokio::test]
async fn a_call_that_was_cut_off_before_it_took_effect_is_made_again_in_the_same_pass() {
    for operation in ["UpdateFunctionCode", "PublishVersion", "UpdateAlias"] {
        let mut world = World::settled().await;
        world.function("api", "1.1.0");
        world.inject(operation, Effect::CutBefore);
        let report = world.apply().await;
        assert_eq!(report.to_json()["inSync"], true, "{operation}: {:#}", report.to_json());
        assert_eq!(world.writes().len(), 4, "{operation}");
        world.sandbox.clear_calls();
        world.apply().await;
        assert_eq!(world.writes(), [], "{operation}");
    }
}

/// Has a process die right after each of its writes, and another one go on. Returns what is live then: always the same.
async fn deaths(writes: usize, change: impl AsyncFn() -> World) -> String {
    let undisturbed = change().await;
    undisturbed.apply().await;
    assert_eq!(undisturbed.writes().len(), writes);
    let live = undisturbed.live();
    for count in 1..=writes {
        let mut world = change().await;
        tokio::select! {
            report = world.apply() => panic!("there is no write {count}: {:#}", report.to_json()),
            () = world.until_written(count) => {}
        }
        world.restart().await;
        let report = world.apply().await;
        assert_eq!(report.to_json()["inSync"], true, "{count}: {:#}", report.to_json());
        assert_eq!(world.writes().len(), writes, "{count}: nothing is done twice");
        assert_eq!(world.live(), live, "{count}");
    }
    live
}

#[tokio::test]
async fn a_process_that_died_after_any_write_is_followed_by_one_that_goes_on() {
    let live = deaths(3, async || {
        let mut world = World::settled().await;
        world.function("api", "1.1.0");
        world
    });
    insta::assert_snapshot!(live.await, @r"
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2
    ");
}

#[tokio::test]
async fn a_process_that_died_in_a_revert_is_followed_by_one_that_goes_on() {
    let live = deaths(2, async || {
        let mut world = World::released().await;
        world.function("api", "1.0.0");
        world
    });
    insta::assert_snapshot!(live.await, @r"
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 1
    ");
}

#[tokio::test]
async fn a_process_that_died_while_a_candidate_passed_through_latest_is_followed_by_one_that_goes_on() {
    let live = deaths(6, async || {
        let mut world = World::settled().await;
        let aliases = "aliases: { live: {}, beta: { version: \"2.0.0-rc.1\" } }";
        world.manifest("api", &format!("version: \"1.1.0\"\n{aliases}\n"));
        world
    });
    insta::assert_snapshot!(live.await, @r"
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:2.0.0-rc.1 pinfold 2.0.0-rc.1 sha256:sha:2.0.0-rc.1
        3 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        beta -> 2
        live -> 3
    ");
}

#[tokio::test]
async fn a_pass_that_is_asked_to_end_finishes_the_step_in_hand_and_takes_no_other() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    let report = world.apply_until_called("UpdateFunctionCode").await.unwrap();
    let steps = report.to_json()["functions"][0]["steps"].clone();
    assert_eq!(steps[0]["result"], "done");
    for step in &steps.as_array().unwrap()[2..] {
        assert_eq!(step["result"], "skipped");
        assert_eq!(
            step["message"],
            "the pass was ended early; the next one goes on from here"
        );
    }
    assert_eq!(world.writes().len(), 1);
    world.sandbox.clear_calls();
    assert_eq!(world.apply().await.to_json()["inSync"], true);
    assert_eq!(world.writes().len(), 2, "the next pass goes on from there");
}

#[tokio::test]
async fn weights_are_not_taken_for_cleared_because_the_version_is_the_right_one() {
    let mut world = World::released().await;
    world.aws.update_alias("api", "live", 2, Some((1, 0.25))).unwrap();
    world.mark();
    world.inject("UpdateAlias", Effect::CutBefore);
    let report = world.apply().await;
    assert_eq!(report.to_json()["inSync"], true, "{:#}", report.to_json());
}
