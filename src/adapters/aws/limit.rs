//! Rate limits in front of every attempt at a call, retries of the SDK included. Delays; never refuses. Whose turn it is,
//! `bucket` says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::bucket::{Bucket, Next, Party, Rate};
use crate::ports::Priority;
use crate::telemetry::{LimiterWait, Telemetry};

/// A rate limit that several clients share. Clones wait in the same queues.
#[derive(Clone)]
pub struct Limiter {
    shared: Arc<Shared>,
    /// For whom this clone waits: those that share the limit take turns.
    party: Party,
}

struct Shared {
    began: Instant,
    bucket: Mutex<Bucket<oneshot::Sender<()>>>,
}

impl Limiter {
    /// Builds a limiter.
    pub fn new(rate: Rate) -> Self {
        let shared = Shared {
            began: Instant::now(),
            bucket: Mutex::new(Bucket::new(rate)),
        };
        Self {
            shared: Arc::new(shared),
            party: 0,
        }
    }

    /// Returns the same limiter for another of those that share it.
    pub(super) fn for_party(&self, party: Party) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            party,
        }
    }

    /// Returns how many calls a second it allows now.
    pub(crate) fn per_second(&self) -> f64 {
        let mut bucket = self.bucket();
        bucket.fill(self.shared.began.elapsed());
        bucket.per_second()
    }

    /// Waits for a turn.
    async fn acquire(&self, priority: Priority) {
        let (sender, mut turn) = oneshot::channel();
        self.bucket().push(priority, self.party, sender);
        loop {
            let next = self.give_turns();
            let later = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                // The sender is dropped only once it was used.
                _ = &mut turn => return,
                () = later => {}
            }
        }
    }

    /// Lets go whoever may go now. Returns when the next one may, if somebody waits: each who waits wakes then and lets
    /// go whoever is first, so that nobody depends on another who may have left.
    fn give_turns(&self) -> Option<Instant> {
        let mut bucket = self.bucket();
        loop {
            match bucket.next(self.shared.began.elapsed()) {
                Next::Go(waiter) => {
                    if waiter.send(()).is_err() {
                        bucket.give_back();
                    }
                }
                Next::At(time) => return Some(self.shared.began + time),
                Next::Idle => return None,
            }
        }
    }

    /// Takes note of an answer.
    fn heed(&self, answer: &HttpResponse) {
        if answer.status().as_u16() == TOO_MANY_REQUESTS {
            let seconds = answer
                .headers()
                .get("retry-after")
                .and_then(|text| text.trim().parse().ok());
            let now = self.shared.began.elapsed();
            self.bucket().throttled(now, seconds.map(Duration::from_secs));
        }
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket<oneshot::Sender<()>>> {
        self.shared.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The HTTP status by which AWS says that a quota is used up.
const TOO_MANY_REQUESTS: u16 = 429;

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter")
            .field("per_second", &self.per_second())
            .finish_non_exhaustive()
    }
}

/// An HTTP client whose every request waits for the limiter first.
///
/// The limit stands here, below the SDK's retries, so that a retry pays like any other call.
#[derive(Debug, Clone)]
pub(crate) struct Limited {
    inner: SharedHttpClient,
    gate: Gate,
}

#[derive(Clone)]
struct Gate {
    limiter: Limiter,
    service: &'static str,
    telemetry: Telemetry,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate")
            .field("service", &self.service)
            .field("limiter", &self.limiter)
            .finish_non_exhaustive()
    }
}

impl Limited {
    pub(crate) fn client(
        inner: SharedHttpClient,
        limiter: Limiter,
        service: &'static str,
        telemetry: Telemetry,
    ) -> SharedHttpClient {
        SharedHttpClient::new(Self {
            inner,
            gate: Gate {
                limiter,
                service,
                telemetry,
            },
        })
    }
}

impl HttpClient for Limited {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(LimitedConnector {
            inner,
            gate: self.gate.clone(),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Debug)]
struct LimitedConnector {
    inner: SharedHttpConnector,
    gate: Gate,
}

impl HttpConnector for LimitedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, gate) = (self.inner.clone(), self.gate.clone());
        HttpConnectorFuture::new(async move {
            let before = Instant::now();
            let priority = Priority::current();
            gate.limiter.acquire(priority).await;
            LimiterWait {
                service: gate.service,
                priority: priority.as_str(),
                duration: before.elapsed(),
            }
            .emit(&gate.telemetry);
            let answer = inner.call(request).await;
            if let Ok(answer) = &answer {
                gate.limiter.heed(answer);
            }
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::telemetry::LimiterRate;

    const RATE: Rate = Rate {
        per_second: 5.0,
        burst: 3,
        sweep_share: 0.5,
    };

    /// Answers every request at once, with this status.
    #[derive(Debug, Clone, Copy)]
    struct Prompt(u16);

    impl HttpConnector for Prompt {
        fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
            let status = self.0.try_into().unwrap();
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::empty())))
        }
    }

    impl HttpClient for Prompt {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            SharedHttpConnector::new(*self)
        }
    }

    fn connector(limiter: &Limiter, status: u16) -> SharedHttpConnector {
        let telemetry = Telemetry::new().unwrap();
        let client = Limited::client(
            SharedHttpClient::new(Prompt(status)),
            limiter.clone(),
            "lambda",
            telemetry,
        );
        let components = RuntimeComponentsBuilder::for_tests().build().unwrap();
        client.http_connector(&HttpConnectorSettings::builder().build(), &components)
    }

    #[tokio::test(start_paused = true)]
    async fn requests_of_all_clients_together_keep_to_the_rate() {
        let limiter = Limiter::new(RATE);
        let (one, other) = (connector(&limiter, 200), connector(&limiter, 200));
        let before = Instant::now();
        for _ in 0..10 {
            one.call(HttpRequest::empty()).await.unwrap();
            other.call(HttpRequest::empty()).await.unwrap();
        }
        // Three at once, then seventeen at five a second; timers wake at whole milliseconds.
        let millis = before.elapsed().as_millis();
        assert!((3400..3420).contains(&millis), "{millis} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn a_429_slows_the_calls_after_it() {
        let limiter = Limiter::new(RATE);
        let throttled = connector(&limiter, 429);
        throttled.call(HttpRequest::empty()).await.unwrap();
        let prompt = connector(&limiter, 200);
        let before = Instant::now();
        for _ in 0..6 {
            prompt.call(HttpRequest::empty()).await.unwrap();
        }
        assert!(before.elapsed() > Duration::from_millis(1800), "{:?}", before.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_present_rate_is_shown_and_comes_back() {
        let (limiter, telemetry) = (Limiter::new(RATE), Telemetry::new().unwrap());
        let shown = limiter.clone();
        telemetry.show_limiters(vec![LimiterRate {
            account: "111111111111".to_owned(),
            region: "us-east-1".to_owned(),
            bucket: "control_plane",
            per_second: Box::new(move || shown.per_second()),
        }]);
        let rate = || {
            let series = "pinfold_aws_limiter_calls_per_second{account=\"111111111111\",bucket=\"control_plane\",region=\"us-east-1\"} ";
            let text = telemetry.render().unwrap();
            let found = text.lines().find_map(|line| line.strip_prefix(series));
            found.map(|value| value.parse::<f64>().unwrap())
        };
        assert_eq!(rate(), Some(5.0));
        connector(&limiter, 429).call(HttpRequest::empty()).await.unwrap();
        assert_eq!(rate(), Some(2.5), "halved");
        tokio::time::sleep(Duration::from_secs(50)).await;
        let recovering = rate().unwrap();
        assert!((recovering - 3.75).abs() < 0.01, "{recovering}");
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(rate(), Some(5.0), "it is back, though nobody called");
        telemetry.show_limiters(Vec::new());
        assert_eq!(rate(), None, "with another configuration it is gone");
    }

    #[tokio::test(start_paused = true)]
    async fn an_urgent_call_overtakes_those_that_wait() {
        let limiter = Limiter::new(RATE);
        let connector = connector(&limiter, 200);
        let call = || async { connector.call(HttpRequest::empty()).await.unwrap() };
        let before = Instant::now();
        let sweep = Priority::Sweep.of(async { futures::future::join_all((0..40).map(|_| call())).await });
        let urgent = Priority::Write.of(async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            call().await;
            before.elapsed()
        });
        let (_, urgent) = tokio::join!(sweep, urgent);
        assert!(urgent < Duration::from_millis(2050), "{urgent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_waiting_takes_no_turn_along() {
        let limiter = Limiter::new(RATE);
        let connector = connector(&limiter, 200);
        let call = || async { connector.call(HttpRequest::empty()).await.unwrap() };
        let many = futures::future::join_all((0..40).map(|_| call()));
        let late = tokio::time::timeout(Duration::from_secs(1), many).await;
        assert!(late.is_err(), "it takes longer");
        let before = Instant::now();
        call().await;
        assert!(before.elapsed() < Duration::from_millis(250), "{:?}", before.elapsed());
    }
}
