//! Lambda's control plane as a synchronous state machine: a request and the time go in, a reply comes out. It reads no
//! clock and does no I/O; HTTP, latency, quotas and faults lie around it.

mod alias;
mod code;
mod configuration;
mod error;
mod function;
mod model;
mod name;
mod provisioned;
mod request;
mod tags;
mod version;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use error::error_body;
pub use error::{ErrorKind, LambdaError};
pub(crate) use model::Ending;
pub(crate) use request::Request;

use super::clock::Timestamp;
use super::ids::Ids;
use super::s3::S3;
use model::{Function, Pending, State};

/// All functions of all accounts and regions.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Lambda {
    pub(crate) ids: Ids,
    /// By `account/region`.
    places: BTreeMap<String, Place>,
}

/// The functions of one account in one region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    functions: BTreeMap<String, Function>,
    /// The last version number that was given out under a name. It outlives the function: numbers never come back.
    #[serde(default)]
    last_versions: BTreeMap<String, u64>,
}

/// Who calls, where, when, and how the work that the call starts is going to end.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) now: Timestamp,
    /// When an update or a creation that is accepted now is through.
    pub(crate) completes: Timestamp,
    pub(crate) ending: Ending,
    /// The URL under which the sandbox is reached, for links in replies.
    pub(crate) endpoint: String,
}

impl Context {
    fn place(&self) -> String {
        format!("{}/{}", self.account, self.region)
    }

    fn arn(&self, function: &str) -> String {
        format!("arn:aws:lambda:{}:{}:function:{function}", self.region, self.account)
    }

    fn pending(&self) -> Pending {
        Pending {
            until: self.completes,
            ending: self.ending.clone(),
        }
    }
}

/// A successful reply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
}

impl Reply {
    fn ok(body: impl Into<Value>) -> Self {
        Self {
            status: 200,
            body: Some(body.into()),
        }
    }

    fn created(body: impl Into<Value>) -> Self {
        Self {
            status: 201,
            body: Some(body.into()),
        }
    }

    fn empty() -> Self {
        Self {
            status: 204,
            body: None,
        }
    }
}

type Result = std::result::Result<Reply, LambdaError>;

impl Lambda {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            ids: Ids::new(seed),
            places: BTreeMap::new(),
        }
    }

    /// Carries out one call.
    pub(crate) fn call(&mut self, context: &Context, s3: &S3, request: Request) -> Result {
        match request {
            Request::CreateAlias(input) => self.create_alias(context, &input),
            Request::CreateFunction(input) => self.create_function(context, s3, *input),
            Request::DeleteAlias(input) => self.delete_alias(context, &input),
            Request::DeleteFunction(input) => self.delete_function(context, &input),
            Request::DeleteFunctionConcurrency(input) => self.put_concurrency(context, &input.function_name, None),
            Request::GetAccountSettings => Ok(self.account_settings(context)),
            Request::GetAlias(input) => self.get_alias(context, &input),
            Request::GetFunction(input) => self.get_function(context, &input),
            Request::GetFunctionConcurrency(input) => self.get_concurrency(context, &input),
            Request::GetFunctionConfiguration(input) => self.get_function_configuration(context, &input),
            Request::GetPolicy(input) => self.get_policy(context, &input),
            Request::GetProvisionedConcurrencyConfig(input) => self.get_provisioned_concurrency(context, &input),
            Request::ListAliases(input) => self.list_aliases(context, &input),
            Request::ListFunctions(input) => self.list_functions(context, &input),
            Request::ListTags(input) => self.list_tags(context, &input),
            Request::ListVersionsByFunction(input) => self.list_versions(context, &input),
            Request::PublishVersion(input) => self.publish_version(context, &input),
            Request::PutFunctionConcurrency(input) => match input.reserved_concurrent_executions {
                Some(reserved) => self.put_concurrency(context, &input.function_name, Some(reserved)),
                None => Err(LambdaError::validation(
                    "null",
                    "reservedConcurrentExecutions",
                    "not be null",
                )),
            },
            Request::PutProvisionedConcurrencyConfig(input) => self.put_provisioned_concurrency(context, &input),
            Request::TagResource(input) => self.tag(context, &input),
            Request::UntagResource(input) => self.untag(context, &input),
            Request::UpdateAlias(input) => self.update_alias(context, &input),
            Request::UpdateFunctionCode(input) => self.update_code(context, s3, &input),
            Request::UpdateFunctionConfiguration(input) => self.update_configuration(context, *input),
        }
    }

    /// The function, with everything that has come to its end by now.
    fn find(&mut self, context: &Context, name: &str) -> std::result::Result<Found<'_>, LambdaError> {
        let missing = || LambdaError::not_found(&context.arn(name));
        let place = self.places.get_mut(&context.place()).ok_or_else(missing)?;
        let function = place.functions.get_mut(name).ok_or_else(missing)?;
        function.settle(context.now, &mut self.ids);
        let last_version = place.last_versions.entry(name.to_owned()).or_default();
        Ok(Found {
            function,
            last_version,
            ids: &mut self.ids,
        })
    }
}

/// A function with what is needed to change it.
struct Found<'a> {
    function: &'a mut Function,
    /// The last version number that was given out.
    last_version: &'a mut u64,
    ids: &'a mut Ids,
}

/// Refuses work on a function that is still being created or updated.
fn refuse_if_busy(function: &Function) -> std::result::Result<(), LambdaError> {
    if function.latest.pending.is_none() {
        return Ok(());
    }
    Err(LambdaError::conflict(if function.latest.is_updating() {
        format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {}",
            function.arn
        )
    } else {
        "The operation cannot be performed at this time. The function is currently in the following state: Pending"
            .to_owned()
    }))
}

/// Refuses a guard that names another revision than the present one. A malformed one is merely another one.
fn check_revision(expected: Option<&str>, present: &str) -> std::result::Result<(), LambdaError> {
    match expected {
        Some(expected) if expected != present => Err(LambdaError::stale_revision()),
        Some(_) | None => Ok(()),
    }
}

impl Lambda {
    /// Every deployment package, of every version.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &model::Code> {
        self.places
            .values()
            .flat_map(|place| place.functions.values())
            .flat_map(Function::codes)
    }

    /// Gives functions that came from JSON their packages back, and lets equal configurations and hashes share memory.
    pub(crate) fn restore(&mut self, packages: &BTreeMap<String, Bytes>) {
        let mut hashes: BTreeMap<Arc<str>, Bytes> = BTreeMap::new();
        for function in self.places.values_mut().flat_map(|place| place.functions.values_mut()) {
            function.share_configs();
            for code in function.codes_mut() {
                if let Some((sha256, bytes)) = hashes.get_key_value(&code.sha256) {
                    code.sha256 = Arc::clone(sha256);
                    code.bytes = bytes.clone();
                } else {
                    code.bytes = packages.get(&*code.sha256).cloned().unwrap_or_default();
                    hashes.insert(Arc::clone(&code.sha256), code.bytes.clone());
                }
            }
        }
    }

    /// Lets a published version fall idle, as Lambda does after weeks without a call. Returns whether there is one.
    pub(crate) fn fall_idle(&mut self, place: &str, name: &str, version: u64) -> bool {
        let function = self
            .places
            .get_mut(place)
            .and_then(|place| place.functions.get_mut(name));
        let version = function.and_then(|function| function.versions.get_mut(&version));
        version.map(|version| version.state = State::Inactive).is_some()
    }

    /// The bytes of a version's package, for the link that `GetFunction` gives.
    pub(crate) fn package(&self, region: &str, account: &str, name: &str, version: &str) -> Option<Bytes> {
        let place = self.places.get(&format!("{account}/{region}"))?;
        let number = match version {
            "latest" => model::VersionNumber::Latest,
            number => model::VersionNumber::parse(number)?,
        };
        let bytes = &place.functions.get(name)?.version(number)?.code.bytes;
        (!bytes.is_empty()).then(|| bytes.clone())
    }
}
