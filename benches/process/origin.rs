//! The desired-state repository: functions, one of which changes with each commit.

use std::path::Path;

use git2::{Repository, RepositoryInitOptions, Signature, Time};
use pinfold::adapters::git::{GitSettings, GitSource};
use pinfold::sandbox::package;
use tempfile::TempDir;

const VERSIONS: [&str; 2] = ["1.0.0", "1.1.0"];
const BUCKET: &str = "artifacts";

pub(crate) struct Origin {
    tree: TempDir,
    _folder: TempDir,
    repository: Repository,
    functions: usize,
    commits: usize,
}

fn name(function: usize) -> String {
    format!("function-{function:05}")
}

fn manifest(function: usize, version: &str) -> String {
    let name = name(function);
    format!(
        "apiVersion: pinfold/v1\nkind: Function\nname: {name}\nversion: \"{version}\"\n\
         artifact: s3://{BUCKET}/{{name}}/{{version}}.zip\naliases: {{ live: {{}} }}\n"
    )
}

impl Origin {
    pub(crate) fn new(functions: usize) -> Self {
        let (tree, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = |path: String, content: &[u8]| {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        };
        for function in 0..functions {
            let name = name(function);
            file(format!("prod/{name}.yaml"), manifest(function, VERSIONS[0]).as_bytes());
            for version in VERSIONS {
                let zip = package([("index.js", format!("{name} {version}"))]);
                file(format!("_artifacts/{BUCKET}/{name}/{version}.zip"), &zip);
            }
        }
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head("main");
        let repository = Repository::init_opts(folder.path(), &options).unwrap();
        let origin = Self {
            tree,
            _folder: folder,
            repository,
            functions,
            commits: 0,
        };
        origin.commit();
        origin
    }

    /// The version after the commits so far: each commit changes one function, there and back again.
    fn version(&self, function: usize) -> &'static str {
        let changes = self.commits / self.functions + usize::from(self.commits % self.functions > function);
        VERSIONS[changes % VERSIONS.len()]
    }

    /// The files and their artifacts, for the sandbox's seed.
    pub(crate) fn tree(&self) -> &Path {
        self.tree.path()
    }

    /// Changes one function, and returns the commit.
    pub(crate) fn bump(&mut self) -> String {
        self.commits += 1;
        self.commit()
    }

    fn commit(&self) -> String {
        let mut folder = self.repository.treebuilder(None).unwrap();
        for function in 0..self.functions {
            let text = manifest(function, self.version(function));
            let blob = self.repository.blob(text.as_bytes()).unwrap();
            folder
                .insert(format!("{}.yaml", name(function)), blob, 0o100_644)
                .unwrap();
        }
        let mut root = self.repository.treebuilder(None).unwrap();
        root.insert("prod", folder.write().unwrap(), 0o040_000).unwrap();
        let root = self.repository.find_tree(root.write().unwrap()).unwrap();
        let parent = self.repository.refname_to_id("refs/heads/main").ok();
        let parent = parent.map(|id| self.repository.find_commit(id).unwrap());
        let author = Signature::new("Soak", "soak@example.com", &Time::new(1_700_000_000, 0)).unwrap();
        let parents: Vec<_> = parent.iter().collect();
        let message = format!("commit {}", self.commits);
        self.repository
            .commit(Some("refs/heads/main"), &author, &author, &message, &root, &parents)
            .unwrap()
            .to_string()
    }

    /// Returns where it is.
    pub(crate) fn path(&self) -> &str {
        self.repository.path().to_str().unwrap()
    }

    /// Opens it as the daemon does.
    pub(crate) fn source(&self) -> GitSource {
        GitSource::new(GitSettings::new(
            self.path().parse().unwrap(),
            "main".parse().unwrap(),
            env!("CARGO_BIN_EXE_pinfold").into(),
        ))
        .unwrap()
    }
}
