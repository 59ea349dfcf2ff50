//! What a program says about itself and about the links that it makes.

use std::time::Duration;

use super::{access::Access, tls::Tls};
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
    /// By what this side is known, and by what it knows its peers: with it every link is TLS, whose peers both
    /// show a certificate; without it every link is plain TCP. None by default.
    pub tls: Option<Tls>,
    /// The name for which a peer's certificate must be: a DNS name, an address, or the beginning of a DNS name
    /// before a `*`. Without it, the peer may be anybody of the authority. It means nothing without TLS.
    pub expected_peer: Option<String>,
    /// Which peers may use which channels. Without rules, each may use all.
    pub access: Option<Access>,
    /// Whether links without TLS may lead to other machines. They may not by default: whoever is on the way can
    /// read and change all that crosses, and read the token.
    pub plain_off_loopback: bool,
    /// The most connections that a listener has at a time, handshakes included; whoever comes beyond that waits
    /// until one has ended. 1,024 by default, which is what a process may have open on most systems.
    pub connections_max: usize,
    /// The most handshakes that a listener has under way at a time; whoever comes beyond that waits. 64 by
    /// default: with TLS each may cost 64 KiB and more while it lasts.
    pub handshakes_max: usize,
    /// The most connections that a listener accepts in a second, after as many at once; whoever comes beyond that
    /// waits. 128 by default: with TLS that many cost a core a tenth of its time.
    pub handshakes_per_second: u32,
    /// For how long a link bears it that nothing is heard of its peer; the shorter one of both sides' holds. 30 s
    /// by default, and 100 ms at least. A peer that has nothing to say gives a sign of life four times as often.
    pub lease: Duration,
    /// Whether a link whose connection breaks goes on on another, for as long as its lease lasts. It does by default. The
    /// dialer makes the connection; each message under way then has the outcome that it would have had. Without it, or
    /// if either side does not want it, the link ends with its connection.
    pub reconnect: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: format!("process {}", std::process::id()),
            token: None,
            limits: Limits::default(),
            handshake_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            tls: None,
            expected_peer: None,
            access: None,
            plain_off_loopback: false,
            connections_max: 1024,
            handshakes_max: 64,
            handshakes_per_second: 128,
            lease: LEASE_DEFAULT,
            reconnect: true,
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

    /// The same with TLS.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The same for peers whose certificate is for `name` only.
    #[must_use]
    pub fn expect_peer(mut self, name: impl Into<String>) -> Self {
        self.expected_peer = Some(name.into());
        self
    }

    /// The same with rules about who may use which channels.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    /// The same, with or without leave for plain TCP to other machines.
    #[must_use]
    pub fn plain_off_loopback(mut self, allowed: bool) -> Self {
        self.plain_off_loopback = allowed;
        self
    }

    /// The same with another limit of connections.
    #[must_use]
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections;
        self
    }

    /// The same with another limit of handshakes at a time.
    #[must_use]
    pub fn handshakes_max(mut self, handshakes: usize) -> Self {
        self.handshakes_max = handshakes;
        self
    }

    /// The same with another limit of handshakes in a second.
    #[must_use]
    pub fn handshakes_per_second(mut self, handshakes: u32) -> Self {
        self.handshakes_per_second = handshakes;
        self
    }

    /// The same with another lease.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// The same with links that go on when their connection breaks, or without.
    #[must_use]
    pub fn reconnect(mut self, reconnect: bool) -> Self {
        self.reconnect = reconnect;
        self
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            name: fitting_name(&self.name),
            token: self.token.clone(),
            limits: self.limits.clone(),
            session: super::identity::session(),
            incarnation: super::identity::incarnation(),
            lease: self.lease,
        }
    }
}

/// What of a name can be the name of a peer: at most [`NAME_BYTES_MAX`] bytes, without control characters.
pub(super) fn fitting_name(wanted: &str) -> String {
    let mut name = String::new();
    for character in wanted.chars().filter(|character| !character.is_control()) {
        if name.len() + character.len_utf8() > NAME_BYTES_MAX {
            break;
        }
        name.push(character);
    }
    name
}
