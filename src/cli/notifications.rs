//! From the configuration's receivers to the task that tells them. Holds no rule of its own.

use crate::adapters::clock::SystemClock;
use crate::adapters::notify::{self, Receiver};
use crate::adapters::web::{Web, WebError};
use crate::config::{self, Config, ReceiverKind};
use crate::reconcile::{Notifications, Subscriber};
use crate::telemetry::Telemetry;

/// Builds what tells the log, and the receivers of the configuration.
///
/// # Errors
///
/// The file with certificate authorities cannot be read.
pub(super) fn notifications(
    config: &Config,
    telemetry: &Telemetry,
) -> Result<Notifications<Receiver, SystemClock>, WebError> {
    let settings = &config.notifications;
    let web = Web::new(settings.ca_file.as_deref())?;
    let page = settings.page_url.as_ref().map(ToString::to_string);
    let subscribers = settings
        .receivers
        .iter()
        .map(|receiver| {
            let kind = kind(receiver.kind.clone());
            Subscriber {
                name: receiver.name.clone(),
                provider: kind.as_str(),
                subscription: receiver.subscription.clone(),
                notifier: Receiver {
                    web: web.clone(),
                    kind,
                    page: page.clone(),
                },
            }
        })
        .collect();
    Ok(Notifications {
        subscribers,
        targets: config.targets.iter().map(|target| target.target.clone()).collect(),
        clock: SystemClock,
        telemetry: telemetry.clone(),
    })
}

fn kind(kind: ReceiverKind) -> notify::ReceiverKind {
    let forge = |kind, forge: config::Forge| {
        notify::ReceiverKind::Forge(notify::Forge {
            kind,
            api_url: forge.api_url,
            repository: forge.repository,
            token_file: forge.token_file,
        })
    };
    match kind {
        ReceiverKind::Slack { url_file } => notify::ReceiverKind::Slack { url_file },
        ReceiverKind::Teams { url_file } => notify::ReceiverKind::Teams { url_file },
        ReceiverKind::Webhook { url_file, secret_file } => notify::ReceiverKind::Webhook { url_file, secret_file },
        ReceiverKind::GitHub(repository) => forge(notify::ForgeKind::GitHub, repository),
        ReceiverKind::GitLab(repository) => forge(notify::ForgeKind::GitLab, repository),
    }
}
