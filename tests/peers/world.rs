//! What every scenario starts from: a function at rest on the peer, its artifacts in a bucket of its own, and Pinfold with
//! a desired-state tree. What is made here is deleted again when the scenario ends, however it ends.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use aws_sdk_lambda::operation::delete_function::DeleteFunctionError;
use futures::FutureExt as _;
use pinfold::adapters::folder::FolderSource;
use pinfold::domain::DesiredState;
use pinfold::plan::Report;
use pinfold::reconcile::{ManifestCache, PassPolicy, Scope, load};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::hands::{Hands, sha};
use crate::peer::Peer;
use crate::wiring::{Before, Meddler, PeerEngine, engine};

/// Every artifact version that the bucket holds from the start.
const VERSIONS: [&str; 3] = ["1.0.0", "1.1.0", "2.0.0-rc.1"];

/// Runs a scenario. `name` is told to whoever reads the output, and is a part of every name that it makes.
pub(crate) async fn scenario(name: &'static str, body: impl AsyncFnOnce(&mut World)) {
    run(name, true, body).await;
}

/// As [`scenario`], with a bucket that keeps no versions.
pub(crate) async fn scenario_without_object_versions(name: &'static str, body: impl AsyncFnOnce(&mut World)) {
    run(name, false, body).await;
}

async fn run(name: &'static str, versioned: bool, body: impl AsyncFnOnce(&mut World)) {
    let mut world = World::new(name).await;
    let outcome = AssertUnwindSafe(async {
        world.begin(versioned).await;
        body(&mut world).await;
    })
    .catch_unwind()
    .await;
    let left = world.delete_everything().await;
    if let Err(panic) = outcome {
        if !left.is_empty() {
            world.tell(&format!("left behind: {}", left.join(", ")));
        }
        resume_unwind(panic);
    }
    assert_eq!(left, [""; 0], "what was made cannot be deleted");
}

/// A world.
pub(crate) struct World {
    pub(crate) scenario: &'static str,
    pub(crate) hands: Arc<Hands>,
    /// How the name of every function here begins, and of no other. Stories leave it out.
    pub(crate) prefix: String,
    /// The function's name.
    pub(crate) function: String,
    pub(crate) policy: PassPolicy,
    /// What ids and hashes stand for, so that a story can name them.
    pub(crate) names: BTreeMap<String, String>,
    folder: TempDir,
    engine: PeerEngine,
    meddler: Arc<Meddler>,
    made: Vec<String>,
}

impl World {
    async fn new(scenario: &'static str) -> Self {
        let unique = Peer::unique(scenario);
        let prefix = format!("{unique}_");
        let hands = Arc::new(Hands::new(unique).await);
        let meddler = Arc::default();
        Self {
            engine: engine(&hands.peer, &prefix, &meddler).await,
            scenario,
            function: format!("{prefix}api"),
            names: BTreeMap::from([(prefix.clone(), String::new())]),
            prefix,
            hands,
            policy: PassPolicy::default(),
            folder: tempfile::tempdir().unwrap(),
            meddler,
            made: Vec::new(),
        }
    }

    async fn begin(&mut self, versioned: bool) {
        self.hands.create_bucket(versioned).await;
        let bucket = &self.hands.bucket;
        self.file(
            "defaults.yaml",
            &format!(
                "apiVersion: pinfold/v1\nkind: Defaults\nartifact: s3://{bucket}/{{name}}/{{version}}.zip\n\
                 aliases: {{ live: {{}} }}\n"
            ),
        );
        for version in VERSIONS {
            self.upload(version, version).await;
        }
        let function = self.function.clone();
        self.create(&function).await;
        self.version("1.0.0");
        self.settle().await;
    }

    /// Makes a function as Terraform would.
    pub(crate) async fn create(&mut self, function: &str) {
        self.name_hash("placeholder");
        self.made.push(function.to_owned());
        self.hands.create_function(function).await;
    }

    /// Uploads an artifact of the function whose bytes are told by `tag`.
    pub(crate) async fn upload(&mut self, version: &str, tag: &str) -> Option<String> {
        self.name_hash(tag);
        let id = self.hands.upload(&self.key(version), tag, true).await;
        if let Some(id) = &id {
            self.names.insert(id.clone(), format!("object:{tag}"));
        }
        id
    }

    pub(crate) fn key(&self, version: &str) -> String {
        format!("{}/{version}.zip", self.function)
    }

    /// Has stories call the hash of the zip of `tag` by that name.
    pub(crate) fn name_hash(&mut self, tag: &str) {
        self.names.insert(sha(tag), format!("sha:{tag}"));
    }

    /// Writes the function's manifest: it runs `version` and takes the rest from the defaults.
    pub(crate) fn version(&self, version: &str) {
        self.manifest(&format!("version: \"{version}\"\n"));
    }

    /// Writes the function's manifest.
    pub(crate) fn manifest(&self, rest: &str) {
        self.manifest_of(&self.function, rest);
    }

    /// Writes the manifest of another function.
    pub(crate) fn manifest_of(&self, name: &str, rest: &str) {
        let text = format!("apiVersion: pinfold/v1\nkind: Function\nname: {name}\n{rest}");
        self.file(&format!("prod/{name}.yaml"), &text);
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// 1.1.0 is released: version 2, and `live` runs it.
    pub(crate) async fn release(&self) {
        self.version("1.1.0");
        self.settle().await;
    }

    /// Lets Pinfold bring everything to what Git says.
    pub(crate) async fn settle(&self) {
        let report = self.apply().await.to_json();
        assert_eq!(report["inSync"], true, "{}", self.named(&format!("{report:#}")));
    }

    /// Goes on as a new process, which remembers nothing.
    pub(crate) async fn restart(&mut self) {
        self.engine = engine(&self.hands.peer, &self.prefix, &self.meddler).await;
    }

    async fn desired(&self) -> DesiredState {
        let source = FolderSource::new(self.folder.path());
        let targets = self.engine.targets();
        load(&source, None, &targets, &mut ManifestCache::default())
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

    /// Has somebody do something to the function in the instant before Pinfold's next write of a kind.
    pub(crate) fn meddle<D: Future<Output = ()> + Send + 'static>(
        &self,
        before: Before,
        deed: impl FnOnce(Arc<Hands>, String) -> D,
    ) {
        let deed = deed(Arc::clone(&self.hands), self.function.clone());
        self.meddler.wait_for(before, Box::pin(deed));
    }

    /// Deletes what was made. Returns what could not be, and why.
    async fn delete_everything(&self) -> Vec<String> {
        let mut left = Vec::new();
        for function in &self.made {
            let call = self.hands.lambda.delete_function().function_name(function);
            if let Err(error) = call.send().await
                && !error
                    .as_service_error()
                    .is_some_and(DeleteFunctionError::is_resource_not_found_exception)
            {
                left.push(format!("function {function}: {error:?}"));
            }
        }
        if let Err(error) = self.delete_bucket().await {
            left.push(format!("bucket {}: {error:?}", self.hands.bucket));
        }
        left
    }

    async fn delete_bucket(&self) -> Result<(), aws_sdk_s3::Error> {
        let (s3, bucket) = (&self.hands.s3, &self.hands.bucket);
        let listed = match s3.list_object_versions().bucket(bucket).send().await {
            // It was never made.
            Err(error)
                if error
                    .raw_response()
                    .is_some_and(|response| response.status().as_u16() == 404) =>
            {
                return Ok(());
            }
            listed => listed?,
        };
        let versions = listed
            .versions()
            .iter()
            .map(|object| (object.key(), object.version_id()));
        let markers = listed
            .delete_markers()
            .iter()
            .map(|marker| (marker.key(), marker.version_id()));
        for (key, version) in versions.chain(markers) {
            let call = s3.delete_object().bucket(bucket).set_key(key.map(str::to_owned));
            call.set_version_id(version.map(str::to_owned)).send().await?;
        }
        s3.delete_bucket().bucket(bucket).send().await?;
        Ok(())
    }
}
