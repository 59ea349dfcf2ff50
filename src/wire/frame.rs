//! What can be said on a link.

use super::{goodbye::Goodbye, hello::Hello, reason::Reason};

/// What a frame is, as its second byte says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameType {
    /// 1: who the side is.
    Hello,
    /// 2: the sender of a channel opens it.
    Open,
    /// 3: the receiver of a channel allows messages.
    Grant,
    /// 4: a chunk of a message.
    Data,
    /// 5: a process took the message.
    Taken,
    /// 6: one end of a channel is gone.
    Close,
    /// 7: the side's last word.
    Goodbye,
    /// 8: the process that had the message in custody did not take it, or cannot know.
    Returned,
    /// 9: the receiver asks for the credit back that is not used.
    Revoke,
    /// 10: the sender says how much of it was used.
    Revoked,
    /// 11: the sender asks for a message back.
    Withdraw,
    /// 12: one end of a channel is gone because something went wrong there.
    Poison,
    /// 13: the sender has heard outcomes.
    Settled,
    /// 14: the receiver says how far a channel had come.
    Resume,
    /// 15: the side has opened again all channels on which it sends.
    Resumed,
    /// 16: a sign of life.
    Ping,
    /// 17: the answer to it.
    Pong,
    /// 18: the receiver refuses a channel.
    Deny,
    /// 19: nobody waits for a message any more.
    Declined,
}

impl FrameType {
    const ALL: [Self; 19] = [
        Self::Hello,
        Self::Open,
        Self::Grant,
        Self::Data,
        Self::Taken,
        Self::Close,
        Self::Goodbye,
        Self::Returned,
        Self::Revoke,
        Self::Revoked,
        Self::Withdraw,
        Self::Poison,
        Self::Settled,
        Self::Resume,
        Self::Resumed,
        Self::Ping,
        Self::Pong,
        Self::Deny,
        Self::Declined,
    ];

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte).checked_sub(1)?).copied()
    }

    pub(super) fn byte(self) -> u8 {
        // In the order of `ALL`.
        self as u8 + 1
    }

    /// The type's name in the specification.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hello => "HELLO",
            Self::Open => "OPEN",
            Self::Grant => "GRANT",
            Self::Data => "DATA",
            Self::Taken => "TAKEN",
            Self::Close => "CLOSE",
            Self::Goodbye => "GOODBYE",
            Self::Returned => "RETURNED",
            Self::Revoke => "REVOKE",
            Self::Revoked => "REVOKED",
            Self::Withdraw => "WITHDRAW",
            Self::Poison => "POISON",
            Self::Settled => "SETTLED",
            Self::Resume => "RESUME",
            Self::Resumed => "RESUMED",
            Self::Ping => "PING",
            Self::Pong => "PONG",
            Self::Deny => "DENY",
            Self::Declined => "DECLINED",
        }
    }
}

/// One end of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The end that sends; it opened the channel and chose its number.
    Sender,
    /// The end that receives.
    Receiver,
}

/// Why a receiver refuses a channel, a number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denial {
    /// 1: its messages are of another type, or of another version of it.
    Mismatch,
    /// 2: the peer may not send on it.
    NotAllowed,
    /// Any other number: a reason that this version does not know.
    Other(u16),
}

impl Denial {
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Mismatch => 1,
            Self::NotAllowed => 2,
            Self::Other(number) => number,
        }
    }

    pub(super) fn from_number(number: u16) -> Self {
        match number {
            1 => Self::Mismatch,
            2 => Self::NotAllowed,
            _ => Self::Other(number),
        }
    }
}

/// A frame, its payload still in the buffer that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Who the side is: the first frame of each direction.
    Hello(Hello<'a>),
    /// The sender opens `channel` under `name`.
    Open {
        /// The number that the sender chose.
        channel: u16,
        /// How many channels the sender had opened in the session, with this one.
        opening: u64,
        /// By which the receiver knows it.
        name: &'a str,
        /// The name of the type of its messages; empty if they are bytes.
        type_name: &'a str,
        /// The version of that type.
        type_version: u32,
    },
    /// The receiver allows messages up to number `messages`, and `bytes` message bytes in all since OPEN.
    Grant {
        /// The number of the channel.
        channel: u16,
        /// The number of the last message allowed.
        messages: u64,
        /// The sum of message bytes allowed since the channel was opened.
        bytes: u64,
    },
    /// The next bytes of a message.
    Data {
        /// The number of the channel.
        channel: u16,
        /// The number of the message, from 1.
        sequence: u64,
        /// The length of the whole message in bytes.
        total: u32,
        /// The bytes.
        chunk: &'a [u8],
    },
    /// A process on the receiving side took the message.
    Taken {
        /// The number of the channel.
        channel: u16,
        /// The number of the message.
        sequence: u64,
    },
    /// Nobody on the receiving side waits for the message any more: it is its sender's again.
    Declined {
        /// The number of the channel.
        channel: u16,
        /// The number of the message.
        sequence: u64,
    },
    /// A process on the receiving side had the message in custody, and gave it back or lost sight of it.
    Returned {
        /// The number of the channel.
        channel: u16,
        /// The number of the message.
        sequence: u64,
        /// Whether it may have been taken nevertheless.
        in_doubt: bool,
    },
    /// The frame's sender is done with `channel`, of which it holds `end`.
    Close {
        /// The number of the channel.
        channel: u16,
        /// Which end it is that closes.
        end: End,
    },
    /// The last frame of a direction.
    Goodbye(Goodbye),
    /// The receiver wants the credit back that is not used.
    Revoke {
        /// The number of the channel.
        channel: u16,
    },
    /// The sender's answer: what is granted now is what it has begun.
    Revoked {
        /// The number of the channel.
        channel: u16,
        /// The number of the last message begun.
        sequence: u64,
        /// The sum of the bytes of all messages begun.
        bytes: u64,
    },
    /// The sender wants a message back; the receiver decides. No further chunk of it follows.
    Withdraw {
        /// The number of the channel.
        channel: u16,
        /// The number of the message.
        sequence: u64,
    },
    /// A CLOSE with a reason that all at the other end are to hear.
    Poison {
        /// The number of the channel.
        channel: u16,
        /// Which end it is that closes.
        end: End,
        /// What went wrong.
        reason: Reason,
    },
    /// The sender knows the outcome of all messages up to `sequence`, but of those in `open`.
    Settled {
        /// The number of the channel.
        channel: u16,
        /// The last message of which it knows it.
        sequence: u64,
        /// The numbers before that whose outcome it does not know, ascending and big-endian.
        open: &'a [[u8; 8]],
    },
    /// The receiver says how far the channel had come when the last connection broke, and what it grants now.
    Resume {
        /// The number of the channel.
        channel: u16,
        /// The number of the last message that arrived in whole.
        arrived: u64,
        /// The sum of message bytes up to it.
        arrived_bytes: u64,
        /// The number of the last message allowed.
        messages: u64,
        /// The sum of message bytes allowed since the channel was opened.
        bytes: u64,
    },
    /// The side has opened again all channels on which it sends.
    Resumed,
    /// A sign of life.
    Ping(u64),
    /// The answer to the newest one.
    Pong(u64),
    /// The receiver refuses the channel.
    Deny {
        /// The number of the channel.
        channel: u16,
        /// Why.
        denial: Denial,
        /// Why, for people.
        reason: Reason,
    },
}

impl Frame<'_> {
    /// The frame's type.
    #[must_use]
    pub fn frame_type(&self) -> FrameType {
        match self {
            Self::Hello(_) => FrameType::Hello,
            Self::Open { .. } => FrameType::Open,
            Self::Grant { .. } => FrameType::Grant,
            Self::Data { .. } => FrameType::Data,
            Self::Taken { .. } => FrameType::Taken,
            Self::Declined { .. } => FrameType::Declined,
            Self::Returned { .. } => FrameType::Returned,
            Self::Close { .. } => FrameType::Close,
            Self::Goodbye(_) => FrameType::Goodbye,
            Self::Revoke { .. } => FrameType::Revoke,
            Self::Revoked { .. } => FrameType::Revoked,
            Self::Withdraw { .. } => FrameType::Withdraw,
            Self::Poison { .. } => FrameType::Poison,
            Self::Settled { .. } => FrameType::Settled,
            Self::Resume { .. } => FrameType::Resume,
            Self::Resumed => FrameType::Resumed,
            Self::Ping(_) => FrameType::Ping,
            Self::Pong(_) => FrameType::Pong,
            Self::Deny { .. } => FrameType::Deny,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_its_byte() {
        for byte in 0..=u8::MAX {
            let kind = FrameType::from_byte(byte);
            assert_eq!(kind.is_some(), (1..=19).contains(&byte));
            assert!(kind.is_none_or(|kind| kind.byte() == byte));
        }
    }

    #[test]
    fn a_denial_is_its_number() {
        for number in 0..4 {
            assert_eq!(Denial::from_number(number).number(), number);
        }
    }
}
