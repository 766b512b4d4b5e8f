//! What Lambda remembers of a function. Plain data and its own invariants; requests and replies are elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::clock::Timestamp;
use super::super::ids::Ids;
use super::provisioned::Provisioned;

/// Members of a configuration as they go over the wire.
pub(super) type Members = Map<String, Value>;

/// The part of a configuration that a version snapshots. It is kept as compact JSON, a tenth of the memory that a tree of
/// maps takes, and shared between versions that have the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Config(Arc<str>);

impl Config {
    pub(super) fn new(members: Members) -> Self {
        Self(Value::Object(members).to_string().into())
    }

    pub(super) fn members(&self) -> Members {
        // The text was written from such a map.
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    pub(super) fn get(&self, member: &str) -> Option<Value> {
        self.members().remove(member)
    }

    pub(super) fn set(&mut self, member: &str, value: Value) {
        let mut members = self.members();
        members.insert(member.to_owned(), value);
        *self = Self::new(members);
    }
}

impl Serialize for Config {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.members().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Members::deserialize(deserializer).map(Self::new)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) latest: Version,
    pub(super) versions: BTreeMap<u64, Version>,
    pub(super) aliases: BTreeMap<String, Alias>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) reserved_concurrency: Option<u64>,
    /// The version that was published from `$LATEST` as it stands. An accepted update empties it: Lambda goes by
    /// "was anything updated since", not by whether the content differs.
    #[serde(default)]
    pub(super) published: Option<u64>,
}

/// `$LATEST` or a published version.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    pub(super) config: Config,
    pub(super) description: String,
    pub(super) code: Code,
    pub(super) revision_id: String,
    pub(super) last_modified: Timestamp,
    pub(super) state: State,
    #[serde(default)]
    pub(super) last_update: Option<LastUpdate>,
    #[serde(default)]
    pub(super) pending: Option<Pending>,
}

/// A deployment package.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Code {
    /// Base64 of the SHA-256 of the zip; for an image the hexadecimal digest.
    #[serde(with = "text")]
    pub(in super::super) sha256: Arc<str>,
    pub(super) size: u64,
    /// Shared with the S3 object that it was copied from, so that a thousand functions of one zip cost one zip.
    #[serde(skip)]
    pub(in super::super) bytes: Bytes,
    #[serde(default)]
    pub(super) origin: Origin,
    /// The customer's key that the package is encrypted with. A call that leaves it out goes back to AWS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kms_key: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub(super) enum Origin {
    /// Lambda holds a copy.
    #[default]
    Copy,
    /// Lambda reads the S3 object where it lies (`S3ObjectStorageMode=REFERENCE`).
    Reference {
        bucket: String,
        key: String,
        version: String,
    },
    /// A container image.
    Image { uri: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub(super) enum State {
    Pending,
    Active,
    /// Nobody called it for weeks.
    Inactive,
    Failed {
        code: String,
        reason: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub(super) enum LastUpdate {
    InProgress,
    Successful,
    Failed { code: String, reason: String },
}

/// Work that Lambda goes on with after its reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pending {
    pub(super) until: Timestamp,
    pub(super) ending: Ending,
}

/// How an update or a creation ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub(crate) enum Ending {
    /// It succeeds.
    #[default]
    Success,
    /// It ends `Failed`, with the reason code and the text that a reader of the function sees.
    Failure {
        /// For instance `SubnetOutOfIPAddresses`.
        code: String,
        /// The text.
        reason: String,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alias {
    pub(super) version: VersionNumber,
    pub(super) description: String,
    /// The share of the traffic that goes to one other version.
    #[serde(default)]
    pub(super) weights: BTreeMap<u64, f64>,
    pub(super) revision_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) provisioned: Option<Provisioned>,
}

/// `$LATEST` or the number of a published version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum VersionNumber {
    Latest,
    Published(u64),
}

impl VersionNumber {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "$LATEST" {
            return Some(Self::Latest);
        }
        text.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse().ok().map(Self::Published))
            .flatten()
    }
}

impl std::fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Latest => f.write_str("$LATEST"),
            Self::Published(number) => write!(f, "{number}"),
        }
    }
}

impl Version {
    /// Brings work whose time has come to its end. Completion gives the version a new `RevisionId`, which is why
    /// the one in the reply to an update is stale once the update is through.
    fn settle(&mut self, now: Timestamp, ids: &mut Ids) {
        let Some(pending) = self.pending.take_if(|pending| pending.until <= now) else {
            return;
        };
        self.revision_id = ids.uuid();
        let creating = self.state == State::Pending;
        match pending.ending {
            Ending::Success => {
                self.state = State::Active;
                self.last_update = Some(LastUpdate::Successful);
            }
            // The old code keeps serving after a failed update, so the function stays Active.
            Ending::Failure { code, reason } if creating => self.state = State::Failed { code, reason },
            Ending::Failure { code, reason } => {
                self.last_update = Some(LastUpdate::Failed { code, reason });
            }
        }
    }

    pub(super) fn is_updating(&self) -> bool {
        self.last_update == Some(LastUpdate::InProgress)
    }
}

impl Function {
    pub(super) fn settle(&mut self, now: Timestamp, ids: &mut Ids) {
        self.latest.settle(now, ids);
        for version in self.versions.values_mut() {
            version.settle(now, ids);
        }
        for alias in self.aliases.values_mut() {
            alias.settle(now, ids);
        }
    }

    pub(super) fn version(&self, number: VersionNumber) -> Option<&Version> {
        match number {
            VersionNumber::Latest => Some(&self.latest),
            VersionNumber::Published(number) => self.versions.get(&number),
        }
    }

    pub(super) fn qualified(&self, qualifier: impl std::fmt::Display) -> String {
        format!("{}:{qualifier}", self.arn)
    }

    /// Lets versions with equal configuration share it, which loading from JSON has undone.
    pub(super) fn share_configs(&mut self) {
        let mut previous = self.latest.config.clone();
        for version in self.versions.values_mut().rev() {
            if version.config == previous {
                version.config = previous.clone();
            } else {
                previous = version.config.clone();
            }
        }
    }

    pub(super) fn codes(&self) -> impl Iterator<Item = &Code> {
        std::iter::once(&self.latest)
            .chain(self.versions.values())
            .map(|version| &version.code)
    }

    pub(super) fn codes_mut(&mut self) -> impl Iterator<Item = &mut Code> {
        std::iter::once(&mut self.latest)
            .chain(self.versions.values_mut())
            .map(|version| &mut version.code)
    }
}

/// Serde for shared text.
mod text {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Arc::from)
    }
}
