//! The part of a URL between `://` and the path, read strictly. Knows no scheme, and guesses nothing.

use core::net::{IpAddr, Ipv6Addr};

/// User, host and port of a URL.
///
/// What libgit2 or the SDK reads out of the same text is the same: whatever two parsers could understand in
/// two ways (a second `@`, a backslash, an empty port) is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority {
    /// What stands before `@`, if anything.
    pub(super) user: Option<String>,
    /// The host, an IPv6 address without its brackets.
    pub(super) host: String,
    /// The port, where one is written.
    pub(super) port: Option<u16>,
}

impl Authority {
    /// Reads `user@host:port`; `None` where that is not what the text is.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (user, rest) = match text.split_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, text),
        };
        let (host, port) = if let Some(inside) = rest.strip_prefix('[') {
            let (address, after) = inside.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (address, after)
        } else {
            let end = rest.find(':').unwrap_or(rest.len());
            let (host, after) = rest.split_at(end);
            (valid_host(host).then_some(host)?, after)
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => Some(
                digits
                    .parse()
                    .ok()
                    .filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?,
            ),
            None if port.is_empty() => None,
            None => return None,
        };
        Some(Self {
            user,
            host: host.to_owned(),
            port,
        })
    }
}

/// Returns whether the host is this machine: `localhost`, `127.0.0.0/8` or `::1`.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns whether the host is an IP address and not a name.
pub(super) fn is_ip(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// Letters, digits, `.`, `-` and `_`, not beginning with `-`, which a program could take for an option.
fn valid_host(host: &str) -> bool {
    (1..=253).contains(&host.len())
        && !host.starts_with('-')
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_has_user_host_and_port() {
        let authority = Authority::parse("git@host.example:2222").unwrap();
        assert_eq!(authority.user.as_deref(), Some("git"));
        assert_eq!(authority.host, "host.example");
        assert_eq!(authority.port, Some(2222));
        assert_eq!(Authority::parse("[::1]:80").unwrap().host, "::1");
    }

    #[test]
    fn what_two_parsers_could_read_in_two_ways_is_refused() {
        for bad in [
            "", "a@b@c", "h:", "h:x", "h:+1", "h:99999", "[::1", "[x]", "[::1]x", "-h", "a b", "h\\x", "é",
        ] {
            assert_eq!(Authority::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        for good in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in ["localhost.evil.example", "128.0.0.1", "::2", "127.0.0.1.example"] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
