//! Brings the desired state from its source and hands it to `manifest`. Parses nothing itself.

use std::collections::BTreeMap;

use crate::domain::{CommitId, DesiredState, Target};
use crate::manifest;
use crate::ports::{DesiredSource, PortError};

/// Manifests parsed before, by content. May be dropped at any time.
pub type ManifestCache = manifest::Cache;

/// Reads what a commit says for these targets.
///
/// # Errors
///
/// The source cannot be read, or the commit is beyond the bounds. Faulty files are no error: the state names them.
pub async fn load<S: DesiredSource>(
    source: &S,
    commit: Option<CommitId>,
    targets: &[Target],
    cache: &mut ManifestCache,
) -> Result<DesiredState, PortError> {
    let paths: Vec<String> = targets.iter().map(|target| target.path.clone()).collect();
    let tree = source.tree(commit.as_ref(), &paths).await?;
    let wanted = manifest::wanted(&tree, targets, cache);
    let contents = source.contents(&wanted).await?;
    let contents: BTreeMap<_, _> = wanted.into_iter().zip(contents).collect();
    Ok(manifest::load(commit, &tree, &contents, targets, cache))
}
