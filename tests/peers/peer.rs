//! Who answers: an endpoint that the environment names, or a sandbox of the test's own. Says how fast its time goes, and
//! nothing about how it behaves.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::LazyLock;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_types::region::Region;
use pinfold::adapters::aws::Limits;
use pinfold::domain::EndpointUrl;
use pinfold::sandbox::{Options, Profile, Sandbox};
use tokio_util::sync::CancellationToken;

/// The factor on AWS's durations in the sandbox of a test.
const SANDBOX_SCALE: f64 = 0.01;

/// The factor on Pinfold's pauses where an emulator is asked, which needs less time than AWS.
const EMULATOR_SCALE: f64 = 0.1;

/// Tells this run's names from those of every other.
static RUN: LazyLock<String> = LazyLock::new(|| {
    let random = std::hash::RandomState::new().build_hasher().finish();
    format!("{:08x}", random >> 32)
});

/// Which emulator it is, where that makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// Pinfold's own.
    Sandbox,
    /// github.com/ministackorg/ministack.
    MiniStack,
    /// localstack-core, as it was published last.
    LocalStack,
    /// AWS itself, or something that is to be held to it.
    Other,
}

impl Name {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::MiniStack => "ministack",
            Self::LocalStack => "localstack",
            Self::Other => "other",
        }
    }
}

/// Whoever answers.
pub(crate) struct Peer {
    pub(crate) name: Name,
    /// `None` for AWS itself.
    pub(crate) url: Option<EndpointUrl>,
    pub(crate) region: String,
    pub(crate) role: String,
    /// The factor on pauses.
    pub(crate) scale: f64,
    stop: CancellationToken,
    _server: tokio::task::JoinSet<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Peer {
    pub(crate) async fn of_the_environment() -> Self {
        let stop = CancellationToken::new();
        let mut server = tokio::task::JoinSet::new();
        let url = match variable("PINFOLD_TEST_ENDPOINT").as_deref() {
            Some("aws") => None,
            Some(url) => Some(url.to_owned()),
            None => Some(sandbox(&mut server, stop.clone()).await),
        };
        let own = !server.is_empty();
        let name = match variable("PINFOLD_TEST_PEER").as_deref() {
            Some("sandbox") => Name::Sandbox,
            Some("ministack") => Name::MiniStack,
            Some("localstack") => Name::LocalStack,
            None if own => Name::Sandbox,
            Some(_) | None => Name::Other,
        };
        let scale = match name {
            _ if own => SANDBOX_SCALE,
            Name::MiniStack | Name::LocalStack => EMULATOR_SCALE,
            Name::Sandbox | Name::Other => 1.0,
        };
        Self {
            name,
            url: url.map(|url| url.parse().expect("PINFOLD_TEST_ENDPOINT is a URL or `aws`")),
            region: variable("PINFOLD_TEST_REGION").unwrap_or("us-east-1".to_owned()),
            role: variable("PINFOLD_TEST_ROLE_ARN")
                .unwrap_or("arn:aws:iam::000000000000:role/pinfold-peers".to_owned()),
            scale,
            stop,
            _server: server,
        }
    }

    /// A name that no other test and no other run has: for functions and buckets alike.
    pub(crate) fn unique(scenario: &str) -> String {
        format!("pinfold-peers-{}-{scenario}", *RUN)
    }

    /// Configures SDK clients for somebody else's hands: with the credentials of the environment or, on the loopback,
    /// with any.
    pub(crate) async fn sdk(&self) -> SdkConfig {
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(Region::new(self.region.clone()));
        if let Some(url) = &self.url {
            loader = loader.endpoint_url(url.as_str());
            if url.is_loopback() && variable("AWS_ACCESS_KEY_ID").is_none() {
                loader = loader.credentials_provider(Credentials::new("somebody", "secret", None, None, "test"));
            }
        }
        loader.load().await
    }

    /// The rates of the configuration's defaults, for one second of the peer's. The emulators of others have no quotas.
    pub(crate) fn limits(&self) -> Limits {
        let rate = |per_second: f64| match self.name {
            Name::Sandbox | Name::Other => per_second / self.scale,
            Name::MiniStack | Name::LocalStack => 10_000.0,
        };
        Limits {
            get_function_per_second: rate(40.0),
            control_plane_per_second: rate(5.0),
        }
    }

    /// Waits between two looks.
    pub(crate) async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(500).mul_f64(self.scale)).await;
    }
}

/// Starts a sandbox of the test's own. Returns where.
async fn sandbox(server: &mut tokio::task::JoinSet<()>, stop: CancellationToken) -> String {
    let sandbox = Sandbox::new(Options {
        latency: Profile::Aws,
        quotas: Profile::Aws,
        scale: SANDBOX_SCALE,
        ..Options::default()
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    server.spawn(async move { sandbox.serve(listener, stop).await.unwrap() });
    url
}

#[expect(clippy::disallowed_methods, reason = "who answers is said by the environment alone")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
