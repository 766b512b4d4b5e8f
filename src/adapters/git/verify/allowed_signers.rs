//! The file of SSH keys that may sign, in the format of ssh-keygen(1), "ALLOWED SIGNERS". Verifies nothing.
//!
//! `principals [options] key-type key [comment]`, one key a line. A line that is not understood fails the whole file: one
//! that was meant to narrow something must not be passed over.

use chrono::NaiveDateTime;
use ssh_key::PublicKey;

use super::super::known_hosts::list_matches;
use crate::domain::Timestamp;

/// The namespace of Git's signatures.
pub(super) const NAMESPACE: &str = "git";

/// The keys of the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Signers {
    /// Keys that may sign commits.
    pub(super) keys: Vec<Signer>,
    /// Lines that trust an authority, of which none is used.
    pub(super) authorities: usize,
}

/// A key that may sign commits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signer {
    /// Whose it is.
    pub(super) principals: String,
    /// The key.
    pub(super) key: PublicKey,
    /// When it begins to count.
    pub(super) after: Option<Timestamp>,
    /// When it ceases to.
    pub(super) before: Option<Timestamp>,
}

/// Parses the file.
///
/// # Errors
///
/// A line is not understood: its number, and why.
pub(super) fn parse(file: &str) -> Result<Signers, String> {
    let mut signers = Signers::default();
    for (number, line) in file.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let parsed = parse_line(line).map_err(|why| format!("line {}: {why}", number + 1))?;
        match parsed {
            Line::Signer(signer) => signers.keys.push(*signer),
            Line::Authority => signers.authorities += 1,
            Line::OfAnotherNamespace => {}
        }
    }
    Ok(signers)
}

enum Line {
    Signer(Box<Signer>),
    Authority,
    OfAnotherNamespace,
}

fn parse_line(line: &str) -> Result<Line, String> {
    let (principals, rest) = word(line)?;
    let (mut after, mut before, mut namespaces, mut authority) = (None, None, None, false);
    // As OpenSSH does it: what is no key are options, and the key comes behind them.
    let key = if let Ok(key) = PublicKey::from_openssh(rest) {
        key
    } else {
        let (options, rest) = word(rest)?;
        for option in split_options(options) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = value.trim_matches('"');
            match name.to_ascii_lowercase().as_str() {
                "cert-authority" => authority = true,
                "namespaces" => namespaces = Some(value),
                "valid-after" => after = Some(time(value)?),
                "valid-before" => before = Some(time(value)?),
                other => return Err(format!("neither a key nor an option that is known: {other:?}")),
            }
        }
        PublicKey::from_openssh(rest).map_err(|error| format!("not a public key: {error}"))?
    };
    if authority {
        return Ok(Line::Authority);
    }
    if namespaces.is_some_and(|patterns| !list_matches(patterns, NAMESPACE)) {
        return Ok(Line::OfAnotherNamespace);
    }
    Ok(Line::Signer(Box::new(Signer {
        principals: principals.trim_matches('"').to_owned(),
        key,
        after,
        before,
    })))
}

/// Splits off the first word; blanks within double quotes belong to it.
fn word(text: &str) -> Result<(&str, &str), String> {
    let mut quoted = false;
    let end = text
        .find(|c: char| {
            quoted ^= c == '"';
            c.is_ascii_whitespace() && !quoted
        })
        .ok_or("no key: write PRINCIPALS [OPTIONS] TYPE KEY")?;
    Ok((&text[..end], text[end..].trim_start()))
}

/// Splits at commas, but for those within double quotes.
fn split_options(options: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    options.split(move |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
}

/// Reads `YYYYMMDD[HHMM[SS]][Z]`. OpenSSH takes a time without `Z` as local; here all are UTC, as in a container.
fn time(text: &str) -> Result<Timestamp, String> {
    let digits = text.strip_suffix('Z').unwrap_or(text);
    let whole = match digits.len() {
        8 => format!("{digits}000000"),
        12 => format!("{digits}00"),
        _ => digits.to_owned(),
    };
    Some(&whole)
        .filter(|whole| whole.len() == 14 && whole.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|whole| NaiveDateTime::parse_from_str(whole, "%Y%m%d%H%M%S").ok())
        .map(|time| time.and_utc())
        .ok_or_else(|| format!("{text:?} is not a time: write YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, in UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn one(line: &str) -> Signer {
        let mut signers = parse(line).unwrap();
        assert_eq!(signers.keys.len(), 1, "{line}");
        signers.keys.remove(0)
    }

    #[test]
    fn keys_are_read_with_and_without_options() {
        let plain = one(&format!("a@example.com {KEY} comment of words\n"));
        assert_eq!(
            (plain.principals.as_str(), plain.after, plain.before),
            ("a@example.com", None, None)
        );
        let quoted = one(&format!("\"A B\",c@example.com {KEY}"));
        assert_eq!(quoted.principals, "A B\",c@example.com");
        let options = one(&format!(
            "a namespaces=\"file,git\",valid-after=\"20240102\",VALID-BEFORE=\"202501020304Z\" {KEY}"
        ));
        assert_eq!(options.after.unwrap().to_rfc3339(), "2024-01-02T00:00:00+00:00");
        assert_eq!(options.before.unwrap().to_rfc3339(), "2025-01-02T03:04:00+00:00");
        assert_eq!(options.key.key_data(), plain.key.key_data());
    }

    #[test]
    fn what_is_not_for_git_or_an_authority_trusts_nothing() {
        let file =
            format!("# comment\n\na namespaces=\"file\" {KEY}\n* cert-authority {KEY}\nb namespaces=\"g*\" {KEY}\n");
        let signers = parse(&file).unwrap();
        assert_eq!((signers.keys.len(), signers.authorities), (1, 1));
        assert_eq!(signers.keys[0].principals, "b");
    }

    #[test]
    fn a_line_that_is_not_understood_is_named() {
        for (line, why) in [
            ("a", "no key"),
            ("a ssh-ed25519 AAAA", "neither a key nor an option"),
            (&format!("a no-touch {KEY}"), "neither a key nor an option"),
            (&format!("a valid-after=\"2024\" {KEY}"), "is not a time"),
            (&format!("a valid-after=\"20240230\" {KEY}"), "is not a time"),
            ("a cert-authority ssh-ed25519 %", "not a public key"),
        ] {
            let fault = parse(&format!("# first\n{line}\n")).unwrap_err();
            assert!(fault.starts_with("line 2: ") && fault.contains(why), "{line}: {fault}");
        }
    }
}
