//! Identifiers that look like AWS's and are the same in every run. It holds no randomness, so that a failing test fails again.

use serde::{Deserialize, Serialize};

/// A counter whose values are scrambled into the shapes that AWS uses.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Ids {
    seed: u64,
    count: u64,
}

const VERSION_ID_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

impl Ids {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    /// A `RevisionId`: shaped like a version 4 UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | (low >> 48) & 0x3fff,
            low & 0xffff_ffff_ffff
        )
    }

    /// An S3 version id or upload id: 32 characters that need no escaping in a URL.
    pub(crate) fn version_id(&mut self) -> String {
        let mut text = String::with_capacity(32);
        for _ in 0..4 {
            let mut bits = self.next();
            for _ in 0..8 {
                text.push(char::from(VERSION_ID_ALPHABET[usize::try_from(bits & 63).unwrap_or(0)]));
                bits >>= 6;
            }
        }
        text
    }

    /// A number in `low..=high`, for durations that spread as they do on AWS.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    fn next(&mut self) -> u64 {
        self.count += 1;
        // SplitMix64's finaliser: neighbouring counts end up far apart.
        let mut z = self.seed.wrapping_add(self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
