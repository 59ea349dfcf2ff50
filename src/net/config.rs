//! What a program says about itself and about the links that it makes.

use std::time::Duration;

use crate::wire::{LEASE_DEFAULT, Limits, NAME_BYTES_MAX, Settings, Token};

/// How a program shows itself to its peers, and what it accepts from them.
///
/// ```
/// use std::time::Duration;
/// use handover::net::{Config, Token};
///
/// let config = Config::default()
///     .name("press 4")
///     .token(Token::new("a secret of the house")?)
///     .handshake_timeout(Duration::from_secs(2));
/// # Ok::<(), handover::net::TokenTooLong>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The name by which peers know this side: for people, and not unique. At most 128 bytes of it are used,
    /// without control characters.
    pub name: String,
    /// What a dialer presents, and what a listener asks for. A listener without one admits everybody who can
    /// reach its port.
    pub token: Option<Token>,
    /// What is accepted from peers.
    pub limits: Limits,
    /// How long a peer may take from the first byte to the end of the handshake; for a dialer this includes
    /// connecting. 10 s by default: several round trips and lost packets on a bad line.
    pub handshake_timeout: Duration,
    /// How long [`Link::close`](super::Link::close) waits for the peer's last word. 5 s by default.
    pub close_timeout: Duration,
    /// For how long a link bears it that nothing is heard of its peer; the shorter one of both sides' holds. 30 s
    /// by default, and 100 ms at least. A peer that has nothing to say gives a sign of life four times as often.
    pub lease: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: format!("process {}", std::process::id()),
            token: None,
            limits: Limits::default(),
            handshake_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            lease: LEASE_DEFAULT,
        }
    }
}

impl Config {
    /// The same with another name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same with a token.
    #[must_use]
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// The same with other limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same with another time for the handshake.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// The same with another time for an orderly close.
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// The same with another lease.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    pub(super) fn settings(&self) -> Settings {
        let mut name = String::new();
        for character in self
            .name
            .chars()
            .filter(|character| !character.is_control())
        {
            if name.len() + character.len_utf8() > NAME_BYTES_MAX {
                break;
            }
            name.push(character);
        }
        Settings {
            name,
            token: self.token.clone(),
            limits: self.limits.clone(),
            session: super::identity::session(),
            incarnation: super::identity::incarnation(),
            lease: self.lease,
        }
    }
}
