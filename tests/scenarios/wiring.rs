//! The wires of a world: Pinfold's engine on the sandbox and its clock, and SDK clients for somebody else's hands.

use std::time::Duration;

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use chrono::DateTime;
use pinfold::adapters::aws::{Access, Connection, Limiters, Limits, connect};
use pinfold::adapters::git::{GitSettings, GitSource};
use pinfold::adapters::lambda::LambdaWriter;
use pinfold::adapters::s3::S3Artifacts;
use pinfold::domain::{Target, Timestamp};
use pinfold::ports::Clock;
use pinfold::reconcile::{Engine, TargetPorts};
use pinfold::sandbox::ManualClock;
use pinfold::telemetry::Telemetry;

use crate::repository::Origin;
use crate::world::{REGION, World};

/// Pinfold, as it works on a world.
pub(crate) type TestEngine = Engine<LambdaWriter, S3Artifacts, TestClock>;

/// The sandbox's clock, for Pinfold too: whoever sleeps turns it, so nobody waits.
#[derive(Debug, Clone)]
pub(crate) struct TestClock(pub(crate) ManualClock);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let millis = i64::try_from(self.0.now().millis()).unwrap();
        DateTime::from_timestamp_millis(millis).unwrap()
    }

    fn uptime(&self) -> Duration {
        Duration::from_millis(self.0.now().millis())
    }

    async fn sleep(&self, duration: Duration) {
        self.0.advance(duration);
    }
}

/// The sandbox's clock, turned by the scenario alone: whoever sleeps waits until it has come to that.
#[derive(Debug, Clone)]
pub(crate) struct HandClock(pub(crate) ManualClock);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        TestClock(self.0.clone()).now()
    }

    fn uptime(&self) -> Duration {
        TestClock(self.0.clone()).uptime()
    }

    async fn sleep(&self, duration: Duration) {
        let end = self.now() + duration;
        while self.now() < end {
            tokio::task::yield_now().await;
        }
    }
}

/// Wires an engine as the command line does, with limits so high that they never hold anything back.
pub(crate) async fn engine(url: &str, globs: &[String], clock: &ManualClock) -> TestEngine {
    Box::pin(engine_with(url, globs, TestClock(clock.clone()))).await
}

/// The same, by a role that STS gives the credentials for.
pub(crate) async fn engine_as(url: &str, globs: &[String], role: &str, clock: &ManualClock) -> TestEngine {
    let (target, connection, telemetry) = way_as(url, globs, Some(role)).await;
    let ports = TargetPorts {
        target,
        lambda: LambdaWriter::new(&connection, &telemetry),
        artifacts: S3Artifacts::new(&connection, &telemetry),
    };
    Engine::new(vec![ports], TestClock(clock.clone()), telemetry)
}

/// The same, with a clock of one's own.
pub(crate) async fn engine_with<C: Clock>(
    url: &str,
    globs: &[String],
    clock: C,
) -> Engine<LambdaWriter, S3Artifacts, C> {
    let (target, connection, telemetry) = way(url, globs).await;
    let ports = TargetPorts {
        target,
        lambda: LambdaWriter::new(&connection, &telemetry),
        artifacts: S3Artifacts::new(&connection, &telemetry),
    };
    Engine::new(vec![ports], clock, telemetry)
}

/// The target of every world, and the way to it.
pub(crate) async fn way(url: &str, globs: &[String]) -> (Target, Connection, Telemetry) {
    way_as(url, globs, None).await
}

/// The same by a role.
async fn way_as(url: &str, globs: &[String], role: Option<&str>) -> (Target, Connection, Telemetry) {
    let target = Target {
        name: "prod".parse().unwrap(),
        path: "prod".to_owned(),
        region: Some(REGION.parse().unwrap()),
        account: None,
        functions: globs.iter().map(|glob| glob.parse().unwrap()).collect(),
    };
    let mut limiters = Limiters::new(Limits {
        get_function_per_second: 10_000.0,
        control_plane_per_second: 10_000.0,
    });
    let access = Access {
        region: REGION.parse().unwrap(),
        account: None,
        role_arn: role.map(str::to_owned),
        external_id: None,
        endpoint_url: Some(url.parse().unwrap()),
        s3_endpoint_url: None,
    };
    let connection = connect(&access, &mut limiters).await;
    (target, connection, Telemetry::new().unwrap())
}

/// Opens a repository as Pinfold does.
pub(crate) fn git_source(origin: &Origin) -> GitSource {
    GitSource::new(GitSettings::new(
        origin.path().parse().unwrap(),
        "main".parse().unwrap(),
        env!("CARGO_BIN_EXE_pinfold").into(),
    ))
    .unwrap()
}

impl World {
    /// Somebody else's hands, where it has to go over HTTP: faults befall these calls too.
    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new("somebody", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .build();
        aws_sdk_lambda::Client::from_conf(config)
    }

    /// The same for S3.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .force_path_style(true)
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new("somebody", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }
}
