//! The processes beside: how they are started and asked, and what one holds on to.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::origin::Origin;

/// A sandbox at work, until it is dropped.
pub(crate) struct Sandbox {
    _process: Process,
    pub(crate) url: String,
}

impl Sandbox {
    /// Starts one that has deployed everything that a repository names.
    pub(crate) fn start(origin: &Origin) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pinfold"))
            .args(["sandbox", "--listen", "127.0.0.1:0", "--seed"])
            .arg(origin.tree())
            .arg("--artifacts")
            .arg(origin.artifacts())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let url = url_in(&mut BufReader::new(child.stdout.take().unwrap()));
        Self {
            _process: Process(child),
            url,
        }
    }

    /// Has it forget what it was asked, which is memory of its own.
    pub(crate) async fn forget_calls(&self) {
        ask(address(&self.url), "DELETE", "/_sandbox/calls").await;
    }
}

/// A daemon at work, until it is dropped.
pub(crate) struct Daemon {
    process: Process,
    pub(crate) address: SocketAddr,
}

impl Daemon {
    pub(crate) fn start(config: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pinfold"))
            .args(["run", "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = address(&url_in(&mut log));
        // Where nobody reads what it logs, it would come to wait.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self {
            process: Process(child),
            address,
        }
    }

    pub(crate) fn held(&self) -> Held {
        held(&self.process.0.id().to_string())
    }

    /// Has it read its configuration anew, and with it the whole fleet.
    pub(crate) fn hang_up(&self) {
        let pid = i32::try_from(self.process.0.id()).unwrap();
        rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::HUP).unwrap();
    }
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads until a line tells a URL.
fn url_in(lines: &mut impl BufRead) -> String {
    let mut text = String::new();
    while !text.contains("http://") {
        assert_ne!(lines.read_line(&mut text).unwrap(), 0, "it has ended: {text}");
    }
    let url = &text[text.find("http://").unwrap()..];
    url.split(['"', ' ', '\n']).next().unwrap().to_owned()
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap()
}

/// Returns the status of an answer, and its body.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, Vec<u8>) {
    ask(address, "GET", path).await
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.0\r\nhost: bench\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    (status, answer.split_off(head + 4))
}

/// What a process holds on to.
pub(crate) struct Held {
    /// Resident memory, in bytes, and the most that it has been.
    pub(crate) resident: u64,
    pub(crate) peak: u64,
    /// Open file handles.
    pub(crate) handles: usize,
    pub(crate) threads: u64,
    /// Processor time so far, that of children that have ended included.
    pub(crate) cpu: Duration,
}

/// This process.
pub(crate) const OWN: &str = "self";

/// Looks at a process.
pub(crate) fn held(process: &str) -> Held {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}")).unwrap();
    let (status, stat) = (read("status"), read("stat"));
    let field = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    // Behind the name, which may hold anything: utime, stime, cutime and cstime are the fields 14 to 17 of proc(5).
    let ticks: u64 = stat[stat.rfind(')').unwrap()..]
        .split_whitespace()
        .skip(12)
        .take(4)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    Held {
        resident: field("VmRSS:") * 1024,
        peak: field("VmHWM:") * 1024,
        handles: std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count(),
        threads: field("Threads:"),
        cpu: Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}
