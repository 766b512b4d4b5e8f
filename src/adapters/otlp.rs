//! Sends spans to an OpenTelemetry collector over OTLP (HTTP, protobuf), through Pinfold's own HTTPS client. Makes no span.
//!
//! Where to, what else to say of this process, and which share of the passes: the standard `OTEL_*` variables, which the
//! OpenTelemetry SDK reads by itself.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::Full;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;

use super::web::Web;

/// How long the last spans may take once the process is to end.
const LAST_SPANS: Duration = Duration::from_secs(3);

/// Spans on their way to a collector.
#[derive(Debug, Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Builds the way to the collector that the environment names. The service is called `name` unless the environment
    /// says otherwise. Has to be called on a runtime.
    ///
    /// # Errors
    ///
    /// The environment names an address or a header that is none.
    pub fn new(web: Web, name: Option<&'static str>) -> Result<Self, ExporterBuildError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(Way {
                web,
                runtime: Handle::current(),
            })
            .build()?;
        let mut resource = Resource::builder();
        if let Some(name) = name {
            resource = resource.with_service_name(name);
        }
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.with_attribute(version).build())
            .build();
        Ok(Self { provider })
    }

    /// Returns what makes spans out of those of `tracing`.
    pub fn tracer(&self) -> SdkTracer {
        self.provider.tracer("pinfold")
    }

    /// Sends what is left, for some seconds.
    pub async fn end(self) {
        // The SDK waits on the thread, and the requests need the runtime's.
        let ending = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(LAST_SPANS));
        // Spans that a collector does not take any more are lost, and nothing else with them.
        let _ = ending.await;
    }
}

/// Pinfold's client, in the shape that the SDK asks for. The SDK sends from a thread of its own, on which there is no
/// runtime, so the request is made on ours.
#[derive(Debug)]
struct Way {
    web: Web,
    runtime: Handle,
}

impl HttpClient for Way {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let (web, runtime) = (self.web.clone(), self.runtime.clone());
        Box::pin(async move {
            let sent = runtime.spawn(async move { web.send(request.map(Full::new)).await });
            let answer = sent.await??;
            let mut response = Response::new(answer.body);
            *response.status_mut() = answer.status;
            Ok(response)
        })
    }
}
