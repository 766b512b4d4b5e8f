//! Asks where the provisioned concurrency of aliases stands, where that may explain their weights. Which aliases those are
//! is `plan`'s to say, so that a fleet without weights costs no call.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use tracing::Instrument as _;

use super::contain::contained;
use super::observe::{Depth, Observer, READS_AT_ONCE};
use super::unreadable::{internal, read_failure, tell_unreadable};
use crate::domain::{
    AliasName, Allocation, DesiredFunction, DesiredState, FunctionKey, ObservedFunction, ObservedState, TargetName,
};
use crate::plan::{Observations, allocations_to_ask};
use crate::ports::{LambdaRead, PortError, PortErrorKind};
use crate::telemetry::{AllocationsUntold, Work, function_span};

impl Observer {
    /// Adds to what was observed of the functions of a target where the allocations stand that a plan needs to know.
    ///
    /// A function of which that cannot be learnt is unreadable. Where only the permission is missing, that is told and the
    /// plan does without the answer: it is needed for nothing else.
    pub(super) async fn ask_allocations<L: LambdaRead>(
        &self,
        target: &TargetName,
        desired: &DesiredState,
        observations: &mut Observations,
        lambda: &L,
    ) {
        let in_doubt = |(key, function): (&FunctionKey, &DesiredFunction)| match observations.get(key) {
            Some(ObservedState::Found(found)) => {
                let aliases = allocations_to_ask(function, found);
                (!aliases.is_empty()).then(|| (key.clone(), Arc::clone(found), aliases))
            }
            Some(ObservedState::Missing | ObservedState::Unreadable(_)) | None => None,
        };
        let of_target = desired.functions.iter().filter(|(key, _)| key.target == *target);
        let in_doubt: Vec<_> = of_target.filter_map(in_doubt).collect();
        let answers: Vec<_> = futures::stream::iter(in_doubt)
            .map(|(key, found, aliases)| async move {
                let ask = self.allocations(&key, aliases, lambda);
                let ask = ask.instrument(function_span(&key, Work::Observe));
                let failure = match contained(&self.telemetry, Some(&key), ask).await {
                    Ok(Ok(allocations)) => {
                        let found = ObservedFunction {
                            allocations,
                            ..ObservedFunction::clone(&found)
                        };
                        return (key, ObservedState::Found(Arc::new(found)));
                    }
                    Ok(Err(error)) => read_failure(&error),
                    Err(message) => internal(message),
                };
                let state = self.lose(&key, Depth::Weights, failure);
                (key, state)
            })
            .buffer_unordered(READS_AT_ONCE)
            .collect()
            .await;
        tell_unreadable(
            target,
            answers.iter().map(|(key, state)| (&key.name, state)),
            &self.telemetry,
        );
        observations.extend(answers);
    }

    async fn allocations<L: LambdaRead>(
        &self,
        key: &FunctionKey,
        aliases: Vec<AliasName>,
        lambda: &L,
    ) -> Result<BTreeMap<AliasName, Allocation>, PortError> {
        let mut allocations = BTreeMap::new();
        for alias in aliases {
            let allocation = match lambda.allocation(&key.name, &alias).await {
                Err(error) if error.kind == PortErrorKind::AccessDenied => {
                    let why = error.to_string();
                    AllocationsUntold {
                        target: &key.target,
                        error: &why,
                    }
                    .emit(&self.telemetry);
                    Allocation::Untold { why }
                }
                told => {
                    let told = told?;
                    AllocationsUntold::is_over(&key.target, &self.telemetry);
                    told
                }
            };
            allocations.insert(alias, allocation);
        }
        Ok(allocations)
    }
}
