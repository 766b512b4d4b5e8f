//! `pinfold run` as a process of its own, on fleets of different sizes: what it holds on to, what its work costs, and how
//! long its answers take.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::beside::{Daemon, Sandbox, get, mib};
use crate::origin::Origin;
use crate::say;

/// Between two looks at the daemon, which tells nobody when it is done.
const LOOK: Duration = Duration::from_millis(100);

/// Ticks of the schedule on which Git is asked for its head, one a second, over which the cost of one is measured.
const POLLS: u32 = 20;

/// A schedule that never comes while this runs.
const SELDOM: &str = "0 0 0 1 1 *";

/// Times that each answer is asked for.
const ANSWERS: usize = 9;

/// Times that the whole fleet is read again.
const READINGS: u32 = 3;

/// Measures each fleet. What takes some time to measure well is only tried out where nothing is `measured`.
pub(crate) async fn run(fleets: &[usize], measured: bool) {
    say("| functions | resident | peak | CPU to read all | CPU of a poll of Git | status | metrics |");
    say("| --- | --- | --- | --- | --- | --- | --- |");
    for &functions in fleets {
        fleet(functions, if measured { POLLS } else { 1 }).await;
    }
    say("");
}

async fn fleet(functions: usize, polls: u32) {
    let (origin, folder) = (Origin::new(functions), tempfile::tempdir().unwrap());
    let sandbox = Sandbox::start(&origin);
    let daemon = Daemon::start(&configuration(&folder, &origin, &sandbox, SELDOM));
    let mut sweep = until_swept(&daemon, &Value::Null).await;
    sandbox.forget_calls().await;

    // Reading anew is what a sweep does, and the parsing of all manifests.
    let before = daemon.held().cpu;
    for _ in 0..READINGS {
        daemon.hang_up();
        sweep = until_swept(&daemon, &sweep).await;
    }
    let reading = daemon.held().cpu.saturating_sub(before) / READINGS;
    sandbox.forget_calls().await;
    let (status, metrics) = (
        answer(&daemon, "/api/v1/status").await,
        answer(&daemon, "/metrics").await,
    );
    let settled = daemon.held();

    configuration(&folder, &origin, &sandbox, "* * * * * *");
    daemon.hang_up();
    until_swept(&daemon, &sweep).await;
    let before = daemon.held().cpu;
    tokio::time::sleep(Duration::from_secs(1) * polls).await;
    let polling = daemon.held().cpu.saturating_sub(before) / polls;
    say(&format!(
        "| {functions} | {:.1} MiB | {:.1} MiB | {:.2} s | {:.1} ms | {status} | {metrics} |",
        mib(settled.resident),
        mib(settled.peak),
        reading.as_secs_f64(),
        polling.as_secs_f64() * 1000.0,
    ));
}

/// Writes the configuration: the fleet is read when the daemon starts, and not again by itself.
fn configuration(folder: &TempDir, origin: &Origin, sandbox: &Sandbox, git: &str) -> PathBuf {
    let path: &Path = folder.path();
    let file = path.join("pinfold.yaml");
    let text = format!(
        "repository: {{ url: \"{}\" }}\n\
         targets: [{{ name: prod, path: prod, region: us-east-1, endpointUrl: \"{}\" }}]\n\
         schedule: {{ git: \"{git}\", sweep: \"{SELDOM}\" }}\n\
         limits: {{ getFunctionPerSecond: 10000, controlPlanePerSecond: 10000 }}\n\
         http: {{ listen: \"127.0.0.1:0\" }}\n",
        origin.path(),
        sandbox.url
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// Waits until the whole fleet has been looked at after a sweep, and returns when that was.
async fn until_swept(daemon: &Daemon, after: &Value) -> Value {
    loop {
        // Narrowed to nothing, so that looking costs the daemon next to nothing.
        let (_, status) = get(daemon.address, "/api/v1/status?function=none").await;
        let status: Value = serde_json::from_slice(&status).unwrap();
        if status["lastSweep"] != *after {
            return status["lastSweep"].clone();
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Says how long an answer takes at the median, and how large it is.
async fn answer(daemon: &Daemon, path: &str) -> String {
    let (mut times, mut length) = (Vec::new(), 0);
    for _ in 0..ANSWERS {
        let began = Instant::now();
        length = get(daemon.address, path).await.1.len();
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let median = times[ANSWERS / 2].as_secs_f64() * 1000.0;
    format!("{median:.0} ms, {:.1} MiB", mib(u64::try_from(length).unwrap()))
}
