//! The rate limit of one quota: whose turn it is and when. Pure; the time is handed in, and nobody waits here.
//!
//! Calls wait in queues by priority. Where several targets of one account wait with one priority, they take turns.
//! Being throttled halves the rate, and it comes back slowly.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ports::Priority;

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Times a second, above 0.
    pub per_second: f64,
    /// How many may come at once after a pause. AWS publishes no burst for its buckets, so it stays small.
    pub burst: usize,
    /// The part of it that sweeps may have, from 0 to 1: a sweep fills all the time that it is given, and whoever
    /// comes after it should not have to wait for what it took.
    pub sweep_share: f64,
}

/// The least that throttling leaves of a rate: AWS answers somebody, and without a call nobody would learn when the
/// quota is free again.
const SMALLEST_PART: f64 = 0.05;

/// How long a rate takes from nothing to its full height. Whoever else used the quota up needs it for a while.
const RECOVERY: Duration = Duration::from_secs(200);

/// Between two cuts of the rate at the least: calls on their way when the first 429 comes say the same once more.
const CUT_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause that a Retry-After is believed.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// One in so many goes to somebody of a lower priority who waits, so that a long queue of the urgent does not blind
/// those who look after the rest.
const TURN_OF_THE_LEAST: u32 = 20;

/// A target, as far as taking turns goes.
pub(super) type Party = usize;

/// What there is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<W> {
    /// This one may go.
    Go(W),
    /// Nobody may before this time.
    At(Duration),
    /// Nobody waits.
    Idle,
}

/// A bucket of tokens with queues in front of it.
#[derive(Debug)]
pub(super) struct Bucket<W> {
    full: Rate,
    /// What it fills at now, times a second.
    per_second: f64,
    tokens: f64,
    /// What sweeps may have of the tokens.
    for_sweeps: f64,
    /// Up to when it is filled.
    filled: Duration,
    paused_until: Duration,
    cut_at: Option<Duration>,
    /// How many went in a row while somebody less urgent waited.
    passed_over: u32,
    queues: [Turns<W>; Priority::ALL.len()],
}

/// Those who wait with one priority: each party first come, first served, and one of each in turn.
#[derive(Debug)]
struct Turns<W> {
    parties: VecDeque<(Party, VecDeque<W>)>,
}

impl<W> Default for Turns<W> {
    fn default() -> Self {
        Self {
            parties: VecDeque::new(),
        }
    }
}

impl<W> Turns<W> {
    fn push(&mut self, party: Party, waiter: W) {
        match self.parties.iter_mut().find(|(other, _)| *other == party) {
            Some((_, waiting)) => waiting.push_back(waiter),
            None => self.parties.push_back((party, [waiter].into())),
        }
    }

    fn pop(&mut self) -> Option<W> {
        let (party, mut waiting) = self.parties.pop_front()?;
        let waiter = waiting.pop_front();
        if !waiting.is_empty() {
            self.parties.push_back((party, waiting));
        }
        waiter
    }

    fn is_empty(&self) -> bool {
        self.parties.is_empty()
    }
}

impl<W> Bucket<W> {
    /// Builds a full bucket at time 0.
    pub(super) fn new(rate: Rate) -> Self {
        let per_second = rate.per_second.clamp(0.001, 1e6);
        // Timers wake within some milliseconds: at high rates that much has to fit in.
        let burst = rate.burst.max(count(per_second * 0.02)).max(1);
        let full = Rate {
            per_second,
            burst,
            sweep_share: rate.sweep_share.clamp(0.01, 1.0),
        };
        Self {
            full,
            per_second,
            tokens: float(burst),
            for_sweeps: sweep_burst(full),
            filled: Duration::ZERO,
            paused_until: Duration::ZERO,
            cut_at: None,
            passed_over: 0,
            queues: Default::default(),
        }
    }

    /// Lets somebody wait for a turn.
    pub(super) fn push(&mut self, priority: Priority, party: Party, waiter: W) {
        self.queues[priority as usize].push(party, waiter);
    }

    /// Returns whose turn it is, and takes the token for it.
    pub(super) fn next(&mut self, now: Duration) -> Next<W> {
        self.fill(now);
        let waiting = |bucket: &Self, priority: Priority| !bucket.queues[priority as usize].is_empty();
        if !Priority::ALL.into_iter().any(|priority| waiting(self, priority)) {
            return Next::Idle;
        }
        // Less than a millionth of a token is nothing but the rounding of what was taken.
        let missing = |tokens: f64| if tokens > 1.0 - 1e-6 { 0.0 } else { 1.0 - tokens };
        let for_sweeps = missing(self.for_sweeps) / self.full.sweep_share;
        let may = |priority: Priority| priority != Priority::Sweep || for_sweeps <= 0.0;
        let mut turns = Priority::ALL
            .into_iter()
            .filter(|priority| waiting(self, *priority) && may(*priority));
        let (first, least) = (turns.next(), turns.next_back());
        let wait = match first {
            Some(_) => missing(self.tokens),
            None => missing(self.tokens).max(for_sweeps),
        };
        if wait > 0.0 || now < self.paused_until {
            let filled = now + Duration::from_secs_f64(wait / self.per_second);
            return Next::At(filled.max(self.paused_until));
        }
        let turn = least.filter(|_| self.passed_over + 1 >= TURN_OF_THE_LEAST).or(first);
        self.passed_over = if least.is_some() && turn == first {
            self.passed_over + 1
        } else {
            0
        };
        let Some((turn, waiter)) = turn.and_then(|turn| Some((turn, self.queues[turn as usize].pop()?))) else {
            return Next::Idle;
        };
        self.tokens -= 1.0;
        if turn == Priority::Sweep {
            self.for_sweeps -= 1.0;
        }
        Next::Go(waiter)
    }

    /// Gives back the token of somebody who has left.
    pub(super) fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(float(self.full.burst));
        self.for_sweeps = (self.for_sweeps + 1.0).min(sweep_burst(self.full));
    }

    /// AWS said that it is too much: halves the rate, and pauses for as long as it asks.
    pub(super) fn throttled(&mut self, now: Duration, retry_after: Option<Duration>) {
        self.fill(now);
        if self.cut_at.is_none_or(|at| now >= at + CUT_PAUSE) {
            self.cut_at = Some(now);
            self.per_second = (self.per_second / 2.0).max(self.full.per_second * SMALLEST_PART);
            // What was saved up was saved up at a rate that is too high.
            self.tokens = self.tokens.min(1.0);
        }
        if let Some(pause) = retry_after {
            self.paused_until = self.paused_until.max(now + pause.min(LONGEST_PAUSE));
        }
    }

    /// Returns what it fills at now, times a second.
    pub(super) fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Fills up to now, and lets the rate recover.
    pub(super) fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        let added = passed * self.per_second;
        self.tokens = (self.tokens + added).min(float(self.full.burst));
        self.for_sweeps = (self.for_sweeps + added * self.full.sweep_share).min(sweep_burst(self.full));
        let recovered = passed / RECOVERY.as_secs_f64() * self.full.per_second;
        self.per_second = (self.per_second + recovered).min(self.full.per_second);
    }
}

fn sweep_burst(rate: Rate) -> f64 {
    (float(rate.burst) * rate.sweep_share).max(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "a burst is some thousands at the most")]
fn float(count: usize) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 20,000 by the bounds of a rate"
)]
fn count(float: f64) -> usize {
    float as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Who waits: a number, and with what priority.
    type Waiter = (usize, Priority, Party);

    const RATE: Rate = Rate {
        per_second: 5.0,
        burst: 3,
        sweep_share: 0.5,
    };

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Takes turns until nobody waits, and notes who went when.
    fn drain<W>(bucket: &mut Bucket<W>, mut now: Duration) -> Vec<(Duration, W)> {
        let mut gone = Vec::new();
        loop {
            match bucket.next(now) {
                Next::Go(waiter) => gone.push((now, waiter)),
                Next::At(later) => {
                    assert!(later > now, "time goes on");
                    now = later;
                }
                Next::Idle => return gone,
            }
        }
    }

    fn priorities() -> impl Strategy<Value = Priority> {
        prop::sample::select(&Priority::ALL[..])
    }

    proptest! {
        #[test]
        fn the_rate_is_never_exceeded_over_any_stretch_of_time(
            waiting in prop::collection::vec((priorities(), 0..3_usize), 1..80),
            per_second in 0.5..50.0_f64,
            burst in 1..12_usize,
        ) {
            let mut bucket = Bucket::new(Rate { per_second, burst, sweep_share: 0.5 });
            for (number, (priority, party)) in waiting.iter().enumerate() {
                bucket.push(*priority, *party, (number, *priority, *party));
            }
            let gone = drain(&mut bucket, Duration::ZERO);
            prop_assert_eq!(gone.len(), waiting.len());
            for (first, (began, _)) in gone.iter().enumerate() {
                for (last, (ended, _)) in gone.iter().enumerate().skip(first) {
                    let stretch = ended.saturating_sub(*began);
                    let allowed = float(burst) + stretch.as_secs_f64() * per_second + 0.001;
                    prop_assert!(float(last - first + 1) <= allowed, "{} within {stretch:?}", last - first + 1);
                }
            }
        }

        #[test]
        fn each_party_is_served_in_the_order_in_which_it_came(
            waiting in prop::collection::vec((priorities(), 0..3_usize), 1..60),
        ) {
            let mut bucket = Bucket::new(RATE);
            for (number, (priority, party)) in waiting.iter().enumerate() {
                bucket.push(*priority, *party, (number, *priority, *party));
            }
            let gone: Vec<Waiter> = drain(&mut bucket, Duration::ZERO).into_iter().map(|(_, waiter)| waiter).collect();
            for (first, one) in gone.iter().enumerate() {
                for other in &gone[first..] {
                    if (one.1, one.2) == (other.1, other.2) {
                        prop_assert!(one.0 <= other.0);
                    }
                }
            }
        }

        #[test]
        fn a_hostile_storm_of_429_leaves_a_rate_that_comes_back(
            storm in prop::collection::vec((0.0..30.0_f64, prop::option::of(0.0..1e6_f64)), 1..40),
        ) {
            let mut bucket = Bucket::new(RATE);
            let mut now = Duration::ZERO;
            for (later, retry_after) in storm {
                now += seconds(later);
                bucket.throttled(now, retry_after.map(seconds));
                prop_assert!(bucket.per_second() >= RATE.per_second * SMALLEST_PART);
                prop_assert!(bucket.per_second() <= RATE.per_second);
            }
            bucket.push(Priority::Sweep, 0, ());
            let gone = drain(&mut bucket, now);
            prop_assert!(gone[0].0 <= now + LONGEST_PAUSE + seconds(10.0 / RATE.per_second / SMALLEST_PART));
            let _ = bucket.next(now + LONGEST_PAUSE + RECOVERY);
            prop_assert!((bucket.per_second() - RATE.per_second).abs() < 1e-9);
        }
    }

    #[test]
    fn the_urgent_go_first_and_yet_not_for_ever() {
        let mut bucket = Bucket::new(RATE);
        for number in 0..100 {
            bucket.push(Priority::Sweep, 0, (number, Priority::Sweep));
        }
        for number in 0..100 {
            bucket.push(Priority::Write, 0, (number, Priority::Write));
        }
        let gone = drain(&mut bucket, Duration::ZERO);
        let first: Vec<Priority> = gone.iter().take(105).map(|(_, (_, priority))| *priority).collect();
        let sweeps = first.iter().filter(|priority| **priority == Priority::Sweep).count();
        assert_eq!(sweeps, 5, "one in twenty");
        assert!(first[..19].iter().all(|priority| *priority == Priority::Write));
    }

    #[test]
    fn a_sweep_has_no_more_than_its_share() {
        let mut bucket = Bucket::new(RATE);
        for number in 0..50 {
            bucket.push(Priority::Sweep, 0, number);
        }
        let gone = drain(&mut bucket, Duration::ZERO);
        let (last, _) = gone.last().unwrap();
        // One and a half at once, then 2.5 a second.
        assert!((last.as_secs_f64() - 48.5 / 2.5).abs() < 0.01, "{last:?}");
    }

    #[test]
    fn a_sweep_without_a_share_left_holds_up_nobody() {
        let mut bucket = Bucket::new(RATE);
        for number in 0..40 {
            bucket.push(Priority::Sweep, 0, number);
        }
        while matches!(bucket.next(Duration::ZERO), Next::Go(_)) {}
        for number in 0..40 {
            bucket.push(Priority::Write, 0, 1000 + number);
        }
        let gone = drain(&mut bucket, Duration::ZERO);
        let writes: Vec<_> = gone.iter().filter(|(_, number)| *number >= 1000).collect();
        let (last, _) = writes.last().unwrap();
        assert!(last.as_secs_f64() <= 43.0 / 5.0, "{last:?}");
    }

    #[test]
    fn whoever_comes_while_a_sweep_waits_goes_at_once() {
        let mut bucket = Bucket::new(RATE);
        for number in 0..50 {
            bucket.push(Priority::Sweep, 0, number);
        }
        let now = seconds(10.0);
        while matches!(bucket.next(now), Next::Go(_)) {}
        bucket.push(Priority::Write, 0, 1000);
        assert_eq!(bucket.next(now), Next::Go(1000), "the sweep has left tokens for it");
    }

    #[test]
    fn targets_of_one_account_take_turns() {
        let mut bucket = Bucket::new(RATE);
        for number in 0..20 {
            bucket.push(Priority::Nudged, 1, (1, number));
        }
        for number in 0..3 {
            bucket.push(Priority::Nudged, 2, (2, number));
        }
        let parties: Vec<usize> = drain(&mut bucket, Duration::ZERO)
            .into_iter()
            .take(6)
            .map(|(_, (party, _))| party)
            .collect();
        assert_eq!(parties, [1, 2, 1, 2, 1, 2]);
    }

    #[test]
    fn a_429_halves_the_rate_once_and_it_comes_back_slowly() {
        let mut bucket: Bucket<()> = Bucket::new(RATE);
        let now = seconds(100.0);
        bucket.throttled(now, None);
        bucket.throttled(now + seconds(0.3), None);
        assert!(
            (bucket.per_second() - 2.5).abs() < 0.01,
            "those on their way say the same"
        );
        bucket.throttled(now + seconds(1.5), None);
        assert!((bucket.per_second() - 1.27).abs() < 0.05, "{}", bucket.per_second());
        let _ = bucket.next(now + seconds(60.0));
        assert!(bucket.per_second() < 3.0, "{}", bucket.per_second());
    }

    #[test]
    fn a_retry_after_is_kept_to() {
        let mut bucket = Bucket::new(RATE);
        bucket.throttled(seconds(1.0), Some(seconds(7.0)));
        bucket.push(Priority::Write, 0, ());
        assert_eq!(bucket.next(seconds(1.0)), Next::At(seconds(8.0)));
        assert_eq!(bucket.next(seconds(8.0)), Next::Go(()));
    }

    #[test]
    fn the_token_of_somebody_who_left_is_not_lost() {
        let mut bucket = Bucket::new(Rate { burst: 1, ..RATE });
        bucket.push(Priority::Write, 0, 1);
        bucket.push(Priority::Write, 0, 2);
        assert_eq!(bucket.next(Duration::ZERO), Next::Go(1));
        bucket.give_back();
        assert_eq!(bucket.next(Duration::ZERO), Next::Go(2));
    }

    #[test]
    fn every_rate_that_the_configuration_takes_is_reached() {
        for per_second in [0.1, 5.0, 15.0, 40.0, 100.0, 333.3, 1001.0, 10_000.0] {
            let mut bucket = Bucket::new(Rate { per_second, ..RATE });
            for number in 0..20 {
                bucket.push(Priority::Write, 0, number);
            }
            let gone = drain(&mut bucket, Duration::ZERO);
            let (last, _) = gone.last().unwrap();
            assert!(last.as_secs_f64() <= 20.0 / per_second, "{per_second}: {last:?}");
        }
    }
}
