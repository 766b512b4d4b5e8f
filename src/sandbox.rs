//! AWS in a box: an embedded Lambda and S3 that the real SDKs speak to over HTTP. It uses no other room of the crate, so
//! that it cannot share an adapter's mistake.
//!
//! The services are synchronous state machines (`lambda`, `s3`) that get the time handed in. Around them lie, in this
//! order: HTTP, the record of calls, latency, faults and quotas. All of it is held to what AWS was recorded doing.
//!
//! ```no_run
//! use pinfold::sandbox::{Code, NewFunction, Options, Sandbox, package};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let sandbox = Sandbox::new(Options::default());
//! let aws = sandbox.place("us-east-1");
//! aws.create_function(NewFunction::new("checkout-api", Code::zip(package([("index.js", "v1")]))))?;
//! let version = aws.publish("checkout-api")?;
//! aws.create_alias("checkout-api", "live", version)?;
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! sandbox.serve(listener, tokio_util::sync::CancellationToken::new()).await?;
//! # Ok(())
//! # }
//! ```

mod call;
mod clock;
mod fault;
mod http;
mod ids;
mod lambda;
mod latency;
mod new_function;
mod package;
mod quota;
mod s3;
mod seed;
mod state;
mod world;

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use call::Call;
pub use clock::{Clock, ManualClock, Timestamp};
pub use fault::{Effect, Fault};
pub use lambda::{ErrorKind, LambdaError};
pub use new_function::{Code, NewFunction};
pub use package::package;
pub use s3::S3Error;
pub use seed::Place;
pub use state::{State, StateError};

/// Whether a behaviour is taken over from AWS or switched off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// As on AWS.
    Aws,
    /// Not at all: calls answer at once, and nothing throttles.
    #[default]
    Off,
}

/// How a sandbox behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The account of callers whose access key id is not itself an account of 12 digits.
    pub account: String,
    /// How long calls and updates take.
    pub latency: Profile,
    /// Whether Lambda's request quotas apply.
    pub quotas: Profile,
    /// Without latency: how long an update or a creation stays in progress. With zero the reply says `InProgress` all
    /// the same, and the update is through before the next call is served.
    pub update_window: Duration,
    /// The factor on the durations of the AWS profiles. With 0.01 calls, updates and quotas run a hundred times as fast.
    pub scale: f64,
    /// Where time comes from.
    pub clock: Clock,
    /// How many calls are remembered.
    pub call_log: usize,
    /// Where the sequence of identifiers starts; two sandboxes with the same seed give out the same ones.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            account: "000000000000".to_owned(),
            latency: Profile::Off,
            quotas: Profile::Off,
            update_window: Duration::ZERO,
            scale: 1.0,
            clock: Clock::Wall,
            call_log: 20_000,
            seed: 0,
        }
    }
}

/// A sandbox. Clones are handles on the same one.
#[derive(Debug, Clone)]
pub struct Sandbox {
    shared: Arc<world::Shared>,
}

impl Sandbox {
    /// An empty sandbox.
    pub fn new(options: Options) -> Self {
        Self {
            shared: Arc::new(world::Shared::new(options)),
        }
    }

    /// Answers Lambda, S3 and a little of STS on `listener` until `stop` is cancelled.
    ///
    /// # Errors
    ///
    /// Where the listener fails.
    pub async fn serve(
        self,
        listener: tokio::net::TcpListener,
        stop: tokio_util::sync::CancellationToken,
    ) -> io::Result<()> {
        http::serve(self.shared, listener, stop).await
    }

    /// The calls so far, in the order of their effects. Only the newest [`Options::call_log`] of them are kept.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.lock().calls.all()
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.shared.lock().calls.clear();
    }

    /// Lets a fault wait for its call.
    pub fn inject(&self, fault: Fault) {
        self.shared.lock().faults.inject(fault);
    }

    /// Forgets the faults that still wait.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Everything that the services hold, to be loaded again later.
    pub fn save(&self) -> State {
        state::save(&self.shared)
    }

    /// Puts a saved state in the place of everything that the services hold.
    ///
    /// # Errors
    ///
    /// [`StateError`] where the state does not fit this program.
    pub fn load(&self, state: State) -> Result<(), StateError> {
        state::load(&self.shared, state)
    }
}
