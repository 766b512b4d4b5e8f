//! Shows on standard error how far a pass is: a bar on a terminal, now and then a line of what it changes elsewhere. Where programs read the
//! output, or nobody wants to hear of it, nothing.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::Output;
use super::{Global, OutputFormat};
use crate::adapters::clock::SystemClock;
use crate::domain::Timestamp;
use crate::plan::counted;
use crate::ports::Clock as _;
use crate::reconcile::{ProgressBoard, Reading};

/// The time between two looks for a bar: often enough for it to seem alive.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// The time between two lines where there is no terminal: a release of a thousand functions is some twenty of them.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

/// Shows the progress until it is dropped.
pub(super) async fn show((board, reading): (&ProgressBoard, &Reading), global: &Global, output: Output) -> ! {
    let for_people = output.format == OutputFormat::Text && !global.quiet;
    // A log that tells of every step tells enough.
    if !for_people || global.verbose > 0 {
        std::future::pending().await
    } else if std::io::stderr().is_terminal() {
        bar(board, reading).await
    } else {
        lines(board, output).await
    }
}

async fn bar(board: &ProgressBoard, reading: &Reading) -> ! {
    let shown = Cleared(ProgressBar::no_length());
    let plain = ProgressStyle::default_bar();
    // A template that is wrong would be a mistake in this file; the usual bar is one, too.
    let style = plain.clone().template("{bar:30} {wide_msg}").unwrap_or(plain);
    shown.0.set_style(style);
    loop {
        if let Some((ended, all, text)) = stand(board, reading, SystemClock.now()) {
            shown.0.set_length(all as u64);
            shown.0.set_position(ended as u64);
            shown.0.set_message(text);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Says how far a pass is: functions that are done, all that are to be, and the same in words. While something is changed,
/// that is what counts.
fn stand(board: &ProgressBoard, reading: &Reading, now: Timestamp) -> Option<(usize, usize, String)> {
    if let Some(progress) = board.get() {
        return Some((progress.ended(), progress.functions(), progress.to_text(now)));
    }
    let so_far = reading.get()?;
    let text = format!("{} of {} read", so_far.read, counted(so_far.of, "function"));
    Some((so_far.read, so_far.of, text))
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
