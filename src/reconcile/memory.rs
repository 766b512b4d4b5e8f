//! What the daemon knows from one pass to the next, and from one configuration to the next. Decides nothing.

use std::collections::BTreeMap;

use super::backoff::Backoffs;
use super::contention::Contentions;
use super::since::WithheldSince;
use super::watch::InForce;
use crate::domain::{CommitId, DesiredState, FunctionKey};
use crate::plan::{Hold, Report};
use crate::ports::Clock;

/// What one driver hands to the next where the configuration changes: the commit in force, so that it stays in force
/// while the repository is away, and which functions are left alone. May be dropped at any time.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) in_force: InForce,
    backoffs: Backoffs,
    contentions: Contentions,
    /// Acknowledgements that were answered.
    acknowledgements: u64,
    since: WithheldSince,
}

impl Memory {
    /// Returns the functions that are to be left alone for now. A new acknowledgement lets those go that somebody else
    /// keeps changing.
    pub(super) fn holds<C: Clock>(
        &mut self,
        revision: Option<&CommitId>,
        acknowledgements: u64,
        clock: &C,
    ) -> BTreeMap<FunctionKey, Hold> {
        if std::mem::replace(&mut self.acknowledgements, acknowledgements) != acknowledgements {
            self.contentions.release();
        }
        let mut held = self.backoffs.holds(revision, clock);
        held.extend(self.contentions.holds(revision, clock));
        held
    }

    /// Notes what a pass came to, and writes into its report since when work is withheld. What was `cut_short` has not
    /// failed.
    pub(super) fn note<C: Clock>(&mut self, report: &mut Report, desired: &DesiredState, cut_short: bool, clock: &C) {
        self.since.note(report, clock.now());
        if cut_short {
            return;
        }
        let named = |key: &FunctionKey| desired.functions.contains_key(key);
        self.backoffs.note(report, clock.uptime());
        self.backoffs.retain(named);
        self.contentions.note(report, clock);
        self.contentions.retain(named);
    }
}
