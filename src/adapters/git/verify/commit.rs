//! Takes a commit's bytes apart: what was signed, and the signature. Refuses whatever two programs could read in two ways.
//!
//! The signature is over the bytes of the object without the header that holds it (gitformat-signature(5)). Programs that
//! parsed the headers and wrote them anew were made to verify another commit than they used, by doubled headers.

use chrono::DateTime;

use crate::domain::Timestamp;

/// The header with the signature.
const SIGNATURE: &str = "gpgsig";
/// How each commit begins, in this order; parents are any number.
const FIXED: [&str; 4] = ["tree", "parent", "author", "committer"];

/// A commit, its signature apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SignedCommit<'a> {
    /// The tree, in hex digits.
    pub(super) tree: &'a str,
    /// When the committer says that it was made.
    pub(super) committed: Timestamp,
    /// What was signed: every byte but the signature's header.
    pub(super) payload: Vec<u8>,
    /// The signature as it was made.
    pub(super) signature: Option<String>,
}

/// Parses the bytes of a commit.
///
/// # Errors
///
/// Says what is not as Git writes it.
pub(super) fn parse(raw: &[u8]) -> Result<SignedCommit<'_>, String> {
    let mut tree = None;
    let mut committed = None;
    let mut signature: Option<Vec<&[u8]>> = None;
    let mut payload = Vec::with_capacity(raw.len());
    let mut rest = raw;
    // Where in FIXED the last header was, and whether it goes on in the next line.
    let (mut reached, mut in_signature, mut any) = (0, false, false);
    loop {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or("its headers do not end")?;
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        if line.contains(&0) {
            return Err("a header holds a NUL".to_owned());
        }
        if line.is_empty() {
            payload.extend_from_slice(rest);
            break;
        }
        if let Some(continued) = line.strip_prefix(b" ") {
            if !any {
                return Err("it begins with a continued line".to_owned());
            }
            match signature.as_mut().filter(|_| in_signature) {
                Some(lines) => lines.push(continued),
                None => payload.extend_from_slice(&rest[..=end]),
            }
            rest = after;
            continue;
        }
        any = true;
        let (name, value) = split(line)?;
        in_signature = name == SIGNATURE;
        if in_signature {
            if signature.replace(vec![value]).is_some() {
                return Err("it has two signatures".to_owned());
            }
            rest = after;
            continue;
        }
        if name.starts_with(SIGNATURE) {
            return Err(format!("it has a signature of another kind, {name}"));
        }
        reached = order(name, reached)?;
        match name {
            "tree" => tree = Some(std::str::from_utf8(value).map_err(|_| "its tree is not a name".to_owned())?),
            "committer" => committed = Some(time(value)?),
            _ => {}
        }
        payload.extend_from_slice(&rest[..=end]);
        rest = after;
    }
    let signature = match signature {
        Some(lines) => {
            let text = String::from_utf8(lines.join(&b'\n')).map_err(|_| "its signature is not text".to_owned())?;
            Some(text + "\n")
        }
        None => None,
    };
    Ok(SignedCommit {
        tree: tree.ok_or("it has no tree")?,
        committed: committed.ok_or("it has no committer")?,
        payload,
        signature,
    })
}

fn split(line: &[u8]) -> Result<(&str, &[u8]), String> {
    let at = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let name = std::str::from_utf8(&line[..at]).map_err(|_| "the name of a header is not text".to_owned())?;
    Ok((name, line.get(at + 1..).unwrap_or_default()))
}

/// Returns how far the fixed headers have come with this one.
fn order(name: &str, reached: usize) -> Result<usize, String> {
    let place = FIXED.iter().position(|fixed| *fixed == name);
    let next = match (place, reached) {
        (Some(0), 0) => 1,
        // Parents, of which there may be none.
        (Some(1), 1 | 2) => 2,
        (Some(2), 1 | 2) => 3,
        // What else a commit may say comes behind these.
        (Some(3), 3) | (None, 4) => 4,
        _ => return Err(format!("its header {name:?} is doubled or out of place")),
    };
    Ok(next)
}

/// Reads the time at the end of the committer: seconds since 1970 and a zone, which says nothing of when it was.
fn time(committer: &[u8]) -> Result<Timestamp, String> {
    let seconds = || {
        let text = std::str::from_utf8(committer.rsplit(|byte| *byte == b' ').nth(1)?).ok()?;
        DateTime::from_timestamp(text.parse().ok()?, 0)
    };
    seconds().ok_or_else(|| "its committer has no time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n";
    const AUTHOR: &str = "author A <a@example.com> 1700000000 +0200\n";
    const COMMITTER: &str = "committer C <c@example.com> 1700000001 -0500\n";
    const SIGNED: &str = "gpgsig -----BEGIN\n abc\n \n def\n -----END\n";

    fn refusal(raw: &str) -> String {
        parse(raw.as_bytes()).unwrap_err()
    }

    #[test]
    fn the_payload_is_everything_but_the_signature() {
        let parent = "parent 1111111111111111111111111111111111111111\n";
        let extra = "encoding latin1\nmergetag object 1\n tree\n x\n";
        let message = "\nsubject\n\ngpgsig is a word here\n";
        let raw = format!("{TREE}{parent}{parent}{AUTHOR}{COMMITTER}{SIGNED}{extra}{message}");
        let commit = parse(raw.as_bytes()).unwrap();
        assert_eq!(commit.tree, "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        assert_eq!(commit.committed.timestamp(), 1_700_000_001);
        assert_eq!(commit.signature.as_deref(), Some("-----BEGIN\nabc\n\ndef\n-----END\n"));
        let payload = format!("{TREE}{parent}{parent}{AUTHOR}{COMMITTER}{extra}{message}");
        assert_eq!(String::from_utf8(commit.payload).unwrap(), payload);
    }

    #[test]
    fn a_commit_without_a_signature_is_its_own_payload() {
        let raw = format!("{TREE}{AUTHOR}{COMMITTER}\n");
        let commit = parse(raw.as_bytes()).unwrap();
        assert_eq!((commit.signature, commit.payload), (None, raw.into_bytes()));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        assert_eq!(
            refusal(&format!("{TREE}{AUTHOR}{COMMITTER}{SIGNED}{SIGNED}\n")),
            "it has two signatures"
        );
        for doubled in [
            format!("{TREE}{TREE}{AUTHOR}{COMMITTER}\n"),
            format!("{TREE}{AUTHOR}{COMMITTER}{SIGNED}{TREE}\n"),
            format!("{TREE}{AUTHOR}{AUTHOR}{COMMITTER}\n"),
            format!("{TREE}{AUTHOR}{COMMITTER}{COMMITTER}\n"),
            format!("{AUTHOR}{TREE}{COMMITTER}\n"),
            format!("{TREE}{AUTHOR}parent 1\n{COMMITTER}\n"),
            format!("x y\n{TREE}{AUTHOR}{COMMITTER}\n"),
        ] {
            assert!(refusal(&doubled).contains("doubled or out of place"), "{doubled}");
        }
        assert!(refusal(&format!("{TREE}{AUTHOR}{COMMITTER}gpgsig-sha256 x\n\n")).contains("of another kind"));
        assert!(refusal(&format!("{TREE}{AUTHOR}{COMMITTER}x \0\n\n")).contains("NUL"));
        assert!(refusal(&format!("{TREE}{AUTHOR}{COMMITTER}")).contains("do not end"));
        assert!(refusal(" x\n\n").contains("continued"));
        assert!(refusal("\n").contains("no tree"));
        assert!(refusal(&format!("{TREE}{AUTHOR}\n")).contains("no committer"));
        assert!(refusal(&format!("{TREE}{AUTHOR}committer C\n\n")).contains("no time"));
        assert!(refusal("").contains("do not end"));
    }
}
