//! Counts how many functions passes have read, for whoever shows it. Nothing that a pass does depends on it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where one engine counts what it reads. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Reading(Arc<Mutex<Counts>>);

/// How many functions were read so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadSoFar {
    /// Those that were.
    pub read: usize,
    /// All that are to be.
    pub of: usize,
}

#[derive(Debug, Default)]
struct Counts {
    /// Targets that are being read: what is counted is forgotten when the last is done.
    targets: usize,
    read: usize,
    of: usize,
}

impl Reading {
    /// Returns how many functions were read so far; `None` while none is being read.
    pub fn get(&self) -> Option<ReadSoFar> {
        let counts = self.lock();
        (counts.targets > 0).then_some(ReadSoFar {
            read: counts.read,
            of: counts.of,
        })
    }

    /// Notes that so many functions of a target are to be read, until what this returns is dropped.
    pub(super) fn expect(&self, functions: usize) -> Expected<'_> {
        let mut counts = self.lock();
        counts.targets += 1;
        counts.of += functions;
        Expected(self)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Functions of a target that are being read.
pub(super) struct Expected<'a>(&'a Reading);

impl Expected<'_> {
    /// Notes that one of them was read, or could not be.
    pub(super) fn done(&self) {
        self.0.lock().read += 1;
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        let mut counts = self.0.lock();
        counts.targets -= 1;
        if counts.targets == 0 {
            *counts = Counts::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_counted_together_until_the_last_is_read() {
        let reading = Reading::default();
        assert_eq!(reading.get(), None);
        let (prod, staging) = (reading.expect(2), reading.expect(1));
        prod.done();
        prod.done();
        drop(prod);
        assert_eq!(reading.get(), Some(ReadSoFar { read: 2, of: 3 }));
        staging.done();
        drop(staging);
        assert_eq!(reading.get(), None);
    }
}
