//! A daemon that takes its fleet for a large one and sweeps it in layers, driven call by call: nothing but the caller
//! decides which call goes next. What befalls it is decided elsewhere.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures::FutureExt as _;
use pinfold::domain::{BlobId, CommitId, DesiredState, EntryKind, SourceEntry, SourceTree};
use pinfold::plan::Verdict;
use pinfold::ports::{DesiredSource, PortError};
use pinfold::reconcile::{Driver, Nudge, PassPolicy, Status, StatusBoard};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::gate::{Gate, Passed};
use crate::run::writes_of;
use crate::stage::Stage;

/// The time between two sweeps: the default of the configuration.
const SWEEP: Duration = Duration::from_mins(2);

/// Sweeps after which a world must be settled, whatever befell it: the pauses after failures are over by then.
const SWEEPS: usize = 8;

/// What Git says, as the files of a branch.
#[derive(Clone, Default)]
struct Branch(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Branch {
    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn says(&self, desired: &DesiredState) {
        let file = |key: &str, function: &pinfold::domain::DesiredFunction| {
            let aliases = function.aliases.iter();
            let manifest = json!({
                "apiVersion": "pinfold/v1",
                "kind": "Function",
                "name": key,
                "version": function.code.version.as_str(),
                "artifact": "s3://artifacts/{name}/{version}.zip",
                "aliases": aliases
                    .map(|(alias, artifact)| (alias.as_str(), json!({ "version": artifact.version.as_str() })))
                    .collect::<BTreeMap<_, _>>(),
            });
            // JSON is YAML.
            (function.file.clone(), manifest.to_string().into_bytes())
        };
        let functions = desired.functions.iter();
        *self.files() = functions
            .map(|(key, function)| file(key.name.as_str(), function))
            .collect();
    }
}

fn id(content: &[u8]) -> Vec<u8> {
    Sha256::digest(content)[..20].to_vec()
}

impl DesiredSource for Branch {
    async fn head(&self) -> Result<Option<CommitId>, PortError> {
        let all: Vec<u8> = self.files().values().flatten().copied().collect();
        Ok(Some(hex::encode(id(&all)).parse().unwrap()))
    }

    async fn tree(&self, _commit: Option<&CommitId>, _paths: &[String]) -> Result<SourceTree, PortError> {
        let files = self.files();
        let entries = files.iter().map(|(path, content)| SourceEntry {
            path: path.clone(),
            plain: true,
            kind: EntryKind::File,
            blob: BlobId(id(content)),
            size: content.len() as u64,
        });
        Ok(SourceTree {
            entries: entries.collect(),
            missing: Vec::new(),
        })
    }

    async fn contents(&self, blobs: &[BlobId]) -> Result<Vec<Vec<u8>>, PortError> {
        let files = self.files();
        let content = |blob: &BlobId| files.values().find(|content| id(content) == blob.0).unwrap().clone();
        Ok(blobs.iter().map(content).collect())
    }
}

/// Remembers that there is something to go on with.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A daemon at work.
pub(crate) struct Patrol {
    pub(crate) gate: Gate,
    branch: Branch,
    nudge: Nudge,
    status: StatusBoard,
    woken: Arc<Woken>,
    work: Pin<Box<dyn Future<Output = ()>>>,
}

impl Patrol {
    /// A daemon that remembers nothing. It takes every wave of changes for a large one, too.
    pub(crate) fn new(stage: &Stage, gate: &Gate) -> Self {
        let (branch, nudge, status) = (Branch::default(), Nudge::default(), StatusBoard::default());
        branch.says(&stage.desired);
        let engine = stage.engine(gate).with_small_fleet(0).with_small_wave(0);
        let policy = PassPolicy::default();
        let driver = Driver::new(branch.clone(), engine, policy, nudge.clone(), status.clone());
        Self {
            gate: gate.clone(),
            branch,
            nudge,
            status,
            woken: Arc::new(Woken(AtomicBool::new(false))),
            work: Box::pin(driver.run(CancellationToken::new()).map(drop)),
        }
    }

    /// The same, when it knows the whole fleet and has nothing to do.
    pub(crate) fn at_rest(stage: &Stage, gate: &Gate) -> Self {
        let mut patrol = Self::new(stage, gate);
        patrol.finish();
        assert!(patrol.is_in_sync() && writes_of(gate).is_empty(), "{:#}", stage.live());
        gate.forget();
        patrol
    }

    /// Tells it that there may be another commit, and that it is time for a sweep.
    pub(crate) fn nudge(&self, stage: &Stage) {
        self.branch.says(&stage.desired);
        self.nudge.source();
        self.nudge.sweep();
    }

    /// Lets one call through and goes on to the next. Returns false where it has nothing more to do.
    pub(crate) fn step(&mut self) -> bool {
        self.gate.admit();
        let waker = Waker::from(Arc::clone(&self.woken));
        for _ in 0..1_000 {
            self.woken.0.store(false, Ordering::Relaxed);
            let ended = self.work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            assert!(!ended, "nobody stops it");
            if self.gate.is_dead() || self.gate.is_closed() {
                return true;
            }
            if !self.woken.0.load(Ordering::Relaxed) {
                self.gate.close();
                return false;
            }
        }
        panic!("the daemon is stuck at {:?}", self.gate.passed());
    }

    /// Lets every call through until nothing is left to do.
    pub(crate) fn finish(&mut self) {
        while self.step() {}
    }

    pub(crate) fn status(&self) -> Status {
        self.status.get()
    }

    /// Returns whether it has looked at everything and found it as Git says.
    pub(crate) fn is_in_sync(&self) -> bool {
        let status = self.status();
        let report = status.report.filter(|_| status.last_sweep.is_some());
        report.is_some_and(|report| report.verdict() == Verdict::InSync)
    }

    /// Makes sweeps until one has nothing to do. Returns the writes.
    pub(crate) fn settle(&mut self, stage: &Stage) -> Vec<Passed> {
        let mut writes = Vec::new();
        for _ in 0..SWEEPS {
            self.gate.forget();
            stage.clock.advance(SWEEP);
            self.nudge(stage);
            self.finish();
            let written = writes_of(&self.gate);
            let quiet = written.is_empty();
            writes.extend(written);
            if quiet && self.is_in_sync() {
                return writes;
            }
        }
        panic!("not settled after {SWEEPS} sweeps: {:#}", stage.live());
    }
}
