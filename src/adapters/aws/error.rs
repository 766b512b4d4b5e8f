//! Sorts the SDK's errors into the closed kinds of the ports, by code and status, never by AWS's message text.

use std::error::Error;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::domain;
use crate::ports::{PortError, PortErrorKind};

/// Longest message that is passed on, in characters: an HTML page from a proxy is not an error message.
const LONGEST: usize = 400;

/// Turns an SDK error into a port error. `operation` says what was called, on what and where.
pub(crate) fn port_error<E>(operation: impl Into<String>, error: &SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (kind, message) = classify(error);
    PortError::new(kind, operation, one_line(&message))
}

fn classify<E>(error: &SdkError<E, HttpResponse>) -> (PortErrorKind, String)
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code();
            let text = match (code, service.err().message()) {
                (Some(code), Some(message)) => format!("{code}: {message}"),
                (Some(code), None) => code.to_owned(),
                (None, _) => format!("HTTP status {status}"),
            };
            let text = match code.and_then(remedy) {
                Some(remedy) => format!("{}: {remedy}", text.trim_end_matches('.')),
                None => text,
            };
            (code.and_then(by_code).unwrap_or_else(|| by_status(status)), text)
        }
        SdkError::DispatchFailure(failure) => {
            let source = failure
                .as_connector_error()
                .map(|error| error as &(dyn Error + 'static));
            let kind = source.map_or(PortErrorKind::Unknown, by_cause);
            (kind, source.map_or("no answer came".to_owned(), causes))
        }
        SdkError::ConstructionFailure(_) => {
            let source = error.source().unwrap_or(error);
            let kind = by_cause(source);
            // The request was never sent, so nothing is unknown about it.
            (
                if kind == PortErrorKind::Unknown {
                    PortErrorKind::Invalid
                } else {
                    kind
                },
                causes(source),
            )
        }
        SdkError::TimeoutError(_) => (PortErrorKind::Unknown, "no answer came in time".to_owned()),
        SdkError::ResponseError(_) => (
            PortErrorKind::Unknown,
            format!("the answer makes no sense: {}", causes(error.source().unwrap_or(error))),
        ),
        other => (PortErrorKind::Unknown, causes(other)),
    }
}

/// What to do about the codes that people take for something else.
fn remedy(code: &str) -> Option<&'static str> {
    Some(match code {
        "RequestTimeTooSkewed" | "RequestExpired" => "set the clock of this machine, by which requests are signed",
        "InvalidSignatureException" | "SignatureDoesNotMatch" => {
            "check the secret key, and the clock of this machine, by which requests are signed"
        }
        "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed" => {
            "the bucket is in another Region, and Lambda takes code from its own Region alone"
        }
        _ => return None,
    })
}

/// Codes of the Lambda, S3 and STS models, and of the front end that all AWS services share.
fn by_code(code: &str) -> Option<PortErrorKind> {
    Some(match code {
        "ResourceNotFoundException" | "NoSuchKey" | "NoSuchBucket" | "NoSuchVersion" | "NotFound" => {
            PortErrorKind::NotFound
        }
        "ResourceConflictException" => PortErrorKind::Conflict,
        "PreconditionFailedException" | "PreconditionFailed" => PortErrorKind::Precondition,
        "TooManyRequestsException" | "ThrottlingException" | "Throttling" | "SlowDown" | "RequestLimitExceeded" => {
            PortErrorKind::Throttled
        }
        "AccessDeniedException" | "AccessDenied" | "KMSAccessDeniedException" => PortErrorKind::AccessDenied,
        "ExpiredTokenException"
        | "ExpiredToken"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "InvalidAccessKeyId"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignature"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "RequestExpired"
        | "RequestTimeTooSkewed" => PortErrorKind::Credentials,
        "CodeStorageExceededException" => PortErrorKind::CodeStorageExceeded,
        "InvalidParameterValueException"
        | "ValidationException"
        | "InvalidRequestContentException"
        | "CodeVerificationFailedException"
        | "InvalidCodeSignatureException"
        | "CodeSigningConfigNotFoundException"
        | "RequestTooLargeException"
        | "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed" => PortErrorKind::Invalid,
        "ServiceException" | "InternalError" | "InternalFailure" | "ServiceUnavailable" => PortErrorKind::Unknown,
        _ => return None,
    })
}

fn by_status(status: u16) -> PortErrorKind {
    match status {
        401 | 403 => PortErrorKind::AccessDenied,
        404 => PortErrorKind::NotFound,
        409 => PortErrorKind::Conflict,
        412 => PortErrorKind::Precondition,
        429 => PortErrorKind::Throttled,
        400..=499 => PortErrorKind::Invalid,
        _ => PortErrorKind::Unknown,
    }
}

/// Tells apart what never reached AWS from what may have.
fn by_cause(error: &(dyn Error + 'static)) -> PortErrorKind {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<CredentialsError>() {
            return PortErrorKind::Credentials;
        }
        let refused = error.downcast_ref::<io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable
            )
        });
        // The HTTP client keeps the type of its connect errors to itself; these are its own words, not AWS's.
        let text = error.to_string();
        if refused
            || text.contains("dns error")
            || text.contains("tcp connect error")
            || text.contains("connect timeout")
        {
            return PortErrorKind::Unreachable;
        }
        cause = error.source();
    }
    PortErrorKind::Unknown
}

/// Joins an error and its causes, each once.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut cause = Some(error);
    while let Some(error) = cause {
        let one = error.to_string();
        cause = error.source();
        // The HTTP client's outer layers only say that something inside them failed.
        let hull = cause.is_some() && (one.starts_with("io error") || one.starts_with("client error ("));
        if !hull && !text.contains(&one) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&one);
        }
    }
    text
}

/// Makes a text one line of bounded length.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = domain::one_line(text);
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_wrong_is_named() {
        assert!(remedy("RequestTimeTooSkewed").unwrap().contains("clock"));
        assert_eq!(by_code("RequestTimeTooSkewed"), Some(PortErrorKind::Credentials));
    }

    #[test]
    fn a_page_of_a_proxy_is_one_short_line() {
        let line = one_line(&"<p>\u{1b}[2J\n".repeat(1000));
        assert!(line.chars().count() <= LONGEST + 1 && !line.chars().any(char::is_control));
    }
}
