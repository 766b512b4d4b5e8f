//! Desired beside observed: what differs. States facts only; whether anything is done about them is `plan`'s to say.

use crate::domain::{
    AliasName, ArtifactVersion, CodeSha256, DesiredArtifact, DesiredFunction, FunctionVersion, ObservedFunction,
    PackageKind, Routing, UpdateStatus, Version,
};

/// What Git names for `$LATEST` or an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredCode {
    /// The artifact's version.
    pub version: ArtifactVersion,
    /// Its hash; `None` where it could not be learnt.
    pub sha256: Option<CodeSha256>,
}

/// One way in which a live function differs from what Git says.
#[derive(Debug, Clone, PartialEq)]
pub enum Drift {
    /// There is no such function.
    Missing {
        /// What its `$LATEST` should hold.
        desired: DesiredCode,
    },
    /// `$LATEST` holds other code, or the update that was to bring it the right one failed.
    Code {
        /// What it should hold.
        desired: DesiredCode,
        /// The hash that Lambda shows.
        live: Option<CodeSha256>,
        /// Why the last update failed, if it did. The hash is then not that of the code that serves.
        failed: Option<String>,
    },
    /// An alias is missing or does not run the hash that Git names.
    Alias {
        /// The alias.
        alias: AliasName,
        /// What it should run.
        desired: DesiredCode,
        /// What it runs; `None` where there is no such alias.
        live: Option<LiveAlias>,
    },
    /// An alias sends a share of its calls to a version that Git does not name.
    Routing {
        /// The alias.
        alias: AliasName,
        /// The weights found.
        live: Routing,
    },
    /// An alias runs the right code with an older configuration than `$LATEST`. Configuration is not Pinfold's,
    /// so this is only told.
    Configuration {
        /// The alias.
        alias: AliasName,
        /// What it should run, and does.
        desired: DesiredCode,
        /// The version that it runs.
        version: Version,
    },
}

/// What an alias runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveAlias {
    /// Its primary version.
    pub version: FunctionVersion,
    /// The hash of that version's code.
    pub sha256: Option<CodeSha256>,
}

impl Drift {
    /// Returns whether this is Pinfold's to correct. Configuration belongs to whoever owns the infrastructure.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::Code { .. } | Self::Alias { .. } | Self::Routing { .. } => true,
            Self::Configuration { .. } => false,
        }
    }
}

/// Compares a function with what Git says of it.
///
/// `hash_of` gives the hash that Git means for an alias, or for `$LATEST` (`None`), where it is known. Where it is not,
/// nothing is said of the code, as a difference cannot be told from a likeness; what needs no hash is told all the same.
pub fn compare(
    desired: &DesiredFunction,
    observed: &ObservedFunction,
    hash_of: impl Fn(Option<&AliasName>) -> Option<CodeSha256>,
) -> Vec<Drift> {
    let mut drift = Vec::new();
    if observed.latest.package == PackageKind::Zip {
        drift.extend(code_drift(&desired.code, hash_of(None), observed));
    }
    for (alias, artifact) in &desired.aliases {
        alias_drift(alias, artifact, hash_of(Some(alias)), observed, &mut drift);
    }
    drift
}

fn named(artifact: &DesiredArtifact, sha256: Option<CodeSha256>) -> DesiredCode {
    DesiredCode {
        version: artifact.version.clone(),
        sha256,
    }
}

/// Returns the drift that a function which does not exist has.
pub fn missing(desired: &DesiredFunction) -> Drift {
    Drift::Missing {
        desired: DesiredCode {
            version: desired.code.version.clone(),
            sha256: desired.code.pin,
        },
    }
}

fn code_drift(artifact: &DesiredArtifact, sha256: Option<CodeSha256>, observed: &ObservedFunction) -> Option<Drift> {
    let latest = &observed.latest;
    let failed = match &latest.update {
        UpdateStatus::Failed { reason } => Some(reason.clone()),
        UpdateStatus::Successful | UpdateStatus::InProgress => None,
    };
    let differs = sha256.is_some_and(|hash| latest.sha256 != Some(hash));
    (differs || failed.is_some()).then(|| Drift::Code {
        desired: named(artifact, sha256),
        live: latest.sha256,
        failed,
    })
}

fn alias_drift(
    alias: &AliasName,
    artifact: &DesiredArtifact,
    sha256: Option<CodeSha256>,
    observed: &ObservedFunction,
    drift: &mut Vec<Drift>,
) {
    let differs = |live: Option<LiveAlias>| Drift::Alias {
        alias: alias.clone(),
        desired: named(artifact, sha256),
        live,
    };
    let Some(found) = observed.aliases.get(alias) else {
        drift.push(differs(None));
        return;
    };
    let live = LiveAlias {
        version: found.version,
        sha256: observed.sha256_of(found.version),
    };
    if !found.routing.is_empty() {
        drift.push(Drift::Routing {
            alias: alias.clone(),
            live: found.routing.clone(),
        });
    }
    match found.version {
        // $LATEST changes under the alias's callers with every upload: never what an alias is for.
        FunctionVersion::Latest => drift.push(differs(Some(live))),
        FunctionVersion::Number(_) if sha256.is_some_and(|hash| live.sha256 != Some(hash)) => {
            drift.push(differs(Some(live)));
        }
        FunctionVersion::Number(version) => {
            let config = observed.versions.get(&version).and_then(|v| v.config);
            let newer = config.zip(observed.latest.config).is_some_and(|(old, new)| old != new);
            if newer && sha256.is_some() {
                drift.push(Drift::Configuration {
                    alias: alias.clone(),
                    desired: named(artifact, sha256),
                    version,
                });
            }
        }
    }
}
