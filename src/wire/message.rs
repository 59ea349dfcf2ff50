//! A message on its way to the peer, as long as its outcome is open.
//!
//! # Invariants
//!
//! - Once `left` is unset, and the stage is not `Sent` with its end written, no peer can have taken the message.

use bytes::Bytes;

/// A message whose outcome is open.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) sequence: u64,
    pub(super) bytes: Bytes,
    pub(super) stage: Stage,
    /// A socket took its last byte on some connection, and the peer has not said that it did not arrive.
    pub(super) left: bool,
    pub(super) withdraw: Withdraw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not all chunks were generated; `begun` says whether one was.
    Waiting { offset: usize, begun: bool },
    /// All were; the last byte is there in the output stream.
    Sent { end: u64 },
    /// It had arrived when the last connection broke.
    Arrived,
    /// It was withdrawn before its end: it cannot be taken.
    Cut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Withdraw {
    No,
    Asked,
    /// Said on this connection.
    Said,
}

impl Stage {
    pub(super) const UNSAID: Self = Self::Waiting {
        offset: 0,
        begun: false,
    };
}

impl Message {
    /// A message of which nothing was said.
    pub(super) fn new(sequence: u64, bytes: Bytes) -> Self {
        Self {
            sequence,
            bytes,
            stage: Stage::UNSAID,
            left: false,
            withdraw: Withdraw::No,
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting { .. })
    }

    /// How many of its bytes are to be said.
    pub(super) fn unsaid(&self) -> u64 {
        match self.stage {
            Stage::Waiting { offset, .. } => (self.bytes.len() - offset) as u64,
            _ => 0,
        }
    }

    pub(super) fn has_left(&self, written: u64) -> bool {
        self.left || matches!(self.stage, Stage::Sent { end } if end <= written)
    }
}
