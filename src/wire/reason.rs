//! A sentence for people, said by a peer.

use std::fmt;

use super::limits::REASON_BYTES_MAX;

/// Why something was said: at most [`REASON_BYTES_MAX`] bytes, without control characters, so that it is safe to
/// print whoever said it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reason(String);

impl Reason {
    /// The reason `text`: its control characters become spaces, and it is cut to the limit.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut clean = String::new();
        for character in text.chars() {
            if clean.len() + character.len_utf8() > REASON_BYTES_MAX {
                break;
            }
            clean.push(if character.is_control() {
                ' '
            } else {
                character
            });
        }
        Self(clean)
    }

    /// What the peer's bytes say; those that are no UTF-8 show as such.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self::new(&String::from_utf8_lossy(bytes))
    }

    /// The sentence, which may be empty.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_safe_to_print_and_short() {
        assert_eq!(Reason::new("a\x1b[2Jb\nc").as_str(), "a [2Jb c");
        let long = "é".repeat(REASON_BYTES_MAX);
        assert_eq!(Reason::new(&long).as_str().len(), REASON_BYTES_MAX);
        assert_eq!(Reason::from_bytes(b"a\xffb").as_str(), "a\u{fffd}b");
    }
}
