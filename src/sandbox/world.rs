//! Everything behind the sandbox's one lock: the services' state, faults, quotas and the record of calls. No I/O here.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::call::CallLog;
use super::clock::Timestamp;
use super::fault::{Effect, Faults};
use super::ids::Ids;
use super::lambda::{Context, Ending, Lambda};
use super::quota::Quotas;
use super::s3::S3;
use super::{Options, Profile, latency};

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) lambda: Lambda,
    pub(crate) s3: S3,
    pub(crate) faults: Faults,
    pub(crate) quotas: Quotas,
    pub(crate) calls: CallLog,
    /// Draws durations and request ids; apart from the services' own, so that latency changes no identifier.
    pub(crate) dice: Ids,
}

/// The sandbox: its options, which never change, and the world.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    world: Mutex<World>,
}

/// What is going to befall a call, known before it is carried out.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    pub(crate) wait: Duration,
    /// Status, error type, text, seconds of Retry-After.
    pub(crate) refusal: Option<Refusal>,
    pub(crate) cut_before: bool,
    pub(crate) cut_after: bool,
    window: Option<Duration>,
    ending: Ending,
}

/// A reply that stands in place of the service's own.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) error_type: String,
    pub(crate) message: String,
    pub(crate) retry_after: Option<u64>,
}

impl Shared {
    pub(crate) fn new(options: Options) -> Self {
        let world = World {
            lambda: Lambda::new(options.seed),
            s3: S3::new(options.seed),
            faults: Faults::default(),
            quotas: Quotas::default(),
            calls: CallLog::new(options.call_log.max(1)),
            dice: Ids::new(options.seed ^ 0xd1ce),
        };
        Self {
            options,
            world: Mutex::new(world),
        }
    }

    /// A thread that panicked while it held the lock has left whole operations behind: each one changes the state in
    /// its last, infallible steps. So the world stays usable.
    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    /// Decides what befalls a call: faults that strike it, its quota, its latency.
    pub(crate) fn fate(&self, service: &str, operation: &str, resource: &str, place: (&str, &str)) -> Fate {
        let now = self.now();
        let mut world = self.lock();
        let mut fate = Fate::default();
        for effect in world.faults.strike(operation, resource) {
            match effect {
                Effect::Reply {
                    status,
                    error_type,
                    message,
                    retry_after,
                } => {
                    fate.refusal = Some(Refusal {
                        status,
                        error_type: error_type
                            .unwrap_or_else(|| super::fault::default_error(service, status).to_owned()),
                        message: message.unwrap_or_else(|| "a fault that was asked for".to_owned()),
                        retry_after,
                    });
                }
                Effect::CutBefore => fate.cut_before = true,
                Effect::CutAfter => fate.cut_after = true,
                Effect::Delay { ms } => fate.wait += Duration::from_millis(ms),
                Effect::InProgress { ms } => fate.window = Some(Duration::from_millis(ms)),
                Effect::UpdateFails { code, reason } => fate.ending = Ending::Failure { code, reason },
            }
        }
        if self.options.latency == Profile::Aws {
            fate.wait += latency::of_call(service, operation, &mut world.dice).mul_f64(self.options.scale);
        }
        if self.options.quotas == Profile::Aws
            && service == "lambda"
            && fate.refusal.is_none()
            && let Err(wait) = world.quotas.take(place, operation, now, self.options.scale)
        {
            fate.refusal = Some(Refusal {
                status: 429,
                error_type: "TooManyRequestsException".to_owned(),
                message: "Rate exceeded".to_owned(),
                // The header knows whole seconds only.
                retry_after: Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
            });
            // A throttled call is turned away at the door.
            fate.wait = Duration::ZERO;
        }
        fate
    }

    /// The context in which a call is carried out now.
    pub(crate) fn context(
        &self,
        world: &mut World,
        operation: &str,
        (account, region): (&str, &str),
        endpoint: &str,
        fate: &Fate,
    ) -> Context {
        let now = self.now();
        let window = fate.window.unwrap_or_else(|| match self.options.latency {
            Profile::Off => self.options.update_window,
            Profile::Aws => latency::of_update(operation, &mut world.dice).mul_f64(self.options.scale),
        });
        Context {
            account: account.to_owned(),
            region: region.to_owned(),
            now,
            completes: now.after(window),
            ending: fate.ending.clone(),
            endpoint: endpoint.to_owned(),
        }
    }
}
