//! The address of something that speaks AWS's protocol. Checks the text only; connects to nothing.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::address::{Authority, is_ip, is_loopback};

/// The base URL of an emulator or a VPC endpoint: `https://` or `http://`, without user, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointUrl {
    text: String,
    host: String,
}

/// A text that is no endpoint. Never repeats the text: it could hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "not an endpoint: write http://HOST:PORT or https://HOST, a name in ASCII or an IP address, without user, query or fragment"
)]
pub struct EndpointUrlError;

impl EndpointUrl {
    /// Returns the URL.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Returns whether the host is `localhost` or an IP address.
    ///
    /// There, S3 needs path-style addressing: a bucket's name cannot be put before an IP address.
    pub fn is_local_or_ip(&self) -> bool {
        is_loopback(&self.host) || is_ip(&self.host)
    }
}

impl FromStr for EndpointUrl {
    type Err = EndpointUrlError;

    fn from_str(text: &str) -> Result<Self, EndpointUrlError> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .ok_or(EndpointUrlError)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\' | '@');
        let authority = Authority::parse(authority).ok_or(EndpointUrlError)?;
        if authority.user.is_some() || !path.chars().all(plain) {
            return Err(EndpointUrlError);
        }
        Ok(Self {
            text: text.trim_end_matches('/').to_owned(),
            host: authority.host,
        })
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_plain_url() {
        for (good, local) in [
            ("http://127.0.0.1:4566", true),
            ("http://localhost:4566/", true),
            ("http://[::1]:4566", true),
            ("http://10.0.0.7:9000", true),
            ("https://vpce-1.lambda.us-east-1.vpce.amazonaws.com", false),
            ("http://localstack:4566", false),
        ] {
            assert_eq!(good.parse::<EndpointUrl>().unwrap().is_local_or_ip(), local, "{good}");
        }
        for bad in [
            "",
            "localhost:4566",
            "ftp://h",
            "http://",
            "http://u:p@h",
            "http://h?x",
            "http://h/#x",
            "http://h/a b",
        ] {
            assert!(bad.parse::<EndpointUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_slash_at_the_end_is_dropped() {
        assert_eq!("http://h:1/".parse::<EndpointUrl>().unwrap().as_str(), "http://h:1");
    }
}
