//! The planner's decisions: each test takes a settled world, changes one thing, and looks at the whole plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use litemap::LiteMap;

use super::*;
use crate::domain::{
    AliasName, ArtifactFailure, ArtifactFailureKind, CodeSettings, CodeSha256, ConfigDigest, DesiredArtifact,
    DesiredFunction, FunctionVersion, LatestCode, ObservedAlias, ObservedFunction, PackageKind, Publication,
    PublishedVersion, ReadFailure, ReadFailureKind, S3Location, Suspension, UpdateStatus, VerifiedObject, Version,
    VersionState,
};
use crate::domain::{DeployWindow, WindowKind};

mod weights;

/// A world in which one function, `f`, runs 1.0.0 in `$LATEST` and in `live`, all of it published by Pinfold.
struct World {
    desired: DesiredFunction,
    observed: ObservedState,
    facts: ArtifactFacts,
    policy: Policy,
    globs: Vec<&'static str>,
}

fn hash(version: &str) -> CodeSha256 {
    let mut bytes = [0; 32];
    bytes[..version.len()].copy_from_slice(version.as_bytes());
    CodeSha256::from_bytes(bytes)
}

fn location(version: &str) -> S3Location {
    S3Location {
        bucket: "artifacts".into(),
        key: format!("f/{version}.zip"),
        object_version: None,
    }
}

fn artifact(version: &str) -> DesiredArtifact {
    DesiredArtifact {
        version: version.parse().unwrap(),
        pin: None,
        location: location(version),
    }
}

fn pinned(version: &str) -> DesiredArtifact {
    DesiredArtifact {
        pin: Some(hash(version)),
        ..artifact(version)
    }
}

fn alias(name: &str) -> AliasName {
    name.parse().unwrap()
}

fn number(number: u64) -> Version {
    Version::new(number).unwrap()
}

const CONFIG: ConfigDigest = ConfigDigest([1; 32]);

fn published(version: &str) -> PublishedVersion {
    PublishedVersion {
        sha256: hash(version),
        config: Some(CONFIG),
        publication: Some(Publication {
            version: version.parse().unwrap(),
            sha256: hash(version),
            commit: None,
        }),
        state: VersionState::Active,
    }
}

fn at(version: u64) -> ObservedAlias {
    ObservedAlias {
        version: FunctionVersion::Number(number(version)),
        revision: format!("alias-{version}").parse().unwrap(),
        routing: LiteMap::new(),
    }
}

impl World {
    fn settled() -> Self {
        Self {
            desired: DesiredFunction {
                file: "prod/f.yaml".into(),
                code: artifact("1.0.0"),
                aliases: LiteMap::from_iter([(alias("live"), artifact("1.0.0"))]),
                mode: Mode::Reconcile,
                suspend: None,
            },
            observed: ObservedState::Found(Arc::new(ObservedFunction {
                account: None,
                latest: LatestCode {
                    sha256: Some(hash("1.0.0")),
                    revision: "latest-1".parse().unwrap(),
                    update: UpdateStatus::Successful,
                    package: PackageKind::Zip,
                    settings: CodeSettings {
                        architecture: Some("arm64".into()),
                        kms_key: Some("arn:aws:kms:us-east-1:1:key/k".into()),
                    },
                    config: Some(CONFIG),
                },
                aliases: LiteMap::from_iter([(alias("live"), at(1))]),
                weights_read: true,
                versions: LiteMap::from_iter([(number(1), published("1.0.0"))]),
                allocations: BTreeMap::new(),
            })),
            facts: BTreeMap::new(),
            policy: Policy {
                mode: Mode::Reconcile,
                now: "2026-11-24T00:00:00Z".parse().unwrap(),
                change_limit: ChangeLimit::default(),
                acknowledged: None,
                windows: DeployWindows::default(),
                held: BTreeMap::new(),
            },
            globs: vec!["*"],
        }
        .stored("1.0.0")
    }

    fn stored(mut self, version: &str) -> Self {
        let object = VerifiedObject {
            location: location(version),
            sha256: hash(version),
        };
        self.facts.insert(location(version), Ok(object));
        self
    }

    fn absent(mut self, version: &str) -> Self {
        let failure = ArtifactFailure {
            kind: ArtifactFailureKind::NotFound,
            message: "no such key".into(),
        };
        self.facts.insert(location(version), Err(failure));
        self
    }

    fn desire(mut self, change: impl FnOnce(&mut DesiredFunction)) -> Self {
        change(&mut self.desired);
        self
    }

    fn live(mut self, change: impl FnOnce(&mut ObservedFunction)) -> Self {
        if let ObservedState::Found(found) = &mut self.observed {
            change(Arc::make_mut(found));
        }
        self
    }

    fn key() -> FunctionKey {
        FunctionKey {
            target: "prod".parse().unwrap(),
            name: "f".parse().unwrap(),
        }
    }

    fn plan(&self) -> FunctionPlan {
        let target = Target {
            name: "prod".parse().unwrap(),
            path: "prod".into(),
            region: None,
            account: None,
            functions: self.globs.iter().map(|glob| glob.parse().unwrap()).collect(),
        };
        let desired = DesiredState {
            functions: [(Self::key(), self.desired.clone())].into(),
            ..DesiredState::default()
        };
        let observations = [(Self::key(), self.observed.clone())].into();
        let mut plan = plan(
            &desired,
            &[(target.name.clone(), target)].into(),
            &observations,
            &[(Self::key().target, self.facts.clone())].into(),
            &self.policy,
        );
        plan.functions.remove(&Self::key()).unwrap()
    }

    fn lookups(&self) -> Vec<String> {
        let ObservedState::Found(found) = &self.observed else {
            return Vec::new();
        };
        lookups(&self.desired, found, &self.facts)
            .into_iter()
            .map(|location| location.key)
            .collect()
    }
}

/// Puts a plan into one line a thing: state, drift kinds, steps, withheld.
fn summary(plan: &FunctionPlan) -> Vec<String> {
    let mut lines = vec![plan.state.as_str().to_owned()];
    for step in &plan.steps {
        let to = |to: &VersionRef| to.known().map_or("published".to_owned(), |version| version.to_string());
        lines.push(match step {
            Step::UpdateCode { version, expect, .. } => match expect {
                LatestGuard::Revision(_) => format!("UpdateCode {version} {expect:?}"),
                LatestGuard::Own { .. } => format!("UpdateCode {version} Own"),
            },
            Step::AwaitUpdated { .. } => "AwaitUpdated".to_owned(),
            Step::PublishVersion { publication, .. } => format!("PublishVersion {}", publication.version),
            Step::CreateAlias { alias, to: version } => format!("CreateAlias {alias} {}", to(version)),
            Step::MoveAlias {
                alias,
                from,
                to: version,
                expect,
            } => {
                format!("MoveAlias {alias} {from} {} {expect}", to(version))
            }
        });
    }
    for withheld in &plan.withheld {
        lines.push(format!(
            "{} {}",
            withheld.subject.label().unwrap_or("-"),
            withheld.reason
        ));
        assert!(!withheld.message.is_empty());
    }
    lines
}

fn bump(world: World, version: &str) -> World {
    world.desire(|desired| {
        desired.code = artifact(version);
        desired.aliases.insert(alias("live"), artifact(version));
    })
}

#[test]
fn a_settled_world_plans_nothing() {
    let plan = World::settled().plan();
    assert_eq!(summary(&plan), ["InSync"]);
    assert_eq!(plan.drift, []);
}

#[test]
fn a_bump_updates_publishes_and_moves() {
    let plan = bump(World::settled().stored("1.1.0"), "1.1.0").plan();
    assert_eq!(
        summary(&plan),
        [
            "Drifted",
            "UpdateCode 1.1.0 Revision(\"latest-1\")",
            "AwaitUpdated",
            "PublishVersion 1.1.0",
            "MoveAlias live 1 published alias-1",
        ]
    );
    let Step::UpdateCode { settings, .. } = &plan.steps[0] else {
        panic!("{:?}", plan.steps)
    };
    assert_eq!(settings.architecture.as_deref(), Some("arm64"));
    assert!(settings.kms_key.is_some());
}

#[test]
fn a_revert_moves_the_alias_first_and_then_puts_latest_back() {
    let world = World::settled().stored("1.0.0").live(|live| {
        live.latest.sha256 = Some(hash("1.1.0"));
        live.versions.insert(number(2), published("1.1.0"));
        live.aliases.insert(alias("live"), at(2));
    });
    assert_eq!(
        summary(&world.plan()),
        [
            "Drifted",
            "MoveAlias live 2 1 alias-2",
            "UpdateCode 1.0.0 Revision(\"latest-1\")",
            "AwaitUpdated"
        ]
    );
}

#[test]
fn a_revert_to_a_version_with_older_configuration_publishes_anew() {
    let world = World::settled().live(|live| {
        live.latest.sha256 = Some(hash("1.1.0"));
        live.latest.config = Some(ConfigDigest([2; 32]));
        live.versions.insert(
            number(2),
            PublishedVersion {
                config: live.latest.config,
                ..published("1.1.0")
            },
        );
        live.aliases.insert(alias("live"), at(2));
    });
    assert_eq!(
        summary(&world.plan())[1..],
        [
            "UpdateCode 1.0.0 Revision(\"latest-1\")",
            "AwaitUpdated",
            "PublishVersion 1.0.0",
            "MoveAlias live 2 published alias-2"
        ]
    );
}

#[test]
fn configuration_that_could_not_be_read_whole_is_never_reused() {
    let world = World::settled().live(|live| {
        live.latest.sha256 = Some(hash("1.1.0"));
        live.latest.config = None;
        live.versions.insert(
            number(1),
            PublishedVersion {
                config: None,
                ..published("1.0.0")
            },
        );
        live.versions.insert(
            number(2),
            PublishedVersion {
                config: None,
                ..published("1.1.0")
            },
        );
        live.aliases.insert(alias("live"), at(2));
    });
    assert_eq!(summary(&world.plan())[3], "PublishVersion 1.0.0");
}

#[test]
fn a_version_that_cannot_serve_is_not_reused() {
    let world = World::settled().live(|live| {
        live.versions.insert(
            number(1),
            PublishedVersion {
                state: VersionState::Failed,
                ..published("1.0.0")
            },
        );
        live.versions.insert(number(2), published("1.1.0"));
        live.aliases.insert(alias("live"), at(2));
    });
    assert_eq!(
        summary(&world.plan())[1..],
        ["PublishVersion 1.0.0", "MoveAlias live 2 published alias-2"]
    );
}

#[test]
fn after_a_crash_between_update_and_publish_the_rest_is_done() {
    let world = bump(World::settled().stored("1.1.0"), "1.1.0").live(|live| live.latest.sha256 = Some(hash("1.1.0")));
    assert_eq!(
        summary(&world.plan()),
        ["Drifted", "PublishVersion 1.1.0", "MoveAlias live 1 published alias-1"]
    );
}

#[test]
fn a_hand_edited_latest_is_put_back_and_nothing_published() {
    let world = World::settled().live(|live| live.latest.sha256 = Some(hash("edited")));
    assert_eq!(
        summary(&world.plan()),
        ["Drifted", "UpdateCode 1.0.0 Revision(\"latest-1\")", "AwaitUpdated"]
    );
}

#[test]
fn an_alias_moved_by_hand_goes_back() {
    let world = World::settled().live(|live| {
        live.versions.insert(number(2), published("1.1.0"));
        live.aliases.insert(alias("live"), at(2));
    });
    assert_eq!(summary(&world.plan()), ["Drifted", "MoveAlias live 2 1 alias-2"]);
}

#[test]
fn an_alias_at_latest_drifts_whatever_the_hash() {
    let world = World::settled().live(|live| {
        live.aliases.get_mut(&alias("live")).unwrap().version = FunctionVersion::Latest;
    });
    assert_eq!(summary(&world.plan()), ["Drifted", "MoveAlias live $LATEST 1 alias-1"]);
}

#[test]
fn what_would_only_be_published_as_an_inactive_version_is_uploaded_again() {
    let idle = |config: Option<ConfigDigest>| {
        World::settled().stored("1.0.0").live(move |live| {
            live.aliases.clear();
            live.versions.get_mut(&number(1)).unwrap().state = VersionState::Inactive;
            live.versions.get_mut(&number(1)).unwrap().config = config;
        })
    };
    let anew = [
        "Drifted",
        "UpdateCode 1.0.0 Revision(\"latest-1\")",
        "AwaitUpdated",
        "PublishVersion 1.0.0",
        "CreateAlias live published",
    ];
    assert_eq!(summary(&idle(Some(CONFIG)).plan()), anew);
    assert_eq!(summary(&idle(None).plan()), anew, "it may be the one");
    let other = idle(Some(ConfigDigest([9; 32])));
    assert_eq!(
        summary(&other.plan()),
        ["Drifted", "PublishVersion 1.0.0", "CreateAlias live published"],
        "something was updated since"
    );
    // An alias that runs it already wakes it with the first call, as ever.
    let at_it = World::settled().live(|live| {
        live.versions.get_mut(&number(1)).unwrap().state = VersionState::Inactive;
    });
    assert_eq!(summary(&at_it.plan()), ["InSync"]);
}

#[test]
fn a_missing_alias_is_created_on_the_version_that_exists() {
    let world = World::settled().live(|live| live.aliases.clear());
    assert_eq!(summary(&world.plan()), ["Drifted", "CreateAlias live 1"]);
}

#[test]
fn another_alias_on_a_candidate_passes_through_latest_and_it_is_put_back() {
    let world = World::settled()
        .stored("2.0.0-rc.1")
        .desire(|desired| drop(desired.aliases.insert(alias("beta"), artifact("2.0.0-rc.1"))));
    assert_eq!(
        summary(&world.plan()),
        [
            "Drifted",
            "UpdateCode 2.0.0-rc.1 Revision(\"latest-1\")",
            "AwaitUpdated",
            "PublishVersion 2.0.0-rc.1",
            "CreateAlias beta published",
            "UpdateCode 1.0.0 Own",
            "AwaitUpdated",
        ]
    );
}

#[test]
fn with_two_new_codes_the_functions_own_comes_last() {
    let world = bump(World::settled().stored("1.1.0").stored("2.0.0-rc.1"), "1.1.0")
        .desire(|desired| drop(desired.aliases.insert(alias("beta"), artifact("2.0.0-rc.1"))));
    let steps = summary(&world.plan());
    assert_eq!(steps[3], "PublishVersion 2.0.0-rc.1");
    assert_eq!(steps[7], "PublishVersion 1.1.0");
    assert_eq!(steps.len(), 9);
}

#[test]
fn aliases_of_one_hash_share_one_publication() {
    let world = bump(World::settled().stored("1.1.0"), "1.1.0")
        .desire(|desired| drop(desired.aliases.insert(alias("canary"), artifact("1.1.0"))));
    let steps = summary(&world.plan());
    assert_eq!(
        steps.iter().filter(|step| step.starts_with("PublishVersion")).count(),
        1
    );
    assert!(steps.contains(&"CreateAlias canary published".to_owned()));
}

#[test]
fn no_other_code_is_published_where_the_functions_own_could_not_follow() {
    let world = World::settled().absent("1.0.0").stored("2.0.0-rc.1").desire(|desired| {
        desired.code = pinned("1.0.0");
        desired.aliases = LiteMap::from_iter([(alias("beta"), artifact("2.0.0-rc.1"))]);
    });
    assert_eq!(summary(&world.plan()), ["Withheld", "beta ArtifactNotFound"]);
}

#[test]
fn what_is_withheld_for_one_alias_does_not_keep_another() {
    let world = World::settled()
        .absent("2.0.0")
        .live(|live| live.aliases.clear())
        .desire(|desired| {
            desired.aliases.insert(alias("beta"), artifact("2.0.0"));
        });
    assert_eq!(
        summary(&world.plan()),
        ["Drifted", "CreateAlias live 1", "beta ArtifactNotFound"]
    );
}

#[test]
fn a_missing_artifact_withholds_latest_and_alias() {
    let plan = bump(World::settled().absent("1.1.0"), "1.1.0").plan();
    assert_eq!(
        summary(&plan),
        ["Withheld", "live ArtifactNotFound", "$LATEST ArtifactNotFound"]
    );
    assert_eq!(plan.drift, []);
}

#[test]
fn a_pin_that_does_not_match_is_withheld_even_where_live_has_it() {
    let mut world = World::settled()
        .desire(|desired| {
            let wrong = DesiredArtifact {
                pin: Some(hash("1.0.0")),
                ..artifact("1.1.0")
            };
            desired.code = wrong.clone();
            desired.aliases.insert(alias("live"), wrong);
        })
        .stored("1.1.0");
    assert_eq!(
        summary(&world.plan()),
        ["Withheld", "live ArtifactMismatch", "$LATEST ArtifactMismatch"]
    );
    // The hash alone, without the object, is not believed either.
    world.facts.clear();
    assert_eq!(world.lookups(), ["f/1.1.0.zip"]);
}

#[test]
fn bytes_that_changed_under_a_published_version_are_withheld_unless_git_pins_them() {
    let changed = |world: World| {
        let mut world = world;
        world.facts.insert(
            location("1.0.0"),
            Ok(VerifiedObject {
                location: location("1.0.0"),
                sha256: hash("new"),
            }),
        );
        world
    };
    assert_eq!(
        summary(&changed(World::settled()).plan()),
        ["Withheld", "live ArtifactChanged", "$LATEST ArtifactChanged"]
    );
    let pin = |desired: &mut DesiredFunction| {
        let new = DesiredArtifact {
            pin: Some(hash("new")),
            ..artifact("1.0.0")
        };
        desired.code = new.clone();
        desired.aliases.insert(alias("live"), new);
    };
    assert_eq!(
        summary(&changed(World::settled().desire(pin)).plan())[3],
        "PublishVersion 1.0.0"
    );
}

#[test]
fn a_pin_in_one_place_says_that_the_new_bytes_are_meant_in_every_place() {
    let mut world = World::settled().desire(|desired| {
        desired.code.pin = Some(hash("new"));
    });
    let new = VerifiedObject {
        location: location("1.0.0"),
        sha256: hash("new"),
    };
    world.facts.insert(location("1.0.0"), Ok(new));
    let plan = world.plan();
    assert_eq!(plan.withheld, []);
    assert_eq!(summary(&plan).last().unwrap(), "MoveAlias live 1 published alias-1");
}

#[test]
fn versions_that_others_published_never_say_that_an_artifact_changed() {
    let mut world = World::settled().live(|live| live.versions.get_mut(&number(1)).unwrap().publication = None);
    world.facts.insert(
        location("1.0.0"),
        Ok(VerifiedObject {
            location: location("1.0.0"),
            sha256: hash("new"),
        }),
    );
    assert_eq!(summary(&world.plan())[0], "Drifted");
}

#[test]
fn s3_is_not_asked_where_pinfolds_own_publication_vouches() {
    let mut world = World::settled().desire(|desired| {
        desired.code = pinned("1.0.0");
        desired.aliases.insert(alias("live"), pinned("1.0.0"));
    });
    world.facts.clear();
    assert_eq!(world.lookups(), [""; 0]);
    assert_eq!(summary(&world.plan()), ["InSync"]);
    let mut edited = world.live(|live| live.latest.sha256 = Some(hash("edited")));
    assert_eq!(edited.lookups(), ["f/1.0.0.zip"], "an upload needs its object");
    edited = edited.absent("1.0.0").live(|live| live.aliases.clear());
    assert_eq!(
        summary(&edited.plan()),
        ["Drifted", "CreateAlias live 1", "$LATEST ArtifactNotFound"]
    );
}

#[test]
fn the_functions_own_object_is_seen_before_another_alias_displaces_it() {
    let mut world = World::settled().desire(|desired| {
        desired.code = pinned("1.0.0");
        desired.aliases = LiteMap::from_iter([(alias("beta"), artifact("2.0.0"))]);
    });
    world.facts.clear();
    assert_eq!(world.lookups(), ["f/2.0.0.zip"]);
    let world = world.stored("2.0.0");
    assert_eq!(world.lookups(), ["f/1.0.0.zip"]);
    assert_eq!(world.stored("1.0.0").lookups(), [""; 0]);
}

#[test]
fn an_update_in_progress_is_left_alone() {
    let world =
        bump(World::settled().stored("1.1.0"), "1.1.0").live(|live| live.latest.update = UpdateStatus::InProgress);
    assert_eq!(summary(&world.plan()), ["Progressing", "- UpdateInProgress"]);
}

#[test]
fn an_update_that_failed_is_sent_again_before_anything_is_published() {
    let world = bump(World::settled().stored("1.1.0"), "1.1.0").live(|live| {
        live.latest.sha256 = Some(hash("1.1.0"));
        live.latest.update = UpdateStatus::Failed {
            reason: "InternalError".into(),
        };
    });
    assert_eq!(
        summary(&world.plan()),
        [
            "Drifted",
            "UpdateCode 1.1.0 Revision(\"latest-1\")",
            "AwaitUpdated",
            "PublishVersion 1.1.0",
            "MoveAlias live 1 published alias-1"
        ]
    );
}

#[test]
fn a_function_on_hold_says_why() {
    let mut world = World::settled().live(|live| live.aliases.clear());
    let hold = Hold {
        reason: Reason::LastUpdateFailed,
        message: "next try at 00:01".into(),
        until: "2026-11-24T00:01:00Z".parse().unwrap(),
    };
    world.policy.held.insert(World::key(), hold);
    assert_eq!(summary(&world.plan()), ["Withheld", "- LastUpdateFailed"]);
}

#[test]
fn outside_of_the_deploy_windows_drift_is_told_and_not_corrected() {
    let window = |kind, hour: u32| DeployWindow {
        kind,
        cron: format!("0 {hour} * * *").parse().unwrap(),
        duration: chrono::TimeDelta::hours(2),
        timezone: "UTC".parse().unwrap(),
        targets: Vec::new(),
        functions: Vec::new(),
    };
    let at = |world: World, windows: Vec<DeployWindow>| {
        let mut world = world;
        world.policy.windows = DeployWindows::new(windows);
        world.plan()
    };
    let drifted = || World::settled().live(|live| live.aliases.clear());
    let closed = at(drifted(), vec![window(WindowKind::Deny, 23)]);
    assert_eq!(summary(&closed), ["Withheld", "- OutsideWindow"]);
    assert_eq!(closed.drift.len(), 1, "drift is told");
    assert_eq!(closed.withheld[0].until, "2026-11-24T01:00:00Z".parse().ok());
    assert_eq!(
        closed.withheld[0].message,
        "the deploy window deny \"0 23 * * *\" (UTC) holds: it is done after 2026-11-24T01:00:00Z"
    );
    let none_allows = at(drifted(), vec![window(WindowKind::Allow, 1)]);
    assert_eq!(
        none_allows.withheld[0].message,
        "no deploy window allows a change now: it is done after 2026-11-24T01:00:00Z"
    );
    assert_eq!(
        summary(&at(drifted(), vec![window(WindowKind::Allow, 23)]))[0],
        "Drifted"
    );
    let settled = at(World::settled(), vec![window(WindowKind::Deny, 23)]);
    assert_eq!(
        summary(&settled),
        ["InSync"],
        "where nothing drifts nothing is withheld"
    );
}

#[test]
fn a_suspended_function_is_told_and_not_touched_until_it_ends() {
    let until = "2026-12-01T00:00:00Z".parse().unwrap();
    let mut world = World::settled().live(|live| live.aliases.clear()).desire(|desired| {
        desired.suspend = Some(Suspension {
            reason: "incident".into(),
            until: Some(until),
        });
    });
    let plan = world.plan();
    assert_eq!(summary(&plan), ["Suspended", "- Suspended"]);
    assert_eq!(plan.drift.len(), 1);
    world.policy.now = until;
    assert_eq!(summary(&world.plan()), ["Drifted", "CreateAlias live 1"]);
}

#[test]
fn observe_reports_and_does_nothing_whoever_says_it() {
    for (configured, written) in [(Mode::Observe, Mode::Reconcile), (Mode::Reconcile, Mode::Observe)] {
        let mut world = World::settled()
            .live(|live| live.aliases.clear())
            .desire(|desired| desired.mode = written);
        world.policy.mode = configured;
        assert_eq!(summary(&world.plan()), ["Drifted", "- ObserveOnly"]);
        let mut settled = World::settled().desire(|desired| desired.mode = written);
        settled.policy.mode = configured;
        assert_eq!(summary(&settled.plan()), ["InSync"]);
    }
}

#[test]
fn a_name_that_no_glob_matches_is_not_touched() {
    let mut world = World::settled().live(|live| live.aliases.clear());
    world.globs = vec!["checkout-*"];
    assert_eq!(summary(&world.plan()), ["Withheld", "- NotAllowed"]);
}

#[test]
fn a_missing_function_is_drift_and_withheld() {
    let mut world = World::settled();
    world.observed = ObservedState::Missing;
    let plan = world.plan();
    assert_eq!(summary(&plan), ["Withheld", "- FunctionMissing"]);
    assert!(matches!(plan.drift[..], [Drift::Missing { .. }]));
}

#[test]
fn unreadable_is_neither_drift_nor_absence() {
    let mut world = World::settled();
    for (kind, reason) in [
        (ReadFailureKind::AccessDenied, "AccessDenied"),
        (ReadFailureKind::Other, "Unreadable"),
    ] {
        world.observed = ObservedState::Unreadable(ReadFailure {
            kind,
            message: "GetFunction f: no".into(),
        });
        let plan = world.plan();
        assert_eq!(summary(&plan), ["Unreadable".to_owned(), format!("- {reason}")]);
        assert_eq!(plan.drift, []);
    }
}

#[test]
fn newer_configuration_alone_is_told_and_in_sync() {
    let world = World::settled().live(|live| live.latest.config = Some(ConfigDigest([2; 32])));
    let plan = world.plan();
    assert_eq!(summary(&plan), ["InSync"]);
    assert!(matches!(plan.drift[..], [Drift::Configuration { .. }]));
}

#[test]
fn images_and_code_kept_by_reference_are_left_alone() {
    for package in [PackageKind::Image, PackageKind::ZipByReference] {
        let mut world = World::settled().live(|live| live.latest.package = package);
        // Nobody asks S3 for its artifacts, so that these are not known cannot be a reason of its own.
        // Nobody asks S3 about them.
        assert_eq!(world.lookups(), [""; 0]);
        world.facts.clear();
        assert_eq!(summary(&world.plan()), ["Withheld", "- UnsupportedPackage"]);
    }
}

#[test]
fn a_pass_that_would_change_too_much_waits_to_be_acknowledged() {
    let world = World::settled().live(|live| live.aliases.clear());
    let keys: Vec<FunctionKey> = (0..12)
        .map(|index| FunctionKey {
            target: "prod".parse().unwrap(),
            name: format!("f{index}").parse().unwrap(),
        })
        .collect();
    let revision = "a".repeat(40).parse().unwrap();
    let desired = DesiredState {
        revision: Some(revision),
        functions: keys.iter().map(|key| (key.clone(), world.desired.clone())).collect(),
        ..DesiredState::default()
    };
    let target = Target {
        name: "prod".parse().unwrap(),
        path: String::new(),
        region: None,
        account: None,
        functions: vec!["*".parse().unwrap()],
    };
    let targets = [(target.name.clone(), target)].into();
    let observations = keys.iter().map(|key| (key.clone(), world.observed.clone())).collect();
    let facts = [(World::key().target, world.facts.clone())].into();
    let mut policy = world.policy.clone();
    let stopped = plan(&desired, &targets, &observations, &facts, &policy);
    for function in stopped.functions.values() {
        assert_eq!(summary(function), ["Withheld", "- TooManyChanges"]);
    }
    policy.acknowledged = desired.revision.clone();
    let allowed = plan(&desired, &targets, &observations, &facts, &policy);
    assert!(
        allowed
            .functions
            .values()
            .all(|function| function.state == State::Drifted)
    );
}

#[test]
fn a_function_that_two_targets_reach_is_claimed_twice_and_left_alone() {
    let world = World::settled().live(|live| live.aliases.clear());
    let target = |name: &str| Target {
        name: name.parse().unwrap(),
        path: name.into(),
        region: Some("us-east-1".parse().unwrap()),
        account: None,
        functions: vec!["*".parse().unwrap()],
    };
    let key = |target: &str| FunctionKey {
        target: target.parse().unwrap(),
        name: "f".parse().unwrap(),
    };
    let desired = DesiredState {
        functions: [key("blue"), key("green")]
            .map(|key| (key, world.desired.clone()))
            .into(),
        ..DesiredState::default()
    };
    let targets = ["blue", "green"]
        .map(|name| (name.parse().unwrap(), target(name)))
        .into();
    let facts = ["blue", "green"]
        .map(|name| (name.parse().unwrap(), world.facts.clone()))
        .into();
    let other = world.observed.clone();
    let same = [key("blue"), key("green")]
        .map(|key| (key, world.observed.clone()))
        .into();
    for function in plan(&desired, &targets, &same, &facts, &world.policy)
        .functions
        .values()
    {
        assert_eq!(summary(function), ["Withheld", "- Conflict"]);
    }
    // Two accounts have a function of that name each.
    let mut two: Observations = [(key("blue"), other.clone()), (key("green"), other)].into();
    if let Some(ObservedState::Found(found)) = two.get_mut(&key("green")) {
        Arc::make_mut(found).latest.revision = "latest-of-green".parse().unwrap();
    }
    for function in plan(&desired, &targets, &two, &facts, &world.policy).functions.values() {
        assert_eq!(summary(function), ["Drifted", "CreateAlias live 1"]);
    }
}
