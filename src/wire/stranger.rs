//! Telling from its first bytes what a peer speaks that does not speak this protocol.

use std::fmt;

use super::hello::MAGIC;

/// What a peer that does not speak this protocol seems to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stranger {
    /// A web browser, a web server, or a tool like `curl`.
    Http,
    /// TLS, which this port does not.
    Tls,
    /// An SSH client or server.
    Ssh,
    /// Something else.
    Unknown,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "the peer seems to speak HTTP",
            Self::Tls => "the peer seems to speak TLS, and this port is plain TCP",
            Self::Ssh => "the peer seems to speak SSH",
            Self::Unknown => "the peer's first bytes are not its preamble",
        })
    }
}

/// How the protocols that wander in by mistake begin.
const BEGINNINGS: &[(&[u8], Stranger)] = &[
    (b"GET ", Stranger::Http),
    (b"POST ", Stranger::Http),
    (b"PUT ", Stranger::Http),
    (b"HEAD ", Stranger::Http),
    (b"DELETE ", Stranger::Http),
    (b"OPTIONS ", Stranger::Http),
    (b"PATCH ", Stranger::Http),
    (b"CONNECT ", Stranger::Http),
    (b"TRACE ", Stranger::Http),
    (b"PRI * HTTP/", Stranger::Http),
    (b"HTTP/", Stranger::Http),
    (b"\x16\x03", Stranger::Tls),
    (b"SSH-", Stranger::Ssh),
];

/// What the first bytes of a connection show so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstBytes {
    /// The magic is complete.
    Ours,
    /// Not enough of them to tell.
    Open,
    Foreign(Stranger),
}

/// Looks at the bytes one at a time, so that the answer does not depend on how they were cut into reads.
pub(super) fn recognise(bytes: &[u8]) -> FirstBytes {
    for length in 1..=bytes.len() {
        let seen = &bytes[..length];
        if seen == MAGIC {
            return FirstBytes::Ours;
        }
        if let Some((_, stranger)) = BEGINNINGS.iter().find(|(beginning, _)| *beginning == seen) {
            return FirstBytes::Foreign(*stranger);
        }
        let open = MAGIC.starts_with(seen)
            || BEGINNINGS
                .iter()
                .any(|(beginning, _)| beginning.starts_with(seen));
        if !open {
            return FirstBytes::Foreign(Stranger::Unknown);
        }
    }
    FirstBytes::Open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_is_recognised_as_soon_as_it_can_be() {
        for (bytes, expected) in [
            (&b""[..], FirstBytes::Open),
            (b"handove", FirstBytes::Open),
            (b"handover\x01", FirstBytes::Ours),
            (b"G", FirstBytes::Open),
            (b"GET / HTTP/1.1\r\n", FirstBytes::Foreign(Stranger::Http)),
            (
                b"HTTP/1.1 400 Bad Request",
                FirstBytes::Foreign(Stranger::Http),
            ),
            (b"\x16\x03\x01", FirstBytes::Foreign(Stranger::Tls)),
            (b"SSH-2.0-OpenSSH", FirstBytes::Foreign(Stranger::Ssh)),
            (b"hello", FirstBytes::Foreign(Stranger::Unknown)),
            (b"\0", FirstBytes::Foreign(Stranger::Unknown)),
        ] {
            assert_eq!(recognise(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
