//! How a function is named in a request: by name, partial ARN or ARN, with or without a qualifier. It looks nothing up.

use super::{Context, LambdaError, error::ErrorKind};

const FUNCTION_PATTERN: &str = "satisfy regular expression pattern: \
    (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?\
    ([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";

/// A function as a request names it, the parts already checked against the caller's account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) qualifier: Option<String>,
}

impl Target {
    /// Takes the `FunctionName` and the `Qualifier` of a request apart.
    pub(super) fn parse(context: &Context, function: &str, qualifier: Option<&str>) -> Result<Self, LambdaError> {
        let refuse = || LambdaError::validation(function, "functionName", FUNCTION_PATTERN);
        if function.len() > 256 {
            return Err(LambdaError::validation(
                function,
                "functionName",
                "have length less than or equal to 256",
            ));
        }
        let parts: Vec<&str> = function.split(':').collect();
        let (account, region, rest) = match parts.as_slice() {
            ["arn", partition, "lambda", region, account, "function", rest @ ..] if partition.starts_with("aws") => {
                (Some(*account), Some(*region), rest)
            }
            [account, "function", rest @ ..] if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) => {
                (Some(*account), None, rest)
            }
            ["function", rest @ ..] if !rest.is_empty() => (None, None, rest),
            rest => (None, None, rest),
        };
        let (name, inline) = match rest {
            [name] => (*name, None),
            [name, qualifier] => (*name, Some(*qualifier)),
            _ => return Err(refuse()),
        };
        if name.is_empty()
            || !name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        {
            return Err(refuse());
        }
        if name.len() > 64 {
            return Err(LambdaError::validation(
                name,
                "functionName",
                "have length less than or equal to 64",
            ));
        }
        if let Some(region) = region.filter(|region| *region != context.region) {
            return Err(LambdaError::new(
                ErrorKind::ResourceNotFound,
                format!(
                    "Functions from '{region}' are not reachable in this region ('{}')",
                    context.region
                ),
            ));
        }
        if account.is_some_and(|account| account != context.account) {
            return Err(LambdaError::new(
                ErrorKind::AccessDenied,
                format!(
                    "User: arn:aws:iam::{}:root is not authorized to access {function}",
                    context.account
                ),
            ));
        }
        if let Some(inline) = inline {
            check_qualifier(inline).map_err(|_| refuse())?;
        }
        if let Some(qualifier) = qualifier {
            check_qualifier(qualifier)?;
        }
        match (inline, qualifier) {
            (Some(inline), Some(qualifier)) if inline != qualifier => Err(LambdaError::invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            )),
            (inline, qualifier) => Ok(Self {
                name: name.to_owned(),
                qualifier: qualifier.or(inline).map(str::to_owned),
            }),
        }
    }

    /// For operations that a version or an alias does not support.
    pub(super) fn unqualified(context: &Context, function: &str) -> Result<String, LambdaError> {
        let target = Self::parse(context, function, None)?;
        match target.qualifier {
            None => Ok(target.name),
            Some(_) => Err(LambdaError::invalid(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
                 operation. Please specify either a function name or an unqualified function ARN.",
            )),
        }
    }
}

fn check_qualifier(qualifier: &str) -> Result<(), LambdaError> {
    let refuse = |constraint| Err(LambdaError::validation(qualifier, "qualifier", constraint));
    if qualifier.is_empty() || qualifier.len() > 128 {
        return refuse("have length between 1 and 128");
    }
    let word = qualifier.strip_prefix('$').unwrap_or(qualifier);
    if matches!(qualifier, "$LATEST" | "$LATEST.PUBLISHED")
        || (word == qualifier
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'))
    {
        return Ok(());
    }
    refuse("satisfy regular expression pattern: \\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+")
}

/// A name that an alias may have: not all digits, as that would be a version.
pub(super) fn check_alias(name: &str) -> Result<(), LambdaError> {
    let refuse = |constraint| Err(LambdaError::validation(name, "name", constraint));
    if name.is_empty() || name.len() > 128 {
        return refuse("have length between 1 and 128");
    }
    let word = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !word || name.bytes().all(|b| b.is_ascii_digit()) {
        return refuse("satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)");
    }
    Ok(())
}

/// `MaxItems` of a listing: absent means the default, out of range is refused before anything is looked up.
pub(super) fn page_size(max_items: Option<i64>, cap: usize) -> Result<usize, LambdaError> {
    match max_items {
        None => Ok(cap),
        Some(n @ ..1) => Err(LambdaError::validation(
            &n.to_string(),
            "maxItems",
            "have value greater than or equal to 1",
        )),
        Some(n @ 10_001..) => Err(LambdaError::validation(
            &n.to_string(),
            "maxItems",
            "have value less than or equal to 10000",
        )),
        Some(n) => Ok(usize::try_from(n).unwrap_or(cap).min(cap)),
    }
}

/// Descriptions of functions, versions and aliases are bounded alike.
pub(super) fn check_description(description: Option<&str>) -> Result<(), LambdaError> {
    match description {
        Some(text) if text.chars().count() > 256 => Err(LambdaError::validation(
            text,
            "description",
            "have length less than or equal to 256",
        )),
        Some(_) | None => Ok(()),
    }
}
