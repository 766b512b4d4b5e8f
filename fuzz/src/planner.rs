//! The bytes choose a world, as chance does in the properties, and every invariant of plans is held to it.

use pinfold::domain::Mode;

use super::invariants as hold;
use super::worlds::{Choices, case, function, store};

/// Plans the world that the bytes choose.
///
/// # Panics
///
/// An invariant does not hold.
pub fn planner(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mode = choices.among(&[(3, Mode::Reconcile), (1, Mode::Observe)]);
    let after_a_pass = choices.among(&[(1, true), (1, false)]);
    let store = store(&mut choices);
    let cases: Vec<_> = (0..=choices.below(3)).map(|_| case(&mut choices)).collect();
    let function = function(&mut choices);
    hold::planned_apart(&cases, &store);
    for case in cases {
        hold::no_step_unasked_and_nothing_untold(&case, &store, mode);
        hold::drift_is_corrected_or_withheld(&case, &store);
        hold::settled_plans_nothing(&case, &function);
        hold::survives_a_crash(&case, &store);
        hold::in_sync_is_true(case.clone(), &store, after_a_pass);
        hold::converges(case, &store);
    }
}
