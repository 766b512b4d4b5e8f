//! A Git repository to read the desired state from: bare, in a temporary folder, deaf to the developer's own settings.
//! The command-line tests use it too.

use std::path::Path;

use git2::{Repository, RepositoryInitOptions, Signature, Time};
use tempfile::TempDir;

/// A repository with the branch `main`.
pub(crate) struct Origin {
    folder: TempDir,
}

impl Origin {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head("main");
        Repository::init_opts(folder.path(), &options).unwrap();
        Self { folder }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// Commits a folder as it is. Returns the commit.
    pub(crate) fn commit(&self, tree: &Path) -> String {
        let repository = Repository::open_bare(self.folder.path()).unwrap();
        let tree = repository.find_tree(write(&repository, tree)).unwrap();
        let parent = repository.refname_to_id("refs/heads/main").ok();
        let parent = parent.map(|id| repository.find_commit(id).unwrap());
        let author = Signature::new("Test", "test@example.com", &Time::new(1_700_000_000, 0)).unwrap();
        let parents: Vec<_> = parent.iter().collect();
        repository
            .commit(Some("refs/heads/main"), &author, &author, "change", &tree, &parents)
            .unwrap()
            .to_string()
    }
}

fn write(repository: &Repository, folder: &Path) -> git2::Oid {
    let mut tree = repository.treebuilder(None).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (id, mode) = if entry.file_type().unwrap().is_dir() {
            (write(repository, &entry.path()), 0o040_000)
        } else {
            (
                repository.blob(&std::fs::read(entry.path()).unwrap()).unwrap(),
                0o100_644,
            )
        };
        tree.insert(entry.file_name().to_str().unwrap(), id, mode).unwrap();
    }
    tree.write().unwrap()
}
