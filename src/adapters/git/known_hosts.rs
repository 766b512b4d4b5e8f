//! Judges the host key of an ssh server by a known_hosts file. Adds nothing to the file, and asks nobody.
//!
//! libgit2 reads only `$HOME/.ssh/known_hosts`, and libssh2 knows no `@revoked`: hence this reader. The format is
//! that of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". Certificate authorities are not supported: their lines trust
//! nothing here.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The port that a known_hosts file does not write.
const SSH_PORT: u16 = 22;

/// What a known_hosts file says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The file has this key for this host.
    Trusted,
    /// The file has no key for this host.
    Unknown,
    /// The file has other keys for this host.
    Changed,
    /// The file says that this key is stolen.
    Revoked,
}

/// Judges a key, in the form in which ssh sends it.
pub(super) fn judge(file: &str, host: &str, port: u16, key: &[u8]) -> Verdict {
    let mut verdict = Verdict::Unknown;
    for line in lines_of(file, host, port) {
        match (line.revoked, line.key == key) {
            (true, true) => return Verdict::Revoked,
            (false, true) => verdict = Verdict::Trusted,
            (false, false) if verdict == Verdict::Unknown => verdict = Verdict::Changed,
            (true | false, false) => {}
        }
    }
    verdict
}

/// Returns the lines that trust a key of this host, hashed names made plain: with these at hand, the ssh library
/// asks the server for a key of a type that can be judged.
pub(super) fn trusted_lines(file: &str, host: &str, port: u16) -> String {
    let name = name_of(host, port);
    let mut text = String::new();
    for line in lines_of(file, host, port).filter(|line| !line.revoked) {
        text.extend([&name, " ", line.key_type, " ", &STANDARD.encode(line.key), "\n"]);
    }
    text
}

/// Returns the fingerprint of a key as `ssh-keygen -l` shows it.
pub(super) fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// Returns the type that a key says it is, such as `ssh-ed25519`.
pub(super) fn key_type(key: &[u8]) -> Option<&str> {
    let (length, rest) = key.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    std::str::from_utf8(rest.get(..length)?)
        .ok()
        .filter(|name| name.bytes().all(|b| b.is_ascii_graphic()))
}

/// A line that speaks of the host.
struct Line<'a> {
    revoked: bool,
    key_type: &'a str,
    key: Vec<u8>,
}

fn lines_of<'a>(file: &'a str, host: &str, port: u16) -> impl Iterator<Item = Line<'a>> {
    let name = name_of(host, port);
    file.lines().filter_map(move |line| {
        let mut fields = line.split_ascii_whitespace().peekable();
        let revoked = match fields.peek().copied()? {
            "@revoked" => true,
            // A marker of another kind says something that is not understood here.
            other if other.starts_with(['@', '#']) => return None,
            _ => false,
        };
        if revoked {
            fields.next();
        }
        let (names, key_type, key) = (fields.next()?, fields.next()?, fields.next()?);
        let key = STANDARD.decode(key).or_else(|_| STANDARD_NO_PAD.decode(key)).ok()?;
        speaks_of(names, &name).then_some(Line { revoked, key_type, key })
    })
}

/// The name under which a host stands in the file.
fn name_of(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == SSH_PORT {
        host
    } else {
        format!("[{host}]:{port}")
    }
}

/// Returns whether a list of patterns, or a hashed name, means this name.
fn speaks_of(patterns: &str, name: &str) -> bool {
    if let Some(hashed) = patterns.strip_prefix("|1|") {
        return hash_matches(hashed, name).unwrap_or(false);
    }
    list_matches(patterns, name)
}

/// Returns whether one of a list of patterns matches and none that is negated does.
pub(super) fn list_matches(patterns: &str, name: &str) -> bool {
    let mut found = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            // One negated pattern that matches outweighs all others.
            Some(pattern) if wildcard_matches(pattern.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => found |= wildcard_matches(pattern.as_bytes(), name.as_bytes()),
        }
    }
    found
}

/// Compares with a hashed name: `SALT|HMAC-SHA1(SALT, NAME)`, both in base64.
fn hash_matches(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let mac = Hmac::<Sha1>::new_from_slice(&STANDARD.decode(salt).ok()?).ok()?;
    let hash = STANDARD.decode(hash).ok()?;
    Some(mac.chain_update(name.as_bytes()).verify_slice(&hash).is_ok())
}

/// Compares with a pattern in which `*` stands for anything and `?` for one character.
fn wildcard_matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where to go back to: behind the last `*`, and how much of the name it had taken.
    let mut star = None;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, from));
                at += 1;
            }
            Some(byte) if *byte == b'?' || byte.eq_ignore_ascii_case(&name[from]) => {
                at += 1;
                from += 1;
            }
            Some(_) | None => match star {
                Some((behind, taken)) => {
                    star = Some((behind, taken + 1));
                    at = behind;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key as ssh sends it: its type, then its bytes.
    fn key(of: &str) -> Vec<u8> {
        let mut key = vec![0, 0, 0, 11];
        key.extend_from_slice(b"ssh-ed25519");
        key.extend_from_slice(of.as_bytes());
        key
    }

    fn line(names: &str, of: &str) -> String {
        format!("{names} ssh-ed25519 {} comment\n", STANDARD.encode(key(of)))
    }

    fn hashed(name: &str) -> String {
        let salt = [7; 20];
        let mac = Hmac::<Sha1>::new_from_slice(&salt)
            .unwrap()
            .chain_update(name.as_bytes());
        format!(
            "|1|{}|{}",
            STANDARD.encode(salt),
            STANDARD.encode(mac.finalize().into_bytes())
        )
    }

    #[test]
    fn a_key_is_trusted_for_its_host_alone() {
        let file = line("h.example,10.0.0.1", "a");
        assert_eq!(judge(&file, "h.example", 22, &key("a")), Verdict::Trusted);
        assert_eq!(judge(&file, "H.EXAMPLE", 22, &key("a")), Verdict::Trusted);
        assert_eq!(judge(&file, "10.0.0.1", 22, &key("a")), Verdict::Trusted);
        assert_eq!(judge(&file, "other.example", 22, &key("a")), Verdict::Unknown);
        assert_eq!(judge(&file, "h.example.evil", 22, &key("a")), Verdict::Unknown);
        assert_eq!(judge("", "h.example", 22, &key("a")), Verdict::Unknown);
    }

    #[test]
    fn g06_another_key_is_a_changed_one() {
        let file = line("h", "a");
        assert_eq!(judge(&file, "h", 22, &key("b")), Verdict::Changed);
        let both = file + &line("h", "b");
        assert_eq!(judge(&both, "h", 22, &key("a")), Verdict::Trusted);
        assert_eq!(judge(&both, "h", 22, &key("b")), Verdict::Trusted);
    }

    #[test]
    fn a_port_is_part_of_the_name() {
        let file = line("[h]:2222", "a");
        assert_eq!(judge(&file, "h", 2222, &key("a")), Verdict::Trusted);
        assert_eq!(judge(&file, "h", 22, &key("a")), Verdict::Unknown);
        assert_eq!(judge(&line("h", "a"), "h", 2222, &key("a")), Verdict::Unknown);
    }

    #[test]
    fn a_hashed_name_is_compared_by_its_hash() {
        let file = line(&hashed("h"), "a") + &line(&hashed("[h]:2222"), "b");
        assert_eq!(judge(&file, "h", 22, &key("a")), Verdict::Trusted);
        assert_eq!(judge(&file, "h", 2222, &key("b")), Verdict::Trusted);
        assert_eq!(judge(&file, "h", 22, &key("b")), Verdict::Changed);
        assert_eq!(judge(&file, "g", 22, &key("a")), Verdict::Unknown);
        assert_eq!(judge(&line("|1|x|y", "a"), "h", 22, &key("a")), Verdict::Unknown);
    }

    #[test]
    fn a_line_that_openssh_hashed_is_understood() {
        // What `ssh-keygen -H` made of the name h.example.
        let key = "AAAAC3NzaC1lZDI1NTE5AAAAIKL7MpNifgoSZZ2YsJjublFdwoYhu982fLPSryrR0ZmX";
        let file = format!("|1|8zXJLbSO1LNYYPgVosUHvvuYsU0=|tjkSQzT3C+E1KbGaK06NYps3MF8= ssh-ed25519 {key}\n");
        let key = STANDARD.decode(key).unwrap();
        assert_eq!(judge(&file, "h.example", 22, &key), Verdict::Trusted);
        assert_eq!(judge(&file, "h.example", 2222, &key), Verdict::Unknown);
    }

    #[test]
    fn g06_a_revoked_key_is_refused_whatever_else_the_file_says() {
        let trusted = line("h", "a");
        let revoked = format!("@revoked {}", line("*", "a"));
        for file in [format!("{trusted}{revoked}"), format!("{revoked}{trusted}")] {
            assert_eq!(judge(&file, "h", 22, &key("a")), Verdict::Revoked);
        }
        assert_eq!(judge(&revoked, "h", 22, &key("b")), Verdict::Unknown);
    }

    #[test]
    fn what_is_not_understood_trusts_nothing() {
        for file in [
            format!("@cert-authority {}", line("h", "a")),
            format!("#{}", line("h", "a")),
            "h ssh-ed25519\n".to_owned(),
            "h ssh-ed25519 %%%\n".to_owned(),
            "\n\n".to_owned(),
        ] {
            assert_eq!(judge(&file, "h", 22, &key("a")), Verdict::Unknown, "{file}");
        }
    }

    #[test]
    fn patterns_may_have_wildcards_and_exceptions() {
        let file = line("*.example,!evil.example", "a");
        assert_eq!(judge(&file, "good.example", 22, &key("a")), Verdict::Trusted);
        assert_eq!(judge(&file, "evil.example", 22, &key("a")), Verdict::Unknown);
        for (pattern, name, matches) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "abd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*b*b", "abab", true),
            ("", "a", false),
        ] {
            assert_eq!(
                wildcard_matches(pattern.as_bytes(), name.as_bytes()),
                matches,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn trusted_lines_are_plain_and_of_this_host() {
        let file = line(&hashed("[h]:2222"), "a") + &line("g", "b") + &format!("@revoked {}", line("[h]:2222", "c"));
        let expected = format!("[h]:2222 ssh-ed25519 {}\n", STANDARD.encode(key("a")));
        assert_eq!(trusted_lines(&file, "h", 2222), expected);
    }

    #[test]
    fn a_fingerprint_is_that_of_ssh_keygen() {
        // GitHub publishes this key and its fingerprint.
        let key = STANDARD
            .decode("AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl")
            .unwrap();
        assert_eq!(fingerprint(&key), "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
        assert_eq!(key_type(&key), Some("ssh-ed25519"));
        assert_eq!(key_type(b"xx"), None);
    }
}
