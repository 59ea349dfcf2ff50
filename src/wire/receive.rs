//! The receiving end of one channel.
//!
//! # Invariants
//!
//! - At most one message is being put together, and its buffer holds only bytes that arrived.
//! - Between the last grant and the last settlement written there are at most `CREDIT_MESSAGES_MAX` messages; so
//!   neither list below is longer.
//! - Each whole message is in `delivered` until it is settled, then in `settled` until that is written.

use bytes::Bytes;

use super::{
    error::Violation,
    event::Settlement,
    frame::{End, Frame},
    limits::{CHUNK_BYTES_MAX, CREDIT_MESSAGES_MAX},
};

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one frame that was said or heard, in any order"
)]
pub(super) struct ReceiveChannel {
    name: String,
    /// The number of the last message granted.
    messages_granted: u64,
    /// The sum of message bytes granted.
    bytes_granted: u64,
    grant_unsaid: bool,
    /// The number of the last message of which something arrived.
    messages_begun: u64,
    /// The sum of message bytes that arrived.
    bytes_arrived: u64,
    /// How many settlements were written.
    settlements_said: u64,
    assembly: Option<Assembly>,
    delivered: Vec<u64>,
    settled: Vec<(u64, Settlement)>,
    closing: bool,
    closed: bool,
    peer_closed: bool,
}

/// A message of which not all chunks have arrived.
#[derive(Debug)]
struct Assembly {
    total: usize,
    arrived: usize,
    /// Empty if nobody is left to receive the message.
    bytes: Vec<u8>,
}

impl ReceiveChannel {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            messages_granted: 0,
            bytes_granted: 0,
            grant_unsaid: false,
            messages_begun: 0,
            bytes_arrived: 0,
            settlements_said: 0,
            assembly: None,
            delivered: Vec::new(),
            settled: Vec::new(),
            closing: false,
            closed: false,
            peer_closed: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How many granted messages have not begun to arrive.
    pub(super) fn credit_standing(&self) -> u64 {
        self.messages_granted - self.messages_begun
    }

    /// Grants `messages` more, each of up to `message_bytes`, as far as the limit of open outcomes allows;
    /// returns how many.
    pub(super) fn grant(&mut self, messages: u64, message_bytes: u32) -> u64 {
        if self.closing || self.peer_closed {
            return 0;
        }
        let room = CREDIT_MESSAGES_MAX as u64 - (self.messages_granted - self.settlements_said);
        let messages = messages.min(room);
        if messages > 0 {
            let rest = self
                .assembly
                .as_ref()
                .map_or(0, |assembly| assembly.total - assembly.arrived);
            self.messages_granted += messages;
            // What was granted before stays granted, though shorter messages than allowed have used it up.
            let bytes = self.bytes_arrived
                + rest as u64
                + self.credit_standing() * u64::from(message_bytes);
            self.bytes_granted = self.bytes_granted.max(bytes);
            self.grant_unsaid = true;
        }
        messages
    }

    /// Takes a DATA frame; returns the message if this was its last chunk and somebody is left to receive it.
    pub(super) fn arrive(
        &mut self,
        channel: u16,
        sequence: u64,
        total: u32,
        chunk: &[u8],
        limit: u32,
    ) -> Result<Option<Bytes>, Violation> {
        let bad_chunk = Violation::BadChunk { channel, sequence };
        let wanted = !self.closing;
        let length = usize::try_from(total).unwrap_or(usize::MAX);
        if self.peer_closed || (chunk.is_empty() && total > 0) {
            return Err(bad_chunk);
        }
        if self.assembly.is_none() {
            if sequence != self.messages_begun + 1 {
                return Err(bad_chunk);
            }
            if total > limit {
                return Err(Violation::TooLong {
                    channel,
                    sequence,
                    bytes: total,
                    limit,
                });
            }
            if sequence > self.messages_granted {
                return Err(Violation::NoCredit { channel, sequence });
            }
            self.messages_begun = sequence;
        }
        let assembly = self.assembly.get_or_insert_with(|| Assembly {
            total: length,
            arrived: 0,
            bytes: Vec::new(),
        });
        if sequence != self.messages_begun
            || length != assembly.total
            || chunk.len() > length - assembly.arrived
        {
            return Err(bad_chunk);
        }
        self.bytes_arrived += chunk.len() as u64;
        if self.bytes_arrived > self.bytes_granted {
            return Err(Violation::NoCredit { channel, sequence });
        }
        let whole = assembly.append(chunk, wanted);
        if whole.is_some() {
            self.assembly = None;
            if wanted {
                self.delivered.push(sequence);
                debug_assert!(
                    self.delivered.len() <= CREDIT_MESSAGES_MAX,
                    "open outcomes are bounded"
                );
            }
        }
        Ok(whole.filter(|_| wanted))
    }

    /// It is known what became of message `sequence`. Returns whether that was open.
    pub(super) fn settle(&mut self, sequence: u64, settlement: Settlement) -> bool {
        let Some(position) = self
            .delivered
            .iter()
            .position(|delivered| *delivered == sequence)
        else {
            return false;
        };
        self.delivered.remove(position);
        self.settled.push((sequence, settlement));
        true
    }

    /// Nobody will take any more: what is under way is thrown away.
    pub(super) fn close(&mut self) {
        self.closing = true;
        self.delivered.clear();
        if let Some(assembly) = &mut self.assembly {
            assembly.bytes = Vec::new();
        }
    }

    pub(super) fn peer_closed(&mut self, channel: u16) -> Result<(), Violation> {
        if self.peer_closed || (self.assembly.is_some() && !self.closing) {
            return Err(Violation::BadClose(channel));
        }
        self.peer_closed = true;
        self.assembly = None;
        Ok(())
    }

    /// Whether the peer has said CLOSE.
    pub(super) fn is_peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// Whether both ends have said CLOSE, so that the peer may use the channel's number again.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.peer_closed
    }

    /// Appends all that this end has to say: settlements, then the newest grant, or CLOSE.
    pub(super) fn generate(&mut self, channel: u16, out: &mut Vec<u8>) {
        self.settlements_said += self.settled.len() as u64;
        for (sequence, settlement) in self.settled.drain(..) {
            let frame = match settlement {
                Settlement::Taken => Frame::Taken { channel, sequence },
                Settlement::Returned => Frame::Returned {
                    channel,
                    sequence,
                    in_doubt: false,
                },
                Settlement::InDoubt => Frame::Returned {
                    channel,
                    sequence,
                    in_doubt: true,
                },
            };
            frame.encode(out);
        }
        if self.closing {
            if !self.closed {
                self.closed = true;
                Frame::Close {
                    channel,
                    end: End::Receiver,
                }
                .encode(out);
            }
        } else if self.grant_unsaid {
            self.grant_unsaid = false;
            Frame::Grant {
                channel,
                messages: self.messages_granted,
                bytes: self.bytes_granted,
            }
            .encode(out);
        }
    }

    /// How many bytes of an unfinished message the channel holds.
    pub(super) fn bytes_held(&self) -> usize {
        self.assembly
            .as_ref()
            .map_or(0, |assembly| assembly.bytes.capacity())
    }
}

impl Assembly {
    /// Returns the message if `chunk` was the last of it.
    fn append(&mut self, chunk: &[u8], wanted: bool) -> Option<Bytes> {
        self.arrived += chunk.len();
        let whole = self.arrived == self.total;
        if !wanted {
            return whole.then(Bytes::new);
        }
        if whole && self.bytes.is_empty() {
            // A slice of the read buffer would keep all of that buffer alive.
            return Some(Bytes::copy_from_slice(chunk));
        }
        if self.bytes.capacity() < self.arrived {
            // Doubled, so that the copies stay linear; from what arrived, not from what was claimed.
            let capacity = (self.arrived * 2).max(CHUNK_BYTES_MAX).min(self.total);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(chunk);
        whole.then(|| Bytes::from(std::mem::take(&mut self.bytes)))
    }
}
