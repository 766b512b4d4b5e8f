//! Where an artifact's hash comes from: S3's own SHA-256, or the bytes where it keeps none of the whole object.

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};

use crate::hands::zip;
use crate::world::{World, scenario};

#[tokio::test]
async fn an_artifact_without_a_sha256_is_read_and_deployed() {
    scenario("without-sha256", async |world| {
        let key = world.key("3.0.0");
        let id = world.hands.upload(&key, "3.0.0", false).await;
        deploy(world, id).await;
    })
    .await;
}

#[tokio::test]
async fn an_artifact_uploaded_in_parts_is_read_and_deployed() {
    scenario("in-parts", async |world| {
        let id = upload_in_parts(world).await;
        deploy(world, id).await;
    })
    .await;
}

#[tokio::test]
async fn an_object_version_in_git_is_the_one_that_is_deployed() {
    scenario("object-version", async |world| {
        let old = world.upload("3.0.0", "3.0.0").await.unwrap();
        world.upload("3.0.0", "overwritten").await;
        world.manifest(&format!("version: \"3.0.0\"\nobjectVersion: {old}\n"));
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift code $LATEST: 3.0.0 (sha:3.0.0), live $LATEST (sha:1.0.0)
            drift alias live: 3.0.0 (sha:3.0.0), live 1 (sha:1.0.0)
            step UpdateCode 3.0.0 (sha:3.0.0) of object:3.0.0: planned
            step AwaitUpdated sha:3.0.0: planned
            step PublishVersion sha:3.0.0 as -: planned
            step MoveAlias live 1 to -: planned
        after: inSync true
          api InSync
            step UpdateCode 3.0.0 (sha:3.0.0) of object:3.0.0: done
            step AwaitUpdated sha:3.0.0: done
            step PublishVersion sha:3.0.0 as 2: done
            step MoveAlias live 1 to 2: done
        live:
          $LATEST sha:3.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          2 sha:3.0.0 pinfold 3.0.0 sha256:sha:3.0.0
          live -> 2
        ");
    })
    .await;
}

async fn deploy(world: &mut World, object_version: Option<String>) {
    world.names.insert(object_version.unwrap(), "object:3.0.0".to_owned());
    world.name_hash("3.0.0");
    world.version("3.0.0");
    let told = world.story().await;
    insta::allow_duplicates! {
        insta::assert_snapshot!(told, @r"
        plan: inSync false
          api Drifted
            drift code $LATEST: 3.0.0 (sha:3.0.0), live $LATEST (sha:1.0.0)
            drift alias live: 3.0.0 (sha:3.0.0), live 1 (sha:1.0.0)
            step UpdateCode 3.0.0 (sha:3.0.0) of object:3.0.0: planned
            step AwaitUpdated sha:3.0.0: planned
            step PublishVersion sha:3.0.0 as -: planned
            step MoveAlias live 1 to -: planned
        after: inSync true
          api InSync
            step UpdateCode 3.0.0 (sha:3.0.0) of object:3.0.0: done
            step AwaitUpdated sha:3.0.0: done
            step PublishVersion sha:3.0.0 as 2: done
            step MoveAlias live 1 to 2: done
        live:
          $LATEST sha:3.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          2 sha:3.0.0 pinfold 3.0.0 sha256:sha:3.0.0
          live -> 2
        ");
    }
}

async fn upload_in_parts(world: &World) -> Option<String> {
    let (s3, bucket, key) = (&world.hands.s3, &world.hands.bucket, world.key("3.0.0"));
    let upload = s3.create_multipart_upload().bucket(bucket).key(&key);
    let upload = upload
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await
        .unwrap();
    let id = upload.upload_id.unwrap();
    let part = s3.upload_part().bucket(bucket).key(&key).upload_id(&id).part_number(1);
    let part = part
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .body(zip("3.0.0").into());
    let part = part.send().await.unwrap();
    let part = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag)
        .set_checksum_sha256(part.checksum_sha256)
        .build();
    let done = s3.complete_multipart_upload().bucket(bucket).key(&key).upload_id(id);
    let done = done.multipart_upload(CompletedMultipartUpload::builder().parts(part).build());
    done.send().await.unwrap().version_id
}
