//! The address of somebody's web service that holds a secret in itself. Checks the text only; connects to nothing.

use std::str::FromStr;

use thiserror::Error;

use super::Secret;
use super::address::{Authority, is_loopback};

/// An address to which notifications are posted: `https://`, or `http://` on this machine alone. Shown nowhere: whoever
/// knows the address of a webhook can post to it.
#[derive(Debug, Clone)]
pub struct WebhookUrl(Secret);

/// A text that is no such address. Never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "not the address of a webhook: write https://HOST/PATH (http:// on this machine alone), in ASCII, without user or fragment"
)]
pub struct WebhookUrlError;

/// Longest address, in bytes: those of Power Automate have some 300.
const LONGEST: usize = 2048;

impl WebhookUrl {
    /// Returns the address, for the one place that connects.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

impl FromStr for WebhookUrl {
    type Err = WebhookUrlError;

    fn from_str(text: &str) -> Result<Self, WebhookUrlError> {
        let text = text.trim_ascii();
        let (encrypted, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(WebhookUrlError),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let authority = Authority::parse(&rest[..end]).ok_or(WebhookUrlError)?;
        let plain =
            |c: char| c.is_ascii_graphic() && !matches!(c, '#' | '\\' | '"' | '<' | '>' | '^' | '`' | '{' | '|' | '}');
        let sound = authority.user.is_none() && text.len() <= LONGEST && rest.chars().all(plain);
        if sound && (encrypted || is_loopback(&authority.host)) {
            return Ok(Self(Secret::new(text)));
        }
        Err(WebhookUrlError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_encrypted_or_of_this_machine() {
        for good in [
            "https://hooks.slack.com/services/T0/B0/x\n",
            "https://prod-1.westus.logic.azure.com:443/workflows/a/triggers/manual/paths/invoke?api-version=1&sp=%2Ft&sig=x",
            "http://127.0.0.1:9/",
            "http://localhost?x",
        ] {
            assert!(good.parse::<WebhookUrl>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "http://example.com/",
            "https://u:p@h/",
            "https://h/#x",
            "https://h/a b",
            "ftp://h",
            "https://",
        ] {
            assert!(bad.parse::<WebhookUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_not_shown() {
        let url: WebhookUrl = "https://h/secret".parse().unwrap();
        assert!(!format!("{url:?}").contains("secret"));
    }
}
