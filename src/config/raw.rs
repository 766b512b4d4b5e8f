//! The shapes of the configuration file, for serde and for its JSON Schema. Accepts any text; `check` judges.
//!
//! The comments on the fields are the descriptions in the schema, in the words of those who write the file.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_yaml::Value;

use super::loose::Loose;

/// The configuration of Pinfold: one Git repository, the targets that it describes, and how to go about it.
/// Relative paths are relative to this file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
#[schemars(title = "Pinfold configuration")]
pub(super) struct RawConfig {
    /// The Git repository that says what should run. Not needed where the desired state is read from a folder.
    pub(super) repository: Option<Loose<RawRepository>>,
    /// The places where functions live: each one folder of the repository for one account and Region.
    #[schemars(required, length(min = 1))]
    pub(super) targets: Option<Loose<Vec<Loose<RawTarget>>>>,
    /// `reconcile` corrects drift, `observe` only reports it. Nothing in Git lifts `observe`.
    #[schemars(extend("default" = "reconcile"))]
    pub(super) mode: Option<Loose<RawMode>>,
    /// When functions may be changed. A window with `deny` wins; where any `allow` is for a function, it is changed
    /// within one alone. Without windows, everything may be changed at every time.
    pub(super) windows: Option<Loose<Vec<Loose<RawWindow>>>>,
    /// When Git and Lambda are looked at.
    pub(super) schedule: Option<Loose<RawSchedule>>,
    /// How much of the account's API quota Pinfold takes, and how much one pass may change.
    pub(super) limits: Option<Loose<RawLimits>>,
    /// Whose webhooks have the repository looked at, each with its secret.
    pub(super) webhooks: Option<Loose<RawWebhooks>>,
    /// Who is told what passes came to.
    pub(super) notifications: Option<Loose<RawNotifications>>,
    /// The HTTP server with health, metrics and status.
    pub(super) http: Option<Loose<RawHttp>>,
    /// Logging, to standard error.
    pub(super) log: Option<Loose<RawLog>>,
}

/// A Git repository and how to get at it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawRepository {
    /// `https://`, `ssh://` (or `user@host:path`), `file://` or a path; `http://` on loopback alone. No user or
    /// password in an https URL, no query.
    #[schemars(required)]
    pub(super) url: Option<Loose<String>>,
    /// The branch that counts.
    #[schemars(extend("default" = "main"))]
    pub(super) branch: Option<Loose<String>>,
    /// Credentials, each in a file of its own that is read anew for each connection.
    pub(super) auth: Option<Loose<RawAuth>>,
    /// Proxy for https, as `http://HOST:PORT`, or `none`. By default the one that `HTTPS_PROXY` and `NO_PROXY` name.
    pub(super) proxy: Option<Loose<String>>,
    /// File with `USER:PASSWORD` for `proxy`, read anew for each connection.
    pub(super) proxy_credentials_file: Option<Loose<String>>,
    /// PEM file with certificate authorities to trust for https, beside the system's.
    pub(super) ca_file: Option<Loose<String>>,
    /// Wall clock for one Git operation, such as `60s` or `2m`; from 1s to 10m.
    #[schemars(extend("default" = "60s"))]
    pub(super) timeout: Option<Loose<String>>,
    /// Where the mirror is kept. May be deleted at any time. By default a temporary folder.
    pub(super) cache_dir: Option<Loose<String>>,
    /// Act only on commits that are signed by a key of these files. Another commit is told, and the last that was
    /// verified stays in force.
    pub(super) verify: Option<Loose<RawVerify>>,
    /// Whether a head that does not descend from the last one seen is followed.
    #[schemars(extend("default" = "allow"))]
    pub(super) force_push: Option<Loose<RawForcePush>>,
}

/// Credentials for the repository.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawAuth {
    /// File with the user name for https, beside `tokenFile`. By default the user is `x-access-token`, which
    /// GitHub, GitLab and others take with any token.
    pub(super) username_file: Option<Loose<String>>,
    /// File with the token or password for https.
    pub(super) token_file: Option<Loose<String>>,
    /// The installation of a GitHub App, in place of `tokenFile`: tokens are made with the App's private key.
    pub(super) github_app: Option<Loose<RawGithubApp>>,
    /// File with the private key for ssh, without a passphrase.
    pub(super) ssh_key_file: Option<Loose<String>>,
    /// File with the host keys to trust for ssh, as `ssh-keyscan` prints them. A key that is not in it is refused.
    pub(super) known_hosts_file: Option<Loose<String>>,
}

/// The installation of a GitHub App.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawGithubApp {
    /// The App ID, or the Client ID.
    #[schemars(required, with = "Option<serde_json::Value>")]
    #[schemars(extend("type" = ["string", "integer"]))]
    pub(super) app_id: Option<Value>,
    /// The installation's id: the number at the end of the address of its settings.
    #[schemars(required, with = "Option<serde_json::Value>")]
    #[schemars(extend("type" = ["string", "integer"], "pattern" = "^[0-9]+$"))]
    pub(super) installation_id: Option<Value>,
    /// PEM file with a private key of the App, read anew for each token.
    #[schemars(required)]
    pub(super) private_key_file: Option<Loose<String>>,
    /// Where the REST API answers. By default that of the repository's host: `https://api.github.com`, or
    /// `https://HOST/api/v3` of a GitHub Enterprise Server.
    pub(super) api_url: Option<Loose<String>>,
}

/// Who may sign commits. At least one of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
#[schemars(extend("minProperties" = 1))]
pub(super) struct RawVerify {
    /// File with SSH keys, as `ssh-keygen -Y verify` takes it: principals, options, key type, key.
    pub(super) allowed_signers_file: Option<Loose<String>>,
    /// File with OpenPGP public keys, as `gpg --export` prints them, armored or not.
    pub(super) openpgp_keys_file: Option<Loose<String>>,
}

/// Whether a rewritten branch is followed.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum RawForcePush {
    Allow,
    Refuse,
}

/// One folder of the repository for one account and Region.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawTarget {
    /// Its name in output, metrics and `--target`: 1 to 64 of A-Z a-z 0-9 . - _.
    #[schemars(required)]
    pub(super) name: Option<Loose<String>>,
    /// Folder of the repository, with `/` between segments; `.` for all of it.
    #[schemars(required)]
    pub(super) path: Option<Loose<String>>,
    /// AWS Region, such as `us-east-1`.
    #[schemars(required)]
    pub(super) region: Option<Loose<String>>,
    /// The twelve digits of the account id, in quotes. Checked against the credentials at start, where
    /// `endpointUrl` is not set.
    pub(super) account: Option<Loose<String>>,
    /// Role to assume for this target.
    pub(super) role_arn: Option<Loose<String>>,
    /// External id that the role's trust policy asks for.
    pub(super) external_id: Option<Loose<String>>,
    /// Globs over function names: what Git may manage here. What none matches is never touched.
    #[schemars(extend("default" = ["*"]))]
    pub(super) functions: Option<Loose<Vec<Loose<String>>>>,
    /// An emulator or a VPC endpoint, for Lambda and S3 alike.
    pub(super) endpoint_url: Option<Loose<String>>,
    /// Where S3 answers at another address than `endpointUrl`.
    pub(super) s3_endpoint_url: Option<Loose<String>>,
    /// Where word comes of changes that others make, so that they are seen before the next sweep. Needs a build with the
    /// feature `events`.
    pub(super) events: Option<Loose<RawEvents>>,
}

/// Events of CloudTrail that EventBridge puts into a queue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawEvents {
    /// URL of the SQS queue, such as `https://sqs.us-east-1.amazonaws.com/111111111111/pinfold`. Nothing else may read
    /// from it.
    #[schemars(required)]
    pub(super) queue_url: Option<Loose<String>>,
}

/// Whether drift is corrected or only reported.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum RawMode {
    Reconcile,
    Observe,
}

/// A deploy window: a time that comes again and again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawWindow {
    /// Cron expression of its beginning, of five fields or of six with seconds first: functions may be changed within
    /// it, and not outside of all such windows. A window has either `allow` or `deny`.
    pub(super) allow: Option<Loose<String>>,
    /// Cron expression of its beginning: functions are not changed within it.
    pub(super) deny: Option<Loose<String>>,
    /// How long it lasts, such as `90m` or `62h`; from a minute to 31 days.
    #[schemars(required)]
    pub(super) duration: Option<Loose<String>>,
    /// Time zone of the cron expression: a name of the IANA database, such as `Europe/Vienna` or `UTC`.
    #[schemars(required)]
    pub(super) timezone: Option<Loose<String>>,
    /// Names of the targets that it is for. By default all.
    pub(super) targets: Option<Loose<Vec<Loose<String>>>>,
    /// Globs over names of the functions that it is for. By default all.
    pub(super) functions: Option<Loose<Vec<Loose<String>>>>,
}

/// Cron expressions with seconds, in UTC.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawSchedule {
    /// When the branch's head is asked for.
    #[schemars(extend("default" = "0/30 * * * * *"))]
    pub(super) git: Option<Loose<String>>,
    /// When every function is compared with Git, whether or not Git moved.
    #[schemars(extend("default" = "0 0/2 * * * *"))]
    pub(super) sweep: Option<Loose<String>>,
}

/// Rates and guards.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawLimits {
    /// GetFunction calls a second, of the 100 that AWS grants to an account and Region.
    #[schemars(extend("default" = 40))]
    pub(super) get_function_per_second: Option<Loose<f64>>,
    /// Other Lambda control plane calls a second, of the 15 that AWS grants to an account and Region.
    #[schemars(extend("default" = 5))]
    pub(super) control_plane_per_second: Option<Loose<f64>>,
    /// A pass that would change more functions than this, and more than ten, is withheld until acknowledged: a
    /// number, a percentage of the functions in the pass, or `none`.
    #[schemars(with = "Option<serde_json::Value>")]
    #[schemars(extend("default" = "50%", "type" = ["string", "integer", "null"], "pattern" = "^([0-9]+%?|none)$"))]
    pub(super) max_changed_functions: Option<Value>,
}

/// Webhooks, at `/webhooks/github`, `/webhooks/gitlab` and `/webhooks/generic`. One that is not configured is not there.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawWebhooks {
    /// GitHub, with `X-Hub-Signature-256`.
    pub(super) github: Option<Loose<RawSigned>>,
    /// GitLab, with a signing token, the plain token, or both.
    pub(super) gitlab: Option<Loose<RawGitLab>>,
    /// Anybody, with `X-Pinfold-Signature-256: sha256=` and the HMAC-SHA-256 of the body in hexadecimal.
    pub(super) generic: Option<Loose<RawSigned>>,
}

/// A webhook whose sender signs with a secret.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawSigned {
    /// File with the secret.
    #[schemars(required)]
    pub(super) secret_file: Option<Loose<String>>,
}

/// GitLab's webhooks.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawGitLab {
    /// File with the signing token, `whsec_` and base64.
    pub(super) secret_file: Option<Loose<String>>,
    /// File with the secret token that GitLab sends as `X-Gitlab-Token`.
    pub(super) token_file: Option<Loose<String>>,
}

/// The HTTP server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawHttp {
    /// IP address and port to listen on.
    #[schemars(extend("default" = "0.0.0.0:8420"))]
    pub(super) listen: Option<Loose<String>>,
    /// File with the bearer token of the calls that ask for something (`POST /api/v1/acknowledge`). Without it there are
    /// none.
    pub(super) token_file: Option<Loose<String>>,
}

/// Logging.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawLog {
    /// By default `text` on a terminal, `json` elsewhere.
    pub(super) format: Option<Loose<RawLogFormat>>,
    /// The least severe level that is written.
    #[schemars(extend("default" = "info"))]
    pub(super) level: Option<Loose<RawLogLevel>>,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum RawLogFormat {
    Text,
    Json,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum RawLogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Who is told what passes came to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawNotifications {
    /// Where people reach Pinfold's page, for links in messages and statuses.
    pub(super) page_url: Option<Loose<String>>,
    /// PEM file with certificate authorities to trust for receivers, beside the system's. Read once, at start.
    pub(super) ca_file: Option<Loose<String>>,
    /// The receivers.
    #[schemars(required)]
    pub(super) receivers: Option<Loose<Vec<Loose<RawReceiver>>>>,
}

/// One receiver.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RawReceiver {
    /// Its name in logs: 1 to 64 of A-Z a-z 0-9 . - _.
    #[schemars(required)]
    pub(super) name: Option<Loose<String>>,
    /// What it is.
    #[schemars(required)]
    pub(super) kind: Option<Loose<RawReceiverKind>>,
    /// File with the address of the webhook; of `slack`, `teams` and `webhook`.
    pub(super) url_file: Option<Loose<String>>,
    /// File with the key of the signature; of `webhook`.
    pub(super) secret_file: Option<Loose<String>>,
    /// File with the token; of `github` and `gitlab`.
    pub(super) token_file: Option<Loose<String>>,
    /// The repository: `OWNER/NAME`, on GitLab with all its groups; of `github` and `gitlab`.
    pub(super) repository: Option<Loose<String>>,
    /// Where the API answers; of `github` and `gitlab`, where it is not `https://api.github.com` or
    /// `https://gitlab.com/api/v4`.
    pub(super) api_url: Option<Loose<String>>,
    /// Only these kinds of events; of `slack`, `teams` and `webhook`. By default all.
    pub(super) events: Option<Loose<Vec<Loose<RawEventKind>>>>,
    /// Only these targets. By default all.
    pub(super) targets: Option<Loose<Vec<Loose<String>>>>,
    /// Only functions that one of these globs matches; of `slack`, `teams` and `webhook`. By default all.
    pub(super) functions: Option<Loose<Vec<Loose<String>>>>,
    /// Only what is at least as grave, and recoveries; of `slack`, `teams` and `webhook`.
    #[schemars(extend("default" = "info"))]
    pub(super) min_severity: Option<Loose<RawSeverity>>,
}

/// What a receiver is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum RawReceiverKind {
    Slack,
    Teams,
    Webhook,
    Github,
    Gitlab,
}

/// A kind of event.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub(super) enum RawEventKind {
    Failed,
    Withheld,
    DriftFound,
    DriftCorrected,
    Deployed,
    Recovered,
}

/// How grave an event is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum RawSeverity {
    Info,
    Warning,
    Error,
}
