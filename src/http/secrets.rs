//! What callers must prove to know: the secrets of webhooks and of the API. Compares in constant time; reads no file.

use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use crate::domain::Secret;

/// What stands before the key in GitLab's signing tokens, as the Standard Webhooks specification has it.
const ENCODED: &str = "whsec_";

/// The secrets; what has none is not offered.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// Of GitHub's webhooks.
    pub github: Option<SigningKey>,
    /// Of GitLab's webhooks that are signed.
    pub gitlab: Option<SigningKey>,
    /// Of GitLab's webhooks that send a token along.
    pub gitlab_token: Option<Secret>,
    /// Of webhooks that others send.
    pub generic: Option<SigningKey>,
    /// Of the calls to the API that ask for something.
    pub api: Option<Secret>,
}

/// A key of HMAC-SHA-256.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

/// A signing token that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("what follows whsec_ is no key in base64: copy the signing token as GitLab shows it")]
pub struct SigningKeyError;

impl SigningKey {
    /// Takes a secret as it is.
    pub fn new(secret: &Secret) -> Self {
        Self::of(secret.reveal().as_bytes())
    }

    /// Takes a signing token of GitLab: `whsec_` and the key in base64. Any other text is the key itself.
    ///
    /// # Errors
    ///
    /// The part after `whsec_` is not base64, or empty: anybody would know that key.
    pub fn from_token(token: &Secret) -> Result<Self, SigningKeyError> {
        match token.reveal().strip_prefix(ENCODED) {
            Some(encoded) => match STANDARD.decode(encoded) {
                Ok(key) if !key.is_empty() => Ok(Self::of(&key)),
                Ok(_) | Err(_) => Err(SigningKeyError),
            },
            None => Ok(Self::new(token)),
        }
    }

    #[expect(
        clippy::expect_used,
        reason = "HMAC takes keys of every length (RFC 2104, section 2)"
    )]
    fn of(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("every length is a key's"))
    }

    /// Begins to sign.
    pub(super) fn begin(&self) -> Signature {
        Signature(self.0.clone())
    }
}

/// The signature of what has gone by so far. Keeps nothing of it.
pub(super) struct Signature(Hmac<Sha256>);

impl Signature {
    /// Takes the next piece.
    pub(super) fn take(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Returns whether it is the same as another.
    pub(super) fn is(&self, other: &[u8]) -> bool {
        self.0.clone().verify_slice(other).is_ok()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// Returns whether what a caller sent is the secret. Neither its content nor its length can be learnt from the time
/// that this takes.
pub(super) fn is_same(secret: &Secret, sent: &[u8]) -> bool {
    let (ours, theirs) = (Sha256::digest(secret.reveal().as_bytes()), Sha256::digest(sent));
    ours.as_slice().ct_eq(theirs.as_slice()).into()
}

/// The secrets in force. They may be replaced while the server is at work; clones are the same ring.
#[derive(Debug, Clone, Default)]
pub struct Keyring(Arc<RwLock<Arc<Secrets>>>);

impl Keyring {
    /// Takes the first secrets.
    pub fn new(secrets: Secrets) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(secrets))))
    }

    /// Puts others in their place, for every request from now on.
    pub fn replace(&self, secrets: Secrets) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(secrets);
    }

    pub(super) fn get(&self) -> Arc<Secrets> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_shown() {
        let secrets = Secrets {
            github: Some(SigningKey::new(&Secret::new("hunter2"))),
            api: Some(Secret::new("hunter2")),
            ..Secrets::default()
        };
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }

    #[test]
    fn a_token_must_be_the_same_to_the_last_byte() {
        let secret = Secret::new("hunter2");
        assert!(is_same(&secret, b"hunter2"));
        for wrong in [&b""[..], b"hunter", b"hunter22", b"Hunter2"] {
            assert!(!is_same(&secret, wrong));
        }
    }

    #[test]
    fn a_signing_token_that_is_cut_off_is_refused() {
        assert!(SigningKey::from_token(&Secret::new("whsec_AAAA")).is_ok());
        assert!(SigningKey::from_token(&Secret::new("plain")).is_ok());
        for wrong in ["whsec_AAA", "whsec_"] {
            assert!(SigningKey::from_token(&Secret::new(wrong)).is_err(), "{wrong}");
        }
    }
}
