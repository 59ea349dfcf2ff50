//! What a link tells, and by which names it is told.

use bytes::Bytes;

use super::{goodbye::Goodbye, limits::Limits, token::Token};

/// A channel on which this side of a link sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SendId(pub(super) u16);

/// A channel on which this side of a link receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReceiveId(pub(super) u16);

impl SendId {
    /// The channel's number on the wire, below the link's channel limit.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}

impl ReceiveId {
    /// The channel's number on the wire, below the link's channel limit.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}

/// Who this side is, and what it asks of the peer.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This side's name, at most [`NAME_BYTES_MAX`](super::NAME_BYTES_MAX) bytes without control characters.
    pub name: String,
    /// As a dialer: the token to present. As a listener: the token to ask for.
    pub token: Option<Token>,
    /// What this side accepts.
    pub limits: Limits,
    /// A random number for this connection. A dialer's number is used; a listener answers with the same.
    pub session: u128,
    /// A random number of this process.
    pub incarnation: u64,
}

/// What the peer said in its HELLO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerHello {
    /// The random number of the connection.
    pub session: u128,
    /// The random number of the peer's process.
    pub incarnation: u64,
    /// The longest message that the peer accepts, in bytes.
    pub message_bytes: u32,
    /// The peer's name, for people: no control characters.
    pub name: String,
}

/// What happened on the link.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is complete: [`Link::peer`](super::Link::peer) is known, and channels may be opened.
    Welcome,
    /// The peer opened a channel to send on.
    Opened(ReceiveId),
    /// The peer granted: see [`Link::has_credit`](super::Link::has_credit).
    Granted(SendId),
    /// A message arrived in whole, within what was granted. It is not taken until [`Link::settle`](super::Link::settle).
    Message {
        /// The channel.
        channel: ReceiveId,
        /// Its number on the channel.
        sequence: u64,
        /// The message.
        message: Bytes,
    },
    /// The peer said what became of a message.
    Settled {
        /// The channel.
        channel: SendId,
        /// Its number on the channel.
        sequence: u64,
        /// What became of it.
        settlement: Settlement,
    },
    /// The peer receives no more on this channel; what was under way was not taken.
    ReceiverClosed(SendId),
    /// The peer sends no more on this channel.
    SenderClosed(ReceiveId),
    /// The peer's last word; what was under way was not taken.
    Goodbye(Goodbye),
}

/// What became of a message that crossed the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// A process took it.
    Taken,
    /// The process that had it in custody gave it back: nobody took it.
    Returned,
    /// The process that had it in custody cannot know, or went before it said so.
    InDoubt,
}

/// What can be said of a message that was sent and not settled, when its link has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The peer did not take it and will not.
    NotTaken,
    /// The socket took its last byte, so the peer may have taken it.
    InDoubt,
}

/// How much has crossed the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Bytes that the socket took.
    pub bytes_written: u64,
    /// Bytes that the socket gave.
    pub bytes_read: u64,
    /// Messages of this side that the peer took.
    pub messages_sent: u64,
    /// Messages of the peer that this side took.
    pub messages_received: u64,
}
