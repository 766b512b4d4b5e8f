//! The composition root: from configuration to sources, targets and engines. Holds no rule of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::Global;
use super::exit::{Failure, source_failure};
use crate::adapters::aws::{Access, Connection, Limiters, Limits, connect};
use crate::adapters::clock::SystemClock;
use crate::adapters::file;
use crate::adapters::folder::FolderSource;
use crate::adapters::git::{GitAuth, GitProxy, GitSettings, GitSource, GitVerify, own_program};
use crate::adapters::lambda::{LambdaReader, LambdaWriter};
use crate::adapters::s3::S3Artifacts;
use crate::config::{Config, TargetConfig};
use crate::domain::{BlobId, CommitId, DesiredState, Secret, SourceTree, Target};
use crate::http::{Secrets, SigningKey};
use crate::manifest;
use crate::ports::{DesiredSource, PortError};
use crate::reconcile::{Engine, ManifestCache, PassPolicy, Scope, TargetPorts, load};
use crate::telemetry::Telemetry;

/// An engine that can only read.
pub(super) type PlanEngine = Engine<LambdaReader, S3Artifacts, SystemClock>;

/// An engine that can write.
pub(super) type ApplyEngine = Engine<LambdaWriter, S3Artifacts, SystemClock>;

/// Reads the configuration that the flags name, narrowed to the target that they name.
pub(super) fn config(global: &Global) -> Result<Config, Failure> {
    let path = global.config.as_ref().ok_or_else(|| {
        Failure::error("no configuration: name the file with --config or PINFOLD_CONFIG, or try `pinfold demo`")
    })?;
    let mut config = Config::load(path)?;
    if let Some(wanted) = &global.target {
        let all: Vec<String> = config
            .targets
            .iter()
            .map(|target| target.target.name.to_string())
            .collect();
        config.targets.retain(|target| target.target.name == *wanted);
        if config.targets.is_empty() {
            return Err(Failure::usage(format!(
                "the configuration has no target {wanted}: it has {}",
                all.join(", ")
            )));
        }
    }
    Ok(config)
}

/// Returns what a pass looks at.
pub(super) fn scope(global: &Global) -> Scope {
    Scope {
        functions: global.function.clone(),
        ..Scope::default()
    }
}

/// Returns what a pass may do.
pub(super) fn policy(config: &Config, acknowledged: Option<CommitId>) -> PassPolicy {
    PassPolicy {
        mode: config.mode,
        change_limit: config.limits.max_changed_functions,
        acknowledged,
        windows: config.windows.clone(),
        ..PassPolicy::default()
    }
}

/// Reads the secrets that the daemon's callers must know.
pub(super) fn secrets(config: &Config) -> Result<Secrets, Failure> {
    let webhooks = &config.webhooks;
    let key = |name: &'static str, file: &Option<PathBuf>| {
        Ok::<_, Failure>(secret(name, file.as_deref())?.map(|secret| SigningKey::new(&secret)))
    };
    let gitlab = match (
        &webhooks.gitlab,
        secret("webhooks.gitlab.secretFile", webhooks.gitlab.as_deref())?,
    ) {
        (Some(file), Some(token)) => Some(
            SigningKey::from_token(&token).map_err(|error| Failure::error(format!("{}: {error}", file.display())))?,
        ),
        (_, _) => None,
    };
    Ok(Secrets {
        github: key("webhooks.github.secretFile", &webhooks.github)?,
        gitlab,
        gitlab_token: secret("webhooks.gitlab.tokenFile", webhooks.gitlab_token.as_deref())?,
        generic: key("webhooks.generic.secretFile", &webhooks.generic)?,
        api: secret("http.tokenFile", config.http.token_file.as_deref())?,
    })
}

/// Reads the secret that a key of the configuration names, if it names one.
fn secret(key: &'static str, path: Option<&Path>) -> Result<Option<Secret>, Failure> {
    Ok(path.map(file::secret).transpose().context(key)?)
}

/// Where the desired state comes from: Git, or a plain folder.
#[derive(Clone)]
pub(super) enum Source {
    Git(Arc<GitSource>),
    Folder(FolderSource),
}

impl DesiredSource for Source {
    async fn head(&self) -> Result<Option<CommitId>, PortError> {
        match self {
            Self::Git(git) => git.head().await,
            Self::Folder(folder) => folder.head().await,
        }
    }

    async fn tree(&self, commit: Option<&CommitId>, paths: &[String]) -> Result<SourceTree, PortError> {
        match self {
            Self::Git(git) => git.tree(commit, paths).await,
            Self::Folder(folder) => folder.tree(commit, paths).await,
        }
    }

    async fn contents(&self, blobs: &[BlobId]) -> Result<Vec<Vec<u8>>, PortError> {
        match self {
            Self::Git(git) => git.contents(blobs).await,
            Self::Folder(folder) => folder.contents(blobs).await,
        }
    }
}

/// Opens the source: the folder where one is given, else the configuration's repository.
pub(super) fn source(config: &Config, folder: Option<&Path>) -> Result<Source, Failure> {
    if let Some(folder) = folder {
        return Ok(Source::Folder(FolderSource::new(folder)));
    }
    let repository = config.repository.clone().ok_or_else(|| {
        Failure::error("the configuration names no repository: add `repository`, or give a folder with --source")
    })?;
    let settings = GitSettings {
        url: repository.url,
        branch: repository.branch,
        auth: GitAuth {
            username_file: repository.auth.username_file,
            token_file: repository.auth.token_file,
            ssh_key_file: repository.auth.ssh_key_file,
            known_hosts_file: repository.auth.known_hosts_file,
        },
        github_app: repository.auth.github_app,
        proxy: GitProxy {
            choice: repository.proxy,
            credentials_file: repository.proxy_credentials_file,
        },
        ca_file: repository.ca_file,
        timeout: repository.timeout,
        cache_dir: repository.cache_dir,
        force_push: repository.force_push,
        verify: repository.verify.map(|verify| GitVerify {
            allowed_signers_file: verify.allowed_signers_file,
            openpgp_keys_file: verify.openpgp_keys_file,
        }),
        program: own_program()?,
    };
    GitSource::new(settings)
        .map(|git| Source::Git(Arc::new(git)))
        .map_err(|error| source_failure(&error))
}

/// Returns each folder of the first level as a target, narrowed to the one that the flags name.
pub(super) async fn folder_targets(source: &FolderSource, global: &Global) -> Result<Vec<Target>, Failure> {
    let tree = source
        .tree(None, &[String::new()])
        .await
        .map_err(|error| source_failure(&error))?;
    let mut targets = manifest::targets_of(&tree);
    if let Some(wanted) = &global.target {
        targets.retain(|target| target.name == *wanted);
        if targets.is_empty() {
            return Err(Failure::usage(format!("there is no folder {wanted} with manifests")));
        }
    }
    Ok(targets)
}

/// Reads the desired state as it is now.
pub(super) async fn desired<L, A>(
    source: &Source,
    engine: &Engine<L, A, SystemClock>,
) -> Result<DesiredState, Failure> {
    let head = source.head().await.map_err(|error| source_failure(&error))?;
    load(source, head, &engine.targets(), &mut ManifestCache::default())
        .await
        .map_err(|error| source_failure(&error))
}

/// Builds an engine that can only read: there is no writer in it.
pub(super) async fn plan_engine(config: &Config) -> Result<PlanEngine, Failure> {
    engine(config, &Telemetry::new()?, LambdaReader::new).await
}

/// Builds an engine that can write.
pub(super) async fn apply_engine(config: &Config, telemetry: &Telemetry) -> Result<ApplyEngine, Failure> {
    engine(config, telemetry, LambdaWriter::new).await
}

async fn engine<L>(
    config: &Config,
    telemetry: &Telemetry,
    lambda: impl Fn(&Connection, &Telemetry) -> L,
) -> Result<Engine<L, S3Artifacts, SystemClock>, Failure> {
    let mut limiters = limiters(config);
    let mut targets = Vec::new();
    for target in &config.targets {
        let connection = connect(&access(target)?, &mut limiters).await;
        targets.push(TargetPorts {
            target: target.target.clone(),
            lambda: lambda(&connection, telemetry),
            artifacts: S3Artifacts::new(&connection, telemetry),
        });
    }
    limiters.show(telemetry);
    Ok(Engine::new(targets, SystemClock, telemetry.clone()))
}

/// Builds the rate limits that the configuration names.
pub(super) fn limiters(config: &Config) -> Limiters {
    Limiters::new(Limits {
        get_function_per_second: config.limits.get_function_per_second,
        control_plane_per_second: config.limits.control_plane_per_second,
    })
}

/// Says how a target is reached.
pub(super) fn access(target: &TargetConfig) -> Result<Access, Failure> {
    let name = &target.target.name;
    Ok(Access {
        region: target
            .target
            .region
            .clone()
            .ok_or_else(|| Failure::error(format!("target {name} has no region")))?,
        account: target.target.account.clone(),
        role_arn: target.role_arn.clone(),
        external_id: target.external_id.clone(),
        endpoint_url: target.endpoint_url.clone(),
        s3_endpoint_url: target.s3_endpoint_url.clone(),
    })
}
