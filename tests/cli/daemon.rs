//! `pinfold run` as a child process: its probes, metrics and status, a commit that it picks up, and its end.

use std::time::Duration;

use serde_json::Value;

use crate::command::{Home, Running, http, http_with, url};
use crate::fleet::{CONFIG, Fleet, sha};

/// Between two looks at a daemon, which is a process of its own and tells nobody when it is done.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until a test gives up.
const LOOKS: usize = 4000;

struct Daemon {
    running: Running,
    url: String,
}

fn start(home: &Home) -> Daemon {
    let mut running = home.start(&["run", "--config", CONFIG]);
    let url = url(&running.stderr_until("listening on"));
    Daemon { running, url }
}

impl Daemon {
    fn get(&self, path: &str) -> (u16, String) {
        http("GET", &format!("{}{path}", self.url), "")
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.get("/api/v1/status").1).unwrap()
    }

    /// Waits until the daemon shows something. Only a test that has failed already has to give up.
    fn until(&self, shows: impl Fn(&Self) -> bool) {
        for _ in 0..LOOKS {
            if shows(self) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
        panic!("the daemon never came to that: {:#}", self.status());
    }
}

#[test]
fn the_daemon_brings_the_fleet_in_sync_shows_it_and_ends_with_0() {
    let fleet = Fleet::new();
    let mut daemon = start(&fleet.home);
    assert_eq!(daemon.get("/livez"), (200, "ok\n".to_owned()));
    daemon.running.stderr_until("a pass is complete");
    daemon.until(|daemon| daemon.get("/readyz").0 == 200);

    let status = daemon.status();
    assert_eq!(
        (status["schemaVersion"].as_u64(), status["inSync"].as_bool()),
        (Some(1), Some(true))
    );
    assert_eq!(status["summary"]["inSync"], 2);
    let steps = status["functions"][0]["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["result"] == "done"), "{steps:#?}");
    assert_eq!(fleet.served("api", "live"), sha("1.0.0"));

    let (code, function) = daemon.get("/api/v1/functions/prod/api");
    assert_eq!(
        (code, serde_json::from_str::<Value>(&function).unwrap()),
        (200, status["functions"][0].clone())
    );
    assert_eq!(daemon.get("/api/v1/functions/prod/ghost").0, 404);
    let (code, page) = daemon.get("/");
    assert!(code == 200 && page.contains("<html") && page.contains("api"), "{page}");

    let (code, metrics) = daemon.get("/metrics");
    assert_eq!(code, 200);
    for line in [
        "pinfold_build_info{",
        "pinfold_function_drifted{",
        "pinfold_function_live_version{",
        "pinfold_syncs_total{",
        "pinfold_reconciles_total{result=\"ok\"} 1",
        "pinfold_aws_requests_total{operation=\"GetFunction\",result=\"ok\",service=\"lambda\"}",
        "pinfold_git_last_success_timestamp_seconds ",
        "pinfold_manifests{state=\"valid\"} 3",
    ] {
        assert!(
            metrics.lines().any(|found| found.starts_with(line)),
            "{line} is not in\n{metrics}"
        );
    }

    let shown = fleet.home.run(&["status", "--url", &daemon.url]);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    assert!(shown.stdout.contains("2 in sync"), "{}", shown.stdout);
    let shown = fleet.home.run(&["status", "--url", &daemon.url, "-o", "json"]);
    assert_eq!(shown.json()["functions"], daemon.status()["functions"]);

    let (ended, _) = daemon.running.terminate();
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn a_commit_is_live_without_anything_else_being_done() {
    let fleet = Fleet::new();
    let mut daemon = start(&fleet.home);
    daemon.running.stderr_until("a pass is complete");
    let commit = fleet.commit("api", "1.1.0");
    daemon.until(|daemon| daemon.status()["revision"] == commit.as_str());
    assert_eq!(daemon.status()["inSync"], true);
    assert_eq!(fleet.served("api", "live"), sha("1.1.0"));
    assert_eq!(fleet.served("worker", "live"), sha("1.0.0"));
}

#[test]
fn a_release_under_way_is_shown_everywhere() {
    let fleet = Fleet::new();
    let mut daemon = start(&fleet.home);
    daemon.running.stderr_until("a pass is complete");
    daemon.until(|daemon| daemon.get("/readyz").0 == 200);
    assert_eq!(daemon.status()["progress"], Value::Null);
    let commit = fleet.commit("api", "1.1.0");
    // An update takes a second in this sandbox.
    daemon.until(|daemon| {
        let progress = daemon.status()["progress"].clone();
        let text = fleet.home.run(&["status", "--url", &daemon.url]).stdout;
        let page = daemon.get("/").1;
        progress["revision"] == commit.as_str()
            && progress["inHand"] == 1
            && text.contains(": 0 of 1 functions changed, 1 in hand")
            && page.contains("<progress max=\"1\" value=\"0\"></progress>")
            && page.contains(&format!(
                "for commit <code>{commit}</code>: 0 of 1 functions changed, 1 in hand"
            ))
    });
    daemon.until(|daemon| daemon.status()["progress"].is_null() && daemon.status()["inSync"] == true);
    assert!(!daemon.get("/").1.contains("<progress"));
}

#[test]
fn a_broken_commit_is_told_and_what_is_live_stays() {
    let fleet = Fleet::new();
    let mut daemon = start(&fleet.home);
    daemon.running.stderr_until("a pass is complete");
    fleet.home.file("tree/prod/api.yaml", "name: api\n");
    let commit = fleet.commit("worker", "1.1.0");
    daemon.until(|daemon| daemon.status()["revision"] == commit.as_str());
    let status = daemon.status();
    assert_eq!(status["summary"]["withheld"], 1);
    assert_eq!(status["functions"][0]["withheld"][0]["reason"], "InvalidManifest");
    assert_eq!(fleet.served("api", "live"), sha("1.0.0"));
    assert_eq!(fleet.served("worker", "live"), sha("1.1.0"));
    assert_eq!(fleet.home.run(&["status", "--url", &daemon.url]).code, 1);
}

#[test]
fn a_daemon_without_its_repository_lives_and_is_not_ready() {
    let fleet = Fleet::new();
    let config = std::fs::read_to_string(fleet.home.path().join(CONFIG)).unwrap();
    let elsewhere = config.replace(fleet.origin.path(), "./nowhere.git");
    fleet.home.file(CONFIG, &elsewhere);
    let mut daemon = start(&fleet.home);
    daemon.running.stderr_until("could not be read");
    daemon.until(|daemon| daemon.status()["sourceError"].is_string());
    assert_eq!(daemon.get("/livez").0, 200);
    let (code, why) = daemon.get("/readyz");
    assert!(code == 503 && why.contains("nowhere.git"), "{code} {why}");
    assert_eq!(fleet.home.run(&["status", "--url", &daemon.url]).code, 2);
    let (ended, _) = daemon.running.terminate();
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn the_log_is_json_lines_that_read_alone() {
    let fleet = Fleet::new();
    let mut daemon = start(&fleet.home);
    let line = daemon.running.stderr_until("a pass is complete");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["message"], "a pass is complete");
    assert_eq!(
        (line["functions"].as_u64(), line["in_sync"].as_u64()),
        (Some(2), Some(2))
    );
    assert!(line["duration_ms"].is_u64(), "{line}");
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let fleet = Fleet::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = std::fs::read_to_string(fleet.home.path().join(CONFIG)).unwrap();
    fleet.home.file(CONFIG, &config.replace("127.0.0.1:0", &address));
    let outcome = fleet.home.run(&["run", "--config", CONFIG]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(outcome.stderr.replace(&address, "ADDRESS"), @r"error: cannot listen on ADDRESS: Address already in use (os error 98)");
}

#[test]
fn a_sandbox_ends_with_0_when_it_is_asked_to() {
    let home = Home::new();
    let mut sandbox = home.start(&["sandbox", "--listen", "127.0.0.1:0"]);
    let url = url(&sandbox.stdout_line());
    assert_eq!(http("GET", &format!("{url}/_sandbox/health"), "").0, 200);
    let (ended, rest) = sandbox.terminate();
    assert_eq!((ended.code(), rest.as_str()), (Some(0), ""));
}

#[test]
fn a_daemon_whose_binary_was_removed_still_reads_git() {
    let mut fleet = Fleet::new();
    let program = fleet.home.copy_program();
    let mut daemon = start(&fleet.home);
    daemon.running.stderr_until("a pass is complete");
    std::fs::remove_file(program).unwrap();
    let commit = fleet.commit("api", "1.1.0");
    daemon.until(|daemon| daemon.status()["revision"] == commit.as_str());
}

/// The configuration of a fleet whose repository is looked at by itself once a year.
fn with_webhooks(fleet: &Fleet, more: &str) {
    let config = std::fs::read_to_string(fleet.home.path().join(CONFIG)).unwrap();
    let seldom = config.replace("\"* * * * * *\"", "\"0 0 0 1 1 *\"");
    fleet.home.file(CONFIG, &format!("{seldom}{more}"));
}

#[test]
fn a_webhook_has_the_repository_looked_at() {
    let fleet = Fleet::new();
    fleet.home.file("secret", "hunter2\n");
    with_webhooks(&fleet, "webhooks: { github: { secretFile: secret } }\n");
    let mut daemon = start(&fleet.home);
    daemon.running.stderr_until("a pass is complete");
    let commit = fleet.commit("api", "1.1.0");
    // The HMAC-SHA-256 of `{}` with the key `hunter2`.
    let signature = "X-Hub-Signature-256: sha256=603176255680307a81ec5b984e3a7b4143d0aef1fd1576987618e55c50868ad7\r\n";
    let url = format!("{}/webhooks/github", daemon.url);
    assert_eq!(
        http_with("POST", &url, "X-Hub-Signature-256: sha256=00\r\n", "{}").0,
        401
    );
    assert_eq!(http_with("POST", &url, signature, "{}").0, 202);
    daemon.until(|daemon| daemon.status()["revision"] == commit.as_str());
    assert_eq!(fleet.served("api", "live"), sha("1.1.0"));
    let (_, log) = daemon.running.terminate();
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn d04_a_faulty_configuration_changes_nothing_and_a_good_one_is_in_force_at_once() {
    let fleet = Fleet::new();
    let mut daemon = start(&fleet.home);
    daemon.running.stderr_until("a pass is complete");
    let metric = |daemon: &Daemon, line: &str| daemon.get("/metrics").1.contains(line);
    assert!(metric(&daemon, "pinfold_config_last_reload_successful 1\n"));
    let good = std::fs::read_to_string(fleet.home.path().join(CONFIG)).unwrap();

    fleet.home.file(CONFIG, &format!("{good}mode: obsreve\n"));
    daemon.running.hang_up();
    daemon.until(|daemon| daemon.status()["configError"].is_string());
    let error = daemon.status()["configError"].to_string();
    assert!(error.contains("mode"), "{error}");
    assert!(metric(&daemon, "pinfold_config_last_reload_successful 0\n"));
    assert!(daemon.get("/").1.contains("configuration in the file is not in force"));
    let commit = fleet.commit("api", "1.1.0");
    daemon.until(|daemon| daemon.status()["revision"] == commit.as_str());
    assert_eq!(fleet.served("api", "live"), sha("1.1.0"), "the one before it goes on");

    fleet.home.file("secret", "hunter2");
    let elsewhere = good.replace("127.0.0.1:0", "127.0.0.1:1");
    let webhooks = "webhooks: { github: { secretFile: secret } }\n";
    fleet
        .home
        .file(CONFIG, &format!("{elsewhere}mode: observe\n{webhooks}"));
    daemon.running.hang_up();
    daemon.running.stderr_until("http.listen");
    daemon.until(|daemon| daemon.status()["configError"].is_null());
    assert!(metric(&daemon, "pinfold_config_last_reload_successful 1\n"));
    let url = format!("{}/webhooks/github", daemon.url);
    assert_eq!(http_with("POST", &url, "", "{}").0, 401, "the webhook is there");
    let commit = fleet.commit("api", "1.0.0");
    daemon.until(|daemon| daemon.status()["revision"] == commit.as_str());
    assert_eq!(daemon.status()["functions"][0]["withheld"][0]["reason"], "ObserveOnly");
    assert_eq!(
        fleet.served("api", "live"),
        sha("1.1.0"),
        "from now on it only observes"
    );
    let (ended, _) = daemon.running.terminate();
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn a_secret_that_is_empty_or_missing_ends_the_daemon_at_once() {
    let fleet = Fleet::new();
    with_webhooks(&fleet, "webhooks: { generic: { secretFile: secret } }\n");
    let missing = fleet.home.run(&["run", "--config", CONFIG]);
    assert!(
        missing.code == 2 && missing.stderr.contains("webhooks.generic.secretFile: cannot read "),
        "{}",
        missing.stderr
    );
    fleet.home.file("secret", "\n");
    let empty = fleet.home.run(&["run", "--config", CONFIG]);
    assert!(
        empty.code == 2 && empty.stderr.contains("secret is empty"),
        "{}",
        empty.stderr
    );
}

/// Makes a pipe in the place of a file: whoever reads it waits for as long as nobody writes, as on a volume that hangs.
fn hanging(path: &std::path::Path) {
    let _ = std::fs::remove_file(path);
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// Waits until somebody reads the pipe, and holds it open.
fn read_by_somebody(path: &std::path::Path) -> std::fs::File {
    std::fs::File::options().write(true).open(path).unwrap()
}

#[test]
fn a_configuration_whose_files_hang_holds_up_nothing_else() {
    let fleet = Fleet::new();
    let mut daemon = start(&fleet.home);
    daemon.running.stderr_until("a pass is complete");
    let secret = fleet.home.path().join("secret");
    hanging(&secret);
    let config = std::fs::read_to_string(fleet.home.path().join(CONFIG)).unwrap();
    let webhooks = "webhooks: { github: { secretFile: secret } }\n";
    fleet.home.file(CONFIG, &format!("{config}{webhooks}"));
    daemon.running.hang_up();
    // Its content is looked at first, and then it is read as a secret.
    drop(read_by_somebody(&secret));
    let held = read_by_somebody(&secret);
    let commit = fleet.commit("api", "1.1.0");
    daemon.until(|daemon| daemon.status()["revision"] == commit.as_str());
    assert_eq!(fleet.served("api", "live"), sha("1.1.0"));
    let (ended, _) = daemon.running.terminate();
    assert_eq!(ended.code(), Some(0), "nor does it keep the daemon from ending");
    drop(held);
}

#[test]
fn a_new_secret_holds_before_the_steps_in_hand_are_done() {
    let fleet = Fleet::new();
    let mut daemon = start(&fleet.home);
    daemon.running.stderr_until("a pass is complete");
    daemon.until(|daemon| daemon.get("/readyz").0 == 200);
    // The call in hand goes on for longer than this test.
    let fault = r#"{"operation": "UpdateFunctionCode", "times": 0, "effect": {"kind": "delay", "ms": 600000}}"#;
    assert_eq!(http("POST", &format!("{}/_sandbox/faults", fleet.url), fault).0, 200);
    fleet.commit("api", "1.1.0");
    daemon.until(|daemon| daemon.status()["progress"]["inHand"] == 1);
    fleet.home.file("secret", "hunter2");
    let config = std::fs::read_to_string(fleet.home.path().join(CONFIG)).unwrap();
    let webhooks = "webhooks: { github: { secretFile: secret } }\n";
    fleet.home.file(CONFIG, &format!("{config}{webhooks}"));
    daemon.running.hang_up();
    let url = format!("{}/webhooks/github", daemon.url);
    daemon.until(|_| http("POST", &url, "{}").0 == 401);
    assert_eq!(daemon.status()["progress"]["inHand"], 1);
}
