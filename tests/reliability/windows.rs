//! A deploy window that closes while a wave is under way: what has begun is finished, and nothing else is begun.

use std::time::Duration;

use chrono::TimeDelta;
use croner::parser::{CronParser, Seconds};
use pinfold::domain::{ChangeLimit, DeployWindow, DeployWindows, WindowKind};
use pinfold::plan::{Reason, State, StepReport, StepResult};
use pinfold::ports::Clock as _;
use pinfold::reconcile::{PassPolicy, Scope};
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;
use crate::run::at_once;
use crate::stage::Stage;

/// More than are in hand at a time.
const FUNCTIONS: usize = 120;

#[test]
fn a_window_that_closes_in_the_middle_of_a_wave_leaves_what_was_not_begun() {
    let names: Vec<String> = (0..FUNCTIONS).map(|number| format!("f{number:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut stage = Stage::new(&names);
    for name in &names {
        stage.want(name, "1.1.0", &[("live", "1.1.0")]);
    }
    // The first wait for an update lasts until after the freeze has begun.
    stage.window = Duration::from_secs(30);
    let gate = Gate::open();
    let engine = stage.engine(&gate);
    let freeze = engine.clock().now() + TimeDelta::seconds(2);
    let windows = DeployWindows::new(vec![DeployWindow {
        kind: WindowKind::Deny,
        cron: CronParser::builder()
            .seconds(Seconds::Required)
            .build()
            .parse(&freeze.format("%-S %-M %-H %-d %-m *").to_string())
            .unwrap(),
        duration: TimeDelta::hours(8),
        timezone: chrono_tz::UTC,
        targets: Vec::new(),
        functions: Vec::new(),
    }]);
    let policy = PassPolicy {
        change_limit: ChangeLimit::Unlimited,
        windows,
        ..PassPolicy::default()
    };
    let report = at_once(engine.apply(&stage.desired, &Scope::default(), &policy, &CancellationToken::new())).unwrap();
    let in_state = |state| report.functions.iter().filter(move |function| function.state == state);
    let (done, left) = (in_state(State::InSync).count(), in_state(State::Withheld).count());
    assert!(
        done > 0 && left > 0 && done + left == FUNCTIONS,
        "{done} done, {left} left"
    );
    for function in in_state(State::Withheld) {
        assert_eq!(function.withheld[0].reason, Reason::OutsideWindow);
        let done = |step: &StepReport| step.result == StepResult::Done;
        assert!(!function.steps.iter().any(done), "{function:#?}");
        let name = function.key.name.as_str();
        assert_eq!(stage.versions(name).len(), 1, "{name} has $LATEST alone");
    }
}
