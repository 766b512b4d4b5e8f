//! The desired-state repository: functions, one of which changes with each commit.

use std::path::Path;

use pinfold::adapters::git::{GitSettings, GitSource};
use pinfold::sandbox::package;
use tempfile::TempDir;

use crate::repository;

const VERSIONS: [&str; 2] = ["1.0.0", "1.1.0"];
const BUCKET: &str = "artifacts";

pub(crate) struct Origin {
    /// The files, as they are in the last commit.
    tree: TempDir,
    /// The zips of all versions, as `BUCKET/KEY`.
    artifacts: TempDir,
    repository: repository::Origin,
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

fn write(folder: &TempDir, path: &str, content: &[u8]) {
    let path = folder.path().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

impl Origin {
    pub(crate) fn new(functions: usize) -> Self {
        let origin = Self {
            tree: tempfile::tempdir().unwrap(),
            artifacts: tempfile::tempdir().unwrap(),
            repository: repository::Origin::new(),
            functions,
            commits: 0,
        };
        for function in 0..functions {
            let name = name(function);
            origin.want(function, VERSIONS[0]);
            for version in VERSIONS {
                let zip = package([("index.js", format!("{name} {version}"))]);
                write(&origin.artifacts, &format!("{BUCKET}/{name}/{version}.zip"), &zip);
            }
        }
        origin.repository.commit(origin.tree());
        origin
    }

    fn want(&self, function: usize, version: &str) {
        let path = format!("prod/{}.yaml", name(function));
        write(&self.tree, &path, manifest(function, version).as_bytes());
    }

    /// The files, for the sandbox's seed.
    pub(crate) fn tree(&self) -> &Path {
        self.tree.path()
    }

    /// The zips, likewise.
    pub(crate) fn artifacts(&self) -> &Path {
        self.artifacts.path()
    }

    /// Changes one function, there and back again, and returns the commit.
    pub(crate) fn bump(&mut self) -> String {
        let (function, changes) = (self.commits % self.functions, self.commits / self.functions + 1);
        self.want(function, VERSIONS[changes % VERSIONS.len()]);
        self.commits += 1;
        self.repository.commit(self.tree())
    }

    /// Returns where it is.
    pub(crate) fn path(&self) -> &str {
        self.repository.path()
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
