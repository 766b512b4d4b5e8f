//! Builds the way to one target: credentials, Region, endpoint, HTTP client. Reads no configuration file of ours.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::region::Region as AwsRegion;

use super::bucket::Rate;
use super::limit::Limiter;
use crate::domain::{AccountId, EndpointUrl, Region};
use crate::telemetry::{LimiterRate, Telemetry};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest silence before an answer. UpdateFunctionCode reads the zip from S3 before it answers, so the bound is a
/// generous one; most calls answer within half a second.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// Calls that may come at once in GetFunction's bucket: a quarter of a second's worth at the default rate.
const FUNCTION_BURST: usize = 10;

/// The same for the bucket that all other calls share.
const CONTROL_BURST: usize = 3;

/// The part of the shared bucket that sweeps may have. GetFunction's is theirs whole: writes take nothing from it.
const SWEEP_SHARE: f64 = 0.5;

/// How one target is reached.
#[derive(Debug, Clone)]
pub struct Access {
    /// The Region.
    pub region: Region,
    /// The account, where it is configured.
    pub account: Option<AccountId>,
    /// The role to assume.
    pub role_arn: Option<String>,
    /// What the role's trust policy asks for.
    pub external_id: Option<String>,
    /// Where Lambda, and S3 too unless it answers elsewhere, answer; `None` for AWS itself.
    pub endpoint_url: Option<EndpointUrl>,
    /// Where S3 answers.
    pub s3_endpoint_url: Option<EndpointUrl>,
}

/// The rates of one account and Region. AWS gives 100 GetFunction calls a second and 15 of everything else
/// together, shared with everyone in the account (Lambda Developer Guide, "Lambda quotas").
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// GetFunction calls a second.
    pub get_function_per_second: f64,
    /// All other calls a second.
    pub control_plane_per_second: f64,
}

/// The limiters of all accounts and Regions.
#[derive(Debug)]
pub struct Limiters {
    limits: Limits,
    /// By whose quotas they are.
    pairs: BTreeMap<String, Pair>,
    /// How many were handed out: each target is a party of its own.
    parties: usize,
}

/// The limiters of one account and Region.
#[derive(Debug)]
struct Pair {
    account: Option<String>,
    region: Region,
    functions: Limiter,
    control: Limiter,
}

impl Limiters {
    /// Builds an empty set.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            pairs: BTreeMap::new(),
            parties: 0,
        }
    }

    /// Shows from now on how many calls a second these allow, in the place of others.
    pub fn show(&self, telemetry: &Telemetry) {
        let rates = self.pairs.values().flat_map(|pair| {
            let rate = |bucket, limiter: &Limiter| {
                let limiter = limiter.clone();
                LimiterRate {
                    account: pair.account.clone().unwrap_or_default(),
                    region: pair.region.to_string(),
                    bucket,
                    per_second: Box::new(move || limiter.per_second()),
                }
            };
            [
                rate("get_function", &pair.functions),
                rate("control_plane", &pair.control),
            ]
        });
        telemetry.show_limiters(rates.collect());
    }

    /// Returns the limiters for GetFunction and for everything else.
    fn pair(&mut self, access: &Access) -> (Limiter, Limiter) {
        let limits = self.limits;
        let pair = self.pairs.entry(access.owner()).or_insert_with(|| {
            let limiter = |per_second, burst, sweep_share| {
                Limiter::new(Rate {
                    per_second,
                    burst,
                    sweep_share,
                })
            };
            Pair {
                account: access.whose(),
                region: access.region.clone(),
                functions: limiter(limits.get_function_per_second, FUNCTION_BURST, 1.0),
                control: limiter(limits.control_plane_per_second, CONTROL_BURST, SWEEP_SHARE),
            }
        });
        self.parties += 1;
        (
            pair.functions.for_party(self.parties),
            pair.control.for_party(self.parties),
        )
    }
}

impl Access {
    /// Returns the account whose quotas calls use up, as far as the configuration tells.
    fn whose(&self) -> Option<String> {
        // A role is of the account in its ARN (arn:aws:iam::ACCOUNT:role/NAME), and two roles of one account share that
        // account's buckets.
        let of_role = || self.role_arn.as_ref()?.split(':').nth(4).map(str::to_owned);
        self.account.as_ref().map(ToString::to_string).or_else(of_role)
    }

    /// Names whose quotas calls use up: the account (or that of the role, where none is configured), the Region
    /// and the endpoint. Targets that agree in these share AWS's buckets.
    fn owner(&self) -> String {
        let endpoint = self.endpoint_url.as_ref().map(ToString::to_string);
        format!(
            "{} {} {}",
            self.whose().unwrap_or_default(),
            self.region,
            endpoint.unwrap_or_default()
        )
    }
}

/// The way to one target.
#[derive(Debug, Clone)]
pub struct Connection {
    pub(crate) sdk: SdkConfig,
    pub(crate) http: SharedHttpClient,
    /// Whose quotas calls use up.
    pub(crate) owner: String,
    /// For GetFunction.
    pub(crate) function_limiter: Limiter,
    /// For every other call to Lambda.
    pub(crate) control_limiter: Limiter,
    /// Where S3 answers; `None` for AWS itself.
    pub(crate) s3_endpoint: Option<EndpointUrl>,
    /// The account that the credentials must be of; `None` where there is nothing to check.
    pub(crate) expected_account: Option<AccountId>,
}

impl Connection {
    /// Says where calls go, for messages.
    pub(crate) fn place(&self) -> String {
        let region = self.sdk.region().map_or("no Region", |region| region.as_ref());
        match self.sdk.endpoint_url() {
            Some(url) => format!("{url} ({region})"),
            None => region.to_owned(),
        }
    }
}

/// Builds the way to a target.
///
/// Credentials come from the SDK's own chain: environment, profile and SSO, web identity (IRSA), container (EKS Pod
/// Identity), instance. An emulator on the loopback takes any, so there the environment is asked and, failing that,
/// made-up ones are used: nobody needs an account for that, and none is looked for.
pub async fn connect(access: &Access, limiters: &mut Limiters) -> Connection {
    let http = http_client();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(AwsRegion::new(access.region.to_string()))
        .http_client(http.clone())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .read_timeout(READ_TIMEOUT)
                .build(),
        );
    if let Some(url) = &access.endpoint_url {
        loader = loader.endpoint_url(url.as_str());
        if url.is_loopback() {
            let made_up = Credentials::new("pinfold", "pinfold", None, None, "emulator");
            let chain =
                CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
                    .or_else("Emulator", made_up);
            loader = loader.credentials_provider(chain);
        }
    }
    let mut sdk = loader.load().await;
    if let Some(role) = &access.role_arn {
        let mut provider = AssumeRoleProvider::builder(role)
            .session_name("pinfold")
            .region(AwsRegion::new(access.region.to_string()))
            .configure(&sdk);
        if let Some(id) = &access.external_id {
            provider = provider.external_id(id);
        }
        let credentials = SharedCredentialsProvider::new(provider.build().await);
        sdk = sdk.into_builder().credentials_provider(credentials).build();
    }
    let owner = access.owner();
    let (function_limiter, control_limiter) = limiters.pair(access);
    // The environment may name an endpoint too (AWS_ENDPOINT_URL); the SDK has read it.
    let s3_endpoint = access
        .s3_endpoint_url
        .clone()
        .or_else(|| sdk.endpoint_url().and_then(|url| url.parse().ok()));
    let expected_account = access.account.clone().filter(|_| access.endpoint_url.is_none());
    Connection {
        sdk,
        http,
        owner,
        function_limiter,
        control_limiter,
        s3_endpoint,
        expected_account,
    }
}

/// Builds the SDK's own default client. It is built by hand so that the rate limits can stand between it and the SDK.
fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(
            components.and_then(aws_smithy_runtime_api::client::runtime_components::RuntimeComponents::sleep_impl),
        );
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}

/// Connects to something on this machine that stands for AWS, at rates that hold nobody up.
#[cfg(test)]
pub(crate) async fn connect_to(address: std::net::SocketAddr) -> Connection {
    let access = Access {
        region: "us-east-1".parse().unwrap(),
        account: None,
        role_arn: None,
        external_id: None,
        endpoint_url: Some(format!("http://{address}").parse().unwrap()),
        s3_endpoint_url: None,
    };
    let mut limiters = Limiters::new(Limits {
        get_function_per_second: 1000.0,
        control_plane_per_second: 1000.0,
    });
    connect(&access, &mut limiters).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_has_one_pair_of_limiters_whichever_way_it_is_named() {
        let access = |account: Option<&str>, role: Option<&str>| Access {
            region: "us-east-1".parse().unwrap(),
            account: account.map(|account| account.parse().unwrap()),
            role_arn: role.map(str::to_owned),
            external_id: None,
            endpoint_url: None,
            s3_endpoint_url: None,
        };
        let mut limiters = Limiters::new(Limits {
            get_function_per_second: 40.0,
            control_plane_per_second: 5.0,
        });
        for one in [
            access(Some("111111111111"), None),
            access(None, Some("arn:aws:iam::111111111111:role/a")),
            access(None, Some("arn:aws:iam::111111111111:role/b")),
        ] {
            let _ = limiters.pair(&one);
        }
        assert_eq!(limiters.pairs.len(), 1);
        let _ = limiters.pair(&access(None, Some("arn:aws:iam::222222222222:role/a")));
        assert_eq!(limiters.pairs.len(), 2);
    }
}
