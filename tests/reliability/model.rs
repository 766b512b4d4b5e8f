//! A small model of one Lambda function, pure: what it shows, and what a plan's steps do to it. It refuses what Lambda
//! refuses, so that a plan that leans on something untrue fails here.

use std::collections::BTreeMap;

use pinfold::domain::{
    AliasName, Allocation, CodeSettings, CodeSha256, ConfigDigest, FunctionVersion, LatestCode, ObservedAlias,
    ObservedFunction, PackageKind, Publication, PublishedVersion, RevisionId, Routing, UpdateStatus, Version,
    VersionState,
};
use pinfold::plan::{LatestGuard, Step, VersionRef};

/// A function.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) sha256: CodeSha256,
    pub(crate) update: UpdateStatus,
    pub(crate) config: Option<ConfigDigest>,
    pub(crate) package: PackageKind,
    pub(crate) versions: BTreeMap<u64, PublishedVersion>,
    pub(crate) aliases: BTreeMap<AliasName, (FunctionVersion, Routing)>,
    /// Where the provisioned concurrency of every alias stands.
    pub(crate) allocation: Allocation,
    /// The version that a publication answers with while nothing is updated.
    pub(crate) published: Option<u64>,
    /// Counts the changes; guards are made of it.
    pub(crate) revision: u64,
    /// How often each alias was moved.
    pub(crate) moves: BTreeMap<AliasName, u64>,
}

/// Why a step was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The version can never serve, whatever is planned.
    NeverServes,
    /// The plan expected something that is not so.
    Refused(String),
}

fn revision(number: u64) -> RevisionId {
    format!("revision-{number}").parse().unwrap()
}

impl Function {
    /// What reading it comes to.
    pub(crate) fn observe(&self) -> ObservedFunction {
        let number = |number: u64| Version::new(number).unwrap();
        ObservedFunction {
            account: None,
            latest: LatestCode {
                sha256: Some(self.sha256),
                revision: revision(self.revision),
                update: self.update.clone(),
                package: self.package,
                settings: CodeSettings::default(),
                config: self.config,
            },
            aliases: self
                .aliases
                .iter()
                .map(|(name, (version, routing))| {
                    let observed = ObservedAlias {
                        version: *version,
                        revision: revision(self.moves.get(name).copied().unwrap_or_default()),
                        routing: routing.clone(),
                    };
                    (name.clone(), observed)
                })
                .collect(),
            weights_read: true,
            versions: self
                .versions
                .iter()
                .map(|(n, version)| (number(*n), version.clone()))
                .collect(),
            allocations: self
                .aliases
                .keys()
                .map(|name| (name.clone(), self.allocation.clone()))
                .collect(),
        }
    }

    /// Returns the hash that an alias serves.
    pub(crate) fn serves(&self, alias: &AliasName) -> Option<CodeSha256> {
        match self.aliases.get(alias)?.0 {
            FunctionVersion::Latest => None,
            FunctionVersion::Number(number) => self.versions.get(&number.get()).map(|version| version.sha256),
        }
    }

    /// Takes the steps of a plan in order, up to the first that is refused.
    pub(crate) fn apply(&mut self, steps: &[Step]) -> Result<(), Stop> {
        let mut from_publish = None;
        for step in steps {
            self.take(step, &mut from_publish)?;
        }
        Ok(())
    }

    fn take(&mut self, step: &Step, from_publish: &mut Option<u64>) -> Result<(), Stop> {
        let complete = self.update == UpdateStatus::Successful;
        match step {
            Step::UpdateCode { code, expect, .. } => {
                hold(self.update != UpdateStatus::InProgress, "an update is in progress")?;
                match expect {
                    LatestGuard::Revision(guard) => hold(*guard == revision(self.revision), "the revision is stale")?,
                    LatestGuard::Own { sha256, observed } => {
                        let ours = *sha256 == self.sha256 || *observed == revision(self.revision);
                        hold(complete && ours, "$LATEST is another")?;
                    }
                }
                (self.sha256, self.update, self.published) = (code.sha256, UpdateStatus::Successful, None);
                self.revision += 1;
            }
            Step::AwaitUpdated { expect } => hold(complete && *expect == self.sha256, "the update is another")?,
            Step::PublishVersion { expect, publication } => {
                hold(complete && *expect == self.sha256, "the hash guard does not hold")?;
                let number = self.published.unwrap_or_else(|| self.publish(publication));
                match self.versions[&number].state {
                    VersionState::Active => {}
                    VersionState::Inactive => hold(false, "Lambda answers with a version that is Inactive")?,
                    VersionState::Failed => return Err(Stop::NeverServes),
                }
                *from_publish = Some(number);
            }
            Step::CreateAlias { alias, to } => {
                hold(!self.aliases.contains_key(alias), "the alias exists")?;
                self.point(alias, *to, *from_publish)?;
            }
            Step::MoveAlias {
                alias,
                from,
                to,
                expect,
            } => {
                let found = self.aliases.get(alias).map(|(version, _)| *version);
                hold(found == Some(*from), "the alias runs another version")?;
                let guard = revision(self.moves.get(alias).copied().unwrap_or_default());
                hold(*expect == guard, "the alias's revision is stale")?;
                self.point(alias, *to, *from_publish)?;
            }
        }
        Ok(())
    }

    fn publish(&mut self, publication: &Publication) -> u64 {
        let number = self.versions.keys().last().copied().unwrap_or_default() + 1;
        let version = PublishedVersion {
            sha256: self.sha256,
            config: self.config,
            publication: Some(publication.clone()),
            state: VersionState::Active,
        };
        self.versions.insert(number, version);
        self.published = Some(number);
        self.revision += 1;
        number
    }

    fn point(&mut self, alias: &AliasName, to: VersionRef, from_publish: Option<u64>) -> Result<(), Stop> {
        let number = match to {
            VersionRef::Known { version, sha256 } => {
                let known = self.versions.get(&version.get());
                hold(
                    known.is_some_and(|known| known.sha256 == sha256),
                    "the version is another",
                )?;
                hold(
                    known.is_some_and(PublishedVersion::is_usable),
                    "the version cannot serve",
                )?;
                version.get()
            }
            VersionRef::FromPublish => from_publish.ok_or_else(|| Stop::Refused("nothing was published".to_owned()))?,
        };
        let version = FunctionVersion::Number(Version::new(number).unwrap());
        self.aliases.insert(alias.clone(), (version, Routing::new()));
        *self.moves.entry(alias.clone()).or_default() += 1;
        Ok(())
    }
}

fn hold(holds: bool, otherwise: &str) -> Result<(), Stop> {
    if holds {
        Ok(())
    } else {
        Err(Stop::Refused(otherwise.to_owned()))
    }
}
