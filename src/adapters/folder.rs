//! The desired state from a plain folder, for `--source`. Follows no link, writes nothing, and knows no commits.

use std::collections::BTreeMap;
use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::listing::{Bounds, Child, Node, Tree, list};
use crate::domain::{BlobId, CommitId, EntryKind, SourceTree, bounds};
use crate::ports::{DesiredSource, PortError, PortErrorKind};

/// A folder that holds a desired-state tree, such as a working copy of the repository.
#[derive(Debug, Clone)]
pub struct FolderSource {
    root: PathBuf,
    /// What the last [`DesiredSource::tree`] read, so that a content always fits the name that was given for it.
    contents: Arc<Mutex<Contents>>,
}

type Contents = BTreeMap<BlobId, Vec<u8>>;

impl FolderSource {
    /// Takes the folder that stands for the repository's root. It is looked at when it is asked for.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            contents: Arc::default(),
        }
    }
}

impl DesiredSource for FolderSource {
    async fn head(&self) -> Result<Option<CommitId>, PortError> {
        Ok(None)
    }

    async fn tree(&self, commit: Option<&CommitId>, paths: &[String]) -> Result<SourceTree, PortError> {
        let operation = operation(&self.root);
        if let Some(commit) = commit {
            let message = format!("a plain folder has no commit {commit}");
            return Err(PortError::new(PortErrorKind::Invalid, operation, message));
        }
        let (root, paths) = (self.root.clone(), paths.to_vec());
        let read = move || {
            let disk = Disk {
                root,
                contents: Mutex::default(),
            };
            let tree = list(&disk, &paths, &Bounds::default())?;
            Ok((tree, disk.contents.into_inner().unwrap_or_else(PoisonError::into_inner)))
        };
        let (tree, contents) = tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| PortError::new(PortErrorKind::Unknown, operation, error.to_string()))??;
        *self.contents.lock().unwrap_or_else(PoisonError::into_inner) = contents;
        Ok(tree)
    }

    async fn contents(&self, blobs: &[BlobId]) -> Result<Vec<Vec<u8>>, PortError> {
        let contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let find = |blob: &BlobId| {
            contents.get(blob).cloned().ok_or_else(|| {
                let message = format!("no file with the content {blob:?} was read, or it is larger than 1 MiB");
                PortError::new(PortErrorKind::NotFound, operation(&self.root), message)
            })
        };
        blobs.iter().map(find).collect()
    }
}

fn operation(root: &Path) -> String {
    format!("read folder {}", root.display())
}

/// The folder while it is walked.
struct Disk {
    root: PathBuf,
    contents: Mutex<Contents>,
}

impl Tree for Disk {
    type Folder = PathBuf;
    type Leaf = PathBuf;

    fn operation(&self) -> String {
        operation(&self.root)
    }

    fn root(&self) -> Result<PathBuf, PortError> {
        // Here a link is followed: whoever names the folder may name it by a link.
        let metadata = fs::metadata(&self.root).map_err(|error| self.error(&self.root, &error))?;
        if metadata.is_dir() {
            Ok(self.root.clone())
        } else {
            let message = "not a folder: name the root of a desired-state tree";
            Err(PortError::new(PortErrorKind::Invalid, self.operation(), message))
        }
    }

    fn child(&self, folder: &PathBuf, name: &str) -> Result<Option<Child<Self>>, PortError> {
        let path = folder.join(name);
        match fs::symlink_metadata(&path) {
            Ok(metadata) => Ok(Some(child(name.as_bytes(), path, metadata.file_type()))),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(self.error(&path, &error)),
        }
    }

    fn children(&self, folder: &PathBuf, most: usize) -> Result<Option<Vec<Child<Self>>>, PortError> {
        let mut children = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| self.error(folder, &error))? {
            let entry = entry.map_err(|error| self.error(folder, &error))?;
            if children.len() == most {
                return Ok(None);
            }
            let file_type = entry.file_type().map_err(|error| self.error(&entry.path(), &error))?;
            children.push(child(entry.file_name().as_bytes(), entry.path(), file_type));
        }
        Ok(Some(children))
    }

    /// Reads a file, once: its name is the hash of what is kept. What is never read gets a name of its own.
    fn stat(&self, path: &PathBuf) -> Result<(BlobId, u64), PortError> {
        let metadata = fs::symlink_metadata(path).map_err(|error| self.error(path, &error))?;
        if metadata.is_file() && metadata.len() <= bounds::MAX_FILE_BYTES {
            let content = self.read(path)?;
            let size = content.len() as u64;
            if size <= bounds::MAX_FILE_BYTES {
                let blob = BlobId(Sha256::digest(&content).to_vec());
                let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
                contents.insert(blob.clone(), content);
                return Ok((blob, size));
            }
            return Ok((self.unread(path, &metadata), size));
        }
        Ok((self.unread(path, &metadata), metadata.len()))
    }
}

impl Disk {
    /// Reads at most one byte more than a file may have: it may be growing.
    fn read(&self, path: &Path) -> Result<Vec<u8>, PortError> {
        let mut content = Vec::new();
        File::open(path)
            .and_then(|file| file.take(bounds::MAX_FILE_BYTES + 1).read_to_end(&mut content))
            .map_err(|error| self.error(path, &error))?;
        Ok(content)
    }

    /// Names what is not read, so that no file with a content can have the same name.
    fn unread(&self, path: &Path, metadata: &Metadata) -> BlobId {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        let hash = Sha256::new()
            .chain_update(b"unread\0")
            .chain_update(below.as_os_str().as_bytes())
            .chain_update(metadata.len().to_be_bytes());
        BlobId(hash.finalize().to_vec())
    }

    fn error(&self, path: &Path, error: &io::Error) -> PortError {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the standard library has forty kinds and adds more"
        )]
        let kind = match error.kind() {
            io::ErrorKind::NotFound => PortErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => PortErrorKind::AccessDenied,
            _ => PortErrorKind::Unknown,
        };
        let message = match path.strip_prefix(&self.root) {
            Ok(below) if !below.as_os_str().is_empty() => format!("{}: {error}", below.display()),
            Ok(_) | Err(_) => format!("{error}: give the folder that is the repository's root"),
        };
        PortError::new(kind, self.operation(), message)
    }
}

fn child(name: &[u8], path: PathBuf, file_type: FileType) -> Child<Disk> {
    let node = if file_type.is_dir() {
        Node::Folder(path)
    } else if file_type.is_file() {
        Node::Leaf(EntryKind::File, path)
    } else if file_type.is_symlink() {
        Node::Leaf(EntryKind::Symlink, path)
    } else {
        Node::Leaf(EntryKind::Other, path)
    };
    Child {
        name: name.to_vec(),
        node,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn root() -> (tempfile::TempDir, FolderSource) {
        let dir = tempfile::tempdir().unwrap();
        let source = FolderSource::new(dir.path());
        (dir, source)
    }

    fn write(dir: &tempfile::TempDir, path: &str, content: &[u8]) {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    async fn tree(source: &FolderSource) -> SourceTree {
        source.tree(None, &[String::new()]).await.unwrap()
    }

    #[tokio::test]
    async fn files_are_listed_and_read() {
        let (dir, source) = root();
        write(&dir, "prod/a.yaml", b"a");
        write(&dir, "prod/same.yaml", b"a");
        write(&dir, "defaults.yaml", b"d");
        assert_eq!(source.head().await.unwrap(), None);
        let tree = source.tree(None, &["prod".into(), "dev".into()]).await.unwrap();
        let paths: Vec<_> = tree.entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["defaults.yaml", "prod/a.yaml", "prod/same.yaml"]);
        assert_eq!(tree.missing, ["dev"]);
        assert_eq!(tree.entries[1].blob, tree.entries[2].blob);
        let blobs: Vec<_> = tree.entries.iter().map(|entry| entry.blob.clone()).collect();
        assert_eq!(source.contents(&blobs).await.unwrap(), [b"d", b"a", b"a"]);
    }

    #[tokio::test]
    async fn a_content_fits_its_name_though_the_file_has_changed_since() {
        let (dir, source) = root();
        write(&dir, "a.yaml", b"old");
        let blob = tree(&source).await.entries[0].blob.clone();
        write(&dir, "a.yaml", b"new");
        assert_eq!(source.contents(&[blob]).await.unwrap(), [b"old"]);
    }

    #[tokio::test]
    async fn links_and_sockets_are_not_followed() {
        let (dir, source) = root();
        write(&dir, "outside/secret.yaml", b"s");
        fs::create_dir(dir.path().join("in")).unwrap();
        symlink(dir.path().join("outside/secret.yaml"), dir.path().join("in/link.yaml")).unwrap();
        symlink("nowhere", dir.path().join("in/broken.yaml")).unwrap();
        symlink(dir.path().join("outside"), dir.path().join("in/folder")).unwrap();
        let _socket = UnixListener::bind(dir.path().join("in/socket.yaml")).unwrap();
        let tree = source.tree(None, &["in".into(), "in/folder".into()]).await.unwrap();
        let found: Vec<_> = tree.entries.iter().map(|e| (e.path.as_str(), e.kind)).collect();
        assert_eq!(
            found,
            [
                ("in/broken.yaml", EntryKind::Symlink),
                ("in/link.yaml", EntryKind::Symlink),
                ("in/socket.yaml", EntryKind::Other)
            ]
        );
        assert_eq!(tree.missing, ["in/folder"]);
        let error = source.contents(&[tree.entries[1].blob.clone()]).await.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::NotFound);
    }

    #[tokio::test]
    async fn an_oversized_file_is_listed_and_not_read() {
        let (dir, source) = root();
        let file = File::create(dir.path().join("big.yaml")).unwrap();
        file.set_len(1 << 40).unwrap();
        write(
            &dir,
            "full.yaml",
            &vec![b' '; usize::try_from(bounds::MAX_FILE_BYTES).unwrap()],
        );
        let tree = tree(&source).await;
        assert_eq!(
            (tree.entries[0].size, tree.entries[1].size),
            (1 << 40, bounds::MAX_FILE_BYTES)
        );
        assert!(source.contents(&[tree.entries[0].blob.clone()]).await.is_err());
        assert!(source.contents(&[tree.entries[1].blob.clone()]).await.is_ok());
    }

    #[tokio::test]
    async fn a_name_that_is_not_utf8_is_reported() {
        let (dir, source) = root();
        fs::write(dir.path().join(OsStr::from_bytes(b"a\xff.yaml")), b"x").unwrap();
        let tree = tree(&source).await;
        assert!(!tree.entries[0].plain);
        assert_eq!(tree.entries[0].path, "a\u{fffd}.yaml");
    }

    #[tokio::test]
    async fn a_root_that_is_no_folder_is_an_error() {
        let (dir, _) = root();
        write(&dir, "file", b"x");
        let source = |path: &str| FolderSource::new(dir.path().join(path));
        let kind = |source: FolderSource| async move { source.tree(None, &[]).await.map_err(|error| error.kind) };
        // Without a target there is nothing to look at.
        assert!(kind(source("nowhere")).await.is_ok());
        let kind = |source: FolderSource| async move { source.tree(None, &["a".into()]).await.unwrap_err().kind };
        assert_eq!(kind(source("nowhere")).await, PortErrorKind::NotFound);
        assert_eq!(kind(source("file")).await, PortErrorKind::Invalid);
    }

    #[tokio::test]
    async fn a_commit_is_refused() {
        let (_dir, source) = root();
        let commit = "0".repeat(40).parse().unwrap();
        let error = source.tree(Some(&commit), &[]).await.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Invalid);
    }
}
