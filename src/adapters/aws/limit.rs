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
    /// Builds a limiter.
    pub fn new(rate: Rate) -> Self {
        let interval = Duration::from_secs_f64(1.0 / rate.per_second.clamp(0.001, 1e6));
        let bucket = RateLimiter::builder()
            .max(rate.burst)
            .initial(rate.burst)
            .refill(1)
            .interval(interval)
            .fair(true)
            .build();
        Self {
            bucket: Arc::new(bucket),
        }
    }
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
