//! Since when work is withheld: what was withheld in the pass before for the same reason is older. Withholds nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{FunctionKey, Timestamp};
use crate::plan::{Reason, Report, Subject};

/// When each thing was first seen withheld, by this process.
#[derive(Debug, Default)]
pub(super) struct WithheldSince(BTreeMap<FunctionKey, BTreeMap<(Subject, Reason), Timestamp>>);

impl WithheldSince {
    /// Writes into a report since when its work is withheld, and forgets what is no longer.
    ///
    /// Functions that a narrower pass did not look at stay as they were.
    pub(super) fn note(&mut self, report: &mut Report, now: Timestamp) {
        for function in &mut report.functions {
            let before = self.0.remove(&function.key).unwrap_or_default();
            let mut present = BTreeMap::new();
            for withheld in &mut function.withheld {
                let what = (withheld.subject.clone(), withheld.reason);
                let since = *before.get(&what).unwrap_or(&now);
                withheld.since = Some(since);
                present.insert(what, since);
            }
            if !present.is_empty() {
                self.0.insert(function.key.clone(), present);
            }
        }
        if !report.narrowed {
            let named: BTreeSet<&FunctionKey> = report.functions.iter().map(|function| &function.key).collect();
            self.0.retain(|key, _| named.contains(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{FunctionReport, State, Withheld};

    fn report(reasons: &[Reason], narrowed: bool) -> Report {
        let function = FunctionReport {
            key: FunctionKey {
                target: "prod".parse().unwrap(),
                name: "api".parse().unwrap(),
            },
            account: None,
            region: None,
            state: State::Withheld,
            drift: Vec::new(),
            steps: Vec::new(),
            withheld: reasons
                .iter()
                .map(|reason| Withheld::new(Subject::Function, *reason, String::new()))
                .collect(),
            live: None,
            aliases: Vec::new(),
        };
        Report {
            functions: vec![function],
            narrowed,
            ..Report::default()
        }
    }

    #[test]
    fn what_stays_withheld_grows_older_and_what_comes_back_begins_anew() {
        let mut since = WithheldSince::default();
        let mut at = |seconds: i64, reasons: &[Reason], narrowed: bool| {
            let mut report = report(reasons, narrowed);
            since.note(&mut report, Timestamp::from_timestamp(seconds, 0).unwrap());
            let found = report.functions[0]
                .withheld
                .iter()
                .map(|one| one.since.unwrap().timestamp());
            found.collect::<Vec<_>>()
        };
        assert_eq!(at(1, &[Reason::Conflict], false), [1]);
        assert_eq!(at(2, &[Reason::Conflict, Reason::StepFailed], true), [1, 2]);
        assert_eq!(at(3, &[Reason::StepFailed], false), [2]);
        assert_eq!(at(4, &[Reason::Conflict], false), [4]);
        assert_eq!(at(5, &[], false), [] as [i64; 0]);
        assert!(since.0.is_empty());
    }
}
