//! Judges artifacts: which hash a desired version has, and whether its object can be had. Asks nobody: facts come in.

use std::collections::{BTreeMap, BTreeSet};

use super::withheld::Reason;
use crate::domain::{
    ArtifactFailureKind, CodeSha256, DesiredArtifact, DesiredFunction, ObservedFunction, PackageKind, Publication,
    Resolution, S3Location, TargetName, UpdateStatus, VerifiedObject,
};

/// What S3 answered, by location.
pub type ArtifactFacts = BTreeMap<S3Location, Resolution>;

/// The same by target: two targets may see one object with different credentials.
pub type FactsByTarget = BTreeMap<TargetName, ArtifactFacts>;

/// What is known of one desired artifact of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The hash that Git means, where it is known.
    pub(super) sha256: Option<CodeSha256>,
    /// The object, or why it cannot be used; `None` where S3 was not asked because Pinfold's own publication
    /// vouches for the hash.
    pub(super) object: Option<Result<VerifiedObject, Refusal>>,
    /// Whether a version that Pinfold published for this very artifact version vouches for the hash, so that an
    /// alias may be moved to it whatever becomes of the object.
    pub(super) vouched: bool,
}

/// Why an object cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Verdict {
    /// Returns the hash that an alias may be moved to, or why none.
    pub(super) fn movable(&self) -> Result<CodeSha256, Refusal> {
        match (&self.object, self.sha256) {
            (Some(Err(refusal)), _) if !self.vouched => Err(refusal.clone()),
            (_, Some(sha256)) => Ok(sha256),
            (_, None) => Err(not_asked()),
        }
    }

    /// Returns the object for an update, or why there is none.
    pub(super) fn object(&self) -> Result<&VerifiedObject, Refusal> {
        match &self.object {
            Some(Ok(object)) => Ok(object),
            Some(Err(refusal)) => Err(refusal.clone()),
            None => Err(not_asked()),
        }
    }
}

/// Stands for a look-up that [`lookups`] asks for and nobody made.
fn not_asked() -> Refusal {
    Refusal {
        reason: Reason::ArtifactUnreadable,
        message: "the artifact has not been looked up yet".to_owned(),
    }
}

/// Judges one artifact of a function.
pub(super) fn judge(
    artifact: &DesiredArtifact,
    desired: &DesiredFunction,
    observed: &ObservedFunction,
    facts: &ArtifactFacts,
) -> Verdict {
    let location = &artifact.location;
    let vouched = artifact.pin.is_some_and(|pin| {
        publications(observed).any(|published| published.version == artifact.version && published.sha256 == pin)
    });
    let object = facts.get(location).map(|fact| match (fact, artifact.pin) {
        (Err(failure), _) => Err(Refusal {
            reason: match failure.kind {
                ArtifactFailureKind::NotFound => Reason::ArtifactNotFound,
                ArtifactFailureKind::Unreadable => Reason::ArtifactUnreadable,
            },
            message: format!("version {}: {}", artifact.version, failure.message),
        }),
        (Ok(object), Some(pin)) if object.sha256 != pin => Err(Refusal {
            reason: Reason::ArtifactMismatch,
            message: format!(
                "Git pins version {} to sha256 {pin}, but {location} has {}: correct the pin, or upload the artifact \
                 that was meant",
                artifact.version, object.sha256
            ),
        }),
        (Ok(object), None) => match newest_publication(artifact, observed) {
            Some(before) if before.sha256 != object.sha256 && !is_pinned(artifact, desired, object.sha256) => {
                Err(Refusal {
                    reason: Reason::ArtifactChanged,
                    message: format!(
                        "version {} was published with sha256 {}, but {location} now has {}: give the new bytes a new \
                     version, or pin the new sha256 in Git",
                        artifact.version, before.sha256, object.sha256
                    ),
                })
            }
            Some(_) | None => Ok(object.clone()),
        },
        (Ok(object), Some(_)) => Ok(object.clone()),
    });
    let sha256 = match (&object, artifact.pin) {
        (_, Some(pin)) => Some(pin),
        (Some(Ok(object)), None) => Some(object.sha256),
        (Some(Err(_)) | None, None) => None,
    };
    Verdict {
        sha256,
        object,
        vouched,
    }
}

/// Returns whether Git pins this very artifact to the hash in another place of the function: the new bytes are then meant,
/// and what goes without a pin need not wait until they are published.
fn is_pinned(artifact: &DesiredArtifact, desired: &DesiredFunction, sha256: CodeSha256) -> bool {
    let same = |other: &&DesiredArtifact| other.version == artifact.version && other.location == artifact.location;
    desired.artifacts().filter(same).any(|other| other.pin == Some(sha256))
}

/// Returns what Pinfold wrote into the versions that it published, the newest first.
fn publications(observed: &ObservedFunction) -> impl Iterator<Item = &Publication> {
    observed
        .versions
        .values()
        .rev()
        .filter_map(|version| version.publication.as_ref())
}

fn newest_publication<'a>(artifact: &DesiredArtifact, observed: &'a ObservedFunction) -> Option<&'a Publication> {
    publications(observed).find(|published| published.version == artifact.version)
}

/// Returns the locations that S3 must still be asked about before this function can be planned.
///
/// A version that Pinfold published for the pinned version and hash vouches for it, and S3 need not be asked, as
/// long as no code has to be uploaded: then every object must have been seen first, also `version`'s own, as
/// `$LATEST` has to be put back to it. As the answers may make an upload necessary, this is asked again until
/// it returns nothing.
pub fn lookups(desired: &DesiredFunction, observed: &ObservedFunction, facts: &ArtifactFacts) -> BTreeSet<S3Location> {
    if observed.latest.package != PackageKind::Zip {
        return BTreeSet::new();
    }
    let upload = needs_upload(desired, observed, facts);
    desired
        .artifacts()
        .filter(|artifact| !facts.contains_key(&artifact.location))
        .filter(|artifact| upload || !judge(artifact, desired, observed, facts).vouched)
        .map(|artifact| artifact.location.clone())
        .collect()
}

fn needs_upload(desired: &DesiredFunction, observed: &ObservedFunction, facts: &ArtifactFacts) -> bool {
    let latest = &observed.latest;
    let hash = |artifact| judge(artifact, desired, observed, facts).sha256;
    let code = hash(&desired.code);
    let displaced = latest.update != UpdateStatus::Successful || code.is_some_and(|code| latest.sha256 != Some(code));
    displaced
        || desired.aliases.iter().any(|(alias, artifact)| {
            let Some(wanted) = hash(artifact) else { return false };
            let kept = observed
                .aliases
                .get(alias)
                .and_then(|found| observed.kept_version(found, wanted));
            kept.is_none() && latest.sha256 != Some(wanted) && observed.reusable_version(wanted).is_none()
        })
}
