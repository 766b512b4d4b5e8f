//! Checks `webhooks`: what is there has its secret. Opens no file.

use std::path::{Path, PathBuf};

use super::super::Webhooks;
use super::super::faults::Faults;
use super::super::loose::Loose;
use super::super::place::FieldPath;
use super::super::raw::{RawGitLab, RawSigned, RawWebhooks};
use super::{SECTION, local_path, section};

/// Checks the section.
pub(super) fn webhooks(
    raw: Option<Loose<RawWebhooks>>,
    base: &Path,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<Webhooks> {
    let raw = section(raw, path, faults)?;
    let github = signed(raw.github, base, &path.key("github"), faults);
    let gitlab = gitlab(raw.gitlab, base, &path.key("gitlab"), faults);
    let generic = signed(raw.generic, base, &path.key("generic"), faults);
    let (gitlab, gitlab_token) = gitlab?;
    Some(Webhooks {
        github: github?,
        gitlab,
        gitlab_token,
        generic: generic?,
    })
}

#[expect(clippy::option_option, reason = "a webhook is there, not there, or faulty")]
fn signed(
    raw: Option<Loose<RawSigned>>,
    base: &Path,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<Option<PathBuf>> {
    let Some(raw) = raw else { return Some(None) };
    let raw = faults.take(path, Some(raw), SECTION)?;
    let file = local_path(raw.secret_file, base, &path.key("secretFile"), faults)?;
    if file.is_none() {
        faults.add(path, "without a secret anybody could wake the daemon: add `secretFile`");
        return None;
    }
    Some(file)
}

/// Returns the files of the signing token and of the plain one.
fn gitlab(
    raw: Option<Loose<RawGitLab>>,
    base: &Path,
    path: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<(Option<PathBuf>, Option<PathBuf>)> {
    let Some(raw) = raw else { return Some((None, None)) };
    let raw = faults.take(path, Some(raw), SECTION)?;
    let secret = local_path(raw.secret_file, base, &path.key("secretFile"), faults);
    let token = local_path(raw.token_file, base, &path.key("tokenFile"), faults);
    let (secret, token) = (secret?, token?);
    if secret.is_none() && token.is_none() {
        faults.add(
            path,
            "without a secret anybody could wake the daemon: add `secretFile` for the signing token, or `tokenFile`",
        );
        return None;
    }
    Some((secret, token))
}
