//! The Git adapter with its child processes, on repositories made for the purpose and on servers that misbehave.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says where by itself"
)]

mod children;
mod disk;
mod github_app;
mod memory;
mod origin;
mod servers;
mod smart_http;
mod verify;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use pinfold::adapters::git::{GitSettings, GitSource};
use pinfold::domain::{BlobId, EntryKind, ForcePush, SourceTree};
use pinfold::ports::{DesiredSource as _, PortErrorKind};

use origin::{Origin, settings};
use smart_http::{Manner, Server};

/// Everything under the repository's root.
const ALL: &[String] = &[String::new()];

async fn tree_at_head(source: &GitSource) -> SourceTree {
    let head = source.head().await.unwrap();
    source.tree(head.as_ref(), ALL).await.unwrap()
}

fn paths(tree: &SourceTree) -> Vec<&str> {
    tree.entries.iter().map(|entry| entry.path.as_str()).collect()
}

async fn texts(source: &GitSource, tree: &SourceTree) -> Vec<String> {
    let blobs: Vec<_> = tree.entries.iter().map(|entry| entry.blob.clone()).collect();
    let contents = source.contents(&blobs).await.unwrap();
    contents
        .into_iter()
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .collect()
}

/// The address of a repository: of its folder, or of a server before it.
fn url(origin: &Origin, over_http: bool) -> String {
    if over_http {
        Server::start(&origin.path()).url
    } else {
        origin.path()
    }
}

/// The folder of the only mirror in a cache.
fn mirror(cache: &Path) -> PathBuf {
    let folders: Vec<_> = fs::read_dir(cache)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [folder] = &folders[..] else { panic!("{folders:?}") };
    folder.join("mirror.git")
}

#[tokio::test]
async fn the_branch_is_read_by_path_by_file_url_and_over_http() {
    let origin = Origin::new();
    let files = [("prod/a.yaml", "a"), ("README.md", "r"), ("defaults.yaml", "d")];
    let commit = origin.commit("main", &files, &[]);
    let server = Server::start(&origin.path());
    for url in [origin.path(), format!("file://{}", origin.path()), server.url] {
        let source = GitSource::new(settings(&url)).unwrap();
        let head = source.head().await.unwrap().unwrap();
        assert_eq!(head.as_str(), commit.to_string());
        let tree = source.tree(Some(&head), &["prod".into(), "dev".into()]).await.unwrap();
        assert_eq!(paths(&tree), ["defaults.yaml", "prod/a.yaml"]);
        assert_eq!(tree.missing, ["dev"]);
        assert_eq!(texts(&source, &tree).await, ["d", "a"]);
    }
}

#[tokio::test]
async fn a_work_tree_is_read_at_its_commit_and_not_at_its_files() {
    let origin = Origin::new();
    origin.commit("main", &[("a.yaml", "committed")], &[]);
    let folder = tempfile::tempdir().unwrap();
    let copy = git2::Repository::clone(&origin.path(), folder.path()).unwrap();
    fs::write(folder.path().join("a.yaml"), "edited").unwrap();
    fs::write(folder.path().join("b.yaml"), "new").unwrap();
    let source = GitSource::new(settings(copy.workdir().unwrap().to_str().unwrap())).unwrap();
    let tree = tree_at_head(&source).await;
    assert_eq!(texts(&source, &tree).await, ["committed"]);
}

#[tokio::test]
async fn what_is_here_is_not_fetched_again() {
    let origin = Origin::new();
    let first = origin.commit("main", &[("a.yaml", "a")], &[]);
    let server = Server::start(&origin.path());
    let source = GitSource::new(settings(&server.url)).unwrap();
    let head = source.head().await.unwrap();
    let tree = source.tree(head.as_ref(), ALL).await.unwrap();
    assert_eq!(server.packs(), 1);

    // The last good commit outlives the server.
    server.be(Manner::Down);
    assert_eq!(source.tree(head.as_ref(), ALL).await.unwrap(), tree);
    assert_eq!(texts(&source, &tree).await, ["a"]);
    assert_eq!(source.head().await.unwrap_err().kind, PortErrorKind::Unknown);

    server.be(Manner::Well);
    origin.commit("main", &[("a.yaml", "b")], &[first]);
    let tree = tree_at_head(&source).await;
    assert_eq!(texts(&source, &tree).await, ["b"]);
    tree_at_head(&source).await;
    assert_eq!(server.packs(), 2);
}

#[tokio::test]
async fn g10_a_pack_that_ends_too_soon_is_an_error_and_spoils_nothing() {
    let origin = Origin::new();
    let first = origin.commit("main", &[("a.yaml", "a")], &[]);
    let server = Server::start(&origin.path());
    let source = GitSource::new(settings(&server.url)).unwrap();
    server.be(Manner::Truncating);
    let head = source.head().await.unwrap();
    assert!(source.tree(head.as_ref(), ALL).await.is_err());
    server.be(Manner::Well);
    tree_at_head(&source).await;

    server.be(Manner::Truncating);
    origin.commit("main", &[("a.yaml", "b")], &[first]);
    let next = source.head().await.unwrap();
    assert!(source.tree(next.as_ref(), ALL).await.is_err());
    let tree = source.tree(head.as_ref(), ALL).await.unwrap();
    assert_eq!(texts(&source, &tree).await, ["a"]);
}

#[tokio::test]
async fn a_new_commit_is_seen_and_the_old_one_stays_readable() {
    for over_http in [false, true] {
        let origin = Origin::new();
        let url = url(&origin, over_http);
        let old = origin.commit("main", &[("a.yaml", "1")], &[]);
        let source = GitSource::new(settings(&url)).unwrap();
        tree_at_head(&source).await;
        origin.commit("main", &[("a.yaml", "2")], &[old]);
        let tree = tree_at_head(&source).await;
        assert_eq!(texts(&source, &tree).await, ["2"]);
        let old = source.tree(Some(&old.to_string().parse().unwrap()), ALL).await.unwrap();
        assert_eq!(texts(&source, &old).await, ["1"]);
    }
}

#[tokio::test]
async fn without_a_commit_the_head_is_read() {
    for over_http in [false, true] {
        let origin = Origin::new();
        let url = url(&origin, over_http);
        origin.commit("main", &[("a.yaml", "1")], &[]);
        let source = GitSource::new(settings(&url)).unwrap();
        assert_eq!(paths(&source.tree(None, ALL).await.unwrap()), ["a.yaml"]);
    }
}

#[tokio::test]
async fn a_rewritten_branch_is_followed_where_that_is_allowed() {
    for over_http in [false, true] {
        let origin = Origin::new();
        let url = url(&origin, over_http);
        origin.commit("main", &[("a.yaml", "1")], &[]);
        let source = GitSource::new(settings(&url)).unwrap();
        tree_at_head(&source).await;
        origin.commit("main", &[("a.yaml", "2")], &[]);
        let tree = tree_at_head(&source).await;
        assert_eq!(texts(&source, &tree).await, ["2"]);
    }
}

#[tokio::test]
async fn g08_a_rewritten_branch_is_refused_where_that_is_asked_for() {
    for over_http in [false, true] {
        let origin = Origin::new();
        let url = url(&origin, over_http);
        let first = origin.commit("main", &[("a.yaml", "1")], &[]);
        let refuse = || GitSettings {
            force_push: ForcePush::Refuse,
            ..settings(&url)
        };
        let source = GitSource::new(refuse()).unwrap();
        tree_at_head(&source).await;
        let second = origin.commit("main", &[("a.yaml", "2")], &[first]);
        tree_at_head(&source).await;

        let rewritten = origin.commit("main", &[("a.yaml", "3")], &[first]);
        let head = source.head().await.unwrap();
        let error = source.tree(head.as_ref(), ALL).await.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Invalid);
        assert!(
            error.message.contains(&second.to_string()) && error.message.contains("restart"),
            "{error}"
        );

        origin.commit("main", &[("a.yaml", "4")], &[second, rewritten]);
        tree_at_head(&source).await;
        let other = GitSource::new(refuse()).unwrap();
        origin.commit("main", &[("a.yaml", "5")], &[]);
        tree_at_head(&other).await;
    }
}

#[tokio::test]
async fn g08_a_rewritten_branch_is_refused_by_the_next_process_too() {
    let origin = Origin::new();
    let server = Server::start(&origin.path());
    let cache = tempfile::tempdir().unwrap();
    let start = |force_push| {
        GitSource::new(GitSettings {
            force_push,
            cache_dir: Some(cache.path().to_owned()),
            ..settings(&server.url)
        })
        .unwrap()
    };
    let read = async |force_push| {
        let source = start(force_push);
        let head = source.head().await.unwrap();
        source.tree(head.as_ref(), ALL).await
    };
    let first = origin.commit("main", &[("a.yaml", "1")], &[]);
    read(ForcePush::Refuse).await.unwrap();
    let second = origin.commit("main", &[("a.yaml", "2")], &[first]);
    read(ForcePush::Refuse).await.unwrap();

    let rewritten = origin.commit("main", &[("a.yaml", "3")], &[first]);
    // Also after the mirror was made anew, which the last commit is then no part of.
    for gone in [false, true] {
        for entry in fs::read_dir(cache.path()).unwrap().map(|entry| entry.unwrap().path()) {
            if gone && entry.is_dir() {
                fs::remove_dir_all(entry).unwrap();
            }
        }
        let error = read(ForcePush::Refuse).await.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Invalid, "{error}");
        assert!(
            error.message.contains(&second.to_string()) && !error.message.contains("restart"),
            "{error}"
        );
    }

    read(ForcePush::Allow).await.unwrap();
    read(ForcePush::Refuse).await.unwrap();
    let third = origin.commit("main", &[("a.yaml", "4")], &[rewritten]);
    read(ForcePush::Refuse).await.unwrap();
    origin.commit("main", &[("a.yaml", "5")], &[]);
    let error = read(ForcePush::Refuse).await.unwrap_err();
    assert!(error.message.contains(&third.to_string()), "{error}");

    // What is kept is part of a cache: without it the branch is taken as it is. What is there and cannot be read is not
    // taken for absent.
    let kept = fs::read_dir(cache.path()).unwrap().map(|entry| entry.unwrap().path());
    let kept = kept.into_iter().find(|path| path.is_file()).unwrap();
    fs::write(&kept, "nonsense").unwrap();
    let error = read(ForcePush::Refuse).await.unwrap_err();
    assert!(error.to_string().contains(kept.to_str().unwrap()), "{error}");
    fs::remove_file(kept).unwrap();
    read(ForcePush::Refuse).await.unwrap();
}

#[tokio::test]
async fn g07_a_branch_that_is_missing_is_named_with_those_that_are_there() {
    for over_http in [false, true] {
        let origin = Origin::new();
        let url = url(&origin, over_http);
        origin.commit("trunk", &[("a.yaml", "1")], &[]);
        let source = GitSource::new(settings(&url)).unwrap();
        let error = source.head().await.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::NotFound);
        assert!(error.message.contains("no branch main (there are trunk)"), "{error}");
    }
}

#[tokio::test]
async fn g07_an_empty_repository_says_so() {
    for over_http in [false, true] {
        let origin = Origin::new();
        let url = url(&origin, over_http);
        let source = GitSource::new(settings(&url)).unwrap();
        let error = source.head().await.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::NotFound);
        assert!(error.message.contains("the repository is empty"), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_repository_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("nowhere")] {
        let source = GitSource::new(settings(path.to_str().unwrap())).unwrap();
        let error = source.head().await.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::NotFound, "{error}");
        assert!(error.message.contains("no such repository"), "{error}");
        assert!(error.operation.contains(path.to_str().unwrap()), "{error}");
    }
}

#[tokio::test]
async fn a_commit_that_is_nowhere_is_looked_for_again_by_the_next_pass() {
    for over_http in [false, true] {
        let origin = Origin::new();
        let url = url(&origin, over_http);
        origin.commit("main", &[("a.yaml", "1")], &[]);
        let source = GitSource::new(settings(&url)).unwrap();
        let error = source
            .tree(Some(&"1".repeat(40).parse().unwrap()), ALL)
            .await
            .unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Conflict);
        let error = source
            .tree(Some(&"1".repeat(64).parse().unwrap()), ALL)
            .await
            .unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Invalid);
    }
}

#[tokio::test]
async fn d07_a_mirror_that_is_gone_or_broken_is_made_anew() {
    let origin = Origin::new();
    let server = Server::start(&origin.path());
    let cache = tempfile::tempdir().unwrap();
    let mut last = origin.commit("main", &[("a.yaml", "a")], &[]);
    let source = GitSource::new(GitSettings {
        cache_dir: Some(cache.path().to_owned()),
        ..settings(&server.url)
    })
    .unwrap();
    tree_at_head(&source).await;
    let damages: [fn(&Path); 5] = [
        |mirror| fs::remove_dir_all(mirror.parent().unwrap()).unwrap(),
        |mirror| fs::remove_dir_all(mirror).unwrap(),
        |mirror| fs::remove_file(mirror.join("HEAD")).unwrap(),
        |mirror| fs::remove_dir_all(mirror.join("objects")).unwrap(),
        |mirror| {
            for file in fs::read_dir(mirror.join("objects/pack")).unwrap() {
                let file = file.unwrap().path();
                fs::remove_file(&file).unwrap();
                fs::write(&file, b"PACK").unwrap();
            }
        },
    ];
    for damage in damages {
        // Once where nothing new is to be fetched, once where something is.
        damage(&mirror(cache.path()));
        let tree = tree_at_head(&source).await;
        assert_eq!(texts(&source, &tree).await.len(), 1);
        damage(&mirror(cache.path()));
        last = origin.commit("main", &[("a.yaml", &last.to_string())], &[last]);
        let tree = tree_at_head(&source).await;
        assert_eq!(texts(&source, &tree).await.len(), 1);
    }
}

#[tokio::test]
async fn an_object_that_is_missing_from_the_mirror_is_fetched_again() {
    let origin = Origin::new();
    let server = Server::start(&origin.path());
    let cache = tempfile::tempdir().unwrap();
    origin.commit("main", &[("a.yaml", "a"), ("sub/b.yaml", "b")], &[]);
    let source = GitSource::new(GitSettings {
        cache_dir: Some(cache.path().to_owned()),
        ..settings(&server.url)
    })
    .unwrap();
    let tree = tree_at_head(&source).await;

    // A mirror that has the commit and nothing else of it.
    let broken = git2::Repository::open_bare(mirror(cache.path())).unwrap();
    let commit = broken.refname_to_id("refs/heads/main").unwrap();
    let bytes = broken.odb().unwrap().read(commit).unwrap().data().to_vec();
    fs::remove_dir_all(mirror(cache.path()).join("objects")).unwrap();
    fs::create_dir_all(mirror(cache.path()).join("objects/pack")).unwrap();
    let broken = git2::Repository::open_bare(mirror(cache.path())).unwrap();
    broken.odb().unwrap().write(git2::ObjectType::Commit, &bytes).unwrap();

    let error = source.contents(&[tree.entries[0].blob.clone()]).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Malformed, "{error}");
    let tree = tree_at_head(&source).await;
    assert_eq!(texts(&source, &tree).await, ["a", "b"]);
}

#[tokio::test]
async fn a_corrupt_origin_is_refused_whole() {
    type Damage = fn(&Origin);
    let damages: [Damage; 6] = [
        |origin| origin.lose(git2::ObjectType::Blob),
        |origin| origin.lose(git2::ObjectType::Tree),
        |origin| origin.lose(git2::ObjectType::Commit),
        |origin| origin.truncate(git2::ObjectType::Blob),
        |origin| origin.truncate(git2::ObjectType::Tree),
        |origin| origin.truncate(git2::ObjectType::Commit),
    ];
    let text = "a ".repeat(1000);
    for (number, damage) in damages.into_iter().enumerate() {
        let origin = Origin::new();
        origin.commit("main", &[("sub/a.yaml", &text)], &[]);
        let source = GitSource::new(settings(&origin.path())).unwrap();
        let head = source.head().await.unwrap();
        damage(&origin);
        let read = async || {
            let tree = source.tree(head.as_ref(), ALL).await?;
            source.contents(&[tree.entries[0].blob.clone()]).await
        };
        let error = read().await.unwrap_err();
        // A commit that is not there at all looks like one that was pushed away.
        let expected = if number == 2 {
            PortErrorKind::Conflict
        } else {
            PortErrorKind::Malformed
        };
        assert_eq!(error.kind, expected, "{number}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_was_listed_before_is_not_looked_up_again() {
    let origin = Origin::new();
    origin.commit("main", &[("a.yaml", "known")], &[]);
    let source = GitSource::new(settings(&origin.path())).unwrap();
    let list = async || source.tree(source.head().await.unwrap().as_ref(), ALL).await;
    let before = list().await.unwrap();
    let known = origin.blob(b"known");
    origin.lose(git2::ObjectType::Blob);
    let mut tree = b"100644 a.yaml\0".to_vec();
    tree.extend_from_slice(known.as_bytes());
    tree.extend_from_slice(b"100644 b.yaml\0");
    tree.extend_from_slice(origin.blob(b"new").as_bytes());
    origin.commit_raw_tree("main", &tree);
    let after = list().await.unwrap();
    assert_eq!(after.entries[0], before.entries[0]);
    assert_eq!(after.entries[1].size, 3);
}

/// Reads a repository, and leaves more packs in its mirror than one may have. Returns the folder with the packs, too.
async fn crowded(server: &Server, cache: &Path) -> (GitSource, PathBuf) {
    let source = GitSource::new(GitSettings {
        cache_dir: Some(cache.to_owned()),
        ..settings(&server.url)
    })
    .unwrap();
    tree_at_head(&source).await;
    let packs = mirror(cache).join("objects/pack");
    for number in 0..=200 {
        fs::write(packs.join(format!("left-{number}")), b"").unwrap();
    }
    (source, packs)
}

#[tokio::test]
async fn a_crowded_mirror_is_made_anew() {
    let origin = Origin::new();
    let server = Server::start(&origin.path());
    let cache = tempfile::tempdir().unwrap();
    let first = origin.commit("main", &[("a.yaml", "1")], &[]);
    let (source, packs) = crowded(&server, cache.path()).await;
    origin.commit("main", &[("a.yaml", "2")], &[first]);
    let tree = tree_at_head(&source).await;
    assert_eq!(texts(&source, &tree).await, ["2"]);
    assert!(fs::read_dir(packs).unwrap().count() < 10);
}

#[tokio::test]
async fn the_mirror_is_for_nobody_else_s_eyes() {
    use std::os::unix::fs::PermissionsExt as _;
    let origin = Origin::new();
    let server = Server::start(&origin.path());
    origin.commit("main", &[("a.yaml", "1")], &[]);
    let cache = tempfile::tempdir().unwrap();
    let source = GitSource::new(GitSettings {
        cache_dir: Some(cache.path().join("deep/down")),
        ..settings(&server.url)
    })
    .unwrap();
    tree_at_head(&source).await;
    let folder = mirror(&cache.path().join("deep/down"));
    let mode = fs::metadata(folder.parent().unwrap()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn links_submodules_and_strange_names_are_listed_by_their_kind() {
    let origin = Origin::new();
    origin.commit_entries(
        "main",
        &[
            (b"exec.yaml", 0o100_755, b"x"),
            (b"link.yaml", 0o120_000, b"../secret"),
            (b"link", 0o120_000, b"folder"),
            (b"module.yaml", 0o160_000, b""),
            (b"module", 0o160_000, b""),
            (b"\xff.yaml", 0o100_644, b"x"),
            (b"\xfe/in.yaml", 0o100_644, b"x"),
            (b"_no/x.yaml", 0o100_644, b"x"),
            (b".no/x.yaml", 0o100_644, b"x"),
        ],
        &[],
    );
    let source = GitSource::new(settings(&origin.path())).unwrap();
    let tree = tree_at_head(&source).await;
    let found: Vec<_> = tree
        .entries
        .iter()
        .map(|e| (e.path.as_str(), e.kind, e.plain))
        .collect();
    assert_eq!(
        found,
        [
            ("exec.yaml", EntryKind::File, true),
            ("link.yaml", EntryKind::Symlink, true),
            ("module.yaml", EntryKind::Submodule, true),
            ("\u{fffd}/in.yaml", EntryKind::File, false),
            ("\u{fffd}.yaml", EntryKind::File, false),
        ]
    );
}

#[tokio::test]
async fn an_oversized_file_is_listed_and_never_read() {
    let origin = Origin::new();
    let big = " ".repeat(1024 * 1024 + 1);
    origin.commit("main", &[("big.yaml", &big), ("full.yaml", &big[1..])], &[]);
    let source = GitSource::new(settings(&origin.path())).unwrap();
    let tree = tree_at_head(&source).await;
    assert_eq!(tree.entries[0].size, 1024 * 1024 + 1);
    let error = source.contents(&[tree.entries[0].blob.clone()]).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::TooLarge);
    assert_eq!(
        source.contents(&[tree.entries[1].blob.clone()]).await.unwrap()[0].len(),
        1024 * 1024
    );
}

#[tokio::test]
async fn a_tree_beyond_the_bounds_is_refused_whole() {
    let origin = Origin::new();
    let blob = origin.blob(b"x");
    let mut tree = Vec::new();
    for number in 0..=50_000 {
        tree.extend(format!("100644 {number:05}.txt\0").into_bytes());
        tree.extend_from_slice(blob.as_bytes());
    }
    origin.commit_raw_tree("main", &tree);
    let source = GitSource::new(settings(&origin.path())).unwrap();
    let head = source.head().await.unwrap();
    let error = source.tree(head.as_ref(), ALL).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::TooLarge, "{error}");
}

#[tokio::test]
async fn only_names_of_blobs_can_be_read() {
    let origin = Origin::new();
    let commit = origin.commit("main", &[("a.yaml", "1")], &[]);
    let source = GitSource::new(settings(&origin.path())).unwrap();
    tree_at_head(&source).await;
    let kind = async |blob: Vec<u8>| source.contents(&[BlobId(blob)]).await.unwrap_err().kind;
    assert_eq!(kind(vec![1, 2, 3]).await, PortErrorKind::Invalid);
    assert_eq!(kind(commit.as_bytes().to_vec()).await, PortErrorKind::Malformed);
    assert_eq!(kind(vec![7; 20]).await, PortErrorKind::Malformed);
    assert_eq!(source.contents(&[]).await.unwrap(), Vec::<Vec<u8>>::new());
}

#[tokio::test]
async fn a_folder_that_is_too_large_is_not_even_inflated() {
    let origin = Origin::new();
    origin.commit_raw_tree("main", &vec![0; 17 * 1024 * 1024]);
    let source = GitSource::new(settings(&origin.path())).unwrap();
    let head = source.head().await.unwrap();
    let error = source.tree(head.as_ref(), ALL).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::TooLarge, "{error}");
}

#[tokio::test]
async fn a_name_that_is_a_path_is_malformed() {
    for name in ["prod/x.yaml", ".."] {
        let origin = Origin::new();
        let blob = origin.commit("other", &[("x", "x")], &[]);
        let mut tree = format!("100644 {name}\0").into_bytes();
        tree.extend_from_slice(blob.as_bytes());
        origin.commit_raw_tree("main", &tree);
        let source = GitSource::new(settings(&origin.path())).unwrap();
        let head = source.head().await.unwrap();
        let error = source.tree(head.as_ref(), ALL).await.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Malformed, "{error}");
    }
}

#[tokio::test]
async fn two_processes_may_share_a_cache() {
    let origin = Origin::new();
    let server = Server::start(&origin.path());
    let cache = tempfile::tempdir().unwrap();
    let source = || {
        GitSource::new(GitSettings {
            cache_dir: Some(cache.path().to_owned()),
            ..settings(&server.url)
        })
        .unwrap()
    };
    let sources = [source(), source(), source()];
    let mut last = origin.commit("main", &[("a.yaml", "0")], &[]);
    for number in 1..5 {
        let [a, b, c] = &sources;
        let trees = tokio::join!(tree_at_head(a), tree_at_head(b), tree_at_head(c));
        assert_eq!(trees.0, trees.1);
        assert_eq!(trees.1, trees.2);
        last = origin.commit("main", &[("a.yaml", &number.to_string())], &[last]);
    }
}

#[tokio::test]
async fn a_mirror_that_another_process_is_using_is_not_replaced() {
    let origin = Origin::new();
    let server = Server::start(&origin.path());
    let cache = tempfile::tempdir().unwrap();
    let first = origin.commit("main", &[("a.yaml", "1")], &[]);
    let (source, packs) = crowded(&server, cache.path()).await;
    let other = File::open(mirror(cache.path()).with_file_name("lock")).unwrap();
    other.lock_shared().unwrap();
    origin.commit("main", &[("a.yaml", "2")], &[first]);
    let tree = tree_at_head(&source).await;
    assert_eq!(texts(&source, &tree).await, ["2"]);
    assert!(fs::read_dir(packs).unwrap().count() > 200);
    drop(other);
}
