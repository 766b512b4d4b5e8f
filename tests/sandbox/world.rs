//! What every test starts from: a sandbox behind HTTP on a port of its own, its clock in the test's hand, and the real SDKs.
//! It asserts nothing about the sandbox.

use std::time::Duration;

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, FunctionConfiguration, Runtime};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use bytes::Bytes;
use pinfold::sandbox::{Clock, ManualClock, Options, Sandbox, package};
use tokio_util::sync::CancellationToken;

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/worker";
pub(crate) const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: ManualClock,
    pub(crate) url: String,
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    stop: CancellationToken,
    _server: tokio::task::JoinSet<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// How long an update stays in progress in these tests.
pub(crate) const WINDOW: Duration = Duration::from_secs(5);

impl World {
    /// Updates are through at once.
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    /// Updates take [`WINDOW`].
    pub(crate) async fn with_window() -> Self {
        Self::with(Options {
            update_window: WINDOW,
            ..Options::default()
        })
        .await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let clock = ManualClock::default();
        let sandbox = Sandbox::new(Options {
            clock: Clock::Manual(clock.clone()),
            ..options
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let mut server = tokio::task::JoinSet::new();
        let (handle, ending) = (sandbox.clone(), stop.clone());
        server.spawn(async move { handle.serve(listener, ending).await.unwrap() });
        let (lambda, s3) = (lambda_client(&url, "us-east-1", "test"), s3_client(&url, "us-east-1"));
        Self {
            sandbox,
            clock,
            url,
            lambda,
            s3,
            stop,
            _server: server,
        }
    }

    /// Lets every update come to its end.
    pub(crate) fn settle(&self) {
        self.clock.advance(WINDOW * 2);
    }

    /// Makes the function `f` with the code `tag`, settled.
    pub(crate) async fn function(&self, tag: &str) {
        self.create("f", tag, false).await;
        self.settle();
    }

    pub(crate) async fn create(
        &self,
        name: &str,
        tag: &str,
        publish: bool,
    ) -> aws_sdk_lambda::operation::create_function::CreateFunctionOutput {
        self.lambda
            .create_function()
            .function_name(name)
            .role(ROLE)
            .runtime(Runtime::Nodejs22x)
            .handler("index.handler")
            .code(FunctionCode::builder().zip_file(Blob::new(zip(tag))).build())
            .publish(publish)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn update(
        &self,
        tag: &str,
    ) -> aws_sdk_lambda::operation::update_function_code::UpdateFunctionCodeOutput {
        self.update_call(tag).send().await.unwrap()
    }

    pub(crate) fn update_call(
        &self,
        tag: &str,
    ) -> aws_sdk_lambda::operation::update_function_code::builders::UpdateFunctionCodeFluentBuilder {
        self.lambda
            .update_function_code()
            .function_name("f")
            .zip_file(Blob::new(zip(tag)))
    }

    /// Publishes `f` and gives the version's number.
    pub(crate) async fn publish(&self) -> String {
        self.lambda
            .publish_version()
            .function_name("f")
            .send()
            .await
            .unwrap()
            .version
            .unwrap()
    }

    /// Updates, settles and publishes `f`.
    pub(crate) async fn release(&self, tag: &str) -> String {
        self.update(tag).await;
        self.settle();
        self.publish().await
    }

    /// The configuration that `GetFunction` shows.
    pub(crate) async fn get(&self, qualifier: Option<&str>) -> FunctionConfiguration {
        self.lambda
            .get_function()
            .function_name("f")
            .set_qualifier(qualifier.map(str::to_owned))
            .send()
            .await
            .unwrap()
            .configuration
            .unwrap()
    }

    pub(crate) async fn latest_revision(&self) -> String {
        self.get(None).await.revision_id.unwrap()
    }

    /// The numbers that `ListVersionsByFunction` gives.
    pub(crate) async fn versions(&self) -> Vec<String> {
        let mut pages = self
            .lambda
            .list_versions_by_function()
            .function_name("f")
            .into_paginator()
            .items()
            .send();
        let mut numbers = Vec::new();
        while let Some(version) = pages.next().await {
            numbers.push(version.unwrap().version.unwrap());
        }
        numbers
    }

    pub(crate) async fn alias(
        &self,
        name: &str,
        version: &str,
    ) -> aws_sdk_lambda::operation::create_alias::CreateAliasOutput {
        self.lambda
            .create_alias()
            .function_name("f")
            .name(name)
            .function_version(version)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn get_alias(&self, name: &str) -> aws_sdk_lambda::operation::get_alias::GetAliasOutput {
        self.lambda
            .get_alias()
            .function_name("f")
            .name(name)
            .send()
            .await
            .unwrap()
    }

    /// Makes a bucket with versioning.
    pub(crate) async fn bucket(&self, name: &str) {
        self.s3.create_bucket().bucket(name).send().await.unwrap();
        let enabled = aws_sdk_s3::types::VersioningConfiguration::builder()
            .status(aws_sdk_s3::types::BucketVersioningStatus::Enabled)
            .build();
        self.s3
            .put_bucket_versioning()
            .bucket(name)
            .versioning_configuration(enabled)
            .send()
            .await
            .unwrap();
    }

    /// Puts an object with its SHA-256 and gives its version id.
    pub(crate) async fn put(&self, bucket: &str, key: &str, body: Bytes) -> Option<String> {
        self.s3
            .put_object()
            .bucket(bucket)
            .key(key)
            .checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Sha256)
            .body(body.into())
            .send()
            .await
            .unwrap()
            .version_id
    }
}

pub(crate) fn lambda_client(url: &str, region: &str, key: &str) -> aws_sdk_lambda::Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new(key, "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .build();
    aws_sdk_lambda::Client::from_conf(config)
}

pub(crate) fn s3_client(url: &str, region: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .endpoint_url(url)
        .force_path_style(true)
        .region(aws_sdk_s3::config::Region::new(region.to_owned()))
        .credentials_provider(Credentials::new("test", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// A request to the sandbox's own endpoints: status and body.
pub(crate) async fn http(url: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    let reply = String::from_utf8_lossy(&reply).into_owned();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A zip whose content is told by `tag`.
pub(crate) fn zip(tag: &str) -> Bytes {
    package([("index.js", format!("exports.handler = async () => '{tag}';"))])
}

/// Base64 of the SHA-256 of some bytes, worked out apart from the sandbox.
pub(crate) fn sha(bytes: &[u8]) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(bytes))
}

/// Status and code of a refusal.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E, HttpResponse>>,
) -> (u16, String) {
    match result {
        Err(SdkError::ServiceError(error)) => (
            error.raw().status().as_u16(),
            error.err().code().unwrap_or_default().to_owned(),
        ),
        Err(other) => panic!("the call failed otherwise than by a refusal: {other:?}"),
        Ok(reply) => panic!("the call was accepted: {reply:?}"),
    }
}

/// The text of a refusal.
#[track_caller]
pub(crate) fn message<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E, HttpResponse>>,
) -> String {
    match result {
        Err(SdkError::ServiceError(error)) => error.err().message().unwrap_or_default().to_owned(),
        Err(other) => panic!("the call failed otherwise than by a refusal: {other:?}"),
        Ok(reply) => panic!("the call was accepted: {reply:?}"),
    }
}
