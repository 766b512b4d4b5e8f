//! Aliases: create, read, list, move and delete, with the rules for the weight of a second version.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::model::{Alias, Function, VersionNumber};
use super::name::{Target, check_alias, check_description, page_size};
use super::request::{AliasInput, ListInput, RoutingConfig};
use super::{Context, ErrorKind, Lambda, LambdaError, Reply, check_revision, view};

fn parse_version(text: &str) -> Result<VersionNumber, LambdaError> {
    VersionNumber::parse(text).ok_or_else(|| {
        LambdaError::validation(
            text,
            "functionVersion",
            "satisfy regular expression pattern: (\\$LATEST|[0-9]+)",
        )
    })
}

/// The weights that a request sets: `None` where it says nothing about them, empty where it clears them.
fn parse_weights(routing: Option<&RoutingConfig>) -> Result<Option<BTreeMap<u64, f64>>, LambdaError> {
    let Some(routing) = routing else {
        return Ok(None);
    };
    let mut weights = BTreeMap::new();
    for (version, weight) in routing.additional_version_weights.iter().flatten() {
        let Some(VersionNumber::Published(number)) = VersionNumber::parse(version) else {
            return Err(LambdaError::validation(
                version,
                "routingConfig.additionalVersionWeights",
                "satisfy constraint: [Member must satisfy regular expression pattern: [0-9]+]",
            ));
        };
        if !(0.0..=1.0).contains(weight) {
            return Err(LambdaError::validation(
                &weight.to_string(),
                "routingConfig.additionalVersionWeights",
                "have value between 0 and 1",
            ));
        }
        weights.insert(number, *weight);
    }
    if weights.len() > 1 {
        return Err(LambdaError::invalid(
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ));
    }
    Ok(Some(weights))
}

/// The rules that primary and weighted version obey together.
fn check_pair(function: &Function, primary: VersionNumber, weights: &BTreeMap<u64, f64>) -> Result<(), LambdaError> {
    let missing = |number: VersionNumber| LambdaError::not_found(&function.qualified(number));
    let first = function.version(primary).ok_or_else(|| missing(primary))?;
    for number in weights.keys().copied().map(VersionNumber::Published) {
        if primary == VersionNumber::Latest {
            return Err(LambdaError::invalid(
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ));
        }
        if primary == number {
            return Err(LambdaError::invalid(format!(
                "Invalid function version {number}. Function version {number} is already included in routing configuration."
            )));
        }
        let second = function.version(number).ok_or_else(|| missing(number))?;
        for (member, name) in [
            ("Role", "execution role"),
            ("DeadLetterConfig", "Dead Letter Queue configuration"),
        ] {
            if first.config.get(member) != second.config.get(member) {
                return Err(LambdaError::invalid(format!(
                    "Function versions {primary} and {number} must have the same {name} to be used in one alias"
                )));
            }
        }
    }
    Ok(())
}

pub(super) fn missing_alias(function: &Function, name: &str) -> LambdaError {
    LambdaError::new(
        ErrorKind::ResourceNotFound,
        format!("Cannot find alias arn: {}", function.qualified(name)),
    )
}

impl Lambda {
    pub(super) fn create_alias(&mut self, context: &Context, input: &AliasInput) -> super::Result {
        let function = Target::unqualified(context, &input.function_name)?;
        check_alias(&input.name)?;
        check_description(input.description.as_deref())?;
        let Some(version) = input.function_version.as_deref() else {
            return Err(LambdaError::validation("null", "functionVersion", "not be null"));
        };
        let version = parse_version(version)?;
        let weights = parse_weights(input.routing_config.as_ref())?.unwrap_or_default();
        let found = self.find(context, &function)?;
        if found.function.aliases.contains_key(&input.name) {
            return Err(LambdaError::conflict(format!(
                "Alias already exists: {}",
                found.function.qualified(&input.name)
            )));
        }
        check_pair(found.function, version, &weights)?;
        let alias = Alias {
            version,
            description: input.description.clone().unwrap_or_default(),
            weights,
            revision_id: found.ids.uuid(),
            provisioned: None,
        };
        let body = view::alias(found.function, &input.name, &alias);
        found.function.aliases.insert(input.name.clone(), alias);
        Ok(Reply::created(body))
    }

    pub(super) fn get_alias(&mut self, context: &Context, input: &AliasInput) -> super::Result {
        let function = Target::unqualified(context, &input.function_name)?;
        check_alias(&input.name)?;
        let function = self.find(context, &function)?.function;
        let alias = function
            .aliases
            .get(&input.name)
            .ok_or_else(|| missing_alias(function, &input.name))?;
        Ok(Reply::ok(view::alias(function, &input.name, alias)))
    }

    /// Members that are left out keep their value, the weights too: a caller who means to end a canary has to say so.
    /// Every accepted call rotates the alias's revision, even one that says nothing.
    pub(super) fn update_alias(&mut self, context: &Context, input: &AliasInput) -> super::Result {
        let function = Target::unqualified(context, &input.function_name)?;
        check_alias(&input.name)?;
        check_description(input.description.as_deref())?;
        let version = input.function_version.as_deref().map(parse_version).transpose()?;
        let weights = parse_weights(input.routing_config.as_ref())?;
        let found = self.find(context, &function)?;
        let alias = found
            .function
            .aliases
            .get(&input.name)
            .ok_or_else(|| missing_alias(found.function, &input.name))?;
        check_revision(input.revision_id.as_deref(), &alias.revision_id)?;
        let (before, reweighted) = (alias.version, weights.is_some());
        let mut next = alias.clone();
        next.version = version.unwrap_or(next.version);
        next.weights = weights.unwrap_or(next.weights);
        if let Some(description) = &input.description {
            next.description.clone_from(description);
        }
        check_pair(found.function, next.version, &next.weights)?;
        next.revision_id = found.ids.uuid();
        let body = view::alias(found.function, &input.name, &next);
        next.follow(before, reweighted, context, found.ids);
        found.function.aliases.insert(input.name.clone(), next);
        Ok(Reply::ok(body))
    }

    /// Deleting an alias that is not there is a success.
    pub(super) fn delete_alias(&mut self, context: &Context, input: &AliasInput) -> super::Result {
        let function = Target::unqualified(context, &input.function_name)?;
        check_alias(&input.name)?;
        self.find(context, &function)?.function.aliases.remove(&input.name);
        Ok(Reply::empty())
    }

    /// Here the 50 items a page of other listings do not hold: 53 aliases were seen to come in one. The marker is the
    /// name of the last alias shown. `MaxItems` is checked before the function is looked up.
    pub(super) fn list_aliases(&mut self, context: &Context, input: &ListInput) -> super::Result {
        let size = page_size(input.max_items, 10_000)?;
        let function = Target::unqualified(context, &input.function_name)?;
        let version = input.function_version.as_deref().map(parse_version).transpose()?;
        let function = self.find(context, &function)?.function;
        let mut rest = function
            .aliases
            .iter()
            .filter(|(_, alias)| version.is_none_or(|version| alias.version == version))
            .filter(|(name, _)| input.marker.as_ref().is_none_or(|marker| *name > marker));
        let page: Vec<_> = rest.by_ref().take(size).collect();
        let more = rest.next().is_some();
        let items: Vec<Value> = page
            .iter()
            .map(|(name, alias)| view::alias(function, name, alias))
            .collect();
        let mut body = Map::from_iter([("Aliases".to_owned(), Value::from(items))]);
        if let Some((last, _)) = page.last().filter(|_| more) {
            body.insert("NextMarker".to_owned(), json!(last));
        }
        Ok(Reply::ok(body))
    }
}
