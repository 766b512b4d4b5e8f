//! Commits that may speak and commits that may not, from the branch to what is read. The keys and the commits are those of
//! tests/git/signatures.

use std::fs;
use std::path::PathBuf;

use pinfold::adapters::git::{GitSettings, GitSource, GitVerify};
use pinfold::ports::{DesiredSource as _, PortErrorKind};

use crate::origin::{Origin, settings};
use crate::smart_http::Server;
use crate::{ALL, paths, texts, tree_at_head};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/git/signatures")
}

/// An origin with the tree that the commits are of.
fn origin() -> Origin {
    let origin = Origin::new();
    origin.commit("other", &[("prod/a.yaml", "signed\n")], &[]);
    origin
}

fn push(origin: &Origin, name: &str) {
    let raw = fs::read(folder().join(format!("{name}.commit"))).unwrap();
    origin.commit_raw("main", &raw);
}

fn verifying(url: &str) -> GitSource {
    GitSource::new(GitSettings {
        verify: Some(GitVerify {
            allowed_signers_file: Some(folder().join("allowed_signers")),
            openpgp_keys_file: Some(folder().join("sub.asc")),
        }),
        ..settings(url)
    })
    .unwrap()
}

#[tokio::test]
async fn g12_a_signed_commit_is_read_and_an_unsigned_one_refused() {
    for over_http in [false, true] {
        let origin = origin();
        let url = crate::url(&origin, over_http);
        push(&origin, "ssh-ed25519");
        let source = verifying(&url);
        let tree = tree_at_head(&source).await;
        assert_eq!(paths(&tree), ["prod/a.yaml"]);
        assert_eq!(texts(&source, &tree).await, ["signed\n"]);

        for name in ["ssh-unknown", "openpgp-unknown", "openpgp-sha1"] {
            push(&origin, name);
            let head = source.head().await.unwrap();
            let error = source.tree(head.as_ref(), ALL).await.unwrap_err();
            assert_eq!(error.kind, PortErrorKind::Unverified, "{name}: {error}");
            assert!(error.message.contains("the commit may not speak"), "{error}");
        }
        origin.commit("main", &[("prod/a.yaml", "unsigned\n")], &[]);
        let head = source.head().await.unwrap();
        let error = source.tree(head.as_ref(), ALL).await.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Unverified);
        assert!(error.message.contains("it is not signed"), "{error}");

        push(&origin, "openpgp-sub");
        assert_eq!(paths(&tree_at_head(&source).await), ["prod/a.yaml"]);
    }
}

#[tokio::test]
async fn g12_a_process_that_knows_no_commit_yet_takes_none_that_is_unsigned() {
    let origin = origin();
    let server = Server::start(&origin.path());
    origin.commit("main", &[("prod/a.yaml", "unsigned\n")], &[]);
    let error = verifying(&server.url).tree(None, ALL).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Unverified, "{error}");
}
