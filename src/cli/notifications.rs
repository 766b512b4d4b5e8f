//! From the configuration's receivers to the task that tells them. Holds no rule of its own.

use crate::adapters::notify::Receiver;
use crate::adapters::web::{Web, WebError};
use crate::config::Config;
use crate::reconcile::{Audience, Subscriber};

/// Builds the receivers of the configuration.
///
/// # Errors
///
/// The file with certificate authorities cannot be read.
pub(super) fn audience(config: &Config) -> Result<Audience<Receiver>, WebError> {
    let settings = &config.notifications;
    let web = Web::new(settings.ca_file.as_deref())?;
    let page = settings.page_url.as_ref().map(ToString::to_string);
    let subscribers = settings
        .receivers
        .iter()
        .map(|receiver| Subscriber {
            name: receiver.name.clone(),
            provider: receiver.kind.as_str(),
            subscription: receiver.subscription.clone(),
            place: receiver.kind.place(),
            notifier: Receiver {
                web: web.clone(),
                kind: receiver.kind.clone(),
                page: page.clone(),
            },
        })
        .collect();
    Ok(Audience {
        subscribers,
        targets: config.targets.iter().map(|target| target.target.clone()).collect(),
    })
}
