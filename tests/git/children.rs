//! The child processes themselves: that they end when they should, whatever the server, the parent or the program does.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use pinfold::adapters::git::{GitSettings, GitSource};
use pinfold::ports::{DesiredSource as _, PortError, PortErrorKind};

use crate::origin::{Origin, settings};

const BINARY: &str = env!("CARGO_BIN_EXE_pinfold");

/// A server that takes each connection and does with it what `manner` says. Hands out the connections that ended.
fn server(manner: fn(TcpStream)) -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/repo.git", listener.local_addr().unwrap());
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || {
                manner(stream);
                sender.send(()).ok();
            });
        }
    });
    (url, ended)
}

/// Reads until the other end closes the connection, as the system does for a process that is gone.
fn wait_for_the_end(mut stream: TcpStream) {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).is_ok_and(|read| read > 0) {}
}

/// Sends the begin of an answer, then a byte now and then for as long as anybody listens.
fn drip(mut stream: TcpStream) {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\
                 Content-Length: 1000000\r\n\r\n";
    // A line that will never be complete.
    stream.write_all(head).and_then(|()| stream.write_all(b"0fff")).ok();
    while stream.write_all(b"x").is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
}

fn source(url: &str, timeout: Duration) -> GitSource {
    GitSource::new(GitSettings {
        timeout,
        ..settings(url)
    })
    .unwrap()
}

/// Asks for the head through another program than Pinfold.
async fn head_through(program: &Path) -> PortError {
    let origin = Origin::new();
    origin.commit("main", &[("a.yaml", "a")], &[]);
    let source = GitSource::new(GitSettings {
        program: program.to_owned(),
        ..settings(&origin.path())
    })
    .unwrap();
    source.head().await.unwrap_err()
}

/// A program that is this script.
pub(crate) fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("script");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

#[tokio::test]
async fn g01_a_silent_server_costs_one_timeout_and_its_child() {
    let (url, ended) = server(wait_for_the_end);
    let error = source(&url, Duration::from_millis(300)).head().await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Unknown);
    assert!(error.message.contains("no answer within 300ms"), "{error}");
    ended.recv().unwrap();
}

#[tokio::test]
async fn g02_a_server_that_drips_costs_no_more() {
    let (url, ended) = server(drip);
    let error = source(&url, Duration::from_millis(300)).head().await.unwrap_err();
    assert!(error.message.contains("no answer within 300ms"), "{error}");
    ended.recv().unwrap();
}

#[tokio::test]
async fn a_child_that_nobody_waits_for_is_ended() {
    let (url, ended) = server(wait_for_the_end);
    let source = source(&url, Duration::from_mins(10));
    let patience = Duration::from_millis(300);
    assert!(tokio::time::timeout(patience, source.head()).await.is_err());
    // The wait ended, so its child is killed, and with it the connection.
    let ended = tokio::task::spawn_blocking(move || ended.recv());
    ended.await.unwrap().unwrap();
}

#[test]
fn a_child_whose_parent_is_gone_ends() {
    let mut child = Command::new(BINARY)
        .arg("git-worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdin.take());
    assert!(!child.wait().unwrap().success());
}

#[tokio::test]
async fn a_program_that_is_not_there_or_says_nothing_is_an_error() {
    let error = head_through(Path::new("/nonexistent/pinfold")).await;
    assert!(error.message.contains("no child process for Git"), "{error}");
    let error = head_through(Path::new("/bin/true")).await;
    assert_eq!(error.kind, PortErrorKind::Malformed);
    assert!(error.message.contains("ended without an answer"), "{error}");
}

#[tokio::test]
async fn how_a_child_died_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (text, kind, said) in [
        ("kill -ABRT $$", PortErrorKind::TooLarge, "more memory than it may take"),
        ("kill -KILL $$", PortErrorKind::TooLarge, "the system killed it"),
        ("kill -SEGV $$", PortErrorKind::Malformed, "signal 11"),
        ("echo oh no >&2; exit 101", PortErrorKind::Malformed, "it said: oh no"),
        (
            "printf 'a\\0\\0\\0\\4null'",
            PortErrorKind::Malformed,
            "ended without an answer",
        ),
        (
            "printf 'f\\377\\377\\377\\377'",
            PortErrorKind::Malformed,
            "ended without an answer",
        ),
    ] {
        let error = head_through(&script(folder.path(), text)).await;
        assert_eq!(error.kind, kind, "{text}: {error}");
        assert!(error.message.contains(said), "{text}: {error}");
    }
}

#[tokio::test]
async fn a_child_sees_nothing_of_the_daemon_s_environment() {
    let folder = tempfile::tempdir().unwrap();
    // Cargo sets this for every test; the daemon's AWS credentials would come the same way.
    assert!(std::env::vars_os().any(|(name, _)| name == "CARGO_MANIFEST_DIR"));
    let error = head_through(&script(
        folder.path(),
        "echo args: $* and ${CARGO_MANIFEST_DIR-no more} >&2",
    ))
    .await;
    assert!(error.message.contains("args: git-worker and no more"), "{error}");
}

/// The limits of the children that this process has at the moment, as the system shows them.
fn limits_of_children() -> Vec<String> {
    let parent = format!("PPid:\t{}\n", std::process::id());
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let texts = processes.filter_map(|entry| {
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        status
            .contains(&parent)
            .then(|| fs::read_to_string(entry.path().join("limits")).ok())?
    });
    texts.collect()
}

#[tokio::test]
async fn a_child_takes_a_memory_limit_upon_itself_and_leaves_no_core() {
    let (url, _ended) = server(wait_for_the_end);
    let source = source(&url, Duration::from_mins(10));
    let limited = |limits: &String| {
        let of = |name: &str| {
            limits
                .lines()
                .find_map(|line| line.strip_prefix(name)?.split_whitespace().next())
        };
        let bytes = of("Max data size").and_then(|bytes| bytes.parse::<u64>().ok());
        bytes.is_some_and(|bytes| bytes <= 512 * 1024 * 1024) && of("Max core file size") == Some("0")
    };
    let look = tokio::task::spawn_blocking(move || {
        while !limits_of_children().iter().any(limited) {
            thread::yield_now();
        }
    });
    tokio::select! {
        ended = source.head() => panic!("{ended:?}"),
        looked = look => looked.unwrap(),
    }
}
