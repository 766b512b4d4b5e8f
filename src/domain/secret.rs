//! A text that must not be seen. Has no Display, no Debug of its content, no serde; reads no file.

use std::fmt;

/// A token or a key. Its content appears nowhere unless somebody asks for it by [`Secret::reveal`].
///
/// Not comparable: whoever compares secrets has to do so in constant time.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret, without the line break that editors leave at the end of a file.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        Self(text)
    }

    /// Returns the content, for the one place that sends or compares it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("hunter2\r\n");
        assert_eq!(secret.reveal(), "hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert!(Secret::new("\n").is_empty());
    }
}
