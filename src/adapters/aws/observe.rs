//! Counts and times every attempt at a call to AWS. Changes nothing about it.

use std::time::Instant;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use tracing::Span;

use crate::telemetry::{AwsRequest, Telemetry, answered, aws_span};

/// Tells telemetry of every attempt.
#[derive(Clone)]
pub(crate) struct Attempts {
    service: &'static str,
    telemetry: Telemetry,
}

impl Attempts {
    pub(crate) fn new(service: &'static str, telemetry: Telemetry) -> Self {
        Self { service, telemetry }
    }
}

impl std::fmt::Debug for Attempts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempts")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// When an attempt began, and its span.
#[derive(Debug)]
struct Began(Instant, Span);

impl Storable for Began {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_attempt(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = config.load::<Metadata>().map_or("unknown", |metadata| metadata.name());
        let span = aws_span(self.service, operation);
        config.interceptor_state().store_put(Began(Instant::now(), span));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let status = context.response().map(|response| response.status().as_u16());
        let duration = config
            .load::<Began>()
            .map(|began| began.0.elapsed())
            .unwrap_or_default();
        let operation = config.load::<Metadata>().map_or("unknown", |metadata| metadata.name());
        AwsRequest {
            service: self.service,
            operation,
            status,
            duration,
        }
        .emit(&self.telemetry);
        if let Some(Began(_, span)) = config.load::<Began>() {
            answered(span, status);
        }
        // The span ends with the attempt, not with the whole operation.
        config.interceptor_state().unset::<Began>();
        Ok(())
    }
}
