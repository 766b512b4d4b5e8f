//! From libgit2's errors to the port's: the kind, and one line that says what to do. Never shows a credential.

use git2::{Error, ErrorClass, ErrorCode};

use crate::ports::{PortError, PortErrorKind};

/// Longest text of libgit2 or of a server that is repeated, in characters.
const SHOWN: usize = 300;

/// Maps what a connection to a remote said.
pub(super) fn remote(operation: &str, error: &Error) -> PortError {
    let (kind, remedy) = classify(error);
    let mut message = one_line(error.message());
    if !remedy.is_empty() {
        message = format!("{message}: {remedy}");
    }
    PortError::new(kind, operation, message)
}

/// Maps what reading our own mirror said: objects are missing or corrupt.
pub(super) fn corrupt(operation: &str, what: &str, error: &Error) -> PortError {
    let message = format!("{what} cannot be read: {}", one_line(error.message()));
    PortError::new(PortErrorKind::Malformed, operation, message)
}

/// Returns whether the remote or the way to it is at fault, and not our mirror: a new mirror would not help.
pub(super) fn is_of_the_network(error: &Error) -> bool {
    matches!(
        error.class(),
        ErrorClass::Net | ErrorClass::Ssl | ErrorClass::Ssh | ErrorClass::Http | ErrorClass::Callback
    ) || matches!(error.code(), ErrorCode::Auth | ErrorCode::Certificate | ErrorCode::User)
}

fn classify(error: &Error) -> (PortErrorKind, &'static str) {
    use PortErrorKind as K;
    #[expect(clippy::wildcard_enum_match_arm, reason = "git2 has twenty codes and adds more")]
    match error.code() {
        // Not a matter of the repository's credentials, which the server behind the proxy has not seen yet.
        ErrorCode::Auth if error.message().starts_with("proxy ") => return (K::Unreachable, PROXY_CREDENTIALS),
        ErrorCode::Auth => return (K::Credentials, "check repository.auth"),
        ErrorCode::Certificate => return (K::Unreachable, TLS),
        ErrorCode::Timeout => return (K::Unknown, "the server is silent; is it well?"),
        ErrorCode::Owner => return (K::AccessDenied, "run Pinfold as the owner of the repository"),
        _ => {}
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "git2 has thirty classes and adds more")]
    match error.class() {
        ErrorClass::Http if error.message().starts_with("proxy ") => (K::Unreachable, PROXY),
        ErrorClass::Http => http(error.message()),
        ErrorClass::Ssl => (K::Unreachable, TLS),
        // What the server's own program says before it ends.
        ErrorClass::Ssh if error.code() == ErrorCode::Eof => (K::NotFound, REPOSITORY),
        ErrorClass::Ssh if error.message().starts_with("failed to authenticate") => (K::Credentials, KEY),
        ErrorClass::Ssh => (K::Unreachable, "check the host, the port and the server"),
        ErrorClass::Net if error.message().starts_with("remote error:") => (K::NotFound, REPOSITORY),
        ErrorClass::Net if error.message().starts_with("cannot redirect") => (K::Invalid, REDIRECT),
        ErrorClass::Net if error.code() == ErrorCode::Eof => (K::NotFound, REPOSITORY),
        ErrorClass::Net => (K::Unreachable, NETWORK),
        ErrorClass::Repository => (K::NotFound, REPOSITORY),
        // The code is lost on the way where a path of this machine does not exist.
        ErrorClass::Os if error.message().starts_with("failed to resolve path") => (K::NotFound, REPOSITORY),
        ErrorClass::Os if error.message().starts_with("failed to connect") => (K::Unreachable, NETWORK),
        ErrorClass::Os => (
            K::Unreachable,
            "check the network, and space and permissions of repository.cacheDir",
        ),
        ErrorClass::NoMemory => (K::TooLarge, "the repository does not fit into the memory"),
        _ => (K::Malformed, "the repository is corrupt or not a Git repository"),
    }
}

const KEY: &str = "check repository.auth.sshKeyFile: a private key without a passphrase";
const NETWORK: &str = "check the host, the port, the proxy if there is one, and the network";
const PROXY: &str = "the proxy does not let this host through: check repository.proxy or HTTPS_PROXY, and its rules";
const PROXY_CREDENTIALS: &str =
    "the proxy wants other credentials: check repository.proxyCredentialsFile, or those in HTTPS_PROXY";
const TLS: &str = "check the server's certificate; an authority of your own goes into repository.caFile";
const REPOSITORY: &str =
    "no such repository, or the credentials may not see it: check repository.url and repository.auth";
const REDIRECT: &str =
    "redirects are not followed, as credentials would go along: write the new address into repository.url";

/// libgit2 gives the status of an HTTP response in its message and nowhere else.
fn http(message: &str) -> (PortErrorKind, &'static str) {
    use PortErrorKind as K;
    let status = message
        .strip_prefix("unexpected http status code: ")
        .and_then(|status| status.trim().parse::<u16>().ok());
    match status {
        Some(401) => (K::Credentials, "check repository.auth"),
        Some(407) => (K::Unreachable, PROXY_CREDENTIALS),
        Some(403) => (K::AccessDenied, "the credentials may not read this repository"),
        Some(404 | 410) => (K::NotFound, REPOSITORY),
        Some(429) => (K::Throttled, "the server asks for fewer requests: widen schedule.git"),
        Some(500..=599) => (K::Unknown, "the server is not well"),
        None if message.contains("redirect") => (K::Invalid, REDIRECT),
        Some(_) | None => (K::Malformed, "not a Git server's answer: check repository.url"),
    }
}

/// Makes a text of the outside fit for one line of a log.
pub(super) fn one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = text.trim().chars().take(SHOWN).map(shown).collect();
    let words = line.split(' ').filter(|word| !word.is_empty());
    words.map(without_user).collect::<Vec<_>>().join(" ")
}

/// Takes user and password out of a URL: a proxy's may hold them.
fn without_user(word: &str) -> String {
    if let Some((scheme, rest)) = word.split_once("://")
        && let Some((_, host)) = rest.rsplit_once('@')
    {
        return format!("{scheme}://{host}");
    }
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: ErrorCode, class: ErrorClass, message: &str) -> PortErrorKind {
        remote("fetch x", &Error::new(code, class, message)).kind
    }

    #[test]
    fn each_failure_has_its_kind() {
        use PortErrorKind as K;
        let generic = ErrorCode::GenericError;
        for (status, expected) in [
            (401, K::Credentials),
            (403, K::AccessDenied),
            (404, K::NotFound),
            (429, K::Throttled),
            (503, K::Unknown),
            (204, K::Malformed),
        ] {
            let message = format!("unexpected http status code: {status}");
            assert_eq!(kind(generic, ErrorClass::Http, &message), expected, "{status}");
        }
        let shut = "proxy returned unexpected status: 403";
        assert_eq!(kind(generic, ErrorClass::Http, shut), K::Unreachable);
        let asked = "proxy authentication required but no callback set";
        assert_eq!(kind(ErrorCode::Auth, ErrorClass::Http, asked), K::Unreachable);
        let moved = "cannot redirect from 'a' to 'b'";
        assert_eq!(kind(generic, ErrorClass::Net, moved), K::Invalid);
        assert_eq!(
            kind(generic, ErrorClass::Net, "failed to resolve address for h"),
            K::Unreachable
        );
        assert_eq!(kind(generic, ErrorClass::Ssl, "x"), K::Unreachable);
        assert_eq!(kind(ErrorCode::Auth, ErrorClass::Http, "x"), K::Credentials);
        assert_eq!(kind(ErrorCode::Certificate, ErrorClass::Ssl, "x"), K::Unreachable);
        let nowhere = "could not find repository at 'x'";
        assert_eq!(kind(generic, ErrorClass::Repository, nowhere), K::NotFound);
        let nothing = "failed to resolve path 'x': no";
        assert_eq!(kind(generic, ErrorClass::Os, nothing), K::NotFound);
        assert_eq!(kind(ErrorCode::Timeout, ErrorClass::Net, "x"), K::Unknown);
        assert_eq!(kind(generic, ErrorClass::Odb, "x"), K::Malformed);
    }

    #[test]
    fn what_a_server_says_stays_on_one_line() {
        let error = Error::new(
            ErrorCode::GenericError,
            ErrorClass::Net,
            "remote error: a\r\n\x1b[2Jb\n",
        );
        let message = remote("fetch x", &error).message;
        assert!(
            message.starts_with("remote error: a [2Jb: no such repository"),
            "{message}"
        );
        assert!(one_line(&"x".repeat(5000)).len() <= SHOWN);
        let proxy = "invalid URL: 'http://u:hunter2@proxy:1'";
        assert_eq!(one_line(proxy), "invalid URL: 'http://proxy:1'");
    }
}
