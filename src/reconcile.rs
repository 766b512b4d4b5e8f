//! The passes: observe, resolve, plan, execute, look again. Decides nothing; every decision is in `plan`.

mod allocations;
mod apply;
mod backoff;
mod contain;
mod contention;
mod desire;
mod driver;
mod engine;
mod execute;
mod execution;
mod glance;
mod hints;
mod liveness;
mod memory;
mod notifications;
mod observe;
mod pass;
mod patrol;
#[cfg(test)]
mod paused;
mod progress;
mod reading;
mod resolve;
mod since;
mod status;
mod unreadable;
mod watch;
mod wave;

pub use desire::{ManifestCache, load};
pub use driver::Driver;
pub use engine::{Engine, TargetPorts};
pub use hints::HintListener;
pub use liveness::Liveness;
pub use memory::Memory;
pub use notifications::{Audience, Notifications, Subscriber};
pub use observe::Observer;
pub use pass::{Freshness, PassPolicy, Scope};
pub use progress::ProgressBoard;
pub use reading::{ReadSoFar, Reading};
pub use status::{Nudge, Status, StatusBoard};
