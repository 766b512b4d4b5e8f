//! Repositories to fetch from: hermetic, with the same commit ids on every run.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use git2::{Index, IndexEntry, IndexTime, ObjectType, Oid, Repository, RepositoryInitOptions, Signature, Time};
use tempfile::TempDir;

use pinfold::adapters::git::GitSettings;

/// Settings for a repository that needs nothing else.
pub(crate) fn settings(url: &str) -> GitSettings {
    GitSettings::new(
        url.parse().unwrap(),
        "main".parse().unwrap(),
        env!("CARGO_BIN_EXE_pinfold").into(),
    )
}

/// A bare repository in a temporary folder.
pub(crate) struct Origin {
    folder: TempDir,
    repository: Repository,
}

impl Origin {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head("main");
        let repository = Repository::init_opts(folder.path(), &options).unwrap();
        Self { folder, repository }
    }

    pub(crate) fn path(&self) -> String {
        self.folder.path().to_str().unwrap().to_owned()
    }

    /// Makes a commit of exactly these files the head of a branch.
    pub(crate) fn commit(&self, branch: &str, files: &[(&str, &str)], parents: &[Oid]) -> Oid {
        let entries: Vec<(&[u8], u32, &[u8])> = files
            .iter()
            .map(|(path, text)| (path.as_bytes(), 0o100_644, text.as_bytes()))
            .collect();
        self.commit_entries(branch, &entries, parents)
    }

    /// The same with a mode for each entry. A submodule's content is not looked at.
    pub(crate) fn commit_entries(&self, branch: &str, entries: &[(&[u8], u32, &[u8])], parents: &[Oid]) -> Oid {
        let mut index = Index::new().unwrap();
        for (path, mode, content) in entries {
            let id = if *mode == 0o160_000 {
                Oid::from_bytes(&[9; 20]).unwrap()
            } else {
                self.repository.blob(content).unwrap()
            };
            index.add(&entry(path, *mode, id)).unwrap();
        }
        let tree = index.write_tree_to(&self.repository).unwrap();
        let tree = self.repository.find_tree(tree).unwrap();
        let parents: Vec<_> = parents
            .iter()
            .map(|id| self.repository.find_commit(*id).unwrap())
            .collect();
        let parents: Vec<_> = parents.iter().collect();
        let author = Signature::new("Test", "test@example.com", &Time::new(1_700_000_000, 0)).unwrap();
        let commit = self
            .repository
            .commit(None, &author, &author, "test", &tree, &parents)
            .unwrap();
        let reference = format!("refs/heads/{branch}");
        self.repository.reference(&reference, commit, true, "test").unwrap();
        commit
    }

    /// Makes a commit of a tree that Git itself would not write.
    pub(crate) fn commit_raw_tree(&self, branch: &str, tree: &[u8]) -> Oid {
        let tree = self.tree(tree);
        let author = "Test <test@example.com> 1700000000 +0000";
        let commit = format!("tree {tree}\nauthor {author}\ncommitter {author}\n\ntest\n");
        self.commit_raw(branch, commit.as_bytes())
    }

    /// Makes these bytes a commit, and that the head of a branch.
    pub(crate) fn commit_raw(&self, branch: &str, commit: &[u8]) -> Oid {
        let objects = self.repository.odb().unwrap();
        let commit = objects.write(ObjectType::Commit, commit).unwrap();
        let reference = format!("refs/heads/{branch}");
        self.repository.reference(&reference, commit, true, "test").unwrap();
        commit
    }

    /// Stores a folder that Git itself would not write.
    pub(crate) fn tree(&self, tree: &[u8]) -> Oid {
        self.repository.odb().unwrap().write(ObjectType::Tree, tree).unwrap()
    }

    /// Stores a file's content.
    pub(crate) fn blob(&self, content: &[u8]) -> Oid {
        self.repository.blob(content).unwrap()
    }

    /// Cuts all objects of one type in half.
    pub(crate) fn truncate(&self, kind: ObjectType) {
        for path in self.objects(kind) {
            let bytes = fs::read(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }
    }

    /// Loses all objects of one type.
    pub(crate) fn lose(&self, kind: ObjectType) {
        for path in self.objects(kind) {
            fs::remove_file(path).unwrap();
        }
    }

    fn objects(&self, kind: ObjectType) -> Vec<PathBuf> {
        let objects = self.repository.odb().unwrap();
        let mut ids = Vec::new();
        objects
            .foreach(|id| {
                ids.push(*id);
                true
            })
            .unwrap();
        ids.into_iter()
            .filter(|id| objects.read_header(*id).unwrap().1 == kind)
            .map(|id| id.to_string())
            .map(|id| self.folder.path().join("objects").join(&id[..2]).join(&id[2..]))
            .collect()
    }
}

fn entry(path: &[u8], mode: u32, id: Oid) -> IndexEntry {
    IndexEntry {
        ctime: IndexTime::new(0, 0),
        mtime: IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.to_vec(),
    }
}
