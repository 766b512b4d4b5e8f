//! Where an artifact lies: S3 locations and the templates that manifests write. Never asks S3 anything.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::line::one_line;
use super::name::{AccountId, ArtifactVersion, FunctionName, Region, TargetName};

/// One object in S3.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct S3Location {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key, not URL-encoded.
    pub key: String,
    /// The object's version in a versioned bucket; `None` for the current one.
    pub object_version: Option<String>,
}

impl S3Location {
    /// Checks an `objectVersion` as written, before there is a location that it could belong to.
    ///
    /// # Errors
    ///
    /// It is empty, too long, or holds something that no version id of S3 holds.
    pub fn check_object_version(text: &str) -> Result<(), ArtifactError> {
        if (1..=1024).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(())
        } else {
            Err(ArtifactError::ObjectVersion(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)?;
        match &self.object_version {
            Some(version) => write!(f, " (object version {version})"),
            None => Ok(()),
        }
    }
}

/// Why an `artifact:` was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArtifactError {
    /// It does not begin with `s3://`, or lacks bucket or key.
    #[error("an artifact is written s3://BUCKET/KEY, such as s3://acme-artifacts/{{name}}/{{version}}.zip")]
    Shape,
    /// A placeholder that Pinfold does not know.
    #[error("unknown placeholder {{{0}}}: use {{name}}, {{version}}, {{target}}, {{region}} or {{account}}")]
    UnknownPlaceholder(String),
    /// A brace that opens or closes nothing.
    #[error("a brace without its partner: placeholders are written {{version}}")]
    Brace,
    /// `{account}` where the target names no account.
    #[error("{{account}} stands in the artifact, but the target names no account: add `account` to the target")]
    NoAccount,
    /// The bucket breaks S3's naming rules.
    #[error(
        "bucket {0:?} breaks S3's naming rules: 3 to 63 of a-z 0-9 . -, beginning and ending with a letter or digit, no two dots together"
    )]
    Bucket(String),
    /// The key holds something that no artifact's key needs and that reads as a trick.
    #[error(
        "key {0:?} is not valid: 1 to 1024 bytes, no segment `.` or `..`, no query, no fragment, no control character"
    )]
    Key(String),
    /// The S3 object version is not one.
    #[error("objectVersion {0:?} is not valid: 1 to 1024 visible characters, as S3 returned it")]
    ObjectVersion(String),
}

/// An `artifact:` as written, with its placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Hole(Hole),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hole {
    Name,
    Version,
    Target,
    Region,
    Account,
}

/// What fills the placeholders of an artifact.
#[derive(Debug, Clone, Copy)]
pub struct Placeholders<'a> {
    /// `{name}`
    pub name: &'a FunctionName,
    /// `{version}`
    pub version: &'a ArtifactVersion,
    /// `{target}`
    pub target: &'a TargetName,
    /// `{region}`; `None` only where a tree is checked without a configuration.
    pub region: Option<&'a Region>,
    /// `{account}`; `None` where the target names none.
    pub account: Option<&'a AccountId>,
}

/// Stands in for a region while a tree is checked without the configuration that names it.
const SOME_REGION: &str = "us-east-1";

impl FromStr for ArtifactTemplate {
    type Err = ArtifactError;

    fn from_str(text: &str) -> Result<Self, ArtifactError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let (before, from_brace) = rest.split_at(open);
            let inside = from_brace.strip_prefix('{').ok_or(ArtifactError::Brace)?;
            let (name, after) = inside.split_once('}').ok_or(ArtifactError::Brace)?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Hole(match name {
                "name" => Hole::Name,
                "version" => Hole::Version,
                "target" => Hole::Target,
                "region" => Hole::Region,
                "account" => Hole::Account,
                _ => {
                    let shown: String = name.chars().take(40).collect();
                    return Err(ArtifactError::UnknownPlaceholder(one_line(&shown)));
                }
            }));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if !text.starts_with("s3://") {
            return Err(ArtifactError::Shape);
        }
        Ok(Self { parts })
    }
}

impl ArtifactTemplate {
    /// Fills the placeholders and checks the location that results.
    ///
    /// # Errors
    ///
    /// The filled location breaks S3's rules, or `{account}` is asked for and the target names none.
    pub fn fill(&self, values: Placeholders<'_>, object_version: Option<&str>) -> Result<S3Location, ArtifactError> {
        let mut text = String::new();
        for part in &self.parts {
            text.push_str(match part {
                Part::Text(fixed) => fixed,
                Part::Hole(Hole::Name) => values.name.as_str(),
                Part::Hole(Hole::Version) => values.version.as_str(),
                Part::Hole(Hole::Target) => values.target.as_str(),
                Part::Hole(Hole::Region) => values.region.map_or(SOME_REGION, Region::as_str),
                Part::Hole(Hole::Account) => values.account.ok_or(ArtifactError::NoAccount)?.as_str(),
            });
        }
        let path = text.strip_prefix("s3://").ok_or(ArtifactError::Shape)?;
        let (bucket, key) = path.split_once('/').ok_or(ArtifactError::Shape)?;
        if !valid_bucket(bucket) {
            return Err(ArtifactError::Bucket(bucket.chars().take(80).collect()));
        }
        if !valid_key(key) {
            return Err(ArtifactError::Key(key.chars().take(80).collect()));
        }
        if let Some(version) = object_version {
            S3Location::check_object_version(version)?;
        }
        Ok(S3Location {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            object_version: object_version.map(str::to_owned),
        })
    }
}

/// S3 User Guide, "General purpose bucket naming rules".
fn valid_bucket(name: &str) -> bool {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
        && edge(name.bytes().next())
        && edge(name.bytes().last())
        && !name.contains("..")
        // A name in the shape of an IPv4 address is refused by S3.
        && !name.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// S3 takes nearly any key of up to 1,024 bytes. What is refused here either cannot be signed
/// unambiguously through every proxy (`.` and `..` segments) or is a URL pasted whole.
fn valid_key(key: &str) -> bool {
    (1..=1024).contains(&key.len())
        && !key.chars().any(|c| c.is_control() || matches!(c, '?' | '#'))
        && !key.split('/').any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str) -> Result<String, ArtifactError> {
        let template: ArtifactTemplate = template.parse()?;
        let (name, version, target, region) = (
            "checkout-api".parse().unwrap(),
            "1.5.0".parse().unwrap(),
            "prod".parse().unwrap(),
            "eu-west-1".parse().unwrap(),
        );
        let values = Placeholders {
            name: &name,
            version: &version,
            target: &target,
            region: Some(&region),
            account: None,
        };
        template.fill(values, None).map(|location| location.to_string())
    }

    #[test]
    fn placeholders_are_filled() {
        assert_eq!(
            fill("s3://acme-{region}/{target}/{name}/{version}.zip").unwrap(),
            "s3://acme-eu-west-1/prod/checkout-api/1.5.0.zip"
        );
    }

    #[test]
    fn each_fault_has_its_own_word() {
        use ArtifactError as E;
        assert_eq!(fill("https://x/y"), Err(E::Shape));
        assert_eq!(fill("s3://bucket"), Err(E::Shape));
        assert_eq!(fill("s3://bucket/{nmae}"), Err(E::UnknownPlaceholder("nmae".into())));
        let strange = fill("s3://bucket/{a\0\u{202e}\n}").unwrap_err().to_string();
        assert!(
            strange.starts_with(r"unknown placeholder {a\u{0}\u{202e}}"),
            "{strange}"
        );
        assert_eq!(fill("s3://bucket/{name"), Err(E::Brace));
        assert_eq!(fill("s3://bucket/name}"), Err(E::Brace));
        assert_eq!(fill("s3://bucket-{account}/x"), Err(E::NoAccount));
        for bad in [
            "s3://UPPER/x",
            "s3://a/x",
            "s3://-ab/x",
            "s3://a..b/x",
            "s3://10.0.0.1/x",
        ] {
            assert!(matches!(fill(bad), Err(E::Bucket(_))), "{bad}");
        }
        for bad in [
            "s3://bucket/",
            "s3://bucket/a/../b",
            "s3://bucket/a?x=1",
            "s3://bucket/a\u{7}",
            "s3://bucket/./a",
        ] {
            assert!(matches!(fill(bad), Err(E::Key(_))), "{bad}");
        }
    }
}
