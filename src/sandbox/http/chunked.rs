//! `aws-chunked` bodies: signed or unsigned chunks, with or without trailing headers. The signatures are not verified.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

/// A body without its chunking, and the headers that came behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) body: Bytes,
    pub(super) trailers: BTreeMap<String, String>,
}

/// Takes the chunks apart. `None` where the body is not chunked as it should be.
pub(super) fn decode(encoded: &[u8]) -> Option<Decoded> {
    let mut rest = encoded;
    let mut body = BytesMut::with_capacity(encoded.len());
    loop {
        let (line, after) = split_line(rest)?;
        let size = line.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(Decoded {
                body: body.freeze(),
                trailers: trailers(after),
            });
        }
        body.extend_from_slice(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

fn trailers(mut rest: &[u8]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    while let Some((line, after)) = split_line(rest) {
        rest = after;
        if let Some((name, value)) = line.split_once(':') {
            found.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

/// A line up to its CRLF (some clients end trailers with a bare LF), and what follows.
fn split_line(data: &[u8]) -> Option<(&str, &[u8])> {
    let at = data.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&data[..at]).ok()?;
    Some((line.trim_end_matches('\r'), &data[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn signed_chunks_lose_their_signatures() {
        let decoded =
            decode(b"3;chunk-signature=ab\r\none\r\n4;chunk-signature=cd\r\n\r\n-2\r\n0;chunk-signature=ef\r\n\r\n");
        let decoded = decoded.unwrap();
        assert_eq!(decoded.body, "one\r\n-2");
        assert!(decoded.trailers.is_empty());
    }

    #[test]
    fn trailers_are_read_in_lower_case() {
        let decoded =
            decode(b"3\r\none\r\n0\r\nX-Amz-Checksum-CRC32:eouWUw==\r\nx-amz-trailer-signature:ab\r\n\r\n").unwrap();
        assert_eq!(decoded.body, "one");
        assert_eq!(decoded.trailers["x-amz-checksum-crc32"], "eouWUw==");
    }

    #[test]
    fn an_empty_body_is_one_last_chunk() {
        assert_eq!(decode(b"0\r\n\r\n").unwrap().body, "");
    }

    #[test]
    fn a_body_that_ends_too_early_is_refused() {
        for broken in [
            &b"5\r\none\r\n"[..],
            b"3\r\none\r\n",
            b"x\r\none\r\n0\r\n\r\n",
            b"3\r\noneX0\r\n\r\n",
            b"",
        ] {
            assert_eq!(decode(broken), None);
        }
    }
}
