//! The secret by which a listener knows its friends.

use std::fmt;

use super::limits::TOKEN_BYTES_MAX;

/// A shared secret that a dialer presents in its HELLO.
///
/// It keeps strangers on the same machine or network out; it travels in the clear, so it is no protection
/// against one who can read the connection. Its `Debug` hides it.
#[derive(Clone)]
pub struct Token(Box<[u8]>);

impl Token {
    /// A token of the given bytes.
    ///
    /// # Errors
    ///
    /// [`TokenTooLong`] above [`TOKEN_BYTES_MAX`] bytes.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, TokenTooLong> {
        let bytes = bytes.as_ref();
        if bytes.len() > TOKEN_BYTES_MAX {
            return Err(TokenTooLong(bytes.len()));
        }
        Ok(Self(bytes.into()))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether `presented` is this token, in a time that does not depend on where the two differ.
    pub(super) fn admits(&self, presented: &[u8]) -> bool {
        let differences = self
            .0
            .iter()
            .zip(presented)
            .fold(0, |found, (ours, theirs)| found | (ours ^ theirs));
        // Keeps the compiler from leaving the fold at the first difference.
        let differences = std::hint::black_box(differences);
        self.0.len() == presented.len() && differences == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// A token of more than [`TOKEN_BYTES_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token has {0} bytes, and the limit is {TOKEN_BYTES_MAX}: use a shorter one")]
pub struct TokenTooLong(pub usize);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_token_admits_itself_alone() {
        let token = Token::new(b"secret").unwrap();
        assert!(token.admits(b"secret"));
        for other in [&b""[..], b"secre", b"secrets", b"Secret", b"\0\0\0\0\0\0"] {
            assert!(!token.admits(other));
        }
        assert!(Token::new(b"").unwrap().admits(b""));
    }

    #[test]
    fn a_token_does_not_show_itself() {
        assert_eq!(format!("{:?}", Token::new(b"secret").unwrap()), "Token(..)");
        assert_eq!(Token::new([0; 65]).unwrap_err(), TokenTooLong(65));
    }
}
