//! S3's checksum algorithms: naming, computing, and checking what a client sent. It knows no objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::S3Error;

/// An algorithm that the sandbox computes. S3's xxHash family is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    #[serde(rename = "CRC32")]
    Crc32,
    #[serde(rename = "CRC32C")]
    Crc32c,
    #[serde(rename = "CRC64NVME")]
    Crc64Nvme,
    #[serde(rename = "SHA1")]
    Sha1,
    #[serde(rename = "SHA256")]
    Sha256,
    #[serde(rename = "SHA512")]
    Sha512,
    #[serde(rename = "MD5")]
    Md5,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 7] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
        Self::Md5,
    ];

    /// As `x-amz-checksum-algorithm` names it, and with `Checksum` before it the XML elements.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
            Self::Md5 => "MD5",
        }
    }

    /// The header that carries its value.
    pub(crate) const fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
            Self::Sha512 => "x-amz-checksum-sha512",
            Self::Md5 => "x-amz-checksum-md5",
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self, S3Error> {
        if let Some(found) = Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
        {
            return Ok(found);
        }
        if name.to_ascii_uppercase().starts_with("XXHASH") {
            return Err(S3Error::new(
                501,
                "NotImplemented",
                "the sandbox does not compute xxHash checksums",
            ));
        }
        Err(S3Error::invalid_request(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
        ))
    }

    pub(crate) fn digest(self, data: &[u8]) -> Vec<u8> {
        let crc32 = |value: u64| u32::try_from(value).unwrap_or(0).to_be_bytes().to_vec();
        match self {
            Self::Crc32 => crc32(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, data)),
            Self::Crc32c => crc32(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, data)),
            Self::Crc64Nvme => crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, data)
                .to_be_bytes()
                .to_vec(),
            Self::Sha1 => sha1::Sha1::digest(data).to_vec(),
            Self::Sha256 => sha2::Sha256::digest(data).to_vec(),
            Self::Sha512 => sha2::Sha512::digest(data).to_vec(),
            Self::Md5 => md5::Md5::digest(data).to_vec(),
        }
    }

    pub(crate) fn encode(self, data: &[u8]) -> String {
        STANDARD.encode(self.digest(data))
    }

    /// Of a multipart object only the CRCs can be had over the whole; the others are a checksum of checksums.
    pub(crate) const fn full_object_possible(self) -> bool {
        match self {
            Self::Crc32 | Self::Crc32c | Self::Crc64Nvme => true,
            Self::Sha1 | Self::Sha256 | Self::Sha512 | Self::Md5 => false,
        }
    }
}

/// A checksum that S3 keeps with an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    /// Base64; for a composite one with `-` and the number of parts behind it.
    pub(crate) value: String,
    pub(crate) composite: bool,
}

impl Checksum {
    /// The checksum of a whole body: the one that the client asked for or sent, else CRC64NVME, which S3 attaches by
    /// itself. A value that was sent has to fit.
    pub(crate) fn of(body: &[u8], wanted: &Wanted) -> Result<Self, S3Error> {
        let algorithm = wanted.algorithm.unwrap_or(Algorithm::Crc64Nvme);
        let value = algorithm.encode(body);
        if wanted.value.as_ref().is_some_and(|sent| *sent != value) {
            return Err(S3Error::new(
                400,
                "BadDigest",
                format!(
                    "The {} you specified did not match the calculated checksum.",
                    algorithm.name()
                ),
            ));
        }
        Ok(Self {
            algorithm,
            value,
            composite: false,
        })
    }

    pub(crate) const fn kind(&self) -> &'static str {
        if self.composite { "COMPOSITE" } else { "FULL_OBJECT" }
    }
}

/// The checksum that a client wants kept, and its value where the client knows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) value: Option<String>,
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

/// Holds the header `Content-MD5` against the body.
pub(crate) fn check_content_md5(body: &[u8], sent: Option<&str>) -> Result<(), S3Error> {
    let Some(sent) = sent else {
        return Ok(());
    };
    match STANDARD.decode(sent) {
        Ok(digest) if digest == Algorithm::Md5.digest(body) => Ok(()),
        Ok(digest) if digest.len() == 16 => Err(S3Error::new(
            400,
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
        )),
        Ok(_) | Err(_) => Err(S3Error::new(
            400,
            "InvalidDigest",
            "The Content-MD5 you specified was invalid.",
        )),
    }
}
