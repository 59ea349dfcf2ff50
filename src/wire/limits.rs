//! Every limit of the protocol, with its reason.

use std::time::Duration;

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

/// The longest name of a message type, in bytes.
pub const TYPE_NAME_BYTES_MAX: usize = 128;

/// The longest token, in bytes: 256 bits written in hexadecimal.
pub const TOKEN_BYTES_MAX: usize = 64;

/// The longest reason in a GOODBYE, POISON or DENY, in bytes: a sentence.
pub const REASON_BYTES_MAX: usize = 256;

/// The most messages of one channel that are granted and whose outcome the sender has not confirmed: the state
/// that a channel keeps for them is bounded by it on both sides.
pub const CREDIT_MESSAGES_MAX: usize = 64;

/// A sender confirms outcomes once so many are owed on a channel, with whatever it has to say next: seldom, and in a write
/// that is made anyway, so that it costs little.
pub const SETTLED_OWED_MIN: u32 = 16;

/// Once so many are owed it confirms them though it has nothing else to say: half of the window is always of use.
pub const SETTLED_OWED_MAX: u32 = 32;

/// The shortest lease: some round trips on a bad line.
pub const LEASE_MIN: Duration = Duration::from_millis(100);

/// The lease unless another is asked for: a connection that breaks is made anew well within it, and a peer that
/// is gone for good is noticed while somebody still waits.
pub const LEASE_DEFAULT: Duration = Duration::from_secs(30);

/// The longest lease: what fits into a HELLO, about 49 days.
pub const LEASE_MAX: Duration = Duration::from_millis(u32::MAX as u64);

/// The most bytes that a message is granted before its length is known: a chunk, so that a small message
/// crosses in one go.
pub const SHARE_BYTES_MAX: u64 = CHUNK_BYTES_MAX as u64;

/// A message is granted at first what each of so many channels could have of the budget at once.
pub const SHARES_MIN: u64 = 64;

/// The most channels in one direction that [`Limits::channels`] can allow, so that both directions of a link
/// can be numbered with 16 bits.
pub const CHANNELS_MAX: u16 = 16 * 1024;

/// Once this much output stands ready no more is generated until the socket has taken all of it. One frame
/// may exceed it, so the output buffer holds less than twice this.
pub const OUTPUT_BYTES_MAX: usize = CHUNK_BYTES_MAX;

/// The input buffer of a link on which hardly anything comes: signs of life.
pub(super) const INPUT_BYTES_IDLE: usize = 256;

/// The input buffer of a link on which something comes. It grows, to the longest frame at most, when a frame needs it.
pub const INPUT_BYTES_MIN: usize = 8 * 1024;

/// The longest input buffer: the longest frame, and what comes before the chunk in the next.
pub(super) const INPUT_BYTES_MAX: usize = HEADER_BYTES + PAYLOAD_BYTES_MAX + NEXT_BYTES;

/// What is read beyond the end of a long frame: not more of the next one than shows how long that is, for what is there
/// of it would have to be moved to the beginning of the buffer.
pub(super) const NEXT_BYTES: usize = HEADER_BYTES + 4;

/// What this side accepts from a peer. Each side tells the other in its HELLO.
///
/// A link's memory is bounded by them: messages of [`budget_bytes`](Self::budget_bytes) in all that are granted,
/// or here and not settled, and one more of [`message_bytes`](Self::message_bytes); beside that, fixed state for
/// at most [`channels`](Self::channels) channels a direction and two buffers of 64 KiB.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest message accepted, in bytes. 16 MiB by default: large for a unit of work.
    pub message_bytes: u32,
    /// How many channels the peer may have open at once toward this side, and this side toward the peer,
    /// [`CHANNELS_MAX`] at most.
    /// 256 by default: a link is between two processes, which seldom need a dozen.
    pub channels: u16,
    /// The message bytes that all channels of the link share: those granted and not arrived, and those arrived
    /// and not settled. 4 MiB by default: what a fast line carries in some round trips. One message that is
    /// longer than what is left may exceed it, for else it could never come.
    pub budget_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 16 * 1024 * 1024,
            channels: 256,
            budget_bytes: 4 * 1024 * 1024,
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

    /// The same limits with `budget_bytes` for all channels of a link together.
    #[must_use]
    pub fn with_budget_bytes(mut self, budget_bytes: u64) -> Self {
        self.budget_bytes = budget_bytes;
        self
    }
}
