//! A repository of manifests to read: bare, in a temporary folder, as a server has it after a push.

use git2::{Oid, Repository, RepositoryInitOptions, Signature, Time};
use pinfold::adapters::git::{GitSettings, GitSource};
use tempfile::TempDir;

use crate::fleet;

pub(crate) struct Origin {
    folder: TempDir,
    repository: Repository,
    /// The tree object of the target's folder, as it was committed last.
    tree: Oid,
}

const DEFAULTS: &str = "apiVersion: pinfold/v1\nkind: Defaults\nartifact: s3://acme-artifacts/{name}/{version}.zip\n\
                        aliases: { live: {} }\n";

fn manifest(function: usize, version: &str) -> String {
    let name = fleet::name(function);
    let sha256 = fleet::sha256(function, version).to_hex();
    format!("apiVersion: pinfold/v1\nkind: Function\nname: {name}\nversion: \"{version}\"\nsha256: {sha256}\n")
}

impl Origin {
    /// Commits the manifests of so many functions.
    pub(crate) fn new(functions: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head("main");
        let repository = Repository::init_opts(folder.path(), &options).unwrap();
        let tree = {
            let mut tree = repository.treebuilder(None).unwrap();
            tree.insert(
                "defaults.yaml",
                repository.blob(DEFAULTS.as_bytes()).unwrap(),
                0o100_644,
            )
            .unwrap();
            for function in 0..functions {
                let text = manifest(function, fleet::VERSION);
                let blob = repository.blob(text.as_bytes()).unwrap();
                tree.insert(format!("{}.yaml", fleet::name(function)), blob, 0o100_644)
                    .unwrap();
            }
            tree.write().unwrap()
        };
        let origin = Self {
            folder,
            repository,
            tree,
        };
        origin.commit();
        origin
    }

    /// Commits another version of one function.
    pub(crate) fn bump(&mut self, function: usize, version: &str) {
        let blob = self.repository.blob(manifest(function, version).as_bytes()).unwrap();
        self.tree = {
            let before = self.repository.find_tree(self.tree).unwrap();
            let mut tree = self.repository.treebuilder(Some(&before)).unwrap();
            tree.insert(format!("{}.yaml", fleet::name(function)), blob, 0o100_644)
                .unwrap();
            tree.write().unwrap()
        };
        self.commit();
    }

    fn commit(&self) {
        let mut root = self.repository.treebuilder(None).unwrap();
        root.insert(fleet::TARGET, self.tree, 0o040_000).unwrap();
        let root = self.repository.find_tree(root.write().unwrap()).unwrap();
        let parent = self.repository.refname_to_id("refs/heads/main").ok();
        let parent = parent.map(|id| self.repository.find_commit(id).unwrap());
        let author = Signature::new("Bench", "bench@example.com", &Time::new(1_700_000_000, 0)).unwrap();
        let parents: Vec<_> = parent.iter().collect();
        self.repository
            .commit(Some("refs/heads/main"), &author, &author, "bump", &root, &parents)
            .unwrap();
    }

    /// Opens it as the daemon does.
    pub(crate) fn source(&self) -> GitSource {
        GitSource::new(GitSettings::new(
            self.folder.path().to_str().unwrap().parse().unwrap(),
            "main".parse().unwrap(),
            env!("CARGO_BIN_EXE_pinfold").into(),
        ))
        .unwrap()
    }
}
