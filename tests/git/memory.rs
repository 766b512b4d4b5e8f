//! The memory of a child: what is sent to it, and what it lists, takes more than it may have. That costs an error, and
//! nothing else.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use git2::ObjectType;
use pinfold::adapters::git::{GitSettings, GitSource};
use pinfold::ports::{DesiredSource as _, PortErrorKind};
use sha1::{Digest as _, Sha1};

use crate::children::script;
use crate::origin::{Origin, settings};
use crate::smart_http::{Manner, Server};
use crate::{ALL, texts, tree_at_head};

/// The program with a part of the memory that it would take, as in a small container.
fn with_little_memory(folder: &Path, mebibytes: u32) -> PathBuf {
    let program = env!("CARGO_BIN_EXE_pinfold");
    let kibibytes = mebibytes * 1024;
    script(folder, &format!("ulimit -d {kibibytes}\nexec '{program}' \"$@\""))
}

/// Kinds of objects in a pack (gitformat-pack): a file, and what is told by its difference from another object.
const BLOB: u8 = 3;
const DELTA: u8 = 7;

/// Bytes of the largest object that is accepted.
const LARGEST: usize = 128 * 1024 * 1024;

/// Files in a list that takes some 30 MiB.
const FILES: usize = 12_000;

/// Adds an object to a pack of a few KiB that is as large as any may be.
pub(crate) fn swollen(pack: &[u8]) -> Vec<u8> {
    let base = vec![0; 1024 * 1024];
    let mut delta = size(base.len());
    delta.extend(size(LARGEST));
    // Copies the base, over and over: length 0x100000 from offset 0.
    delta.extend([0x80 | 0x40, 0x10].repeat(LARGEST / base.len()));
    let mut swollen = pack[..pack.len() - 20].to_vec();
    let count = u32::from_be_bytes(swollen[8..12].try_into().unwrap()) + 2;
    swollen[8..12].copy_from_slice(&count.to_be_bytes());
    swollen.extend(head(BLOB, base.len()));
    swollen.extend(zlib(&base));
    swollen.extend(head(DELTA, delta.len()));
    swollen.extend(git2::Oid::hash_object(ObjectType::Blob, &base).unwrap().as_bytes());
    swollen.extend(zlib(&delta));
    swollen.extend(Sha1::digest(&swollen));
    swollen
}

/// A number as deltas write it (gitformat-pack): seven bits a byte, the low ones first.
fn size(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// The head of an object in a pack: its kind and four bits of its size in the first byte, the rest as above.
fn head(kind: u8, length: usize) -> Vec<u8> {
    let first = kind << 4 | u8::try_from(length & 0xf).unwrap();
    match length >> 4 {
        0 => vec![first],
        rest => [vec![first | 0x80], size(rest)].concat(),
    }
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn g09_a_pack_that_fills_the_memory_is_an_error_and_spoils_nothing() {
    let origin = Origin::new();
    let first = origin.commit("main", &[("a.yaml", "a")], &[]);
    let server = Server::start(&origin.path());
    let folder = tempfile::tempdir().unwrap();
    let source = GitSource::new(GitSettings {
        cache_dir: Some(folder.path().join("cache")),
        program: with_little_memory(folder.path(), 64),
        ..settings(&server.url)
    })
    .unwrap();
    let good = tree_at_head(&source).await;

    server.be(Manner::Swollen);
    origin.commit("main", &[("a.yaml", "b")], &[first]);
    let head = source.head().await.unwrap();
    let error = source.tree(head.as_ref(), ALL).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::TooLarge, "{error}");
    assert!(error.message.contains("memory"), "{error}");
    assert_eq!(
        texts(&source, &good).await,
        ["a"],
        "the last good commit is still there"
    );

    server.be(Manner::Well);
    let tree = tree_at_head(&source).await;
    assert_eq!(texts(&source, &tree).await, ["b"]);
}

#[tokio::test]
async fn g09_a_list_that_fills_the_memory_is_an_error_and_spoils_nothing() {
    let origin = Origin::new();
    // Paths as long as they may be.
    let blob = origin.blob(b"x");
    let mut tree = Vec::new();
    for number in 0..FILES {
        tree.extend(format!("100644 {number:05}.yaml\0").into_bytes());
        tree.extend_from_slice(blob.as_bytes());
    }
    for level in 0..4 {
        let inner = origin.tree(&tree);
        tree = [
            format!("40000 {}\0", level.to_string().repeat(245)).as_bytes(),
            inner.as_bytes(),
        ]
        .concat();
    }
    let large = origin.commit_raw_tree("main", &tree).to_string().parse().unwrap();
    origin.commit("main", &[("a.yaml", "a")], &[]);
    let folder = tempfile::tempdir().unwrap();
    let with = |program: Option<PathBuf>| {
        let mut settings = settings(&origin.path());
        settings.program = program.unwrap_or(settings.program);
        GitSource::new(settings).unwrap()
    };
    let small = with(Some(with_little_memory(folder.path(), 24)));
    let error = small.tree(Some(&large), ALL).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::TooLarge, "{error}");
    assert!(error.message.contains("more memory than it may take"), "{error}");
    let tree = tree_at_head(&small).await;
    assert_eq!(texts(&small, &tree).await, ["a"]);
    // It is within the bounds: where there is memory, it is read.
    assert_eq!(with(None).tree(Some(&large), ALL).await.unwrap().entries.len(), FILES);
}
