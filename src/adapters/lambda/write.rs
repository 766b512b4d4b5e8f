//! The writing half of Lambda: each call once, with its guard. Whether to call is never decided here.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{AliasRoutingConfiguration, Architecture};
use aws_smithy_types::retry::RetryConfig;

use super::read::{LambdaReader, configure};
use crate::adapters::aws::Connection;
use crate::domain::{
    AliasName, Allocation, CodeSettings, CodeSha256, FunctionName, ObservedAlias, Publication, RevisionId,
    VerifiedObject, Version,
};
use crate::ports::{
    FunctionPage, FunctionSnapshot, LambdaRead, LambdaWrite, PortError, PortErrorKind, Qualifier, VersionList,
    VersionSnapshot,
};
use crate::telemetry::Telemetry;

/// Reads and writes Lambda in one account and Region.
pub struct LambdaWriter {
    reader: LambdaReader,
    /// Retries are off: after a lost reply nobody knows whether the call was carried out, and only a look can tell.
    client: Client,
}

impl LambdaWriter {
    /// Builds a writer on a connection.
    pub fn new(connection: &Connection, telemetry: &Telemetry) -> Self {
        let config = configure(connection, &connection.control_limiter, telemetry);
        let client = Client::from_conf(config.retry_config(RetryConfig::disabled()).build());
        Self {
            reader: LambdaReader::new(connection, telemetry),
            client,
        }
    }
}

impl LambdaRead for LambdaWriter {
    async fn list_functions(&self, marker: Option<&str>) -> Result<FunctionPage, PortError> {
        self.reader.list_functions(marker).await
    }

    async fn function(&self, name: &FunctionName) -> Result<Option<FunctionSnapshot>, PortError> {
        self.reader.function(name).await
    }

    async fn aliases(&self, name: &FunctionName) -> Result<Vec<(AliasName, ObservedAlias)>, PortError> {
        self.reader.aliases(name).await
    }

    async fn versions(&self, name: &FunctionName) -> Result<VersionList, PortError> {
        self.reader.versions(name).await
    }

    async fn version(&self, name: &FunctionName, qualifier: &Qualifier) -> Result<VersionSnapshot, PortError> {
        self.reader.version(name, qualifier).await
    }

    async fn allocation(&self, name: &FunctionName, alias: &AliasName) -> Result<Allocation, PortError> {
        self.reader.allocation(name, alias).await
    }
}

impl LambdaWrite for LambdaWriter {
    async fn update_code(
        &self,
        name: &FunctionName,
        code: &VerifiedObject,
        settings: &CodeSettings,
        guard: &RevisionId,
    ) -> Result<Option<CodeSha256>, PortError> {
        let output = self
            .client
            .update_function_code()
            .function_name(name.as_str())
            .s3_bucket(&code.location.bucket)
            .s3_key(&code.location.key)
            .set_s3_object_version(code.location.object_version.clone())
            .set_architectures(
                settings
                    .architecture
                    .as_deref()
                    .map(|name| vec![Architecture::from(name)]),
            )
            .set_source_kms_key_arn(settings.kms_key.clone())
            .publish(false)
            .revision_id(guard.as_str())
            .send()
            .await
            .map_err(|error| self.reader.error(&format!("UpdateFunctionCode {name}"), &error))?;
        Ok(output.code_sha256().and_then(|hash| hash.parse().ok()))
    }

    async fn publish(
        &self,
        name: &FunctionName,
        guard: CodeSha256,
        description: &Publication,
    ) -> Result<(Version, CodeSha256), PortError> {
        let operation = format!("PublishVersion {name}");
        let output = self
            .client
            .publish_version()
            .function_name(name.as_str())
            .code_sha256(guard.to_string())
            .description(description.to_string())
            .send()
            .await
            .map_err(|error| self.reader.error(&operation, &error))?;
        let version = output.version().and_then(|version| version.parse().ok());
        let sha256 = output.code_sha256().and_then(|hash| hash.parse().ok());
        version.zip(sha256).ok_or_else(|| {
            PortError::new(
                PortErrorKind::Malformed,
                operation,
                "the answer has no usable Version and CodeSha256",
            )
        })
    }

    async fn create_alias(&self, name: &FunctionName, alias: &AliasName, version: Version) -> Result<(), PortError> {
        self.client
            .create_alias()
            .function_name(name.as_str())
            .name(alias.as_str())
            .function_version(version.to_string())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.reader.error(&format!("CreateAlias {name}:{alias}"), &error))
    }

    async fn move_alias(
        &self,
        name: &FunctionName,
        alias: &AliasName,
        version: Version,
        guard: &RevisionId,
    ) -> Result<(), PortError> {
        // An empty map clears the weights; leaving them out would keep them.
        let no_weights =
            AliasRoutingConfiguration::builder().set_additional_version_weights(Some(std::iter::empty().collect()));
        self.client
            .update_alias()
            .function_name(name.as_str())
            .name(alias.as_str())
            .function_version(version.to_string())
            .routing_config(no_weights.build())
            .revision_id(guard.as_str())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.reader.error(&format!("UpdateAlias {name}:{alias}"), &error))
    }
}
