//! The cheap looks of a sweep: whether a function is still as it was. Whatever differs is read whole by a pass; nothing
//! is planned from a glance that differs.

use std::collections::BTreeMap;
use std::sync::Arc;

use litemap::LiteMap;

use super::observe::{Depth, Observer};
use crate::domain::{
    AliasName, FunctionKey, FunctionVersion, ObservedAlias, ObservedFunction, ObservedState, PublishedVersion,
    RevisionId, Routing, VersionState,
};
use crate::ports::{LambdaRead, PortError, PortErrorKind, Qualifier, VersionSnapshot};

/// What a glance came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glance {
    /// It is as it was, as far as the glance goes, or was not known before.
    Same,
    /// It is not.
    Differs,
}

impl Observer {
    /// Looks which versions the named aliases run: one call from GetFunction's own quota for each. Where `list` did not
    /// say whether `$LATEST` is as it was, one more.
    ///
    /// A function of which nothing is known is looked at for the first time. That tells its hashes and which versions its
    /// aliases run, and neither weights nor guards, so that nothing can be written from it. One whose weights could not be
    /// read is read whole: it stays unreadable until they can.
    pub(super) async fn glance<L: LambdaRead>(
        &self,
        key: &FunctionKey,
        aliases: &[&AliasName],
        listed: bool,
        lambda: &L,
    ) -> Glance {
        let look = async {
            match self.remembered(key) {
                Some(ObservedState::Found(known)) => self.compare(key, &known, aliases, listed, lambda).await,
                Some(ObservedState::Missing) if listed => Ok(Glance::Same),
                Some(ObservedState::Unreadable(_)) if self.has_lost_weights(key) => {
                    self.function(key, lambda).await;
                    Ok(Glance::Same)
                }
                Some(ObservedState::Missing | ObservedState::Unreadable(_)) | None => {
                    let state = self.first(key, aliases, lambda).await?;
                    self.remember(key, state);
                    Ok(Glance::Same)
                }
            }
        };
        self.glanced(key, Depth::Glance, look).await
    }

    async fn compare<L: LambdaRead>(
        &self,
        key: &FunctionKey,
        known: &ObservedFunction,
        aliases: &[&AliasName],
        listed: bool,
        lambda: &L,
    ) -> Result<Glance, PortError> {
        if !listed {
            let seen = lambda.function(&key.name).await?;
            if seen.is_none_or(|seen| seen.latest.revision != known.latest.revision) {
                return Ok(Glance::Differs);
            }
        }
        for alias in aliases {
            let seen = version_of(key, alias, lambda).await?;
            if seen.map(|seen| seen.version) != known.aliases.get(*alias).map(|alias| alias.version) {
                return Ok(Glance::Differs);
            }
        }
        Ok(Glance::Same)
    }

    async fn first<L: LambdaRead>(
        &self,
        key: &FunctionKey,
        aliases: &[&AliasName],
        lambda: &L,
    ) -> Result<ObservedState, PortError> {
        let Some(snapshot) = lambda.function(&key.name).await? else {
            return Ok(ObservedState::Missing);
        };
        let mut found = ObservedFunction {
            account: snapshot.account,
            latest: snapshot.latest,
            aliases: LiteMap::with_capacity(aliases.len()),
            weights_read: false,
            versions: LiteMap::with_capacity(aliases.len()),
            allocations: BTreeMap::new(),
        };
        for alias in aliases {
            let Some(seen) = version_of(key, alias, lambda).await? else {
                continue;
            };
            let unread = ObservedAlias {
                version: seen.version,
                revision: unread(&found.latest.revision),
                routing: Routing::new(),
            };
            found.aliases.insert((*alias).clone(), unread);
            if let (FunctionVersion::Number(number), Some(sha256)) = (seen.version, seen.sha256) {
                let version = PublishedVersion {
                    sha256,
                    config: None,
                    publication: seen.publication,
                    state: VersionState::of(seen.state.as_deref()),
                };
                found.versions.insert(number, version);
            }
        }
        Ok(ObservedState::Found(Arc::new(found)))
    }

    /// Reads the weights and guards of a function, and everything else where it was never read whole.
    pub(super) async fn weighed_anew<L: LambdaRead>(
        &self,
        key: &FunctionKey,
        aliases: &[&AliasName],
        lambda: &L,
    ) -> Glance {
        let look = self.weigh_against(key, aliases, lambda);
        self.glanced(key, Depth::Weights, look).await
    }

    async fn weigh_against<L: LambdaRead>(
        &self,
        key: &FunctionKey,
        aliases: &[&AliasName],
        lambda: &L,
    ) -> Result<Glance, PortError> {
        let known = match self.remembered(key) {
            Some(ObservedState::Found(known)) => known,
            Some(ObservedState::Missing | ObservedState::Unreadable(_)) | None => {
                self.function(key, lambda).await;
                return Ok(Glance::Same);
            }
        };
        if !self.is_whole(key) {
            return Ok(match self.function(key, lambda).await {
                ObservedState::Found(seen) if is_like(&seen, &known, aliases) => Glance::Same,
                ObservedState::Found(_) | ObservedState::Missing => Glance::Differs,
                ObservedState::Unreadable(_) => Glance::Same,
            });
        }
        let seen: BTreeMap<_, _> = match lambda.aliases(&key.name).await {
            Err(error) if error.kind == PortErrorKind::NotFound => return Ok(Glance::Differs),
            seen => seen?.into_iter().collect(),
        };
        let same = aliases
            .iter()
            .all(|alias| seen.get(*alias) == known.aliases.get(*alias));
        Ok(if same { Glance::Same } else { Glance::Differs })
    }

    /// Looks whether a function is still as a plan saw it, right before the first write to it: `$LATEST` and what the
    /// aliases run, both from GetFunction's own quota. The weights are not asked for: whoever sets some rotates the
    /// alias's RevisionId, and the write that carries the old one is refused.
    pub(super) async fn still_is<L: LambdaRead>(
        &self,
        key: &FunctionKey,
        planned: &ObservedFunction,
        aliases: &[&AliasName],
        lambda: &L,
    ) -> Result<bool, PortError> {
        let Some(seen) = lambda.function(&key.name).await? else {
            return Ok(false);
        };
        let same = seen.latest.revision == planned.latest.revision && seen.latest.update == planned.latest.update;
        Ok(same && self.compare(key, planned, aliases, true, lambda).await? == Glance::Same)
    }
}

/// Returns whether reading a function whole has told nothing new about what the first glance at it saw.
fn is_like(whole: &ObservedFunction, glance: &ObservedFunction, aliases: &[&AliasName]) -> bool {
    let same = |alias: &&AliasName| {
        let (seen, known) = (whole.aliases.get(*alias), glance.aliases.get(*alias));
        seen.map(|seen| seen.version) == known.map(|known| known.version)
            && seen.is_none_or(|seen| seen.routing.is_empty())
    };
    whole.latest.revision == glance.latest.revision && aliases.iter().all(same)
}

/// Returns what an alias runs; `None` where there is no such alias, or no function.
async fn version_of<L: LambdaRead>(
    key: &FunctionKey,
    alias: &AliasName,
    lambda: &L,
) -> Result<Option<VersionSnapshot>, PortError> {
    match lambda.version(&key.name, &Qualifier::Alias(alias.clone())).await {
        Ok(seen) => Ok(Some(seen)),
        Err(error) if error.kind == PortErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Stands for the guard of an alias, which GetFunction does not show. It guards nothing: a write that carried it would be
/// refused.
fn unread(fallback: &RevisionId) -> RevisionId {
    "unread".parse().unwrap_or_else(|_| fallback.clone())
}
