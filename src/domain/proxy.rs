//! Which proxy leads to a server. Checks the text only; connects to nothing.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::address::Authority;

/// The address of an HTTP proxy: `http://HOST:PORT`, or `https://` where the proxy itself is spoken to over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyUrl(String);

/// A text that is no address of a proxy. Never repeats the text: it could hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProxyUrlError {
    /// User or password.
    #[error(
        "user and password do not belong here: put them into a file, as USER:PASSWORD, and name it in `proxyCredentialsFile`"
    )]
    UserInfo,
    /// Anything else.
    #[error("not a proxy: write http://HOST:PORT, or `none` for no proxy at all")]
    Form,
}

impl ProxyUrl {
    /// Returns the URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns scheme, and host with port.
    pub fn parts(&self) -> (&str, &str) {
        // It was parsed with both.
        self.0.split_once("://").unwrap_or(("http", &self.0))
    }
}

impl FromStr for ProxyUrl {
    type Err = ProxyUrlError;

    fn from_str(text: &str) -> Result<Self, ProxyUrlError> {
        use ProxyUrlError as E;
        let text = text.strip_suffix('/').unwrap_or(text);
        let (scheme, rest) = text.split_once("://").ok_or(E::Form)?;
        if rest.contains('@') {
            return Err(E::UserInfo);
        }
        let authority = Authority::parse(rest).ok_or(E::Form)?;
        // Without a port, one program would take 80, another 1080 or 3128.
        if !matches!(scheme, "http" | "https") || authority.port.is_none() {
            return Err(E::Form);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Which proxy leads to a server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProxyChoice {
    /// The one that the environment names: `HTTPS_PROXY` and `NO_PROXY`.
    #[default]
    Environment,
    /// None, whatever the environment says.
    Direct,
    /// This one, whatever the environment says.
    Url(ProxyUrl),
}

impl FromStr for ProxyChoice {
    type Err = ProxyUrlError;

    fn from_str(text: &str) -> Result<Self, ProxyUrlError> {
        match text {
            "none" => Ok(Self::Direct),
            url => url.parse().map(Self::Url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_has_a_host_and_a_port_and_nothing_else() {
        for good in [
            "http://proxy.example:3128",
            "https://10.0.0.7:8443/",
            "http://[::1]:3128",
        ] {
            assert!(good.parse::<ProxyUrl>().is_ok(), "{good}");
        }
        assert_eq!("http://p:1/".parse::<ProxyUrl>().unwrap().parts(), ("http", "p:1"));
        for bad in [
            "",
            "proxy:3128",
            "http://proxy",
            "socks5://proxy:1080",
            "http://p:1/x",
            "http://p:1?x",
            "http://:1",
        ] {
            assert_eq!(bad.parse::<ProxyUrl>(), Err(ProxyUrlError::Form), "{bad}");
        }
        assert_eq!(
            "http://u:p@proxy:3128".parse::<ProxyUrl>(),
            Err(ProxyUrlError::UserInfo)
        );
    }

    #[test]
    fn none_is_a_choice_of_its_own() {
        assert_eq!("none".parse(), Ok(ProxyChoice::Direct));
        assert_eq!("None".parse::<ProxyChoice>(), Err(ProxyUrlError::Form));
    }
}
