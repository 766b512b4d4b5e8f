//! `pinfold demo`: a sandbox, a Git repository made from the built-in example, drifted functions, and Pinfold at work on
//! them. Needs nothing but this binary, and touches nothing outside its folder.

mod repository;
mod world;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::run::serve;
use super::stop::on_signal;
use super::{Global, logging, setup};
use crate::config::{Config, Log, LogFormat, LogLevel};
use crate::plan::{Report, Verdict};
use crate::reconcile::{PassPolicy, Scope, StatusBoard};
use crate::sandbox::{Options, Sandbox};
use crate::telemetry::Telemetry;

/// How long the sandbox's updates take: long enough to be seen, short enough not to bore.
const UPDATE_WINDOW: std::time::Duration = std::time::Duration::from_millis(300);

/// Passes that `--once` makes at the most. One is enough; a sandbox that needs more is broken.
const PASSES: usize = 3;

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// End as soon as live equals Git
    #[arg(long)]
    once: bool,
    /// Where the page, the metrics and the API answer; any free port where this one is taken
    #[arg(long, default_value = "127.0.0.1:8420", value_name = "ADDR")]
    listen: SocketAddr,
    /// Keep the repository and the configuration in this folder, which must be empty or not exist yet
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) async fn run(args: &DemoArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    if global.config.is_some() {
        output.note("the demo makes its own configuration; the one that was named is not used");
    }
    let (dir, _temporary) = folder(args.dir.as_deref())?;
    let sandbox = Sandbox::new(Options {
        update_window: UPDATE_WINDOW,
        ..Options::default()
    });
    let objects = world::fill(&sandbox)?;
    let repository = dir.join("lambda-versions");
    repository::create(&repository, &objects)?;

    let sandbox_listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", sandbox_listener.local_addr()?);
    let listener = match TcpListener::bind(args.listen).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind(SocketAddr::new(args.listen.ip(), 0)).await?,
    };
    let address = listener.local_addr()?;
    let config_file = dir.join("pinfold.yaml");
    std::fs::write(&config_file, configuration(&repository, &endpoint, address))?;
    let config = Config::load(&config_file)?;

    let stop = CancellationToken::new();
    let sandbox_stop = CancellationToken::new();
    let serving = sandbox.serve(sandbox_listener, sandbox_stop.clone());
    let work = async {
        let result = if args.once {
            logging::command(global.verbose);
            drop(listener);
            once(&config, output, &stop).await
        } else {
            let level = if global.verbose == 0 {
                LogLevel::Error
            } else {
                LogLevel::Info
            };
            let traces = logging::daemon(
                Log {
                    format: Some(LogFormat::Text),
                    level,
                },
                0,
            )?;
            output.data(&welcome(&repository, &config_file, &endpoint, address))?;
            let stayed = stay(&config, listener, output, &stop).await;
            traces.end().await;
            stayed
        };
        sandbox_stop.cancel();
        result
    };
    let both = async { tokio::join!(work, serving) };
    let (result, served) = tokio::select! {
        biased;
        both = both => both,
        never = on_signal(&stop) => match never? {},
    };
    served?;
    result
}

/// Returns the demo's folder: the one that was named, or a temporary one that goes with the demo.
fn folder(named: Option<&Path>) -> Result<(PathBuf, Option<TempDir>), Failure> {
    let Some(named) = named else {
        let temporary = tempfile::Builder::new().prefix("pinfold-demo-").tempdir()?;
        return Ok((temporary.path().to_owned(), Some(temporary)));
    };
    std::fs::create_dir_all(named)?;
    if std::fs::read_dir(named)?.next().is_some() {
        return Err(Failure::error(format!(
            "{} is not empty: name another folder with --dir",
            named.display()
        )));
    }
    Ok((std::path::absolute(named)?, None))
}

/// Writes the configuration that the demo runs with; it serves `pinfold plan` and the others as well.
fn configuration(repository: &Path, endpoint: &str, listen: SocketAddr) -> String {
    // JSON strings are YAML strings, whatever the path holds.
    let url = serde_json::Value::from(repository.display().to_string());
    let targets: String = world::TARGETS
        .iter()
        .map(|(name, region)| {
            format!("  - {{ name: {name}, path: {name}, region: {region}, endpointUrl: \"{endpoint}\" }}\n")
        })
        .collect();
    format!(
        "repository:\n  url: {url}\n  branch: main\ntargets:\n{targets}schedule:\n  git: \"0/2 * * * * *\"\n  \
         sweep: \"0/10 * * * * *\"\nlimits:\n  getFunctionPerSecond: 100\n  controlPlanePerSecond: 100\nhttp:\n  \
         listen: {listen}\n"
    )
}

/// Shows the drift and the steps, takes them, and ends when live equals Git.
async fn once(config: &Config, output: Output, stop: &CancellationToken) -> Result<Exit, Failure> {
    let source = setup::source(config, None)?;
    let engine = setup::apply_engine(config, &Telemetry::new()?).await?;
    let desired = setup::desired(&source, &engine).await?;
    let (scope, policy): (Scope, PassPolicy) = (Scope::default(), setup::policy(config, None));
    let plan = engine.plan(&desired, &scope, &policy).await;
    output.heading("What happened before Pinfold looked")?;
    output.text(&format!("{}\n", world::story()))?;
    output.heading("What Git says, and what runs")?;
    output.report(&plan)?;
    let mut report = plan;
    for _ in 0..PASSES {
        let applied = engine.apply(&desired, &scope, &policy, stop).await;
        report = applied.ok_or_else(|| Failure::error("interrupted before anything was done"))?;
        if !report.steps_text().is_empty() {
            output.heading("What was done")?;
            output.progress(&report)?;
        }
        if report.verdict() == Verdict::InSync || stop.is_cancelled() {
            break;
        }
    }
    output.heading("What runs now")?;
    output.text(&report.to_summary_text())?;
    if report.verdict() == Verdict::InSync {
        return Ok(Exit::Ok);
    }
    Err(Failure::error("live does not equal Git"))
}

/// Runs the daemon and tells what it does, until it is interrupted.
async fn stay(
    config: &Config,
    listener: TcpListener,
    output: Output,
    stop: &CancellationToken,
) -> Result<Exit, Failure> {
    let status = StatusBoard::default();
    let mut changes = status.watch();
    let daemon = Box::pin(serve(config.clone(), None, listener, status, stop.clone()));
    let tell = async {
        let mut told = None;
        while changes.changed().await.is_ok() {
            let status = changes.borrow_and_update().clone();
            let Some(report) = status.report.filter(|_| told != status.last_pass) else {
                continue;
            };
            if told.is_none() || !report.steps_text().is_empty() || report.verdict() != Verdict::InSync {
                output.progress(&report)?;
            }
            told = status.last_pass;
        }
        std::future::pending::<Result<Report, Failure>>().await
    };
    tokio::select! {
        result = daemon => result?,
        failed = tell => drop(failed?),
    }
    Ok(Exit::Ok)
}

fn welcome(repository: &Path, config: &Path, endpoint: &str, address: SocketAddr) -> String {
    let (file, from, to) = repository::SUGGESTION;
    let (repository, config) = (repository.display(), config.display());
    format!(
        "Pinfold looks after a sandbox of Lambda and S3 at {endpoint}.\n\n  \
         page     http://{address}/\n  \
         metrics  http://{address}/metrics\n  \
         status   pinfold status --url http://{address}\n  \
         plan     pinfold plan --config {config}\n\n\
         To deploy, change one line and commit it; it is live within seconds:\n\n  \
         cd {repository}\n  \
         sed -i 's/{from}/{to}/' {file}\n  \
         git commit -am 'checkout-api: {to}'\n\n\
         To go back: git revert --no-edit HEAD. To end the demo: Ctrl-C.\n\n"
    )
}
