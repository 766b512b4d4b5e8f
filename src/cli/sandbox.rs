//! `pinfold sandbox`: the embedded Lambda and S3 as a server, until it is interrupted.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::stop::on_signal;
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

pub(super) async fn run(args: &SandboxArgs, output: Output) -> Result<Exit, Failure> {
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| Failure::error(format!("cannot listen on {}: {error}", args.listen)))?;
    output.data(&format!("listening on http://{}\n", listener.local_addr()?))?;
    let options = Options {
        quotas: args.quotas.into(),
        latency: args.latency.into(),
        update_window: UPDATE_WINDOW,
        ..Options::default()
    };
    let stop = CancellationToken::new();
    tokio::select! {
        biased;
        result = Sandbox::new(options).serve(listener, stop.clone()) => result?,
        never = on_signal(&stop) => match never? {},
    }
    Ok(Exit::Ok)
}
