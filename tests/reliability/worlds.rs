//! Arbitrary worlds for the planner, over alphabets so small that everything collides: three artifact versions, four
//! hashes, three aliases, two configurations.

use std::collections::BTreeMap;
use std::sync::Arc;

use pinfold::domain::{
    AliasName, Allocation, ArtifactFailure, ArtifactFailureKind, CodeSha256, ConfigDigest, DesiredArtifact,
    DesiredFunction, FunctionVersion, Mode, ObservedState, PackageKind, Publication, PublishedVersion, ReadFailure,
    ReadFailureKind, Resolution, Routing, S3Location, Suspension, Timestamp, UpdateStatus, VerifiedObject, Version,
    VersionState, Weight, few,
};
use pinfold::plan::ArtifactFacts;

use super::model::Function;

/// Choices that bytes make: of chance in the properties, of a fuzzer in its target. Where they have run out, the first of
/// each row is chosen, which is the most ordinary.
pub(crate) struct Choices<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter() }
    }

    /// Chooses a number below `count`.
    pub(crate) fn below(&mut self, count: u8) -> u8 {
        self.bytes.next().copied().unwrap_or_default() % count
    }

    /// Chooses one of a row, each as often as its number says.
    pub(crate) fn among<T: Clone>(&mut self, row: &[(u8, T)]) -> T {
        let mut at = self.below(row.iter().map(|(times, _)| times).sum());
        for (times, one) in row {
            match at.checked_sub(*times) {
                Some(rest) => at = rest,
                None => return one.clone(),
            }
        }
        unreachable!("the number is below the sum")
    }
}

/// What S3 holds.
pub(crate) type Store = BTreeMap<S3Location, Resolution>;

/// One function: what Git says of it, and what it is.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) desired: DesiredFunction,
    pub(crate) live: Live,
    pub(crate) held: bool,
    pub(crate) allowed: bool,
}

/// What reading a function comes to.
#[derive(Debug, Clone)]
pub(crate) enum Live {
    Found(Box<Function>),
    Missing,
    Unreadable,
}

impl Live {
    pub(crate) fn state(&self) -> ObservedState {
        match self {
            Self::Found(function) => ObservedState::Found(Arc::new(function.observe())),
            Self::Missing => ObservedState::Missing,
            Self::Unreadable => ObservedState::Unreadable(ReadFailure {
                kind: ReadFailureKind::Other,
                message: "no answer came".to_owned(),
            }),
        }
    }
}

pub(crate) fn now() -> Timestamp {
    "2026-11-24T00:00:00Z".parse().unwrap()
}

/// The hash of an artifact version's own bytes; 0 and 4 are nobody's.
fn hash(number: u8) -> CodeSha256 {
    CodeSha256::from_bytes([number; 32])
}

fn location(number: u8) -> S3Location {
    S3Location {
        bucket: "artifacts".to_owned(),
        key: format!("{number}.zip"),
        object_version: None,
    }
}

fn artifact(choices: &mut Choices<'_>) -> DesiredArtifact {
    let number = 1 + choices.below(3);
    DesiredArtifact {
        version: format!("{number}.0.0").parse().unwrap(),
        // Mostly unpinned or pinned rightly; now and then to bytes that S3 does not have.
        pin: choices.among(&[(3, None), (3, Some(hash(number))), (1, Some(hash(4)))]),
        location: location(number),
    }
}

/// A few aliases, each with what `value` says of it.
fn aliases<T>(choices: &mut Choices<'_>, mut value: impl FnMut(&mut Choices<'_>) -> T) -> BTreeMap<AliasName, T> {
    (0..choices.below(4))
        .map(|_| {
            let alias = choices.among(&[(1, "live"), (1, "beta"), (1, "green")]);
            (alias.parse().unwrap(), value(choices))
        })
        .collect()
}

fn config(choices: &mut Choices<'_>) -> Option<ConfigDigest> {
    choices
        .among(&[(6, Some(1)), (2, Some(2)), (1, None)])
        .map(|one: u8| ConfigDigest([one; 32]))
}

fn desired(choices: &mut Choices<'_>) -> DesiredFunction {
    let later = now() + chrono::TimeDelta::hours(1);
    let suspend = choices.among(&[
        (8, None),
        (1, Some(None)),
        (1, Some(Some(later))),
        (1, Some(Some(now()))),
    ]);
    DesiredFunction {
        file: "prod/f.yaml".to_owned(),
        code: artifact(choices),
        aliases: few(aliases(choices, artifact)),
        mode: choices.among(&[(8, Mode::Reconcile), (1, Mode::Observe)]),
        suspend: suspend.map(|until| Suspension {
            reason: "an incident".to_owned(),
            until,
        }),
    }
}

fn version(choices: &mut Choices<'_>) -> PublishedVersion {
    let number = choices.below(5);
    let label = choices.among(&[(2, None), (1, Some(1)), (1, Some(2)), (1, Some(3))]);
    PublishedVersion {
        sha256: hash(number),
        config: config(choices),
        publication: label.map(|label| Publication {
            version: format!("{label}.0.0").parse().unwrap(),
            sha256: hash(number),
            commit: None,
        }),
        state: choices.among(&[
            (6, VersionState::Active),
            (1, VersionState::Inactive),
            (1, VersionState::Failed),
        ]),
    }
}

pub(crate) fn function(choices: &mut Choices<'_>) -> Function {
    let failed = UpdateStatus::Failed {
        reason: "no address is left".to_owned(),
    };
    let sha256 = hash(choices.below(5));
    let update = choices.among(&[
        (8, UpdateStatus::Successful),
        (1, UpdateStatus::InProgress),
        (1, failed),
    ]);
    let config = config(choices);
    let package = choices.among(&[
        (12, PackageKind::Zip),
        (1, PackageKind::ZipByReference),
        (1, PackageKind::Image),
    ]);
    let versions: BTreeMap<u64, PublishedVersion> = (0..choices.below(5))
        .map(|number| (u64::from(number) + 1, version(choices)))
        .collect();
    let newest = versions.len() as u64;
    let aliases = aliases(choices, |choices| points_at(choices, versions.len()));
    // Whether nothing was updated since the newest version was published, where that can be.
    let could_be = versions
        .get(&newest)
        .is_some_and(|version| version.sha256 == sha256 && version.config == config);
    let fresh = choices.among(&[(1, true), (1, false)]) && update == UpdateStatus::Successful;
    let failed = Allocation::Failed {
        reason: "it does not start".to_owned(),
    };
    let untold = Allocation::Untold {
        why: "it may not be asked".to_owned(),
    };
    let allocation = choices.among(&[
        (3, Allocation::Settled),
        (2, Allocation::InProgress),
        (1, failed),
        (1, untold),
    ]);
    Function {
        sha256,
        update,
        config,
        package,
        aliases,
        allocation,
        versions,
        published: (could_be && fresh).then_some(newest),
        revision: 0,
        moves: BTreeMap::new(),
    }
}

/// What an alias points at, where there are `count` versions; 0 is `$LATEST`, which takes no weights.
fn points_at(choices: &mut Choices<'_>, count: usize) -> (FunctionVersion, Routing) {
    let number = |number: u8| Version::new(u64::from(number));
    let count = u8::try_from(count).unwrap();
    let at = choices.below(count + 1);
    let other = 1 + choices.below(count.max(1));
    let weighted = choices.among(&[(4, false), (1, true)]) && at > 0 && other != at;
    // A canary's, or Lambda's own.
    let weight = choices.among(&[(1, 0.25), (1, 1.0)]);
    let routing = number(other).filter(|_| weighted).map(|other| (other, Weight(weight)));
    let version = number(at).map_or(FunctionVersion::Latest, FunctionVersion::Number);
    (version, routing.into_iter().collect())
}

/// One function of an arbitrary world.
pub(crate) fn case(choices: &mut Choices<'_>) -> Case {
    Case {
        desired: desired(choices),
        live: match choices.among(&[(12, 0), (1, 1), (1, 2)]) {
            0 => Live::Found(Box::new(function(choices))),
            1 => Live::Missing,
            _ => Live::Unreadable,
        },
        held: choices.among(&[(9, false), (1, true)]),
        allowed: choices.among(&[(9, true), (1, false)]),
    }
}

/// What S3 holds: each artifact version as it should be, or not, or with other bytes.
pub(crate) fn store(choices: &mut Choices<'_>) -> Store {
    let failure = |kind| ArtifactFailure {
        kind,
        message: "it cannot be had".to_owned(),
    };
    let found = |number, sha256| VerifiedObject {
        location: location(number),
        sha256,
    };
    (1..=3)
        .map(|number| {
            let resolution = choices.among(&[
                (8, Ok(found(number, hash(number)))),
                (1, Ok(found(number, hash(0)))),
                (1, Err(failure(ArtifactFailureKind::NotFound))),
                (1, Err(failure(ArtifactFailureKind::Unreadable))),
            ]);
            (location(number), resolution)
        })
        .collect()
}

/// What S3 holds where everything is as Git says, and the pins of a function that agree with it.
pub(crate) fn honest(mut desired: DesiredFunction) -> (DesiredFunction, Store) {
    let store: Store = (1..4)
        .map(|number| {
            let object = VerifiedObject {
                location: location(number),
                sha256: hash(number),
            };
            (location(number), Ok(object))
        })
        .collect();
    for artifact in std::iter::once(&mut desired.code).chain(desired.aliases.iter_mut().map(|(_, own)| own)) {
        let stored = store[&artifact.location].as_ref().map(|object| object.sha256);
        artifact.pin = artifact.pin.and(stored.ok());
    }
    (desired, store)
}

/// Asks the store as a pass does, until nothing more needs to be known.
pub(crate) fn resolve(desired: &DesiredFunction, function: &Function, store: &Store, facts: &mut ArtifactFacts) {
    loop {
        let wanted = pinfold::plan::lookups(desired, &function.observe(), facts);
        if wanted.is_empty() {
            return;
        }
        facts.extend(
            wanted
                .into_iter()
                .map(|location| (location.clone(), store[&location].clone())),
        );
    }
}
