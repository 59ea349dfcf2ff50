//! Every limit of the protocol, with its reason.

/// The bytes with which each direction of a connection begins: the magic, then two version numbers.
pub const PREAMBLE_BYTES: usize = 10;

/// The fixed header of each frame.
pub const HEADER_BYTES: usize = 16;

/// The most bytes of a message in one DATA frame: what a small message on another channel may have to wait
/// for, and long enough that the header and the system call cost little beside it.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// The longest payload of any frame: that of DATA, a message length and a chunk.
pub const PAYLOAD_BYTES_MAX: usize = 4 + CHUNK_BYTES_MAX;

/// The longest payload of HELLO: what this version needs, and room for what later ones append.
pub const HELLO_BYTES_MAX: usize = 512;

/// The most bytes kept of a peer that has not shown who it is: the preamble and one HELLO.
pub const HANDSHAKE_BYTES_MAX: usize = PREAMBLE_BYTES + HEADER_BYTES + HELLO_BYTES_MAX;

/// The longest name of a peer, in bytes: a host name and a process name fit, and a report stays readable.
pub const NAME_BYTES_MAX: usize = 128;

/// The longest name of a channel, in bytes.
pub const CHANNEL_NAME_BYTES_MAX: usize = 128;

/// The longest token, in bytes: 256 bits written in hexadecimal.
pub const TOKEN_BYTES_MAX: usize = 64;

/// The longest reason in a GOODBYE, in bytes: a sentence.
pub const REASON_BYTES_MAX: usize = 256;

/// The most messages of one channel between grant and TAKEN: the state that a channel keeps for messages
/// whose outcome is open is bounded by it on both sides.
pub const CREDIT_MESSAGES_MAX: usize = 64;

/// The most channels in one direction that [`Limits::channels`] can allow, so that both directions of a link
/// can be numbered with 16 bits.
pub const CHANNELS_MAX: u16 = 16 * 1024;

/// Once this much output stands ready no more is generated until the socket has taken all of it. One frame
/// may exceed it, so the output buffer holds less than twice this.
pub const OUTPUT_BYTES_MAX: usize = CHUNK_BYTES_MAX;

/// The input buffer of a link at first. It grows, to the longest frame at most, when a frame needs it.
pub const INPUT_BYTES_MIN: usize = 8 * 1024;

/// The longest input buffer: the longest frame.
pub(super) const INPUT_BYTES_MAX: usize = HEADER_BYTES + PAYLOAD_BYTES_MAX;

/// What this side accepts from a peer. Each side tells the other in its HELLO.
///
/// A link's memory is bounded by them: for each channel on which a local receiver waits, one message of at
/// most [`message_bytes`](Self::message_bytes), of which only what has arrived is kept; beside that, fixed
/// state for at most [`channels`](Self::channels) channels a direction and two buffers of 64 KiB.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest message accepted, in bytes. 16 MiB by default: large for a unit of work, and small enough
    /// that one for each of a few hundred channels fits in a server's memory.
    pub message_bytes: u32,
    /// How many channels the peer may have open at once toward this side, and this side toward the peer,
    /// [`CHANNELS_MAX`] at most.
    /// 256 by default: a link is between two processes, which seldom need a dozen.
    pub channels: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 16 * 1024 * 1024,
            channels: 256,
        }
    }
}

impl Limits {
    /// The same limits with the longest message `message_bytes`.
    #[must_use]
    pub fn with_message_bytes(mut self, message_bytes: u32) -> Self {
        self.message_bytes = message_bytes;
        self
    }

    /// The same limits with at most `channels` channels in each direction.
    #[must_use]
    pub fn with_channels(mut self, channels: u16) -> Self {
        self.channels = channels;
        self
    }
}
