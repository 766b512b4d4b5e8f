//! Checks `repository`: the URL, what belongs to its transport, and the time it may take. Connects to nothing.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde_yaml::Value;

use super::super::faults::Faults;
use super::super::loose::Loose;
use super::super::place::FieldPath;
use super::super::raw::{RawAuth, RawForcePush, RawGithubApp, RawRepository, RawVerify};
use super::super::{Auth, Repository, Verify};
use super::{QUOTE, SECTION, encrypted, local_path, optional, or_default, parse, section};
use crate::domain::{EndpointUrl, ForcePush, GithubApp, ProxyChoice, RepositoryUrl, Transport};

/// Time for one fetch where the file names none.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);
/// A connection over ssh alone takes near half a second: less would fail by design.
const MIN_TIMEOUT: Duration = Duration::from_secs(1);
/// Beyond this, a server that hangs would keep changes from being seen for too long.
const MAX_TIMEOUT: Duration = Duration::from_mins(10);
/// The branch where the file names none.
const DEFAULT_BRANCH: &str = "main";

/// Checks the section.
pub(super) fn repository(
    raw: RawRepository,
    base: &Path,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<Repository> {
    let url = url(raw.url, base, &path.key("url"), faults);
    let branch = or_default(raw.branch, DEFAULT_BRANCH, &path.key("branch"), faults);
    let auth = auth(raw.auth, url.as_ref(), base, &path.key("auth"), faults);
    let proxy = proxy(raw.proxy, url.as_ref(), &path.key("proxy"), faults);
    let credentials_path = path.key("proxyCredentialsFile");
    let proxy_credentials_file = local_path(raw.proxy_credentials_file, base, &credentials_path, faults);
    if let (Some(Some(_)), Some(ProxyChoice::Environment | ProxyChoice::Direct)) = (&proxy_credentials_file, &proxy) {
        faults.add(
            &credentials_path,
            "no `proxy` is named that it is for: add `proxy: http://HOST:PORT`, or remove it",
        );
    }
    let ca_file = local_path(raw.ca_file, base, &path.key("caFile"), faults);
    let timeout = timeout(raw.timeout, &path.key("timeout"), faults);
    let cache_dir = local_path(raw.cache_dir, base, &path.key("cacheDir"), faults);
    let verify = match raw.verify {
        None => Some(None),
        Some(raw) => verify(raw, base, &path.key("verify"), faults).map(Some),
    };
    let force_push = match raw.force_push {
        None => Some(ForcePush::default()),
        Some(raw) => faults
            .take(&path.key("forcePush"), Some(raw), "write one of these words")
            .map(|raw| match raw {
                RawForcePush::Allow => ForcePush::Allow,
                RawForcePush::Refuse => ForcePush::Refuse,
            }),
    };
    Some(Repository {
        url: url?,
        branch: branch?,
        auth: auth?,
        proxy: proxy?,
        proxy_credentials_file: proxy_credentials_file?,
        ca_file: ca_file?,
        timeout: timeout?,
        cache_dir: cache_dir?,
        verify: verify?,
        force_push: force_push?,
    })
}

fn url(raw: Option<Loose<String>>, base: &Path, path: &FieldPath, faults: &mut Faults<'_>) -> Option<RepositoryUrl> {
    let text = faults.need(
        path,
        raw,
        "write the repository's URL, such as https://HOST/OWNER/REPOSITORY.git",
    )?;
    let url = parse::<RepositoryUrl>(&text, path, faults)?.resolved(base);
    if url.is_none() {
        faults.add(
            path,
            "relative to a folder whose name is not UTF-8: write the whole path",
        );
    }
    url
}

/// Checks the proxy, and that it has something to do.
fn proxy(
    raw: Option<Loose<String>>,
    url: Option<&RepositoryUrl>,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<ProxyChoice> {
    let Some(raw) = raw else {
        return Some(ProxyChoice::default());
    };
    let choice = parse::<ProxyChoice>(&faults.take(path, Some(raw), QUOTE)?, path, faults);
    if !matches!(url?.transport(), Transport::Https { .. }) {
        faults.add(
            path,
            "only for https, and the URL is not: remove it, or write an https:// URL",
        );
        return None;
    }
    choice
}

/// Checks the credentials, and that they belong to the URL: one that is never used is a mistake to be told.
fn auth(
    raw: Option<Loose<RawAuth>>,
    url: Option<&RepositoryUrl>,
    base: &Path,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<Auth> {
    let given = raw.is_some();
    let raw = section(raw, path, faults)?;
    let username_file = local_path(raw.username_file, base, &path.key("usernameFile"), faults);
    let token_file = local_path(raw.token_file, base, &path.key("tokenFile"), faults);
    let app = raw
        .github_app
        .map(|app| github_app(app, url, base, &path.key("githubApp"), faults));
    let ssh_key_file = local_path(raw.ssh_key_file, base, &path.key("sshKeyFile"), faults);
    let known_hosts_file = local_path(raw.known_hosts_file, base, &path.key("knownHostsFile"), faults);
    let auth = Auth {
        username_file: username_file?,
        token_file: token_file?,
        github_app: app.map_or(Some(None), |app| app.map(Some))?,
        ssh_key_file: ssh_key_file?,
        known_hosts_file: known_hosts_file?,
    };
    let for_https = [("usernameFile", &auth.username_file), ("tokenFile", &auth.token_file)];
    let for_ssh = [
        ("sshKeyFile", &auth.ssh_key_file),
        ("knownHostsFile", &auth.known_hosts_file),
    ];
    match url?.transport() {
        Transport::Https { .. } | Transport::Http { .. } => {
            for (key, _) in for_ssh.iter().filter(|(_, file)| file.is_some()) {
                faults.add(
                    &path.key(key),
                    "only for ssh, and the URL is not: remove it, or write an ssh:// URL",
                );
            }
            let token = auth.token_file.is_some() || auth.username_file.is_some();
            if auth.github_app.is_some() && token {
                faults.add(path, "both a GitHub App and a token or user name: keep one of the two");
            } else if auth.username_file.is_some() && auth.token_file.is_none() {
                faults.add(path, "a user name without a token: add `tokenFile`");
            }
        }
        Transport::Ssh { .. } => {
            for (key, _) in for_https.iter().filter(|(_, file)| file.is_some()) {
                faults.add(
                    &path.key(key),
                    "only for https, and the URL is not: remove it, or write an https:// URL",
                );
            }
            for (key, file) in for_ssh {
                let place = if given {
                    path.clone()
                } else {
                    FieldPath::default().key("repository").key("url")
                };
                if file.is_none() {
                    faults.add(&place, &format!("ssh needs `repository.auth.{key}`: add it"));
                }
            }
        }
        Transport::File | Transport::Path => {
            for (key, _) in for_https.iter().chain(&for_ssh).filter(|(_, file)| file.is_some()) {
                faults.add(
                    &path.key(key),
                    "a repository on this machine takes no credentials: remove it",
                );
            }
        }
    }
    Some(auth)
}

/// Checks the installation of a GitHub App.
fn github_app(
    raw: Loose<RawGithubApp>,
    url: Option<&RepositoryUrl>,
    base: &Path,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<GithubApp> {
    let raw = faults.take(path, Some(raw), SECTION)?;
    let app_id = id(
        raw.app_id,
        &path.key("appId"),
        "write the App ID or the Client ID, as the App's settings show them",
        faults,
    );
    let hint = "write the number at the end of the address of the installation's settings";
    let installation_id = id(raw.installation_id, &path.key("installationId"), hint, faults);
    let key = path.key("privateKeyFile");
    if raw.private_key_file.is_none() {
        faults.add(
            &key,
            "missing: write the path of a private key of the App, as GitHub hands it out",
        );
    }
    let private_key_file = local_path(raw.private_key_file, base, &key, faults);
    let api_url = match raw.api_url {
        Some(raw) => optional::<EndpointUrl>(Some(raw), &path.key("apiUrl"), faults)
            .flatten()
            .and_then(|url| encrypted(url, &path.key("apiUrl"), faults)),
        None => url.and_then(GithubApp::api_of),
    };
    let over_http = matches!(url?.transport(), Transport::Https { .. } | Transport::Http { .. });
    if !over_http {
        faults.add(
            path,
            "only for https, and the URL is not: remove it, or write an https:// URL",
        );
        return None;
    }
    Some(GithubApp {
        app_id: app_id?,
        installation_id: installation_id?,
        private_key_file: private_key_file??,
        api_url: api_url?,
    })
}

/// Reads an id, which YAML takes for a number where it is one.
fn id<T: FromStr>(raw: Option<Value>, path: &FieldPath, hint: &str, faults: &mut Faults<'_>) -> Option<T> {
    let text = match raw {
        Some(Value::String(text)) => Some(text),
        Some(Value::Number(number)) => Some(number.to_string()),
        None | Some(Value::Null | Value::Bool(_) | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_)) => None,
    };
    let id = text.and_then(|text| text.parse().ok());
    if id.is_none() {
        faults.add(path, hint);
    }
    id
}

/// Checks who may sign. A section that names nobody would let nothing through, which nobody means.
fn verify(raw: Loose<RawVerify>, base: &Path, path: &FieldPath, faults: &mut Faults<'_>) -> Option<Verify> {
    let raw = faults.take(path, Some(raw), SECTION)?;
    let allowed_signers_file = local_path(raw.allowed_signers_file, base, &path.key("allowedSignersFile"), faults);
    let openpgp_keys_file = local_path(raw.openpgp_keys_file, base, &path.key("openpgpKeysFile"), faults);
    let verify = Verify {
        allowed_signers_file: allowed_signers_file?,
        openpgp_keys_file: openpgp_keys_file?,
    };
    if verify == Verify::default() {
        faults.add(
            path,
            "names nobody: add `allowedSignersFile`, `openpgpKeysFile` or both",
        );
        return None;
    }
    if verify.openpgp_keys_file.is_some() && cfg!(not(feature = "openpgp")) {
        faults.add(
            &path.key("openpgpKeysFile"),
            "this build has no OpenPGP: use one with the feature `openpgp`, which is on by default",
        );
        return None;
    }
    Some(verify)
}

fn timeout(raw: Option<Loose<String>>, path: &FieldPath, faults: &mut Faults<'_>) -> Option<Duration> {
    const HINT: &str = "write a number with its unit, such as 60s or 2m";
    let Some(raw) = raw else { return Some(DEFAULT_TIMEOUT) };
    let text = faults.take(path, Some(raw), HINT)?;
    let fault = match humantime::parse_duration(text.trim()) {
        Ok(timeout) if timeout < MIN_TIMEOUT => {
            "shorter than 1s, in which no fetch over a network ends: write 1s to 10m"
        }
        Ok(timeout) if timeout > MAX_TIMEOUT => {
            "longer than 10m, for which a server that hangs would hide every change: write 1s to 10m"
        }
        Ok(timeout) => return Some(timeout),
        Err(_) => {
            faults.add(path, &format!("not a duration: {HINT}"));
            return None;
        }
    };
    faults.add(path, fault);
    None
}
