//! The parent's side: runs one Git operation at a time in a child process, with a deadline. Knows nothing of Git.
//!
//! libgit2 blocks, and in some places nothing can interrupt it; a hostile server can have it fill the memory or worse.
//! A child can be killed, takes its memory along, and never sees the daemon's AWS credentials.

use std::env;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::error::one_line;
use super::wire::{self, Answer, Message, Request};
use crate::domain::bounds;
use crate::ports::{PortError, PortErrorKind};

/// The command of the binary that does a child's work.
pub const WORKER_COMMAND: &str = "git-worker";

/// What a child may see of the environment: proxies, where the system's certificate authorities are, and how names and
/// shared libraries are found where a system does it its own way. Nothing of AWS is among it.
const ENVIRONMENT: [&str; 12] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "LD_LIBRARY_PATH",
    "LOCALDOMAIN",
    "RES_OPTIONS",
    "TMPDIR",
];

/// How much of what a child says on standard error is kept, in bytes: a panic's message.
const MAX_COMPLAINT_BYTES: u64 = 4096;

/// Returns the program that the calling process is, however its file was renamed, replaced or removed since it began.
///
/// # Errors
///
/// The system cannot tell, as where `/proc` is not mounted.
pub fn own_program() -> io::Result<PathBuf> {
    const SELF: &str = "/proc/self/exe";
    if Path::new(SELF).exists() {
        return Ok(PathBuf::from(SELF));
    }
    env::current_exe()
}

/// When an operation has to be over, and how much time it had.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    end: Instant,
    time: Duration,
}

impl Deadline {
    pub(super) fn after(time: Duration) -> Self {
        Self {
            end: Instant::now() + time,
            time,
        }
    }

    /// Waits for something until then. `late` makes the error of what did not happen.
    pub(super) async fn hold<T>(
        self,
        something: impl Future<Output = T>,
        late: impl FnOnce(String) -> PortError,
    ) -> Result<T, PortError> {
        timeout_at(self.end, something).await.map_err(|_| {
            let time = humantime::format_duration(self.time);
            late(format!(
                "within {time}: is the server well? `repository.timeout` gives it more time"
            ))
        })
    }
}

/// Starts children, one at a time.
#[derive(Debug)]
pub(super) struct Children {
    program: PathBuf,
    turn: Mutex<()>,
}

/// What came back: the answer, and the files that were sent before it.
pub(super) struct Done {
    pub(super) answer: Answer,
    pub(super) files: Vec<Vec<u8>>,
}

impl Children {
    /// `program` is started with [`WORKER_COMMAND`] for each operation.
    pub(super) fn new(program: PathBuf) -> Self {
        Self {
            program,
            turn: Mutex::default(),
        }
    }

    /// Has a child do the work and waits for it until the deadline, waiting for its turn included. A child that is
    /// not done by then is killed, and so is one that nobody waits for any more.
    ///
    /// # Errors
    ///
    /// What the child says, that it ended without an answer, or that the time is up.
    pub(super) async fn run(&self, operation: &str, deadline: Deadline, request: &Request) -> Result<Done, PortError> {
        let late = |what: &str, rest: &str| PortError::new(PortErrorKind::Unknown, operation, format!("{what} {rest}"));
        let failed = |error: &io::Error| {
            let message = format!("no child process for Git: {error}");
            PortError::new(PortErrorKind::Unknown, operation, message)
        };
        let late_turn = |rest: String| late("earlier operations did not end", &rest);
        let _turn = deadline.hold(self.turn.lock(), late_turn).await?;
        let frame = wire::request(request).map_err(|error| failed(&error))?;
        let mut child = self.start().map_err(|error| failed(&error))?;
        let late_answer = |rest: String| late("no answer", &rest);
        match deadline.hold(talk(&mut child, &frame), late_answer).await {
            Ok(Ok(Done {
                answer: Answer::Failed(error),
                ..
            })) => Err(error),
            Ok(Ok(done)) => Ok(done),
            Ok(Err(Silent { status, complaint })) => Err(ended(operation, status, &complaint)),
            Err(late) => {
                // Killed and waited for, so that the next one finds nothing of it.
                child.kill().await.ok();
                Err(late)
            }
        }
    }

    fn start(&self) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.arg0("pinfold").arg(WORKER_COMMAND);
        command.env_clear();
        command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        command.current_dir("/");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // An interrupt from the terminal is for the daemon, which ends its children itself.
        command.process_group(0);
        command.kill_on_drop(true);
        command.spawn()
    }
}

/// A child that ended without an answer.
#[derive(Default)]
struct Silent {
    status: Option<ExitStatus>,
    complaint: Vec<u8>,
}

/// Sends the request and takes what comes back.
async fn talk(child: &mut Child, frame: &[u8]) -> Result<Done, Silent> {
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    // All three were asked for when the child was started.
    let (Some(mut input), Some(output), Some(errors)) = (input, output, errors) else {
        return Err(Silent::default());
    };
    let work = async move {
        // A child that is gone is found out by reading.
        input.write_all(frame).await.ok();
        // Until the answer is here its standard input stays open: the end of that ends a child.
        let done = receive(output).await;
        drop(input);
        done
    };
    let listen = async {
        let mut complaint = Vec::new();
        errors.take(MAX_COMPLAINT_BYTES).read_to_end(&mut complaint).await.ok();
        complaint
    };
    let (done, complaint) = tokio::join!(work, listen);
    let status = child.wait().await.ok();
    done.map_err(|_| Silent { status, complaint })
}

/// Takes messages until the answer.
async fn receive(output: ChildStdout) -> io::Result<Done> {
    let mut output = BufReader::new(output);
    let (mut files, mut total) = (Vec::new(), 0);
    loop {
        match wire::read_message(&mut output).await? {
            Message::Answer(answer) => return Ok(Done { answer, files }),
            Message::File(content) => {
                total += content.len() as u64;
                if total > bounds::MAX_TOTAL_BYTES {
                    return Err(io::Error::other("more than was asked for"));
                }
                files.push(content);
            }
        }
    }
}

/// Says what it means that a child ended without an answer.
fn ended(operation: &str, status: Option<ExitStatus>, complaint: &[u8]) -> PortError {
    use PortErrorKind as K;
    const MEMORY: &str = "it needed more memory than it may take: is this a repository of manifests?";
    let signal = status.and_then(|status| status.signal());
    let is = |wanted: Signal| signal == Some(wanted.as_raw());
    let (kind, why) = if is(Signal::ABORT) {
        (K::TooLarge, MEMORY.to_owned())
    } else if is(Signal::XFSZ) {
        (
            K::TooLarge,
            "it brought more than may be written to the disk".to_owned(),
        )
    } else if is(Signal::KILL) {
        let message = "the system killed it, most likely as the container's memory was used up: give it more";
        (K::TooLarge, message.to_owned())
    } else if let Some(signal) = signal {
        let message = format!("it crashed with signal {signal}: the repository may be corrupt, or the server hostile");
        (K::Malformed, message)
    } else {
        (
            K::Malformed,
            "the Git library gave up: the repository may be corrupt".to_owned(),
        )
    };
    let said = one_line(&String::from_utf8_lossy(complaint));
    let said = if said.is_empty() {
        said
    } else {
        format!(" (it said: {said})")
    };
    PortError::new(
        kind,
        operation,
        format!("the child process ended without an answer: {why}{said}"),
    )
}
