//! Counts how far the passes are that change something, for whoever shows it. Nothing that a pass does depends on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::wave::goes_first;
use crate::domain::{CommitId, FunctionKey, Timestamp};
use crate::plan::{Progress, Step, StepReport, StepResult};
use crate::ports::Clock;
use crate::telemetry::{Telemetry, WaveProgressed};

/// Writes after which their pace says something, and the part of all writes that it takes for that: the first updates are
/// all under way before any of them is complete.
const FIRST_WRITES: usize = 10;
const FIRST_PART: usize = 20;

/// Where the progress of all passes of one engine is kept. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct ProgressBoard {
    board: Arc<watch::Sender<Board>>,
}

/// What is counted.
#[derive(Debug, Default)]
struct Board {
    /// Passes under way: the board is cleared when the last one ends.
    passes: usize,
    functions: BTreeMap<FunctionKey, Counted>,
    /// When the first change was begun, by the uptime.
    began: Duration,
    /// Writes that were planned, and those that are over.
    writes: (usize, usize),
    shown: Option<Progress>,
}

/// Where a function stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    stage: Stage,
    /// Where an alias of it goes first: whether that one is moved.
    moved: Option<bool>,
    /// Writes that are left.
    writes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    ToCome,
    InHand,
    Done,
    Refused,
    Failed,
}

impl ProgressBoard {
    /// Returns how far the passes are; `None` where none is changing anything.
    pub fn get(&self) -> Option<Progress> {
        self.board.borrow().shown.clone()
    }

    /// Notes that a pass begins. It counts until what this returns is dropped.
    pub(super) fn pass<'a, C: Clock>(&'a self, clock: &'a C, telemetry: &'a Telemetry) -> PassProgress<'a, C> {
        self.board.send_modify(|board| board.passes += 1);
        PassProgress {
            board: &self.board,
            clock,
            telemetry,
        }
    }
}

/// The progress of one pass.
pub(super) struct PassProgress<'a, C> {
    board: &'a watch::Sender<Board>,
    clock: &'a C,
    telemetry: &'a Telemetry,
}

impl<C> Drop for PassProgress<'_, C> {
    fn drop(&mut self) {
        self.board.send_modify(|board| {
            board.passes -= 1;
            if board.passes == 0 {
                *board = Board::default();
            }
            WaveProgressed {
                progress: board.shown.as_ref(),
            }
            .emit(self.telemetry);
        });
    }
}

impl<C: Clock> PassProgress<'_, C> {
    /// Notes what is to be done. What was counted of the same functions before is over.
    pub(super) fn expect(&self, revision: Option<&CommitId>, todo: &BTreeMap<FunctionKey, Vec<Step>>) {
        self.change(|board, now, uptime| {
            if board.shown.is_none() {
                board.began = uptime;
            }
            let shown = board.shown.get_or_insert_with(|| Progress {
                revision: revision.cloned(),
                since: now,
                expected_end: None,
                done: 0,
                failed: 0,
                refused: 0,
                in_hand: 0,
                to_come: 0,
                moves: 0,
                moved: 0,
            });
            shown.revision = revision.cloned();
            for (key, steps) in todo {
                board.writes.0 += writes(steps);
                let counted = Counted {
                    stage: Stage::ToCome,
                    moved: goes_first(steps).then_some(false),
                    writes: writes(steps),
                };
                board.set(key, counted);
            }
        });
    }

    /// Notes that some steps of a function are in hand.
    pub(super) fn begin(&self, key: &FunctionKey) {
        self.change(|board, _, _| board.stage(key, Stage::InHand));
    }

    /// Notes that a step of a function is over.
    pub(super) fn step(&self, key: &FunctionKey, report: &StepReport) {
        self.change(|board, now, uptime| {
            let over = writes([&report.step]);
            board.writes.1 += over;
            if let Some(counted) = board.functions.get_mut(key) {
                counted.writes = counted.writes.saturating_sub(over);
            }
            let (planned, over) = board.writes;
            if let Some(shown) = &mut board.shown
                && over >= FIRST_WRITES.max(planned / FIRST_PART)
            {
                let elapsed = uptime.saturating_sub(board.began);
                let each = elapsed / u32::try_from(over).unwrap_or(u32::MAX);
                let left = each.saturating_mul(u32::try_from(planned.saturating_sub(over)).unwrap_or(u32::MAX));
                shown.expected_end = Some(now + left);
            }
        });
    }

    /// Notes what some steps of a function came to, and whether more of them are to come.
    pub(super) fn end(&self, key: &FunctionKey, steps: &[Step], reports: &[StepReport], is_last: bool) {
        let any = |result: StepResult| reports.iter().any(|report| report.result == result);
        let all_done = reports.iter().all(|report| report.result == StepResult::Done);
        self.change(|board, _, _| {
            let Some(mut counted) = board.functions.get(key).copied() else {
                return;
            };
            if is_last {
                // What nobody told of is over, too: a bug ended the work.
                board.writes.1 += std::mem::take(&mut counted.writes);
            }
            if goes_first(steps) && all_done {
                counted.moved = Some(true);
            }
            counted.stage = if counted.stage == Stage::Failed || any(StepResult::Failed) {
                Stage::Failed
            } else if !is_last {
                Stage::ToCome
            } else if all_done {
                Stage::Done
            } else {
                Stage::Refused
            };
            board.set(key, counted);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Board, Timestamp, Duration)) {
        let (now, uptime) = (self.clock.now(), self.clock.uptime());
        self.board.send_modify(|board| {
            change(board, now, uptime);
            WaveProgressed {
                progress: board.shown.as_ref(),
            }
            .emit(self.telemetry);
        });
    }
}

impl Board {
    fn stage(&mut self, key: &FunctionKey, stage: Stage) {
        if let Some(counted) = self.functions.get(key).copied() {
            let failed = counted.stage == Stage::Failed;
            self.set(
                key,
                Counted {
                    stage: if failed { Stage::Failed } else { stage },
                    ..counted
                },
            );
        }
    }

    fn set(&mut self, key: &FunctionKey, counted: Counted) {
        let before = self.functions.insert(key.clone(), counted);
        let Some(shown) = &mut self.shown else { return };
        if let Some(before) = before {
            *place(shown, before.stage) -= 1;
            shown.moves -= usize::from(before.moved.is_some());
            shown.moved -= usize::from(before.moved == Some(true));
        }
        *place(shown, counted.stage) += 1;
        shown.moves += usize::from(counted.moved.is_some());
        shown.moved += usize::from(counted.moved == Some(true));
    }
}

fn place(shown: &mut Progress, stage: Stage) -> &mut usize {
    match stage {
        Stage::ToCome => &mut shown.to_come,
        Stage::InHand => &mut shown.in_hand,
        Stage::Done => &mut shown.done,
        Stage::Refused => &mut shown.refused,
        Stage::Failed => &mut shown.failed,
    }
}

/// Counts the steps that write; one only waits.
fn writes<'a>(steps: impl IntoIterator<Item = &'a Step>) -> usize {
    let steps = steps.into_iter();
    steps.filter(|step| !matches!(step, Step::AwaitUpdated { .. })).count()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::plan::VersionRef;

    /// A clock that a test sets.
    #[derive(Default)]
    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH + self.uptime()
        }

        fn uptime(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::Relaxed))
        }

        async fn sleep(&self, _: Duration) {}
    }

    fn key(number: usize) -> FunctionKey {
        FunctionKey {
            target: "prod".parse().unwrap(),
            name: format!("f{number}").parse().unwrap(),
        }
    }

    fn steps() -> Vec<Step> {
        vec![Step::CreateAlias {
            alias: "live".parse().unwrap(),
            to: VersionRef::FromPublish,
        }]
    }

    fn report(result: StepResult) -> StepReport {
        StepReport {
            result,
            ..StepReport::planned(steps().remove(0))
        }
    }

    #[test]
    fn the_end_is_estimated_when_the_pace_says_something_and_a_second_round_counts_anew() {
        let (board, clock, telemetry) = (ProgressBoard::default(), Hand::default(), Telemetry::new().unwrap());
        let pass = board.pass(&clock, &telemetry);
        assert_eq!(board.get(), None, "nothing is to be done yet");
        pass.expect(None, &(0..100).map(|number| (key(number), steps())).collect());
        let take = |number: usize, result: StepResult| {
            pass.begin(&key(number));
            let report = report(result);
            pass.step(&key(number), &report);
            pass.end(&key(number), &steps(), &[report], true);
        };
        for number in 0..9 {
            clock.0.store(2 * (number + 1), Ordering::Relaxed);
            take(usize::try_from(number).unwrap(), StepResult::Done);
        }
        assert_eq!(board.get().unwrap().expected_end, None);
        clock.0.store(20, Ordering::Relaxed);
        take(9, StepResult::Refused);
        let seen = board.get().unwrap();
        assert_eq!((seen.done, seen.refused, seen.to_come), (9, 1, 90));
        let end = Timestamp::UNIX_EPOCH + Duration::from_secs(200);
        assert_eq!(seen.expected_end, Some(end), "ninety more at two seconds each");

        let beside = board.pass(&clock, &telemetry);
        beside.expect(None, &[(key(9), steps())].into());
        let seen = board.get().unwrap();
        assert_eq!((seen.done, seen.refused, seen.to_come), (9, 0, 91));
        assert_eq!((seen.since, seen.functions()), (Timestamp::UNIX_EPOCH, 100));
        drop(beside);
        assert!(board.get().is_some(), "another pass goes on");
        drop(pass);
        assert_eq!(board.get(), None);
    }
}
