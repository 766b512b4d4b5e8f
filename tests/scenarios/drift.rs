//! Drift that Pinfold corrects: a new version in Git, and what other hands did to Lambda.

use pinfold::sandbox::Code;
use serde_json::json;

use crate::world::{Setup, World, zip};

#[tokio::test]
async fn a_bump_is_uploaded_published_and_served() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
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
async fn a_version_that_came_from_git_names_its_commit() {
    let mut world = World::with(Setup {
        git: true,
        ..Setup::default()
    })
    .await;
    world.function("api", "1.1.0");
    world.apply().await;
    insta::assert_snapshot!(world.live(), @r"
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 commit:commit#2 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 commit:commit#3 sha256:sha:1.1.0
        live -> 2
    ");
}

#[tokio::test]
async fn a_bump_of_one_alias_leaves_the_others_alone() {
    let mut world = World::settled().await;
    world.manifest(
        "api",
        "version: \"1.0.0\"\naliases: { live: {}, beta: { version: \"1.1.0\" } }\n",
    );
    world.settle().await;
    world.manifest(
        "api",
        "version: \"1.0.0\"\naliases: { live: {}, beta: { version: \"2.0.0-rc.1\" } }\n",
    );
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"beta","desired":{"codeSha256":"sha:2.0.0-rc.1","version":"2.0.0-rc.1"},"kind":"alias","live":{"codeSha256":"sha:1.1.0","functionVersion":"2"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/2.0.0-rc.1.zip","codeSha256":"sha:2.0.0-rc.1","objectVersion":"object:api/2.0.0-rc.1.zip","result":"planned","version":"2.0.0-rc.1"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:2.0.0-rc.1","result":"planned"}
        step {"action":"PublishVersion","codeSha256":"sha:2.0.0-rc.1","result":"planned","to":null,"version":"2.0.0-rc.1"}
        step {"action":"MoveAlias","alias":"beta","from":"2","result":"planned","to":null}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.0.0.zip","codeSha256":"sha:1.0.0","objectVersion":"object:api/1.0.0.zip","result":"planned","version":"1.0.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.0.0","result":"planned"}
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/2.0.0-rc.1.zip","S3ObjectVersion":"object:api/2.0.0-rc.1.zip"}
      PublishVersion api {"CodeSha256":"sha:2.0.0-rc.1","Description":"pinfold 2.0.0-rc.1 sha256:sha:2.0.0-rc.1"}
      UpdateAlias api {"FunctionVersion":"3","Name":"beta","RevisionId":"beta@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"read since","S3Bucket":"artifacts","S3Key":"api/1.0.0.zip","S3ObjectVersion":"object:api/1.0.0.zip"}
    after: inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/2.0.0-rc.1.zip","codeSha256":"sha:2.0.0-rc.1","objectVersion":"object:api/2.0.0-rc.1.zip","result":"done","version":"2.0.0-rc.1"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:2.0.0-rc.1","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:2.0.0-rc.1","result":"done","to":"3","version":"2.0.0-rc.1"}
        step {"action":"MoveAlias","alias":"beta","from":"2","result":"done","to":"3"}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.0.0.zip","codeSha256":"sha:1.0.0","objectVersion":"object:api/1.0.0.zip","result":"done","version":"1.0.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.0.0","result":"done"}
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        3 sha:2.0.0-rc.1 pinfold 2.0.0-rc.1 sha256:sha:2.0.0-rc.1
        beta -> 3
        live -> 1
    "#);
}

#[tokio::test]
async fn a_second_alias_gets_its_candidate_and_latest_is_put_back() {
    let mut world = World::settled().await;
    world.manifest(
        "api",
        "version: \"1.0.0\"\naliases: { live: {}, beta: { version: \"2.0.0-rc.1\" } }\n",
    );
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"beta","desired":{"codeSha256":"sha:2.0.0-rc.1","version":"2.0.0-rc.1"},"kind":"alias","live":null}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/2.0.0-rc.1.zip","codeSha256":"sha:2.0.0-rc.1","objectVersion":"object:api/2.0.0-rc.1.zip","result":"planned","version":"2.0.0-rc.1"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:2.0.0-rc.1","result":"planned"}
        step {"action":"PublishVersion","codeSha256":"sha:2.0.0-rc.1","result":"planned","to":null,"version":"2.0.0-rc.1"}
        step {"action":"CreateAlias","alias":"beta","from":null,"result":"planned","to":null}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.0.0.zip","codeSha256":"sha:1.0.0","objectVersion":"object:api/1.0.0.zip","result":"planned","version":"1.0.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.0.0","result":"planned"}
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/2.0.0-rc.1.zip","S3ObjectVersion":"object:api/2.0.0-rc.1.zip"}
      PublishVersion api {"CodeSha256":"sha:2.0.0-rc.1","Description":"pinfold 2.0.0-rc.1 sha256:sha:2.0.0-rc.1"}
      CreateAlias api {"FunctionVersion":"2","Name":"beta"}
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"read since","S3Bucket":"artifacts","S3Key":"api/1.0.0.zip","S3ObjectVersion":"object:api/1.0.0.zip"}
    after: inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/2.0.0-rc.1.zip","codeSha256":"sha:2.0.0-rc.1","objectVersion":"object:api/2.0.0-rc.1.zip","result":"done","version":"2.0.0-rc.1"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:2.0.0-rc.1","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:2.0.0-rc.1","result":"done","to":"2","version":"2.0.0-rc.1"}
        step {"action":"CreateAlias","alias":"beta","from":null,"result":"done","to":"2"}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.0.0.zip","codeSha256":"sha:1.0.0","objectVersion":"object:api/1.0.0.zip","result":"done","version":"1.0.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.0.0","result":"done"}
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:2.0.0-rc.1 pinfold 2.0.0-rc.1 sha256:sha:2.0.0-rc.1
        beta -> 2
        live -> 1
    "#);
}

#[tokio::test]
async fn a_hand_edited_latest_is_put_back_and_nothing_published() {
    let mut world = World::settled().await;
    world.aws.update_code("api", &Code::zip(zip("edited"))).unwrap();
    world.name_hash("edited");
    world.mark();
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"code","live":{"codeSha256":"sha:edited","functionVersion":"$LATEST"}}
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
async fn a_hand_edited_latest_that_was_published_too_is_put_back_and_the_version_left() {
    let mut world = World::settled().await;
    world.aws.update_code("api", &Code::zip(zip("edited"))).unwrap();
    let version = world.aws.publish("api").unwrap();
    world.aws.update_alias("api", "live", version, None).unwrap();
    world.name_hash("edited");
    world.mark();
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"code","live":{"codeSha256":"sha:edited","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"alias","live":{"codeSha256":"sha:edited","functionVersion":"2"}}
        step {"action":"MoveAlias","alias":"live","from":"2","result":"planned","to":"1"}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.0.0.zip","codeSha256":"sha:1.0.0","objectVersion":"object:api/1.0.0.zip","result":"planned","version":"1.0.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.0.0","result":"planned"}
    writes:
      UpdateAlias api {"FunctionVersion":"1","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.0.0.zip","S3ObjectVersion":"object:api/1.0.0.zip"}
    after: inSync true
      api InSync
        step {"action":"MoveAlias","alias":"live","from":"2","result":"done","to":"1"}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.0.0.zip","codeSha256":"sha:1.0.0","objectVersion":"object:api/1.0.0.zip","result":"done","version":"1.0.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.0.0","result":"done"}
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:edited
        live -> 1
    "#);
}

#[tokio::test]
async fn an_alias_moved_by_hand_goes_back_in_one_write() {
    let mut world = World::released().await;
    world.aws.update_alias("api", "live", 1, None).unwrap();
    world.mark();
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"planned","to":"2"}
    writes:
      UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync true
      api InSync
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
async fn a08_weights_left_behind_are_cleared() {
    let mut world = World::released().await;
    world.aws.update_alias("api", "live", 2, Some((1, 0.1))).unwrap();
    world.mark();
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"live","desired":{"weights":{}},"kind":"routing","live":{"weights":{"1":0.1}}}
        step {"action":"MoveAlias","alias":"live","from":"2","result":"planned","to":"2"}
    writes:
      UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync true
      api InSync
        step {"action":"MoveAlias","alias":"live","from":"2","result":"done","to":"2"}
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2
    "#);
}

#[tokio::test]
async fn a_missing_alias_is_made_again_on_the_version_that_is_there() {
    let mut world = World::settled().await;
    world
        .aws
        .call("DeleteAlias", json!({ "FunctionName": "api", "Name": "live" }))
        .unwrap();
    world.mark();
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"live","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"alias","live":null}
        step {"action":"CreateAlias","alias":"live","from":null,"result":"planned","to":"1"}
    writes:
      CreateAlias api {"FunctionVersion":"1","Name":"live"}
    after: inSync true
      api InSync
        step {"action":"CreateAlias","alias":"live","from":null,"result":"done","to":"1"}
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
}

#[tokio::test]
async fn an_alias_that_points_at_latest_is_pinned_to_a_version() {
    let mut world = World::settled().await;
    let input = json!({ "FunctionName": "api", "Name": "live", "FunctionVersion": "$LATEST" });
    world.aws.call("UpdateAlias", input).unwrap();
    world.mark();
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"live","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        step {"action":"MoveAlias","alias":"live","from":"$LATEST","result":"planned","to":"1"}
    writes:
      UpdateAlias api {"FunctionVersion":"1","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync true
      api InSync
        step {"action":"MoveAlias","alias":"live","from":"$LATEST","result":"done","to":"1"}
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
}

#[tokio::test]
async fn an_arm_function_stays_one() {
    let mut world = World::settled().await;
    let input = json!({
        "FunctionName": "api", "S3Bucket": "artifacts", "S3Key": "api/1.0.0.zip", "Architectures": ["arm64"],
    });
    world.aws.call("UpdateFunctionCode", input).unwrap();
    world.function("api", "1.1.0");
    world.apply().await;
    let configuration = &world.aws.function("api", Some("live")).unwrap()["Configuration"];
    assert_eq!(configuration["Architectures"], json!(["arm64"]));
}
