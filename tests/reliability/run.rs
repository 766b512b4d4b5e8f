//! Runs passes call by call: polls them by hand, so that nothing but the caller decides which call goes next.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pinfold::domain::DesiredState;
use pinfold::plan::{Report, Verdict};
use pinfold::reconcile::{PassPolicy, Scope};
use tokio_util::sync::CancellationToken;

use crate::gate::{Gate, Passed};
use crate::stage::StageEngine;

/// A pass in progress, which goes on call by call.
pub(crate) struct Run<'a> {
    gate: Gate,
    future: Pin<Box<dyn Future<Output = Option<Report>> + 'a>>,
    over: bool,
    /// What it came to; none also where it was ended before any step.
    report: Option<Report>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(engine: &'a StageEngine, desired: &'a DesiredState, gate: &Gate) -> Self {
        Self::ending(engine, desired, gate, CancellationToken::new())
    }

    /// The same, to be ended early by `end`.
    pub(crate) fn ending(
        engine: &'a StageEngine,
        desired: &'a DesiredState,
        gate: &Gate,
        end: CancellationToken,
    ) -> Self {
        let mut run = Self {
            gate: gate.clone(),
            future: Box::pin(pass(engine, desired, end)),
            over: false,
            report: None,
        };
        run.poll();
        run
    }

    /// Lets one call through and goes on to the next. Returns false where there is none any more.
    pub(crate) fn step(&mut self) -> bool {
        if self.over {
            return false;
        }
        self.gate.admit();
        // Streams of futures may want to be asked more than once before they get to the one that was woken.
        for _ in 0..100 {
            self.poll();
            if self.over || self.gate.is_dead() || self.gate.is_closed() {
                return true;
            }
        }
        panic!("the pass is stuck at {:?}", self.gate.passed());
    }

    /// What the pass came to.
    pub(crate) fn report(&self) -> &Report {
        self.report.as_ref().unwrap()
    }

    /// What the pass came to; none where it was ended before any step.
    pub(crate) fn into_report(self) -> Option<Report> {
        self.report
    }

    /// Returns whether the pass is over and found everything as Git says.
    pub(crate) fn in_sync(&self) -> bool {
        self.report
            .as_ref()
            .is_some_and(|report| report.verdict() == Verdict::InSync)
    }

    /// Lets every call through.
    pub(crate) fn finish(&mut self) {
        while self.step() {}
    }

    fn poll(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        if !self.over
            && let Poll::Ready(report) = self.future.as_mut().poll(&mut context)
        {
            (self.over, self.report) = (true, report);
        }
    }
}

async fn pass(engine: &StageEngine, desired: &DesiredState, end: CancellationToken) -> Option<Report> {
    let (scope, policy) = (Scope::default(), PassPolicy::default());
    engine.apply(desired, &scope, &policy, &end).await
}

/// Polls a future that never has to wait.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
    panic!("it waits for something");
}

/// Returns the calls of a pass that write.
pub(crate) fn writes_of(gate: &Gate) -> Vec<Passed> {
    let mut passed = gate.passed();
    passed.retain(|passed| passed.write.is_some());
    passed
}
