//! What a link tells, and by which names it is told.

use std::{fmt, time::Duration};

use bytes::Bytes;

use super::{
    frame::{Denial, Frame},
    goodbye::Goodbye,
    limits::Limits,
    reason::Reason,
    token::Token,
};

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
    /// A random number for the session. A dialer's number is used; a listener answers with the same.
    pub session: u128,
    /// A random number of this process.
    pub incarnation: u64,
    /// For how long this side bears silence; the lower one of both sides' holds. It is kept between
    /// [`LEASE_MIN`](super::LEASE_MIN) and [`LEASE_MAX`](super::LEASE_MAX).
    pub lease: Duration,
}

/// What the messages of a channel are, for both ends to compare.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageType {
    /// Its name; empty if the messages are bytes.
    pub name: String,
    /// Its version.
    pub version: u32,
}

/// The session that a peer wants to go on with, on a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumption {
    /// The number of the session.
    pub session: u128,
    /// The number of the peer's process.
    pub incarnation: u64,
    /// Which connection of the session it is.
    pub epoch: u64,
}

/// Why a session is over on this side, without a goodbye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Nothing was heard of the peer for the whole lease.
    Silent,
    /// The peer does not know the session, or it is over there.
    UnknownSession,
    /// Another process answers where the peer was.
    OtherProcess,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => "the peer was silent for the whole lease",
            Self::UnknownSession => "the peer does not know the session",
            Self::OtherProcess => "another process answers where the peer was",
        })
    }
}

/// What the peer said in its HELLO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerHello {
    /// The random number of the session.
    pub session: u128,
    /// The random number of the peer's process.
    pub incarnation: u64,
    /// For how long both sides bear silence.
    pub lease: Duration,
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
    /// The peer wants to go on with a session on this new connection: the owner gives the connection to the link
    /// of that session by [`Link::resume`](super::Link::resume), or says
    /// [`Goodbye::unknown_session`].
    Resume(Resumption),
    /// The session goes on on the connection that this side made by
    /// [`Link::reconnect`](super::Link::reconnect).
    Resumed,
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
    /// The sender asks for a message back that this side has and has not settled; whoever has it decides.
    Withdraw {
        /// The channel.
        channel: ReceiveId,
        /// Its number on the channel.
        sequence: u64,
    },
    /// The sender has answered [`Link::revoke`](super::Link::revoke): no message comes any more but those that
    /// were begun, and messages may be granted again.
    Revoked(ReceiveId),
    /// The peer receives no more on this channel; what was under way was not taken.
    ReceiverClosed(SendId),
    /// As [`ReceiverClosed`](Self::ReceiverClosed), because something went wrong there.
    ReceiverPoisoned {
        /// The channel.
        channel: SendId,
        /// What went wrong.
        reason: Reason,
    },
    /// As [`ReceiverClosed`](Self::ReceiverClosed), because the peer refuses the channel.
    Denied {
        /// The channel.
        channel: SendId,
        /// Why.
        denial: Denial,
        /// Why, for people.
        reason: Reason,
    },
    /// The peer sends no more on this channel.
    SenderClosed(ReceiveId),
    /// As [`SenderClosed`](Self::SenderClosed), because something went wrong there.
    SenderPoisoned {
        /// The channel.
        channel: ReceiveId,
        /// What went wrong.
        reason: Reason,
    },
    /// The peer's last word on this connection. After the handshake it is the last word of the session, and what
    /// was under way was not taken: see [`Link::outcome`](super::Link::outcome).
    Goodbye(Goodbye),
    /// The session is over on this side.
    Lost(Lost),
}

/// What became of a message that crossed the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// A process took it.
    Taken,
    /// Nobody waits for it any more: nobody took it, and its sender may send it again when somebody does.
    Declined,
    /// The process that had it in custody gave it back: nobody took it.
    Returned,
    /// The process that had it in custody cannot know, or went before it said so.
    InDoubt,
}

impl Settlement {
    /// The frame that says it.
    pub(super) fn frame(self, channel: u16, sequence: u64) -> Frame<'static> {
        match self {
            Self::Taken => Frame::Taken { channel, sequence },
            Self::Declined => Frame::Declined { channel, sequence },
            Self::Returned => Frame::Returned {
                channel,
                sequence,
                in_doubt: false,
            },
            Self::InDoubt => Frame::Returned {
                channel,
                sequence,
                in_doubt: true,
            },
        }
    }
}

/// What can be said of a message that was sent and not settled, when its session has ended.
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
