//! `pinfold run`: the daemon. Wires schedules, loop and HTTP together, works by one configuration after another, and ends
//! everything in order on a signal.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure};
use super::hints::{Listening, listening};
use super::output::Output;
use super::reload::Reload;
use super::stop::on_signal;
use super::{Global, logging, notifications, setup};
use crate::adapters::clock::SystemClock;
use crate::adapters::cron::Cron;
use crate::adapters::lambda::LambdaWriter;
use crate::adapters::notify::Receiver;
use crate::adapters::s3::S3Artifacts;
use crate::config::Config;
use crate::domain::Mode;
use crate::http::{Keyring, Secrets, Server};
use crate::ports::Clock as _;
use crate::reconcile::{Audience, Driver, Memory, Notifications, Nudge, StatusBoard};
use crate::telemetry::{ConfigReloaded, Started, StepsAbandoned, Stopping, Telemetry};

/// How long the steps in hand may take once the daemon is to stop. Kubernetes waits 30 seconds by default before it kills;
/// the last requests need some of them.
const LAST_STEPS: Duration = Duration::from_secs(25);

pub(super) async fn run(global: &Global, output: Output) -> Result<Exit, Failure> {
    let mut config = setup::config(global)?;
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
    let (stop, reload) = (CancellationToken::new(), Reload::new(global, &config)?);
    // From here on every change is noticed.
    config = setup::config(global)?;
    tokio::select! {
        biased;
        result = Box::pin(serve(config, Some(reload), listener, StatusBoard::default(), stop.clone())) => result,
        never = on_signal(&stop) => match never? {},
    }?;
    traces.end().await;
    Ok(Exit::Ok)
}

/// Runs the daemon until `stop`. A pass in hand finishes its steps first.
///
/// With `reload`, whatever configuration that tells of follows the one before it.
pub(super) async fn serve(
    config: Config,
    reload: Option<Reload>,
    listener: TcpListener,
    status: StatusBoard,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let (told, renewed) = mpsc::channel(1);
    let shared = Shared {
        keyring: Keyring::default(),
        telemetry: Telemetry::new()?,
        nudge: Nudge::default(),
        status,
        told,
    };
    let mut parts = Parts::build(config.clone(), None, shared.clone()).await?;
    // The probes are answered for as long as the last steps take, and from a task of their own, so that a scrape never
    // waits for a plan.
    let server_stop = CancellationToken::new();
    let mut server = JoinSet::new();
    let notifications = Notifications {
        audience: std::mem::take(&mut parts.audience),
        renewed,
        clock: SystemClock,
        telemetry: shared.telemetry.clone(),
    };
    let (changes, notified) = (shared.status.watch(), server_stop.clone());
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
    shared.keyring.replace(std::mem::take(&mut parts.secrets));
    let shown = Server {
        status: shared.status.clone(),
        telemetry: shared.telemetry.clone(),
        nudge: shared.nudge.clone(),
        keyring: shared.keyring.clone(),
        now: || SystemClock.now(),
    };
    server.spawn(shown.serve(listener, server_stop.clone()));
    // The beat is of this task, as the loop is: what blocks the one blocks the other.
    tokio::select! {
        ended = work(config, reload, parts, &shared, &stop) => ended?,
        // They end when they are told to, or by a bug, with which the daemon would go on unheard.
        Some(ended) = server.join_next() => ended?,
        () = shared.status.liveness().beat(&shared.telemetry) => {}
        () = overdue(&stop) => StepsAbandoned.emit(),
    }
    server_stop.cancel();
    while let Some(ended) = server.join_next().await {
        ended?;
    }
    Ok(())
}

/// What stays while one configuration follows another.
#[derive(Clone)]
struct Shared {
    keyring: Keyring,
    telemetry: Telemetry,
    nudge: Nudge,
    status: StatusBoard,
    /// Where it is said who is notified from now on.
    told: mpsc::Sender<Audience<Receiver>>,
}

/// What is made from one configuration.
struct Parts {
    /// The same for two configurations with one `repository`: it remembers what it read last.
    source: setup::Source,
    driver: Driver<setup::Source, LambdaWriter, S3Artifacts, SystemClock>,
    listening: Listening,
    cron: Cron,
    secrets: Secrets,
    audience: Audience<Receiver>,
}

impl Parts {
    /// Reads what a configuration names, such as secrets, where a volume that hangs holds up nothing else.
    async fn build(config: Config, before: Option<Before>, shared: Shared) -> Result<Self, Failure> {
        let runtime = Handle::current();
        let build = move || runtime.block_on(Self::build_here(&config, before, &shared));
        tokio::task::spawn_blocking(build).await?
    }

    async fn build_here(config: &Config, before: Option<Before>, shared: &Shared) -> Result<Self, Failure> {
        let source = match before {
            Some((last, source)) if last.repository == config.repository => source,
            Some(_) | None => setup::source(config, None)?,
        };
        let secrets = setup::secrets(config)?;
        let audience = notifications::audience(config)?;
        let engine = setup::apply_engine(config, &shared.telemetry).await?;
        let (nudge, status) = (shared.nudge.clone(), shared.status.clone());
        let driver = Driver::new(source.clone(), engine, setup::policy(config, None), nudge, status);
        let listening = listening(config, &shared.nudge, &shared.telemetry).await?;
        let cron = Cron::start().await?;
        let (for_source, for_sweep) = (shared.nudge.clone(), shared.nudge.clone());
        let (git, sweep) = (&config.schedule.git, &config.schedule.sweep);
        cron.every(git.as_str(), git.spread(), move || for_source.source())
            .await?;
        cron.every(sweep.as_str(), sweep.spread(), move || for_sweep.sweep())
            .await?;
        Ok(Self {
            source,
            driver,
            listening,
            cron,
            secrets,
            audience,
        })
    }
}

/// The configuration in force, and its source.
type Before = (Config, setup::Source);

/// Works by one configuration after another.
async fn work(
    mut config: Config,
    mut reload: Option<Reload>,
    first: Parts,
    shared: &Shared,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let started = config.clone();
    let (mut source, mut driver) = (first.source, first.driver);
    let (mut listening, mut cron) = (first.listening, first.cron);
    loop {
        let end = stop.child_token();
        let mut running = Box::pin(async {
            tokio::select! {
                memory = driver.run(end.clone()) => memory,
                never = listening => match never {},
            }
        });
        let mut next = tokio::select! {
            _ = &mut running => None,
            next = next_config(reload.as_mut(), (config.clone(), source.clone()), shared) => Some(next),
        };
        // A secret that leaked must not open anything for as long as the steps in hand take.
        if let Some((_, parts)) = &mut next {
            shared.keyring.replace(std::mem::take(&mut parts.secrets));
        }
        cron.stop().await?;
        let Some((next, parts)) = next else {
            return Ok(());
        };
        end.cancel();
        let mut memory = running.await;
        if !next.has_the_functions_of(&config) {
            // What is remembered, and what was acknowledged, is of other places.
            memory = Memory::default();
            shared.status.forget_acknowledgement();
        }
        // This fails where whoever tells others has ended, and then the daemon ends, too.
        let _ = shared.told.send(parts.audience).await;
        told_reload(Ok(next.needs_restart(&started)), shared);
        (config, source, driver) = (next, parts.source, parts.driver.resume(memory));
        (listening, cron) = (parts.listening, parts.cron);
    }
}

/// Waits for another configuration that can be used. One that cannot is told, and changes nothing.
async fn next_config(reload: Option<&mut Reload>, before: Before, shared: &Shared) -> (Config, Parts) {
    let Some(reload) = reload else {
        return std::future::pending().await;
    };
    loop {
        let read = reload.next().await;
        let built = match read {
            Ok(next) => Parts::build(next.clone(), Some(before.clone()), shared.clone())
                .await
                .map(|parts| (next, parts)),
            Err(failure) => Err(failure),
        };
        match built {
            Ok(built) => return built,
            Err(failure) => told_reload(Err(failure.message()), shared),
        }
    }
}

/// Tells that a configuration is in force, with what of it needs a restart, or why it is not.
fn told_reload(reloaded: Result<Vec<&str>, String>, shared: &Shared) {
    ConfigReloaded {
        result: reloaded.as_deref().map_err(String::as_str),
        now: SystemClock.now(),
    }
    .emit(&shared.telemetry);
    shared.status.config_error(reloaded.err());
}

/// Waits until the steps in hand have had their time after `stop`.
async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    Stopping.emit();
    tokio::time::sleep(LAST_STEPS).await;
}
