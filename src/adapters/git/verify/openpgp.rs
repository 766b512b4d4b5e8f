//! Signatures by OpenPGP keys. Parsing, cryptography and the rules of keys, subkeys and revocations are rPGP's and rpgpie's.

use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails as _, Timestamp as PgpTimestamp};
use rpgpie::certificate::{Certificate, Checked};
use rpgpie::{detached, signature};

use super::Times;
use crate::domain::Timestamp;

/// How each armored block begins: a file may hold several.
const BLOCK: &[u8] = b"-----BEGIN PGP ";

/// Hashes that a signature over a commit may use. rpgpie takes older ones where the signature claims to be old, which
/// anybody may claim.
const HASHES: [HashAlgorithm; 6] = [
    HashAlgorithm::Sha256,
    HashAlgorithm::Sha384,
    HashAlgorithm::Sha512,
    HashAlgorithm::Sha224,
    HashAlgorithm::Sha3_256,
    HashAlgorithm::Sha3_512,
];

/// Reads certificates, armored or binary, one or many.
///
/// # Errors
///
/// There is none, or one that cannot be read.
pub(super) fn certificates(file: &[u8]) -> Result<Vec<Certificate>, String> {
    let mut starts: Vec<usize> = file
        .windows(BLOCK.len())
        .enumerate()
        .filter(|(_, window)| *window == BLOCK)
        .map(|(at, _)| at)
        .collect();
    if starts.is_empty() {
        starts.push(0);
    }
    let ends = starts.iter().copied().skip(1).chain([file.len()]);
    let mut certificates = Vec::new();
    for (start, end) in starts.iter().copied().zip(ends) {
        let loaded = Certificate::load(&mut &file[start..end])
            .map_err(|error| format!("not OpenPGP public keys: {error}: write what `gpg --export --armor` prints"))?;
        certificates.extend(loaded);
    }
    Ok(certificates)
}

/// Checks a signature over `payload`.
///
/// # Errors
///
/// Says why the commit may not speak.
pub(super) fn check(armored: &str, payload: &[u8], certificates: &[Certificate], times: Times) -> Result<(), String> {
    let signatures = signature::load(&mut armored.as_bytes())
        .map_err(|error| format!("its OpenPGP signature cannot be read: {error}"))?;
    let [signature] = &signatures[..] else {
        return Err(format!(
            "it has {} OpenPGP signatures and should have one",
            signatures.len()
        ));
    };
    let issuer = issuer(signature);
    if signature.typ() != Some(SignatureType::Binary) {
        return Err(format!("its OpenPGP signature by {issuer} is not one over bytes"));
    }
    let Some(hash) = signature.hash_alg().filter(|hash| HASHES.contains(hash)) else {
        let hash = signature
            .hash_alg()
            .map_or_else(|| "none".to_owned(), |hash| hash.to_string());
        return Err(format!(
            "its OpenPGP signature by {issuer} uses the hash {hash}, which is too weak"
        ));
    };
    let verified = detached::verify(payload, &signatures, certificates)
        .map_err(|error| format!("its OpenPGP signature by {issuer} cannot be checked: {error}"))?;
    let Some(verified) = verified.first() else {
        return Err(why_not(signature, certificates, &issuer));
    };
    let now = pgp_time(times.now).ok_or("the clock is out of OpenPGP's range")?;
    if signature_expired(signature, now) {
        return Err(format!("its OpenPGP signature by {issuer} ({hash}) has expired"));
    }
    let valid_now = verified.certs.iter().any(|certificate| {
        let checked = Checked::new((*certificate).clone());
        let keys = checked.valid_signing_capable_component_keys_at(now);
        keys.iter()
            .any(|key| key.as_componentkey().fingerprint() == verified.component)
    });
    if !valid_now {
        return Err(format!(
            "the OpenPGP key {} has expired or was revoked",
            verified.component
        ));
    }
    Ok(())
}

/// Tells an unknown key from a known one that does not hold.
fn why_not(signature: &Signature, certificates: &[Certificate], issuer: &str) -> String {
    let known = certificates.iter().any(|certificate| {
        let checked = Checked::new(certificate.clone());
        let key = checked.as_signed_public_key();
        let subkeys = key
            .public_subkeys
            .iter()
            .map(|subkey| (subkey.key.fingerprint(), subkey.key.legacy_key_id()));
        let mut all = subkeys.chain([(key.primary_key.fingerprint(), key.primary_key.legacy_key_id())]);
        all.any(|(fingerprint, id)| {
            signature.issuer_fingerprint().contains(&&fingerprint) || signature.issuer_key_id().contains(&&id)
        })
    });
    if known {
        format!(
            "its OpenPGP signature is not a good one of the key {issuer}: the commit was changed, or the key was not one \
             for signing, had expired, was revoked, or is too weak"
        )
    } else {
        format!("it is signed by the OpenPGP key {issuer}, which is not among the keys")
    }
}

fn issuer(signature: &Signature) -> String {
    if let Some(fingerprint) = signature.issuer_fingerprint().first() {
        return fingerprint.to_string();
    }
    let id = signature.issuer_key_id().first().map(ToString::to_string);
    id.unwrap_or_else(|| "nobody".to_owned())
}

/// Returns whether the signature itself says that it no longer counts.
fn signature_expired(signature: &Signature, now: PgpTimestamp) -> bool {
    let (Some(made), Some(lasts)) = (signature.created(), signature.signature_expiration_time()) else {
        return false;
    };
    lasts.as_secs() != 0 && now.as_secs() >= made.as_secs().saturating_add(lasts.as_secs())
}

/// OpenPGP counts seconds in 32 bits.
fn pgp_time(time: Timestamp) -> Option<PgpTimestamp> {
    u32::try_from(time.timestamp()).ok().map(PgpTimestamp::from_secs)
}
