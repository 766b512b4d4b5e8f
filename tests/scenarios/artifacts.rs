//! Artifacts: those whose hash S3 does not say, which are read once, and those of which there are several versions.

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};

use pinfold::sandbox::Effect;

use crate::world::{BUCKET, Setup, World, zip};

const KEY: &str = "api/3.0.0.zip";

#[tokio::test]
async fn an_artifact_without_a_sha256_is_read_once() {
    let mut world = World::settled().await;
    let id = world.sandbox.put_object(BUCKET, KEY, zip("3.0.0"), false).unwrap();
    world.names.insert(id.unwrap(), format!("object:{KEY}"));
    world.name_hash("3.0.0");
    deploys_after_one_read(world).await;
}

#[tokio::test]
async fn the_composite_checksum_of_a_multipart_upload_is_passed_over() {
    let mut world = World::settled().await;
    let checksum = upload_in_parts(&mut world).await;
    assert!(checksum.ends_with("-1"), "not a composite checksum: {checksum}");
    world.name_hash("3.0.0");
    world.sandbox.clear_calls();
    deploys_after_one_read(world).await;
}

async fn deploys_after_one_read(mut world: World) {
    world.function("api", "3.0.0");
    let told = world.pass().await;
    insta::allow_duplicates! {
        insta::assert_snapshot!(told, @r#"
        writes:
          UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/3.0.0.zip","S3ObjectVersion":"object:api/3.0.0.zip"}
          PublishVersion api {"CodeSha256":"sha:3.0.0","Description":"pinfold 3.0.0 sha256:sha:3.0.0"}
          UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
        after: inSync true
          api InSync
            step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/3.0.0.zip","codeSha256":"sha:3.0.0","objectVersion":"object:api/3.0.0.zip","result":"done","version":"3.0.0"}
            step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:3.0.0","result":"done"}
            step {"action":"PublishVersion","codeSha256":"sha:3.0.0","result":"done","to":"2","version":"3.0.0"}
            step {"action":"MoveAlias","alias":"live","from":"1","result":"done","to":"2"}
        live:
          api
            $LATEST sha:3.0.0
            1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
            2 sha:3.0.0 pinfold 3.0.0 sha256:sha:3.0.0
            live -> 2
        "#);
    }
    assert_eq!(reads(&world), 1);
    world.apply().await;
    world.plan().await;
    assert_eq!(reads(&world), 1, "what was hashed is remembered");
    world.restart().await;
    world.plan().await;
    assert_eq!(reads(&world), 2, "and read again by a process that remembers nothing");
}

fn reads(world: &World) -> usize {
    let calls = world.sandbox.calls();
    calls.iter().filter(|call| call.operation == "GetObject").count()
}

/// Uploads 3.0.0 in parts. Returns the checksum that S3 shows for it.
async fn upload_in_parts(world: &mut World) -> String {
    let s3 = world.s3();
    let upload = s3.create_multipart_upload().bucket(BUCKET).key(KEY);
    let upload = upload
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await
        .unwrap();
    let id = upload.upload_id.unwrap();
    let part = s3.upload_part().bucket(BUCKET).key(KEY).upload_id(&id).part_number(1);
    let part = part
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .body(zip("3.0.0").into());
    let part = part.send().await.unwrap();
    let part = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag)
        .set_checksum_sha256(part.checksum_sha256)
        .build();
    let done = s3.complete_multipart_upload().bucket(BUCKET).key(KEY).upload_id(id);
    let done = done.multipart_upload(CompletedMultipartUpload::builder().parts(part).build());
    let done = done.send().await.unwrap();
    world.names.insert(done.version_id.unwrap(), format!("object:{KEY}"));
    done.checksum_sha256.unwrap()
}

#[tokio::test]
async fn an_object_version_in_git_is_the_one_that_counts() {
    let mut world = World::settled().await;
    let first = world
        .names
        .iter()
        .find(|(_, name)| *name == "object:api/1.0.0.zip")
        .unwrap()
        .0
        .clone();
    world.upload("api", "1.0.0", "rebuilt");
    let told = world.told(&world.plan().await);
    assert_eq!(told.matches("ArtifactChanged").count(), 2, "{told}");
    world.manifest("api", &format!("version: \"1.0.0\"\nobjectVersion: {first}\n"));
    assert_eq!(world.told(&world.plan().await), "inSync true\n  api InSync");
    world.manifest("api", "version: \"1.0.0\"\nobjectVersion: 3HL4kqtJvjVBH40N\n");
    insta::assert_snapshot!(world.told(&world.plan().await), @r#"
    inSync false
      api Withheld
        withheld {"alias":"live","message":"version 1.0.0: S3 does not know s3://artifacts/api/1.0.0.zip (object version 3HL4kqtJvjVBH40N): correct `objectVersion`, or leave it out","reason":"ArtifactNotFound"}
        withheld {"alias":"$LATEST","message":"version 1.0.0: S3 does not know s3://artifacts/api/1.0.0.zip (object version 3HL4kqtJvjVBH40N): correct `objectVersion`, or leave it out","reason":"ArtifactNotFound"}
    "#);
}

#[tokio::test]
async fn a07_bytes_that_change_between_the_look_and_the_upload_are_not_published() {
    let mut world = World::with(Setup {
        versioned: false,
        ..Setup::default()
    })
    .await;
    world.function("api", "1.1.0");
    world.name_hash("rebuilt");
    world.inject("UpdateFunctionCode", Effect::Delay { ms: 1_000 });
    let (report, ()) = tokio::join!(world.apply(), async {
        world.until_called("HeadObject").await;
        world
            .sandbox
            .put_object(BUCKET, "api/1.1.0.zip", zip("rebuilt"), true)
            .unwrap();
        world.delayed("UpdateFunctionCode").await;
    });
    insta::assert_snapshot!(world.told(&report), @r#"
    inSync false
      api Failed
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:rebuilt","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","message":"s3://artifacts/api/1.1.0.zip was sha:1.1.0 when it was looked up, but Lambda took sha:rebuilt: nothing is published from it","objectVersion":null,"result":"failed","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","message":"UpdateCode before it was not done","result":"skipped"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","message":"UpdateCode before it was not done","result":"skipped","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","message":"UpdateCode before it was not done","result":"skipped","to":null}
        withheld {"alias":"$LATEST","message":"s3://artifacts/api/1.1.0.zip was sha:1.1.0 when it was looked up, but Lambda took sha:rebuilt: nothing is published from it","reason":"ArtifactChanged"}
    "#);
    insta::assert_snapshot!(world.live(), @r"
    live:
      api
        $LATEST sha:rebuilt
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    ");
}
