//! A fleet in sync: what Git says of it, and what Lambda and S3 would answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use pinfold::domain::{
    ChangeLimit, CodeSettings, CodeSha256, ConfigDigest, DeployWindows, DesiredArtifact, DesiredFunction, DesiredState,
    FunctionKey, FunctionVersion, LatestCode, Mode, ObservedAlias, ObservedFunction, ObservedState, PackageKind,
    Publication, PublishedVersion, Routing, S3Location, Target, TargetName, UpdateStatus, VerifiedObject, Version,
    VersionState, few,
};
use pinfold::plan::{ArtifactFacts, FactsByTarget, Observations, Plan, Policy, Report, plan};
use sha2::{Digest as _, Sha256};

/// The target's name, and its folder.
pub(crate) const TARGET: &str = "prod";

/// What every function runs.
pub(crate) const VERSION: &str = "1.0.0";

/// Versions that were published of each function before the one that it runs.
const OLDER: u64 = 4;

pub(crate) struct Fleet {
    pub(crate) desired: DesiredState,
    pub(crate) targets: BTreeMap<TargetName, Target>,
    pub(crate) observations: Observations,
    pub(crate) facts: FactsByTarget,
    pub(crate) policy: Policy,
}

pub(crate) fn name(function: usize) -> String {
    format!("function-{function:05}")
}

pub(crate) fn sha256(function: usize, version: &str) -> CodeSha256 {
    CodeSha256::from_bytes(Sha256::digest(format!("{function} {version}")).into())
}

pub(crate) fn target() -> Target {
    Target {
        name: TARGET.parse().unwrap(),
        path: TARGET.to_owned(),
        region: Some("us-east-1".parse().unwrap()),
        account: Some("111111111111".parse().unwrap()),
        functions: vec!["function-*".parse().unwrap()],
    }
}

fn location(function: usize, version: &str) -> S3Location {
    S3Location {
        bucket: "acme-artifacts".to_owned(),
        key: format!("{}/{version}.zip", name(function)),
        object_version: None,
    }
}

fn desired(function: usize) -> DesiredFunction {
    let artifact = DesiredArtifact {
        version: VERSION.parse().unwrap(),
        pin: Some(sha256(function, VERSION)),
        location: location(function, VERSION),
    };
    DesiredFunction {
        file: format!("{TARGET}/{}.yaml", name(function)),
        code: artifact.clone(),
        aliases: few([("live".parse().unwrap(), artifact)]),
        mode: Mode::Reconcile,
        suspend: None,
    }
}

fn observed(function: usize) -> ObservedFunction {
    let published = |version: &str| PublishedVersion {
        sha256: sha256(function, version),
        config: Some(ConfigDigest([0; 32])),
        publication: Some(Publication {
            version: version.parse().unwrap(),
            sha256: sha256(function, version),
            commit: Some("0123456789012345678901234567890123456789".parse().unwrap()),
        }),
        state: VersionState::Active,
    };
    let mut versions: BTreeMap<_, _> = (1..=OLDER)
        .map(|number| (Version::new(number).unwrap(), published(&format!("0.{number}.0"))))
        .collect();
    let current = Version::new(OLDER + 1).unwrap();
    versions.insert(current, published(VERSION));
    ObservedFunction {
        account: Some("111111111111".parse().unwrap()),
        latest: LatestCode {
            sha256: Some(sha256(function, VERSION)),
            revision: format!("revision-{function}").parse().unwrap(),
            update: UpdateStatus::Successful,
            package: PackageKind::Zip,
            settings: CodeSettings::default(),
            config: Some(ConfigDigest([0; 32])),
        },
        aliases: few([(
            "live".parse().unwrap(),
            ObservedAlias {
                version: FunctionVersion::Number(current),
                revision: format!("alias-{function}").parse().unwrap(),
                routing: Routing::new(),
            },
        )]),
        weights_read: true,
        versions: few(versions),
        allocations: BTreeMap::new(),
    }
}

impl Fleet {
    /// Builds a fleet whose artifacts are pinned, so that S3 was not asked.
    pub(crate) fn new(functions: usize) -> Self {
        let key = |function| FunctionKey {
            target: TARGET.parse().unwrap(),
            name: name(function).parse().unwrap(),
        };
        Self {
            desired: DesiredState {
                revision: Some("0123456789012345678901234567890123456789".parse().unwrap()),
                functions: (0..functions)
                    .map(|function| (key(function), desired(function)))
                    .collect(),
                files: functions,
                ..DesiredState::default()
            },
            targets: [(TARGET.parse().unwrap(), target())].into(),
            observations: (0..functions)
                .map(|function| (key(function), ObservedState::Found(Arc::new(observed(function)))))
                .collect(),
            facts: FactsByTarget::new(),
            policy: Policy {
                mode: Mode::Reconcile,
                now: "2026-11-24T00:00:00Z".parse().unwrap(),
                change_limit: ChangeLimit::default(),
                acknowledged: None,
                windows: DeployWindows::default(),
                held: BTreeMap::new(),
            },
        }
    }

    /// The same fleet without its pins, and with what S3 says of every artifact.
    pub(crate) fn unpinned(mut self) -> Self {
        let mut facts = ArtifactFacts::new();
        for function in self.desired.functions.values_mut() {
            for artifact in std::iter::once(&mut function.code).chain(function.aliases.iter_mut().map(|(_, own)| own)) {
                if let Some(sha256) = artifact.pin.take() {
                    let object = VerifiedObject {
                        location: artifact.location.clone(),
                        sha256,
                    };
                    facts.insert(artifact.location.clone(), Ok(object));
                }
            }
        }
        self.facts = [(TARGET.parse().unwrap(), facts)].into();
        self
    }

    pub(crate) fn plan(&self, desired: &DesiredState) -> Plan {
        plan(desired, &self.targets, &self.observations, &self.facts, &self.policy)
    }

    pub(crate) fn report(&self) -> Report {
        let plan = self.plan(&self.desired);
        Report {
            revision: self.desired.revision.clone(),
            functions: Report::functions_of(plan, &self.desired, &self.observations, &self.targets),
            files: self.desired.files,
            ..Report::default()
        }
    }
}
