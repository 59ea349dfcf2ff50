//! Why a side ends a link.

use std::fmt;

use super::reason::Reason;

/// The kind of a [`Goodbye`], a number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// 0: the side has nothing more to do on this link.
    Done,
    /// 1: the side is leaving although there may be more to do, for example because it was told to stop.
    Leaving,
    /// 2: the side does not admit the peer: its token is missing or wrong.
    Refused,
    /// 3: the two sides have no protocol version in common.
    Version,
    /// 4: the peer broke the protocol.
    Violation,
    /// 5: the peer took too long for its handshake.
    Timeout,
    /// 6: the side does not know the session that the peer wants to go on with, or it is over.
    UnknownSession,
    /// 7: the side has seen a later connection of the session.
    StaleEpoch,
    /// Any other number: a reason that this version does not know.
    Other(u16),
}

impl Code {
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Done => 0,
            Self::Leaving => 1,
            Self::Refused => 2,
            Self::Version => 3,
            Self::Violation => 4,
            Self::Timeout => 5,
            Self::UnknownSession => 6,
            Self::StaleEpoch => 7,
            Self::Other(number) => number,
        }
    }

    pub(super) fn from_number(number: u16) -> Self {
        match number {
            0 => Self::Done,
            1 => Self::Leaving,
            2 => Self::Refused,
            3 => Self::Version,
            4 => Self::Violation,
            5 => Self::Timeout,
            6 => Self::UnknownSession,
            7 => Self::StaleEpoch,
            _ => Self::Other(number),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Leaving => "leaving",
            Self::Refused => "refused",
            Self::Version => "version mismatch",
            Self::Violation => "protocol violation",
            Self::Timeout => "handshake timeout",
            Self::UnknownSession => "unknown session",
            Self::StaleEpoch => "stale epoch",
            Self::Other(_) => "another reason",
        }
    }
}

/// The last word of a side on a link: it takes no message after it, and has said TAKEN for each that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goodbye {
    code: Code,
    reason: Reason,
}

impl Goodbye {
    /// A goodbye with a sentence for people. Control characters in `reason` become spaces, and it is cut to
    /// [`REASON_BYTES_MAX`](super::REASON_BYTES_MAX) bytes.
    #[must_use]
    pub fn new(code: Code, reason: &str) -> Self {
        Self {
            code,
            reason: Reason::new(reason),
        }
    }

    /// The goodbye of a side that has nothing more to do.
    #[must_use]
    pub fn done() -> Self {
        Self::new(Code::Done, "")
    }

    /// The goodbye of a side that leaves although there may be more to do.
    #[must_use]
    pub fn leaving(reason: &str) -> Self {
        Self::new(Code::Leaving, reason)
    }

    /// The goodbye of a listener that does not know the session that a dialer wants to go on with.
    #[must_use]
    pub fn unknown_session() -> Self {
        Self::new(Code::UnknownSession, "")
    }

    /// What kind of goodbye it is.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The sentence for people, which may be empty. It has no control characters.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.reason.as_str()
    }
}

impl fmt::Display for Goodbye {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())?;
        if let Code::Other(number) = self.code {
            write!(f, " ({number})")?;
        }
        if !self.reason.as_str().is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goodbye_is_told_in_one_line() {
        let goodbye = Goodbye::new(Code::Leaving, "a\x1b[2Jb\nc");
        assert_eq!(goodbye.to_string(), "leaving: a [2Jb c");
    }

    #[test]
    fn a_code_is_its_number() {
        for number in 0..10 {
            assert_eq!(Code::from_number(number).number(), number);
        }
    }
}
