//! What every scenario starts from: a sandbox on a port of its own, a desired-state tree, and Pinfold wired as the
//! command line wires it. Brings the world to rest; what differs from then on is the scenario's.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use pinfold::adapters::folder::FolderSource;
use pinfold::adapters::git::GitSource;
use pinfold::domain::{ChangeLimit, CodeSha256, CommitId, DesiredState};
use pinfold::plan::Report;
use pinfold::ports::DesiredSource;
use pinfold::reconcile::{ManifestCache, PassPolicy, Scope, load};
use pinfold::sandbox::{self, Call, Code, Effect, ManualClock, NewFunction, Options, Place, Sandbox, package};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::repository::Origin;
use crate::wiring::{TestEngine, engine, git_source};

/// Every artifact version that a bucket of these worlds holds for every function.
const VERSIONS: [&str; 3] = ["1.0.0", "1.1.0", "2.0.0-rc.1"];

/// How long a scenario waits for what does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The bucket with versioning that the defaults name.
pub(crate) const BUCKET: &str = "artifacts";

/// Where everything is.
pub(crate) const REGION: &str = "us-east-1";

/// How a world differs from the plain one.
pub(crate) struct Setup {
    /// The functions, each with a manifest that says 1.0.0.
    pub(crate) functions: &'static [&'static str],
    /// What Git may manage.
    pub(crate) globs: &'static [&'static str],
    /// Whether the bucket keeps versions.
    pub(crate) versioned: bool,
    /// Whether the desired state comes from a Git repository.
    pub(crate) git: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            functions: &["api"],
            globs: &["*"],
            versioned: true,
            git: false,
        }
    }
}

/// A world.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    /// Somebody else's hands in the account.
    pub(crate) aws: Place,
    pub(crate) clock: ManualClock,
    pub(crate) policy: PassPolicy,
    pub(crate) url: String,
    pub(crate) origin: Option<Origin>,
    /// What ids and hashes stand for, so that a story can name them.
    pub(crate) names: BTreeMap<String, String>,
    folder: TempDir,
    git: Option<Box<GitSource>>,
    globs: Vec<String>,
    engine: TestEngine,
    stop: CancellationToken,
    _server: tokio::task::JoinSet<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    /// The function `api` runs 1.0.0: as `$LATEST`, and as version 1 behind the alias `live`.
    pub(crate) async fn settled() -> Self {
        Self::with(Setup::default()).await
    }

    /// As [`World::settled`], and 1.1.0 was released since: it is version 2, and `live` runs that.
    pub(crate) async fn released() -> Self {
        let mut world = Self::settled().await;
        world.function("api", "1.1.0");
        world.settle().await;
        world
    }

    /// A world of one's own, settled.
    pub(crate) async fn with(setup: Setup) -> Self {
        let clock = ManualClock::default();
        let sandbox = Sandbox::new(Options {
            clock: sandbox::Clock::Manual(clock.clone()),
            ..Options::default()
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let mut server = tokio::task::JoinSet::new();
        let (handle, token) = (sandbox.clone(), stop.clone());
        server.spawn(async move { handle.serve(listener, token).await.unwrap() });
        let globs: Vec<String> = setup.globs.iter().map(ToString::to_string).collect();
        let origin = setup.git.then(Origin::new);
        let mut world = Self {
            aws: sandbox.place(REGION),
            policy: PassPolicy::default(),
            names: BTreeMap::from([(url.clone(), "http://sandbox".to_owned())]),
            folder: tempfile::tempdir().unwrap(),
            git: origin.as_ref().map(|origin| Box::new(git_source(origin))),
            engine: engine(&url, &globs, &clock).await,
            sandbox,
            clock,
            url,
            origin,
            globs,
            stop,
            _server: server,
        };
        world.sandbox.create_bucket(BUCKET, REGION, setup.versioned).unwrap();
        world.file(
            "defaults.yaml",
            &format!(
                "apiVersion: pinfold/v1\nkind: Defaults\nartifact: s3://{BUCKET}/{{name}}/{{version}}.zip\n\
                 aliases: {{ live: {{}} }}\n"
            ),
        );
        for function in setup.functions {
            world.create(function);
            world.function(function, "1.0.0");
        }
        world.settle().await;
        world
    }

    /// Makes a function as Terraform would, and uploads its artifacts.
    pub(crate) fn create(&mut self, function: &str) {
        let code = Code::zip(zip("placeholder"));
        self.name_hash("placeholder");
        self.aws.create_function(NewFunction::new(function, code)).unwrap();
        for version in VERSIONS {
            self.upload(function, version, version);
        }
    }

    /// Uploads an artifact whose bytes are told by `tag`.
    pub(crate) fn upload(&mut self, function: &str, version: &str, tag: &str) {
        let key = format!("{function}/{version}.zip");
        let id = self.sandbox.put_object(BUCKET, &key, zip(tag), true).unwrap();
        if let Some(id) = id {
            self.names.insert(id, format!("object:{key}"));
        }
        self.name_hash(tag);
    }

    /// Has stories call the hash of the zip of `tag` by that name.
    pub(crate) fn name_hash(&mut self, tag: &str) {
        self.names.insert(sha(tag), format!("sha:{tag}"));
    }

    /// Writes the manifest of a function that runs `version` and takes the rest from the defaults.
    pub(crate) fn function(&mut self, name: &str, version: &str) {
        self.manifest(name, &format!("version: \"{version}\"\n"));
    }

    /// Writes the manifest of a function.
    pub(crate) fn manifest(&mut self, name: &str, rest: &str) {
        let text = format!("apiVersion: pinfold/v1\nkind: Function\nname: {name}\n{rest}");
        self.file(&format!("prod/{name}.yaml"), &text);
    }

    /// Writes a file of the desired-state tree, and commits it where there is a repository.
    pub(crate) fn file(&mut self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self.commit();
    }

    /// The folder of the desired-state tree.
    pub(crate) fn tree(&self) -> &Path {
        self.folder.path()
    }

    /// Removes a file of the desired-state tree.
    pub(crate) fn remove(&mut self, path: &str) {
        std::fs::remove_file(self.folder.path().join(path)).unwrap();
        self.commit();
    }

    fn commit(&mut self) {
        if let Some(origin) = &self.origin {
            let commit = origin.commit(self.folder.path());
            let number = self.names.values().filter(|name| name.starts_with("commit#")).count();
            self.names.entry(commit).or_insert(format!("commit#{}", number + 1));
        }
    }

    /// Lets Pinfold bring everything to what Git says, and notes how things stand.
    pub(crate) async fn settle(&mut self) {
        // However many functions there are, this is not the pass that a scenario is about.
        let limit = std::mem::replace(&mut self.policy.change_limit, ChangeLimit::Unlimited);
        let report = self.apply().await;
        self.policy.change_limit = limit;
        assert_eq!(report.to_json()["inSync"], true, "{:#}", report.to_json());
        self.mark();
    }

    /// Forgets the calls so far, and has stories call the guards as they are now by name.
    pub(crate) fn mark(&mut self) {
        self.names.retain(|_, name| !name.ends_with("@start"));
        for function in self.functions() {
            let revision = self.aws.function(&function, None).unwrap()["Configuration"]["RevisionId"].clone();
            let guards = self
                .aliases(&function)
                .into_iter()
                .map(|alias| (alias["RevisionId"].clone(), alias["Name"].clone()))
                .chain([(revision, json!("$LATEST"))]);
            for (revision, name) in guards {
                let name = format!("{}@start", name.as_str().unwrap());
                self.names.insert(revision.as_str().unwrap().to_owned(), name);
            }
        }
        self.sandbox.clear_calls();
    }

    /// Goes on as a new process, which remembers nothing.
    pub(crate) async fn restart(&mut self) {
        self.engine = engine(&self.url, &self.globs, &self.clock).await;
        self.git = self.origin.as_ref().map(|origin| Box::new(git_source(origin)));
    }

    pub(crate) async fn desired(&self) -> DesiredState {
        match &self.git {
            Some(git) => self.load(&**git).await,
            None => self.load(&FolderSource::new(self.tree())).await,
        }
    }

    async fn load<S: DesiredSource>(&self, source: &S) -> DesiredState {
        let head: Option<CommitId> = source.head().await.unwrap();
        load(source, head, &self.engine.targets(), &mut ManifestCache::default())
            .await
            .unwrap()
    }

    /// What `pinfold plan` does.
    pub(crate) async fn plan(&self) -> Report {
        let desired = self.desired().await;
        self.engine.plan(&desired, &Scope::default(), &self.policy).await
    }

    /// What `pinfold apply` does.
    pub(crate) async fn apply(&self) -> Report {
        let desired = self.desired().await;
        let stop = CancellationToken::new();
        self.engine
            .apply(&desired, &Scope::default(), &self.policy, &stop)
            .await
            .expect("nobody stops the pass")
    }

    /// The same, stopped when the sandbox has answered a call of an operation.
    pub(crate) async fn apply_until_called(&self, operation: &str) -> Option<Report> {
        let desired = self.desired().await;
        let (scope, stop) = (Scope::default(), CancellationToken::new());
        let (report, ()) = tokio::join!(self.engine.apply(&desired, &scope, &self.policy, &stop), async {
            self.until_called(operation).await;
            stop.cancel();
        });
        report
    }

    /// Returns the calls that write, be they carried out or refused.
    pub(crate) fn writes(&self) -> Vec<Call> {
        let mut calls = self.sandbox.calls();
        calls.retain(|call| {
            let reads = ["Get", "List", "Head"];
            !reads.iter().any(|read| call.operation.starts_with(read))
        });
        calls
    }

    /// Waits until the sandbox has answered a call of an operation.
    pub(crate) async fn until_called(&self, operation: &str) {
        until(|| self.called(operation)).await;
    }

    /// Waits until the sandbox has answered this many calls that write.
    pub(crate) async fn until_written(&self, count: usize) {
        until(|| self.writes().len() >= count).await;
    }

    /// Turns the clock until a delayed call is carried out.
    pub(crate) async fn delayed(&self, operation: &str) {
        until(|| {
            self.clock.advance(Duration::from_secs(1));
            self.called(operation)
        })
        .await;
    }

    fn called(&self, operation: &str) -> bool {
        self.sandbox.calls().iter().any(|call| call.operation == operation)
    }

    /// Returns the names of the functions that there are.
    pub(crate) fn functions(&self) -> Vec<String> {
        let listed = self.aws.call("ListFunctions", json!({})).unwrap();
        let name = |function: &Value| function["FunctionName"].as_str().unwrap().to_owned();
        listed["Functions"].as_array().unwrap().iter().map(name).collect()
    }

    pub(crate) fn aliases(&self, function: &str) -> Vec<Value> {
        let listed = self.aws.call("ListAliases", json!({ "FunctionName": function }));
        listed.unwrap()["Aliases"].as_array().unwrap().clone()
    }

    /// Lets a fault befall the next call of an operation.
    pub(crate) fn inject(&self, operation: &str, effect: Effect) {
        self.sandbox.inject(sandbox::Fault::on(operation, effect));
    }

    /// Refuses the next calls of an operation; with 0 all of them.
    pub(crate) fn refuse(&self, operation: &str, status: u16, times: u32) {
        self.sandbox
            .inject(sandbox::Fault::on(operation, refusal(status)).times(times));
    }
}

/// A refusal with the error that goes with its status.
pub(crate) fn refusal(status: u16) -> Effect {
    Effect::Reply {
        status,
        error_type: None,
        message: None,
        retry_after: None,
    }
}

/// Lets the others go on until something is so. Only a scenario that has failed already has to give up.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("it never came to that");
}

/// A zip whose content is told by `tag`.
pub(crate) fn zip(tag: &str) -> Bytes {
    package([("index.js", format!("exports.handler = async () => '{tag}';"))])
}

/// The hash of the zip of `tag`, as Lambda and S3 write it.
pub(crate) fn sha(tag: &str) -> String {
    CodeSha256::from_bytes(Sha256::digest(zip(tag)).into()).to_string()
}
