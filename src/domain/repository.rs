//! Where a Git repository is and which branch of it counts. Checks the text only; connects to nothing.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use super::address::{Authority, is_loopback};

/// The URL of a repository: `https://`, `ssh://`, `user@host:path`, `file://` or a path; `http://` to this
/// machine alone. Holds no password and no query, so it may be shown anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryUrl {
    text: String,
    transport: Transport,
}

/// How the repository is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// `https://`
    Https {
        /// The host, without the port.
        host: String,
    },
    /// `http://` to a loopback address.
    Http {
        /// The host, without the port.
        host: String,
    },
    /// `ssh://` or `user@host:path`.
    Ssh {
        /// The user, where the URL names one.
        user: Option<String>,
        /// The host, without the port; an IPv6 address without its brackets.
        host: String,
        /// The port, 22 unless the URL says otherwise.
        port: u16,
    },
    /// `file://`
    File,
    /// A path of this machine.
    Path,
}

/// Why the URL of a repository was refused. Never repeats the URL: it could hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RepositoryUrlError {
    /// Nothing there.
    #[error("it is empty: write https://HOST/PATH, ssh://git@HOST/PATH, git@HOST:PATH, file:///PATH or a path")]
    Empty,
    /// Longer than any URL.
    #[error("it is longer than 2048 bytes")]
    TooLong,
    /// Begins like a command-line option.
    #[error("it begins with `-`, which programs take for an option: write ./ before a path")]
    Option,
    /// Blanks, control characters or backslashes.
    #[error("it holds a control character, a blank or a backslash: remove it (in a URL, write %20 for a blank)")]
    Characters,
    /// A user or password in an `https://` URL.
    #[error(
        "it holds a user or a password, which would show in logs: remove what stands before the @ and use `repository.auth.tokenFile`"
    )]
    UserInfo,
    /// A password in an `ssh://` URL.
    #[error("it holds a password: remove it and use `repository.auth.sshKeyFile`")]
    Password,
    /// A query or fragment.
    #[error("it has a query or a fragment (? or #), which no Git server needs: remove it")]
    Query,
    /// `http://` to another machine.
    #[error("http:// is neither encrypted nor authenticated, and is taken for loopback addresses alone: use https://")]
    PlainHttp,
    /// A scheme that Pinfold does not speak.
    #[error("this scheme is not spoken: use https://, ssh://, file:// or a path (git:// is not authenticated)")]
    Scheme,
    /// No host where one must be, or one that is not valid.
    #[error("its host or port is not valid: write HOST or HOST:PORT, a name in ASCII or an IP address (IPv6 in [])")]
    Host,
    /// No path where one must be.
    #[error("it names no repository: write the path behind the host, such as https://HOST/OWNER/REPOSITORY.git")]
    NoPath,
    /// `host:path` without a user, which could be a path too.
    #[error("it could be a path or an ssh address: write ssh://git@HOST/PATH, or ./ before a path")]
    Ambiguous,
    /// A file URL that is not absolute.
    #[error("a file URL is absolute: write file:///PATH with three slashes")]
    FileUrl,
}

/// Longest URL, in bytes: no server takes more.
const MAX_URL_BYTES: usize = 2048;

/// The port of ssh (RFC 4251).
const SSH_PORT: u16 = 22;

impl RepositoryUrl {
    /// Returns the text, as libgit2 takes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns how the repository is reached.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Returns the last part of the path, without `.git`: the repository's name on its host.
    pub fn name(&self) -> &str {
        let path = self.text.trim_end_matches('/');
        let name = path.rsplit(['/', ':']).next().unwrap_or(path);
        name.strip_suffix(".git").unwrap_or(name)
    }

    /// Returns the folder of a repository on this machine.
    pub fn local_path(&self) -> Option<PathBuf> {
        match self.transport {
            Transport::Path => Some(PathBuf::from(&self.text)),
            Transport::File => {
                let path = self.text.split_once("://").map_or("", |(_, rest)| rest);
                let path = path.strip_prefix("localhost").unwrap_or(path);
                Some(PathBuf::from(OsString::from_vec(percent_decoded(path))))
            }
            Transport::Https { .. } | Transport::Http { .. } | Transport::Ssh { .. } => None,
        }
    }

    /// Returns the URL with a relative path resolved against `base`; `None` where `base` is not UTF-8.
    #[must_use]
    pub fn resolved(self, base: &Path) -> Option<Self> {
        if self.transport == Transport::Path && Path::new(&self.text).is_relative() {
            let text = base.join(&self.text).to_str()?.to_owned();
            return Some(Self { text, ..self });
        }
        Some(self)
    }
}

impl FromStr for RepositoryUrl {
    type Err = RepositoryUrlError;

    fn from_str(text: &str) -> Result<Self, RepositoryUrlError> {
        use RepositoryUrlError as E;
        if text.is_empty() {
            return Err(E::Empty);
        }
        if text.len() > MAX_URL_BYTES {
            return Err(E::TooLong);
        }
        if text.starts_with('-') {
            return Err(E::Option);
        }
        if text.chars().any(char::is_control) {
            return Err(E::Characters);
        }
        let transport = match text.split_once("://") {
            Some((scheme, rest)) => with_scheme(&scheme.to_ascii_lowercase(), rest)?,
            None => without_scheme(text)?,
        };
        Ok(Self {
            text: text.to_owned(),
            transport,
        })
    }
}

fn with_scheme(scheme: &str, rest: &str) -> Result<Transport, RepositoryUrlError> {
    use RepositoryUrlError as E;
    if rest.contains([' ', '\\']) {
        return Err(E::Characters);
    }
    if rest.contains(['?', '#']) {
        return Err(E::Query);
    }
    if scheme == "file" {
        if percent_decoded(rest).contains(&0) {
            return Err(E::Characters);
        }
        let path = rest.strip_prefix("localhost").unwrap_or(rest);
        return if path.starts_with('/') && path.len() > 1 {
            Ok(Transport::File)
        } else {
            Err(E::FileUrl)
        };
    }
    if !matches!(scheme, "https" | "http" | "ssh") {
        return Err(E::Scheme);
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if scheme != "ssh" && authority.contains('@') {
        return Err(E::UserInfo);
    }
    let Authority { user, host, port } = Authority::parse(authority).ok_or(E::Host)?;
    if path.trim_matches('/').is_empty() {
        return Err(E::NoPath);
    }
    match scheme {
        "https" => Ok(Transport::Https { host }),
        "http" if is_loopback(&host) => Ok(Transport::Http { host }),
        "http" => Err(E::PlainHttp),
        _ => Ok(Transport::Ssh {
            user: user.map(ssh_user).transpose()?,
            host,
            port: port.unwrap_or(SSH_PORT),
        }),
    }
}

/// Puts bytes in the place of `%20` and the like; what is no such escape stays as it is.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escape = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| hex::decode(digits).ok());
        if let Some(byte) = escape {
            decoded.extend(byte);
            rest = &after[2..];
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    decoded
}

/// Reads `user@host:path` or a path, by Git's rule: a colon before the first slash makes it an address.
fn without_scheme(text: &str) -> Result<Transport, RepositoryUrlError> {
    use RepositoryUrlError as E;
    let first_segment = text.split('/').next().unwrap_or(text);
    let Some(colon) = first_segment.rfind(':') else {
        return Ok(Transport::Path);
    };
    let (address, path) = (&text[..colon], &text[colon + 1..]);
    let Some((user, host)) = address.split_once('@') else {
        return Err(E::Ambiguous);
    };
    if text.contains([' ', '\\']) {
        return Err(E::Characters);
    }
    // A path such as `-x` would be an option of git-upload-pack on the other side.
    if path.is_empty() || path.starts_with('-') {
        return Err(E::NoPath);
    }
    let authority = Authority::parse(host).filter(|a| a.port.is_none()).ok_or(E::Host)?;
    Ok(Transport::Ssh {
        user: Some(ssh_user(user.to_owned())?),
        host: authority.host,
        port: SSH_PORT,
    })
}

fn ssh_user(user: String) -> Result<String, RepositoryUrlError> {
    if user.contains(':') {
        return Err(RepositoryUrlError::Password);
    }
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if user.is_empty() || user.starts_with('-') || !user.bytes().all(word) {
        return Err(RepositoryUrlError::Host);
    }
    Ok(user)
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// The name of a branch, without `refs/heads/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchName(String);

/// A text that is no name of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "not the name of a branch: write it as `git branch` shows it, such as main or release/1.x, without refs/heads/"
)]
pub struct BranchNameError;

/// Longest name of a branch, in bytes: Git keeps it as a file name.
const MAX_BRANCH_BYTES: usize = 244;

impl BranchName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BranchName {
    type Err = BranchNameError;

    /// Applies the rules of `git check-ref-format --branch`.
    fn from_str(text: &str) -> Result<Self, BranchNameError> {
        let sound_segment = |s: &str| {
            !s.is_empty() && !s.starts_with('.') && !s.ends_with('.') && !s.to_ascii_lowercase().ends_with(".lock")
        };
        let forbidden = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
        let sound = (1..=MAX_BRANCH_BYTES).contains(&text.len())
            && !text.starts_with('-')
            && !text.starts_with("refs/")
            && text != "HEAD"
            && text != "@"
            && !text.contains("..")
            && !text.contains("@{")
            && !text.chars().any(forbidden)
            && text.split('/').all(sound_segment);
        sound.then(|| Self(text.to_owned())).ok_or(BranchNameError)
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What to do with a branch whose new head does not descend from the one seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForcePush {
    /// Follow it: what Git says now counts.
    #[default]
    Allow,
    /// Keep to the last commit, and say so.
    Refuse,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport(text: &str) -> Transport {
        text.parse::<RepositoryUrl>().unwrap().transport().clone()
    }

    #[test]
    fn each_form_of_url_has_its_transport() {
        let host = "h.example".to_owned();
        assert_eq!(
            transport("https://h.example/a/b.git"),
            Transport::Https { host: host.clone() }
        );
        assert_eq!(
            transport("https://h.example:8443/a"),
            Transport::Https { host: host.clone() }
        );
        assert_eq!(
            transport("http://127.0.0.1:3000/a"),
            Transport::Http {
                host: "127.0.0.1".into()
            }
        );
        let ssh = |user: Option<&str>, port| Transport::Ssh {
            user: user.map(str::to_owned),
            host: host.clone(),
            port,
        };
        assert_eq!(transport("ssh://git@h.example:2222/a"), ssh(Some("git"), 2222));
        assert_eq!(transport("ssh://h.example/a"), ssh(None, 22));
        assert_eq!(transport("git@h.example:a/b.git"), ssh(Some("git"), 22));
        assert_eq!(transport("file:///srv/repo.git"), Transport::File);
        for path in ["/srv/repo.git", "../repo", "./a:b", "a/b:c", "repo", "a b"] {
            assert_eq!(transport(path), Transport::Path, "{path}");
        }
    }

    #[test]
    fn each_fault_of_a_url_has_its_own_word() {
        use RepositoryUrlError as E;
        for (bad, error) in [
            ("", E::Empty),
            ("-x", E::Option),
            ("--upload-pack=x", E::Option),
            ("https://token@h/a", E::UserInfo),
            ("https://u:p@h/a", E::UserInfo),
            ("ssh://u:p@h/a", E::Password),
            ("u:p@h:a", E::Password),
            ("https://h/a?token=x", E::Query),
            ("https://h/a#x", E::Query),
            ("http://h.example/a", E::PlainHttp),
            ("http://127.0.0.1.example/a", E::PlainHttp),
            ("git://h/a", E::Scheme),
            ("ext::sh -c x", E::Ambiguous),
            ("https://h\\x/a", E::Characters),
            ("https://h/a\n", E::Characters),
            ("https:///a", E::Host),
            ("https://h:x/a", E::Host),
            ("ssh://-oProxyCommand=x/a", E::Host),
            ("https://h", E::NoPath),
            ("https://h/", E::NoPath),
            ("git@h:", E::NoPath),
            ("git@h:-x", E::NoPath),
            ("host:path", E::Ambiguous),
            ("file://relative/x", E::FileUrl),
            ("file://", E::FileUrl),
        ] {
            assert_eq!(bad.parse::<RepositoryUrl>().unwrap_err(), error, "{bad}");
        }
    }

    #[test]
    fn a_repository_on_this_machine_has_a_folder() {
        let folder = |text: &str| text.parse::<RepositoryUrl>().unwrap().local_path();
        assert_eq!(folder("/srv/a%20b"), Some("/srv/a%20b".into()));
        assert_eq!(folder("file:///srv/a%20b"), Some("/srv/a b".into()));
        assert_eq!(folder("file://localhost/srv/100%"), Some("/srv/100%".into()));
        assert_eq!(folder("https://h/x"), None);
        assert_eq!(
            "file:///a%00b".parse::<RepositoryUrl>(),
            Err(RepositoryUrlError::Characters)
        );
    }

    #[test]
    fn a_repository_has_a_name() {
        for url in [
            "https://h/acme/versions.git",
            "https://h/acme/versions/",
            "git@h:versions.git",
            "versions",
        ] {
            assert_eq!(url.parse::<RepositoryUrl>().unwrap().name(), "versions", "{url}");
        }
    }

    #[test]
    fn only_a_relative_path_is_resolved() {
        let resolved = |text: &str| {
            let url = text.parse::<RepositoryUrl>().unwrap();
            url.resolved(Path::new("/etc/pinfold")).unwrap().to_string()
        };
        assert_eq!(resolved("repo"), "/etc/pinfold/repo");
        assert_eq!(resolved("/srv/repo"), "/srv/repo");
        assert_eq!(resolved("file:///srv/repo"), "file:///srv/repo");
        assert_eq!(resolved("git@h:repo"), "git@h:repo");
    }

    #[test]
    fn a_branch_is_named_as_git_branch_shows_it() {
        for good in ["main", "release/1.x", "feature/a-b_c", "ü", "a@b"] {
            assert!(good.parse::<BranchName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-x",
            "refs/heads/main",
            "HEAD",
            "@",
            "a..b",
            "a@{1}",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.",
            "a\u{7f}",
        ] {
            assert!(bad.parse::<BranchName>().is_err(), "{bad}");
        }
    }
}
