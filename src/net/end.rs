//! Why a link was not made, and why one ended.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use super::{access::Direction, tls::TlsError};
use crate::wire::{Goodbye, OpenError, Violation};

/// Why a link, or a channel on one, was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The connection could not be made, or broke during the handshake.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The peer closed the connection in the middle of the handshake.
    #[error("the peer closed the connection before the handshake was complete")]
    Hangup,
    /// The peer does not speak the protocol, or not this version, or breaks it, or is not admitted.
    #[error("{0}")]
    Violation(#[from] Violation),
    /// The peer wants to go on with a session that this side does not know.
    #[error(
        "the peer wants to go on with a session that is not known here: it has to begin a new one"
    )]
    UnknownSession,
    /// No new link: the connection goes on with the session of a link that is there, whose connection had broken. That
    /// is nothing that went wrong.
    #[error("the connection goes on with a link that is there")]
    Resumed,
    /// The peer that answers is not the one with whom the session was begun.
    #[error("another peer answers where the peer of the session was")]
    AnotherPeer,
    /// The peer does not want the link, and said why.
    #[error("the peer refused the link: {0}")]
    Refused(Goodbye),
    /// The handshake took too long.
    #[error("the handshake was not complete after {0:?}")]
    Timeout(Duration),
    /// The TLS handshake failed.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// The address is on another machine, and the link would be plain TCP.
    #[error("{0}")]
    PlainOffLoopback(#[from] PlainOffLoopback),
    /// The access rules of this side do not allow it.
    #[error(
        "{peer:?} may not {} on channel {channel:?}: the access rules of this side do not allow it",
        .direction.verb()
    )]
    NotAllowed {
        /// The peer.
        peer: String,
        /// In which direction the channel was to be opened.
        direction: Direction,
        /// The channel.
        channel: String,
    },
    /// The channel could not be opened.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The peer shares no channel of that name.
    #[error(
        "the peer shares no channel {channel:?}: see to its spelling, or wait until its owner has made it"
    )]
    NotShared {
        /// The channel.
        channel: String,
    },
    /// The peer's access rules do not allow this side the end.
    #[error(
        "the peer does not let this side {} on its channel {channel:?}: its access rules do not allow it",
        if *.is_to_send { "send" } else { "receive" }
    )]
    NotAllowedThere {
        /// The channel.
        channel: String,
        /// Whether a sending end was asked for.
        is_to_send: bool,
    },
    /// The messages of the peer's channel are of another type, or of another version of it.
    #[error("the messages of the peer's channel {channel:?} are {theirs}, not {ours}")]
    Mismatch {
        /// The channel.
        channel: String,
        /// What this side has asked for, with its version.
        ours: String,
        /// What they are, with the version.
        theirs: String,
    },
    /// The peer cannot give the end for another reason.
    #[error("the peer cannot give an end of its channel {channel:?}: {reason}")]
    NotGiven {
        /// The channel.
        channel: String,
        /// Why.
        reason: String,
    },
    /// The peer gives no ends of its channels any more.
    #[error("the peer shares no channels over this link any more")]
    NoHub,
    /// A node has joined the link already.
    #[error("a node has joined the link to {0:?} already, and answers for this side")]
    Joined(String),
    /// The peer gives no snapshot.
    #[error("{peer:?} gives no snapshot: {reason}")]
    NoSnapshot {
        /// The peer.
        peer: String,
        /// Why.
        reason: String,
    },
    /// The link has ended.
    #[error("the link has ended: {0}")]
    Ended(LinkEnd),
}

/// An address beyond this machine, for a link that would be plain TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is not on this machine, and plain TCP can be read and changed by everybody on the way: use TLS \
     (Config::tls), or allow it (Config::plain_off_loopback)"
)]
pub struct PlainOffLoopback(pub IpAddr);

impl PlainOffLoopback {
    /// An error if one of the addresses is beyond this machine.
    pub(super) fn check(addresses: &[SocketAddr]) -> Result<(), Self> {
        let far = addresses
            .iter()
            .map(|address| address.ip().to_canonical())
            .find(|address| !address.is_loopback());
        far.map_or(Ok(()), |address| Err(Self(address)))
    }
}

/// Why a link ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LinkEnd {
    /// This side said goodbye.
    Closed(Goodbye),
    /// The peer said goodbye.
    PeerClosed(Goodbye),
    /// The connection broke, or the peer closed it without a goodbye, as when its process is killed, and the link does
    /// not go on on another ([`Config::reconnect`](super::Config::reconnect)).
    Lost(Arc<io::Error>),
    /// Nothing was heard of the peer for the whole [lease](super::Config::lease): it does not answer, or no connection
    /// to it could be made in that time.
    Silent(Duration),
    /// The connection broke, and where the peer was nobody knows the session any more: its process has ended, or it has
    /// given the session up.
    Forgotten,
    /// The peer broke the protocol.
    Violation(Violation),
    /// [`Link::abort`](super::Link::abort) was called, or the runtime of the link was shut down.
    Aborted,
}

impl LinkEnd {
    pub(super) fn lost(error: io::Error) -> Self {
        Self::Lost(Arc::new(error))
    }
}

impl fmt::Display for LinkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(goodbye) => write!(f, "this side said goodbye: {goodbye}"),
            Self::PeerClosed(goodbye) => write!(f, "the peer said goodbye: {goodbye}"),
            Self::Lost(error) => write!(f, "the connection was lost: {error}"),
            Self::Silent(lease) => write!(f, "the peer was silent for {lease:?}"),
            Self::Forgotten => f.write_str("the peer does not know the session any more"),
            Self::Violation(violation) => write!(f, "the peer broke the protocol: {violation}"),
            Self::Aborted => f.write_str("this side aborted it"),
        }
    }
}
