//! `pinfold run`: the daemon. Wires schedules, loop and HTTP together, and ends them in order on a signal.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::stop::on_signal;
use super::{Global, logging, notifications, setup};
use crate::adapters::clock::SystemClock;
use crate::adapters::cron::Cron;
use crate::config::Config;
use crate::domain::Mode;
use crate::http::{Keyring, Server};
use crate::ports::Clock as _;
use crate::reconcile::{Driver, Nudge, StatusBoard};
use crate::telemetry::{Started, StepsAbandoned, Stopping};

/// How long the steps in hand may take once the daemon is to stop. Kubernetes waits 30 seconds by default before it kills;
/// the last requests need some of them.
const LAST_STEPS: Duration = Duration::from_secs(25);

pub(super) async fn run(global: &Global, output: Output) -> Result<Exit, Failure> {
    let config = setup::config(global)?;
    let traces = logging::daemon(config.log, global.verbose)?;
    if global.function.is_some() {
        return Err(Failure::usage(
            "the daemon looks after all functions: narrow the target's `functions` instead",
        ));
    }
    let listener = TcpListener::bind(config.http.listen)
        .await
        .map_err(|error| Failure::error(format!("cannot listen on {}: {error}", config.http.listen)))?;
    output.note(&format!("listening on http://{}", listener.local_addr()?));
    let stop = CancellationToken::new();
    tokio::select! {
        biased;
        result = serve(&config, listener, StatusBoard::default(), stop.clone()) => result,
        never = on_signal(&stop) => match never? {},
    }?;
    traces.end().await;
    Ok(Exit::Ok)
}

/// Runs the daemon until `stop`. A pass in hand finishes its steps first.
pub(super) async fn serve(
    config: &Config,
    listener: TcpListener,
    status: StatusBoard,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let source = setup::source(config, None)?;
    let keyring = Keyring::new(setup::secrets(config)?);
    let engine = setup::apply_engine(config).await?;
    let telemetry = engine.telemetry().clone();
    let nudge = Nudge::default();
    let cron = Cron::start().await?;
    let (for_source, for_sweep) = (nudge.clone(), nudge.clone());
    cron.every(config.schedule.git.as_str(), move || for_source.source())
        .await?;
    cron.every(config.schedule.sweep.as_str(), move || for_sweep.sweep())
        .await?;
    let policy = setup::policy(config, None);
    let driver = Driver::new(source, engine, policy, nudge.clone(), status.clone());
    // The probes are answered for as long as the last steps take, and from a task of their own, so that a scrape never
    // waits for a plan.
    let server_stop = CancellationToken::new();
    let mut server = JoinSet::new();
    let (beating, heard) = (status.liveness().clone(), telemetry.clone());
    let notifications = notifications::notifications(config, &telemetry)?;
    let (changes, notified) = (status.watch(), server_stop.clone());
    server.spawn(async move { notifications.run(changes, notified).await });
    Started {
        repository: config.repository.as_ref().map(|repository| repository.url.as_str()),
        targets: config
            .targets
            .iter()
            .map(|target| target.target.name.as_str())
            .collect(),
        observes: config.mode == Mode::Observe,
        receivers: config.notifications.receivers.len(),
    }
    .emit();
    let shown = Server {
        status,
        telemetry,
        nudge,
        keyring,
        now: || SystemClock.now(),
    };
    server.spawn(shown.serve(listener, server_stop.clone()));
    // The beat is of this task, as the loop is: what blocks the one blocks the other.
    tokio::select! {
        () = driver.run(stop.clone()) => {}
        () = beating.beat(&heard) => {}
        () = overdue(&stop) => StepsAbandoned.emit(),
    }
    server_stop.cancel();
    while let Some(ended) = server.join_next().await {
        ended?;
    }
    Ok(cron.stop().await?)
}

/// Waits until the steps in hand have had their time after `stop`.
async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    Stopping.emit();
    tokio::time::sleep(LAST_STEPS).await;
}
