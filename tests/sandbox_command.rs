//! `pinfold sandbox` as a program: what it starts from, what it leaves behind, and how it refuses.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says where by itself"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use pinfold::domain::CodeSha256;
use pinfold::sandbox::package;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// The binary in an empty environment with a home of its own.
fn pinfold(home: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinfold"));
    command
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        .current_dir(home.path());
    command
}

/// A sandbox that serves.
struct Serving {
    child: Child,
    url: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It has ended already, unless the test failed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    fn start(home: &TempDir, arguments: &[&str]) -> Self {
        let mut child = pinfold(home, &[&["sandbox", "--listen", "127.0.0.1:0"], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        match line.strip_prefix("listening on ") {
            Some(url) => Self {
                url: url.trim().to_owned(),
                child,
            },
            None => panic!("{:?}", child.wait_with_output()),
        }
    }

    /// Ends it with SIGTERM. Returns what it said beside the address.
    fn stop(mut self) -> String {
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }

    /// Plans what the folder `git` says against it.
    fn plan(&self, home: &TempDir) -> Output {
        let config = format!(
            "targets:\n  - {{ name: prod, path: prod, region: us-east-1, endpointUrl: \"{}\" }}\n",
            self.url
        );
        fs::write(home.path().join("pinfold.yaml"), config).unwrap();
        let arguments = ["plan", "--config", "pinfold.yaml", "--source", "git"];
        pinfold(home, &arguments).output().unwrap()
    }
}

fn write(home: &TempDir, path: &str, content: impl AsRef<[u8]>) {
    let path = home.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn zip(tag: &str) -> bytes::Bytes {
    package([("index.js", tag)])
}

fn sha(tag: &str) -> CodeSha256 {
    CodeSha256::from_bytes(Sha256::digest(zip(tag)).into())
}

fn manifest(home: &TempDir, name: &str, rest: &str) {
    let text = format!("apiVersion: pinfold/v1\nkind: Function\nname: {name}\n{rest}");
    write(home, &format!("git/prod/{name}.yaml"), text);
}

/// Two functions: one with its zips, of which one is pinned and one is named by its object version; one without.
fn repository(home: &TempDir) {
    write(
        home,
        "git/defaults.yaml",
        "apiVersion: pinfold/v1\nkind: Defaults\nartifact: s3://acme-{region}/{name}/{version}.zip\naliases: { live: {} }\n",
    );
    let rest = format!(
        "version: \"1.0.0\"\nsha256: {}\naliases:\n  live:\n  beta: {{ version: \"1.1.0\", objectVersion: v42 }}\n",
        sha("api 1.0.0")
    );
    manifest(home, "api", &rest);
    manifest(home, "worker", "version: \"2.0.0\"\n");
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        let path = format!("git/_artifacts/acme-us-east-1/api/{version}.zip");
        write(home, &path, zip(&format!("api {version}")));
    }
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(both).unwrap()
}

#[test]
fn what_is_seeded_is_in_sync_and_outlives_the_process() {
    let home = TempDir::new().unwrap();
    repository(&home);
    let sandbox = Serving::start(&home, &["--seed", "git", "--save", "state.json"]);
    let plan = sandbox.plan(&home);
    assert_eq!(plan.status.code(), Some(0), "{}", text(&plan));
    assert_eq!(
        sandbox.stop(),
        "seeded 2 functions, 3 versions and 4 objects\n\
         made up, as git/_artifacts has no file BUCKET/KEY for them:\n  s3://acme-us-east-1/worker/2.0.0.zip\n"
    );

    // The next release is rehearsed on what was saved.
    let sandbox = Serving::start(&home, &["--load", "state.json"]);
    let plan = sandbox.plan(&home);
    assert_eq!(plan.status.code(), Some(0), "{}", text(&plan));
    manifest(&home, "api", "version: \"1.2.0\"\n");
    let plan = sandbox.plan(&home);
    assert_eq!(plan.status.code(), Some(1), "{}", text(&plan));
    let apply = ["apply", "--config", "pinfold.yaml", "--source", "git"];
    let apply = pinfold(&home, &apply).output().unwrap();
    assert_eq!(apply.status.code(), Some(0), "{}", text(&apply));
    assert_eq!(sandbox.stop(), "");

    // Nothing was saved since, so the state is that of before; and what is there already is not seeded again.
    let sandbox = Serving::start(
        &home,
        &["--load", "state.json", "--seed", "git", "--save", "state.json"],
    );
    let plan = sandbox.plan(&home);
    assert_eq!(plan.status.code(), Some(1), "{}", text(&plan));
    assert_eq!(sandbox.stop(), "seeded 0 functions, 0 versions and 3 objects\n");
    let left: Vec<_> = fs::read_dir(home.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 3, "a temporary file is left: {left:?}");
}

#[test]
fn the_zips_may_lie_elsewhere() {
    let home = TempDir::new().unwrap();
    repository(&home);
    fs::rename(home.path().join("git/_artifacts"), home.path().join("zips")).unwrap();
    let sandbox = Serving::start(&home, &["--seed", "git", "--artifacts", "zips", "--function", "api"]);
    assert_eq!(sandbox.stop(), "seeded 1 functions, 2 versions and 3 objects\n");
}

/// Runs a sandbox that must refuse to start. Returns why it did.
fn refusal(home: &TempDir, arguments: &[&str], code: i32) -> String {
    let arguments = [&["sandbox", "--listen", "127.0.0.1:0"], arguments].concat();
    let output = pinfold(home, &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", text(&output));
    assert_eq!(output.stdout, b"");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_state_that_cannot_be_read_is_named_with_what_to_do() {
    let home = TempDir::new().unwrap();
    let remedy = "name a file that `pinfold sandbox --save` of this version wrote, or leave out --load";
    let load = ["--load", "state.json"];
    let told = refusal(&home, &load, 2);
    assert_eq!(
        told,
        format!("error: cannot load state.json: No such file or directory (os error 2): {remedy}\n")
    );
    write(&home, "state.json", "not a state");
    let told = refusal(&home, &load, 2);
    assert!(told.starts_with("error: cannot load state.json: expected"), "{told}");
    assert!(told.contains(remedy), "{told}");
    Serving::start(&home, &["--save", "empty.json"]).stop();
    let state = fs::read_to_string(home.path().join("empty.json")).unwrap();
    write(&home, "state.json", state.replacen("\"layout\":1", "\"layout\":999", 1));
    let told = refusal(&home, &load, 2);
    assert!(told.contains("layout 999"), "{told}");
}

#[test]
fn a_state_that_cannot_be_written_is_told_before_anything_is_done() {
    let home = TempDir::new().unwrap();
    let told = refusal(&home, &["--save", "nowhere/state.json"], 2);
    assert!(
        told.starts_with("error: cannot save to nowhere/state.json: No such file"),
        "{told}"
    );
    assert!(told.contains("name a file in a folder that exists"), "{told}");
    let told = refusal(&home, &["--save", "."], 2);
    assert!(told.contains("this is a folder"), "{told}");
}

#[test]
fn a_seed_that_makes_no_sense_is_refused_whole_by_file_and_place() {
    let home = TempDir::new().unwrap();
    repository(&home);
    manifest(&home, "broken", "version: 1.0\n");
    let told = refusal(&home, &["--seed", "git"], 2);
    assert!(
        told.starts_with("error: nothing is seeded from git:\n  prod/broken.yaml:4:"),
        "{told}"
    );
    fs::remove_file(home.path().join("git/prod/broken.yaml")).unwrap();

    let told = refusal(&home, &["--seed", "nowhere"], 2);
    assert!(told.contains("nowhere"), "{told}");

    let pinned = format!("version: \"2.0.0\"\nsha256: {}\n", sha("worker 2.0.0"));
    manifest(&home, "worker", &pinned);
    let told = refusal(&home, &["--seed", "git"], 2);
    let wanted = Path::new("git/_artifacts/acme-us-east-1/worker/2.0.0.zip");
    assert!(told.contains("prod/worker.yaml pins version 2.0.0"), "{told}");
    assert!(told.contains(wanted.to_str().unwrap()), "{told}");
    manifest(&home, "worker", "version: \"2.0.0\"\n");

    let twin = fs::read(home.path().join("git/prod/worker.yaml")).unwrap();
    write(&home, "git/staging/worker.yaml", twin);
    let told = refusal(&home, &["--seed", "git"], 2);
    assert!(
        told.contains("prod/worker.yaml and staging/worker.yaml both deploy worker to us-east-1"),
        "{told}"
    );
    Serving::start(&home, &["--seed", "git", "--target", "prod"]).stop();

    let told = refusal(&home, &["--artifacts", "zips"], 64);
    assert!(told.contains("--seed"), "{told}");
}

#[test]
fn the_targets_of_a_configuration_are_seeded_where_pinfold_will_look() {
    let home = TempDir::new().unwrap();
    write(
        &home,
        "git/defaults.yaml",
        "apiVersion: pinfold/v1\nkind: Defaults\nartifact: s3://acme-{account}-{region}/{name}/{version}.zip\naliases: { live: {} }\n",
    );
    manifest(&home, "api", "version: \"1.0.0\"\n");
    write(
        &home,
        "git/eu/api.yaml",
        fs::read(home.path().join("git/prod/api.yaml")).unwrap(),
    );
    let config = |url: &str| {
        let text = format!(
            "targets:\n\
             - {{ name: prod, path: prod, region: us-east-1, account: \"111111111111\", endpointUrl: \"{url}\" }}\n\
             - {{ name: eu, path: eu, region: eu-west-1, account: \"222222222222\", roleArn: \
             \"arn:aws:iam::222222222222:role/pinfold\", endpointUrl: \"{url}\" }}\n"
        );
        write(&home, "pinfold.yaml", text);
    };
    config("http://127.0.0.1:1");
    let sandbox = Serving::start(&home, &["--seed", "git", "--config", "pinfold.yaml"]);
    config(&sandbox.url);
    let arguments = ["plan", "--config", "pinfold.yaml", "--source", "git"];
    let plan = pinfold(&home, &arguments).output().unwrap();
    assert_eq!(plan.status.code(), Some(0), "{}", text(&plan));
    let told = sandbox.stop();
    assert!(
        told.starts_with("seeded 2 functions, 2 versions and 2 objects\n"),
        "{told}"
    );
}
