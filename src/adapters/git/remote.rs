//! One connection to the repository: who may be talked to, with which credentials, for how long. Keeps nothing.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};

use git2::cert::Cert;
use git2::{
    AutotagOption, CertificateCheckStatus, Cred, CredentialType, Direction, Error, ErrorClass, ErrorCode, FetchOptions,
    Oid, RemoteCallbacks, RemoteRedirect, Repository,
};
use serde::{Deserialize, Serialize};

use super::super::file;
use super::super::web::Proxy;
use super::GitAuth;
use super::error;
use super::known_hosts::{self, Verdict};
use super::mirror::History;
use super::proxy::{self, GitProxy};
use super::wire;
use crate::domain::{BranchName, RepositoryUrl, Secret, Transport};
use crate::ports::{PortError, PortErrorKind};

/// The user that GitHub, GitLab, Gitea and Bitbucket take with any token.
const DEFAULT_USER: &str = "x-access-token";
/// The user that Git servers give to everyone over ssh.
const DEFAULT_SSH_USER: &str = "git";
/// Most bytes that one fetch may bring. A repository of manifests has some MiB; this one is not.
pub(super) const MAX_FETCH_BYTES: usize = 1024 * 1024 * 1024;
/// What libgit2 says, in no other way, of a server that sends no head without its history.
const NOT_SHALLOW: &str = "support shallow";
/// Commits of a history, for a fetch: all.
const WHOLE: i32 = 0;
/// Branches that an error names, where the one that is asked for is missing.
const BRANCHES_SHOWN: usize = 5;

/// What it takes to reach a repository.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Remote {
    /// Where it is.
    #[serde(with = "wire::text")]
    pub(super) url: RepositoryUrl,
    /// The branch that counts.
    #[serde(with = "wire::text")]
    pub(super) branch: BranchName,
    /// Files with credentials.
    pub(super) auth: GitAuth,
    /// A token that was made for this operation, in place of a file.
    #[serde(with = "wire::optional_secret")]
    pub(super) token: Option<Secret>,
    /// Which proxy leads there over https.
    pub(super) proxy: GitProxy,
    /// PEM file with authorities to trust beside the system's.
    #[serde(with = "wire::optional_path")]
    pub(super) ca_file: Option<PathBuf>,
    /// A folder of our own that stands for the user's home, where libgit2 looks for `.ssh/known_hosts`.
    #[serde(with = "wire::optional_path")]
    pub(super) home: Option<PathBuf>,
}

/// Why a fetch failed.
pub(super) struct FetchError {
    /// What to report.
    pub(super) error: PortError,
    /// Whether our own mirror could be the cause, so that a new one might help.
    pub(super) mirror_suspect: bool,
    /// Whether the server sends no head without its history.
    not_shallow: bool,
}

impl Remote {
    /// Asks for the head of the branch, fetching nothing.
    pub(super) fn head(&self, mirror: &Repository) -> Result<Oid, PortError> {
        let operation = format!("list {}", self.url);
        let session = Session::new(self);
        let list = || -> Result<_, Error> {
            let proxy = proxy::options(&session.proxy()?);
            let mut remote = mirror.remote_anonymous(self.url.as_str())?;
            let connection = remote.connect_auth(Direction::Fetch, Some(session.callbacks()), Some(proxy))?;
            let heads = connection.list()?.iter();
            Ok(heads
                .map(|head| (head.name().to_owned(), head.oid()))
                .collect::<Vec<_>>())
        };
        self.prepare_known_hosts(true);
        let heads = list()
            .or_else(|error| {
                if !session.may_lack_a_key(&error) {
                    return Err(error);
                }
                // The server has no key of a type that is known of it: ask for any, so that the one it has can be shown.
                self.prepare_known_hosts(false);
                list()
            })
            .map_err(|error| session.error(&operation, &error))?;
        let wanted = self.reference();
        match heads.iter().find(|(name, _)| *name == wanted) {
            Some((_, head)) => Ok(*head),
            None => Err(self.no_branch(&operation, heads.iter().map(|(name, _)| name.as_str()))),
        }
    }

    /// Brings the branch into the mirror.
    pub(super) fn fetch(&self, mirror: &Repository, history: History) -> Result<(), FetchError> {
        self.prepare_known_hosts(true);
        match history {
            History::Head => match self.fetch_once(mirror, 1) {
                Err(failed) if failed.not_shallow => self.fetch_once(mirror, WHOLE),
                other => other,
            },
            History::Whole => self.fetch_once(mirror, WHOLE),
        }
    }

    /// Brings so many commits of the branch, over a connection of its own, with credentials that were not offered yet.
    fn fetch_once(&self, mirror: &Repository, depth: i32) -> Result<(), FetchError> {
        let session = Session::new(self);
        let fetch = || -> Result<(), Error> {
            let mut options = FetchOptions::new();
            options
                .depth(depth)
                .remote_callbacks(session.callbacks())
                .proxy_options(proxy::options(&session.proxy()?))
                .follow_redirects(RemoteRedirect::None)
                .download_tags(AutotagOption::None)
                .update_fetchhead(false);
            let reference = self.reference();
            let refspec = format!("+{reference}:{reference}");
            let mut remote = mirror.remote_anonymous(self.url.as_str())?;
            remote.fetch(&[refspec], Some(&mut options), None)
        };
        fetch().map_err(|error| FetchError {
            mirror_suspect: !session.refused() && !error::is_of_the_network(&error),
            not_shallow: error.message().contains(NOT_SHALLOW),
            error: session.error(&format!("fetch {}", self.url), &error),
        })
    }

    /// The branch, by its whole name.
    pub(super) fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    /// Says that the branch is not among the references that there are.
    pub(super) fn no_branch<'n>(&self, operation: &str, names: impl Iterator<Item = &'n str>) -> PortError {
        let branches: Vec<&str> = names.filter_map(|name| name.strip_prefix("refs/heads/")).collect();
        let branch = &self.branch;
        let message = if branches.is_empty() {
            format!("the repository is empty: push a first commit to branch {branch}")
        } else {
            let shown = branches
                .iter()
                .take(BRANCHES_SHOWN)
                .copied()
                .collect::<Vec<_>>()
                .join(", ");
            let more = if branches.len() > BRANCHES_SHOWN { ", ..." } else { "" };
            format!("there is no branch {branch} (there are {shown}{more}): correct repository.branch")
        };
        PortError::new(PortErrorKind::NotFound, operation, message)
    }

    /// Puts the keys of this host where libgit2 looks for them before it connects, so that it asks the server for
    /// a key of a type that the file has. Whether the key is trusted is decided by [`Session::check_host_key`]
    /// alone, so a failure here costs nothing but that preference. Without `preferred`, none is put there.
    fn prepare_known_hosts(&self, preferred: bool) {
        if let Transport::Ssh { host, port, .. } = self.url.transport()
            && let (Some(file), Some(home)) = (&self.auth.known_hosts_file, &self.home)
            && let Ok(known) = file::text(file)
        {
            let folder = home.join(".ssh");
            let lines = if preferred {
                known_hosts::trusted_lines(&known, host, *port)
            } else {
                String::new()
            };
            fs::create_dir_all(&folder)
                .and_then(|()| fs::write(folder.join("known_hosts"), lines))
                .ok();
        }
    }
}

/// The state of one connection.
struct Session<'a> {
    remote: &'a Remote,
    /// How often a credential was handed out. libgit2 asks again after each refusal, on ssh without end.
    offered: Cell<bool>,
    /// Why a callback said no: libgit2 replaces some of their messages by its own.
    refusal: RefCell<Option<(PortErrorKind, String)>>,
}

impl<'a> Session<'a> {
    fn new(remote: &'a Remote) -> Self {
        Self {
            remote,
            offered: Cell::new(false),
            refusal: RefCell::default(),
        }
    }

    fn callbacks(&'a self) -> RemoteCallbacks<'a> {
        let mut callbacks = RemoteCallbacks::new();
        callbacks
            .credentials(|url, user, allowed| self.credentials(url, user, allowed))
            .certificate_check(|certificate, _| self.check_certificate(certificate))
            .transfer_progress(|progress| {
                if progress.received_bytes() > MAX_FETCH_BYTES {
                    let message = "more than 1 GiB: give the manifests a repository of their own";
                    self.refuse(PortErrorKind::TooLarge, message);
                    return false;
                }
                true
            });
        callbacks
    }

    fn proxy(&self) -> Result<Proxy, Error> {
        let proxy = self.remote.proxy.resolve();
        proxy.map_err(|message| self.refuse(PortErrorKind::Invalid, message))
    }

    /// Returns the error to report: a callback's own reason before libgit2's view of it.
    fn error(&self, operation: &str, error: &Error) -> PortError {
        match self.refusal.take() {
            Some((kind, message)) => PortError::new(kind, operation, message),
            None => error::remote(operation, error),
        }
    }

    /// Returns whether the connection ended before a host key was looked at and a credential asked for.
    fn may_lack_a_key(&self, error: &Error) -> bool {
        error.class() == ErrorClass::Ssh && !self.offered.get() && !self.refused()
    }

    fn refused(&self) -> bool {
        self.refusal.borrow().is_some()
    }

    /// Notes why the connection must end, and makes the error that ends it.
    fn refuse(&self, kind: PortErrorKind, message: impl Into<String>) -> Error {
        *self.refusal.borrow_mut() = Some((kind, message.into()));
        // Not the code for failed authentication: on ssh, libgit2 would ask once more.
        Error::new(ErrorCode::User, ErrorClass::Callback, "refused")
    }

    fn credentials(&self, url: &str, user: Option<&str>, allowed: CredentialType) -> Result<Cred, Error> {
        use PortErrorKind as K;
        let auth = &self.remote.auth;
        let ssh = matches!(self.remote.url.transport(), Transport::Ssh { .. });
        if !ssh && origin(url) != origin(self.remote.url.as_str()) {
            // Redirects are off; this holds even if they were not.
            return Err(self.refuse(K::Invalid, "another server asks for the credentials: none were sent"));
        }
        if allowed.contains(CredentialType::USERNAME) {
            return Cred::username(user.unwrap_or(DEFAULT_SSH_USER));
        }
        if ssh && allowed.contains(CredentialType::SSH_KEY) {
            let file = auth.ssh_key_file.as_ref().ok_or_else(|| {
                self.refuse(
                    K::Credentials,
                    "the server asks for a key: set repository.auth.sshKeyFile",
                )
            })?;
            self.only_once(&content_of(file))?;
            // Readers of PEM want the line break at the end.
            let key = format!("{}\n", self.read_secret(file)?.reveal());
            return Cred::ssh_key_from_memory(user.unwrap_or(DEFAULT_SSH_USER), None, &key, None);
        }
        if !ssh && allowed.contains(CredentialType::USER_PASS_PLAINTEXT) {
            if let Some(token) = &self.remote.token {
                self.only_once("the token of the GitHub App: may its installation read this repository?")?;
                return Cred::userpass_plaintext(DEFAULT_USER, token.reveal());
            }
            let file = auth.token_file.as_ref().ok_or_else(|| {
                self.refuse(
                    K::Credentials,
                    "the server asks for credentials: set repository.auth.tokenFile",
                )
            })?;
            self.only_once(&content_of(file))?;
            let user = match &auth.username_file {
                Some(file) => self.read_secret(file)?,
                None => Secret::new(DEFAULT_USER),
            };
            return Cred::userpass_plaintext(user.reveal(), self.read_secret(file)?.reveal());
        }
        Err(self.refuse(
            K::Credentials,
            "the server asks for credentials of a kind that Pinfold does not have",
        ))
    }

    /// Refuses to offer a credential that was refused already: some servers lock an account for less.
    fn only_once(&self, what: &str) -> Result<(), Error> {
        if self.offered.replace(true) {
            let message = format!("the server refused {what}");
            return Err(self.refuse(PortErrorKind::Credentials, message));
        }
        Ok(())
    }

    fn read_secret(&self, file: &Path) -> Result<Secret, Error> {
        file::secret(file).map_err(|error| self.refuse(PortErrorKind::Credentials, error.to_string()))
    }

    fn check_certificate(&self, certificate: &Cert<'_>) -> Result<CertificateCheckStatus, Error> {
        match certificate.as_hostkey() {
            Some(key) => {
                let key = key.hostkey().unwrap_or_default();
                self.check_host_key(key).map(|()| CertificateCheckStatus::CertificateOk)
            }
            // For TLS, libgit2's own verdict stands: saying Ok here would overrule it.
            None => Ok(CertificateCheckStatus::CertificatePassthrough),
        }
    }

    fn check_host_key(&self, key: &[u8]) -> Result<(), Error> {
        let Transport::Ssh { host, port, .. } = self.remote.url.transport() else {
            return Err(self.refuse(PortErrorKind::Unreachable, "an ssh host key where none belongs"));
        };
        let refuse = |message: String| self.refuse(PortErrorKind::Unreachable, message);
        let fingerprint = known_hosts::fingerprint(key);
        let kind = known_hosts::key_type(key).unwrap_or("unknown type");
        let shown = format!("{host} port {port} shows the {kind} key {fingerprint}");
        let Some(file) = &self.remote.auth.known_hosts_file else {
            let message = format!("{shown}, and repository.auth.knownHostsFile is not set: no host is trusted unseen");
            return Err(refuse(message));
        };
        let known = file::text(file).map_err(|error| refuse(error.to_string()))?;
        let file = file.display();
        match known_hosts::judge(&known, host, *port, key) {
            Verdict::Trusted => Ok(()),
            Verdict::Unknown => Err(refuse(format!(
                "{shown}, and {file} has none for it: compare the fingerprint with the server's, then add the line of ssh-keyscan"
            ))),
            Verdict::Changed => Err(refuse(format!(
                "{shown}, but {file} has another for it: somebody may be listening in; if the server has a new key, compare the fingerprint and replace the line"
            ))),
            Verdict::Revoked => Err(refuse(format!(
                "{shown}, which {file} marks as revoked: it must not be used"
            ))),
        }
    }
}

/// Names a credential by its file.
fn content_of(file: &Path) -> String {
    format!("what is in {}: check it and its rights", file.display())
}

/// Returns scheme, host and port of a URL, a port that goes without saying spelled out.
fn origin(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let authority = rest.split('/').next()?;
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
        .to_ascii_lowercase();
    let port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let authority = authority.strip_suffix(port).unwrap_or(&authority).to_owned();
    Some((scheme, authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert_eq!(origin("https://H.example/a"), origin("https://h.example:443/b"));
        assert_ne!(origin("https://h.example/a"), origin("http://h.example/a"));
        assert_ne!(origin("https://h.example/a"), origin("https://h.example.evil/a"));
        assert_ne!(origin("https://h.example/a"), origin("https://h.example:8443/a"));
        assert_eq!(origin("https://user@h.example/a"), origin("https://h.example/a"));
    }
}
