//! How large files are that were listed before. What a content's name stands for never changes, so neither does its size, and
//! to look up those of ten thousand files takes longer than all the rest of reading a commit.

use std::sync::Arc;

use git2::Oid;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::domain::{EntryKind, SourceTree};

/// Bytes of a name and of the size behind it.
const NAME: usize = 20;
const RECORD: usize = NAME + size_of::<u64>();

/// The sizes of contents, by their names: records in the order of these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sizes(Arc<Vec<u8>>);

impl Sizes {
    /// Takes the sizes from what was listed.
    pub(super) fn of(tree: &SourceTree) -> Self {
        let files = tree.entries.iter().filter(|entry| entry.kind == EntryKind::File);
        let mut records: Vec<(&[u8], u64)> = files.map(|entry| (entry.blob.0.as_slice(), entry.size)).collect();
        // Another repository format may have longer names one day; those are looked up each time.
        records.retain(|(name, _)| name.len() == NAME);
        records.sort_unstable();
        records.dedup();
        let mut bytes = Vec::with_capacity(records.len() * RECORD);
        for (name, size) in records {
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(&size.to_be_bytes());
        }
        Self(Arc::new(bytes))
    }

    /// Returns the size of a content, if it is known.
    pub(super) fn get(&self, name: Oid) -> Option<u64> {
        let (records, _) = self.0.as_chunks::<RECORD>();
        let found = records
            .binary_search_by(|record| record[..NAME].cmp(name.as_bytes()))
            .ok()?;
        records[found].last_chunk().copied().map(u64::from_be_bytes)
    }
}

impl Serialize for Sizes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(&*self.0))
    }
}

impl<'de> Deserialize<'de> for Sizes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = hex::decode(String::deserialize(from)?).map_err(de::Error::custom)?;
        Ok(Self(Arc::new(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BlobId, SourceEntry};

    #[test]
    fn sizes_of_files_are_known_on_the_other_side_of_the_pipe() {
        let entry = |kind, name: u8, size| SourceEntry {
            path: format!("{name}.yaml"),
            plain: true,
            kind,
            blob: BlobId(vec![name; NAME]),
            size,
        };
        let tree = SourceTree {
            entries: vec![
                entry(EntryKind::File, 3, 30),
                entry(EntryKind::File, 1, u64::MAX),
                entry(EntryKind::Symlink, 2, 20),
                entry(EntryKind::File, 3, 30),
            ],
            missing: Vec::new(),
        };
        let sent = serde_json::to_string(&Sizes::of(&tree)).unwrap();
        let sizes: Sizes = serde_json::from_str(&sent).unwrap();
        let of = |name: u8| sizes.get(Oid::from_bytes(&[name; NAME]).unwrap());
        assert_eq!((of(1), of(2), of(3), of(4)), (Some(u64::MAX), None, Some(30), None));
    }
}
