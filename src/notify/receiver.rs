//! What a receiver is, and what is needed to reach it. Reads no file: whoever sends does, each time anew.

use std::path::PathBuf;

use crate::domain::EndpointUrl;

/// What a receiver is.
#[derive(Debug, Clone)]
pub enum ReceiverKind {
    /// An incoming webhook of Slack.
    Slack {
        /// File with its address.
        url_file: PathBuf,
    },
    /// A workflow of Microsoft Teams that takes webhook requests.
    Teams {
        /// File with its address.
        url_file: PathBuf,
    },
    /// Anything that takes signed JSON.
    Webhook {
        /// File with its address.
        url_file: PathBuf,
        /// File with the key of the signature.
        secret_file: PathBuf,
    },
    /// Statuses of commits.
    Forge(Forge),
}

impl ReceiverKind {
    /// Returns where it sets statuses; `None` for one that is sent messages.
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Slack { .. } | Self::Teams { .. } | Self::Webhook { .. } => None,
            Self::Forge(forge) => Some(forge.place()),
        }
    }

    /// Returns the word for it in the configuration and in metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Slack { .. } => "slack",
            Self::Teams { .. } => "teams",
            Self::Webhook { .. } => "webhook",
            Self::Forge(forge) => forge.kind.as_str(),
        }
    }
}

/// A repository on a forge.
#[derive(Debug, Clone)]
pub struct Forge {
    /// Which forge it is.
    pub kind: ForgeKind,
    /// Where its API answers.
    pub api_url: EndpointUrl,
    /// The repository: `OWNER/NAME`, on GitLab with all its groups.
    pub repository: String,
    /// File with the token.
    pub token_file: PathBuf,
}

impl Forge {
    /// Returns where it sets statuses: two of one place set the same.
    pub fn place(&self) -> String {
        format!("{} {}", self.api_url, self.repository)
    }
}

/// A forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgeKind {
    /// GitHub, and GitHub Enterprise Server.
    GitHub,
    /// GitLab, and self-managed ones.
    GitLab,
}

impl ForgeKind {
    /// Returns the word for it in the configuration and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
        }
    }
}
