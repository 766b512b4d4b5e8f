//! The spans of a pass, of a function in it, and of a call to AWS. Only with the feature `otlp`: nobody else reads them.

use tracing::Span;

use crate::domain::{CommitId, FunctionKey};

/// What is done for a function within a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It is read.
    Observe,
    /// Its steps are taken.
    Execute,
}

/// Returns the span of a pass.
#[cfg_attr(
    not(feature = "otlp"),
    expect(unused_variables, reason = "without a collector there are no spans")
)]
pub fn pass_span(revision: Option<&CommitId>, functions: usize) -> Span {
    #[cfg(feature = "otlp")]
    return tracing::info_span!("pass", revision = revision.map(CommitId::as_str), functions);
    #[cfg(not(feature = "otlp"))]
    Span::none()
}

/// Returns the span of a function in a pass.
#[cfg_attr(
    not(feature = "otlp"),
    expect(unused_variables, reason = "without a collector there are no spans")
)]
pub fn function_span(key: &FunctionKey, work: Work) -> Span {
    #[cfg(feature = "otlp")]
    {
        let (target, function) = (key.target.as_str(), key.name.as_str());
        match work {
            Work::Observe => tracing::info_span!("observe", target, function),
            Work::Execute => tracing::info_span!("execute", target, function),
        }
    }
    #[cfg(not(feature = "otlp"))]
    Span::none()
}

/// Returns the span of an attempt at a call to AWS. [`answered`] ends what is to be said of it.
#[cfg_attr(
    not(feature = "otlp"),
    expect(unused_variables, reason = "without a collector there are no spans")
)]
pub fn aws_span(service: &str, operation: &str) -> Span {
    #[cfg(feature = "otlp")]
    return tracing::info_span!(
        "aws",
        otel.name = format!("{service} {operation}"),
        otel.kind = "client",
        otel.status_code = tracing::field::Empty,
        service,
        operation,
        status = tracing::field::Empty,
    );
    #[cfg(not(feature = "otlp"))]
    Span::none()
}

/// Notes what came back.
pub fn answered(span: &Span, status: Option<u16>) {
    if let Some(status) = status {
        span.record("status", status);
    }
    // 404 is an answer like any other: the function or the object is not there.
    if !status.is_some_and(|status| status < 400 || status == 404) {
        span.record("otel.status_code", "ERROR");
    }
}
