//! What hangs on a function beside its code and configuration: tags, reserved concurrency, and the account's totals.

use serde_json::json;

use super::code::STORAGE_LIMIT;
use super::model::Origin;
use super::name::Target;
use super::request::{FunctionInput, TagInput};
use super::{Context, ErrorKind, Found, Lambda, LambdaError, Reply, refuse_if_busy};

/// The concurrent executions of a new account.
const CONCURRENCY: u64 = 1000;

fn tagged(context: &Context, resource: &str) -> Result<String, LambdaError> {
    if !resource.starts_with("arn:") {
        return Err(LambdaError::validation(
            resource,
            "resource",
            "satisfy regular expression pattern: arn:aws.*",
        ));
    }
    let target = Target::parse(context, resource, None)?;
    match target.qualifier {
        None => Ok(target.name),
        Some(_) => Err(LambdaError::invalid(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        )),
    }
}

impl Found<'_> {
    /// A tag write gives `$LATEST` a new revision and `LastModified` (with milliseconds) and so spoils a guard, though
    /// it makes nothing publishable.
    fn touch(&mut self, context: &Context) {
        let latest = &mut self.function.latest;
        latest.revision_id = self.ids.uuid();
        latest.last_modified = context
            .now
            .max(latest.last_modified.after(std::time::Duration::from_millis(1)));
    }
}

impl Lambda {
    pub(super) fn tag(&mut self, context: &Context, input: &TagInput) -> super::Result {
        let name = tagged(context, &input.resource)?;
        let mut found = self.find(context, &name)?;
        refuse_if_busy(found.function)?;
        found.function.tags.extend(input.tags.clone());
        if found.function.tags.len() > 50 {
            for key in input.tags.keys() {
                found.function.tags.remove(key);
            }
            return Err(LambdaError::invalid("Number of tags exceeds resource tag limit."));
        }
        found.touch(context);
        Ok(Reply::empty())
    }

    pub(super) fn untag(&mut self, context: &Context, input: &TagInput) -> super::Result {
        let name = tagged(context, &input.resource)?;
        let mut found = self.find(context, &name)?;
        refuse_if_busy(found.function)?;
        for key in &input.tag_keys {
            found.function.tags.remove(key);
        }
        found.touch(context);
        Ok(Reply::empty())
    }

    pub(super) fn list_tags(&mut self, context: &Context, input: &TagInput) -> super::Result {
        let name = tagged(context, &input.resource)?;
        let found = self.find(context, &name)?;
        Ok(Reply::ok(json!({ "Tags": found.function.tags })))
    }

    pub(super) fn put_concurrency(
        &mut self,
        context: &Context,
        function: &str,
        reserved: Option<u64>,
    ) -> super::Result {
        let name = Target::unqualified(context, function)?;
        let found = self.find(context, &name)?;
        if reserved.is_some_and(|reserved| reserved > CONCURRENCY - 100) {
            return Err(LambdaError::invalid(
                "Specified ReservedConcurrentExecutions for function decreases account's \
                 UnreservedConcurrentExecution below its minimum value of [100].",
            ));
        }
        found.function.reserved_concurrency = reserved;
        found.function.latest.revision_id = found.ids.uuid();
        Ok(reserved.map_or_else(Reply::empty, |reserved| {
            Reply::ok(json!({ "ReservedConcurrentExecutions": reserved }))
        }))
    }

    pub(super) fn get_concurrency(&mut self, context: &Context, input: &FunctionInput) -> super::Result {
        let name = Target::unqualified(context, &input.function_name)?;
        let found = self.find(context, &name)?;
        Ok(Reply::ok(found.function.reserved_concurrency.map_or_else(
            || json!({}),
            |reserved| json!({ "ReservedConcurrentExecutions": reserved }),
        )))
    }

    /// The sandbox holds no resource policies.
    pub(super) fn get_policy(&mut self, context: &Context, input: &FunctionInput) -> super::Result {
        let target = Target::parse(context, &input.function_name, input.qualifier.as_deref())?;
        self.find(context, &target.name)?;
        Err(LambdaError::new(
            ErrorKind::ResourceNotFound,
            "The resource you requested does not exist.",
        ))
    }

    pub(super) fn account_settings(&self, context: &Context) -> Reply {
        let functions = self.places.get(&context.place()).map(|place| &place.functions);
        let reserved: u64 = functions
            .into_iter()
            .flat_map(|all| all.values())
            .filter_map(|one| one.reserved_concurrency)
            .sum();
        Reply::ok(json!({
            "AccountLimit": {
                "TotalCodeSize": STORAGE_LIMIT,
                "CodeSizeUnzipped": 262_144_000,
                "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": CONCURRENCY,
                "UnreservedConcurrentExecutions": CONCURRENCY.saturating_sub(reserved),
            },
            "AccountUsage": {
                "TotalCodeSize": self.total_code_size(context),
                "FunctionCount": functions.map_or(0, std::collections::BTreeMap::len),
            },
        }))
    }

    /// The compressed size of every copied package of the account in the region; referenced ones cost nothing.
    pub(super) fn total_code_size(&self, context: &Context) -> u64 {
        self.places
            .get(&context.place())
            .into_iter()
            .flat_map(|place| place.functions.values())
            .flat_map(super::model::Function::codes)
            .filter(|code| code.origin == Origin::Copy)
            .map(|code| code.size)
            .sum()
    }
}
