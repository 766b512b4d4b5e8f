//! How a command learns that it should end. Only tells; the work ends by itself, in order.

use std::convert::Infallible;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::Failure;

/// Cancels `stop` at the first SIGTERM or interrupt, and never returns: the work ends by itself.
pub(super) async fn on_signal(stop: &CancellationToken) -> Result<Infallible, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.cancel();
    std::future::pending().await
}
