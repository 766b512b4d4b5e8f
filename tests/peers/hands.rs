//! Somebody else's hands in the account: Terraform, a pipeline, a person in the console. They use the SDKs, and wait until
//! what they did is done.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client as Lambda;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::operation::update_alias::builders::UpdateAliasFluentBuilder;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    AliasConfiguration, AliasRoutingConfiguration, FunctionCode, FunctionConfiguration, LastUpdateStatus, Runtime,
    State,
};
use aws_sdk_s3::Client as S3;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, ChecksumAlgorithm, CreateBucketConfiguration,
    VersioningConfiguration,
};
use bytes::Bytes;
use pinfold::domain::CodeSha256;
use pinfold::sandbox::package;
use sha2::{Digest as _, Sha256};

use crate::peer::Peer;

/// Looks at an update at the most. With the pause of half a second between them on AWS, a minute.
const LOOKS: usize = 120;

/// Attempts at a call, as quotas may throttle and nobody here is in a hurry.
const ATTEMPTS: u32 = 8;

pub(crate) struct Hands {
    pub(crate) peer: Peer,
    pub(crate) lambda: Lambda,
    pub(crate) s3: S3,
    /// The bucket of the scenario.
    pub(crate) bucket: String,
}

impl Hands {
    pub(crate) async fn new(bucket: String) -> Self {
        let peer = Peer::of_the_environment().await;
        let sdk = peer.sdk().await;
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        let lambda = aws_sdk_lambda::config::Builder::from(&sdk).retry_config(retries.clone());
        let s3 = aws_sdk_s3::config::Builder::from(&sdk)
            .retry_config(retries)
            .force_path_style(peer.url.is_some());
        Self {
            lambda: Lambda::from_conf(lambda.build()),
            s3: S3::from_conf(s3.build()),
            peer,
            bucket,
        }
    }

    /// For a call whose failure is awaited: it is not tried again.
    pub(crate) fn once() -> aws_sdk_lambda::config::Builder {
        aws_sdk_lambda::config::Builder::new().retry_config(RetryConfig::disabled())
    }

    pub(crate) async fn create_bucket(&self, versioned: bool) {
        let elsewhere = self.peer.region != "us-east-1";
        let place = elsewhere.then(|| {
            let place = BucketLocationConstraint::from(self.peer.region.as_str());
            CreateBucketConfiguration::builder().location_constraint(place).build()
        });
        let call = self.s3.create_bucket().bucket(&self.bucket);
        call.set_create_bucket_configuration(place).send().await.unwrap();
        if versioned {
            let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
            let call = self.s3.put_bucket_versioning().bucket(&self.bucket);
            call.versioning_configuration(on.build()).send().await.unwrap();
        }
    }

    /// Uploads an artifact whose bytes are told by `tag`. With `with_sha256` S3 is asked to keep that hash.
    pub(crate) async fn upload(&self, key: &str, tag: &str, with_sha256: bool) -> Option<String> {
        let call = self.s3.put_object().bucket(&self.bucket).key(key);
        let call = call.set_checksum_algorithm(with_sha256.then_some(ChecksumAlgorithm::Sha256));
        call.body(zip(tag).into()).send().await.unwrap().version_id
    }

    pub(crate) async fn delete_object(&self, key: &str) {
        let call = self.s3.delete_object().bucket(&self.bucket).key(key);
        call.send().await.unwrap();
    }

    pub(crate) async fn create_function(&self, name: &str) {
        let call = self.lambda.create_function().function_name(name).role(&self.peer.role);
        let code = FunctionCode::builder().zip_file(Blob::new(zip("placeholder")));
        let call = call.runtime(Runtime::Nodejs22x).handler("index.handler");
        call.code(code.build()).send().await.unwrap();
        self.wait(name).await;
    }

    /// Gives `$LATEST` other code, and leaves before that is done.
    pub(crate) async fn begin_update(&self, name: &str, tag: &str) {
        let call = self.lambda.update_function_code().function_name(name);
        call.zip_file(Blob::new(zip(tag))).send().await.unwrap();
    }

    pub(crate) async fn update_code(&self, name: &str, tag: &str) {
        self.begin_update(name, tag).await;
        self.wait(name).await;
    }

    /// Changes the configuration of `$LATEST`.
    pub(crate) async fn configure(&self, name: &str, timeout: i32) {
        let call = self.lambda.update_function_configuration().function_name(name);
        call.timeout(timeout).send().await.unwrap();
        self.wait(name).await;
    }

    pub(crate) async fn publish(&self, name: &str) -> String {
        let call = self.lambda.publish_version().function_name(name);
        call.send().await.unwrap().version.unwrap()
    }

    pub(crate) async fn create_alias(&self, name: &str, alias: &str, version: &str) {
        let call = self.lambda.create_alias().function_name(name).name(alias);
        call.function_version(version).send().await.unwrap();
    }

    pub(crate) async fn delete_alias(&self, name: &str, alias: &str) {
        let call = self.lambda.delete_alias().function_name(name).name(alias);
        call.send().await.unwrap();
    }

    pub(crate) async fn move_alias(&self, name: &str, alias: &str, version: &str) {
        let call = self.lambda.update_alias().function_name(name).name(alias);
        call.function_version(version).send().await.unwrap();
    }

    /// The call that sends a tenth of an alias's traffic to another version.
    pub(crate) fn shift(&self, name: &str, alias: &str, second: &str) -> UpdateAliasFluentBuilder {
        let call = self.lambda.update_alias().function_name(name).name(alias);
        call.routing_config(tenth_to(second))
    }

    /// Makes an alias that sends a tenth of its traffic to another version.
    pub(crate) async fn create_shifted(&self, name: &str, alias: &str, version: &str, second: &str) {
        let call = self.lambda.create_alias().function_name(name).name(alias);
        let call = call.function_version(version).routing_config(tenth_to(second));
        call.send().await.unwrap();
    }

    pub(crate) async fn latest(&self, name: &str) -> FunctionConfiguration {
        let call = self.lambda.get_function().function_name(name);
        call.send().await.unwrap().configuration.unwrap()
    }

    /// All aliases, by name.
    pub(crate) async fn aliases(&self, name: &str) -> BTreeMap<String, AliasConfiguration> {
        let listed = self.lambda.list_aliases().function_name(name).send().await.unwrap();
        let aliases = listed.aliases.unwrap_or_default().into_iter();
        aliases.map(|alias| (alias.name.clone().unwrap(), alias)).collect()
    }

    /// `$LATEST` and every version, oldest first. These functions have fewer than fit on a page.
    pub(crate) async fn versions(&self, name: &str) -> Vec<FunctionConfiguration> {
        let call = self.lambda.list_versions_by_function().function_name(name);
        call.send().await.unwrap().versions.unwrap()
    }

    /// Waits until a function can be changed again.
    pub(crate) async fn wait(&self, name: &str) {
        for _ in 0..LOOKS {
            let seen = self.latest(name).await;
            let pending = seen.state == Some(State::Pending);
            if !pending && seen.last_update_status != Some(LastUpdateStatus::InProgress) {
                assert_eq!(seen.state, Some(State::Active), "{seen:?}");
                assert_eq!(seen.last_update_status, Some(LastUpdateStatus::Successful), "{seen:?}");
                return;
            }
            self.peer.pause().await;
        }
        panic!("{name} is not ready after {LOOKS} looks");
    }
}

fn tenth_to(second: &str) -> AliasRoutingConfiguration {
    AliasRoutingConfiguration::builder()
        .additional_version_weights(second, 0.1)
        .build()
}

/// A zip whose content is told by `tag`.
pub(crate) fn zip(tag: &str) -> Bytes {
    package([("index.js", format!("exports.handler = async () => '{tag}';"))])
}

/// The hash of the zip of `tag`, as Lambda and S3 write it.
pub(crate) fn sha(tag: &str) -> String {
    CodeSha256::from_bytes(Sha256::digest(zip(tag)).into()).to_string()
}
