//! Messages of an SQS queue that EventBridge fills with CloudTrail's events. Wakes nobody itself.

mod cloudtrail;

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{Builder, Region};
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use tokio::sync::OnceCell;

use crate::adapters::aws::{Attempts, Connection, port_error};
use crate::domain::QueueUrl;
use crate::ports::{HintMessage, Hints, PortError, PortErrorKind};
use crate::telemetry::{QUEUE_SERVICE, Telemetry};
use cloudtrail::{Principal, read};

/// Longest wait for a message, in seconds: the longest that SQS allows, and so the fewest calls.
const WAIT: i32 = 20;

/// Messages of one answer: the most that SQS gives.
const AT_ONCE: i32 = 10;

/// Longest time for one call: a while longer than the wait for a message.
const TIMEOUT: Duration = Duration::from_secs(40);

/// A queue.
pub struct QueueHints {
    sqs: Client,
    sts: aws_sdk_sts::Client,
    queue: QueueUrl,
    /// Who Pinfold is, once that is known.
    own: OnceCell<Principal>,
}

impl QueueHints {
    /// Reaches a queue with the credentials of a target.
    pub fn new(connection: &Connection, queue: QueueUrl, telemetry: &Telemetry) -> Self {
        // The loop that asks is the retry.
        let mut config = Builder::from(&connection.sdk)
            .endpoint_url(queue.origin())
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(TIMEOUT).build())
            .interceptor(Attempts::new(QUEUE_SERVICE, telemetry.clone()));
        if let Some(region) = queue.region() {
            config = config.region(Region::new(region.to_owned()));
        }
        Self {
            sqs: Client::from_conf(config.build()),
            sts: aws_sdk_sts::Client::new(&connection.sdk),
            queue,
            own: OnceCell::new(),
        }
    }

    /// Returns who Pinfold is; `None` where that cannot be learnt, and its own changes are looked at like others'.
    async fn own(&self) -> Option<&Principal> {
        let ask = async || {
            let identity = self.sts.get_caller_identity().send().await.map_err(|_| ())?;
            identity.user_id().map(Principal::of).ok_or(())
        };
        self.own.get_or_try_init(ask).await.ok()
    }

    fn operation(&self, name: &str) -> String {
        format!("{name} {}", self.queue)
    }
}

impl Hints for QueueHints {
    async fn receive(&self) -> Result<Vec<HintMessage>, PortError> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(self.queue.as_str())
            .wait_time_seconds(WAIT)
            .max_number_of_messages(AT_ONCE)
            .send()
            .await
            .map_err(|error| port_error(self.operation("ReceiveMessage"), &error))?;
        let messages = received.messages.unwrap_or_default();
        let own = if messages.is_empty() { None } else { self.own().await };
        let messages = messages.into_iter().filter_map(|message| {
            Some(HintMessage {
                hint: read(message.body.as_deref().unwrap_or_default(), own),
                // Without a receipt it cannot be taken off the queue, and comes again.
                receipt: message.receipt_handle?,
            })
        });
        Ok(messages.collect())
    }

    async fn delete(&self, receipts: Vec<String>) -> Result<(), PortError> {
        let operation = || self.operation("DeleteMessageBatch");
        let mut entries = Vec::new();
        for (id, receipt) in receipts.into_iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(id.to_string())
                .receipt_handle(receipt)
                .build();
            entries
                .push(entry.map_err(|error| PortError::new(PortErrorKind::Malformed, operation(), error.to_string()))?);
        }
        let deleted = self
            .sqs
            .delete_message_batch()
            .queue_url(self.queue.as_str())
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| port_error(operation(), &error))?;
        match deleted.failed.first() {
            None => Ok(()),
            Some(failed) => Err(PortError::new(
                PortErrorKind::Unknown,
                operation(),
                format!("{} messages are still there: {}", deleted.failed.len(), failed.code()),
            )),
        }
    }
}

#[cfg(test)]
mod tests;
