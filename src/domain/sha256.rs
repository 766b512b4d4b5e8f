//! The hash of a deployment package. Parses what people write, prints what Lambda says; hashes nothing itself.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

/// SHA-256 of a zip's bytes: what Lambda calls `CodeSha256` and S3 `x-amz-checksum-sha256`.
///
/// Lambda hashes the zip as it was uploaded and does not look inside, so another zip of the same
/// files has another hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeSha256([u8; 32]);

/// A text that is no SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a SHA-256: use 64 hex digits (as sha256sum prints) or 44 characters of base64 (as CodeSha256 shows)")]
pub struct Sha256Error;

impl CodeSha256 {
    /// Takes the 32 bytes of a digest.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 64 hex digits that `sha256sum` prints.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// Returns the first eight characters of the base64 form, for texts where the whole would be noise.
    pub fn short(self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

impl FromStr for CodeSha256 {
    type Err = Sha256Error;

    /// Reads 64 hex digits in either case or 44 characters of base64, with or without the prefix `sha256:`.
    fn from_str(text: &str) -> Result<Self, Sha256Error> {
        let text = text.strip_prefix("sha256:").unwrap_or(text);
        let bytes = match text.len() {
            64 => hex::decode(text).map_err(|_| Sha256Error)?,
            44 => STANDARD.decode(text).map_err(|_| Sha256Error)?,
            _ => return Err(Sha256Error),
        };
        bytes.try_into().map(Self).map_err(|_| Sha256Error)
    }
}

impl fmt::Display for CodeSha256 {
    /// Writes base64, as Lambda does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for CodeSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of nothing, in the three ways that people write it.
    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const BASE64: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    #[test]
    fn hex_and_base64_are_one_value() {
        let from_hex: CodeSha256 = HEX.parse().unwrap();
        assert_eq!(from_hex, BASE64.parse().unwrap());
        assert_eq!(from_hex, HEX.to_uppercase().parse().unwrap());
        assert_eq!(from_hex, format!("sha256:{HEX}").parse().unwrap());
        assert_eq!(from_hex.to_string(), BASE64);
        assert_eq!(from_hex.to_hex(), HEX);
    }

    #[test]
    fn a_composite_or_truncated_hash_is_refused() {
        for bad in [
            &format!("{BASE64}-2"),
            &HEX[1..],
            "",
            "sha256:",
            &"z".repeat(64),
            &"?".repeat(44),
        ] {
            assert_eq!(bad.parse::<CodeSha256>(), Err(Sha256Error), "{bad}");
        }
    }
}
