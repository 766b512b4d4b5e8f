//! The status beside a commit, on GitHub and on GitLab. Sends one; whether there is a new one is not decided here.

use axum::http::header::{ACCEPT, AUTHORIZATION};
use axum::http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{bytes, judge};
use crate::adapters::web::{Answer, Headers, Web};
use crate::domain::Secret;
use crate::notify::{CommitState, CommitStatus, Forge, ForgeKind};
use crate::ports::{DeliveryError, Retry};

const GITHUB_VERSION: HeaderName = HeaderName::from_static("x-github-api-version");
const GITLAB_TOKEN: HeaderName = HeaderName::from_static("private-token");

impl Forge {
    /// Sets the status of a commit.
    pub(super) async fn set(
        &self,
        web: &Web,
        status: &CommitStatus,
        page: Option<&str>,
        token: &Secret,
    ) -> Result<(), DeliveryError> {
        let headers = self.headers(token)?;
        let body = bytes(&self.payload(status, page));
        let answer = web.post(&self.url(status), headers.clone(), body).await;
        // GitLab refuses to make a pending status pending again, as after a restart.
        let refused = |answer: &Answer| answer.status.as_u16() == 400;
        if self.kind == ForgeKind::GitLab && answer.as_ref().is_ok_and(refused) {
            let found = web.get(&self.latest_url(status), headers).await;
            if found.is_ok_and(|found| self.is_set(&found, status)) {
                return Ok(());
            }
        }
        judge(answer)
    }

    /// GitHub: "Create a commit status"; GitLab: "Commits API", "Set the pipeline status of a commit".
    fn url(&self, status: &CommitStatus) -> String {
        let (base, commit) = (self.api_url.as_str(), status.revision.as_str());
        match self.kind {
            ForgeKind::GitHub => format!("{base}/repos/{}/statuses/{commit}", self.repository),
            ForgeKind::GitLab => format!("{base}/projects/{}/statuses/{commit}", encoded(&self.repository)),
        }
    }

    fn latest_url(&self, status: &CommitStatus) -> String {
        format!(
            "{}/projects/{}/repository/commits/{}/statuses?name={}",
            self.api_url.as_str(),
            encoded(&self.repository),
            status.revision,
            encoded(&status.context())
        )
    }

    fn is_set(&self, found: &Answer, status: &CommitStatus) -> bool {
        let statuses: Value = serde_json::from_slice(&found.body).unwrap_or_default();
        let all = statuses.as_array().map(Vec::as_slice).unwrap_or_default();
        found.status.is_success()
            && all
                .iter()
                .any(|one| one["name"] == status.context() && one["status"] == self.word(status.state))
    }

    fn headers(&self, token: &Secret) -> Result<Headers, DeliveryError> {
        let secret = |text: String| {
            let mut value = HeaderValue::try_from(text)
                .map_err(|_| DeliveryError::new(Retry::Later, "the token holds what no header may"))?;
            value.set_sensitive(true);
            Ok(value)
        };
        Ok(match self.kind {
            ForgeKind::GitHub => vec![
                (AUTHORIZATION, secret(format!("Bearer {}", token.reveal()))?),
                (ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
                (GITHUB_VERSION, HeaderValue::from_static("2022-11-28")),
            ],
            ForgeKind::GitLab => vec![(GITLAB_TOKEN, secret(token.reveal().to_owned())?)],
        })
    }

    pub(super) fn payload(&self, status: &CommitStatus, page: Option<&str>) -> Value {
        let name = match self.kind {
            ForgeKind::GitHub => "context",
            ForgeKind::GitLab => "name",
        };
        let mut payload = json!({
            "state": self.word(status.state),
            "description": status.description,
            name: status.context(),
        });
        if let Some(page) = page {
            payload["target_url"] = page.into();
        }
        payload
    }

    fn word(&self, state: CommitState) -> &'static str {
        match (state, self.kind) {
            (CommitState::Pending, _) => "pending",
            (CommitState::Success, _) => "success",
            (CommitState::Failure, ForgeKind::GitHub) => "failure",
            (CommitState::Failure, ForgeKind::GitLab) => "failed",
        }
    }
}

/// Writes a text as one segment of a path, or as a value of a query. It holds no blank.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
