//! Puts a function's work in order: aliases that can move at once, then uploads, `version`'s own code last.
//!
//! Knows nothing of modes, suspensions or globs: whether any of this may be done is decided before.

use super::artifact::{Refusal, Verdict};
use super::step::{LatestGuard, Step, VersionRef};
use super::weights;
use super::withheld::{Subject, Withheld};
use crate::domain::{
    AliasName, ArtifactVersion, CodeSha256, CommitId, DesiredArtifact, ObservedAlias, ObservedFunction, Publication,
    UpdateStatus,
};

/// One alias, what it should run, and what is known of that.
pub(super) struct Need<'a> {
    pub(super) alias: &'a AliasName,
    pub(super) artifact: &'a DesiredArtifact,
    pub(super) found: Option<&'a ObservedAlias>,
    pub(super) verdict: &'a Verdict<'a>,
    /// Whether it runs that already, without weights.
    pub(super) satisfied: bool,
}

/// The steps in their order, and what was left out.
#[derive(Default)]
pub(super) struct Ordered {
    pub(super) steps: Vec<Step>,
    pub(super) withheld: Vec<Withheld>,
}

/// Aliases that wait for one hash to be published, in one go.
struct Publish<'a> {
    sha256: CodeSha256,
    version: &'a ArtifactVersion,
    verdict: &'a Verdict<'a>,
    aliases: Vec<&'a Need<'a>>,
}

/// Orders the work of one function.
///
/// 1. Aliases whose hash is published already, with today's configuration, move first: a revert is live after
///    one write, before any upload.
/// 2. What `$LATEST` holds already is published without an upload.
/// 3. Other aliases' code goes through `$LATEST`, one hash after the other.
/// 4. `version`'s own code comes last, so that `$LATEST` ends there.
pub(super) fn order(
    needs: &[Need<'_>],
    observed: &ObservedFunction,
    revision: Option<&CommitId>,
    version: &ArtifactVersion,
    code: &Verdict<'_>,
) -> Ordered {
    let mut work = Work::new(observed, revision);
    let mut publishes: Vec<Publish<'_>> = Vec::new();
    for need in needs {
        let wanted = match need.verdict.movable() {
            Ok(wanted) => wanted,
            Err(refusal) => {
                work.withhold(Subject::Alias(need.alias.clone()), refusal);
                continue;
            }
        };
        if need.satisfied {
            continue;
        }
        let keeps = need
            .found
            .and_then(|found| weights::keep(need.alias, found, wanted, observed));
        if let Some(keeps) = keeps {
            work.withheld.push(keeps);
            continue;
        }
        match published(need, observed, wanted) {
            Some(to) => work.point(need, to),
            None => match publishes.iter_mut().find(|publish| publish.sha256 == wanted) {
                Some(publish) => publish.aliases.push(need),
                None => publishes.push(Publish {
                    sha256: wanted,
                    version: &need.artifact.version,
                    verdict: need.verdict,
                    aliases: vec![need],
                }),
            },
        }
    }
    work.upload(publishes, version, code);
    Ordered {
        steps: work.steps,
        withheld: work.withheld,
    }
}

/// Returns the version that the alias can be pointed at without publishing anything.
///
/// An alias that runs the right hash and only has weights too many keeps the version that it has, unless that one
/// cannot serve.
fn published(need: &Need<'_>, observed: &ObservedFunction, wanted: CodeSha256) -> Option<VersionRef> {
    let keeps = need.found.and_then(|found| observed.kept_version(found, wanted));
    let version = keeps.or_else(|| observed.reusable_version(wanted))?;
    Some(VersionRef::Known {
        version,
        sha256: wanted,
    })
}

struct Work<'a> {
    observed: &'a ObservedFunction,
    revision: Option<&'a CommitId>,
    steps: Vec<Step>,
    withheld: Vec<Withheld>,
    /// What `$LATEST` holds after the steps so far; `None` where it has to be uploaded whatever that is, as after an update
    /// that failed.
    holds: Option<CodeSha256>,
    /// Whether a step so far rotates `$LATEST`'s RevisionId. Moving an alias does not.
    rotated: bool,
}

impl<'a> Work<'a> {
    fn new(observed: &'a ObservedFunction, revision: Option<&'a CommitId>) -> Self {
        let holds = match observed.latest.update {
            UpdateStatus::Successful => observed.latest.sha256,
            UpdateStatus::InProgress | UpdateStatus::Failed { .. } => None,
        };
        Self {
            observed,
            revision,
            steps: Vec::new(),
            withheld: Vec::new(),
            holds,
            rotated: false,
        }
    }

    fn withhold(&mut self, subject: Subject, refusal: Refusal) {
        self.withheld
            .push(Withheld::new(subject, refusal.reason, refusal.message));
    }

    fn point(&mut self, need: &Need<'_>, to: VersionRef) {
        let alias = need.alias.clone();
        self.steps.push(match need.found {
            Some(found) => Step::MoveAlias {
                alias,
                from: found.version,
                to,
                expect: found.revision.clone(),
            },
            None => Step::CreateAlias { alias, to },
        });
    }

    /// Publishes what waits for it, and leaves `$LATEST` at `version`'s code.
    fn upload(&mut self, mut publishes: Vec<Publish<'_>>, version: &ArtifactVersion, code: &Verdict<'_>) {
        let own = code.movable();
        let is_own = |publish: &Publish<'_>| own.as_ref() == Ok(&publish.sha256);
        // What `$LATEST` holds goes first, as it costs no upload; `version`'s own last, so that it ends there.
        let holds = self.holds;
        publishes.sort_by_key(|publish| (holds != Some(publish.sha256), is_own(publish)));
        for publish in &publishes {
            if !self.rotated && self.observed.republishes_inactive() {
                // Only an update, be it with the same code, brings another version.
                self.holds = None;
            }
            let ready = if is_own(publish) { Ok(()) } else { can_be_put_back(code) };
            match ready.and_then(|()| self.bring(publish.sha256, publish.version, publish.verdict)) {
                Ok(()) => self.publish(publish),
                Err(refusal) => {
                    for need in &publish.aliases {
                        self.withhold(Subject::Alias(need.alias.clone()), refusal.clone());
                    }
                }
            }
        }
        if let Err(refusal) = own.clone().and_then(|own| self.bring(own, version, code)) {
            self.withhold(Subject::Latest, refusal);
        }
    }

    /// Adds the steps that give `$LATEST` this code, unless it holds it already.
    fn bring(&mut self, sha256: CodeSha256, version: &ArtifactVersion, verdict: &Verdict<'_>) -> Result<(), Refusal> {
        if self.holds == Some(sha256) {
            return Ok(());
        }
        let code = verdict.object()?.clone();
        let expect = match self.holds.filter(|_| self.rotated) {
            Some(sha256) => LatestGuard::Own {
                sha256,
                observed: self.observed.latest.revision.clone(),
            },
            None => LatestGuard::Revision(self.observed.latest.revision.clone()),
        };
        self.steps.push(Step::UpdateCode {
            version: version.clone(),
            code,
            settings: self.observed.latest.settings.clone(),
            expect,
        });
        self.steps.push(Step::AwaitUpdated { expect: sha256 });
        (self.holds, self.rotated) = (Some(sha256), true);
        Ok(())
    }

    fn publish(&mut self, publish: &Publish<'_>) {
        let publication = Publication {
            version: publish.version.clone(),
            sha256: publish.sha256,
            commit: self.revision.cloned(),
        };
        self.steps.push(Step::PublishVersion {
            expect: publish.sha256,
            publication,
        });
        self.rotated = true;
        for need in &publish.aliases {
            self.point(need, VersionRef::FromPublish);
        }
    }
}

/// Refuses to let another alias's code pass through `$LATEST` where `version`'s own could not follow it.
fn can_be_put_back(code: &Verdict<'_>) -> Result<(), Refusal> {
    code.movable()
        .and_then(|_| code.object().map(|_| ()))
        .map_err(|refusal| Refusal {
            message: format!(
                "`$LATEST` could not be put back to `version` afterwards: {}",
                refusal.message
            ),
            ..refusal
        })
}
