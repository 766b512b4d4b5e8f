//! Listens to the queues of events that the configuration names, in a build that can; another one refuses them.

use std::convert::Infallible;

use futures::future::BoxFuture;

use super::exit::Failure;
use crate::config::Config;
use crate::reconcile::Nudge;
use crate::telemetry::Telemetry;

/// Listens for as long as it is polled.
pub(super) type Listening = BoxFuture<'static, Infallible>;

/// Builds what listens to every queue, each once, with the credentials of the first target that names it.
#[cfg(feature = "events")]
pub(super) async fn listening(config: &Config, nudge: &Nudge, telemetry: &Telemetry) -> Result<Listening, Failure> {
    use std::collections::BTreeSet;

    use crate::adapters::aws::connect;
    use crate::adapters::clock::SystemClock;
    use crate::adapters::hints::QueueHints;
    use crate::reconcile::HintListener;

    let (mut queues, mut listeners) = (BTreeSet::new(), Vec::new());
    // SQS has no part in Lambda's quotas.
    let mut limiters = super::setup::limiters(config);
    for target in &config.targets {
        let Some(queue) = target.event_queue.clone().filter(|queue| queues.insert(queue.clone())) else {
            continue;
        };
        let connection = connect(&super::setup::access(target)?, &mut limiters).await;
        listeners.push(HintListener {
            name: queue.to_string(),
            hints: QueueHints::new(&connection, queue, telemetry),
            targets: config.targets.iter().map(|target| target.target.clone()).collect(),
            nudge: nudge.clone(),
            clock: SystemClock,
            telemetry: telemetry.clone(),
        });
    }
    Ok(Box::pin(async move {
        futures::future::join_all(listeners.iter().map(HintListener::run)).await;
        std::future::pending().await
    }))
}

/// Refuses a queue: this build has no client for SQS.
#[cfg(not(feature = "events"))]
pub(super) async fn listening(config: &Config, _: &Nudge, _: &Telemetry) -> Result<Listening, Failure> {
    match config.targets.iter().find(|target| target.event_queue.is_some()) {
        Some(target) => Err(Failure::error(format!(
            "target {} has a queue of events, and this build cannot listen to one: use a build with the feature \
             `events`, or remove `events` from the target",
            target.target.name
        ))),
        None => Ok(Box::pin(std::future::pending())),
    }
}
