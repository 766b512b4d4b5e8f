//! The configuration of a function: how input members become what replies show, and `UpdateFunctionConfiguration`.

use serde_json::{Map, Value, json};

use super::model::{Config, Members, VersionNumber};
use super::name::{Target, check_description};
use super::request::UpdateFunctionConfiguration;
use super::{Context, Lambda, LambdaError, Reply, check_revision, refuse_if_busy, version};

/// Members that replies show as requests gave them.
const PLAIN: [&str; 15] = [
    "Role",
    "Handler",
    "Runtime",
    "Timeout",
    "MemorySize",
    "PackageType",
    "Architectures",
    "EphemeralStorage",
    "TracingConfig",
    "FileSystemConfigs",
    "TenancyConfig",
    "CapacityProviderConfig",
    "DurableConfig",
    "AcceleratorConfig",
    "RuntimeConfig",
];

/// What Lambda fills in for a function that says nothing.
pub(super) fn defaults(function: &str) -> Members {
    let Value::Object(config) = json!({
        "Timeout": 3,
        "MemorySize": 128,
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": { "Size": 512 },
        "TracingConfig": { "Mode": "PassThrough" },
        "SnapStart": { "ApplyOn": "None" },
        "LoggingConfig": { "LogFormat": "Text", "LogGroup": format!("/aws/lambda/{function}") },
    }) else {
        return Members::new();
    };
    config
}

/// Takes the members of a request over into a configuration.
pub(super) fn merge(config: &mut Members, input: Map<String, Value>) -> Result<(), LambdaError> {
    check(&input)?;
    for (name, value) in input {
        if value.is_null() {
            continue;
        }
        match name.as_str() {
            plain if PLAIN.contains(&plain) => {
                config.insert(name, value);
            }
            "Environment" => {
                let variables = value.get("Variables").and_then(Value::as_object);
                set(
                    config,
                    "Environment",
                    variables
                        .filter(|all| !all.is_empty())
                        .map(|all| json!({ "Variables": all })),
                );
            }
            "DeadLetterConfig" => {
                let target = value.get("TargetArn").and_then(Value::as_str).unwrap_or_default();
                set(config, "DeadLetterConfig", (!target.is_empty()).then(|| value.clone()));
            }
            "KMSKeyArn" => set(config, "KMSKeyArn", (value != "").then_some(value)),
            "Layers" => {
                let layers: Vec<Value> = value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|arn| json!({ "Arn": arn, "CodeSize": 1024 }))
                    .collect();
                set(config, "Layers", (!layers.is_empty()).then(|| layers.into()));
            }
            "VpcConfig" => {
                let of = |member: &str| value.get(member).cloned().unwrap_or_else(|| json!([]));
                let (subnets, groups) = (of("SubnetIds"), of("SecurityGroupIds"));
                let vpc = if subnets == json!([]) {
                    ""
                } else {
                    "vpc-0123456789abcdef0"
                };
                let dual = value
                    .get("Ipv6AllowedForDualStack")
                    .cloned()
                    .unwrap_or(Value::Bool(false));
                let shown = json!({
                    "SubnetIds": subnets, "SecurityGroupIds": groups, "VpcId": vpc, "Ipv6AllowedForDualStack": dual,
                });
                set(config, "VpcConfig", Some(shown));
            }
            "SnapStart" => {
                let on = value.get("ApplyOn").cloned().unwrap_or_else(|| json!("None"));
                set(config, "SnapStart", Some(json!({ "ApplyOn": on })));
            }
            "ImageConfig" => {
                let empty = value.as_object().is_none_or(Map::is_empty);
                set(
                    config,
                    "ImageConfigResponse",
                    (!empty).then(|| json!({ "ImageConfig": value })),
                );
            }
            "LoggingConfig" => {
                if let (Some(Value::Object(present)), Value::Object(wanted)) = (config.get_mut("LoggingConfig"), value)
                {
                    present.extend(wanted);
                }
            }
            // Members that are not part of a version's configuration, such as CodeSigningConfigArn.
            _ => {}
        }
    }
    Ok(())
}

fn set(config: &mut Members, name: &str, value: Option<Value>) {
    match value {
        Some(value) => config.insert(name.to_owned(), value),
        None => config.remove(name),
    };
}

fn check(input: &Map<String, Value>) -> Result<(), LambdaError> {
    for (name, member, low, high) in [
        ("Timeout", "timeout", 1, 5400),
        ("MemorySize", "memorySize", 128, 32_768),
    ] {
        let Some(number) = input.get(name).and_then(Value::as_i64) else {
            continue;
        };
        if number < low {
            let constraint = format!("have value greater than or equal to {low}");
            return Err(LambdaError::validation(&number.to_string(), member, &constraint));
        }
        if number > high {
            let constraint = format!("have value less than or equal to {high}");
            return Err(LambdaError::validation(&number.to_string(), member, &constraint));
        }
    }
    if let Some(role) = input.get("Role").and_then(Value::as_str) {
        check_role(role)?;
    }
    let size: usize = input
        .get("Environment")
        .and_then(|environment| environment.get("Variables"))
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, value)| name.len() + value.as_str().map_or(0, str::len))
        .sum();
    if size > 4096 {
        return Err(LambdaError::invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided exceeded the 4KB limit.",
        ));
    }
    Ok(())
}

fn check_role(role: &str) -> Result<(), LambdaError> {
    let parts: Vec<&str> = role.splitn(6, ':').collect();
    let fits = matches!(parts.as_slice(), ["arn", partition, "iam", "", account, name]
        if partition.starts_with("aws")
            && account.len() == 12
            && account.bytes().all(|b| b.is_ascii_digit())
            && name.strip_prefix("role/").is_some_and(|name| !name.is_empty()));
    if fits {
        return Ok(());
    }
    Err(LambdaError::validation(
        role,
        "role",
        "satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
    ))
}

impl Lambda {
    /// Even the same values again make a new version publishable: Lambda goes by the call, not by the content.
    pub(super) fn update_configuration(
        &mut self,
        context: &Context,
        input: UpdateFunctionConfiguration,
    ) -> super::Result {
        let name = Target::unqualified(context, &input.function_name)?;
        check(&input.config)?;
        check_description(input.description.as_deref())?;
        let mut found = self.find(context, &name)?;
        check_revision(input.revision_id.as_deref(), &found.function.latest.revision_id)?;
        refuse_if_busy(found.function)?;
        let mut members = input.config;
        // These cannot be changed by this operation.
        members.remove("PackageType");
        members.remove("Architectures");
        let mut config = found.function.latest.config.members();
        merge(&mut config, members)?;
        found.function.latest.config = Config::new(config);
        found.begin_update(context);
        if let Some(description) = input.description {
            found.function.latest.description = description;
        }
        let arn = found.function.arn.clone();
        Ok(Reply::ok(version::show(found.function, VersionNumber::Latest, &arn)))
    }
}
