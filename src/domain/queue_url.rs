//! The address of an SQS queue. Checks the text only; connects to nothing.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::address::{Authority, is_loopback};

/// The URL of a queue, as SQS shows it: `https://HOST/ACCOUNT/NAME`, or `http://` on this machine alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueUrl {
    text: String,
    /// How much of the text is scheme, host and port.
    origin: usize,
    host: String,
}

/// A text that is no such URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "not the URL of a queue: write it as SQS shows it, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME (http:// on this machine alone)"
)]
pub struct QueueUrlError;

impl QueueUrl {
    /// Returns the URL.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns scheme, host and port: where SQS answers for this queue.
    pub fn origin(&self) -> &str {
        self.text.get(..self.origin).unwrap_or(&self.text)
    }

    /// Returns the Region in the host's name, where AWS's own naming has one there: `sqs.REGION.amazonaws.com`.
    pub fn region(&self) -> Option<&str> {
        let (service, rest) = self.host.split_once('.')?;
        let (region, domain) = rest.split_once('.')?;
        let of_aws = matches!(domain, "amazonaws.com" | "amazonaws.com.cn" | "api.aws");
        (of_aws && matches!(service, "sqs" | "sqs-fips")).then_some(region)
    }
}

impl FromStr for QueueUrl {
    type Err = QueueUrlError;

    fn from_str(text: &str) -> Result<Self, QueueUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(QueueUrlError)?;
        let (authority, path) = rest.split_once('/').ok_or(QueueUrlError)?;
        let host = Authority::parse(authority)
            .filter(|authority| authority.user.is_none())
            .ok_or(QueueUrlError)?
            .host;
        let encrypted = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(QueueUrlError),
        };
        let plain = |segment: &str| {
            !segment.is_empty()
                && segment
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        let mut segments = path.split('/');
        let sound = segments.clone().count() >= 2 && segments.all(plain);
        if !sound || !(encrypted || is_loopback(&host)) {
            return Err(QueueUrlError);
        }
        Ok(Self {
            origin: scheme.len() + "://".len() + authority.len(),
            text: text.to_owned(),
            host,
        })
    }
}

impl fmt::Display for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_has_a_place_and_perhaps_a_region() {
        for (text, origin, region) in [
            (
                "https://sqs.eu-central-1.amazonaws.com/111111111111/pinfold",
                "https://sqs.eu-central-1.amazonaws.com",
                Some("eu-central-1"),
            ),
            (
                "https://vpce-1.sqs.us-east-1.vpce.amazonaws.com/111111111111/pinfold",
                "https://vpce-1.sqs.us-east-1.vpce.amazonaws.com",
                None,
            ),
            ("http://127.0.0.1:9324/000000000000/q", "http://127.0.0.1:9324", None),
            (
                "http://localhost:4566/queue/us-east-1/0/q",
                "http://localhost:4566",
                None,
            ),
        ] {
            let url: QueueUrl = text.parse().unwrap();
            assert_eq!((url.origin(), url.region()), (origin, region), "{text}");
        }
    }

    #[test]
    fn what_is_no_queue_is_refused() {
        for bad in [
            "",
            "pinfold",
            "https://sqs.us-east-1.amazonaws.com",
            "https://sqs.us-east-1.amazonaws.com/pinfold",
            "https://sqs.us-east-1.amazonaws.com/1/q?x",
            "https://u:p@h/1/q",
            "https://h/1//q",
            "http://example.com/1/q",
            "arn:aws:sqs:us-east-1:111111111111:pinfold",
        ] {
            assert!(bad.parse::<QueueUrl>().is_err(), "{bad}");
        }
    }
}
