//! What Pinfold writes into the description of a version it publishes, and reads back. Trusts nobody else's text.

use std::fmt;

use super::name::{ArtifactVersion, CommitId};
use super::sha256::CodeSha256;

/// Begins the description of a version that Pinfold published.
const MARK: &str = "pinfold";

/// What a published version holds, so that a person reading the console, and a later pass, can tell.
///
/// Lambda keeps at most 256 characters; the longest that can arise here has 254.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The artifact's version.
    pub version: ArtifactVersion,
    /// The hash of the zip.
    pub sha256: CodeSha256,
    /// The commit that asked for it; `None` where the desired state came from a plain folder.
    pub commit: Option<CommitId>,
}

impl Publication {
    /// Reads a version's description.
    ///
    /// Returns `None` for what others wrote, and where the hash in the text is not the version's own:
    /// a description is free text, and Lambda answers a publication of unchanged code with the
    /// version that exists already, whatever description came with the call.
    pub fn parse(description: &str, actual: CodeSha256) -> Option<Self> {
        let mut words = description.split(' ');
        if words.next() != Some(MARK) {
            return None;
        }
        let version = words.next()?.parse().ok()?;
        let (mut commit, mut sha256) = (None, None);
        for word in words {
            match word.split_once(':')? {
                ("commit", id) => commit = Some(id.parse().ok()?),
                ("sha256", hash) => sha256 = Some(hash.parse().ok()?),
                _ => return None,
            }
        }
        (sha256 == Some(actual)).then_some(Self {
            version,
            sha256: actual,
            commit,
        })
    }
}

impl fmt::Display for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK} {}", self.version)?;
        if let Some(commit) = &self.commit {
            // 40 digits name a commit in a repository of either hash.
            write!(f, " commit:{:.40}", commit.as_str())?;
        }
        write!(f, " sha256:{}", self.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(version: &str) -> Publication {
        Publication {
            version: version.parse().unwrap(),
            sha256: CodeSha256::from_bytes([7; 32]),
            commit: Some("ab".repeat(20).parse().unwrap()),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let publication = sample("1.5.0+build.7");
        let text = publication.to_string();
        assert_eq!(Publication::parse(&text, publication.sha256), Some(publication));
    }

    #[test]
    fn the_longest_one_fits_into_256_characters() {
        let text = sample(&"9".repeat(128)).to_string();
        assert!(text.len() <= 256, "{}", text.len());
    }

    #[test]
    fn the_text_of_others_is_not_believed() {
        let hash = CodeSha256::from_bytes([7; 32]);
        for text in [
            "",
            "release 1.5.0",
            "pinfold",
            "pinfold 1.5.0",
            "pinfold 1.5.0 sha256:x",
            "pinfold 1.5.0 what",
        ] {
            assert_eq!(Publication::parse(text, hash), None, "{text}");
        }
        let other = CodeSha256::from_bytes([8; 32]);
        assert_eq!(Publication::parse(&sample("1.5.0").to_string(), other), None);
    }
}
