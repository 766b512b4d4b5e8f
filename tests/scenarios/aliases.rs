//! Aliases: those that Git does not name, those that others made, those that are several.

use crate::world::World;

#[tokio::test]
async fn an_alias_that_git_does_not_name_stays_where_it_is() {
    let mut world = World::settled().await;
    world.aws.create_alias("api", "canary", 1).unwrap();
    world.function("api", "1.1.0");
    world.apply().await;
    insta::assert_snapshot!(world.live(), @r"
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        canary -> 1
        live -> 2
    ");
}

#[tokio::test]
async fn weights_and_a_wrong_version_are_put_right_in_one_write() {
    let mut world = World::released().await;
    world.aws.update_alias("api", "live", 1, Some((2, 0.1))).unwrap();
    world.mark();
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"live","desired":{"weights":{}},"kind":"routing","live":{"weights":{"2":0.1}}}
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
async fn a_function_without_aliases_in_git_has_only_its_latest_looked_after() {
    let mut world = World::settled().await;
    world.manifest("api", "version: \"1.1.0\"\naliases: {}\n");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"planned","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"planned"}
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"}
    after: inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
}

#[tokio::test]
async fn what_others_published_is_used_where_it_is_the_same() {
    let mut world = World::settled().await;
    let code = pinfold::sandbox::Code::s3("artifacts", "api/1.1.0.zip");
    world.aws.update_code("api", &code).unwrap();
    world.aws.publish_described("api", "by hand").unwrap();
    world.mark();
    world.function("api", "1.1.0");
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
        2 sha:1.1.0 by hand
        live -> 2
    "#);
}

#[tokio::test]
async fn two_aliases_of_one_new_version_share_its_publication() {
    let mut world = World::settled().await;
    world.manifest("api", "version: \"1.1.0\"\naliases: { live: {}, canary: {} }\n");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        drift {"alias":"canary","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":null}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"planned","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"planned"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"planned","to":null,"version":"1.1.0"}
        step {"action":"CreateAlias","alias":"canary","from":null,"result":"planned","to":null}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"planned","to":null}
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"}
      PublishVersion api {"CodeSha256":"sha:1.1.0","Description":"pinfold 1.1.0 sha256:sha:1.1.0"}
      CreateAlias api {"FunctionVersion":"2","Name":"canary"}
      UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"done","to":"2","version":"1.1.0"}
        step {"action":"CreateAlias","alias":"canary","from":null,"result":"done","to":"2"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"done","to":"2"}
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        canary -> 2
        live -> 2
    "#);
}
