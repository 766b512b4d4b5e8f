//! What a report means for an exit code. The numbers themselves are the command line's.

use super::report::Report;

/// How a pass ended, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything in view runs what Git says.
    InSync,
    /// Something drifts, is withheld, is unreadable or has a fault.
    Differs,
    /// A target could not be read at all.
    Incomplete,
}

impl Report {
    /// Returns how the pass ended.
    pub fn verdict(&self) -> Verdict {
        if !self.failed_targets.is_empty() {
            Verdict::Incomplete
        } else if (self.narrowed || self.faults.is_empty())
            && self.functions.iter().all(super::FunctionReport::is_clean)
        {
            Verdict::InSync
        } else {
            Verdict::Differs
        }
    }
}
