//! Shows on standard error how far a pass is: a bar on a terminal, now and then a line elsewhere. Where programs read the
//! output, or nobody wants to hear of it, nothing.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::Output;
use super::{Global, OutputFormat};
use crate::adapters::clock::SystemClock;
use crate::ports::Clock as _;
use crate::reconcile::ProgressBoard;

/// The time between two looks for a bar: often enough for it to seem alive.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// The time between two lines where there is no terminal: a release of a thousand functions is some twenty of them.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

/// Shows the progress until it is dropped.
pub(super) async fn show(board: &ProgressBoard, global: &Global, output: Output) -> ! {
    let for_people = output.format == OutputFormat::Text && !global.quiet;
    // A log that tells of every step tells enough.
    if !for_people || global.verbose > 0 {
        std::future::pending().await
    } else if std::io::stderr().is_terminal() {
        bar(board).await
    } else {
        lines(board, output).await
    }
}

async fn bar(board: &ProgressBoard) -> ! {
    let shown = Cleared(ProgressBar::no_length());
    let plain = ProgressStyle::default_bar();
    // A template that is wrong would be a mistake in this file; the usual bar is one, too.
    let style = plain.clone().template("{bar:30} {wide_msg}").unwrap_or(plain);
    shown.0.set_style(style);
    loop {
        if let Some(progress) = board.get() {
            shown.0.set_length(progress.functions() as u64);
            shown.0.set_position(progress.ended() as u64);
            shown.0.set_message(progress.to_text(SystemClock.now()));
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// A bar that leaves nothing behind, however the command ends.
struct Cleared(ProgressBar);

impl Drop for Cleared {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

async fn lines(board: &ProgressBoard, output: Output) -> ! {
    loop {
        tokio::time::sleep(BETWEEN_LINES).await;
        if let Some(progress) = board.get() {
            output.note(&progress.to_text(SystemClock.now()));
        }
    }
}
