//! Judges artifacts: which hash a desired version has, and whether its object can be had. Asks nobody: facts come in.

use std::collections::{BTreeMap, BTreeSet};

use super::withheld::Reason;
use crate::domain::{
    AliasName, ArtifactFailureKind, CodeSha256, DesiredArtifact, DesiredFunction, ObservedFunction, PackageKind,
    Publication, Resolution, S3Location, TargetName, UpdateStatus, VerifiedObject,
};

/// What S3 answered, by location.
pub type ArtifactFacts = BTreeMap<S3Location, Resolution>;

/// The same by target: two targets may see one object with different credentials.
pub type FactsByTarget = BTreeMap<TargetName, ArtifactFacts>;

/// What is known of one desired artifact of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict<'a> {
    /// The hash that Git means, where it is known.
    pub(super) sha256: Option<CodeSha256>,
    /// The object, or why it cannot be used; `None` where S3 was not asked because Pinfold's own publication
    /// vouches for the hash.
    pub(super) object: Option<Result<&'a VerifiedObject, Refusal>>,
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

impl<'a> Verdict<'a> {
    /// Returns the hash that an alias may be moved to, or why none.
    pub(super) fn movable(&self) -> Result<CodeSha256, Refusal> {
        match (&self.object, self.sha256) {
            (Some(Err(refusal)), _) if !self.vouched => Err(refusal.clone()),
            (_, Some(sha256)) => Ok(sha256),
            (_, None) => Err(not_asked()),
        }
    }

    /// Returns the object for an update, or why there is none.
    pub(super) fn object(&self) -> Result<&'a VerifiedObject, Refusal> {
        match &self.object {
            Some(Ok(object)) => Ok(*object),
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

/// What is known of every artifact of one function. Each is judged once, however often the plan asks.
pub(super) struct Verdicts<'a> {
    /// Of what `$LATEST` should hold.
    pub(super) code: Verdict<'a>,
    /// Of what each alias should run, in the order of the aliases.
    pub(super) aliases: Vec<(&'a AliasName, &'a DesiredArtifact, Verdict<'a>)>,
}

impl<'a> Verdicts<'a> {
    pub(super) fn of(desired: &'a DesiredFunction, observed: &ObservedFunction, facts: &'a ArtifactFacts) -> Self {
        let code = judge(&desired.code, desired, observed, facts);
        let aliases = desired.aliases.iter().map(|(alias, artifact)| {
            // Most aliases run what `$LATEST` holds.
            let verdict = if *artifact == desired.code {
                code.clone()
            } else {
                judge(artifact, desired, observed, facts)
            };
            (alias, artifact, verdict)
        });
        Self {
            aliases: aliases.collect(),
            code,
        }
    }

    /// Returns the hash that Git means for an alias, or for `$LATEST`, where it is known.
    pub(super) fn sha256(&self, alias: Option<&AliasName>) -> Option<CodeSha256> {
        match alias {
            None => self.code.sha256,
            Some(alias) => self.aliases.iter().find(|(name, _, _)| *name == alias)?.2.sha256,
        }
    }
}

/// Judges one artifact of a function.
fn judge<'a>(
    artifact: &DesiredArtifact,
    desired: &DesiredFunction,
    observed: &ObservedFunction,
    facts: &'a ArtifactFacts,
) -> Verdict<'a> {
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
            Some(_) | None => Ok(object),
        },
        (Ok(object), Some(_)) => Ok(object),
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
    let asked = |artifact: &DesiredArtifact| facts.contains_key(&artifact.location);
    if observed.latest.package != PackageKind::Zip || desired.artifacts().all(asked) {
        return BTreeSet::new();
    }
    let verdicts = Verdicts::of(desired, observed, facts);
    let upload = needs_upload(observed, &verdicts);
    std::iter::once((&desired.code, &verdicts.code))
        .chain(
            verdicts
                .aliases
                .iter()
                .map(|(_, artifact, verdict)| (*artifact, verdict)),
        )
        .filter(|(artifact, verdict)| !asked(artifact) && (upload || !verdict.vouched))
        .map(|(artifact, _)| artifact.location.clone())
        .collect()
}

fn needs_upload(observed: &ObservedFunction, verdicts: &Verdicts<'_>) -> bool {
    let latest = &observed.latest;
    let code = verdicts.code.sha256;
    let displaced = latest.update != UpdateStatus::Successful || code.is_some_and(|code| latest.sha256 != Some(code));
    displaced
        || verdicts.aliases.iter().any(|(alias, _, verdict)| {
            let Some(wanted) = verdict.sha256 else { return false };
            let kept = observed
                .aliases
                .get(*alias)
                .and_then(|found| observed.kept_version(found, wanted));
            let at_hand = latest.sha256 == Some(wanted) && !observed.republishes_inactive();
            kept.is_none() && !at_hand && observed.reusable_version(wanted).is_none()
        })
}
