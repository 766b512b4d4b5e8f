//! Listens to what a daemon of this thread logs. The tests of this folder run their daemons on their own threads.

use std::io;
use std::sync::{Arc, Mutex, Once, PoisonError};

use tracing::Level;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// Has somebody who hears everything, for the whole process.
static EVERYBODY: Once = Once::new();

/// Where log lines go.
#[derive(Clone, Default)]
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<u8>>>,
}

/// Listening, until it is dropped.
pub(crate) struct Listening {
    log: Log,
    _guard: DefaultGuard,
}

impl Log {
    /// Begins to listen, from now on.
    pub(crate) fn listen(&self) -> Listening {
        // Where a thread without a listener reaches a line first, the line would be taken for unwanted by all.
        EVERYBODY.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(Level::WARN)
                .with_writer(io::sink);
            tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
        });
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::WARN)
            .with_ansi(false)
            .without_time()
            .with_writer(self.clone())
            .finish();
        Listening {
            log: self.clone(),
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }
}

impl Listening {
    /// Returns Pinfold's own warnings and errors so far.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let bytes = self.log.lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = String::from_utf8(bytes).unwrap();
        let ours = |line: &&str| line.contains(" pinfold::");
        text.lines().filter(ours).map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
