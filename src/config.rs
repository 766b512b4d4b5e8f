//! The daemon's own configuration: read, checked as a whole, and valid from then on. Reads no secret and no environment.

mod check;
mod cron;
mod faults;
mod keys;
mod loose;
mod place;
mod raw;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::generate::SchemaSettings;
use serde_yaml::Value;
use thiserror::Error;

pub use cron::{CronError, CronSchedule};

use crate::domain::{
    BranchName, ChangeLimit, DeployWindows, EndpointUrl, Fault, ForcePush, GithubApp, Mode, ProxyChoice, QueueUrl,
    RepositoryUrl, Target,
};
use crate::notify::{ReceiverKind, Subscription};
use faults::Faults;
use place::FieldPath;
use raw::RawConfig;

/// Largest configuration file, in bytes: a thousand targets fit many times over.
const MAX_FILE_BYTES: usize = 1024 * 1024;
const TOO_LARGE: &str = "larger than 1 MiB: no configuration needs that";

/// The configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The Git repository; `None` where the file names none, which only commands with another source can do without.
    pub repository: Option<Repository>,
    /// The targets, at least one, in the order of the file, no two of one name.
    pub targets: Vec<TargetConfig>,
    /// Whether drift is corrected or only reported.
    pub mode: Mode,
    /// When functions may be changed.
    pub windows: DeployWindows,
    /// When Git and Lambda are looked at.
    pub schedule: Schedule,
    /// Rates and guards.
    pub limits: Limits,
    /// Who is told what passes came to.
    pub notifications: Notifications,
    /// Whose webhooks are answered.
    pub webhooks: Webhooks,
    /// The HTTP server.
    pub http: Http,
    /// Logging.
    pub log: Log,
}

/// The Git repository and how to get at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Where it is; a relative path is resolved already.
    pub url: RepositoryUrl,
    /// The branch that counts.
    pub branch: BranchName,
    /// Files with credentials. Fit the URL: ssh has its key and known hosts, https has nothing of ssh.
    pub auth: Auth,
    /// Which proxy leads to it; another than the environment's for https alone.
    pub proxy: ProxyChoice,
    /// File with `USER:PASSWORD` for the proxy that is named.
    pub proxy_credentials_file: Option<PathBuf>,
    /// PEM file with certificate authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Wall clock for one fetch, 1 s to 10 min.
    pub timeout: Duration,
    /// Where the mirror is kept; `None` for a temporary folder.
    pub cache_dir: Option<PathBuf>,
    /// Who must have signed a commit; `None` where nobody need have.
    pub verify: Option<Verify>,
    /// Whether a rewritten branch is followed.
    pub force_push: ForcePush,
}

/// Files with the keys of those who may sign commits: at least one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verify {
    /// SSH keys, as allowed signers.
    pub allowed_signers_file: Option<PathBuf>,
    /// OpenPGP certificates.
    pub openpgp_keys_file: Option<PathBuf>,
}

/// Files with credentials for the repository. Their content is read by whoever connects, each time anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Auth {
    /// User name for https.
    pub username_file: Option<PathBuf>,
    /// Token or password for https.
    pub token_file: Option<PathBuf>,
    /// The installation of a GitHub App for https, in place of user name and token.
    pub github_app: Option<GithubApp>,
    /// Private key for ssh.
    pub ssh_key_file: Option<PathBuf>,
    /// Host keys to trust for ssh.
    pub known_hosts_file: Option<PathBuf>,
}

/// A target and how to get at its AWS account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetConfig {
    /// The target. Its Region is always there.
    pub target: Target,
    /// Role to assume.
    pub role_arn: Option<String>,
    /// External id for the role.
    pub external_id: Option<String>,
    /// Where Lambda and S3 answer, if not at AWS's own addresses.
    pub endpoint_url: Option<EndpointUrl>,
    /// Where S3 answers, if not at `endpoint_url`.
    pub s3_endpoint_url: Option<EndpointUrl>,
    /// Where word comes of changes that others make.
    pub event_queue: Option<QueueUrl>,
}

/// When to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// When the branch's head is asked for.
    pub git: CronSchedule,
    /// When every function is compared with Git.
    pub sweep: CronSchedule,
}

/// Rates and guards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// GetFunction calls a second, for each account and Region. Finite, from 0.1.
    pub get_function_per_second: f64,
    /// Other control plane calls a second, for each account and Region. Finite, from 0.1.
    pub control_plane_per_second: f64,
    /// How many functions one pass may change.
    pub max_changed_functions: ChangeLimit,
}

/// Who is told what passes came to.
#[derive(Debug, Clone, Default)]
pub struct Notifications {
    /// Where people reach Pinfold's page.
    pub page_url: Option<EndpointUrl>,
    /// PEM file with certificate authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The receivers, no two of one name.
    pub receivers: Vec<Receiver>,
}

/// One receiver.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// What it is, and what is needed to reach it.
    pub kind: ReceiverKind,
    /// What it is told of.
    pub subscription: Subscription,
}

/// Files with the secrets of webhooks; one without its file is not answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Webhooks {
    /// Secret of GitHub's webhooks.
    pub github: Option<PathBuf>,
    /// Signing token of GitLab's webhooks.
    pub gitlab: Option<PathBuf>,
    /// Plain token of GitLab's webhooks.
    pub gitlab_token: Option<PathBuf>,
    /// Secret of webhooks that others send.
    pub generic: Option<PathBuf>,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where to listen.
    pub listen: SocketAddr,
    /// File with the token for calls that ask for something; without it there are none.
    pub token_file: Option<PathBuf>,
}

/// Logging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// How lines are written; `None` where the file leaves it to whether there is a terminal.
    pub format: Option<LogFormat>,
    /// The least severe level that is written.
    pub level: LogLevel,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// What somebody has to see to.
    Error,
    /// What somebody may have to see to.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// How it happened.
    Debug,
    /// Everything.
    Trace,
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {file}: give the right file with --config or PINFOLD_CONFIG")]
    Read {
        /// The file.
        file: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file has faults: all of them, in the order of the file.
    #[error("{}", FaultList(.0))]
    Faults(Vec<Fault>),
}

/// Shows faults one a line, as compilers do.
struct FaultList<'a>(&'a [Fault]);

impl fmt::Display for FaultList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&fault.file)?;
            if let Some(line) = fault.line {
                write!(f, ":{line}")?;
            }
            if let Some(column) = fault.column {
                write!(f, ":{column}")?;
            }
            write!(f, ": {}", fault.message)?;
        }
        Ok(())
    }
}

impl Config {
    /// Returns the files that are read together with this one, and so have to be watched as it is. (What Git, AWS and
    /// receivers are spoken to with is read anew each time.)
    pub fn files(&self) -> Vec<PathBuf> {
        let Webhooks {
            github,
            gitlab,
            gitlab_token,
            generic,
        } = &self.webhooks;
        let (token, authorities) = (&self.http.token_file, &self.notifications.ca_file);
        let files = [github, gitlab, gitlab_token, generic, token, authorities];
        files.into_iter().flatten().cloned().collect()
    }

    /// Returns the fields that differ from another configuration and take effect with a restart alone.
    pub fn needs_restart(&self, other: &Self) -> Vec<&'static str> {
        let fields = [
            ("http.listen", self.http.listen != other.http.listen),
            ("log", self.log != other.log),
        ];
        fields
            .into_iter()
            .filter_map(|(field, differs)| differs.then_some(field))
            .collect()
    }

    /// Returns whether it is about the same functions, read from the same place, as another one.
    pub fn has_the_functions_of(&self, other: &Self) -> bool {
        self.repository == other.repository && self.targets == other.targets
    }

    /// Reads a file and checks it.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is larger than 1 MiB, or has faults.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let read = || {
            let mut bytes = Vec::new();
            // One byte more than allowed tells a file that is too large, however large, and even one without end.
            File::open(path)?
                .take(MAX_FILE_BYTES as u64 + 1)
                .read_to_end(&mut bytes)?;
            // Relative paths must keep their meaning when the process changes its folder.
            Ok((bytes, std::path::absolute(path)?))
        };
        let (bytes, absolute) = read().map_err(|source| ConfigError::Read {
            file: file.clone(),
            source,
        })?;
        if bytes.len() > MAX_FILE_BYTES {
            return Err(whole_file(&file, None, TOO_LARGE));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = before.split(|byte| *byte == b'\n').count();
            whole_file(&file, Some(line), "not UTF-8: save the file as UTF-8")
        })?;
        Self::parse(&text, absolute.parent().unwrap_or(Path::new("/")), &file)
    }

    /// Checks the text of a file. Relative paths in it are resolved against `base_dir`; faults name `file_name`.
    ///
    /// # Errors
    ///
    /// The text has faults: all of them are returned.
    pub fn parse(text: &str, base_dir: &Path, file_name: &str) -> Result<Self, ConfigError> {
        if text.len() > MAX_FILE_BYTES {
            return Err(whole_file(file_name, None, TOO_LARGE));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut faults = Faults::new(file_name, text);
        let config = read_shapes(text, &mut faults).and_then(|raw| check::config(raw, base_dir, &mut faults));
        match (config, faults.finish()) {
            (Some(config), None) => Ok(config),
            (_, found) => Err(ConfigError::Faults(found.unwrap_or_default())),
        }
    }
}

/// Returns the JSON Schema of the file.
pub fn config_schema() -> serde_json::Value {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<RawConfig>()
        .to_value()
}

/// Parses the YAML, strikes unknown keys and reads the rest; `None` where there is nothing to go on with.
fn read_shapes(text: &str, faults: &mut Faults<'_>) -> Option<RawConfig> {
    let root = FieldPath::default();
    let mut value = match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Null) => {
            faults.add(&root, "empty: write at least `targets`");
            return None;
        }
        Ok(value) => value,
        Err(error) => {
            faults.add_yaml(&error);
            return None;
        }
    };
    keys::strike_unknown(&mut value, &config_schema(), &root, faults);
    match serde_yaml::from_value(value) {
        Ok(raw) => faults.take(&root, Some(raw), "write `targets:` and what belongs under it"),
        Err(error) => {
            faults.add_yaml(&error);
            None
        }
    }
}

fn whole_file(file: &str, line: Option<usize>, message: &str) -> ConfigError {
    ConfigError::Faults(vec![Fault {
        file: file.to_owned(),
        line,
        column: None,
        message: message.to_owned(),
    }])
}

#[cfg(test)]
mod tests;
