//! What must be true of every plan, tried on arbitrary worlds.

use pinfold::domain::Mode;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::invariants;
use crate::model::Function;
use crate::worlds::{self, Case, Choices, Store};

/// How many times as many worlds each property is tried on as proptest has by default. `PROPTEST_CASES` sets the latter.
const TIMES: u32 = 3;

fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases * TIMES,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(4),
        ..default
    }
}

/// Bytes that choose a function, its world included; few take as many.
const BYTES: usize = 80;

fn chosen<T: std::fmt::Debug>(choose: fn(&mut Choices<'_>) -> T) -> impl Strategy<Value = T> {
    vec(any::<u8>(), BYTES).prop_map(move |bytes| choose(&mut Choices::new(&bytes)))
}

fn case() -> impl Strategy<Value = Case> {
    chosen(worlds::case)
}

fn function() -> impl Strategy<Value = Function> {
    chosen(worlds::function)
}

fn store() -> impl Strategy<Value = Store> {
    chosen(worlds::store)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_applied_plan_converges(case in case(), store in store()) {
        invariants::converges(case, &store);
    }

    // Half of the worlds are looked at after a pass, as few are in sync by chance.
    #[test]
    fn what_is_called_in_sync_runs_what_git_says(case in case(), store in store(), after_a_pass in any::<bool>()) {
        invariants::in_sync_is_true(case, &store, after_a_pass);
    }

    #[test]
    fn a_world_in_sync_plans_nothing(case in case(), function in function()) {
        invariants::settled_plans_nothing(&case, &function);
    }

    #[test]
    fn functions_are_planned_without_regard_to_one_another(cases in vec(case(), 1..5), store in store()) {
        invariants::planned_apart(&cases, &store);
    }

    #[test]
    fn what_must_not_be_written_has_no_steps_and_what_is_not_done_is_told(
        case in case(),
        store in store(),
        mode in prop_oneof![3 => Just(Mode::Reconcile), 1 => Just(Mode::Observe)],
    ) {
        invariants::no_step_unasked_and_nothing_untold(&case, &store, mode);
    }

    #[test]
    fn what_drifts_is_either_corrected_or_withheld(case in case(), store in store()) {
        invariants::drift_is_corrected_or_withheld(&case, &store);
    }

    #[test]
    fn a_process_that_dies_after_any_step_leaves_a_world_that_converges(case in case(), store in store()) {
        invariants::survives_a_crash(&case, &store);
    }
}
