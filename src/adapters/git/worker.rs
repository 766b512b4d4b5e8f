//! Runs one Git operation at a time on a thread of its own, with a deadline. Knows nothing of Git.
//!
//! libgit2 blocks, and in some places nothing can interrupt it. A thread that hangs there is left behind: it must
//! not hold up the daemon, nor its shutdown, for which tokio's blocking pool would wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout_at;

use crate::ports::{PortError, PortErrorKind};

/// Threads that may hang at the same time. Each holds a connection and some memory; a server that makes so many
/// hang will not answer the next.
const MAX_HANGING: usize = 4;

/// The end of the time that an operation may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// Returns whether the time is up. Whoever finds it so must leave everything as it is: nobody waits any more.
    pub(super) fn passed(self) -> bool {
        Instant::now() >= self.0
    }
}

/// Runs operations.
#[derive(Debug, Clone, Default)]
pub(super) struct Worker {
    turn: Arc<Mutex<()>>,
    hanging: Arc<AtomicUsize>,
}

/// Counts a thread for as long as it lives.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Worker {
    /// Runs `work` and waits for it, for `time` at most, waiting for its turn included.
    ///
    /// # Errors
    ///
    /// What `work` says, or that the time is up.
    pub(super) async fn run<T, F>(&self, operation: &str, time: Duration, work: F) -> Result<T, PortError>
    where
        T: Send + 'static,
        F: FnOnce(Deadline) -> Result<T, PortError> + Send + 'static,
    {
        let end = Instant::now() + time;
        let late = |what: &str| {
            let time = humantime::format_duration(time);
            let message = format!("{what} within {time}: is the server well? `repository.timeout` gives it more time");
            PortError::new(PortErrorKind::Unknown, operation, message)
        };
        let _turn = timeout_at(end.into(), self.turn.lock())
            .await
            .map_err(|_| late("earlier operations did not end"))?;
        if self.hanging.load(Ordering::Relaxed) >= MAX_HANGING {
            let message = format!("{MAX_HANGING} earlier operations still hang: restart Pinfold if the server is well");
            return Err(PortError::new(PortErrorKind::Unknown, operation, message));
        }
        let (sender, receiver) = oneshot::channel();
        let alive = Alive::new(&self.hanging);
        let run = move || {
            let result = work(Deadline(end));
            drop(alive);
            // An error here means that nobody waits any more.
            sender.send(result).ok();
        };
        thread::Builder::new()
            .name("git".to_owned())
            .spawn(run)
            .map_err(|error| PortError::new(PortErrorKind::Unknown, operation, format!("no thread: {error}")))?;
        match timeout_at(end.into(), receiver).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => {
                let message = "the Git library panicked: the repository may be corrupt; see the log";
                Err(PortError::new(PortErrorKind::Malformed, operation, message))
            }
            Err(_) => Err(late("no answer")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);
    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_result_comes_back() {
        assert_eq!(Worker::default().run("x", LONG, |_| Ok(7)).await, Ok(7));
    }

    #[tokio::test]
    async fn a_thread_that_hangs_is_left_behind_and_counted() {
        let worker = Worker::default();
        let mut letting_go = Vec::new();
        for _ in 0..MAX_HANGING {
            let (sender, receiver) = mpsc::channel::<()>();
            letting_go.push(sender);
            let hang = move |_| Ok(receiver.recv().is_ok());
            let error = worker.run("fetch x", SHORT, hang).await.unwrap_err();
            assert_eq!(error.kind, PortErrorKind::Unknown);
            assert!(error.message.contains("no answer within 20ms"), "{error}");
        }
        let error = worker.run("fetch x", LONG, |_| Ok(())).await.unwrap_err();
        assert!(error.message.contains("still hang"), "{error}");

        drop(letting_go);
        while worker.hanging.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
        assert_eq!(worker.run("fetch x", LONG, |_| Ok(())).await, Ok(()));
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let panics = |_| -> Result<(), PortError> { panic!("as libgit2's wrapper does on a strange object") };
        let error = Worker::default().run("x", LONG, panics).await.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Malformed);
    }
}
