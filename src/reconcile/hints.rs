//! Listens for word of changes that others make, and nudges the functions. Looks at none itself, and holds nothing up:
//! what is not heard, the next sweep sees.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use super::contain::contained;
use super::status::Nudge;
use crate::domain::{AccountId, FunctionKey, FunctionName, Region, Target};
use crate::ports::{Clock, Hint, Hints, PortError, PortErrorKind};
use crate::telemetry::{HintResult, HintsHeard, HintsUnheard, Telemetry};

/// The first pause after a queue that does not answer, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// The least time from one answer without messages to the next: a queue that does not wait for messages, as it was asked
/// to, is not asked without an end.
const EMPTY_PACE: Duration = Duration::from_secs(1);

/// Listens to one queue.
pub struct HintListener<H, C> {
    /// The queue.
    pub hints: H,
    /// What it is called in the log.
    pub name: String,
    /// Whose functions are nudged.
    pub targets: Vec<Target>,
    /// What they are nudged with.
    pub nudge: Nudge,
    /// The clock.
    pub clock: C,
    /// The telemetry.
    pub telemetry: Telemetry,
}

impl<H: Hints, C: Clock> HintListener<H, C> {
    /// Listens for as long as it is polled. A message in hand when it is dropped comes again.
    pub async fn run(&self) {
        let mut pauses = pauses();
        loop {
            let listened = contained(&self.telemetry, None, self.listen_once())
                .await
                .unwrap_or_else(|message| Err(PortError::new(PortErrorKind::Malformed, "listen", message)));
            match listened {
                Ok(()) => {
                    HintsUnheard::is_over(&self.name, &self.telemetry);
                    pauses = self::pauses();
                }
                Err(error) => {
                    HintsUnheard {
                        queue: &self.name,
                        error: &error.to_string(),
                    }
                    .emit(&self.telemetry);
                    self.clock.sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
                }
            }
        }
    }

    /// Waits for messages, and takes them off the queue once the functions that they name are nudged.
    async fn listen_once(&self) -> Result<(), PortError> {
        let asked = self.clock.uptime();
        let messages = self.hints.receive().await?;
        if messages.is_empty() {
            let waited = self.clock.uptime().saturating_sub(asked);
            self.clock.sleep(EMPTY_PACE.saturating_sub(waited)).await;
            return Ok(());
        }
        let (mut keys, mut receipts) = (Vec::new(), Vec::new());
        for message in messages {
            receipts.push(message.receipt);
            let result = match message.hint {
                Hint::Changed {
                    account,
                    region,
                    function,
                } => {
                    let before = keys.len();
                    keys.extend(self.keys(&account, &region, &function));
                    if keys.len() > before {
                        HintResult::Nudged
                    } else {
                        HintResult::Ignored
                    }
                }
                Hint::Own => HintResult::Own,
                Hint::Irrelevant => HintResult::Ignored,
                Hint::Malformed(why) => HintResult::Malformed(why),
            };
            HintsHeard {
                queue: &self.name,
                result,
            }
            .emit(&self.telemetry);
        }
        self.nudge.functions(keys);
        self.hints.delete(receipts).await
    }

    /// Returns what a function is called in the targets that may manage it.
    fn keys(&self, account: &AccountId, region: &Region, function: &FunctionName) -> impl Iterator<Item = FunctionKey> {
        let is_of = move |target: &&Target| {
            target.region.as_ref() == Some(region)
                && target.account.as_ref().is_none_or(|of| of == account)
                && target.allows(function)
        };
        self.targets.iter().filter(is_of).map(move |target| FunctionKey {
            target: target.name.clone(),
            name: function.clone(),
        })
    }
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_jitter()
        .build()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::*;
    use crate::ports::HintMessage;
    use crate::reconcile::paused::Paused;

    /// Answers in order, and with errors after that. Notes what it was asked for.
    struct Script {
        answers: Mutex<VecDeque<Result<Vec<Hint>, PortError>>>,
        nudge: Nudge,
        asked: Mutex<Vec<String>>,
    }

    fn away() -> PortError {
        PortError::new(PortErrorKind::Unreachable, "ReceiveMessage", "it is away")
    }

    impl Hints for &Script {
        async fn receive(&self) -> Result<Vec<HintMessage>, PortError> {
            self.asked.lock().unwrap().push("receive".to_owned());
            let answer = self.answers.lock().unwrap().pop_front();
            let hints = answer.unwrap_or_else(|| Err(away()))?;
            let messages = hints.into_iter().enumerate().map(|(at, hint)| HintMessage {
                hint,
                receipt: at.to_string(),
            });
            Ok(messages.collect())
        }

        async fn delete(&self, receipts: Vec<String>) -> Result<(), PortError> {
            let heard: Vec<String> = self.nudge.take_heard().iter().map(ToString::to_string).collect();
            let told = format!("delete {} after {}", receipts.join(" "), heard.join(" "));
            self.asked.lock().unwrap().push(told);
            Ok(())
        }
    }

    fn changed(account: &str, region: &str, function: &str) -> Hint {
        Hint::Changed {
            account: account.parse().unwrap(),
            region: region.parse().unwrap(),
            function: function.parse().unwrap(),
        }
    }

    fn target(name: &str, account: Option<&str>, glob: &str) -> Target {
        Target {
            name: name.parse().unwrap(),
            path: name.to_owned(),
            region: Some("us-east-1".parse().unwrap()),
            account: account.map(|account| account.parse().unwrap()),
            functions: vec![glob.parse().unwrap()],
        }
    }

    /// Listens for an hour, and returns what was asked of the queue and what was counted.
    async fn listen(answers: Vec<Result<Vec<Hint>, PortError>>) -> (Vec<String>, String) {
        let (nudge, telemetry) = (Nudge::default(), Telemetry::new().unwrap());
        let script = Script {
            answers: Mutex::new(answers.into()),
            nudge: nudge.clone(),
            asked: Mutex::default(),
        };
        let listener = HintListener {
            hints: &script,
            name: "queue".to_owned(),
            targets: vec![target("a", Some("111111111111"), "checkout-*"), target("b", None, "*")],
            nudge,
            clock: Paused::new(),
            telemetry: telemetry.clone(),
        };
        let hour = tokio::time::timeout(Duration::from_hours(1), listener.run());
        assert!(hour.await.is_err(), "it never gives up");
        (script.asked.into_inner().unwrap(), telemetry.render().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn functions_are_nudged_before_their_messages_are_taken_off_the_queue() {
        let (asked, counted) = listen(vec![
            Ok(vec![
                changed("111111111111", "us-east-1", "checkout-api"),
                changed("222222222222", "us-east-1", "checkout-api"),
                changed("111111111111", "eu-west-1", "checkout-api"),
            ]),
            Ok(vec![Hint::Own, Hint::Irrelevant, Hint::Malformed("x".to_owned())]),
        ])
        .await;
        assert_eq!(
            asked[..4],
            [
                "receive",
                "delete 0 1 2 after a/checkout-api b/checkout-api",
                "receive",
                "delete 0 1 2 after "
            ]
        );
        for (result, count) in [("nudged", 2), ("own", 1), ("ignored", 2), ("malformed", 1)] {
            let line = format!("pinfold_hints_total{{result=\"{result}\"}} {count}\n");
            assert!(counted.contains(&line), "{line} is not in {counted}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_is_away_or_does_not_wait_is_not_asked_without_an_end() {
        let (asked, _) = listen(Vec::new()).await;
        assert!((12..60).contains(&asked.len()), "{} times in an hour", asked.len());
        let (asked, _) = listen((0..3600).map(|_| Ok(Vec::new())).collect()).await;
        assert!((3500..=3601).contains(&asked.len()), "{} times in an hour", asked.len());
    }
}
