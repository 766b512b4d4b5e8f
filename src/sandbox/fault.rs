//! Scripted faults: which call they strike and what they do to it. Striking is counted here, done in `http`.

use serde::{Deserialize, Serialize};

/// A fault that waits for its call.
///
/// ```
/// use pinfold::sandbox::{Effect, Fault};
///
/// // The second UpdateAlias of `checkout-api` is carried out, but its reply is lost.
/// let fault = Fault::on("UpdateAlias", Effect::CutAfter).of("checkout-api").nth(2);
/// # let _ = fault;
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The operation's name, such as `UpdateFunctionCode`. `*`, which is the default, means every operation; for the
    /// two effects on updates, every operation that starts one.
    #[serde(default = "every")]
    pub operation: String,
    /// Only calls for this function (by name), bucket, or `bucket/key`.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "function")]
    pub resource: Option<String>,
    /// The first matching call that is struck, counted from 1 and from when the fault was injected.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many matching calls in a row are struck; 0 means all from then on.
    #[serde(default = "one")]
    pub times: u32,
    /// What happens to them.
    pub effect: Effect,
}

/// What a fault does to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "kind",
    deny_unknown_fields
)]
pub enum Effect {
    /// The call is refused with this status and does nothing.
    Reply {
        /// The HTTP status.
        status: u16,
        /// The error's type; without one, that which Lambda or S3 gives with the status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error_type: Option<String>,
        /// The error's text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// The header `Retry-After`, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
    /// The connection breaks and nothing has happened.
    CutBefore,
    /// The call is carried out, then the connection breaks without a reply.
    CutAfter,
    /// The call is carried out only after this many milliseconds.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// The update or creation that the call starts stays in progress for this many milliseconds.
    InProgress {
        /// Milliseconds.
        ms: u64,
    },
    /// The update or creation that the call starts ends `Failed`.
    UpdateFails {
        /// The reason code, such as `SubnetOutOfIPAddresses`.
        code: String,
        /// The reason's text.
        reason: String,
    },
}

fn every() -> String {
    "*".to_owned()
}

const fn one() -> u32 {
    1
}

impl Fault {
    /// A fault that strikes the next call of `operation`, once.
    pub fn on(operation: &str, effect: Effect) -> Self {
        Self {
            operation: operation.to_owned(),
            resource: None,
            nth: 1,
            times: 1,
            effect,
        }
    }

    /// Only for this function, bucket, or `bucket/key`.
    #[must_use]
    pub fn of(mut self, resource: &str) -> Self {
        self.resource = Some(resource.to_owned());
        self
    }

    /// Spares the matching calls before the `n`-th.
    #[must_use]
    pub const fn nth(mut self, n: u32) -> Self {
        self.nth = n;
        self
    }

    /// Strikes this many matching calls in a row; 0 means all from then on.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn matches(&self, operation: &str, resource: &str) -> bool {
        let starts_update = matches!(
            operation,
            "CreateFunction" | "UpdateFunctionCode" | "UpdateFunctionConfiguration" | "PublishVersion"
        );
        let any = match self.effect {
            Effect::InProgress { .. } | Effect::UpdateFails { .. } => starts_update,
            Effect::Reply { .. } | Effect::CutBefore | Effect::CutAfter | Effect::Delay { .. } => true,
        };
        (self.operation == operation || (self.operation == "*" && any))
            && self.resource.as_deref().is_none_or(|wanted| {
                wanted == resource || resource.split_once('/').is_some_and(|(bucket, _)| bucket == wanted)
            })
    }
}

/// The faults that wait, each with the matching calls it has seen.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Vec<(Fault, u32)>,
}

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) {
        self.waiting.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Fault> {
        self.waiting.iter().map(|(fault, _)| fault)
    }

    /// Counts a call and gives the effects that strike it. Faults that are spent are forgotten.
    pub(crate) fn strike(&mut self, operation: &str, resource: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.waiting.retain_mut(|(fault, seen)| {
            if !fault.matches(operation, resource) {
                return true;
            }
            *seen = seen.saturating_add(1);
            if *seen >= fault.nth.max(1) {
                effects.push(fault.effect.clone());
            }
            fault.times == 0 || *seen < fault.nth.max(1).saturating_add(fault.times - 1)
        });
        effects
    }
}

/// The error type that goes with a status where a fault names none.
pub(crate) const fn default_error(service: &str, status: u16) -> &'static str {
    let lambda = matches!(service.as_bytes(), b"lambda");
    match status {
        400 if lambda => "InvalidParameterValueException",
        400 => "InvalidRequest",
        403 if lambda => "AccessDeniedException",
        403 => "AccessDenied",
        404 if lambda => "ResourceNotFoundException",
        404 => "NoSuchKey",
        409 if lambda => "ResourceConflictException",
        409 => "OperationAborted",
        412 if lambda => "PreconditionFailedException",
        412 => "PreconditionFailed",
        429 if lambda => "TooManyRequestsException",
        503 if lambda => "ServiceUnavailableException",
        429 | 503 => "SlowDown",
        _ if lambda => "ServiceException",
        _ => "InternalError",
    }
}
