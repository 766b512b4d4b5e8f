//! `pinfold sandbox`: the embedded Lambda and S3 as a server, until it is interrupted.

mod seed;
mod state_file;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::stop::on_signal;
use super::{Global, logging};
use crate::sandbox::{Options, Profile, Sandbox};

/// How long an update is in progress without `--latency aws`: never at once, as whoever talks to Lambda must be able to
/// wait.
const UPDATE_WINDOW: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct SandboxArgs {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:4566", value_name = "ADDR")]
    listen: SocketAddr,
    /// Throttle as AWS does
    #[arg(long, value_enum, default_value_t, value_name = "PROFILE")]
    quotas: Like,
    /// Take as long as AWS does
    #[arg(long, value_enum, default_value_t, value_name = "PROFILE")]
    latency: Like,
    /// Start from a state that --save wrote
    #[arg(long, value_name = "FILE")]
    load: Option<PathBuf>,
    /// Write the state here at the end, on SIGTERM or an interrupt
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Deploy what a desired-state repository names, as if it always had been
    #[arg(long, value_name = "DIR")]
    seed: Option<PathBuf>,
    /// The zips for --seed, as BUCKET/KEY [default: _artifacts in the repository, where there is one]
    #[arg(long, value_name = "DIR", requires = "seed")]
    artifacts: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Like {
    /// As on AWS
    Aws,
    /// Not at all
    #[default]
    Off,
}

impl From<Like> for Profile {
    fn from(like: Like) -> Self {
        match like {
            Like::Aws => Self::Aws,
            Like::Off => Self::Off,
        }
    }
}

pub(super) async fn run(args: &SandboxArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    logging::command(global.verbose);
    let sandbox = Sandbox::new(Options {
        quotas: args.quotas.into(),
        latency: args.latency.into(),
        update_window: UPDATE_WINDOW,
        ..Options::default()
    });
    if let Some(file) = &args.save {
        state_file::check(file)?;
    }
    if let Some(file) = &args.load {
        state_file::load(&sandbox, file)?;
    }
    if let Some(repository) = &args.seed {
        let seeded = seed::seed(&sandbox, repository, args.artifacts.as_deref(), global).await?;
        output.note(&seeded.to_string());
    }
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| Failure::error(format!("cannot listen on {}: {error}", args.listen)))?;
    let stop = CancellationToken::new();
    let serve = async {
        output.data(&format!("listening on http://{}\n", listener.local_addr()?))?;
        sandbox.clone().serve(listener, stop.clone()).await?;
        Ok::<_, Failure>(())
    };
    tokio::select! {
        biased;
        // First, so that a signal is heeded from the moment on that the address is printed.
        never = on_signal(&stop) => match never? {},
        result = serve => result?,
    }
    if let Some(file) = &args.save {
        state_file::save(&sandbox, file)?;
    }
    Ok(Exit::Ok)
}
