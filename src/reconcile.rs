//! The passes: observe, resolve, plan, execute, look again. Decides nothing; every decision is in `plan`.

mod apply;
mod backoff;
mod contain;
mod contention;
mod desire;
mod driver;
mod execute;
mod glance;
mod hints;
mod liveness;
mod notifications;
mod observe;
mod pass;
mod patrol;
mod progress;
mod resolve;
mod since;
mod status;
mod watch;
mod wave;

pub use desire::{ManifestCache, load};
pub use driver::{Driver, Memory};
pub use hints::HintListener;
pub use liveness::Liveness;
pub use notifications::{Audience, Notifications, Subscriber};
pub use observe::Observer;
pub use pass::{Engine, Freshness, PassPolicy, Scope, TargetPorts};
pub use progress::ProgressBoard;
pub use status::{Nudge, Status, StatusBoard};
