//! Pinfold wired as the command line wires it, but for two things: its pauses are as long as the peer's time is fast, and
//! somebody may lay hands on the function in the instant before a write.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pinfold::adapters::aws::{Access, Limiters, connect};
use pinfold::adapters::clock::SystemClock;
use pinfold::adapters::lambda::LambdaWriter;
use pinfold::adapters::s3::S3Artifacts;
use pinfold::domain::{
    AliasName, Allocation, CodeSettings, CodeSha256, FunctionName, ObservedAlias, Publication, RevisionId, Target,
    Timestamp, VerifiedObject, Version,
};
use pinfold::ports::{
    Clock, FunctionPage, FunctionSnapshot, LambdaRead, LambdaWrite, PortError, Qualifier, VersionList, VersionSnapshot,
};
use pinfold::reconcile::{Engine, TargetPorts};
use pinfold::telemetry::Telemetry;

use crate::peer::Peer;

/// Pinfold, as it works on a peer.
pub(crate) type PeerEngine = Engine<Meddled, S3Artifacts, PeerClock>;

/// The machine's clock, with pauses to the peer's scale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerClock {
    scale: f64,
}

impl Clock for PeerClock {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime()
    }

    async fn sleep(&self, duration: Duration) {
        SystemClock.sleep(duration.mul_f64(self.scale)).await;
    }
}

/// Wires an engine that may manage the functions whose names begin with `prefix`.
pub(crate) async fn engine(peer: &Peer, prefix: &str, meddler: &Arc<Meddler>) -> PeerEngine {
    let target = Target {
        name: "prod".parse().unwrap(),
        path: "prod".to_owned(),
        region: Some(peer.region.parse().unwrap()),
        account: None,
        functions: vec![format!("{prefix}*").parse().unwrap()],
    };
    let mut limiters = Limiters::new(peer.limits());
    let access = Access {
        region: peer.region.parse().unwrap(),
        account: None,
        role_arn: None,
        external_id: None,
        endpoint_url: peer.url.clone(),
        s3_endpoint_url: None,
    };
    let connection = connect(&access, &mut limiters).await;
    let telemetry = Telemetry::new().unwrap();
    let ports = TargetPorts {
        target,
        lambda: Meddled {
            inner: LambdaWriter::new(&connection, &telemetry),
            meddler: Arc::clone(meddler),
        },
        artifacts: S3Artifacts::new(&connection, &telemetry),
    };
    Engine::new(vec![ports], PeerClock { scale: peer.scale }, telemetry)
}

/// The instant before a write of Pinfold's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    UpdateCode,
    Publish,
    MoveAlias,
}

/// What somebody does.
pub(crate) type Deed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Somebody who waits for their instant.
#[derive(Default)]
pub(crate) struct Meddler {
    waiting: Mutex<Option<(Before, Deed)>>,
}

impl Meddler {
    pub(crate) fn wait_for(&self, before: Before, deed: Deed) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some((before, deed));
    }

    async fn now(&self, before: Before) {
        let deed = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.take_if(|(instant, _)| *instant == before)
        };
        if let Some((_, deed)) = deed {
            deed.await;
        }
    }
}

/// Lambda, with a meddler.
pub(crate) struct Meddled {
    inner: LambdaWriter,
    meddler: Arc<Meddler>,
}

impl LambdaRead for Meddled {
    async fn list_functions(&self, marker: Option<&str>) -> Result<FunctionPage, PortError> {
        self.inner.list_functions(marker).await
    }

    async fn function(&self, name: &FunctionName) -> Result<Option<FunctionSnapshot>, PortError> {
        self.inner.function(name).await
    }

    async fn aliases(&self, name: &FunctionName) -> Result<Vec<(AliasName, ObservedAlias)>, PortError> {
        self.inner.aliases(name).await
    }

    async fn versions(&self, name: &FunctionName) -> Result<VersionList, PortError> {
        self.inner.versions(name).await
    }

    async fn version(&self, name: &FunctionName, qualifier: &Qualifier) -> Result<VersionSnapshot, PortError> {
        self.inner.version(name, qualifier).await
    }

    async fn allocation(&self, name: &FunctionName, alias: &AliasName) -> Result<Allocation, PortError> {
        self.inner.allocation(name, alias).await
    }
}

impl LambdaWrite for Meddled {
    async fn update_code(
        &self,
        name: &FunctionName,
        code: &VerifiedObject,
        settings: &CodeSettings,
        guard: &RevisionId,
    ) -> Result<Option<CodeSha256>, PortError> {
        self.meddler.now(Before::UpdateCode).await;
        self.inner.update_code(name, code, settings, guard).await
    }

    async fn publish(
        &self,
        name: &FunctionName,
        guard: CodeSha256,
        description: &Publication,
    ) -> Result<(Version, CodeSha256), PortError> {
        self.meddler.now(Before::Publish).await;
        self.inner.publish(name, guard, description).await
    }

    async fn create_alias(&self, name: &FunctionName, alias: &AliasName, version: Version) -> Result<(), PortError> {
        self.inner.create_alias(name, alias, version).await
    }

    async fn move_alias(
        &self,
        name: &FunctionName,
        alias: &AliasName,
        version: Version,
        guard: &RevisionId,
    ) -> Result<(), PortError> {
        self.meddler.now(Before::MoveAlias).await;
        self.inner.move_alias(name, alias, version, guard).await
    }
}
