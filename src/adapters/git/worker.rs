//! The child's side: it takes one request from standard input, does it within its limits, and answers on standard output.
//!
//! Everything that a hostile server or a broken repository can do to a process, it does to this one.

use std::fs;
use std::io::{self, BufWriter, Read as _, Write};
use std::thread;

use rustix::process::{Resource, Rlimit, Signal, getpid, getrlimit, kill_process, setrlimit};

use super::process;
use super::wire::{self, Answer, Operation, Request};
use crate::ports::{PortError, PortErrorKind};

/// Most memory that a child takes for itself, in bytes. Reading the largest commit that is accepted takes a third.
const MAX_MEMORY_BYTES: u64 = 512 * 1024 * 1024;
/// Least memory with which a child is of any use, in bytes.
const MIN_MEMORY_BYTES: u64 = 64 * 1024 * 1024;
/// Most address space, in bytes: beside the memory, packs and libraries that are only mapped.
const MAX_ADDRESSES_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Largest file that a child may write, in bytes: a pack may have [`super::remote::MAX_FETCH_BYTES`], and its index.
const MAX_FILE_BYTES: u64 = 1280 * 1024 * 1024;
/// Where a container's memory limit is: version 2 and version 1 of control groups.
const CONTAINER_LIMITS: [&str; 2] = [
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
];

/// Does the one piece of work that the parent asks for.
///
/// # Errors
///
/// The parent does not speak as agreed, or is gone. What goes wrong with the work is part of the answer.
pub fn serve_one() -> io::Result<()> {
    limit();
    let mut input = io::stdin().lock();
    let request = wire::read_request(&mut input)?;
    drop(input);
    end_with_parent()?;
    let mut output = BufWriter::new(io::stdout().lock());
    let answer = answer(&request, &mut output).unwrap_or_else(Answer::Failed);
    wire::write_answer(&mut output, &answer)
}

/// Does the work. Files go to `output` as they are read; the answer is left to the caller.
fn answer(request: &Request, output: &mut impl Write) -> Result<Answer, PortError> {
    let Request {
        snapshots,
        operation,
        now,
    } = request;
    process::prepare(snapshots.remote.ca_file.as_deref(), snapshots.remote.home.as_deref()).map_err(|message| {
        PortError::new(
            PortErrorKind::Invalid,
            format!("open {}", snapshots.remote.url),
            message,
        )
    })?;
    match operation {
        Operation::Head => Ok(Answer::Head(snapshots.head()?.to_string())),
        Operation::Tree { commit, paths, known } => {
            let (commit, tree) = snapshots.tree(commit.as_deref(), paths, known, *now)?;
            Ok(Answer::Tree {
                commit: commit.to_string(),
                tree,
            })
        }
        Operation::Contents(blobs) => {
            snapshots.contents(blobs, |content| wire::write_file(output, content))?;
            Ok(Answer::Contents)
        }
    }
}

/// Takes its limits upon itself. Where the system has one of them not, the others hold.
fn limit() {
    let memory = memory_limit();
    for (resource, bytes) in [
        (Resource::Data, memory),
        (Resource::As, MAX_ADDRESSES_BYTES),
        (Resource::Fsize, MAX_FILE_BYTES),
        // Memory on disk would hold credentials.
        (Resource::Core, 0),
    ] {
        let most = getrlimit(resource).maximum;
        let bytes = most.map_or(bytes, |most| most.min(bytes));
        let limit = Rlimit {
            current: Some(bytes),
            maximum: Some(bytes),
        };
        setrlimit(resource, limit).ok();
    }
    // Where the container as a whole runs out of memory, this process is the one to go.
    fs::write("/proc/self/oom_score_adj", "1000").ok();
}

/// Returns how much memory a child may take: half of the container's, so that the daemon keeps the other.
fn memory_limit() -> u64 {
    let limits = CONTAINER_LIMITS.iter().filter_map(|file| fs::read_to_string(file).ok());
    let container = limits.filter_map(|text| text.trim().parse::<u64>().ok()).min();
    share(container)
}

fn share(container: Option<u64>) -> u64 {
    container.map_or(MAX_MEMORY_BYTES, |bytes| {
        (bytes / 2).clamp(MIN_MEMORY_BYTES, MAX_MEMORY_BYTES)
    })
}

/// Ends this process as soon as the parent is gone or wants no more: then the parent's end of standard input is closed.
fn end_with_parent() -> io::Result<()> {
    let watch = || {
        let mut nothing = [0];
        // Nothing comes any more, so this returns at the end only.
        while io::stdin().read(&mut nothing).is_ok_and(|read| read > 0) {}
        // Nothing in here has to be put in order, and nothing may hold it up.
        kill_process(getpid(), Signal::KILL).ok();
    };
    thread::Builder::new().name("parent".to_owned()).spawn(watch).map(drop)
}
