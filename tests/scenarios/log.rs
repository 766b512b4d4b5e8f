//! What an operator reads: a lasting thing is said once, with what to do, and its end once.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once};

use tracing::Level;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use crate::beside::{beside, with_git};

/// Has somebody who hears everything, for the whole process: where a thread without a listener reaches a line first, the
/// line would be taken for unwanted by all.
static EVERYBODY: Once = Once::new();

/// The lines of the log, from `info` on.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Reads along on this thread, on which a scenario runs as a whole.
    fn start() -> (Self, DefaultGuard) {
        EVERYBODY.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(Level::INFO)
                .with_writer(io::sink);
            tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
        });
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter("warn,pinfold=info")
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Returns the lines that hold a text.
    fn with(&self, text: &str) -> Vec<String> {
        let bytes = self.0.lock().unwrap().clone();
        let lines = String::from_utf8(bytes).unwrap();
        let wanted = lines.lines().filter(|line| line.contains(text));
        wanted.map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_fleet_that_stays_as_it_is_is_not_told_at_every_pass() {
    let mut world = with_git(&["api"]).await;
    let (log, _guard) = Log::start();
    beside(&mut world, async |world, daemon| {
        for _ in 0..3 {
            daemon.sweep(world).await;
        }
        assert_eq!(log.with("a pass is complete").len(), 1, "{:?}", log.with(""));
        world.function("api", "1.1.0");
        daemon.look_at_source(world).await;
        assert_eq!(log.with("another commit is in force").len(), 2);
        assert_eq!(log.with("a step is done").len(), 4);
        let passes = log.with("a pass is complete");
        assert!(passes.len() == 2 && passes[1].contains("changed=1"), "{passes:?}");
    })
    .await;
}

#[tokio::test]
async fn a_repository_that_is_away_is_told_once_and_once_when_it_is_back() {
    let mut world = with_git(&["api"]).await;
    let (log, _guard) = Log::start();
    beside(&mut world, async |world, daemon| {
        let path = PathBuf::from(world.origin.as_ref().unwrap().path());
        let away = path.with_extension("away");
        for _ in 0..2 {
            std::fs::rename(&path, &away).unwrap();
            for _ in 0..3 {
                daemon.nudge.source();
                crate::world::until(|| daemon.status.get().source_error.is_some()).await;
                daemon.sweep(world).await;
            }
            std::fs::rename(&away, &path).unwrap();
            daemon.nudge.source();
            crate::world::until(|| daemon.status.get().source_error.is_none()).await;
        }
        assert_eq!(log.with("the repository could not be read").len(), 2);
        assert_eq!(log.with("the repository can be read again").len(), 2);
    })
    .await;
}

#[tokio::test]
async fn functions_that_cannot_be_read_are_told_once_and_once_when_they_can() {
    let mut world = with_git(&["api"]).await;
    let (log, _guard) = Log::start();
    beside(&mut world, async |world, daemon| {
        for _ in 0..2 {
            world.refuse("GetFunction", 403, 0);
            for _ in 0..3 {
                daemon.sweep(world).await;
            }
            world.sandbox.clear_faults();
            daemon.sweep(world).await;
        }
        let told = log.with("functions could not be read");
        assert!(told.len() == 2 && told[0].contains("function=api"), "{told:?}");
        assert_eq!(log.with("can be read again").len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_permission_that_is_missing_for_weights_alone_is_told_once_and_once_when_it_is_there() {
    let mut world = with_git(&["api"]).await;
    world.function("api", "1.1.0");
    let (log, _guard) = Log::start();
    beside(&mut world, async |world, daemon| {
        world.aws.update_alias("api", "live", 2, Some((1, 1.0))).unwrap();
        for _ in 0..2 {
            world.refuse("GetProvisionedConcurrencyConfig", 403, 0);
            for _ in 0..3 {
                daemon.sweep(world).await;
            }
            world.sandbox.clear_faults();
            daemon.sweep(world).await;
            world.aws.update_alias("api", "live", 2, Some((1, 1.0))).unwrap();
        }
        let told = log.with("it may not be asked whether Lambda moves provisioned concurrency");
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].contains("grant lambda:GetProvisionedConcurrencyConfig"),
            "{told:?}"
        );
        assert_eq!(log.with("it may be asked again").len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_step_that_fails_time_and_again_is_told_once_until_it_is_done() {
    let mut world = with_git(&["api"]).await;
    let (log, _guard) = Log::start();
    beside(&mut world, async |world, daemon| {
        world.refuse("UpdateFunctionCode", 403, 0);
        world.function("api", "1.1.0");
        daemon.look_at_source(world).await;
        for _ in 0..3 {
            world.clock.advance(std::time::Duration::from_mins(20));
            daemon.sweep(world).await;
        }
        let told = log.with("a step failed");
        assert!(told.len() == 1 && told[0].contains("step=\"UpdateCode\""), "{told:?}");
        world.sandbox.clear_faults();
        world.clock.advance(std::time::Duration::from_mins(20));
        daemon.sweep(world).await;
        assert_eq!(log.with("a step is done").len(), 4);
    })
    .await;
}

#[tokio::test]
async fn a_faulty_file_is_named_once_a_commit() {
    let mut world = with_git(&["api"]).await;
    let (log, _guard) = Log::start();
    beside(&mut world, async |world, daemon| {
        world.file("prod/broken.yaml", "kind: [\n");
        daemon.look_at_source(world).await;
        daemon.sweep(world).await;
        let told = log.with("a file of the repository is faulty");
        assert!(told.len() == 1 && told[0].contains("prod/broken.yaml"), "{told:?}");
    })
    .await;
}
