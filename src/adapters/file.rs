//! Reads small files of this machine, each within a bound: secrets, keys, host keys. Looks at no content.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::domain::Secret;

/// Bytes of the largest secret: a token has some dozens, a private key a few thousand.
const LARGEST_SECRET: u64 = 16 * 1024;

/// Bytes of the largest file of another kind: a large company's `known_hosts` has some hundred KiB.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Why a file is of no use. Names the file, and never shows what is in it: that may be a secret.
#[derive(Debug, Error)]
pub enum FileError {
    /// It is not there, or may not be read.
    #[error("cannot read {}: {why}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says. Not a source: it is repeated here, where one line has to say all.
        why: io::Error,
    },
    /// It is larger than any of its kind.
    #[error("{} has more than {} KiB, which nothing of its kind has", .file.display(), .most / 1024)]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The bound, in bytes.
        most: u64,
    },
    /// It is no text.
    #[error("cannot read {}: it is not UTF-8", .file.display())]
    NotText {
        /// The file.
        file: PathBuf,
    },
    /// Nothing is in it, which would be a secret that everybody knows.
    #[error("{} is empty", .file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
}

/// Reads a secret. A line break at its end is not part of it.
///
/// # Errors
///
/// The file cannot be read, has more than 16 KiB, is not UTF-8, or is empty.
pub fn secret(path: &Path) -> Result<Secret, FileError> {
    let secret = Secret::new(text_within(path, LARGEST_SECRET)?);
    if secret.is_empty() {
        return Err(FileError::Empty { file: path.to_owned() });
    }
    Ok(secret)
}

/// Reads a text.
///
/// # Errors
///
/// The file cannot be read, has more than 4 MiB, or is not UTF-8.
pub fn text(path: &Path) -> Result<String, FileError> {
    text_within(path, LARGEST)
}

/// Reads bytes.
///
/// # Errors
///
/// The file cannot be read, or has more than 4 MiB.
pub fn bytes(path: &Path) -> Result<Vec<u8>, FileError> {
    bytes_within(path, LARGEST)
}

fn text_within(path: &Path, most: u64) -> Result<String, FileError> {
    String::from_utf8(bytes_within(path, most)?).map_err(|_| FileError::NotText { file: path.to_owned() })
}

fn bytes_within(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large, however large, and even one without end.
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    match read {
        Ok(read) if read as u64 > most => Err(FileError::TooLarge {
            file: path.to_owned(),
            most,
        }),
        Ok(_) => Ok(bytes),
        Err(why) => Err(FileError::Read {
            file: path.to_owned(),
            why,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_text_of_a_bounded_length_that_nobody_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let read = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            secret(&path)
        };
        assert_eq!(read(b"hunter2\r\n").unwrap().reveal(), "hunter2");
        assert!(read(&[b'x'; 16 * 1024]).is_ok());
        let name = path.display();
        for (content, expected) in [
            (&b""[..], format!("{name} is empty")),
            (b"\n", format!("{name} is empty")),
            (b"hunter2\xff", format!("cannot read {name}: it is not UTF-8")),
            (
                &vec![b'x'; 16 * 1024 + 1],
                format!("{name} has more than 16 KiB, which nothing of its kind has"),
            ),
        ] {
            assert_eq!(read(content).unwrap_err().to_string(), expected);
        }
        std::fs::remove_file(&path).unwrap();
        let missing = secret(&path).unwrap_err().to_string();
        assert!(
            missing.starts_with(&format!("cannot read {name}: No such file")),
            "{missing}"
        );
    }

    #[test]
    fn a_file_without_end_is_not_read_to_its_end() {
        for refused in [
            secret(Path::new("/dev/zero")).map(drop),
            text(Path::new("/dev/zero")).map(drop),
            bytes(Path::new("/dev/zero")).map(drop),
        ] {
            assert!(matches!(refused, Err(FileError::TooLarge { .. })), "{refused:?}");
        }
    }
}
