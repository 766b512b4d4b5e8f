//! `UpdateFunctionCode` from S3: which object it takes, and what it says where it cannot.

use aws_sdk_lambda::types::S3ObjectStorageMode;
use aws_sdk_s3::types::ChecksumMode;
use bytes::Bytes;

use crate::world::{World, message, refusal, s3_client, sha, zip};

/// The function `f`, and the versioned bucket `artifacts`.
async fn world() -> World {
    let world = World::new().await;
    world.function("0").await;
    world.bucket("artifacts").await;
    world
}

fn update(
    world: &World,
    key: &str,
) -> aws_sdk_lambda::operation::update_function_code::builders::UpdateFunctionCodeFluentBuilder {
    world
        .lambda
        .update_function_code()
        .function_name("f")
        .s3_bucket("artifacts")
        .s3_key(key)
}

/// A refused update leaves no trace and says so with this text.
async fn refused(
    world: &World,
    call: aws_sdk_lambda::operation::update_function_code::builders::UpdateFunctionCodeFluentBuilder,
    text: &str,
) {
    let (before, versions) = (world.get(None).await, world.versions().await);
    let reply = call.clone().send().await;
    assert_eq!(refusal(reply), (400, "InvalidParameterValueException".to_owned()));
    let said = message(call.send().await);
    assert!(said.contains(text), "{said}");
    assert_eq!(world.get(None).await, before);
    assert_eq!(world.versions().await, versions);
}

#[tokio::test]
async fn an_update_from_s3_takes_the_current_object() {
    let world = world().await;
    world.put("artifacts", "f.zip", zip("1")).await;
    world.put("artifacts", "f.zip", zip("22")).await;
    let reply = update(&world, "f.zip").send().await.unwrap();
    assert_eq!(reply.code_sha256(), Some(sha(&zip("22")).as_str()));
    assert_eq!(reply.code_size(), i64::try_from(zip("22").len()).unwrap());
}

#[tokio::test]
async fn an_update_with_an_object_version_takes_that_one() {
    let world = world().await;
    let old = world.put("artifacts", "f.zip", zip("1")).await.unwrap();
    world.put("artifacts", "f.zip", zip("2")).await;
    let reply = update(&world, "f.zip").s3_object_version(old).send().await.unwrap();
    assert_eq!(reply.code_sha256(), Some(sha(&zip("1")).as_str()));
}

#[tokio::test]
async fn code_sha256_is_the_checksum_that_s3_shows() {
    let world = world().await;
    let version = world.put("artifacts", "f.zip", zip("1")).await.unwrap();
    let head = world
        .s3
        .head_object()
        .bucket("artifacts")
        .key("f.zip")
        .version_id(version);
    let head = head.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    let reply = update(&world, "f.zip").send().await.unwrap();
    assert_eq!(reply.code_sha256(), head.checksum_sha256());
}

#[tokio::test]
async fn an_update_from_a_missing_key_is_400_and_changes_nothing() {
    let world = world().await;
    refused(&world, update(&world, "absent.zip"), "S3 Error Code: NoSuchKey").await;
}

#[tokio::test]
async fn an_update_from_a_missing_bucket_is_400_and_changes_nothing() {
    let world = world().await;
    let call = update(&world, "f.zip").s3_bucket("no-such-bucket");
    refused(&world, call, "S3 Error Code: NoSuchBucket").await;
}

#[tokio::test]
async fn an_update_from_an_unknown_object_version_is_400_and_changes_nothing() {
    let world = world().await;
    world.put("artifacts", "f.zip", zip("1")).await;
    for version in ["unknown", "3HL4kqtJvjVBH40Nrjfkd3HL4kqtJvjV"] {
        let call = update(&world, "f.zip").s3_object_version(version);
        refused(&world, call, "Invalid version id specified").await;
    }
}

#[tokio::test]
async fn an_update_from_an_object_that_is_no_zip_is_400_and_changes_nothing() {
    let world = world().await;
    world.put("artifacts", "f.zip", Bytes::from_static(b"no zip")).await;
    refused(&world, update(&world, "f.zip"), "Could not unzip uploaded file").await;
}

#[tokio::test]
async fn a_copy_from_another_region_is_400_and_changes_nothing() {
    let world = world().await;
    world.sandbox.create_bucket("elsewhere", "eu-west-1", true).unwrap();
    world.sandbox.put_object("elsewhere", "f.zip", zip("1"), true).unwrap();
    let call = update(&world, "f.zip").s3_bucket("elsewhere");
    refused(&world, call, "S3 Error Code: PermanentRedirect").await;
    let direct = world.s3.get_object().bucket("elsewhere").key("f.zip").send().await;
    assert_eq!(refusal(direct), (301, "PermanentRedirect".to_owned()));
    s3_client(&world.url, "eu-west-1")
        .get_object()
        .bucket("elsewhere")
        .key("f.zip")
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_referenced_object_is_shown_and_its_hash_comes_late() {
    let world = world().await;
    let version = world.put("artifacts", "f.zip", zip("1")).await.unwrap();
    let call = || update(&world, "f.zip").s3_object_storage_mode(S3ObjectStorageMode::Reference);
    assert_eq!(
        refusal(call().send().await),
        (400, "InvalidParameterValueException".to_owned())
    );

    let reply = call().s3_object_version(&version).send().await.unwrap();
    assert_eq!(reply.code_sha256(), None);
    let shown = world.lambda.get_function().function_name("f").send().await.unwrap();
    assert_eq!(
        shown.configuration().unwrap().code_sha256(),
        Some(sha(&zip("1")).as_str())
    );
    let resolved = shown.code().unwrap().resolved_s3_object().unwrap();
    assert_eq!(
        (resolved.s3_bucket(), resolved.s3_key()),
        (Some("artifacts"), Some("f.zip"))
    );
    assert_eq!(resolved.s3_object_version(), Some(version.as_str()));

    // An update that does not say REFERENCE again goes back to a copy.
    update(&world, "f.zip").send().await.unwrap();
    let shown = world.lambda.get_function().function_name("f").send().await.unwrap();
    assert!(shown.code().unwrap().resolved_s3_object().is_none());
}
