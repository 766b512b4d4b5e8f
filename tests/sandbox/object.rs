//! S3: checksums, versions, absence, multipart uploads, copies and listings.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{
    BucketLocationConstraint, ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
    CreateBucketConfiguration, Delete, ObjectIdentifier,
};
use aws_smithy_runtime_api::client::result::SdkError;
use bytes::Bytes;

use crate::world::{World, refusal, s3_client, sha};

#[tokio::test]
async fn a_sha256_that_was_sent_is_kept_as_full_object() {
    let world = World::new().await;
    world.bucket("b1b").await;
    let put = world
        .s3
        .put_object()
        .bucket("b1b")
        .key("k")
        .body(Bytes::from_static(b"body").into());
    let put = put.checksum_sha256(sha(b"body")).send().await.unwrap();
    assert_eq!(put.checksum_sha256(), Some(sha(b"body").as_str()));
    let head = world
        .s3
        .head_object()
        .bucket("b1b")
        .key("k")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    assert_eq!(head.checksum_sha256(), Some(sha(b"body").as_str()));
    assert_eq!(head.checksum_type(), Some(&ChecksumType::FullObject));
    let silent = world.s3.head_object().bucket("b1b").key("k").send().await.unwrap();
    assert_eq!(silent.checksum_sha256(), None, "checksums come only when asked for");
}

#[tokio::test]
async fn a_sha256_that_does_not_fit_is_bad_digest_and_the_stored_object_stays() {
    let world = World::new().await;
    world.bucket("b1b").await;
    world.put("b1b", "k", Bytes::from_static(b"old")).await;
    let put = world
        .s3
        .put_object()
        .bucket("b1b")
        .key("k")
        .body(Bytes::from_static(b"new").into());
    assert_eq!(
        refusal(put.checksum_sha256(sha(b"other")).send().await),
        (400, "BadDigest".to_owned())
    );
    let kept = world.s3.get_object().bucket("b1b").key("k").send().await.unwrap();
    assert_eq!(kept.body.collect().await.unwrap().into_bytes(), "old");
}

#[tokio::test]
async fn in_a_versioned_bucket_each_put_has_its_version() {
    let world = World::new().await;
    world.bucket("b1b").await;
    let first = world.put("b1b", "k", Bytes::from_static(b"one")).await.unwrap();
    let second = world.put("b1b", "k", Bytes::from_static(b"two")).await.unwrap();
    assert_ne!(first, second);
    for (version, body) in [(&first, "one"), (&second, "two")] {
        let got = world
            .s3
            .get_object()
            .bucket("b1b")
            .key("k")
            .version_id(version)
            .send()
            .await
            .unwrap();
        let head = world
            .s3
            .head_object()
            .bucket("b1b")
            .key("k")
            .version_id(version)
            .send()
            .await
            .unwrap();
        assert_eq!(got.version_id(), Some(version.as_str()));
        assert_eq!(head.version_id(), Some(version.as_str()));
        assert_eq!(got.e_tag(), head.e_tag());
        assert_eq!(head.content_length(), Some(3));
        assert_eq!(got.body.collect().await.unwrap().into_bytes(), body);
    }
}

#[tokio::test]
async fn in_a_never_versioned_bucket_there_is_no_version_id() {
    let world = World::new().await;
    world.s3.create_bucket().bucket("b1b").send().await.unwrap();
    assert_eq!(world.put("b1b", "k", Bytes::from_static(b"one")).await, None);
    assert_eq!(
        world
            .s3
            .head_object()
            .bucket("b1b")
            .key("k")
            .send()
            .await
            .unwrap()
            .version_id(),
        None
    );
    assert_eq!(
        world
            .s3
            .get_object()
            .bucket("b1b")
            .key("k")
            .send()
            .await
            .unwrap()
            .version_id(),
        None
    );
    let null = world
        .s3
        .get_object()
        .bucket("b1b")
        .key("k")
        .version_id("null")
        .send()
        .await
        .unwrap();
    assert_eq!(null.body.collect().await.unwrap().into_bytes(), "one");
}

#[tokio::test]
async fn absent_keys_and_buckets_are_told_apart() {
    let world = World::new().await;
    world.bucket("b1b").await;
    let head = world.s3.head_object().bucket("b1b").key("k").send().await.unwrap_err();
    assert!(head.into_service_error().is_not_found());
    let get = world.s3.get_object().bucket("b1b").key("k").send().await;
    assert_eq!(refusal(get), (404, "NoSuchKey".to_owned()));
    let get = world.s3.get_object().bucket("nobody").key("k").send().await;
    assert_eq!(refusal(get), (404, "NoSuchBucket".to_owned()));
}

async fn upload(
    world: &World,
    parts: &[Bytes],
) -> aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadOutput {
    let upload = world.s3.create_multipart_upload().bucket("b1b").key("big");
    let upload = upload
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await
        .unwrap();
    let id = upload.upload_id().unwrap();
    let mut done = Vec::new();
    for (number, part) in (1..).zip(parts) {
        let reply = world
            .s3
            .upload_part()
            .bucket("b1b")
            .key("big")
            .upload_id(id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .body(part.clone().into())
            .send()
            .await
            .unwrap();
        assert_eq!(reply.checksum_sha256(), Some(sha(part).as_str()));
        done.push(
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(reply.e_tag)
                .set_checksum_sha256(reply.checksum_sha256)
                .build(),
        );
    }
    let listed = world
        .s3
        .list_parts()
        .bucket("b1b")
        .key("big")
        .upload_id(id)
        .send()
        .await
        .unwrap();
    assert_eq!(listed.parts().len(), parts.len());
    let all = CompletedMultipartUpload::builder().set_parts(Some(done)).build();
    let complete = world
        .s3
        .complete_multipart_upload()
        .bucket("b1b")
        .key("big")
        .upload_id(id)
        .multipart_upload(all);
    complete.send().await.unwrap()
}

#[tokio::test]
async fn a_multipart_sha256_is_composite() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let world = World::new().await;
    world.bucket("b1b").await;
    let parts = [Bytes::from(vec![7_u8; 5 * 1024 * 1024]), Bytes::from_static(b"tail")];
    let done = upload(&world, &parts).await;
    let digests: Vec<u8> = parts.iter().flat_map(sha2::Sha256::digest).collect();
    let expected = format!(
        "{}-2",
        base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(digests))
    );
    assert_eq!(done.checksum_sha256(), Some(expected.as_str()));
    let head = world
        .s3
        .head_object()
        .bucket("b1b")
        .key("big")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    assert_eq!(head.checksum_sha256(), Some(expected.as_str()));
    assert_eq!(head.checksum_type(), Some(&ChecksumType::Composite));
    assert!(head.e_tag().unwrap().ends_with("-2\""));

    // Copying writes the object in one piece, and with it a checksum of the whole.
    let copy = world.s3.copy_object().bucket("b1b").key("copy").copy_source("b1b/big");
    let copy = copy.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap();
    let whole = sha(&parts.concat());
    assert_eq!(
        copy.copy_object_result().unwrap().checksum_sha256(),
        Some(whole.as_str())
    );
    let head = world
        .s3
        .head_object()
        .bucket("b1b")
        .key("copy")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (head.checksum_sha256(), head.checksum_type()),
        (Some(whole.as_str()), Some(&ChecksumType::FullObject))
    );
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let world = World::new().await;
    world.bucket("b1b").await;
    let upload = world
        .s3
        .create_multipart_upload()
        .bucket("b1b")
        .key("big")
        .send()
        .await
        .unwrap();
    let id = upload.upload_id().unwrap();
    world
        .s3
        .abort_multipart_upload()
        .bucket("b1b")
        .key("big")
        .upload_id(id)
        .send()
        .await
        .unwrap();
    let listed = world
        .s3
        .list_parts()
        .bucket("b1b")
        .key("big")
        .upload_id(id)
        .send()
        .await;
    assert_eq!(refusal(listed), (404, "NoSuchUpload".to_owned()));
}

#[tokio::test]
async fn every_checksum_algorithm_is_taken() {
    let world = World::new().await;
    world.bucket("b1b").await;
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        let put = world
            .s3
            .put_object()
            .bucket("b1b")
            .key("k")
            .body(Bytes::from_static(b"body").into());
        put.checksum_algorithm(algorithm.clone()).send().await.unwrap();
        let head = world
            .s3
            .head_object()
            .bucket("b1b")
            .key("k")
            .checksum_mode(ChecksumMode::Enabled);
        let head = head.send().await.unwrap();
        let present = [
            (ChecksumAlgorithm::Crc32, head.checksum_crc32()),
            (ChecksumAlgorithm::Crc32C, head.checksum_crc32_c()),
            (ChecksumAlgorithm::Crc64Nvme, head.checksum_crc64_nvme()),
            (ChecksumAlgorithm::Sha1, head.checksum_sha1()),
            (ChecksumAlgorithm::Sha256, head.checksum_sha256()),
        ];
        let present: Vec<_> = present
            .into_iter()
            .filter(|(_, value)| value.is_some())
            .map(|(name, _)| name)
            .collect();
        assert_eq!(present, [algorithm]);
        // The SDK holds the body it gets against the checksum.
        let got = world
            .s3
            .get_object()
            .bucket("b1b")
            .key("k")
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .unwrap();
        assert_eq!(got.body.collect().await.unwrap().into_bytes(), "body");
    }
}

#[tokio::test]
async fn an_immutable_key_is_put_once() {
    let world = World::new().await;
    world.bucket("b1b").await;
    let put = || world.s3.put_object().bucket("b1b").key("k").if_none_match("*");
    put().body(Bytes::from_static(b"one").into()).send().await.unwrap();
    let again = put().body(Bytes::from_static(b"two").into()).send().await;
    assert_eq!(refusal(again), (412, "PreconditionFailed".to_owned()));
}

#[tokio::test]
async fn a_range_and_conditions_are_honoured() {
    let world = World::new().await;
    world.bucket("b1b").await;
    world.put("b1b", "k", Bytes::from_static(b"0123456789")).await;
    let get = || world.s3.get_object().bucket("b1b").key("k");
    for (range, expected) in [("bytes=2-4", "234"), ("bytes=7-", "789"), ("bytes=-2", "89")] {
        let part = get().range(range).send().await.unwrap();
        assert_eq!(part.body.collect().await.unwrap().into_bytes(), expected);
    }
    assert_eq!(
        refusal(get().range("bytes=10-").send().await),
        (416, "InvalidRange".to_owned())
    );
    assert_eq!(
        refusal(get().if_match("\"other\"").send().await),
        (412, "PreconditionFailed".to_owned())
    );
    let etag = get().send().await.unwrap().e_tag.unwrap();
    get().if_match(&etag).send().await.unwrap();
    let unchanged = get().if_none_match(&etag).send().await.unwrap_err();
    let SdkError::ServiceError(unchanged) = unchanged else {
        panic!("not a refusal")
    };
    assert_eq!(unchanged.raw().status().as_u16(), 304);
}

#[tokio::test]
async fn a_delete_hides_a_version_until_the_marker_goes() {
    let world = World::new().await;
    world.bucket("b1b").await;
    let version = world.put("b1b", "k", Bytes::from_static(b"one")).await.unwrap();
    let deleted = world.s3.delete_object().bucket("b1b").key("k").send().await.unwrap();
    assert_eq!(deleted.delete_marker(), Some(true));
    assert_eq!(
        refusal(world.s3.get_object().bucket("b1b").key("k").send().await),
        (404, "NoSuchKey".to_owned())
    );
    world
        .s3
        .get_object()
        .bucket("b1b")
        .key("k")
        .version_id(&version)
        .send()
        .await
        .unwrap();

    let listed = world.s3.list_object_versions().bucket("b1b").send().await.unwrap();
    assert_eq!(listed.versions()[0].version_id(), Some(version.as_str()));
    assert_eq!(listed.delete_markers()[0].version_id(), deleted.version_id());
    let marker = deleted.version_id().unwrap();
    world
        .s3
        .delete_object()
        .bucket("b1b")
        .key("k")
        .version_id(marker)
        .send()
        .await
        .unwrap();
    world.s3.get_object().bucket("b1b").key("k").send().await.unwrap();
}

#[tokio::test]
async fn listings_come_in_pages_and_folders() {
    let world = World::new().await;
    world.bucket("b1b").await;
    for key in ["a/1", "a/2", "b/1", "c & d+e%", "z"] {
        world.put("b1b", key, Bytes::from_static(b"x")).await;
    }
    let mut pages = world
        .s3
        .list_objects_v2()
        .bucket("b1b")
        .max_keys(2)
        .into_paginator()
        .send();
    let (mut keys, mut count) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        keys.extend(
            page.unwrap()
                .contents()
                .iter()
                .filter_map(|object| object.key().map(str::to_owned)),
        );
        count += 1;
    }
    assert_eq!(
        (keys, count),
        (["a/1", "a/2", "b/1", "c & d+e%", "z"].map(str::to_owned).to_vec(), 3)
    );
    let folders = world
        .s3
        .list_objects_v2()
        .bucket("b1b")
        .delimiter("/")
        .send()
        .await
        .unwrap();
    let prefixes: Vec<_> = folders
        .common_prefixes()
        .iter()
        .filter_map(|prefix| prefix.prefix())
        .collect();
    assert_eq!(prefixes, ["a/", "b/"]);
    assert_eq!(folders.contents().len(), 2);
}

#[tokio::test]
async fn several_objects_are_deleted_at_once_and_an_empty_bucket_can_go() {
    let world = World::new().await;
    world.s3.create_bucket().bucket("b1b").send().await.unwrap();
    for key in ["a", "b"] {
        world.put("b1b", key, Bytes::from_static(b"x")).await;
    }
    let full = world.s3.delete_bucket().bucket("b1b").send().await;
    assert_eq!(refusal(full), (409, "BucketNotEmpty".to_owned()));
    let identifiers = ["a", "b"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let list = Delete::builder()
        .set_objects(Some(identifiers.to_vec()))
        .build()
        .unwrap();
    let deleted = world
        .s3
        .delete_objects()
        .bucket("b1b")
        .delete(list)
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.deleted().len(), 2);
    world.s3.delete_bucket().bucket("b1b").send().await.unwrap();
    let head = world.s3.head_bucket().bucket("b1b").send().await.unwrap_err();
    assert!(head.into_service_error().is_not_found());
}

#[tokio::test]
async fn a_bucket_remembers_its_region() {
    let world = World::new().await;
    let there = s3_client(&world.url, "eu-west-1");
    let unnamed = there.create_bucket().bucket("b1b").send().await.unwrap_err();
    assert_eq!(
        unnamed.into_service_error().code(),
        Some("IllegalLocationConstraintException")
    );
    let place = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::EuWest1)
        .build();
    there
        .create_bucket()
        .bucket("b1b")
        .create_bucket_configuration(place)
        .send()
        .await
        .unwrap();
    let location = there.get_bucket_location().bucket("b1b").send().await.unwrap();
    assert_eq!(location.location_constraint(), Some(&BucketLocationConstraint::EuWest1));
    let head = there.head_bucket().bucket("b1b").send().await.unwrap();
    assert_eq!(head.bucket_region(), Some("eu-west-1"));
    assert_eq!(there.list_buckets().send().await.unwrap().buckets().len(), 1);
}

#[tokio::test]
async fn metadata_stays_with_the_object() {
    let world = World::new().await;
    world.bucket("b1b").await;
    let put = world
        .s3
        .put_object()
        .bucket("b1b")
        .key("k")
        .body(Bytes::from_static(b"x").into());
    put.metadata("sha256", "abc")
        .content_type("application/zip")
        .send()
        .await
        .unwrap();
    let head = world.s3.head_object().bucket("b1b").key("k").send().await.unwrap();
    assert_eq!(head.content_type(), Some("application/zip"));
    assert_eq!(head.metadata().unwrap()["sha256"], "abc");
    let attributes = world
        .s3
        .get_object_attributes()
        .bucket("b1b")
        .key("k")
        .object_attributes(aws_sdk_s3::types::ObjectAttributes::ObjectSize)
        .send()
        .await
        .unwrap();
    assert_eq!(attributes.object_size(), Some(1));
}

#[tokio::test]
async fn a_part_carries_the_algorithm_that_the_upload_named() {
    let world = World::new().await;
    world.bucket("b1b").await;
    let upload = world.s3.create_multipart_upload().bucket("b1b").key("big");
    let upload = upload
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await
        .unwrap();
    let part = world
        .s3
        .upload_part()
        .bucket("b1b")
        .key("big")
        .set_upload_id(upload.upload_id)
        .part_number(1);
    let part = part
        .checksum_algorithm(ChecksumAlgorithm::Crc32)
        .body(Bytes::from_static(b"x").into());
    assert_eq!(refusal(part.send().await), (400, "InvalidRequest".to_owned()));
}

#[tokio::test]
async fn a_stream_of_unknown_checksum_is_taken_with_its_trailer() {
    let world = World::new().await;
    world.bucket("b1b").await;
    // A body that is read from a file is sent in chunks, with its checksum behind it.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![7_u8; 300_000]).unwrap();
    let body = aws_sdk_s3::primitives::ByteStream::from_path(file.path())
        .await
        .unwrap();
    let put = world
        .s3
        .put_object()
        .bucket("b1b")
        .key("k")
        .checksum_algorithm(ChecksumAlgorithm::Sha256);
    let put = put.content_encoding("gzip").body(body).send().await.unwrap();
    assert_eq!(put.checksum_sha256(), Some(sha(&vec![7_u8; 300_000]).as_str()));
    let head = world.s3.head_object().bucket("b1b").key("k").send().await.unwrap();
    assert_eq!(
        (head.content_length(), head.content_encoding()),
        (Some(300_000), Some("gzip"))
    );
}

#[tokio::test]
async fn without_a_checksum_s3_attaches_its_own() {
    use aws_sdk_s3::config::RequestChecksumCalculation;
    let world = World::new().await;
    world.bucket("b1b").await;
    let config = world.s3.config().to_builder();
    let config = config
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .build();
    let plain = aws_sdk_s3::Client::from_conf(config);
    plain
        .put_object()
        .bucket("b1b")
        .key("k")
        .body(Bytes::from_static(b"x").into())
        .send()
        .await
        .unwrap();
    let head = plain
        .head_object()
        .bucket("b1b")
        .key("k")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    assert!(head.checksum_crc64_nvme().is_some());
    assert_eq!(
        (head.checksum_sha256(), head.checksum_type()),
        (None, Some(&ChecksumType::FullObject))
    );
}
