//! Arbitrary worlds for the planner, over alphabets so small that everything collides: three artifact versions, four
//! hashes, three aliases, two configurations.

use std::collections::BTreeMap;
use std::sync::Arc;

use pinfold::domain::{
    AliasName, ArtifactFailure, ArtifactFailureKind, CodeSha256, ConfigDigest, DesiredArtifact, DesiredFunction,
    FunctionVersion, Mode, ObservedState, PackageKind, Publication, PublishedVersion, ReadFailure, ReadFailureKind,
    Resolution, Routing, S3Location, Suspension, Timestamp, UpdateStatus, VerifiedObject, Version, Weight,
};
use pinfold::plan::ArtifactFacts;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::model::Function;

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
    Found(Function),
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

fn artifact() -> impl Strategy<Value = DesiredArtifact> {
    // Mostly unpinned or pinned rightly; now and then to bytes that S3 does not have.
    (1..4_u8, prop_oneof![3 => Just(0), 3 => Just(1), 1 => Just(2)]).prop_map(|(number, pin)| DesiredArtifact {
        version: format!("{number}.0.0").parse().unwrap(),
        pin: match pin {
            0 => None,
            1 => Some(hash(number)),
            _ => Some(hash(4)),
        },
        location: location(number),
    })
}

fn alias() -> impl Strategy<Value = AliasName> {
    prop::sample::select(vec!["live", "beta", "green"]).prop_map(|name| name.parse().unwrap())
}

fn config() -> impl Strategy<Value = Option<ConfigDigest>> {
    prop_oneof![6 => Just(Some(1)), 2 => Just(Some(2)), 1 => Just(None)]
        .prop_map(|one: Option<u8>| one.map(|one| ConfigDigest([one; 32])))
}

fn desired() -> impl Strategy<Value = DesiredFunction> {
    let suspend = prop_oneof![
        8 => Just(None),
        1 => Just(Some(None)),
        1 => Just(Some(Some(now() + chrono::TimeDelta::hours(1)))),
        1 => Just(Some(Some(now()))),
    ];
    let mode = prop_oneof![8 => Just(Mode::Reconcile), 1 => Just(Mode::Observe)];
    (artifact(), btree_map(alias(), artifact(), 0..4), mode, suspend).prop_map(|(code, aliases, mode, suspend)| {
        DesiredFunction {
            file: "prod/f.yaml".to_owned(),
            code,
            aliases,
            mode,
            suspend: suspend.map(|until| Suspension {
                reason: "an incident".to_owned(),
                until,
            }),
        }
    })
}

fn version() -> impl Strategy<Value = PublishedVersion> {
    let label = option::of(1..4_u8);
    let usable = prop_oneof![6 => Just(true), 1 => Just(false)];
    (0..5_u8, config(), label, usable).prop_map(|(number, config, label, usable)| PublishedVersion {
        sha256: hash(number),
        config,
        publication: label.map(|label| Publication {
            version: format!("{label}.0.0").parse().unwrap(),
            sha256: hash(number),
            commit: None,
        }),
        usable,
    })
}

pub(crate) fn function() -> impl Strategy<Value = Function> {
    let update = prop_oneof![
        8 => Just(UpdateStatus::Successful),
        1 => Just(UpdateStatus::InProgress),
        1 => Just(UpdateStatus::Failed { reason: "no address is left".to_owned() }),
    ];
    let package = prop_oneof![
        12 => Just(PackageKind::Zip),
        1 => Just(PackageKind::ZipByReference),
        1 => Just(PackageKind::Image),
    ];
    let weight = option::weighted(0.2, (any::<prop::sample::Index>(), Just(0.25)));
    let aliases = btree_map(alias(), (any::<prop::sample::Index>(), weight), 0..4);
    let latest = (0..5_u8, update, config(), package, any::<bool>());
    (latest, vec(version(), 0..5), aliases).prop_map(|((number, update, config, package, fresh), versions, aliases)| {
        let versions: BTreeMap<u64, PublishedVersion> = (1..).zip(versions).collect();
        let count = versions.len();
        let aliases = aliases.into_iter().map(|(name, (at, weight))| {
            // 0 is $LATEST, which takes no weights.
            let at = at.index(count + 1);
            let version = Version::new(at as u64).map_or(FunctionVersion::Latest, FunctionVersion::Number);
            let weight = weight.filter(|_| at > 0);
            let routing: Routing = weight
                .map(|(other, weight)| (1 + other.index(count), weight))
                .filter(|(other, _)| *other != at)
                .map(|(other, weight)| (Version::new(other as u64).unwrap(), Weight(weight)))
                .into_iter()
                .collect();
            (name, (version, routing))
        });
        let (sha256, newest) = (hash(number), versions.len() as u64);
        // Whether nothing was updated since the newest version was published, where that can be.
        let could_be = versions
            .get(&newest)
            .is_some_and(|version| version.sha256 == sha256 && version.config == config);
        let published = (could_be && fresh && update == UpdateStatus::Successful).then_some(newest);
        Function {
            sha256,
            update,
            config,
            package,
            aliases: aliases.collect(),
            versions,
            published,
            revision: 0,
            moves: BTreeMap::new(),
        }
    })
}

/// One function of an arbitrary world.
pub(crate) fn case() -> impl Strategy<Value = Case> {
    let live = prop_oneof![
        12 => function().prop_map(Live::Found),
        1 => Just(Live::Missing),
        1 => Just(Live::Unreadable),
    ];
    let seldom = || prop_oneof![9 => Just(false), 1 => Just(true)];
    (desired(), live, seldom(), seldom()).prop_map(|(desired, live, held, foreign)| Case {
        desired,
        live,
        held,
        allowed: !foreign,
    })
}

/// What S3 holds: each artifact version as it should be, or not, or with other bytes.
pub(crate) fn store() -> impl Strategy<Value = Store> {
    vec(prop_oneof![8 => Just(0), 1 => Just(1), 1 => Just(2), 1 => Just(3)], 3).prop_map(|kinds| {
        let failure = |kind| ArtifactFailure {
            kind,
            message: "it cannot be had".to_owned(),
        };
        let found = |number, sha256| VerifiedObject {
            location: location(number),
            sha256,
        };
        let resolution = |number, kind| match kind {
            0 => Ok(found(number, hash(number))),
            1 => Ok(found(number, hash(0))),
            2 => Err(failure(ArtifactFailureKind::NotFound)),
            _ => Err(failure(ArtifactFailureKind::Unreadable)),
        };
        (1..)
            .zip(kinds)
            .map(|(number, kind)| (location(number), resolution(number, kind)))
            .collect()
    })
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
    for artifact in std::iter::once(&mut desired.code).chain(desired.aliases.values_mut()) {
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
