//! Going back: to code that is published already, and what today's configuration has to do with it.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_revert_is_live_after_one_write_before_any_upload() {
    let mut world = World::released().await;
    world.function("api", "1.0.0");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"code","live":{"codeSha256":"sha:1.1.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"alias","live":{"codeSha256":"sha:1.1.0","functionVersion":"2"}}
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
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 1
    "#);
}

#[tokio::test]
async fn a_revert_of_a_revert_publishes_nothing() {
    let mut world = World::released().await;
    world.function("api", "1.0.0");
    world.settle().await;
    world.function("api", "1.1.0");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"planned","to":"2"}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"planned","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"planned"}
    writes:
      UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"}
    after: inSync true
      api InSync
        step {"action":"MoveAlias","alias":"live","from":"1","result":"done","to":"2"}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2
    "#);
}

#[tokio::test]
async fn a_configuration_newer_than_the_version_is_told_and_is_in_sync() {
    let mut world = World::settled().await;
    configure(&world);
    world.mark();
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync true
      api InSync
        drift {"alias":"live","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"configuration","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
    writes: none
    after: as planned
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
}

#[tokio::test]
async fn a_revert_across_a_change_of_configuration_publishes_the_old_code_anew() {
    let mut world = World::released().await;
    configure(&world);
    world.mark();
    world.function("api", "1.0.0");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"code","live":{"codeSha256":"sha:1.1.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"alias","live":{"codeSha256":"sha:1.1.0","functionVersion":"2"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.0.0.zip","codeSha256":"sha:1.0.0","objectVersion":"object:api/1.0.0.zip","result":"planned","version":"1.0.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.0.0","result":"planned"}
        step {"action":"PublishVersion","codeSha256":"sha:1.0.0","result":"planned","to":null,"version":"1.0.0"}
        step {"action":"MoveAlias","alias":"live","from":"2","result":"planned","to":null}
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.0.0.zip","S3ObjectVersion":"object:api/1.0.0.zip"}
      PublishVersion api {"CodeSha256":"sha:1.0.0","Description":"pinfold 1.0.0 sha256:sha:1.0.0"}
      UpdateAlias api {"FunctionVersion":"3","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.0.0.zip","codeSha256":"sha:1.0.0","objectVersion":"object:api/1.0.0.zip","result":"done","version":"1.0.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.0.0","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:1.0.0","result":"done","to":"3","version":"1.0.0"}
        step {"action":"MoveAlias","alias":"live","from":"2","result":"done","to":"3"}
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        3 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 3
    "#);
}

#[tokio::test]
async fn a_revert_whose_artifact_is_gone_moves_the_alias_all_the_same_where_git_pins_it() {
    let mut world = World::released().await;
    world.sandbox.delete_object("artifacts", "api/1.0.0.zip", None).unwrap();
    world.manifest(
        "api",
        &format!("version: \"1.0.0\"\nsha256: {}\n", crate::world::sha("1.0.0")),
    );
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"code","live":{"codeSha256":"sha:1.1.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"alias","live":{"codeSha256":"sha:1.1.0","functionVersion":"2"}}
        step {"action":"MoveAlias","alias":"live","from":"2","result":"planned","to":"1"}
        withheld {"alias":"$LATEST","message":"version 1.0.0: S3 has no s3://artifacts/api/1.0.0.zip: upload it, or name one that exists","reason":"ArtifactNotFound"}
    writes:
      UpdateAlias api {"FunctionVersion":"1","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync false
      api Withheld
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.0.0","version":"1.0.0"},"kind":"code","live":{"codeSha256":"sha:1.1.0","functionVersion":"$LATEST"}}
        step {"action":"MoveAlias","alias":"live","from":"2","result":"done","to":"1"}
        withheld {"alias":"$LATEST","message":"version 1.0.0: S3 has no s3://artifacts/api/1.0.0.zip: upload it, or name one that exists","reason":"ArtifactNotFound"}
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 1
    "#);
}

/// Changes the configuration of `$LATEST`, as Terraform would.
fn configure(world: &World) {
    let input = json!({ "FunctionName": "api", "Timeout": 9 });
    world.aws.call("UpdateFunctionConfiguration", input).unwrap();
}
