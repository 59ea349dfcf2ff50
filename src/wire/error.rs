//! What can be wrong with a peer, and with an order to a link.

use super::{
    goodbye::{Code, Goodbye},
    hello::{VERSION, VERSION_MIN},
    limits::CHANNEL_NAME_BYTES_MAX,
    stranger::Stranger,
};

/// How a peer broke the protocol. The link says so in its GOODBYE and ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The peer speaks something else.
    #[error("this is not the handover protocol ({0})")]
    Stranger(Stranger),
    /// The two sides have no version in common.
    #[error(
        "the peer speaks handover protocol version {oldest} to {newest} and this side {VERSION_MIN} to {VERSION}: \
         update the older program"
    )]
    Version {
        /// The newest version that the peer speaks.
        newest: u8,
        /// The oldest version that the peer speaks.
        oldest: u8,
    },
    /// The peer presented no token or a wrong one.
    #[error("the peer's token is missing or wrong")]
    Refused,
    /// A frame carries another version than the one the sides agreed on.
    #[error("a frame of version {0} came on a link of version {VERSION}")]
    FrameVersion(u8),
    /// A frame of a type that this version does not have.
    #[error("there is no frame type {0}")]
    UnknownType(u8),
    /// A frame whose length its type does not allow.
    #[error("a {frame} frame has a payload of {length} bytes, and {allowed} is allowed")]
    BadLength {
        /// The name of the frame's type.
        frame: &'static str,
        /// The length that it claims.
        length: u32,
        /// What its type allows.
        allowed: &'static str,
    },
    /// HELLO is malformed.
    #[error("the HELLO is malformed: {0}")]
    BadHello(&'static str),
    /// The first frame was not a HELLO.
    #[error("a {0} frame came before the HELLO")]
    NoHello(&'static str),
    /// A second HELLO on the same connection.
    #[error("a second HELLO came")]
    SecondHello,
    /// A channel's name is empty, too long, not UTF-8, or has control characters.
    #[error(
        "the name of channel {0} is not 1 to {CHANNEL_NAME_BYTES_MAX} bytes of printable UTF-8"
    )]
    BadChannelName(u16),
    /// The peer opened a channel beyond the number that this side allows.
    #[error("channel {channel} was opened, and the limit is {limit} channels")]
    TooManyChannels {
        /// The number of the channel.
        channel: u16,
        /// How many this side allows.
        limit: u16,
    },
    /// The peer opened a channel under a number, or a name, that is open already.
    #[error("channel {0} was opened while its number or name is in use")]
    AlreadyOpen(u16),
    /// A frame names a channel that is not open.
    #[error("a {frame} frame came for channel {channel}, which is not open")]
    UnknownChannel {
        /// The name of the frame's type.
        frame: &'static str,
        /// The number of the channel.
        channel: u16,
    },
    /// A message came that no grant allows, or more bytes than were granted.
    #[error("message {sequence} on channel {channel} came without credit")]
    NoCredit {
        /// The number of the channel.
        channel: u16,
        /// The number of the message.
        sequence: u64,
    },
    /// A message is longer than this side allows.
    #[error("message {sequence} on channel {channel} has {bytes} bytes, and the limit is {limit}")]
    TooLong {
        /// The number of the channel.
        channel: u16,
        /// The number of the message.
        sequence: u64,
        /// The length that it claims.
        bytes: u32,
        /// The longest message that this side accepts, in bytes.
        limit: u32,
    },
    /// A DATA frame does not continue its channel: out of sequence, of another length, or with nothing in it.
    #[error("a chunk of message {sequence} on channel {channel} does not fit what came before it")]
    BadChunk {
        /// The number of the channel.
        channel: u16,
        /// The number of the message.
        sequence: u64,
    },
    /// A TAKEN or RETURNED for a message that was never sent, or is settled already.
    #[error("message {sequence} on channel {channel} was settled, and is not under way")]
    NotUnderWay {
        /// The number of the channel.
        channel: u16,
        /// The number of the message.
        sequence: u64,
    },
    /// A RETURNED that says neither of the two things that it can say.
    #[error(
        "message {sequence} on channel {channel} was returned with an outcome that does not exist"
    )]
    BadReturned {
        /// The number of the channel.
        channel: u16,
        /// The number of the message.
        sequence: u64,
    },
    /// An OPEN whose opening number does not fit: not above the last one, or that of another channel.
    #[error("channel {channel} was opened with the opening number {opening}, which does not fit")]
    BadOpening {
        /// The number of the channel.
        channel: u16,
        /// The opening number.
        opening: u64,
    },
    /// A RESUME that was not asked for, or does not fit what was sent.
    #[error("a RESUME came for channel {0} that does not fit what was sent there")]
    BadResume(u16),
    /// A RESUMED on a first connection, or a second one.
    #[error("a RESUMED came that nothing called for")]
    BadResumed,
    /// The peer forgot a channel of which it cannot know the outcomes.
    #[error("channel {0} was not opened again, and is not over")]
    NotReopened(u16),
    /// A REVOKED that was not asked for, or does not fit what arrived.
    #[error("a REVOKED came for channel {0} that does not fit")]
    BadRevoked(u16),
    /// A WITHDRAW of a message that was not sent and is not the next one.
    #[error("message {sequence} on channel {channel} was withdrawn, and was never begun")]
    BadWithdraw {
        /// The number of the channel.
        channel: u16,
        /// The number of the message.
        sequence: u64,
    },
    /// A SETTLED of outcomes that were never said.
    #[error(
        "outcomes up to message {sequence} on channel {channel} were confirmed that were never said"
    )]
    BadSettled {
        /// The number of the channel.
        channel: u16,
        /// The number of the message.
        sequence: u64,
    },
    /// A PONG that answers no PING.
    #[error("a PONG came that answers no PING")]
    BadPong,
    /// A CLOSE that names no end, comes a second time, or in the middle of a message.
    #[error("channel {0} was closed twice, at neither end, or in the middle of a message")]
    BadClose(u16),
}

impl Violation {
    /// The goodbye that tells the peer.
    #[must_use]
    pub fn goodbye(&self) -> Goodbye {
        let code = match self {
            Self::Version { .. } => Code::Version,
            Self::Refused => Code::Refused,
            _ => Code::Violation,
        };
        Goodbye::new(code, &self.to_string())
    }
}

/// Why a channel was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The name is empty, too long, or has control characters.
    #[error(
        "a channel's name has 1 to {CHANNEL_NAME_BYTES_MAX} bytes and no control characters: {0:?}"
    )]
    BadName(String),
    /// The channel is open at this end already.
    #[error("channel {0:?} is open at this end already: clone the end that was given out")]
    InUse(String),
    /// As many channels are open as the two sides allow.
    #[error("{0} channels are open, which is the limit of this link")]
    TooMany(u16),
}

/// A message that is longer than the peer accepts; the link is unharmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the message has {bytes} bytes, and the peer accepts {limit}: cut it, or raise the peer's limit"
)]
pub struct MessageTooLong {
    /// The message's length in bytes.
    pub bytes: usize,
    /// The longest message that the peer accepts, in bytes.
    pub limit: u32,
}
