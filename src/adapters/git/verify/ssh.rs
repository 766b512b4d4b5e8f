//! Signatures by SSH keys, as `git commit -S` makes them with `gpg.format=ssh`. The cryptography is ssh-key's.

use ssh_key::public::KeyData;
use ssh_key::{HashAlg, PublicKey, SshSig};

use super::Times;
use super::allowed_signers::{NAMESPACE, Signer, Signers};

/// Least bits of an RSA key: OpenSSH's own default is more since 2019, and shorter ones have been factored.
const MIN_RSA_BITS: usize = 2048;
/// What a security key adds to its signature: flags in one byte, then a counter of four.
const SECURITY_KEY_TRAILER: usize = 5;
/// The flag that somebody touched the key.
const TOUCHED: u8 = 1;

/// Checks a signature over `payload`.
///
/// # Errors
///
/// Says why the commit may not speak.
pub(super) fn check(signature: &str, payload: &[u8], signers: &Signers, times: Times) -> Result<(), String> {
    let signature =
        SshSig::from_pem(signature).map_err(|error| format!("its SSH signature cannot be read: {error}"))?;
    if signature.namespace() != NAMESPACE {
        let namespace = signature.namespace();
        return Err(format!(
            "its signature is for the namespace {namespace:?}, not {NAMESPACE:?}"
        ));
    }
    let key = PublicKey::from(signature.public_key().clone());
    let shown = format!("{} key {}", key.algorithm(), key.fingerprint(HashAlg::Sha256));
    let mut refusal = unknown(&key, &shown, signers);
    for signer in signers
        .keys
        .iter()
        .filter(|signer| signer.key.key_data() == key.key_data())
    {
        match in_time(signer, times) {
            Ok(()) => return verify(&key, payload, &signature, &shown),
            Err(why) => refusal = format!("the {shown} of {} {why}", signer.principals),
        }
    }
    Err(refusal)
}

fn unknown(key: &PublicKey, shown: &str, signers: &Signers) -> String {
    if matches!(key.key_data(), KeyData::Other(_)) || key.algorithm().as_str().contains("-cert-") {
        return format!("it is signed with a certificate or an unknown kind of key, {shown}, which is not supported");
    }
    match signers.authorities {
        0 => format!("it is signed by the {shown}, which is not among the allowed signers"),
        number => format!(
            "it is signed by the {shown}, which is not among the allowed signers; {number} cert-authority lines are not used"
        ),
    }
}

fn in_time(signer: &Signer, times: Times) -> Result<(), String> {
    for (time, when) in [(times.committed, "when the commit was made"), (times.now, "now")] {
        if signer.after.is_some_and(|after| time < after) {
            return Err(format!("is not valid yet {when}"));
        }
        if signer.before.is_some_and(|before| time >= before) {
            return Err(format!("is no longer valid {when}"));
        }
    }
    Ok(())
}

fn verify(key: &PublicKey, payload: &[u8], signature: &SshSig, shown: &str) -> Result<(), String> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the kinds that need a closer look")]
    match key.key_data() {
        KeyData::Rsa(key) => {
            let bytes = key.n.as_positive_bytes().unwrap_or_default();
            let bits = bytes.len() * 8 - bytes.first().map_or(0, |byte| byte.leading_zeros() as usize);
            if bits < MIN_RSA_BITS {
                return Err(format!(
                    "it is signed by the {shown} of {bits} bits, fewer than {MIN_RSA_BITS}"
                ));
            }
        }
        KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => {
            let bytes = signature.signature_bytes();
            let flags = bytes
                .len()
                .checked_sub(SECURITY_KEY_TRAILER)
                .and_then(|at| bytes.get(at));
            if flags.is_none_or(|flags| flags & TOUCHED == 0) {
                return Err(format!("nobody touched the security key {shown}"));
            }
        }
        _ => {}
    }
    key.verify(NAMESPACE, payload, signature)
        .map_err(|_| format!("its signature is not one of the {shown} over this commit"))
}
