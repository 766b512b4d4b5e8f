//! Making deployment packages, for tests and rehearsals. It reads no files.

use std::io::{Cursor, Write as _};

use bytes::Bytes;

/// A zip of these files. The same files give the same bytes, and so the same `CodeSha256`.
pub fn package<N, C>(files: impl IntoIterator<Item = (N, C)>) -> Bytes
where
    N: Into<String>,
    C: AsRef<[u8]>,
{
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    for (name, content) in files {
        // Writing to memory only fails where a name is taken twice; the first file of the name then stays.
        let _ = zip
            .start_file(name.into(), options)
            .and_then(|()| Ok(zip.write_all(content.as_ref())?));
    }
    zip.finish().map(Cursor::into_inner).unwrap_or_default().into()
}
