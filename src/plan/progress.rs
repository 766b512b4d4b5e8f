//! How far the changes of a wave are, for every output. Counts nothing itself and reads no clock.

use serde_json::{Value, json};

use crate::domain::{CommitId, Timestamp, rfc3339};

/// How far the passes that change something at this moment are.
///
/// Every function that they change is counted once in `done`, `failed`, `refused`, `in_hand` or `to_come`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The commit that asks for the changes; `None` for a plain folder.
    pub revision: Option<CommitId>,
    /// When the first of them was begun.
    pub since: Timestamp,
    /// When the last of them is likely to be over, going by the writes so far; `None` while those are too few to tell.
    pub expected_end: Option<Timestamp>,
    /// Functions all of whose steps were taken.
    pub done: usize,
    /// Functions of which a step failed.
    pub failed: usize,
    /// Functions of which a step was refused or left out: they are looked at again.
    pub refused: usize,
    /// Functions whose steps are being taken.
    pub in_hand: usize,
    /// Functions whose turn is still to come.
    pub to_come: usize,
    /// Functions of which an alias only has to be moved to a version that is there, as after a revert. They go first.
    pub moves: usize,
    /// Of these, how many have been moved.
    pub moved: usize,
}

impl Progress {
    /// Returns how many functions are changed in all.
    pub fn functions(&self) -> usize {
        self.ended() + self.in_hand + self.to_come
    }

    /// Returns of how many functions nothing more is done.
    pub fn ended(&self) -> usize {
        self.done + self.failed + self.refused
    }

    /// Returns it as the status shows it.
    pub fn to_json(&self) -> Value {
        json!({
            "revision": self.revision.as_ref().map(ToString::to_string),
            "since": rfc3339(&self.since),
            "expectedEnd": self.expected_end.as_ref().map(rfc3339),
            "functions": self.functions(),
            "done": self.done,
            "failed": self.failed,
            "refused": self.refused,
            "inHand": self.in_hand,
            "toCome": self.to_come,
            "moves": { "functions": self.moves, "done": self.moved },
        })
    }

    /// Returns it in one line.
    pub fn to_text(&self, now: Timestamp) -> String {
        let mut parts = vec![format!("{} of {} functions changed", self.done, self.functions())];
        for (count, what) in [
            (self.failed, "failed"),
            (self.refused, "to be looked at again"),
            (self.in_hand, "in hand"),
            (self.to_come, "to come"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        if self.moved < self.moves {
            parts.push(format!("reverts first: {} of {}", self.moved, self.moves));
        }
        if self.ended() == self.functions() {
            parts.push("looking again at what was changed".to_owned());
        } else if let Some(left) = self.left(now) {
            parts.push(format!("about {left} left"));
        }
        parts.join(", ")
    }

    /// Returns the time that is left, as people say it; `None` where it cannot be told, or is over.
    fn left(&self, now: Timestamp) -> Option<String> {
        let left = self.expected_end?.signed_duration_since(now).num_seconds();
        match left {
            ..=0 => None,
            1..90 => Some(format!("{left} s")),
            90.. => Some(format!("{} min", (left + 30) / 60)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn progress() -> Progress {
        Progress {
            revision: None,
            since: at(0),
            expected_end: None,
            done: 312,
            failed: 0,
            refused: 0,
            in_hand: 96,
            to_come: 592,
            moves: 0,
            moved: 0,
        }
    }

    #[test]
    fn a_line_tells_what_there_is_to_tell() {
        let text = |progress: &Progress| progress.to_text(at(60));
        let plain = progress();
        assert_eq!(text(&plain), "312 of 1000 functions changed, 96 in hand, 592 to come");
        let estimated = Progress {
            failed: 2,
            to_come: 590,
            moves: 20,
            moved: 12,
            expected_end: Some(at(60 + 433)),
            ..progress()
        };
        assert_eq!(
            text(&estimated),
            "312 of 1000 functions changed, 2 failed, 96 in hand, 590 to come, reverts first: 12 of 20, about 7 min left"
        );
        let late = Progress {
            expected_end: Some(at(59)),
            ..progress()
        };
        assert_eq!(text(&late), text(&plain), "an estimate that is over says nothing");
        let ended = Progress {
            refused: 1,
            in_hand: 0,
            to_come: 0,
            expected_end: Some(at(70)),
            ..progress()
        };
        assert_eq!(
            text(&ended),
            "312 of 313 functions changed, 1 to be looked at again, looking again at what was changed"
        );
    }
}
