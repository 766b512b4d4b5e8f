//! Names and identifiers: strings that were checked once and are valid from then on. No normalising, no guessing.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use smol_str::SmolStr;
use thiserror::Error;

use super::line::shortened;

/// Why a name was refused. The text says what is allowed instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind} {value:?} is not valid: {rule}")]
pub struct NameError {
    kind: &'static str,
    value: String,
    rule: &'static str,
}

/// Longest part of a refused value that an error repeats, in characters.
const SHOWN: usize = 80;

impl NameError {
    fn new(kind: &'static str, value: &str, rule: &'static str) -> Self {
        Self {
            kind,
            value: shortened(value, SHOWN),
            rule,
        }
    }
}

/// Defines a checked string: what it is called in errors, its rule in words, and the check.
macro_rules! checked_string {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(SmolStr);

        impl $name {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(value: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if check(value) {
                    Ok(Self(value.into()))
                } else {
                    Err(NameError::new($kind, value, $rule))
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

fn all(value: &str, longest: usize, allowed: fn(u8) -> bool) -> bool {
    (1..=longest).contains(&value.len()) && value.bytes().all(allowed)
}

fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

checked_string! {
    /// The name of a Lambda function, without ARN, account or qualifier (CreateFunction, FunctionName).
    FunctionName, "function name", "use 1 to 64 of A-Z a-z 0-9 - _ (a plain name: no ARN, no :qualifier)",
    |v| all(v, 64, word)
}

checked_string! {
    /// The name of an alias (CreateAlias, Name). AWS refuses one that is all digits, as it would read as a version.
    AliasName, "alias name", "use 1 to 128 of A-Z a-z 0-9 - _, not digits alone, and not $LATEST",
    |v| all(v, 128, word) && !v.bytes().all(|b| b.is_ascii_digit())
}

checked_string! {
    /// The name of a target in the daemon's configuration.
    TargetName, "target name", "use 1 to 64 of A-Z a-z 0-9 . - _, beginning with a letter or digit",
    |v| all(v, 64, |b| word(b) || b == b'.') && v.as_bytes()[0].is_ascii_alphanumeric()
}

checked_string! {
    /// The version of an artifact as its makers count it, such as `1.5.0`; not a Lambda version number.
    ArtifactVersion, "version", "use 1 to 128 of A-Z a-z 0-9 . _ + -, beginning with a letter or digit",
    |v| all(v, 128, |b| word(b) || matches!(b, b'.' | b'+')) && v.as_bytes()[0].is_ascii_alphanumeric()
}

checked_string! {
    /// An AWS account id.
    AccountId, "account", "use the twelve digits of the account id, in quotes",
    |v| v.len() == 12 && v.bytes().all(|b| b.is_ascii_digit())
}

checked_string! {
    /// An AWS Region name such as `us-east-1`.
    Region, "region", "use an AWS Region name such as us-east-1",
    |v| all(v, 32, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && v.as_bytes()[0].is_ascii_lowercase()
}

checked_string! {
    /// The id of a Git commit: 40 hex digits, or 64 in a SHA-256 repository.
    CommitId, "commit", "use the full commit id, 40 (or 64) hex digits in lower case",
    |v| matches!(v.len(), 40 | 64) && v.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

checked_string! {
    /// Lambda's RevisionId of `$LATEST`, of a version or of an alias: opaque, and compared only for equality.
    RevisionId, "RevisionId", "use what Lambda returned: 1 to 128 visible characters",
    |v| all(v, 128, |b| b.is_ascii_graphic())
}

impl CommitId {
    /// Returns the first seven digits, as people quote commits.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

/// The number of a published Lambda version. Numbers count up and never come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(NonZeroU64);

impl Version {
    /// Returns the version of this number, unless it is 0.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// Returns the number.
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl FromStr for Version {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let digits = value.bytes().all(|b| b.is_ascii_digit());
        value
            .parse()
            .ok()
            .filter(|_| digits)
            .map(Self)
            .ok_or_else(|| NameError::new("Lambda version", value, "use a number from 1"))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One function in one target: the key under which everything about it is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionKey {
    /// The target it belongs to.
    pub target: TargetName,
    /// Its name in Lambda.
    pub name: FunctionName,
}

impl fmt::Display for FunctionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.target, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_name_is_a_plain_name() {
        for good in ["a", "checkout-api", "A_9", &"x".repeat(64)] {
            assert!(good.parse::<FunctionName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "a b",
            "arn:aws:lambda:us-east-1:1:function:f",
            "f:live",
            "$LATEST",
            "é",
            &"x".repeat(65),
        ] {
            assert!(bad.parse::<FunctionName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_alias_is_not_a_number_and_not_latest() {
        assert!("live".parse::<AliasName>().is_ok());
        assert!("7a".parse::<AliasName>().is_ok());
        for bad in ["7", "$LATEST", "", "a.b"] {
            assert!(bad.parse::<AliasName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_artifact_version_begins_with_a_letter_or_digit() {
        for good in ["1.5.0", "v1", "1.6.0-rc.1+build_7"] {
            assert!(good.parse::<ArtifactVersion>().is_ok(), "{good}");
        }
        for bad in ["", "-1", "..", ".1", "1/2", "1 2", &"1".repeat(129)] {
            assert!(bad.parse::<ArtifactVersion>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_lambda_version_is_a_positive_number() {
        assert_eq!("7".parse::<Version>().unwrap().get(), 7);
        for bad in ["0", "+7", "-1", "$LATEST", "", "1.0", "99999999999999999999999"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_repeats_the_value_shortened_and_says_the_rule() {
        let error = "x".repeat(1000).parse::<FunctionName>().unwrap_err().to_string();
        assert!(error.len() < 250, "{error}");
        assert!(error.contains("1 to 64"), "{error}");
    }
}
