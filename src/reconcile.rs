//! The passes: observe, resolve, plan, execute, look again. Decides nothing; every decision is in `plan`.

mod apply;
mod backoff;
mod desire;
mod driver;
mod execute;
mod glance;
mod notifications;
mod observe;
mod pass;
mod patrol;
mod resolve;
mod status;
mod watch;
mod wave;

pub use desire::{ManifestCache, load};
pub use driver::Driver;
pub use notifications::{Notifications, Subscriber};
pub use observe::Observer;
pub use pass::{Engine, Freshness, PassPolicy, Scope, TargetPorts};
pub use status::{Nudge, Status, StatusBoard};
