//! Rate limits in front of every attempt at a call, retries of the SDK included. Delays; never refuses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use leaky_bucket::RateLimiter;

use crate::telemetry::{LimiterWait, Telemetry};

/// Shortest pause between two refills. The bucket counts in whole milliseconds, so a shorter one would be off by much.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Times a second, above 0.
    pub per_second: f64,
    /// How many may come at once after a pause. AWS publishes no burst for its buckets, so it stays small.
    pub burst: usize,
}

/// A rate limit that several clients share. First come, first served.
#[derive(Clone)]
pub struct Limiter {
    bucket: Arc<RateLimiter>,
}

impl Limiter {
    /// Builds a limiter. At rates above a hundred a second the burst is what comes within a hundredth of one, at least.
    pub fn new(rate: Rate) -> Self {
        let (refill, interval) = refills(rate.per_second);
        let burst = rate.burst.max(refill);
        let bucket = RateLimiter::builder()
            .max(burst)
            .initial(burst)
            .refill(refill)
            .interval(interval)
            .fair(true)
            .build();
        Self {
            bucket: Arc::new(bucket),
        }
    }
}

/// Returns how many calls are allowed at a time, and how often, so that the rate is never exceeded.
fn refills(per_second: f64) -> (usize, Duration) {
    let per_second = per_second.clamp(0.001, 1e6);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 10,000 by the bounds above"
    )]
    let refill = (per_second * SHORTEST_INTERVAL.as_secs_f64()).ceil() as u16;
    let exact = Duration::from_secs_f64(f64::from(refill) / per_second);
    let interval = Duration::from_millis(1) * u32::try_from(exact.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX);
    (refill.into(), interval)
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter")
            .field("balance", &self.bucket.balance())
            .finish()
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
            gate.limiter.bucket.acquire_one().await;
            LimiterWait {
                service: gate.service,
                duration: before.elapsed(),
            }
            .emit(&gate.telemetry);
            inner.call(request).await
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    /// Answers every request at once.
    #[derive(Debug)]
    struct Prompt;

    impl HttpConnector for Prompt {
        fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
            let status = 200.try_into().unwrap();
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::empty())))
        }
    }

    impl HttpClient for Prompt {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            SharedHttpConnector::new(Prompt)
        }
    }

    fn connector(limiter: &Limiter) -> SharedHttpConnector {
        let telemetry = Telemetry::new().unwrap();
        let client = Limited::client(SharedHttpClient::new(Prompt), limiter.clone(), "lambda", telemetry);
        let components = RuntimeComponentsBuilder::for_tests().build().unwrap();
        client.http_connector(&HttpConnectorSettings::builder().build(), &components)
    }

    #[tokio::test(start_paused = true)]
    async fn requests_of_all_clients_together_keep_to_the_rate() {
        let limiter = Limiter::new(Rate {
            per_second: 5.0,
            burst: 3,
        });
        let (one, other) = (connector(&limiter), connector(&limiter));
        let before = tokio::time::Instant::now();
        for _ in 0..10 {
            one.call(HttpRequest::empty()).await.unwrap();
            other.call(HttpRequest::empty()).await.unwrap();
        }
        // Three at once, then seventeen at five a second; the paused clock makes this exact.
        assert_eq!(before.elapsed().as_millis(), 17 * 200);
    }

    #[test]
    fn every_rate_that_the_configuration_takes_has_a_limiter() {
        for per_second in [0.1, 5.0, 15.0, 40.0, 100.0, 333.3, 1001.0, 10_000.0] {
            let (refill, interval) = refills(per_second);
            #[expect(clippy::cast_precision_loss, reason = "a hundred at the most")]
            let allowed = refill as f64 / interval.as_secs_f64();
            assert!(allowed <= per_second * 1.000_001, "{per_second}: {allowed}");
            assert!(allowed >= per_second * 0.9, "{per_second}: {allowed}");
            let _ = Limiter::new(Rate { per_second, burst: 3 });
        }
    }
}
