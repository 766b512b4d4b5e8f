//! What the daemon and the child that does its Git work say to each other: one request, then files, then one answer.
//!
//! Both are the same binary, so there are no versions. Each message is a frame: a tag, a length, and that many bytes.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::sizes::Sizes;
use super::snapshot::Snapshots;
use crate::domain::{BlobId, EntryKind, ForcePush, ProxyChoice, ProxyUrl, Secret, SourceEntry, SourceTree, Timestamp};
use crate::ports::{PortError, PortErrorKind};

/// Most bytes of one message: the list of a tree at all its bounds, with long paths, is half of that.
const MAX_FRAME_BYTES: u32 = 128 * 1024 * 1024;

/// One operation, and everything that it needs.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    /// The repository and how to get at it.
    pub(super) snapshots: Snapshots,
    /// What to do.
    pub(super) operation: Operation,
    /// The time, which keys are judged by.
    pub(super) now: Timestamp,
}

/// What the child can do.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Operation {
    /// Ask for the head of the branch.
    Head,
    /// Bring a commit and list it.
    Tree {
        /// The commit; the head, where none is named.
        commit: Option<String>,
        /// The folders to list.
        paths: Vec<String>,
        /// What earlier operations found out.
        known: Known,
    },
    /// Read files.
    Contents(#[serde(with = "blobs")] Vec<BlobId>),
}

/// What earlier operations found out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Known {
    /// The last commit that was listed.
    pub(super) head: Option<String>,
    /// Whether objects were missing from the mirror.
    pub(super) mirror_corrupt: bool,
    /// How large the files are that were listed last.
    pub(super) sizes: Sizes,
}

/// What the child says at the end.
#[derive(Serialize, Deserialize)]
pub(super) enum Answer {
    /// The head of the branch.
    Head(String),
    /// A commit and its files.
    Tree {
        /// The commit.
        commit: String,
        /// Its files.
        #[serde(with = "Tree")]
        tree: SourceTree,
    },
    /// All files have been sent, each in a frame before this one.
    Contents,
    /// It could not be done.
    Failed(#[serde(with = "Failure")] PortError),
}

/// A message on its way from the child.
pub(super) enum Message {
    /// The content of one file.
    File(Vec<u8>),
    /// The last message.
    Answer(Answer),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SourceTree")]
struct Tree {
    #[serde(with = "entries")]
    entries: Vec<SourceEntry>,
    missing: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SourceEntry")]
struct Entry {
    path: String,
    plain: bool,
    #[serde(with = "Kind")]
    kind: EntryKind,
    #[serde(with = "blob")]
    blob: BlobId,
    size: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "EntryKind")]
enum Kind {
    File,
    Symlink,
    Submodule,
    Other,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "PortError")]
struct Failure {
    #[serde(with = "FailureKind")]
    kind: PortErrorKind,
    operation: String,
    message: String,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "PortErrorKind")]
enum FailureKind {
    NotFound,
    Conflict,
    Precondition,
    Throttled,
    AccessDenied,
    Credentials,
    CodeStorageExceeded,
    Invalid,
    Unreachable,
    Unknown,
    TooLarge,
    Unverified,
    Malformed,
}

/// Whether a rewritten branch is followed.
#[derive(Serialize, Deserialize)]
#[serde(remote = "ForcePush")]
pub(super) enum Rewrites {
    Allow,
    Refuse,
}

/// Which proxy is to be used.
#[derive(Serialize, Deserialize)]
#[serde(remote = "ProxyChoice")]
pub(super) enum Way {
    Environment,
    Direct,
    Url(#[serde(with = "text")] ProxyUrl),
}

/// Values that have a text form which parses back.
pub(super) mod text {
    use super::{Deserialize, Deserializer, Display, FromStr, Serializer, de};

    pub(in super::super) fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(in super::super) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// Paths, also those that are not UTF-8.
pub(super) mod path {
    use super::{Deserialize, Deserializer, OsString, Path, PathBuf, Serialize as _, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        OsString::deserialize(from).map(PathBuf::from)
    }
}

/// Paths that may be left out.
pub(super) mod optional_path {
    use super::{Deserialize, Deserializer, OsString, PathBuf, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands the field over as it is")]
    pub(in super::super) fn serialize<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
        path.as_ref().map(|path| path.as_os_str()).serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<OsString>::deserialize(from)?.map(PathBuf::from))
    }
}

/// A secret that may be there. It goes over the pipe to the child alone.
pub(super) mod optional_secret {
    use super::{Deserialize, Deserializer, Secret, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands the field over as it is")]
    pub(in super::super) fn serialize<S: Serializer>(secret: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Secret::reveal).serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Secret::new))
    }
}

mod blob {
    use super::{BlobId, Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(blob: &BlobId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&hex::encode(&blob.0))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BlobId, D::Error> {
        hex::decode(String::deserialize(from)?)
            .map(BlobId)
            .map_err(de::Error::custom)
    }
}

mod blobs {
    use super::{BlobId, Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    struct One(#[serde(with = "super::blob")] BlobId);

    pub(super) fn serialize<S: Serializer>(blobs: &[BlobId], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(blobs.iter().map(|blob| hex::encode(&blob.0)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<BlobId>, D::Error> {
        Ok(Vec::<One>::deserialize(from)?.into_iter().map(|one| one.0).collect())
    }
}

mod entries {
    use super::{Deserialize, Deserializer, Entry, Serialize, Serializer, SourceEntry};

    #[derive(Serialize)]
    struct Shown<'a>(#[serde(with = "Entry")] &'a SourceEntry);

    #[derive(Deserialize)]
    struct One(#[serde(with = "Entry")] SourceEntry);

    pub(super) fn serialize<S: Serializer>(entries: &[SourceEntry], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(entries.iter().map(Shown))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SourceEntry>, D::Error> {
        Ok(Vec::<One>::deserialize(from)?.into_iter().map(|one| one.0).collect())
    }
}

/// Tags of frames.
const REQUEST: u8 = b'r';
const FILE: u8 = b'f';
const ANSWER: u8 = b'a';

/// Makes the request's frame.
pub(super) fn request(request: &Request) -> io::Result<Vec<u8>> {
    let mut frame = Vec::new();
    write_frame(&mut frame, REQUEST, &serde_json::to_vec(request)?)?;
    Ok(frame)
}

/// Reads the request.
pub(super) fn read_request(from: &mut impl Read) -> io::Result<Request> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let (tag, length) = parse_head(head)?;
    let mut payload = Vec::new();
    from.take(length.into()).read_to_end(&mut payload)?;
    if tag != REQUEST || payload.len() != length as usize {
        return Err(nonsense());
    }
    Ok(serde_json::from_slice(&payload)?)
}

/// Sends the content of one file.
pub(super) fn write_file(to: &mut impl Write, content: &[u8]) -> io::Result<()> {
    write_frame(to, FILE, content)
}

/// Sends the answer.
pub(super) fn write_answer(to: &mut impl Write, answer: &Answer) -> io::Result<()> {
    write_frame(to, ANSWER, &serde_json::to_vec(answer)?)?;
    to.flush()
}

/// Reads the next message of the child.
pub(super) async fn read_message(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Message> {
    let mut head = [0; 5];
    from.read_exact(&mut head).await?;
    let (tag, length) = parse_head(head)?;
    let mut payload = Vec::new();
    from.take(length.into()).read_to_end(&mut payload).await?;
    match tag {
        _ if payload.len() != length as usize => Err(nonsense()),
        FILE => Ok(Message::File(payload)),
        ANSWER => Ok(Message::Answer(serde_json::from_slice(&payload)?)),
        _ => Err(nonsense()),
    }
}

fn write_frame(to: &mut impl Write, tag: u8, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len())
        .ok()
        .filter(|length| *length <= MAX_FRAME_BYTES)
        .ok_or_else(nonsense)?;
    to.write_all(&[tag])?;
    to.write_all(&length.to_be_bytes())?;
    to.write_all(payload)
}

fn parse_head(head: [u8; 5]) -> io::Result<(u8, u32)> {
    let [tag, length @ ..] = head;
    let length = u32::from_be_bytes(length);
    if length > MAX_FRAME_BYTES {
        return Err(nonsense());
    }
    Ok((tag, length))
}

fn nonsense() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message of another shape than agreed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_comes_back_as_it_was_sent() {
        let tree = SourceTree {
            entries: vec![SourceEntry {
                path: "prod/\u{fffd}.yaml".to_owned(),
                plain: false,
                kind: EntryKind::Symlink,
                blob: BlobId(vec![0, 255]),
                size: 7,
            }],
            missing: vec!["dev".to_owned()],
        };
        let mut sent = Vec::new();
        write_file(&mut sent, b"\0\xff").unwrap();
        let answer = Answer::Tree {
            commit: "c".to_owned(),
            tree: tree.clone(),
        };
        write_answer(&mut sent, &answer).unwrap();
        let mut from = &sent[..];
        let Message::File(content) = read_message(&mut from).await.unwrap() else {
            panic!("no file")
        };
        assert_eq!(content, b"\0\xff");
        let Message::Answer(Answer::Tree { tree: came, .. }) = read_message(&mut from).await.unwrap() else {
            panic!("no tree")
        };
        assert_eq!(came, tree);
    }

    #[tokio::test]
    async fn what_is_no_message_is_an_error() {
        for bytes in [
            &b""[..],
            b"a",
            b"x\0\0\0\0",
            b"a\0\0\0\x05null",
            b"f\xff\xff\xff\xff",
            b"a\0\0\0\x01{",
        ] {
            assert!(read_message(&mut &bytes[..]).await.is_err(), "{bytes:?}");
        }
    }
}
