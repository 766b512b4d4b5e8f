//! The installation of a GitHub App, as which a repository is read. Reads no key and asks nobody.

use std::fmt;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

use super::endpoint::EndpointUrl;
use super::repository::{RepositoryUrl, Transport};

/// The installation of a GitHub App.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubApp {
    /// The App.
    pub app_id: GithubAppId,
    /// The installation's id.
    pub installation_id: NonZeroU64,
    /// PEM file with a private key of the App, read anew for each token.
    pub private_key_file: PathBuf,
    /// Where GitHub's REST API answers: over TLS, or on this machine.
    pub api_url: EndpointUrl,
}

/// The id of a GitHub App, a number, or its client id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubAppId(String);

/// A text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("write the App ID or the Client ID, as the App's settings show them")]
pub struct GithubAppIdError;

/// Longest id, in bytes: a client id has twenty.
const MAX_ID_BYTES: usize = 64;

impl FromStr for GithubAppId {
    type Err = GithubAppIdError;

    fn from_str(text: &str) -> Result<Self, GithubAppIdError> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let sound = (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(word);
        sound.then(|| Self(text.to_owned())).ok_or(GithubAppIdError)
    }
}

impl fmt::Display for GithubAppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl GithubApp {
    /// Returns where the API of a repository's host answers; `None` where it is not reached over HTTP.
    ///
    /// GitHub Docs, "Getting started with the REST API": `api.` before the host on GitHub and on GHE.com, below
    /// `/api/v3` on a GitHub Enterprise Server.
    pub fn api_of(repository: &RepositoryUrl) -> Option<EndpointUrl> {
        let (Transport::Https { host } | Transport::Http { host }) = repository.transport() else {
            return None;
        };
        let host = host.to_ascii_lowercase();
        let api = if host == "github.com" || host.ends_with(".ghe.com") {
            format!("https://api.{host}")
        } else {
            let (scheme, rest) = repository.as_str().split_once("://")?;
            format!("{scheme}://{}/api/v3", rest.split('/').next()?)
        };
        api.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_github_has_its_api() {
        let api = |url: &str| {
            let api = GithubApp::api_of(&url.parse().unwrap());
            api.map(|api| api.to_string())
        };
        assert_eq!(api("https://GitHub.com/a/b.git").unwrap(), "https://api.github.com");
        assert_eq!(api("https://acme.ghe.com/a/b").unwrap(), "https://api.acme.ghe.com");
        assert_eq!(
            api("https://git.example:8443/a/b").unwrap(),
            "https://git.example:8443/api/v3"
        );
        assert_eq!(api("http://127.0.0.1:1/a/b").unwrap(), "http://127.0.0.1:1/api/v3");
        assert_eq!(api("git@github.com:a/b"), None);
    }

    #[test]
    fn an_id_is_a_word() {
        for good in ["123456", "Iv23liABCDEFGHIJKLMN", "Iv1.8a61f9b3a7aba766"] {
            assert!(good.parse::<GithubAppId>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\"", &"1".repeat(65)] {
            assert!(bad.parse::<GithubAppId>().is_err(), "{bad}");
        }
    }
}
