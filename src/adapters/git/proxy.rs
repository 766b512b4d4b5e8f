//! Which proxy leads to the repository over https, and with which credentials. Connects to nothing.

use std::fmt::Write as _;
use std::path::PathBuf;

use git2::ProxyOptions;
use serde::{Deserialize, Serialize};

use super::super::file;
use super::super::web::Proxy;
use super::wire;
use crate::domain::{ProxyChoice, ProxyUrl, Secret};

/// Which proxy leads to the repository over https, and to the API of its host.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GitProxy {
    /// Which.
    #[serde(with = "wire::Way")]
    pub choice: ProxyChoice,
    /// File with `USER:PASSWORD` for a proxy that is named, read anew for each connection.
    #[serde(with = "wire::optional_path")]
    pub credentials_file: Option<PathBuf>,
}

impl GitProxy {
    /// Returns the proxy with its credentials.
    ///
    /// # Errors
    ///
    /// The file with the credentials cannot be read, or holds something else.
    pub(super) fn resolve(&self) -> Result<Proxy, String> {
        match (&self.choice, &self.credentials_file) {
            (ProxyChoice::Environment, _) => Ok(Proxy::Environment),
            (ProxyChoice::Direct, _) => Ok(Proxy::Direct),
            (ProxyChoice::Url(url), None) => Ok(Proxy::Url(Secret::new(url.as_str()))),
            (ProxyChoice::Url(url), Some(path)) => {
                let credentials =
                    file::secret(path).map_err(|error| format!("{error}: repository.proxyCredentialsFile"))?;
                let one_line = Some(credentials.reveal()).filter(|text| !text.contains(char::is_control));
                let (user, password) = one_line.and_then(|text| text.split_once(':')).ok_or_else(|| {
                    format!(
                        "{} holds no USER:PASSWORD on one line: repository.proxyCredentialsFile",
                        path.display()
                    )
                })?;
                Ok(Proxy::Url(with_credentials(url, user, password)))
            }
        }
    }
}

/// Says it to libgit2, which takes user and password out of the URL once the proxy asks for them.
pub(super) fn options(proxy: &Proxy) -> ProxyOptions<'static> {
    let mut options = ProxyOptions::new();
    match proxy {
        Proxy::Environment => {
            options.auto();
        }
        Proxy::Direct => {}
        Proxy::Url(url) => {
            options.url(url.reveal());
        }
    }
    options
}

fn with_credentials(url: &ProxyUrl, user: &str, password: &str) -> Secret {
    let (scheme, host) = url.parts();
    Secret::new(format!("{scheme}://{}:{}@{host}", escaped(user), escaped(password)))
}

/// Escapes everything that could mean something in a URL (RFC 3986, section 2.3).
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(choice: &str, credentials: Option<&str>) -> Result<Proxy, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials");
        if let Some(credentials) = credentials {
            std::fs::write(&file, credentials).unwrap();
        }
        let proxy = GitProxy {
            choice: choice.parse().unwrap(),
            credentials_file: credentials.map(|_| file),
        };
        proxy.resolve()
    }

    #[test]
    fn credentials_become_part_of_the_url_and_are_not_shown() {
        let proxy = resolved("http://proxy.example:3128", Some("us@er:pass: /wörd\n")).unwrap();
        let Proxy::Url(url) = &proxy else { panic!("{proxy:?}") };
        assert_eq!(url.reveal(), "http://us%40er:pass%3A%20%2Fw%C3%B6rd@proxy.example:3128");
        assert!(!format!("{proxy:?}").contains("pass"));
    }

    #[test]
    fn without_credentials_the_url_is_as_it_was() {
        let proxy = resolved("http://proxy.example:3128/", None).unwrap();
        let Proxy::Url(url) = &proxy else { panic!("{proxy:?}") };
        assert_eq!(url.reveal(), "http://proxy.example:3128");
        assert!(matches!(resolved("none", None), Ok(Proxy::Direct)));
        assert!(matches!(GitProxy::default().resolve(), Ok(Proxy::Environment)));
    }

    #[test]
    fn a_file_with_something_else_is_named_and_not_shown() {
        for content in ["hunter2", "", "user:\nhunter2", "user:hunter2\n\0"] {
            let error = resolved("http://proxy.example:3128", Some(content)).unwrap_err();
            assert!(error.contains("repository.proxyCredentialsFile"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
