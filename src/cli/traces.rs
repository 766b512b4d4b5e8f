//! Spans for a collector, where the program was built with the feature `otlp` and the environment names one.

#[cfg(feature = "otlp")]
pub(super) use with_otlp::Traces;
#[cfg(not(feature = "otlp"))]
pub(super) use without::Traces;

#[cfg(not(feature = "otlp"))]
mod without {
    use tracing_subscriber::layer::Identity;

    use crate::cli::exit::Failure;

    /// No spans.
    #[derive(Debug)]
    pub(in crate::cli) struct Traces;

    impl Traces {
        pub(in crate::cli) fn none() -> Self {
            Self
        }

        #[expect(clippy::unnecessary_wraps, reason = "with a collector it may fail")]
        pub(in crate::cli) fn from_env() -> Result<Self, Failure> {
            Ok(Self)
        }

        #[expect(clippy::unused_self, reason = "with a collector it is used")]
        pub(in crate::cli) fn layer(&self) -> Identity {
            Identity::new()
        }

        #[expect(clippy::unused_async, reason = "with a collector it waits")]
        pub(in crate::cli) async fn end(self) {}
    }
}

#[cfg(feature = "otlp")]
mod with_otlp {
    use std::path::Path;

    use tracing::Subscriber;
    use tracing::level_filters::LevelFilter;
    use tracing_subscriber::Layer;
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::registry::LookupSpan;

    use crate::adapters::otlp;
    use crate::adapters::web::Web;
    use crate::cli::exit::Failure;

    /// Spans, where there is a collector.
    #[derive(Debug)]
    pub(in crate::cli) struct Traces(Option<otlp::Traces>);

    impl Traces {
        /// No spans.
        pub(in crate::cli) fn none() -> Self {
            Self(None)
        }

        /// Sets up what the environment asks for: a collector's address, unless the SDK is switched off.
        pub(in crate::cli) fn from_env() -> Result<Self, Failure> {
            let off = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
            let asked = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
            if off || asked.iter().all(|name| variable(name).is_none()) {
                return Ok(Self(None));
            }
            let authority = variable("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE")
                .or_else(|| variable("OTEL_EXPORTER_OTLP_CERTIFICATE"));
            let web = Web::new(authority.as_deref().map(Path::new))?;
            let named = variable("OTEL_SERVICE_NAME").is_some()
                || variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|all| all.contains("service.name="));
            let traces = otlp::Traces::new(web, (!named).then_some("pinfold"))?;
            Ok(Self(Some(traces)))
        }

        pub(in crate::cli) fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
        where
            S: Subscriber + for<'span> LookupSpan<'span>,
        {
            // Spans of other crates are theirs; lines of the log belong to the span in which they were written.
            let ours = Targets::new().with_target("pinfold", LevelFilter::INFO);
            self.0.as_ref().map(|traces| {
                let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer());
                layer.with_location(false).with_threads(false).with_filter(ours)
            })
        }

        /// Sends what is left.
        pub(in crate::cli) async fn end(self) {
            if let Some(traces) = self.0 {
                traces.end().await;
            }
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the command line is where the environment is read; the rest of OTEL_* the SDK reads by itself"
    )]
    fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}
