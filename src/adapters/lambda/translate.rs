//! From the SDK's shapes to the domain's. What lacks a member that Lambda always sends is refused, not guessed.

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::operation::get_provisioned_concurrency_config::GetProvisionedConcurrencyConfigOutput;
use aws_sdk_lambda::types::{
    AliasConfiguration, FunctionConfiguration, LastUpdateStatus, PackageType, ProvisionedConcurrencyStatusEnum,
    State as FunctionState,
};
use serde_json::Value;

use super::digest::config_digest;
use crate::domain::{
    AccountId, AliasName, Allocation, CodeSettings, FunctionVersion, LatestCode, ObservedAlias, PackageKind,
    Publication, PublishedVersion, Routing, UpdateStatus, Version, VersionState, Weight, one_line,
};
use crate::ports::{FunctionSnapshot, VersionSnapshot};

/// A member that is not there, or not what it should be.
pub(super) type Missing = &'static str;

pub(super) fn function(output: &GetFunctionOutput) -> Result<FunctionSnapshot, Missing> {
    let configuration = output.configuration().ok_or("Configuration")?;
    let package = match configuration.package_type() {
        Some(PackageType::Image) => PackageKind::Image,
        Some(_) | None if output.code().is_some_and(|code| code.resolved_s3_object().is_some()) => {
            PackageKind::ZipByReference
        }
        Some(_) | None => PackageKind::Zip,
    };
    let latest = LatestCode {
        sha256: configuration.code_sha256().and_then(|hash| hash.parse().ok()),
        revision: configuration
            .revision_id()
            .and_then(|id| id.parse().ok())
            .ok_or("RevisionId")?,
        update: update_status(configuration),
        package,
        settings: CodeSettings {
            architecture: configuration.architectures().first().map(|one| one.as_str().to_owned()),
            kms_key: output
                .code()
                .and_then(|code| code.source_kms_key_arn())
                .map(str::to_owned),
        },
        config: None,
    };
    let account = configuration.function_arn().and_then(account_of);
    Ok(FunctionSnapshot { account, latest })
}

fn update_status(configuration: &FunctionConfiguration) -> UpdateStatus {
    if configuration.state() == Some(&FunctionState::Pending) {
        return UpdateStatus::InProgress;
    }
    match configuration.last_update_status() {
        Some(LastUpdateStatus::InProgress) => UpdateStatus::InProgress,
        Some(LastUpdateStatus::Failed) => {
            let code = configuration
                .last_update_status_reason_code()
                .map(|code| code.as_str().to_owned());
            let text = configuration.last_update_status_reason().map(str::to_owned);
            let reason = one_line(&[code, text].into_iter().flatten().collect::<Vec<_>>().join(": "));
            UpdateStatus::Failed {
                reason: if reason.is_empty() {
                    "Lambda gives no reason".to_owned()
                } else {
                    reason
                },
            }
        }
        Some(_) | None => UpdateStatus::Successful,
    }
}

/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`
fn account_of(arn: &str) -> Option<AccountId> {
    arn.split(':').nth(4)?.parse().ok()
}

pub(super) fn version_snapshot(output: &GetFunctionOutput) -> Result<VersionSnapshot, Missing> {
    let configuration = output.configuration().ok_or("Configuration")?;
    let sha256 = configuration.code_sha256().and_then(|hash| hash.parse().ok());
    let description = configuration.description().unwrap_or_default();
    Ok(VersionSnapshot {
        version: configuration.version().and_then(function_version).ok_or("Version")?,
        sha256,
        state: configuration.state().map(|state| state.as_str().to_owned()),
        publication: sha256.and_then(|sha256| Publication::parse(description, sha256)),
    })
}

pub(super) fn function_version(text: &str) -> Option<FunctionVersion> {
    if text == "$LATEST" {
        Some(FunctionVersion::Latest)
    } else {
        text.parse().ok().map(FunctionVersion::Number)
    }
}

pub(super) fn alias(configuration: &AliasConfiguration) -> Result<(AliasName, ObservedAlias), Missing> {
    let name = configuration.name().and_then(|name| name.parse().ok()).ok_or("Name")?;
    let mut routing = Routing::new();
    let weights = configuration
        .routing_config()
        .and_then(|routing| routing.additional_version_weights());
    for (version, weight) in weights.into_iter().flatten() {
        routing.insert(
            version.parse().map_err(|_| "AdditionalVersionWeights")?,
            Weight(*weight),
        );
    }
    let alias = ObservedAlias {
        version: configuration
            .function_version()
            .and_then(function_version)
            .ok_or("FunctionVersion")?,
        revision: configuration
            .revision_id()
            .and_then(|id| id.parse().ok())
            .ok_or("RevisionId")?,
        routing,
    };
    Ok((name, alias))
}

/// Where an allocation stands. What is neither READY nor FAILED, now or in times to come, is still under way.
pub(super) fn allocation(output: &GetProvisionedConcurrencyConfigOutput) -> Allocation {
    match output.status() {
        Some(ProvisionedConcurrencyStatusEnum::Ready) => Allocation::Settled,
        Some(ProvisionedConcurrencyStatusEnum::Failed) => Allocation::Failed {
            reason: one_line(output.status_reason().unwrap_or("Lambda gives no reason")),
        },
        Some(_) | None => Allocation::InProgress,
    }
}

/// Translates one entry of ListVersionsByFunction; `raw` is the same entry as it came.
///
/// Returns `None` for a version without a hash: a container image, which nothing of ours ever points at.
pub(super) fn published(
    configuration: &FunctionConfiguration,
    number: Version,
    raw: &Value,
) -> Option<(Version, PublishedVersion)> {
    let sha256 = configuration.code_sha256().and_then(|hash| hash.parse().ok())?;
    let publication = configuration
        .description()
        .and_then(|text| Publication::parse(text, sha256));
    let state = VersionState::of(configuration.state().map(FunctionState::as_str));
    Some((
        number,
        PublishedVersion {
            sha256,
            config: config_digest(raw),
            publication,
            state,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_whose_snapshot_is_still_being_taken_is_not_published_again() {
        let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        for (state, expected) in [
            (None, VersionState::Active),
            (Some(FunctionState::Active), VersionState::Active),
            (Some(FunctionState::Pending), VersionState::Active),
            (Some(FunctionState::Inactive), VersionState::Inactive),
            (Some(FunctionState::Failed), VersionState::Failed),
        ] {
            let configuration = FunctionConfiguration::builder()
                .code_sha256(hash)
                .set_state(state.clone())
                .build();
            let (_, version) = published(&configuration, Version::new(1).unwrap(), &Value::Null).unwrap();
            assert_eq!(version.state, expected, "{state:?}");
        }
    }
}
