//! Asks S3 about the artifacts that a plan needs to know. Which ones is `plan`'s to say.

use std::collections::BTreeSet;

use futures::StreamExt as _;

use super::contain::{contained, contained_now};
use crate::domain::{
    ArtifactFailure, ArtifactFailureKind, DesiredFunction, DesiredState, ObservedFunction, ObservedState, S3Location,
    TargetName,
};
use crate::plan::{ArtifactFacts, Observations, lookups};
use crate::ports::Artifacts;
use crate::telemetry::Telemetry;

/// Look-ups side by side. S3 takes 5,500 a second for each prefix; what this bounds is our own memory and sockets.
const LOOKUPS_AT_ONCE: usize = 16;

/// Asks until every function of a target that was found can be planned, and adds the answers to `facts`.
///
/// Two functions that name one object share one look-up.
pub(super) async fn resolve<A: Artifacts>(
    target: &TargetName,
    desired: &DesiredState,
    observations: &Observations,
    artifacts: &A,
    facts: &mut ArtifactFacts,
    telemetry: &Telemetry,
) {
    let found = |(key, function)| match observations.get(key) {
        Some(ObservedState::Found(found)) => Some((function, found.as_ref())),
        Some(ObservedState::Missing | ObservedState::Unreadable(_)) | None => None,
    };
    let of_target = desired.functions.iter().filter(|(key, _)| key.target == *target);
    let functions: Vec<(&DesiredFunction, &ObservedFunction)> = of_target.filter_map(found).collect();
    loop {
        let wanted: BTreeSet<S3Location> = functions
            .iter()
            // Where the planner fails at a function, it will tell so itself.
            .flat_map(|(desired, observed)| {
                contained_now(telemetry, None, || lookups(desired, observed, facts)).unwrap_or_default()
            })
            .collect();
        if wanted.is_empty() {
            return;
        }
        let answers: Vec<_> = futures::stream::iter(wanted)
            .map(|location| async move {
                let look = artifacts.look_up(&location);
                let answer = contained(telemetry, None, look).await.unwrap_or_else(|message| {
                    Err(ArtifactFailure {
                        kind: ArtifactFailureKind::Unreadable,
                        message,
                    })
                });
                (location, answer)
            })
            .buffer_unordered(LOOKUPS_AT_ONCE)
            .collect()
            .await;
        facts.extend(answers);
    }
}
