//! The reading half of Lambda. Cannot write: the client that could is not here.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryPartition;
use aws_sdk_lambda::config::{Builder, ConfigBag, Intercept, RuntimeComponents, StalledStreamProtectionConfig};
use aws_sdk_lambda::operation::get_function::GetFunctionError;
use aws_sdk_lambda::operation::get_provisioned_concurrency_config::GetProvisionedConcurrencyConfigError;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::digest::config_digest;
use super::translate::{self, Missing};
use crate::adapters::aws::{Attempts, Connection, Limited, Limiter, port_error};
use crate::domain::{AccountId, AliasName, Allocation, FunctionName, ObservedAlias};
use crate::ports::{
    FunctionPage, FunctionSnapshot, LambdaRead, ListedFunction, PortError, PortErrorKind, Qualifier, VersionList,
    VersionSnapshot,
};
use crate::telemetry::Telemetry;

/// Attempts at one read, the first included: what the SDK's standard retries allow.
const READ_ATTEMPTS: u32 = 3;

/// Reads Lambda in one account and Region.
pub struct LambdaReader {
    /// For GetFunction alone, which has a quota of its own.
    functions: Client,
    /// For everything else.
    control: Client,
    place: String,
    account: AccountCheck,
}

/// Checks once that the credentials are of the account that the configuration names.
struct AccountCheck {
    sts: aws_sdk_sts::Client,
    expected: Option<AccountId>,
    checked: OnceCell<()>,
}

impl LambdaReader {
    /// Builds a reader on a connection.
    pub fn new(connection: &Connection, telemetry: &Telemetry) -> Self {
        let client = |quota: &str, limiter: &Limiter| {
            let retries = RetryConfig::standard().with_max_attempts(READ_ATTEMPTS);
            let config = configure(connection, limiter, telemetry).retry_config(retries);
            // The SDK's own budget of retries is one for a service and Region, whatever the account and the quota: a
            // storm of 429 in one would use up the retries of all.
            let partition = RetryPartition::new(format!("lambda {quota} {}", connection.owner));
            Client::from_conf(config.retry_partition(partition).build())
        };
        Self {
            functions: client("functions", &connection.function_limiter),
            control: client("control", &connection.control_limiter),
            place: connection.place(),
            account: AccountCheck {
                sts: aws_sdk_sts::Client::new(&connection.sdk),
                expected: connection.expected_account.clone(),
                checked: OnceCell::new(),
            },
        }
    }

    pub(super) fn error<E>(&self, operation: &str, error: &SdkError<E, HttpResponse>) -> PortError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let mut error = port_error(operation, error);
        if matches!(
            error.kind,
            PortErrorKind::Unreachable | PortErrorKind::Credentials | PortErrorKind::Unknown
        ) {
            error.operation = format!("{operation} at {}", self.place);
        }
        error
    }
}

/// Configures a Lambda client whose every attempt waits for `limiter` and is counted.
pub(super) fn configure(connection: &Connection, limiter: &Limiter, telemetry: &Telemetry) -> Builder {
    let http = Limited::client(connection.http.clone(), limiter.clone(), "lambda", telemetry.clone());
    Builder::from(&connection.sdk)
        .http_client(http)
        // The SDK gives up a request whose body does not move for five seconds. While it waits for its turn it does
        // not move, and bodies here are a few hundred bytes.
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().upload_enabled(false).build())
        .interceptor(Attempts::new("lambda", telemetry.clone()))
}

fn malformed(operation: &str, missing: Missing) -> PortError {
    PortError::new(
        PortErrorKind::Malformed,
        operation,
        format!("the answer has no usable {missing}"),
    )
}

impl AccountCheck {
    async fn check(&self) -> Result<(), PortError> {
        let Some(expected) = &self.expected else { return Ok(()) };
        let () = self
            .checked
            .get_or_try_init(|| async {
                let operation = "GetCallerIdentity";
                let identity = self
                    .sts
                    .get_caller_identity()
                    .send()
                    .await
                    .map_err(|error| Self::unchecked(&port_error(operation, &error)))?;
                match identity.account() {
                    Some(account) if account == expected.as_str() => Ok(()),
                    account => Err(PortError::new(
                        PortErrorKind::Credentials,
                        operation,
                        format!(
                            "the credentials are of account {}, but the target names {expected}: correct `account`, \
                             or use credentials or a `roleArn` of that account",
                            account.unwrap_or("unknown")
                        ),
                    )),
                }
            })
            .await?;
        Ok(())
    }

    /// Whatever kept the question from being answered, it is not known whose credentials these are: nothing may be
    /// read with them, as what is read is then written.
    fn unchecked(error: &PortError) -> PortError {
        let kind = if error.kind == PortErrorKind::Unreachable {
            PortErrorKind::Unreachable
        } else {
            PortErrorKind::Credentials
        };
        PortError::new(kind, error.operation.as_str(), error.message.as_str())
    }
}

impl LambdaRead for LambdaReader {
    async fn list_functions(&self, marker: Option<&str>) -> Result<FunctionPage, PortError> {
        self.account.check().await?;
        let operation = "ListFunctions";
        let request = self.control.list_functions().set_marker(marker.map(str::to_owned));
        let page = request.send().await.map_err(|error| self.error(operation, &error))?;
        let next = page.next_marker().filter(|next| !next.is_empty());
        if next.is_some() && next == marker {
            return Err(malformed(operation, "NextMarker: it is the same again"));
        }
        let listed = page.functions().iter().map(|function| {
            let name = function.function_name().and_then(|name| name.parse().ok());
            Ok(ListedFunction {
                name: name.ok_or_else(|| malformed(operation, "FunctionName"))?,
                revision: function.revision_id().and_then(|id| id.parse().ok()),
            })
        });
        Ok(FunctionPage {
            functions: listed.collect::<Result<_, _>>()?,
            next: next.map(str::to_owned),
        })
    }

    async fn function(&self, name: &FunctionName) -> Result<Option<FunctionSnapshot>, PortError> {
        // Every write to a function follows a look at it, so what is not read here is not written either.
        self.account.check().await?;
        let operation = format!("GetFunction {name}");
        match self.functions.get_function().function_name(name.as_str()).send().await {
            Ok(output) => translate::function(&output)
                .map(Some)
                .map_err(|missing| malformed(&operation, missing)),
            // Lambda's own word alone says so: a proxy or a wrong endpoint answers 404 to everything.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetFunctionError::is_resource_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.error(&operation, &error)),
        }
    }

    async fn aliases(&self, name: &FunctionName) -> Result<Vec<(AliasName, ObservedAlias)>, PortError> {
        let operation = format!("ListAliases {name}");
        let mut aliases = Vec::new();
        let mut pages = self
            .control
            .list_aliases()
            .function_name(name.as_str())
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.error(&operation, &error))?;
            for alias in page.aliases() {
                aliases.push(translate::alias(alias).map_err(|missing| malformed(&operation, missing))?);
            }
        }
        Ok(aliases)
    }

    async fn versions(&self, name: &FunctionName) -> Result<VersionList, PortError> {
        let operation = format!("ListVersionsByFunction {name}");
        let mut latest = None;
        let mut versions = Vec::new();
        let mut marker = None;
        loop {
            let raw = RawBody::default();
            let page = self
                .control
                .list_versions_by_function()
                .function_name(name.as_str())
                .set_marker(marker.clone())
                .customize()
                .interceptor(raw.clone())
                .send()
                .await
                .map_err(|error| self.error(&operation, &error))?;
            let body = raw.json();
            for (index, configuration) in page.versions().iter().enumerate() {
                let raw = body
                    .get("Versions")
                    .and_then(|versions| versions.get(index))
                    .unwrap_or(&Value::Null);
                let version = configuration.version().and_then(translate::function_version);
                match version.ok_or_else(|| malformed(&operation, "Version"))? {
                    crate::domain::FunctionVersion::Latest => {
                        let revision = configuration.revision_id().and_then(|id| id.parse().ok());
                        let revision = revision.ok_or_else(|| malformed(&operation, "RevisionId"))?;
                        latest = Some((revision, config_digest(raw)));
                    }
                    crate::domain::FunctionVersion::Number(number) => {
                        versions.extend(translate::published(configuration, number, raw));
                    }
                }
            }
            match page.next_marker() {
                Some(next) if marker.as_deref() == Some(next) => {
                    return Err(malformed(&operation, "NextMarker: it is the same again"));
                }
                Some(next) if !next.is_empty() => marker = Some(next.to_owned()),
                Some(_) | None => break,
            }
        }
        let (latest_revision, latest_config) = latest.ok_or_else(|| malformed(&operation, "$LATEST"))?;
        Ok(VersionList {
            latest_revision,
            latest_config,
            versions,
        })
    }

    async fn version(&self, name: &FunctionName, qualifier: &Qualifier) -> Result<VersionSnapshot, PortError> {
        let qualifier = match qualifier {
            Qualifier::Version(version) => version.to_string(),
            Qualifier::Alias(alias) => alias.to_string(),
        };
        let operation = format!("GetFunction {name}:{qualifier}");
        let request = self
            .functions
            .get_function()
            .function_name(name.as_str())
            .qualifier(qualifier);
        let output = request.send().await.map_err(|error| self.error(&operation, &error))?;
        translate::version_snapshot(&output).map_err(|missing| malformed(&operation, missing))
    }

    async fn allocation(&self, name: &FunctionName, alias: &AliasName) -> Result<Allocation, PortError> {
        let operation = format!("GetProvisionedConcurrencyConfig {name}:{alias}");
        let request = self
            .control
            .get_provisioned_concurrency_config()
            .function_name(name.as_str())
            .qualifier(alias.as_str());
        match request.send().await {
            Ok(output) => Ok(translate::allocation(&output)),
            // Lambda's own word for an alias that has none.
            Err(error)
                if error.as_service_error().is_some_and(
                    GetProvisionedConcurrencyConfigError::is_provisioned_concurrency_config_not_found_exception,
                ) =>
            {
                Ok(Allocation::Settled)
            }
            Err(error) => Err(self.error(&operation, &error)),
        }
    }
}

/// Keeps the body of an answer as it came: the SDK drops members that it does not know, and those count too.
#[derive(Debug, Clone, Default)]
struct RawBody {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl RawBody {
    fn json(&self) -> Value {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::from_slice(&bytes).unwrap_or_default()
    }
}

impl Intercept for RawBody {
    fn name(&self) -> &'static str {
        "RawBody"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(bytes) = context.response().body().bytes() {
            *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) = bytes.to_vec();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::adapters::aws::{Rate, connect_to};

    /// Answers every request with this head and body, for ever.
    async fn answer(listener: TcpListener, head: &str, body: &str) -> std::io::Result<std::convert::Infallible> {
        loop {
            let (mut stream, _) = listener.accept().await?;
            let mut request = [0; 8192];
            let _ = stream.read(&mut request).await?;
            let length = body.len();
            let text = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(text.as_bytes()).await?;
        }
    }

    async fn connection(listener: &TcpListener, expected_account: Option<&str>) -> Connection {
        Connection {
            expected_account: expected_account.map(|account| account.parse().unwrap()),
            ..connect_to(listener.local_addr().unwrap()).await
        }
    }

    async fn reader(listener: &TcpListener, expected_account: Option<&str>) -> LambdaReader {
        LambdaReader::new(
            &connection(listener, expected_account).await,
            &Telemetry::new().unwrap(),
        )
    }

    #[tokio::test]
    async fn a_write_may_wait_for_its_turn_as_long_as_it_must() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connection = connection(&listener, None).await;
        let slow = Limiter::new(Rate {
            per_second: 0.16,
            burst: 1,
            sweep_share: 1.0,
        });
        let config = configure(&connection, &slow, &Telemetry::new().unwrap()).build();
        let client = Client::from_conf(config);
        let call = || {
            client
                .update_alias()
                .function_name("api")
                .name("live")
                .function_version("1")
                .send()
        };
        let answers = tokio::select! {
            answers = async { (call().await, call().await) } => answers,
            never = answer(listener, "200 OK", "{}") => match never.unwrap() {},
        };
        answers.0.unwrap();
        answers.1.unwrap();
    }

    #[tokio::test]
    async fn without_knowing_whose_the_credentials_are_nothing_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let reader = reader(&listener, Some("111111111111")).await;
        let name = "api".parse().unwrap();
        let (list, function) = tokio::select! {
            answers = async { (reader.list_functions(None).await, reader.function(&name).await) } => answers,
            never = answer(listener, "403 Forbidden", "") => match never.unwrap() {},
        };
        assert_eq!(list.unwrap_err().kind, PortErrorKind::Credentials);
        let error = function.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Credentials);
        assert_eq!(error.operation, "GetCallerIdentity");
    }

    #[tokio::test]
    async fn a_404_that_does_not_come_from_lambda_says_nothing_of_the_function() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let reader = reader(&listener, None).await;
        let name = "api".parse().unwrap();
        let function = tokio::select! {
            answer = reader.function(&name) => answer,
            never = answer(listener, "404 Not Found", "<html>no such page</html>") => match never.unwrap() {},
        };
        assert!(function.is_err(), "{function:?}");
    }

    #[tokio::test]
    async fn where_an_allocation_stands_is_read_from_its_status_and_from_lambdas_own_word_for_none() {
        let none = "404 Not Found\r\nx-amzn-errortype: ProvisionedConcurrencyConfigNotFoundException";
        let failed = Allocation::Failed {
            reason: "FUNCTION_ERROR_INIT_FAILURE".to_owned(),
        };
        for (head, body, expected) in [
            ("200 OK", r#"{"Status":"READY"}"#, Ok(Allocation::Settled)),
            ("200 OK", r#"{"Status":"IN_PROGRESS"}"#, Ok(Allocation::InProgress)),
            ("200 OK", r#"{"Status":"LATER"}"#, Ok(Allocation::InProgress)),
            ("200 OK", "{}", Ok(Allocation::InProgress)),
            (
                "200 OK",
                r#"{"Status":"FAILED","StatusReason":"FUNCTION_ERROR_INIT_FAILURE"}"#,
                Ok(failed),
            ),
            (none, "{}", Ok(Allocation::Settled)),
            (
                "404 Not Found\r\nx-amzn-errortype: ResourceNotFoundException",
                "{}",
                Err(PortErrorKind::NotFound),
            ),
            (
                "403 Forbidden\r\nx-amzn-errortype: AccessDeniedException",
                "{}",
                Err(PortErrorKind::AccessDenied),
            ),
            (
                "404 Not Found",
                "<html>no such page</html>",
                Err(PortErrorKind::NotFound),
            ),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let reader = reader(&listener, None).await;
            let (name, alias) = ("api".parse().unwrap(), "live".parse().unwrap());
            let told = tokio::select! {
                told = reader.allocation(&name, &alias) => told,
                never = answer(listener, head, body) => match never.unwrap() {},
            };
            assert_eq!(told.map_err(|error| error.kind), expected, "{head} {body}");
        }
    }

    #[tokio::test]
    async fn what_is_asked_of_allocations_comes_out_of_the_small_quota() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connection = connection(&listener, None).await;
        let reader = LambdaReader::new(&connection, &Telemetry::new().unwrap());
        let (name, alias) = ("api".parse().unwrap(), "live".parse().unwrap());
        let rates = || {
            (
                connection.function_limiter.per_second(),
                connection.control_limiter.per_second(),
            )
        };
        let (functions, control) = rates();
        let slowed = async {
            while rates().1 >= control {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = reader.allocation(&name, &alias) => {}
            () = slowed => {}
            never = answer(listener, "429 Too Many Requests", "{}") => match never.unwrap() {},
        }
        assert!(rates().1 < control, "it is what a 429 slows");
        assert!(rates().0 >= functions, "and GetFunction goes on as before");
    }
}
