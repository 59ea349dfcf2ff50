//! The sending end of one channel.
//!
//! # Invariants
//!
//! - No message begins beyond the peer's grant, and no byte leaves beyond it.
//! - At most one message is partly in the output; at most `CREDIT_MESSAGES_MAX` are wholly in it and not settled.
//! - Each message is in one place: in `current`, in `unsettled`, or its outcome is known.

use bytes::Bytes;

use super::{
    error::Violation,
    frame::{End, Frame},
    limits::{CHUNK_BYTES_MAX, CREDIT_MESSAGES_MAX},
    output::Output,
};

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one frame that was said or heard, in any order"
)]
pub(super) struct SendChannel {
    name: String,
    opened: bool,
    /// The number of the last message that the peer allows.
    messages_granted: u64,
    /// The sum of message bytes that the peer allows.
    bytes_granted: u64,
    /// The number of the last message begun.
    messages_begun: u64,
    /// The sum of message bytes generated.
    bytes_sent: u64,
    current: Option<Current>,
    unsettled: Vec<Unsettled>,
    /// No message will begin any more.
    closing: bool,
    /// Our CLOSE is generated.
    closed: bool,
    /// The peer's end is gone: its CLOSE came.
    peer_closed: bool,
}

/// A message of which not all chunks are generated.
#[derive(Debug)]
struct Current {
    sequence: u64,
    message: Bytes,
    offset: usize,
}

/// A message that is wholly generated and whose outcome is open.
#[derive(Debug)]
struct Unsettled {
    sequence: u64,
    /// Where in the output stream its last byte is.
    end: u64,
}

impl SendChannel {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            opened: false,
            messages_granted: 0,
            bytes_granted: 0,
            messages_begun: 0,
            bytes_sent: 0,
            current: None,
            unsettled: Vec::new(),
            closing: false,
            closed: false,
            peer_closed: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether a message may begin now.
    pub(super) fn has_credit(&self) -> bool {
        self.current.is_none()
            && !self.closing
            && !self.peer_closed
            && self.messages_begun < self.messages_granted
            && self.unsettled.len() < CREDIT_MESSAGES_MAX
    }

    /// Begins a message; returns its number.
    pub(super) fn begin(&mut self, message: Bytes) -> u64 {
        debug_assert!(
            self.has_credit(),
            "no message begins beyond the peer's grant"
        );
        self.messages_begun += 1;
        self.current = Some(Current {
            sequence: self.messages_begun,
            message,
            offset: 0,
        });
        self.messages_begun
    }

    /// Takes the peer's absolute limits. A lower one is older, and changes nothing.
    pub(super) fn granted(&mut self, messages: u64, bytes: u64) {
        self.messages_granted = self.messages_granted.max(messages);
        self.bytes_granted = self.bytes_granted.max(bytes);
    }

    pub(super) fn settled(&mut self, channel: u16, sequence: u64) -> Result<(), Violation> {
        let position = self
            .unsettled
            .iter()
            .position(|unsettled| unsettled.sequence == sequence)
            .ok_or(Violation::NotUnderWay { channel, sequence })?;
        self.unsettled.remove(position);
        Ok(())
    }

    /// No message will begin any more.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// The peer's end is gone: it has not taken, and will not take, what is under way.
    pub(super) fn peer_closed(&mut self, channel: u16) -> Result<(), Violation> {
        if self.peer_closed {
            return Err(Violation::BadClose(channel));
        }
        self.peer_closed = true;
        self.closing = true;
        self.current = None;
        self.unsettled.clear();
        Ok(())
    }

    /// Whether both ends have said CLOSE, so that the channel's number is free.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.peer_closed
    }

    /// Whether [`generate`](Self::generate) has something to say.
    pub(super) fn is_ready(&self) -> bool {
        let chunk_ready = self.current.as_ref().is_some_and(|current| {
            current.message.len() == current.offset || self.bytes_sent < self.bytes_granted
        });
        !self.opened || chunk_ready || (self.closing && !self.closed && self.current.is_none())
    }

    /// Appends the next frame of this channel, if there is one.
    pub(super) fn generate(&mut self, channel: u16, output: &mut Output) {
        if !self.opened {
            self.opened = true;
            Frame::Open {
                channel,
                name: &self.name,
            }
            .encode(output.buffer());
        } else if self.current.is_some() {
            self.generate_chunk(channel, output);
        } else if self.closing && !self.closed {
            self.closed = true;
            Frame::Close {
                channel,
                end: End::Sender,
            }
            .encode(output.buffer());
        }
    }

    fn generate_chunk(&mut self, channel: u16, output: &mut Output) {
        let Some(current) = &mut self.current else {
            return;
        };
        let left = current.message.len() - current.offset;
        let credit = usize::try_from(self.bytes_granted - self.bytes_sent).unwrap_or(usize::MAX);
        let length = left.min(CHUNK_BYTES_MAX).min(credit);
        if length == 0 && left > 0 {
            return;
        }
        let chunk = &current.message[current.offset..current.offset + length];
        let total = u32::try_from(current.message.len()).unwrap_or(u32::MAX);
        let sequence = current.sequence;
        Frame::Data {
            channel,
            sequence,
            total,
            chunk,
        }
        .encode(output.buffer());
        current.offset += length;
        self.bytes_sent += length as u64;
        debug_assert!(
            self.bytes_sent <= self.bytes_granted,
            "no byte leaves beyond the grant"
        );
        if length == left {
            self.current = None;
            self.unsettled.push(Unsettled {
                sequence,
                end: output.generated(),
            });
            debug_assert!(
                self.unsettled.len() <= CREDIT_MESSAGES_MAX,
                "open outcomes are bounded"
            );
        }
    }

    /// Where in the output stream the last byte of a message is whose outcome is open; `None` if that byte was
    /// not generated, or the outcome is known.
    pub(super) fn end_of(&self, sequence: u64) -> Option<u64> {
        self.unsettled
            .iter()
            .find(|unsettled| unsettled.sequence == sequence)
            .map(|unsettled| unsettled.end)
    }
}
