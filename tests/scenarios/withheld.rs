//! Work that must not be done: it is reported with its reason, and nothing is written.

use std::time::Duration;

use pinfold::domain::Mode;
use serde_json::json;

use crate::world::{Setup, World, sha, zip};

#[tokio::test]
async fn a_function_that_does_not_exist_is_not_created() {
    let mut world = World::settled().await;
    world.function("ghost", "1.0.0");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api InSync
      ghost Withheld
        drift {"alias":null,"desired":{"codeSha256":null,"version":"1.0.0"},"kind":"missing","live":null}
        withheld {"alias":null,"message":"there is no function ghost in target prod: create it, or remove prod/ghost.yaml","reason":"FunctionMissing"}
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
async fn a_version_whose_artifact_is_missing_waits_for_it() {
    let mut world = World::settled().await;
    world.function("api", "9.9.9");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Withheld
        withheld {"alias":"live","message":"version 9.9.9: S3 has no s3://artifacts/api/9.9.9.zip: upload it, or name one that exists","reason":"ArtifactNotFound"}
        withheld {"alias":"$LATEST","message":"version 9.9.9: S3 has no s3://artifacts/api/9.9.9.zip: upload it, or name one that exists","reason":"ArtifactNotFound"}
    writes: none
    after: as planned
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
    world.upload("api", "9.9.9", "9.9.9");
    world.settle().await;
}

#[tokio::test]
async fn a_bump_that_forgot_its_pin_is_not_taken_for_in_sync() {
    let mut world = World::settled().await;
    world.manifest("api", &format!("version: \"1.1.0\"\nsha256: {}\n", sha("1.0.0")));
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Withheld
        withheld {"alias":"live","message":"Git pins version 1.1.0 to sha256 sha:1.0.0, but s3://artifacts/api/1.1.0.zip has sha:1.1.0: correct the pin, or upload the artifact that was meant","reason":"ArtifactMismatch"}
        withheld {"alias":"$LATEST","message":"Git pins version 1.1.0 to sha256 sha:1.0.0, but s3://artifacts/api/1.1.0.zip has sha:1.1.0: correct the pin, or upload the artifact that was meant","reason":"ArtifactMismatch"}
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
async fn an_artifact_overwritten_under_a_published_version_is_not_deployed() {
    let mut world = overwritten().await;
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Withheld
        withheld {"alias":"live","message":"version 1.0.0 was published with sha256 sha:1.0.0, but s3://artifacts/api/1.0.0.zip now has sha:rebuilt: give the new bytes a new version, or pin the new sha256 in Git","reason":"ArtifactChanged"}
        withheld {"alias":"$LATEST","message":"version 1.0.0 was published with sha256 sha:1.0.0, but s3://artifacts/api/1.0.0.zip now has sha:rebuilt: give the new bytes a new version, or pin the new sha256 in Git","reason":"ArtifactChanged"}
    writes: none
    after: as planned
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
    // A new process concludes the same from the versions alone.
    world.restart().await;
    assert_eq!(world.told(&world.plan().await).matches("ArtifactChanged").count(), 2);
}

#[tokio::test]
async fn an_artifact_overwritten_on_purpose_is_pinned_in_git_and_deployed() {
    let mut world = overwritten().await;
    world.manifest("api", &format!("version: \"1.0.0\"\nsha256: {}\n", sha("rebuilt")));
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:rebuilt","version":"1.0.0"},"kind":"code","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:rebuilt","version":"1.0.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.0.0.zip","codeSha256":"sha:rebuilt","objectVersion":null,"result":"planned","version":"1.0.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:rebuilt","result":"planned"}
        step {"action":"PublishVersion","codeSha256":"sha:rebuilt","result":"planned","to":null,"version":"1.0.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"planned","to":null}
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.0.0.zip"}
      PublishVersion api {"CodeSha256":"sha:rebuilt","Description":"pinfold 1.0.0 sha256:sha:rebuilt"}
      UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.0.0.zip","codeSha256":"sha:rebuilt","objectVersion":null,"result":"done","version":"1.0.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:rebuilt","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:rebuilt","result":"done","to":"2","version":"1.0.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"done","to":"2"}
    live:
      api
        $LATEST sha:rebuilt
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:rebuilt pinfold 1.0.0 sha256:sha:rebuilt
        live -> 2
    "#);
}

async fn overwritten() -> World {
    let mut world = World::with(Setup {
        versioned: false,
        ..Setup::default()
    })
    .await;
    world.upload("api", "1.0.0", "rebuilt");
    world
}

#[tokio::test]
async fn a_suspended_function_that_is_clean_ends_with_0() {
    let mut world = World::settled().await;
    world.manifest("api", "version: \"1.0.0\"\nsuspend: { reason: incident 4711 }\n");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync true
      api Suspended
        withheld {"alias":null,"message":"suspended until its manifest says otherwise: incident 4711","reason":"Suspended"}
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
async fn a_suspended_function_that_drifts_is_left_alone_until_its_time_is_over() {
    let mut world = World::settled().await;
    world.manifest(
        "api",
        "version: \"1.1.0\"\nsuspend: { reason: incident 4711, until: 2026-01-02T00:00:00Z }\n",
    );
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Suspended
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        withheld {"alias":null,"message":"suspended until 2026-01-02T00:00:00Z: incident 4711","reason":"Suspended"}
    writes: none
    after: as planned
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
    world.clock.advance(Duration::from_hours(24));
    world.settle().await;
}

#[tokio::test]
async fn a_function_in_observe_mode_is_only_looked_at() {
    let mut world = World::settled().await;
    world.manifest("api", "version: \"1.1.0\"\nmode: observe\n");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        withheld {"alias":null,"message":"prod/api.yaml says `mode: observe`: drift is reported and not corrected","reason":"ObserveOnly"}
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
async fn a_configuration_that_observes_is_not_lifted_by_git() {
    let mut world = World::settled().await;
    world.policy.mode = Mode::Observe;
    world.manifest("api", "version: \"1.1.0\"\nmode: reconcile\n");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        withheld {"alias":null,"message":"the configuration says `mode: observe`: drift is reported and not corrected","reason":"ObserveOnly"}
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
async fn a_name_outside_the_targets_globs_is_not_even_read() {
    let mut world = World::with(Setup {
        globs: &["api"],
        ..Setup::default()
    })
    .await;
    world.create("worker");
    world.function("worker", "1.0.0");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api InSync
      worker Withheld
        withheld {"alias":null,"message":"prod/worker.yaml names worker, which no glob of target prod matches: add it to the target's `functions`, or remove the file","reason":"NotAllowed"}
    writes: none
    after: as planned
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
      worker
        $LATEST sha:placeholder
    "#);
    assert!(
        world
            .sandbox
            .calls()
            .iter()
            .all(|call| !call.resource.contains("worker"))
    );
}

#[tokio::test]
async fn a_function_that_two_files_claim_is_left_alone() {
    let mut world = World::settled().await;
    world.function("api", "1.1.0");
    world.file(
        "prod/copy.yaml",
        "apiVersion: pinfold/v1\nkind: Function\nname: api\nversion: \"2.0.0-rc.1\"\n",
    );
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Withheld
        withheld {"alias":null,"message":"claimed by \"prod/api.yaml\", \"prod/copy.yaml\": keep one of the files","reason":"Conflict"}
      fault {"column":7,"file":"prod/api.yaml","line":3,"message":"function api of target prod is claimed by \"prod/copy.yaml\" too: keep one of the files"}
      fault {"column":7,"file":"prod/copy.yaml","line":3,"message":"function api of target prod is claimed by \"prod/api.yaml\" too: keep one of the files"}
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
async fn a_function_whose_code_stays_in_s3_is_not_turned_into_a_copy() {
    let mut world = World::settled().await;
    let object = world
        .sandbox
        .put_object("artifacts", "api/ref.zip", zip("ref"), true)
        .unwrap();
    let input = json!({
        "FunctionName": "api", "S3Bucket": "artifacts", "S3Key": "api/ref.zip", "S3ObjectVersion": object,
        "S3ObjectStorageMode": "REFERENCE",
    });
    world.aws.call("UpdateFunctionCode", input).unwrap();
    world.name_hash("ref");
    world.function("api", "1.1.0");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Withheld
        withheld {"alias":null,"message":"its code stays in S3 by reference (S3ObjectStorageMode REFERENCE), which an update by Pinfold would turn into a copy: remove the manifest, or have the function keep a copy","reason":"UnsupportedPackage"}
    writes: none
    after: as planned
    live:
      api
        $LATEST sha:ref
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
}

#[tokio::test]
async fn what_s3_does_not_let_read_is_withheld_and_nothing_else() {
    let mut world = World::with(Setup {
        functions: &["api", "worker"],
        ..Setup::default()
    })
    .await;
    world.function("api", "1.1.0");
    world.manifest("worker", &format!("version: \"1.0.0\"\nsha256: {}\n", sha("1.0.0")));
    world.refuse("HeadObject", 403, 0);
    insta::assert_snapshot!(world.told(&world.plan().await), @r#"
    inSync false
      api Withheld
        withheld {"alias":"live","message":"version 1.1.0: HeadObject s3://artifacts/api/1.1.0.zip: HTTP status 403: grant s3:GetObject and s3:GetObjectVersion, and s3:ListBucket so that S3 can say what is missing","reason":"ArtifactUnreadable"}
        withheld {"alias":"$LATEST","message":"version 1.1.0: HeadObject s3://artifacts/api/1.1.0.zip: HTTP status 403: grant s3:GetObject and s3:GetObjectVersion, and s3:ListBucket so that S3 can say what is missing","reason":"ArtifactUnreadable"}
      worker InSync
    "#);
}
