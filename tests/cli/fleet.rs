//! A sandbox as a child process with two functions in it, a repository that names them, and a configuration for both.

use pinfold::sandbox::{Code, NewFunction, Options, Place, Sandbox, package};

use crate::command::{Home, Running, http, url};
use crate::repository::Origin;

/// The configuration of [`Fleet`].
pub(crate) const CONFIG: &str = "pinfold.yaml";

/// Two functions, `api` and `worker`, that no alias serves yet.
pub(crate) struct Fleet {
    pub(crate) home: Home,
    pub(crate) origin: Origin,
    pub(crate) url: String,
    _sandbox: Running,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let home = Home::new();
        let mut sandbox = home.start(&["sandbox", "--listen", "127.0.0.1:0"]);
        let line = sandbox.stdout_line();
        assert!(line.starts_with("listening on http://127.0.0.1:"), "{line:?}");
        let url = url(&line);
        let (status, body) = http("PUT", &format!("{url}/_sandbox/state"), &state());
        assert_eq!(status, 200, "{body}");
        let origin = Origin::new();
        home.file(
            CONFIG,
            &format!(
                "repository: {{ url: {} }}\n\
                 targets: [{{ name: prod, path: prod, region: us-east-1, endpointUrl: \"{url}\" }}]\n\
                 schedule: {{ git: \"* * * * * *\" }}\n\
                 limits: {{ getFunctionPerSecond: 1000, controlPlanePerSecond: 1000 }}\n\
                 http: {{ listen: \"127.0.0.1:0\" }}\n",
                origin.path()
            ),
        );
        let fleet = Self {
            home,
            origin,
            url,
            _sandbox: sandbox,
        };
        fleet.home.file(
            "tree/defaults.yaml",
            "apiVersion: pinfold/v1\nkind: Defaults\nartifact: s3://artifacts/{version}.zip\naliases: { live: {} }\n",
        );
        fleet.commit("api", "1.0.0");
        fleet.commit("worker", "1.0.0");
        fleet
    }

    /// Writes the manifest of a function and commits it. Returns the commit.
    pub(crate) fn commit(&self, function: &str, version: &str) -> String {
        let text = format!("apiVersion: pinfold/v1\nkind: Function\nname: {function}\nversion: \"{version}\"\n");
        self.home.file(&format!("tree/prod/{function}.yaml"), &text);
        self.origin.commit(&self.home.path().join("tree"))
    }

    /// Returns the hash behind an alias.
    pub(crate) fn served(&self, function: &str, alias: &str) -> String {
        let (_, state) = http("GET", &format!("{}/_sandbox/state", self.url), "");
        let copy = Sandbox::new(Options::default());
        copy.load(serde_json::from_str(&state).unwrap()).unwrap();
        let function = place(&copy).function(function, Some(alias)).unwrap();
        function["Configuration"]["CodeSha256"].as_str().unwrap().to_owned()
    }

    /// Returns the operations of the calls that write.
    pub(crate) fn writes(&self) -> Vec<String> {
        let (_, calls) = http("GET", &format!("{}/_sandbox/calls", self.url), "");
        let calls: serde_json::Value = serde_json::from_str(&calls).unwrap();
        let operations = calls["calls"]
            .as_array()
            .unwrap()
            .iter()
            .map(|call| call["operation"].as_str().unwrap());
        operations
            .filter(|operation| !["Get", "List", "Head"].iter().any(|read| operation.starts_with(read)))
            .map(str::to_owned)
            .collect()
    }
}

fn place(sandbox: &Sandbox) -> Place {
    sandbox.place("us-east-1")
}

fn zip(tag: &str) -> bytes::Bytes {
    package([("index.js", tag)])
}

/// The hash of an artifact version.
pub(crate) fn sha(version: &str) -> String {
    let sandbox = Sandbox::new(Options::default());
    let made = place(&sandbox)
        .create_function(NewFunction::new("f", Code::zip(zip(version))))
        .unwrap();
    made["CodeSha256"].as_str().unwrap().to_owned()
}

/// A sandbox's state with the functions and their artifacts.
fn state() -> String {
    let sandbox = Sandbox::new(Options::default());
    sandbox.create_bucket("artifacts", "us-east-1", true).unwrap();
    for version in ["1.0.0", "1.1.0"] {
        sandbox
            .put_object("artifacts", &format!("{version}.zip"), zip(version), true)
            .unwrap();
    }
    for function in ["api", "worker"] {
        let code = Code::zip(zip("placeholder"));
        place(&sandbox)
            .create_function(NewFunction::new(function, code))
            .unwrap();
    }
    serde_json::to_string(&sandbox.save()).unwrap()
}
