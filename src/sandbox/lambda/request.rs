//! The requests that Lambda takes, as types. They are parsed from the members of the wire format; nothing is checked here
//! beyond their shape.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{ErrorKind, LambdaError};

/// One call of Lambda's API.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    CreateAlias(AliasInput),
    CreateFunction(Box<CreateFunction>),
    DeleteAlias(AliasInput),
    DeleteFunction(FunctionInput),
    DeleteFunctionConcurrency(FunctionInput),
    GetAccountSettings,
    GetAlias(AliasInput),
    GetFunction(FunctionInput),
    GetFunctionConcurrency(FunctionInput),
    GetFunctionConfiguration(FunctionInput),
    GetPolicy(FunctionInput),
    GetProvisionedConcurrencyConfig(FunctionInput),
    ListAliases(ListInput),
    ListFunctions(ListInput),
    ListTags(TagInput),
    ListVersionsByFunction(ListInput),
    PublishVersion(PublishVersion),
    PutFunctionConcurrency(PutFunctionConcurrency),
    PutProvisionedConcurrencyConfig(PutProvisionedConcurrencyConfig),
    TagResource(TagInput),
    UntagResource(TagInput),
    UpdateAlias(AliasInput),
    UpdateFunctionCode(Box<UpdateFunctionCode>),
    UpdateFunctionConfiguration(Box<UpdateFunctionConfiguration>),
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct FunctionInput {
    pub(crate) function_name: String,
    pub(crate) qualifier: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListInput {
    pub(crate) function_name: String,
    pub(crate) function_version: Option<String>,
    pub(crate) marker: Option<String>,
    pub(crate) max_items: Option<i64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct AliasInput {
    pub(crate) function_name: String,
    pub(crate) name: String,
    pub(crate) function_version: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) routing_config: Option<RoutingConfig>,
    pub(crate) revision_id: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RoutingConfig {
    pub(crate) additional_version_weights: Option<BTreeMap<String, f64>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TagInput {
    pub(crate) resource: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) tag_keys: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PutFunctionConcurrency {
    pub(crate) function_name: String,
    pub(crate) reserved_concurrent_executions: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PutProvisionedConcurrencyConfig {
    pub(crate) function_name: String,
    pub(crate) qualifier: Option<String>,
    pub(crate) provisioned_concurrent_executions: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PublishVersion {
    pub(crate) function_name: String,
    pub(crate) code_sha256: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) revision_id: Option<String>,
}

/// Where a deployment package comes from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct CodeSource {
    #[serde(deserialize_with = "base64_bytes")]
    pub(crate) zip_file: Option<bytes::Bytes>,
    #[serde(rename = "S3Bucket")]
    pub(crate) s3_bucket: Option<String>,
    #[serde(rename = "S3Key")]
    pub(crate) s3_key: Option<String>,
    #[serde(rename = "S3ObjectVersion")]
    pub(crate) s3_object_version: Option<String>,
    #[serde(rename = "S3ObjectStorageMode")]
    pub(crate) s3_object_storage_mode: Option<String>,
    #[serde(rename = "SourceKMSKeyArn")]
    pub(crate) source_kms_key_arn: Option<String>,
    pub(crate) image_uri: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct CreateFunction {
    pub(crate) function_name: String,
    pub(crate) code: CodeSource,
    pub(crate) publish: Option<bool>,
    pub(crate) description: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(flatten)]
    pub(crate) config: Map<String, Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UpdateFunctionCode {
    pub(crate) function_name: String,
    #[serde(flatten)]
    pub(crate) code: CodeSource,
    pub(crate) publish: Option<bool>,
    pub(crate) publish_to: Option<String>,
    pub(crate) dry_run: Option<bool>,
    pub(crate) revision_id: Option<String>,
    pub(crate) architectures: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UpdateFunctionConfiguration {
    pub(crate) function_name: String,
    pub(crate) description: Option<String>,
    pub(crate) revision_id: Option<String>,
    #[serde(flatten)]
    pub(crate) config: Map<String, Value>,
}

fn base64_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bytes::Bytes>, D::Error> {
    use base64::Engine as _;
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .map(|bytes| Some(bytes.into()))
        .map_err(|_| serde::de::Error::custom("a blob is not valid base64"))
}

impl Request {
    /// Reads the members of the input of `operation`.
    ///
    /// # Errors
    ///
    /// `SerializationException` where a member has the wrong type, `UnknownOperationException` where the sandbox does
    /// not have the operation.
    pub(crate) fn parse(operation: &str, input: Value) -> Result<Self, LambdaError> {
        fn read<T: serde::de::DeserializeOwned>(input: Value) -> Result<T, LambdaError> {
            serde_json::from_value(input).map_err(|error| LambdaError::new(ErrorKind::Serialization, error.to_string()))
        }
        Ok(match operation {
            "CreateAlias" => Self::CreateAlias(read(input)?),
            "CreateFunction" => Self::CreateFunction(read(input)?),
            "DeleteAlias" => Self::DeleteAlias(read(input)?),
            "DeleteFunction" => Self::DeleteFunction(read(input)?),
            "DeleteFunctionConcurrency" => Self::DeleteFunctionConcurrency(read(input)?),
            "GetAccountSettings" => Self::GetAccountSettings,
            "GetAlias" => Self::GetAlias(read(input)?),
            "GetFunction" => Self::GetFunction(read(input)?),
            "GetFunctionConcurrency" => Self::GetFunctionConcurrency(read(input)?),
            "GetFunctionConfiguration" => Self::GetFunctionConfiguration(read(input)?),
            "GetPolicy" => Self::GetPolicy(read(input)?),
            "GetProvisionedConcurrencyConfig" => Self::GetProvisionedConcurrencyConfig(read(input)?),
            "ListAliases" => Self::ListAliases(read(input)?),
            "ListFunctions" => Self::ListFunctions(read(input)?),
            "ListTags" => Self::ListTags(read(input)?),
            "ListVersionsByFunction" => Self::ListVersionsByFunction(read(input)?),
            "PublishVersion" => Self::PublishVersion(read(input)?),
            "PutFunctionConcurrency" => Self::PutFunctionConcurrency(read(input)?),
            "PutProvisionedConcurrencyConfig" => Self::PutProvisionedConcurrencyConfig(read(input)?),
            "TagResource" => Self::TagResource(read(input)?),
            "UntagResource" => Self::UntagResource(read(input)?),
            "UpdateAlias" => Self::UpdateAlias(read(input)?),
            "UpdateFunctionCode" => Self::UpdateFunctionCode(read(input)?),
            "UpdateFunctionConfiguration" => Self::UpdateFunctionConfiguration(read(input)?),
            other => {
                return Err(LambdaError::new(
                    ErrorKind::UnknownOperation,
                    format!("the sandbox does not have the operation {other}"),
                ));
            }
        })
    }
}
