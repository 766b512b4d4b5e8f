//! Provisioned concurrency of an alias: its allocation, and the weights by which Lambda keeps an alias's callers at the
//! version before until the one it was moved to is ready. Versions cannot be given any here.
//!
//! The weights are what clients reported: all calls to the version before, gone when the allocation is through, and left
//! behind when it fails. AWS documents none of this.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::clock::Timestamp;
use super::super::ids::Ids;
use super::model::{Alias, Ending, VersionNumber};
use super::name::Target;
use super::request::{FunctionInput, PutProvisionedConcurrencyConfig};
use super::{Context, ErrorKind, Lambda, LambdaError, Reply, alias::missing_alias};

/// What an alias was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provisioned {
    requested: u64,
    last_modified: Timestamp,
    /// How long an allocation takes, in milliseconds: as long as the first one, whoever moves the alias later.
    takes: u64,
    allocation: Allocation,
    /// Whether the alias's weights are Lambda's own.
    #[serde(default)]
    shifting: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
enum Allocation {
    InProgress { until: Timestamp, ending: Ending },
    Ready,
    Failed { reason: String },
}

impl Provisioned {
    fn allocate(&mut self, context: &Context) {
        self.allocation = Allocation::InProgress {
            until: context
                .completes
                .max(context.now.after(std::time::Duration::from_millis(self.takes))),
            ending: context.ending.clone(),
        };
    }

    fn show(&self) -> Value {
        let (status, reason) = match &self.allocation {
            Allocation::InProgress { .. } => ("IN_PROGRESS", None),
            Allocation::Ready => ("READY", None),
            Allocation::Failed { reason } => ("FAILED", Some(reason)),
        };
        // While an alias moves, the numbers are those of the version before: only the status tells.
        let allocated = if status == "READY" || self.shifting {
            self.requested
        } else {
            0
        };
        let mut out = json!({
            "RequestedProvisionedConcurrentExecutions": self.requested,
            "AvailableProvisionedConcurrentExecutions": allocated,
            "AllocatedProvisionedConcurrentExecutions": allocated,
            "Status": status,
            "LastModified": self.last_modified.lambda(),
        });
        if let Some(reason) = reason {
            out["StatusReason"] = json!(reason);
        }
        out
    }
}

impl Alias {
    /// Brings an allocation whose time has come to its end. Lambda's own weights go with one that succeeds.
    pub(super) fn settle(&mut self, now: Timestamp, ids: &mut Ids) {
        let Some(provisioned) = &mut self.provisioned else {
            return;
        };
        let ending = match &provisioned.allocation {
            Allocation::InProgress { until, ending } if *until <= now => ending.clone(),
            Allocation::InProgress { .. } | Allocation::Ready | Allocation::Failed { .. } => return,
        };
        provisioned.allocation = match ending {
            Ending::Failure { reason, .. } => Allocation::Failed { reason },
            Ending::Success => {
                if std::mem::take(&mut provisioned.shifting) {
                    self.weights.clear();
                    self.revision_id = ids.uuid();
                }
                Allocation::Ready
            }
        };
    }

    /// Follows an update of the alias, which was at `before`: what is provisioned moves along with the alias, and where
    /// the caller left the alias without weights, Lambda sets its own until that is done. `reweighted` says whether the
    /// caller said anything of weights.
    pub(super) fn follow(&mut self, before: VersionNumber, reweighted: bool, context: &Context, ids: &mut Ids) {
        let Some(provisioned) = &mut self.provisioned else {
            return;
        };
        provisioned.shifting &= !reweighted;
        if self.version == before {
            return;
        }
        provisioned.allocate(context);
        if let (VersionNumber::Published(before), true) = (before, self.weights.is_empty()) {
            provisioned.shifting = true;
            self.weights.insert(before, 1.0);
            self.revision_id = ids.uuid();
        }
    }
}

impl Lambda {
    pub(super) fn put_provisioned_concurrency(
        &mut self,
        context: &Context,
        input: &PutProvisionedConcurrencyConfig,
    ) -> super::Result {
        let target = Target::parse(context, &input.function_name, input.qualifier.as_deref())?;
        let Some(requested @ 1..) = input.provisioned_concurrent_executions else {
            return Err(LambdaError::validation(
                "0",
                "provisionedConcurrentExecutions",
                "have value greater than or equal to 1",
            ));
        };
        let function = self.find(context, &target.name)?.function;
        let name = match target
            .qualifier
            .as_deref()
            .map(|name| (name, VersionNumber::parse(name)))
        {
            Some((name, None)) => name,
            Some((_, Some(VersionNumber::Published(_)))) => {
                return Err(LambdaError::invalid(
                    "The sandbox provisions concurrency for aliases alone.",
                ));
            }
            Some((_, Some(VersionNumber::Latest))) | None => {
                return Err(LambdaError::invalid(
                    "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
                ));
            }
        };
        let missing = missing_alias(function, name);
        let alias = function.aliases.get_mut(name).ok_or(missing)?;
        if !alias.weights.is_empty() {
            return Err(LambdaError::invalid(
                "Alias with weights can not be used with Provisioned Concurrency",
            ));
        }
        if alias.version == VersionNumber::Latest {
            return Err(LambdaError::invalid(
                "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
            ));
        }
        let mut provisioned = Provisioned {
            requested,
            last_modified: context.now,
            takes: context.completes.millis().saturating_sub(context.now.millis()),
            allocation: Allocation::Ready,
            shifting: false,
        };
        provisioned.allocate(context);
        let body = provisioned.show();
        alias.provisioned = Some(provisioned);
        Ok(Reply {
            status: 202,
            body: Some(body),
        })
    }

    pub(super) fn get_provisioned_concurrency(&mut self, context: &Context, input: &FunctionInput) -> super::Result {
        let target = Target::parse(context, &input.function_name, input.qualifier.as_deref())?;
        let function = self.find(context, &target.name)?.function;
        let alias = match target.qualifier.as_deref() {
            Some(name) if VersionNumber::parse(name).is_none() => {
                let missing = || missing_alias(function, name);
                function.aliases.get(name).ok_or_else(missing)?.provisioned.as_ref()
            }
            Some(_) | None => None,
        };
        let provisioned = alias.ok_or_else(|| {
            LambdaError::new(
                ErrorKind::ProvisionedConcurrencyConfigNotFound,
                "No Provisioned Concurrency Config found for this function",
            )
        })?;
        Ok(Reply::ok(provisioned.show()))
    }
}
