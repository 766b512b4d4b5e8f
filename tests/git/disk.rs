//! The disk under the mirror: full, not to be written to, or with something else in its place.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use pinfold::adapters::git::{GitSettings, GitSource};
use pinfold::ports::DesiredSource as _;

use crate::origin::{Origin, settings};
use crate::smart_http::Server;
use crate::{ALL, texts, tree_at_head};

/// The program as it runs where no file may grow beyond 8 KiB, which is what a full disk comes to. A write is then
/// refused, as the signal for it is ignored.
fn without_room(folder: &Path) -> PathBuf {
    let path = folder.join("pinfold");
    let program = env!("CARGO_BIN_EXE_pinfold");
    let script = format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f 16\nexec '{program}' \"$@\"\n");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    path
}

/// Text that does not shrink in a pack.
fn incompressible() -> String {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'!' + u8::try_from(state >> 58).unwrap())
    };
    (0..100_000).map(|_| next()).collect()
}

#[tokio::test]
async fn g10_a_disk_that_is_full_is_told_and_spoils_nothing() {
    let origin = Origin::new();
    let first = origin.commit("main", &[("a.yaml", "a")], &[]);
    let server = Server::start(&origin.path());
    let cache = tempfile::tempdir().unwrap();
    let scripts = tempfile::tempdir().unwrap();
    let with = |program: Option<PathBuf>| {
        let mut settings = GitSettings {
            cache_dir: Some(cache.path().to_owned()),
            ..settings(&server.url)
        };
        settings.program = program.unwrap_or(settings.program);
        GitSource::new(settings).unwrap()
    };
    let small = tree_at_head(&with(None)).await;
    origin.commit("main", &[("a.yaml", &incompressible())], &[first]);
    let full = with(Some(without_room(scripts.path())));
    let head = full.head().await.unwrap();
    let error = full.tree(head.as_ref(), ALL).await.unwrap_err();
    assert!(error.to_string().contains("cacheDir"), "{error}");
    // What was there is still there, and with room the rest comes.
    let source = with(None);
    assert_eq!(texts(&source, &small).await, ["a"]);
    let tree = tree_at_head(&source).await;
    assert_eq!(texts(&source, &tree).await[0].len(), 100_000);
}

#[tokio::test]
async fn g10_a_cache_that_cannot_be_written_to_is_told_with_its_place() {
    let origin = Origin::new();
    origin.commit("main", &[("a.yaml", "a")], &[]);
    let server = Server::start(&origin.path());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "no folder").unwrap();
    // Whoever runs this may be root, who may write anywhere but here.
    for cache in [file.join("cache"), "/proc/pinfold".into()] {
        let settings = GitSettings {
            cache_dir: Some(cache.clone()),
            ..settings(&server.url)
        };
        let source = GitSource::new(settings).unwrap();
        let head = source.head().await;
        let error = match head {
            Ok(head) => source.tree(head.as_ref(), ALL).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(error.to_string().contains(cache.to_str().unwrap()), "{error}");
    }
}
