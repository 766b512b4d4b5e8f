//! Weights that Git does not name: somebody's, which are cleared, or Lambda's own, which are not fought. Clears nothing.
//!
//! An alias with provisioned concurrency that is moved keeps its callers where they were until the new version is
//! provisioned: Lambda sends all calls to the version before by a weight of 1, and takes the weight away when the
//! allocation is through. Nothing on the alias tells that weight from somebody's; only where the allocation stands does.

use super::diff;
use super::withheld::{Reason, Subject, Withheld};
use crate::domain::{
    AliasName, Allocation, CodeSha256, DesiredFunction, ObservedAlias, ObservedFunction, PackageKind, Routing,
};

/// Returns the aliases of which it must still be asked where their allocation stands: those that Git names, and that have
/// weights.
pub fn allocations_to_ask(desired: &DesiredFunction, observed: &ObservedFunction) -> Vec<AliasName> {
    if observed.latest.package != PackageKind::Zip {
        return Vec::new();
    }
    let weighted = |alias: &&AliasName| {
        observed
            .aliases
            .get(*alias)
            .is_some_and(|found| !found.routing.is_empty())
    };
    let unasked = |alias: &&AliasName| !observed.allocations.contains_key(*alias);
    desired
        .aliases
        .keys()
        .filter(weighted)
        .filter(unasked)
        .cloned()
        .collect()
}

/// Returns why an alias that runs the right code, and only has weights too many, must keep them.
///
/// An alias that runs the wrong code is moved all the same: what Lambda is about to provision is then not what Git names.
///
/// Where the allocation failed, or may not be asked for, only weights that look like Lambda's own are kept. Clearing those
/// sends every caller to a version that is cold at best and does not start at worst; keeping them leaves callers with what
/// they had. A canary's are cleared: Lambda never sets such, and they send callers to code that nobody merged.
pub(super) fn keep(
    alias: &AliasName,
    found: &ObservedAlias,
    wanted: CodeSha256,
    observed: &ObservedFunction,
) -> Option<Withheld> {
    if found.routing.is_empty() || observed.kept_version(found, wanted).is_none() {
        return None;
    }
    let (version, weights) = (found.version, diff::weights(&found.routing));
    let (reason, message) = match observed.allocations.get(alias) {
        // Nobody made the call that `allocations_to_ask` asks for.
        None => (
            Reason::Unreadable,
            "whether Lambda moves provisioned concurrency has not been asked yet".to_owned(),
        ),
        Some(Allocation::InProgress) => (
            Reason::UpdateInProgress,
            format!(
                "Lambda allocates the provisioned concurrency of version {version} and until then has weights of its \
                 own ({weights}): they are left alone until the allocation is READY or has FAILED"
            ),
        ),
        Some(Allocation::Failed { reason }) if serves_another(&found.routing) => (
            Reason::AllocationFailed,
            format!(
                "the provisioned concurrency of version {version} could not be allocated ({reason}), and Lambda keeps \
                 the callers where they were ({weights}): without these weights all of them would get a version that \
                 may not start, so name one in Git that does, or take the provisioned concurrency away"
            ),
        ),
        Some(Allocation::Untold { why }) if serves_another(&found.routing) => (
            Reason::AccessDenied,
            format!(
                "{why}; so it is not known whether the weights ({weights}) are Lambda's own, and they are left alone"
            ),
        ),
        Some(Allocation::Settled | Allocation::Failed { .. } | Allocation::Untold { .. }) => return None,
    };
    Some(Withheld::new(Subject::Alias(alias.clone()), reason, message))
}

/// Returns whether the version that an alias points at gets no calls: Lambda's own weights have this form, and a canary
/// never has.
fn serves_another(routing: &Routing) -> bool {
    routing.values().any(|weight| weight.0 >= 1.0)
}
