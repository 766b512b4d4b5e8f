//! Tells the log and receivers what passes came to, from a task beside the driver: whatever a receiver does, no pass waits
//! for it.
//!
//! Which events there are is `notify`'s to say; how they reach a receiver is its adapter's.

mod queue;

use std::sync::{Arc, Weak};
use std::time::Duration;

use backon::BackoffBuilder as _;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::status::Status;
use crate::domain::{CommitId, Target};
use crate::notify::{CommitStatus, Event, Message, Notification, Subscription, Tracker, commit_statuses, pending};
use crate::plan::Report;
use crate::ports::{Clock, Notifier, Retry};
use crate::telemetry::{EventsHappened, NotificationOutcome, Outcome, Telemetry};
use queue::Queue;

/// Times that a notification is sent at the most.
const ATTEMPTS: usize = 5;

/// The first pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause, also where the receiver asks for a longer one: by then there is something newer to tell.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// The pause between two notifications: Slack takes one message a second.
const PACE: Duration = Duration::from_secs(1);

/// How long the line of an earlier configuration may be at telling the same place something. No answer is waited for
/// longer than ten seconds, and a status takes two at the most.
const LONGEST_TURN: Duration = Duration::from_secs(30);

/// How long what is queued may take once the daemon is to end. What is not delivered by then is lost.
const LAST_DELIVERIES: Duration = Duration::from_secs(5);

/// A receiver, and what it is to be told of.
pub struct Subscriber<N> {
    /// Its name in the configuration.
    pub name: String,
    /// Its kind, for metrics and logs.
    pub provider: &'static str,
    /// What it is told of.
    pub subscription: Subscription,
    /// Where it sets statuses, if it sets any: what another configuration's receiver of that place would set after this
    /// one is left to that one.
    pub place: Option<String>,
    /// The way to it.
    pub notifier: N,
}

/// Who is told, and of what.
pub struct Audience<N> {
    /// The receivers.
    pub subscribers: Vec<Subscriber<N>>,
    /// The targets, each of which has a status of its own beside a commit.
    pub targets: Vec<Target>,
}

impl<N> Default for Audience<N> {
    fn default() -> Self {
        Self {
            subscribers: Vec::new(),
            targets: Vec::new(),
        }
    }
}

/// Tells subscribers of every report that the status board shows.
pub struct Notifications<N, C> {
    /// Who is told to begin with.
    pub audience: Audience<N>,
    /// Others in their place, once the configuration says so.
    pub renewed: mpsc::Receiver<Audience<N>>,
    /// The time, and waiting for it.
    pub clock: C,
    /// Where it is counted.
    pub telemetry: Telemetry,
}

/// One receiver while the daemon runs.
struct Line<N, C> {
    subscriber: Subscriber<N>,
    queue: Queue,
    /// The lines of earlier configurations to the same place, which still have something to tell it.
    before: Vec<Weak<Self>>,
    /// Held while the place is told something, by this line or one before it.
    turn: Arc<Mutex<()>>,
    clock: C,
    telemetry: Telemetry,
}

impl<N, C> Notifications<N, C>
where
    N: Notifier + 'static,
    C: Clock + Clone + 'static,
{
    /// Tells of every report until `stop`, and then for some seconds of what is left.
    pub async fn run(self, mut status: watch::Receiver<Status>, stop: CancellationToken) {
        let Self {
            audience,
            mut renewed,
            clock,
            telemetry,
        } = self;
        let mut deliveries = JoinSet::new();
        let mut open = |subscribers: Vec<Subscriber<N>>, old: &[Arc<Line<N, C>>]| -> Vec<Arc<Line<N, C>>> {
            let lines = subscribers.into_iter().map(|subscriber| {
                let place = &subscriber.place;
                let same: Vec<_> = old
                    .iter()
                    .filter(|old| place.is_some() && old.subscriber.place == *place)
                    .collect();
                let line = Arc::new(Line {
                    queue: Queue::default(),
                    before: same.iter().flat_map(|old| old.with_those_before()).collect(),
                    turn: same.first().map(|old| Arc::clone(&old.turn)).unwrap_or_default(),
                    subscriber,
                    clock: clock.clone(),
                    telemetry: telemetry.clone(),
                });
                deliveries.spawn(Arc::clone(&line).deliver());
                line
            });
            lines.collect()
        };
        let mut lines = open(audience.subscribers, &[]);
        let mut desk = Desk {
            targets: audience.targets,
            ..Desk::default()
        };
        loop {
            let going_on = tokio::select! {
                biased;
                changed = status.changed() => changed.is_ok(),
                Some(audience) = renewed.recv() => {
                    // What is queued goes to those whom it was meant for.
                    close(&lines);
                    lines = open(audience.subscribers, &lines);
                    desk.targets = audience.targets;
                    // Whoever is new has no status of the commit yet, and one that comes twice is one.
                    desk.statuses.clear();
                    if let Some(report) = desk.report.clone() {
                        desk.statuses(commit_statuses(&report, &desk.targets), &lines);
                    }
                    continue;
                }
                () = stop.cancelled() => false,
            };
            desk.look(&status.borrow_and_update().clone(), &lines);
            if !going_on {
                break;
            }
        }
        close(&lines);
        let rest = async { while deliveries.join_next().await.is_some() {} };
        // Not the daemon's clock: this is about the patience of whoever ends the process.
        let _ = tokio::time::timeout(LAST_DELIVERIES, rest).await;
    }
}

fn close<N, C>(lines: &[Arc<Line<N, C>>]) {
    for line in lines {
        line.queue.close();
    }
}

/// What was told so far.
#[derive(Default)]
struct Desk {
    targets: Vec<Target>,
    tracker: Tracker,
    commit: Option<CommitId>,
    report: Option<Arc<Report>>,
    statuses: Vec<CommitStatus>,
}

impl Desk {
    /// Looks at the status, and queues what is new in it.
    fn look<N, C: Clock>(&mut self, status: &Status, lines: &[Arc<Line<N, C>>]) {
        if status.commit != self.commit {
            self.commit.clone_from(&status.commit);
            let seen = self.commit.as_ref().map(|commit| pending(commit, &self.targets));
            self.statuses(seen.unwrap_or_default(), lines);
        }
        let (Some(report), Some(at)) = (&status.report, status.last_pass) else {
            return;
        };
        if self.report.as_ref().is_some_and(|told| Arc::ptr_eq(told, report)) {
            return;
        }
        self.report = Some(Arc::clone(report));
        let events = self.tracker.observe(report, at);
        EventsHappened { events: &events }.emit();
        for line in lines {
            line.tell(&events, report, at);
        }
        self.statuses(commit_statuses(report, &self.targets), lines);
    }

    fn statuses<N, C: Clock>(&mut self, statuses: Vec<CommitStatus>, lines: &[Arc<Line<N, C>>]) {
        let new = statuses.iter().filter(|status| !self.statuses.contains(status));
        for status in new {
            for line in lines
                .iter()
                .filter(|line| line.subscriber.subscription.wants_status(&status.target))
            {
                line.push(Notification::Status(status.clone()));
            }
        }
        self.statuses = statuses;
    }
}

impl<N, C: Clock> Line<N, C> {
    fn tell(&self, events: &[Event], report: &Report, at: crate::domain::Timestamp) {
        let Subscription::Events(rule) = &self.subscriber.subscription else {
            return;
        };
        let (again, new): (Vec<&Event>, Vec<&Event>) = events
            .iter()
            .filter(|event| rule.wants(event))
            .partition(|event| event.repeated);
        if !again.is_empty() {
            self.emit(Outcome::Deduplicated { events: again.len() });
        }
        let new = new.into_iter().cloned().collect();
        if let Some(message) = Message::of(new, report.revision.clone(), at) {
            self.push(Notification::Message(message));
        }
    }

    /// Returns this line and those before it, as far as they still have something to tell.
    fn with_those_before(self: &Arc<Self>) -> Vec<Weak<Self>> {
        let before = self.before.iter().filter(|line| line.strong_count() > 0);
        before.cloned().chain([Arc::downgrade(self)]).collect()
    }

    fn push(&self, notification: Notification) {
        if let Notification::Status(status) = &notification {
            for line in self.before.iter().filter_map(Weak::upgrade) {
                line.queue.supersede(status);
            }
        }
        if self.queue.push(notification) {
            self.emit(Outcome::Dropped);
        }
    }

    fn emit(&self, outcome: Outcome<'_>) {
        NotificationOutcome {
            receiver: &self.subscriber.name,
            provider: self.subscriber.provider,
            outcome,
        }
        .emit(&self.telemetry);
    }
}

impl<N: Notifier, C: Clock> Line<N, C> {
    /// Delivers one after the other until the queue is closed and empty.
    async fn deliver(self: Arc<Self>) {
        let mut well = true;
        while let Some(notification) = self.queue.next().await {
            well = self.send(&notification, well).await;
            self.clock.sleep(PACE).await;
        }
    }

    /// Sends one until it gets through or is given up. Returns whether it got through.
    async fn send(&self, notification: &Notification, well: bool) -> bool {
        let mut pauses = backon::ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(ATTEMPTS - 1)
            .with_jitter()
            .build();
        loop {
            let turn = tokio::time::timeout(LONGEST_TURN, self.turn.lock()).await;
            if self.queue.is_superseded() {
                return well;
            }
            let told = self.subscriber.notifier.notify(notification).await;
            drop(turn);
            let Err(error) = told else {
                self.emit(Outcome::Sent { again: !well });
                return true;
            };
            let text = error.to_string();
            let pause = match error.retry {
                Retry::Never => None,
                Retry::Later => pauses.next(),
                Retry::After(wished) => pauses.next().map(|_| wished.min(LONGEST_PAUSE)),
            };
            let Some(pause) = pause else {
                self.emit(Outcome::Failed {
                    error: &text,
                    first: well,
                });
                return false;
            };
            self.emit(Outcome::Retried { error: &text });
            self.clock.sleep(pause).await;
        }
    }
}
