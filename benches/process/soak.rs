//! The daemon's driver through thousands of passes and a commit in every tenth, on a sandbox that is a process of its own:
//! what this process holds on to meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pinfold::adapters::aws::Limits;
use pinfold::adapters::clock::SystemClock;
use pinfold::adapters::lambda::LambdaWriter;
use pinfold::adapters::s3::S3Artifacts;
use pinfold::domain::Timestamp;
use pinfold::http::{Keyring, Server};
use pinfold::plan::Verdict;
use pinfold::ports::Clock;
use pinfold::reconcile::{Driver, Engine, Nudge, PassPolicy, Status, StatusBoard};
use pinfold::telemetry::Telemetry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::beside::{Held, OWN, Sandbox, get, held, mib};
use crate::origin::Origin;
use crate::{say, target};

const FUNCTIONS: usize = 10;

/// Lines of the table.
const LINES: usize = 10;

/// Passes from one commit to the next, and from one scrape to the next.
const EVERY: usize = 10;

/// From one tick of the schedule to the next, where a pass is waited for.
const TICK: Duration = Duration::from_millis(200);

/// How long a pass may take before the program gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A rate that holds nothing back: the quotas of AWS are not what this is about.
const UNLIMITED: f64 = 100_000.0;

/// The time, of which waits take none.
struct Hurried {
    slept_ms: AtomicU64,
}

impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        SystemClock.now() + Duration::from_millis(self.slept_ms.load(Ordering::Relaxed))
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime() + Duration::from_millis(self.slept_ms.load(Ordering::Relaxed))
    }

    async fn sleep(&self, duration: Duration) {
        let ms = u64::try_from(duration.as_millis()).unwrap();
        self.slept_ms.fetch_add(ms, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

/// Makes so many passes.
pub(crate) async fn run(passes: usize) {
    let mut origin = Origin::new(FUNCTIONS);
    let sandbox = Sandbox::start(&origin);
    let telemetry = Telemetry::new().unwrap();
    let engine = engine(&sandbox.url, &telemetry).await;
    let (nudge, status, stop) = (Nudge::default(), StatusBoard::default(), CancellationToken::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server {
        status: status.clone(),
        telemetry,
        nudge: nudge.clone(),
        keyring: Keyring::default(),
        now: || SystemClock.now(),
    };
    let mut served = JoinSet::new();
    served.spawn(server.serve(listener, stop.clone()));
    let driver = Driver::new(
        origin.source(),
        engine,
        PassPolicy::default(),
        nudge.clone(),
        status.clone(),
    );
    let mut driving = JoinSet::new();
    // The driver is made for the main task, and stays on this thread.
    driving.spawn_local(driver.run(stop.clone()));
    let mut changes = status.watch();
    until(&mut changes, &nudge, |status| status.report.is_some()).await;

    say("| passes | commits | resident | file handles | threads | CPU of a pass, Git's processes included |");
    say("| --- | --- | --- | --- | --- | --- |");
    let (mut commits, mut seen) = (0, Vec::new());
    let lines = LINES.min(passes / EVERY);
    for line in 1..=lines {
        let before = held(OWN);
        let mut made = 0;
        for pass in 0..passes / lines {
            if pass % EVERY == 0 {
                commits += 1;
                let commit = origin.bump();
                nudge.source();
                until(&mut changes, &nudge, |status| {
                    let report = status.report.as_ref().unwrap();
                    let revision = report.revision.as_ref().map(ToString::to_string);
                    revision.as_ref() == Some(&commit) && report.verdict() == Verdict::InSync
                })
                .await;
                for path in ["/metrics", "/api/v1/status", "/"] {
                    assert_eq!(get(address, path).await.0, 200);
                }
            } else {
                let before = status.get().report.unwrap();
                nudge.sweep();
                until(&mut changes, &nudge, |status| {
                    !Arc::ptr_eq(status.report.as_ref().unwrap(), &before)
                })
                .await;
            }
            made += 1;
        }
        sandbox.forget_calls().await;
        let now = held(OWN);
        row(line * made, commits, &now, now.cpu.saturating_sub(before.cpu), made);
        seen.push(now);
    }
    stop.cancel();
    while driving.join_next().await.is_some() {}
    while served.join_next().await.is_some() {}
    say(&growth(&seen));
}

fn row(passes: usize, commits: usize, held: &Held, cpu: Duration, made: usize) {
    say(&format!(
        "| {passes} | {commits} | {:.1} MiB | {} | {} | {:.1} ms |",
        mib(held.resident),
        held.handles,
        held.threads,
        cpu.as_secs_f64() * 1000.0 / f64::from(u32::try_from(made).unwrap())
    ));
}

/// Says by how much memory has grown in the second half.
fn growth(seen: &[Held]) -> String {
    let (half, last) = (&seen[seen.len() / 2], &seen[seen.len() - 1]);
    format!(
        "\nfrom the middle to the end: {:+.1} MiB, {:+} file handles",
        mib(last.resident) - mib(half.resident),
        i64::try_from(last.handles).unwrap() - i64::try_from(half.handles).unwrap()
    )
}

async fn engine(url: &str, telemetry: &Telemetry) -> Engine<LambdaWriter, S3Artifacts, Hurried> {
    let limits = Limits {
        get_function_per_second: UNLIMITED,
        control_plane_per_second: UNLIMITED,
    };
    let ports = target::ports(url, limits, telemetry).await;
    let clock = Hurried {
        slept_ms: AtomicU64::new(0),
    };
    Engine::new(vec![ports], clock, telemetry.clone())
}

/// Waits until the status shows something. Where waits take no time, an update in the sandbox may outlast them: the
/// schedule goes on meanwhile.
async fn until(changes: &mut watch::Receiver<Status>, nudge: &Nudge, shows: impl Fn(&Status) -> bool) {
    let shown = async {
        while tokio::time::timeout(TICK, changes.wait_for(|status| shows(status)))
            .await
            .is_err()
        {
            nudge.sweep();
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, shown).await.is_ok();
    let report = changes.borrow().report.as_ref().map(|report| report.to_text());
    assert!(in_time, "it never came to that: {}", report.unwrap_or_default());
}
