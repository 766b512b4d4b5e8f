//! The world that the daemon is run in: a sandbox with a fleet at rest, a desired state in memory, and hands for both.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use pinfold::adapters::aws::Limits;
use pinfold::adapters::clock::SystemClock;
use pinfold::domain::{BlobId, ChangeLimit, CommitId, EntryKind, SourceEntry, SourceTree, Timestamp};
use pinfold::ports::{DesiredSource, PortError};
use pinfold::reconcile::{Driver, Engine, Memory, Nudge, PassPolicy, StatusBoard};
use pinfold::sandbox::{Code, NewFunction, Options, Place, Profile, Sandbox, package};
use pinfold::telemetry::Telemetry;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::target::{self, REGION};

/// Between two looks at the sandbox. They go past HTTP and cost no quota.
const LOOK: Duration = Duration::from_millis(50);

pub(crate) struct World {
    sandbox: Sandbox,
    aws: Place,
    url: String,
    functions: usize,
    desired: Arc<Mutex<String>>,
    _server: JoinSet<()>,
}

/// The desired state: every function at one version.
struct Source {
    version: Arc<Mutex<String>>,
    functions: usize,
}

fn zip(function: usize, version: &str) -> bytes::Bytes {
    package([(
        "index.js",
        format!("exports.handler = async () => '{function} {version}';"),
    )])
}

fn manifest(function: usize, version: &str) -> Vec<u8> {
    let name = World::name(function);
    let sha256 = hex::encode(Sha256::digest(zip(function, version)));
    format!(
        "apiVersion: pinfold/v1\nkind: Function\nname: {name}\nversion: \"{version}\"\nsha256: {sha256}\n\
         artifact: s3://{}/{{name}}/{{version}}.zip\naliases: {{ live: {{}} }}\n",
        World::BUCKET
    )
    .into_bytes()
}

impl DesiredSource for Source {
    async fn head(&self) -> Result<Option<CommitId>, PortError> {
        let version = self.version.lock().unwrap().clone();
        Ok(Some(hex::encode(&Sha256::digest(version)[..20]).parse().unwrap()))
    }

    async fn tree(&self, _commit: Option<&CommitId>, _paths: &[String]) -> Result<SourceTree, PortError> {
        let version = self.version.lock().unwrap().clone();
        let entries = (0..self.functions).map(|function| SourceEntry {
            path: format!("prod/{}.yaml", World::name(function)),
            plain: true,
            kind: EntryKind::File,
            blob: BlobId(format!("{function} {version}").into_bytes()),
            size: 200,
        });
        Ok(SourceTree {
            entries: entries.collect(),
            missing: Vec::new(),
        })
    }

    async fn contents(&self, blobs: &[BlobId]) -> Result<Vec<Vec<u8>>, PortError> {
        let content = |blob: &BlobId| {
            let text = String::from_utf8(blob.0.clone()).unwrap();
            let (function, version) = text.split_once(' ').unwrap();
            manifest(function.parse().unwrap(), version)
        };
        Ok(blobs.iter().map(content).collect())
    }
}

impl World {
    pub(crate) const BUCKET: &str = "artifacts";

    pub(crate) fn name(function: usize) -> String {
        format!("function-{function:05}")
    }

    pub(crate) fn key(function: usize, version: &str) -> String {
        format!("{}/{version}.zip", Self::name(function))
    }

    /// Makes a fleet that runs 1.0.0 as version 2, with an older version 1.
    pub(crate) async fn new(functions: usize) -> Self {
        let sandbox = Sandbox::new(Options {
            latency: Profile::Aws,
            quotas: Profile::Aws,
            call_log: 1_000_000,
            ..Options::default()
        });
        sandbox.create_bucket(Self::BUCKET, REGION, true).unwrap();
        let aws = sandbox.place(REGION);
        for function in 0..functions {
            let name = Self::name(function);
            aws.create_function(NewFunction::new(&name, Code::zip(zip(function, "0.9.0"))))
                .unwrap();
            aws.publish(&name).unwrap();
            let current = zip(function, "1.0.0");
            let sha256 = pinfold::domain::CodeSha256::from_bytes(Sha256::digest(&current).into());
            aws.update_code(&name, &Code::zip(current)).unwrap();
            aws.publish_described(&name, &format!("pinfold 1.0.0 sha256:{sha256}"))
                .unwrap();
            aws.create_alias(&name, "live", 2).unwrap();
            for version in ["1.0.0", "2.0.0"] {
                let key = Self::key(function, version);
                sandbox
                    .put_object(Self::BUCKET, &key, zip(function, version), true)
                    .unwrap();
            }
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        let handle = sandbox.clone();
        server.spawn(async move { handle.serve(listener, CancellationToken::new()).await.unwrap() });
        Self {
            sandbox,
            aws,
            url,
            functions,
            desired: Arc::new(Mutex::new("1.0.0".to_owned())),
            _server: server,
        }
    }

    pub(crate) fn functions(&self) -> usize {
        self.functions
    }

    pub(crate) fn aws(&self) -> &Place {
        &self.aws
    }

    /// Starts a daemon with these limits.
    pub(crate) async fn daemon(&self, get_function_per_second: f64, control_plane_per_second: f64) -> Daemon {
        let limits = Limits {
            get_function_per_second,
            control_plane_per_second,
        };
        let telemetry = Telemetry::new().unwrap();
        let ports = target::ports(&self.url, limits, &telemetry).await;
        let engine = Engine::new(vec![ports], SystemClock, telemetry).with_small_fleet(0);
        let source = Source {
            version: Arc::clone(&self.desired),
            functions: self.functions,
        };
        let policy = PassPolicy {
            change_limit: ChangeLimit::Unlimited,
            ..PassPolicy::default()
        };
        let (nudge, status, stop) = (Nudge::default(), StatusBoard::default(), CancellationToken::new());
        let driver = Driver::new(source, engine, policy, nudge.clone(), status.clone());
        let mut running = JoinSet::new();
        // The driver is made for the main task, and stays on this thread.
        running.spawn_local(driver.run(stop.clone()));
        Daemon {
            nudge,
            status,
            stop,
            running,
        }
    }

    /// Counts the calls to Lambda so far, by operation.
    pub(crate) fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for call in self.sandbox.calls().into_iter().filter(|call| call.service == "lambda") {
            *calls.entry(call.operation).or_default() += 1;
        }
        calls
    }

    pub(crate) fn forget_calls(&self) {
        self.sandbox.clear_calls();
    }

    /// Lets the quotas fill up again.
    pub(crate) async fn refill(&self) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    /// Says in Git that every function is to run another version.
    pub(crate) fn bump(&self, version: &str) {
        version.clone_into(&mut self.desired.lock().unwrap());
    }

    /// Moves an alias by hand.
    pub(crate) fn move_alias(&self, function: usize) {
        self.aws.update_alias(&Self::name(function), "live", 1, None).unwrap();
    }

    /// Waits until somebody has looked at an alias that was moved at `since`, and until it is moved back.
    pub(crate) async fn until_repaired(&self, function: usize, since: Instant) -> (Duration, Duration) {
        let name = Self::name(function);
        let mut seen = None;
        loop {
            let looked = |call: &pinfold::sandbox::Call| call.resource == name;
            if seen.is_none() && self.sandbox.calls().iter().any(looked) {
                seen = Some(since.elapsed());
            }
            if self.aws.alias(&name, "live").unwrap()["FunctionVersion"] == "2" {
                return (seen.unwrap_or_else(|| since.elapsed()), since.elapsed());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until every alias runs a version.
    pub(crate) async fn until_live(&self, version: &str) {
        for function in 0..self.functions {
            let wanted = pinfold::domain::CodeSha256::from_bytes(Sha256::digest(zip(function, version)).into());
            let is_live = || {
                let live = self.aws.function(&Self::name(function), Some("live")).unwrap();
                live["Configuration"]["CodeSha256"] == wanted.to_string().as_str()
            };
            while !is_live() {
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    /// Somebody else's client.
    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new("somebody", "secret", None, None, "bench"))
            .retry_config(RetryConfig::standard().with_max_attempts(10))
            .build();
        aws_sdk_lambda::Client::from_conf(config)
    }
}

/// A daemon at work.
pub(crate) struct Daemon {
    nudge: Nudge,
    status: StatusBoard,
    stop: CancellationToken,
    running: JoinSet<Memory>,
}

impl Daemon {
    /// Waits until the first pass is complete.
    pub(crate) async fn first_report(&mut self) {
        let mut status = self.status.watch();
        let _ = status.wait_for(|status| status.report.is_some()).await;
    }

    /// Has the fleet looked at, and waits until all versions are known.
    pub(crate) async fn sweep(&mut self) {
        let before = self.status.get().last_pass;
        self.nudge.sweep();
        let mut status = self.status.watch();
        let _ = status.wait_for(|status| status.last_pass > before).await;
    }

    /// Waits until the sweep that is under way is over, weights included.
    pub(crate) async fn whole_sweep(&mut self) {
        let before: Option<Timestamp> = self.status.get().last_sweep;
        let mut status = self.status.watch();
        let _ = status.wait_for(|status| status.last_sweep > before).await;
    }

    pub(crate) fn nudge(&self) {
        self.nudge.sweep();
    }

    pub(crate) fn look_at_source(&self) {
        self.nudge.source();
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while self.running.join_next().await.is_some() {}
    }
}
