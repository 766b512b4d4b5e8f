//! Functions as a whole: create, read, list and delete.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::s3::S3;
use super::code::{check_architectures, fetch};
use super::configuration::{defaults, merge};
use super::model::{Config, Function, Origin, State, Version, VersionNumber};
use super::name::{Target, check_description, page_size};
use super::request::{CreateFunction, FunctionInput, ListInput};
use super::view::{self, Detail};
use super::{Context, Found, Lambda, LambdaError, Reply, version};

impl Lambda {
    pub(super) fn create_function(&mut self, context: &Context, s3: &S3, input: CreateFunction) -> super::Result {
        let name = Target::unqualified(context, &input.function_name)?;
        check_description(input.description.as_deref())?;
        let mut config = defaults(&name);
        if !input.config.contains_key("Role") {
            return Err(LambdaError::validation("null", "role", "not be null"));
        }
        if let Some(Ok(architectures)) = input
            .config
            .get("Architectures")
            .cloned()
            .map(serde_json::from_value::<Vec<String>>)
        {
            check_architectures(&architectures)?;
        }
        merge(&mut config, input.config)?;
        let place = self.places.entry(context.place()).or_default();
        if place.functions.contains_key(&name) {
            return Err(LambdaError::conflict(format!("Function already exist: {name}")));
        }
        let code = fetch(context, s3, &input.code)?;
        if matches!(code.origin, Origin::Image { .. }) {
            config.insert("PackageType".to_owned(), json!("Image"));
        } else if !config.contains_key("Runtime") || !config.contains_key("Handler") {
            return Err(LambdaError::invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            ));
        }
        let latest = Version {
            config: Config::new(config),
            description: input.description.unwrap_or_default(),
            code,
            revision_id: self.ids.uuid(),
            last_modified: context.now,
            state: State::Pending,
            last_update: None,
            pending: Some(context.pending()),
        };
        let function = Function {
            arn: context.arn(&name),
            name: name.clone(),
            latest,
            versions: BTreeMap::new(),
            aliases: BTreeMap::new(),
            tags: input.tags,
            reserved_concurrency: None,
            published: None,
        };
        let function = place.functions.entry(name.clone()).or_insert(function);
        let last_version = place.last_versions.entry(name).or_default();
        let mut number = VersionNumber::Latest;
        if input.publish == Some(true) {
            let published = Found {
                function: &mut *function,
                last_version,
                ids: &mut self.ids,
            }
            .publish(None);
            if let Some(version) = function.versions.get_mut(&published) {
                version.state = State::Pending;
                version.last_update = None;
                version.pending = Some(context.pending());
            }
            number = VersionNumber::Published(published);
        }
        // With Publish the reply is version N's, yet under the unqualified ARN.
        let arn = function.arn.clone();
        Ok(Reply::created(version::show(function, number, &arn)))
    }

    /// The version that a qualifier stands for, with the ARN that replies give it. An alias stands for its primary
    /// version: its weights and its own revision do not show here.
    fn resolve(function: &Function, qualifier: Option<&str>) -> Result<(VersionNumber, String), LambdaError> {
        let Some(qualifier) = qualifier else {
            return Ok((VersionNumber::Latest, function.arn.clone()));
        };
        let number = VersionNumber::parse(qualifier)
            .or_else(|| function.aliases.get(qualifier).map(|alias| alias.version))
            .filter(|number| function.version(*number).is_some());
        let arn = function.qualified(qualifier);
        number
            .map(|number| (number, arn.clone()))
            .ok_or_else(|| LambdaError::not_found(&arn))
    }

    pub(super) fn get_function(&mut self, context: &Context, input: &FunctionInput) -> super::Result {
        let target = Target::parse(context, &input.function_name, input.qualifier.as_deref())?;
        let function = match self.find(context, &target.name) {
            Ok(found) => found.function,
            Err(_) if target.qualifier.is_some() => return Err(missing(context, &target)),
            Err(error) => return Err(error),
        };
        let (number, arn) = Self::resolve(function, target.qualifier.as_deref())?;
        let mut body = Map::new();
        body.insert("Configuration".to_owned(), version::show(function, number, &arn));
        if let Some(version) = function.version(number) {
            body.insert(
                "Code".to_owned(),
                view::code(&context.endpoint, function, number, version),
            );
        }
        // Tags and concurrency belong to the function as a whole, so a qualified call does not give them.
        if target.qualifier.is_none() {
            if !function.tags.is_empty() {
                body.insert("Tags".to_owned(), json!(function.tags));
            }
            if let Some(reserved) = function.reserved_concurrency {
                body.insert(
                    "Concurrency".to_owned(),
                    json!({ "ReservedConcurrentExecutions": reserved }),
                );
            }
        }
        Ok(Reply::ok(body))
    }

    pub(super) fn get_function_configuration(&mut self, context: &Context, input: &FunctionInput) -> super::Result {
        let target = Target::parse(context, &input.function_name, input.qualifier.as_deref())?;
        let function = match self.find(context, &target.name) {
            Ok(found) => found.function,
            Err(_) if target.qualifier.is_some() => return Err(missing(context, &target)),
            Err(error) => return Err(error),
        };
        let (number, arn) = Self::resolve(function, target.qualifier.as_deref())?;
        Ok(Reply::ok(version::show(function, number, &arn)))
    }

    /// At most 50 items a page, whatever `MaxItems` says. With `FunctionVersion=ALL` an item per version.
    pub(super) fn list_functions(&mut self, context: &Context, input: &ListInput) -> super::Result {
        let size = page_size(input.max_items, 50)?;
        let all = match input.function_version.as_deref() {
            None => false,
            Some("ALL") => true,
            Some(other) => {
                return Err(LambdaError::validation(
                    other,
                    "functionVersion",
                    "satisfy enum value set: [ALL]",
                ));
            }
        };
        let (after_name, after_version) = match input.marker.as_deref().filter(|marker| !marker.is_empty()) {
            None => (String::new(), None),
            Some(marker) => {
                let (name, number) = marker.split_once(':').unwrap_or((marker, "$LATEST"));
                let number = VersionNumber::parse(number).ok_or_else(|| LambdaError::invalid("Invalid Marker"))?;
                (name.to_owned(), Some(number))
            }
        };
        let mut items: Vec<Value> = Vec::new();
        let mut last = None;
        let mut more = false;
        let place = self.places.entry(context.place()).or_default();
        'functions: for (name, function) in place.functions.range_mut(after_name.clone()..) {
            function.settle(context.now, &mut self.ids);
            let mut numbers = vec![VersionNumber::Latest];
            if all {
                numbers.extend(function.versions.keys().copied().map(VersionNumber::Published));
            }
            for number in numbers {
                if *name == after_name && after_version.is_some_and(|after| number <= after) {
                    continue;
                }
                if items.len() == size {
                    more = true;
                    break 'functions;
                }
                let arn = if all {
                    function.qualified(number)
                } else {
                    function.arn.clone()
                };
                if let Some(version) = function.version(number) {
                    items.push(view::configuration(function, number, version, &arn, Detail::Listed).into());
                    last = Some(format!("{name}:{number}"));
                }
            }
        }
        let mut body = Map::from_iter([("Functions".to_owned(), Value::from(items))]);
        if let Some(last) = last.filter(|_| more) {
            body.insert("NextMarker".to_owned(), json!(last));
        }
        Ok(Reply::ok(body))
    }

    /// Without a qualifier the whole function goes, but its count of versions stays. With one, just that version: an
    /// absent one is a success, one that an alias names as primary or with a weight is refused.
    pub(super) fn delete_function(&mut self, context: &Context, input: &FunctionInput) -> super::Result {
        let target = Target::parse(context, &input.function_name, input.qualifier.as_deref())?;
        let Some(qualifier) = target.qualifier.as_deref() else {
            self.find(context, &target.name)?;
            if let Some(place) = self.places.get_mut(&context.place()) {
                place.functions.remove(&target.name);
            }
            return Ok(Reply::empty());
        };
        let found = self.find(context, &target.name)?;
        let number = match VersionNumber::parse(qualifier) {
            Some(VersionNumber::Published(number)) => number,
            Some(VersionNumber::Latest) => {
                return Err(LambdaError::invalid(
                    "$LATEST version cannot be deleted without deleting the function.",
                ));
            }
            None => {
                return Err(LambdaError::invalid(
                    "Deletion of aliases is not currently supported. Use the DeleteAlias operation instead.",
                ));
            }
        };
        let holders: Vec<&str> = found
            .function
            .aliases
            .iter()
            .filter(|(_, alias)| {
                alias.version == VersionNumber::Published(number) || alias.weights.contains_key(&number)
            })
            .map(|(name, _)| name.as_str())
            .collect();
        if !holders.is_empty() {
            return Err(LambdaError::conflict(format!(
                "Version {number} of function {} is referenced by alias(es) [{}] and cannot be deleted.",
                found.function.arn,
                holders.join(", ")
            )));
        }
        let removed = found.function.versions.remove(&number).is_some();
        // What is published is then no more, so the unchanged $LATEST may be published again, under the next number.
        if removed && number == *found.last_version {
            found.function.latest.revision_id = found.ids.uuid();
        }
        Ok(Reply::empty())
    }
}

fn missing(context: &Context, target: &Target) -> LambdaError {
    let arn = context.arn(&target.name);
    LambdaError::not_found(
        &target
            .qualifier
            .as_ref()
            .map_or_else(|| arn.clone(), |qualifier| format!("{arn}:{qualifier}")),
    )
}
