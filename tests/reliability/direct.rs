//! Lambda and S3 as ports on the sandbox's state machine, without SDK and HTTP: every call is one synchronous step, so
//! that thousands of orders of calls can be tried in seconds. It shares no line with the adapters.

use std::collections::BTreeMap;
use std::time::Duration;

use pinfold::domain::{
    AliasName, Allocation, ArtifactFailure, ArtifactFailureKind, CodeSettings, CodeSha256, ConfigDigest, FunctionName,
    FunctionVersion, LatestCode, ObservedAlias, PackageKind, Publication, PublishedVersion, Resolution, RevisionId,
    Routing, S3Location, UpdateStatus, VerifiedObject, Version, VersionState, Weight,
};
use pinfold::ports::{
    Artifacts, FunctionPage, FunctionSnapshot, LambdaRead, LambdaWrite, ListedFunction, PortError, PortErrorKind,
    Qualifier, VersionList, VersionSnapshot,
};
use pinfold::sandbox::{ErrorKind, LambdaError, Place};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A way to the sandbox.
#[derive(Clone)]
pub(crate) struct Direct {
    aws: Place,
    /// The objects that there are.
    shelf: BTreeMap<S3Location, VerifiedObject>,
}

/// Members of a configuration that say which version it is and how it is doing.
const NOT_CONFIGURATION: [&str; 7] = [
    "CodeSha256",
    "CodeSize",
    "Description",
    "FunctionArn",
    "LastModified",
    "RevisionId",
    "Version",
];

impl Direct {
    /// A way on which code updates stay in progress for `window`.
    pub(crate) fn new(aws: &Place, window: Duration, shelf: BTreeMap<S3Location, VerifiedObject>) -> Self {
        Self {
            aws: aws.clone().lasting(window),
            shelf,
        }
    }

    fn call(&self, operation: &str, input: Value) -> Result<Value, PortError> {
        self.aws
            .call(operation, input)
            .map_err(|error| port_error(operation, &error))
    }
}

fn port_error(operation: &str, error: &LambdaError) -> PortError {
    let kind = match error.kind {
        ErrorKind::ResourceNotFound | ErrorKind::ProvisionedConcurrencyConfigNotFound => PortErrorKind::NotFound,
        ErrorKind::ResourceConflict => PortErrorKind::Conflict,
        ErrorKind::PreconditionFailed => PortErrorKind::Precondition,
        // The hash guard of a publication; nothing else that is sent here can be invalid.
        ErrorKind::InvalidParameterValue if operation == "PublishVersion" => PortErrorKind::Precondition,
        ErrorKind::AccessDenied
        | ErrorKind::CodeStorageExceeded
        | ErrorKind::InvalidParameterValue
        | ErrorKind::RequestTooLarge
        | ErrorKind::Serialization
        | ErrorKind::TooManyRequests
        | ErrorKind::UnknownOperation
        | ErrorKind::Validation => PortErrorKind::Invalid,
    };
    PortError::new(kind, operation, error.to_string())
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member} in {value}"))
}

fn revision(value: &Value) -> RevisionId {
    text(value, "RevisionId").parse().unwrap()
}

fn version(text: &str) -> FunctionVersion {
    match text {
        "$LATEST" => FunctionVersion::Latest,
        number => FunctionVersion::Number(number.parse().unwrap()),
    }
}

fn digest(configuration: &Value) -> ConfigDigest {
    let mut members = configuration.as_object().unwrap().clone();
    members.retain(|name, _| !NOT_CONFIGURATION.contains(&name.as_str()) && name != "SnapStart");
    let snapshots = configuration["SnapStart"]["ApplyOn"].clone();
    ConfigDigest(Sha256::digest(format!("{snapshots} {}", Value::Object(members))).into())
}

fn published(configuration: &Value) -> PublishedVersion {
    let sha256: CodeSha256 = text(configuration, "CodeSha256").parse().unwrap();
    PublishedVersion {
        sha256,
        config: Some(digest(configuration)),
        publication: Publication::parse(text(configuration, "Description"), sha256),
        state: VersionState::Active,
    }
}

impl LambdaRead for Direct {
    async fn list_functions(&self, marker: Option<&str>) -> Result<FunctionPage, PortError> {
        let listed = self.call("ListFunctions", json!({ "Marker": marker }))?;
        let functions = listed["Functions"].as_array().unwrap().iter();
        let functions = functions.map(|function| ListedFunction {
            name: text(function, "FunctionName").parse().unwrap(),
            revision: Some(revision(function)),
        });
        Ok(FunctionPage {
            functions: functions.collect(),
            next: listed["NextMarker"].as_str().map(str::to_owned),
        })
    }

    async fn function(&self, name: &FunctionName) -> Result<Option<FunctionSnapshot>, PortError> {
        let found = match self.call("GetFunction", json!({ "FunctionName": name.as_str() })) {
            Err(error) if error.kind == PortErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        let configuration = &found["Configuration"];
        let update = match (&configuration["State"], configuration["LastUpdateStatus"].as_str()) {
            (state, _) if state == "Pending" => UpdateStatus::InProgress,
            (_, Some("InProgress")) => UpdateStatus::InProgress,
            (_, Some("Failed")) => UpdateStatus::Failed {
                reason: text(configuration, "LastUpdateStatusReasonCode").to_owned(),
            },
            (_, _) => UpdateStatus::Successful,
        };
        Ok(Some(FunctionSnapshot {
            account: None,
            latest: LatestCode {
                sha256: text(configuration, "CodeSha256").parse().ok(),
                revision: revision(configuration),
                update,
                package: PackageKind::Zip,
                settings: CodeSettings::default(),
                config: None,
            },
        }))
    }

    async fn aliases(&self, name: &FunctionName) -> Result<Vec<(AliasName, ObservedAlias)>, PortError> {
        let listed = self.call("ListAliases", json!({ "FunctionName": name.as_str() }))?;
        let alias = |alias: &Value| {
            let weights = alias["RoutingConfig"]["AdditionalVersionWeights"].as_object();
            let routing: Routing = weights
                .into_iter()
                .flatten()
                .map(|(number, weight)| (number.parse().unwrap(), Weight(weight.as_f64().unwrap())))
                .collect();
            let observed = ObservedAlias {
                version: version(text(alias, "FunctionVersion")),
                revision: revision(alias),
                routing,
            };
            (text(alias, "Name").parse().unwrap(), observed)
        };
        Ok(listed["Aliases"].as_array().unwrap().iter().map(alias).collect())
    }

    async fn versions(&self, name: &FunctionName) -> Result<VersionList, PortError> {
        let listed = self.call("ListVersionsByFunction", json!({ "FunctionName": name.as_str() }))?;
        let (latest, versions) = listed["Versions"].as_array().unwrap().split_first().unwrap();
        let number = |one: &Value| text(one, "Version").parse::<Version>().unwrap();
        Ok(VersionList {
            latest_revision: revision(latest),
            latest_config: Some(digest(latest)),
            versions: versions.iter().map(|one| (number(one), published(one))).collect(),
        })
    }

    async fn version(&self, name: &FunctionName, qualifier: &Qualifier) -> Result<VersionSnapshot, PortError> {
        let qualifier = match qualifier {
            Qualifier::Version(number) => number.to_string(),
            Qualifier::Alias(alias) => alias.to_string(),
        };
        let input = json!({ "FunctionName": name.as_str(), "Qualifier": qualifier });
        let found = self.call("GetFunction", input)?;
        let configuration = &found["Configuration"];
        let sha256: Option<CodeSha256> = text(configuration, "CodeSha256").parse().ok();
        let description = text(configuration, "Description");
        Ok(VersionSnapshot {
            version: version(text(configuration, "Version")),
            sha256,
            state: configuration["State"].as_str().map(str::to_owned),
            publication: sha256.and_then(|sha256| Publication::parse(description, sha256)),
        })
    }

    async fn allocation(&self, name: &FunctionName, alias: &AliasName) -> Result<Allocation, PortError> {
        let input = json!({ "FunctionName": name.as_str(), "Qualifier": alias.as_str() });
        let found = match self.call("GetProvisionedConcurrencyConfig", input) {
            Err(error) if error.kind == PortErrorKind::NotFound => return Ok(Allocation::Settled),
            found => found?,
        };
        Ok(match text(&found, "Status") {
            "READY" => Allocation::Settled,
            "FAILED" => Allocation::Failed {
                reason: text(&found, "StatusReason").to_owned(),
            },
            _ => Allocation::InProgress,
        })
    }
}

impl LambdaWrite for Direct {
    async fn update_code(
        &self,
        name: &FunctionName,
        code: &VerifiedObject,
        _settings: &CodeSettings,
        guard: &RevisionId,
    ) -> Result<Option<CodeSha256>, PortError> {
        let input = json!({
            "FunctionName": name.as_str(),
            "S3Bucket": code.location.bucket,
            "S3Key": code.location.key,
            "S3ObjectVersion": code.location.object_version,
            "RevisionId": guard.as_str(),
        });
        let updated = self.call("UpdateFunctionCode", input)?;
        Ok(text(&updated, "CodeSha256").parse().ok())
    }

    async fn publish(
        &self,
        name: &FunctionName,
        guard: CodeSha256,
        description: &Publication,
    ) -> Result<(Version, CodeSha256), PortError> {
        let input = json!({
            "FunctionName": name.as_str(),
            "CodeSha256": guard.to_string(),
            "Description": description.to_string(),
        });
        let made = self.call("PublishVersion", input)?;
        Ok((
            text(&made, "Version").parse().unwrap(),
            text(&made, "CodeSha256").parse().unwrap(),
        ))
    }

    async fn create_alias(&self, name: &FunctionName, alias: &AliasName, to: Version) -> Result<(), PortError> {
        let input = json!({
            "FunctionName": name.as_str(), "Name": alias.as_str(), "FunctionVersion": to.to_string(),
        });
        self.call("CreateAlias", input).map(|_| ())
    }

    async fn move_alias(
        &self,
        name: &FunctionName,
        alias: &AliasName,
        to: Version,
        guard: &RevisionId,
    ) -> Result<(), PortError> {
        let input = json!({
            "FunctionName": name.as_str(),
            "Name": alias.as_str(),
            "FunctionVersion": to.to_string(),
            "RoutingConfig": { "AdditionalVersionWeights": {} },
            "RevisionId": guard.as_str(),
        });
        self.call("UpdateAlias", input).map(|_| ())
    }
}

impl Artifacts for Direct {
    async fn look_up(&self, location: &S3Location) -> Resolution {
        self.shelf.get(location).cloned().ok_or_else(|| ArtifactFailure {
            kind: ArtifactFailureKind::NotFound,
            message: format!("S3 has no {location}"),
        })
    }
}
