//! A small world without HTTP: a sandbox, what Git says of it, and engines whose calls go through gates. Holds what came
//! about to what must always be true; in which order the calls go is decided elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use pinfold::domain::{
    ArtifactVersion, CodeSha256, DesiredArtifact, DesiredFunction, DesiredState, FunctionKey, FunctionName, Mode,
    S3Location, Target, Timestamp, VerifiedObject,
};
use pinfold::ports::{Clock, LambdaWrite as _};
use pinfold::reconcile::{Engine, TargetPorts};
use pinfold::sandbox::{self, Code, ManualClock, NewFunction, Options, Place, Sandbox, package};
use pinfold::telemetry::Telemetry;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::direct::Direct;
use crate::gate::{Gate, Gated, Passed, Witness, Write};
use crate::run::{Run, at_once, writes_of};

/// Artifact versions that there are of every function.
const VERSIONS: [&str; 4] = ["1.0.0", "1.1.0", "2.0.0-rc.1", "2.0.0-rc.2"];

/// Where everything is.
const REGION: &str = "us-east-1";

/// Passes after which a world must be settled, whatever befell it.
const PASSES: usize = 8;

/// How long the daemon waits before it looks again at what is about to change.
const FOLLOW_UP: Duration = Duration::from_secs(5);

/// The engine of these worlds.
pub(crate) type StageEngine = Engine<Gated<Direct>, Gated<Direct>, StageClock>;

/// The sandbox's clock, for the engine too: whoever sleeps turns it, so nobody waits.
#[derive(Clone)]
pub(crate) struct StageClock(ManualClock);

impl Clock for StageClock {
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

/// A world.
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    /// Somebody else's hands.
    pub(crate) aws: Place,
    pub(crate) clock: ManualClock,
    pub(crate) desired: DesiredState,
    /// How long the engine's uploads stay in progress.
    pub(crate) window: Duration,
    shelf: BTreeMap<S3Location, VerifiedObject>,
    /// Shared by all engines: registering every metric anew for each would take longer than a pass.
    telemetry: Telemetry,
    target: Target,
}

impl Stage {
    /// Functions as Terraform makes them, with their artifacts in S3. Git names none yet.
    pub(crate) fn new(functions: &[&str]) -> Self {
        let clock = ManualClock::default();
        let sandbox = Sandbox::new(Options {
            clock: sandbox::Clock::Manual(clock.clone()),
            ..Options::default()
        });
        sandbox.create_bucket("artifacts", REGION, true).unwrap();
        let mut stage = Self {
            aws: sandbox.place(REGION),
            sandbox,
            clock,
            desired: DesiredState::default(),
            window: Duration::ZERO,
            shelf: BTreeMap::new(),
            telemetry: Telemetry::new().unwrap(),
            target: Target {
                name: "prod".parse().unwrap(),
                path: "prod".to_owned(),
                region: Some(REGION.parse().unwrap()),
                account: None,
                functions: vec!["*".parse().unwrap()],
            },
        };
        for function in functions {
            let code = Code::zip(zip("placeholder"));
            stage.aws.create_function(NewFunction::new(function, code)).unwrap();
            for version in VERSIONS {
                stage.upload(function, version);
            }
        }
        stage
    }

    /// As [`Stage::new`], and each function runs 1.0.0, in `$LATEST` and behind `live`.
    pub(crate) fn settled(functions: &[&str]) -> Self {
        let mut stage = Self::new(functions);
        for function in functions {
            stage.want(function, "1.0.0", &[("live", "1.0.0")]);
        }
        stage.settle();
        stage
    }

    fn upload(&mut self, function: &str, version: &str) {
        let location = location(function, version);
        let id = self.sandbox.put_object("artifacts", &location.key, zip(version), true);
        let stored = VerifiedObject {
            location: S3Location {
                object_version: id.unwrap(),
                ..location.clone()
            },
            sha256: hash(version),
        };
        self.shelf.insert(location, stored);
    }

    /// Has Git name a function's versions.
    pub(crate) fn want(&mut self, function: &str, version: &str, aliases: &[(&str, &str)]) {
        let artifact = |version: &str| artifact(function, version);
        let desired = DesiredFunction {
            file: format!("prod/{function}.yaml"),
            code: artifact(version),
            aliases: aliases
                .iter()
                .map(|(alias, version)| (alias.parse().unwrap(), artifact(version)))
                .collect(),
            mode: Mode::Reconcile,
            suspend: None,
        };
        self.desired.functions.insert(key(function), desired);
    }

    /// An engine that remembers nothing, behind a gate.
    pub(crate) fn engine(&self, gate: &Gate) -> StageEngine {
        let ports = Gated {
            inner: self.direct(),
            gate: gate.clone(),
        };
        let ports = TargetPorts {
            target: self.target.clone(),
            lambda: ports.clone(),
            artifacts: ports,
        };
        Engine::new(vec![ports], StageClock(self.clock.clone()), self.telemetry.clone())
    }

    pub(crate) fn direct(&self) -> Direct {
        Direct::new(&self.aws, self.window, self.shelf.clone())
    }

    /// Tells whether a write is about to replace something that the engine has not read.
    pub(crate) fn witness(&self) -> Witness {
        let aws = self.aws.clone();
        Box::new(move |write, seen| {
            let present = match write {
                Write::Update(name, ..) => aws
                    .function(name.as_str(), None)
                    .map(|found| found["Configuration"].clone()),
                Write::Move(name, alias, ..) => aws.alias(name.as_str(), alias.as_str()),
                Write::Publish(..) | Write::Create(..) => return false,
            };
            // What is not there cannot be replaced.
            present.is_ok_and(|present| !seen.contains(&present["RevisionId"].as_str().unwrap().parse().unwrap()))
        })
    }

    /// Has a call that was on its way arrive.
    pub(crate) fn arrive(&self, write: &Write) {
        let direct = self.direct();
        // Whether Lambda takes or refuses it, nobody hears.
        match write {
            Write::Update(name, code, settings, guard) => {
                drop(at_once(direct.update_code(name, code, settings, guard)));
            }
            Write::Publish(name, guard, publication) => drop(at_once(direct.publish(name, *guard, publication))),
            Write::Create(name, alias, to) => drop(at_once(direct.create_alias(name, alias, *to))),
            Write::Move(name, alias, to, guard) => drop(at_once(direct.move_alias(name, alias, *to, guard))),
        }
    }

    /// Makes passes until one has nothing to do. Returns the writes.
    pub(crate) fn settle(&self) -> Vec<Passed> {
        let gate = Gate::default();
        self.settle_with(&self.engine(&gate), &gate)
    }

    /// The same with an engine that has worked before, and remembers what it may.
    pub(crate) fn settle_with(&self, engine: &StageEngine, gate: &Gate) -> Vec<Passed> {
        let mut writes = Vec::new();
        for _ in 0..PASSES {
            self.clock.advance(FOLLOW_UP);
            gate.forget();
            let mut run = Run::new(engine, &self.desired, gate);
            run.finish();
            let written = writes_of(gate);
            let quiet = written.is_empty();
            writes.extend(written);
            if quiet && run.in_sync() {
                return writes;
            }
        }
        panic!("not settled after {PASSES} passes: {:#}", self.live());
    }

    /// What is live, told so that two worlds can be compared: hashes for versions, no ids.
    pub(crate) fn live(&self) -> Value {
        let functions = self.desired.functions.keys().map(|key| {
            let name = key.name.as_str();
            let versions = self.versions(name);
            let sha = |version: &Value| {
                let found = versions.iter().find(|one| one["Version"] == *version);
                found.map_or(Value::Null, |one| one["CodeSha256"].clone())
            };
            let aliases: BTreeMap<&str, Value> = self.aliases(name).iter().fold(BTreeMap::new(), |mut all, alias| {
                let desired = self.desired.functions[key].aliases.keys();
                if let Some(named) = desired.into_iter().find(|one| alias["Name"] == one.as_str()) {
                    let runs = json!({ "sha": sha(&alias["FunctionVersion"]), "weights": alias["RoutingConfig"] });
                    all.insert(named.as_str(), runs);
                }
                all
            });
            (name, json!({ "latest": versions[0]["CodeSha256"], "aliases": aliases }))
        });
        functions.collect::<BTreeMap<_, _>>().into_iter().collect()
    }

    pub(crate) fn versions(&self, function: &str) -> Vec<Value> {
        let input = json!({ "FunctionName": function });
        let listed = self.aws.call("ListVersionsByFunction", input).unwrap();
        listed["Versions"].as_array().unwrap().clone()
    }

    pub(crate) fn aliases(&self, function: &str) -> Vec<Value> {
        let listed = self.aws.call("ListAliases", json!({ "FunctionName": function }));
        listed.unwrap()["Aliases"].as_array().unwrap().clone()
    }

    /// Holds every write to what must be true of it: an alias was moved only to code that one of these commits names
    /// for it, and nothing was replaced that had not been read.
    pub(crate) fn assert_sound(&self, writes: &[Passed], commits: &[&DesiredState], case: &str) {
        for passed in writes.iter().filter(|passed| passed.succeeded == Some(true)) {
            assert!(!passed.unseen, "{case}: {} replaced what was not read", passed.name);
            let (function, alias, to) = match passed.write.as_ref().unwrap() {
                Write::Create(function, alias, to) | Write::Move(function, alias, to, _) => (function, alias, to),
                Write::Update(..) | Write::Publish(..) => continue,
            };
            let version = to.to_string();
            // A version that somebody deleted since is not there to be asked any more.
            let Ok(served) = self.aws.function(function.as_str(), Some(&version)) else {
                continue;
            };
            let served = served["Configuration"]["CodeSha256"].as_str().unwrap().to_owned();
            let names = |commit: &&DesiredState| {
                let wanted = &commit.functions[&key(function.as_str())].aliases[alias];
                served == hash(wanted.version.as_str()).to_string()
            };
            assert!(
                commits.iter().any(names),
                "{case}: {} moved {alias} to code that Git does not name",
                passed.name
            );
        }
    }

    /// Holds the published versions to one for each hash and configuration, as far as Pinfold made them.
    pub(crate) fn assert_no_version_twice(&self, case: &str) {
        for key in self.desired.functions.keys() {
            let mut made: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
            for version in self.versions(key.name.as_str()) {
                if version["Description"].as_str().unwrap().starts_with("pinfold ") {
                    let hash = version["CodeSha256"].to_string();
                    let configuration = format!("{} {}", version["Timeout"], version["MemorySize"]);
                    let of = made.entry((hash, configuration)).or_default();
                    of.push(version["Version"].clone());
                }
            }
            for ((hash, _), numbers) in made {
                assert_eq!(numbers.len(), 1, "{case}: {hash} was published as {numbers:?}");
            }
        }
    }
}

pub(crate) fn key(function: &str) -> FunctionKey {
    FunctionKey {
        target: "prod".parse().unwrap(),
        name: function.parse::<FunctionName>().unwrap(),
    }
}

/// An artifact as Git names it.
pub(crate) fn artifact(function: &str, version: &str) -> DesiredArtifact {
    DesiredArtifact {
        version: version.parse::<ArtifactVersion>().unwrap(),
        pin: None,
        location: location(function, version),
    }
}

fn location(function: &str, version: &str) -> S3Location {
    S3Location {
        bucket: "artifacts".to_owned(),
        key: format!("{function}/{version}.zip"),
        object_version: None,
    }
}

/// A zip whose content is told by `tag`.
pub(crate) fn zip(tag: &str) -> Bytes {
    package([("index.js", tag)])
}

/// The hash of the zip of `tag`.
pub(crate) fn hash(tag: &str) -> CodeSha256 {
    // Asked for thousands of times, and slow without optimisation.
    static KNOWN: Mutex<BTreeMap<String, CodeSha256>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || CodeSha256::from_bytes(Sha256::digest(zip(tag)).into());
    *known.entry(tag.to_owned()).or_insert_with(make)
}
