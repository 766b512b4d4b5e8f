//! How a command learns that it should end. The first signal only tells, and the work ends by itself, in order; a second
//! one ends the process at once.

use std::convert::Infallible;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::Failure;

/// Cancels `stop` at the first SIGTERM or interrupt, and waits for a second one, which is a failure.
pub(super) async fn on_signal(stop: &CancellationToken) -> Result<Infallible, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    for signals in 1.. {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if signals > 1 {
            break;
        }
        stop.cancel();
    }
    Err(Failure::error(
        "ended by a second signal: the next pass looks what came of the steps in hand",
    ))
}
