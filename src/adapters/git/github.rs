//! The tokens of a GitHub App's installation: minted with the App's private key, each for one repository and for reading,
//! and kept until shortly before they end. Knows nothing of Git.
//!
//! GitHub Docs, "Generating a JSON Web Token (JWT) for a GitHub App" and "Create an installation access token for an app".

use std::error::Error as StdError;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::header::{ACCEPT, AUTHORIZATION};
use axum::http::{HeaderName, HeaderValue};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::file;
use super::super::web::{Answer, NoAnswer, Web};
use super::remote::Remote;
use crate::domain::{GithubApp, Secret, Timestamp};
use crate::ports::{PortError, PortErrorKind};

/// A token is not used when it has less than this left: an operation may take ten minutes, and clocks differ.
const SPARE: TimeDelta = TimeDelta::minutes(12);
/// How far back a JWT is dated, as GitHub advises: its clock may be behind.
const BACKDATED: TimeDelta = TimeDelta::seconds(60);
/// How long a JWT counts. GitHub takes ten minutes at the most, from its own clock's view.
const JWT_LIFE: TimeDelta = TimeDelta::minutes(8);
/// Clocks that are further apart than this are told, in seconds: an answer takes some seconds at the most.
const CLOCKS_APART_SECONDS: i64 = 30;
/// Longest message of GitHub that is repeated, in bytes; theirs have some hundred.
const SAID: usize = 200;
/// Longest word of it that is repeated, in bytes: a longer one could be a credential that came back.
const WORD: usize = 30;

const API_VERSION: HeaderName = HeaderName::from_static("x-github-api-version");

/// An App, and the token that it has at the moment.
#[derive(Debug)]
pub(super) struct Tokens {
    app: GithubApp,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    token: Secret,
    expires: Timestamp,
}

#[derive(Serialize)]
struct Claims {
    iat: i64,
    exp: i64,
    iss: String,
}

/// What GitHub answers. The rest is of no interest.
#[derive(Deserialize)]
struct Minted {
    token: String,
    expires_at: DateTime<Utc>,
}

/// What it says where it refuses.
#[derive(Deserialize, Default)]
struct Refused {
    #[serde(default)]
    message: String,
}

impl Tokens {
    pub(super) fn new(app: GithubApp) -> Self {
        Self {
            app,
            held: Mutex::default(),
        }
    }

    /// Returns the token that is held, if it counts for long enough.
    pub(super) fn held(&self, now: Timestamp) -> Option<Secret> {
        let held = self.lock();
        let held = held.as_ref().filter(|held| now + SPARE < held.expires);
        held.map(|held| held.token.clone())
    }

    /// Drops the token that is held where an operation with it ended as one does that may not: with 401, 403, or with the
    /// 404 by which GitHub hides what the token may not see.
    pub(super) fn judged(&self, failure: PortErrorKind) {
        use PortErrorKind as K;
        if matches!(failure, K::Credentials | K::AccessDenied | K::NotFound) {
            *self.lock() = None;
        }
    }

    /// Has a token made that can read the contents of this one repository, whatever else the App may do, and holds it.
    ///
    /// # Errors
    ///
    /// The key cannot be used, GitHub cannot be reached, or it refuses.
    pub(super) async fn mint(&self, now: Timestamp, remote: &Remote) -> Result<Secret, PortError> {
        use PortErrorKind as K;
        let jwt = self.jwt(now)?;
        let proxy = remote.proxy.resolve().map_err(|why| self.error(K::Invalid, why))?;
        let web = Web::through(remote.ca_file.as_deref(), &proxy).map_err(|error| {
            let why = error.source().map(|source| format!(" ({source})")).unwrap_or_default();
            self.error(K::Invalid, format!("{error}{why}: check repository.caFile"))
        })?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", jwt.reveal()))
            .map_err(|_| self.error(K::Malformed, "the JWT holds what no header may"))?;
        bearer.set_sensitive(true);
        let headers = vec![
            (AUTHORIZATION, bearer),
            (ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
            (API_VERSION, HeaderValue::from_static("2022-11-28")),
        ];
        let url = format!(
            "{}/app/installations/{}/access_tokens",
            self.app.api_url, self.app.installation_id
        );
        let body = json!({"repositories": [remote.url.name()], "permissions": {"contents": "read"}});
        let answer = web.post(&url, headers, body.to_string().into()).await;
        let minted = self.judge(&answer.map_err(|error| self.unanswered(error))?, remote, now)?;
        let token = Secret::new(minted.token);
        *self.lock() = Some(Held {
            token: token.clone(),
            expires: minted.expires_at,
        });
        Ok(token)
    }

    /// Signs that the App itself is asking.
    fn jwt(&self, now: Timestamp) -> Result<Secret, PortError> {
        let path = &self.app.private_key_file;
        let unusable = |message: String| {
            let message = format!("{message}: check repository.auth.githubApp.privateKeyFile");
            self.error(PortErrorKind::Credentials, message)
        };
        let no_key = |_| {
            let path = path.display();
            unusable(format!(
                "{path} is not an RSA private key in PEM, as GitHub hands it out"
            ))
        };
        let pem = file::secret(path).map_err(|error| unusable(error.to_string()))?;
        let key = EncodingKey::from_rsa_pem(pem.reveal().as_bytes()).map_err(no_key)?;
        let claims = Claims {
            iat: (now - BACKDATED).timestamp(),
            exp: (now + JWT_LIFE).timestamp(),
            iss: self.app.app_id.to_string(),
        };
        let jwt = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).map_err(no_key)?;
        Ok(Secret::new(jwt))
    }

    fn judge(&self, answer: &Answer, remote: &Remote, now: Timestamp) -> Result<Minted, PortError> {
        use PortErrorKind as K;
        const NOT_GITHUB: &str = "not an answer of GitHub's API: check repository.auth.githubApp.apiUrl";
        let status = answer.status.as_u16();
        if answer.broken {
            return Err(self.error(
                K::Unknown,
                format!("answered {status}, and broke off: check the network; is GitHub well?"),
            ));
        }
        if status == 201 {
            return serde_json::from_slice(&answer.body)
                .ok()
                .filter(|minted: &Minted| !minted.token.is_empty())
                .ok_or_else(|| self.error(K::Malformed, NOT_GITHUB));
        }
        let (kind, remedy) = match status {
            401 => (K::Credentials, unauthorized(answer.date, now)),
            403 if answer.retry_after.is_some() => (K::Throttled, "it is tried again".to_owned()),
            403 => (
                K::AccessDenied,
                "is the installation suspended, or this machine not among the addresses that the organization allows?"
                    .to_owned(),
            ),
            404 => (
                K::NotFound,
                "no such installation of this App: check repository.auth.githubApp.installationId, appId and apiUrl"
                    .to_owned(),
            ),
            422 => {
                let name = remote.url.name();
                let message = format!(
                    "the installation may not read the repository {name}: give it that repository and the permission Contents: read"
                );
                (K::AccessDenied, message)
            }
            429 => (K::Throttled, "it is tried again".to_owned()),
            500..=599 => (K::Unknown, "GitHub is not well; it is tried again".to_owned()),
            300..=399 => (
                K::Invalid,
                "a redirect, which is not followed: correct repository.auth.githubApp.apiUrl".to_owned(),
            ),
            _ => (K::Malformed, NOT_GITHUB.to_owned()),
        };
        let said = said(&answer.body).map(|said| format!(" ({said})")).unwrap_or_default();
        Err(self.error(kind, format!("answered {status}{said}: {remedy}")))
    }

    fn unanswered(&self, error: NoAnswer) -> PortError {
        use PortErrorKind as K;
        let (kind, check) = match error {
            NoAnswer::Request => (K::Invalid, "repository.auth.githubApp.apiUrl"),
            NoAnswer::Connect => (K::Unreachable, "repository.auth.githubApp.apiUrl and the network"),
            NoAnswer::Proxy => (K::Unreachable, "repository.proxy, or HTTPS_PROXY"),
            NoAnswer::Tls => (K::Unreachable, "repository.caFile"),
            NoAnswer::Timeout | NoAnswer::Broken => (K::Unknown, "the network; is GitHub well?"),
        };
        self.error(kind, format!("{error}: check {check}"))
    }

    /// Builds an error of asking for a token.
    pub(super) fn error(&self, kind: PortErrorKind, message: impl Into<String>) -> PortError {
        let operation = format!("ask {} for a token of the GitHub App", self.app.api_url);
        PortError::new(kind, operation, message)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Held>> {
        // Each change is one assignment, so a panic elsewhere leaves nothing half done.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says why GitHub does not believe the App: a JWT counts for minutes, so that clocks have to agree.
fn unauthorized(theirs: Option<Timestamp>, now: Timestamp) -> String {
    let ahead = theirs.map_or(0, |theirs| (now - theirs).num_seconds());
    if ahead.abs() <= CLOCKS_APART_SECONDS {
        return "is the private key one of this App's? check repository.auth.githubApp.appId and privateKeyFile"
            .to_owned();
    }
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let apart = ahead.abs();
    format!("the clock of this machine is {apart} s {side} GitHub's: set it")
}

/// Returns what GitHub says, without what could be a credential.
fn said(body: &[u8]) -> Option<String> {
    let Refused { message } = serde_json::from_slice(body).ok()?;
    let words = message.split_whitespace();
    let words = words.map(|word| if word.len() > WORD { "..." } else { word });
    let said = words.collect::<Vec<_>>().join(" ");
    (1..=SAID).contains(&said.len()).then_some(said)
}

#[cfg(test)]
mod tests;
