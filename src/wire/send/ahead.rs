//! The chunks of a long message that follow the one that is being written, so that they can leave in the same write.
//!
//! They are not generated: whoever has something else to say before the socket takes the first byte of one of them
//! comes before it.

use std::io::IoSlice;

use super::{SendChannel, Stage, Withdraw};
use crate::wire::{
    codec::{DATA_HEAD_BYTES, data_head},
    limits::CHUNK_BYTES_MAX,
};

/// The most chunks that follow another in one write.
pub(in crate::wire) const AHEAD_MAX: usize = 15;

/// What comes before each of the chunks.
pub(in crate::wire) type Heads = [[u8; DATA_HEAD_BYTES]; AHEAD_MAX];

/// The slices of one write.
pub(in crate::wire) struct Slices<'a> {
    slices: [IoSlice<'a>; 2 + 2 * AHEAD_MAX],
    count: usize,
}

impl<'a> Slices<'a> {
    /// What is generated comes first.
    pub(in crate::wire) fn new(generated: [&'a [u8]; 2]) -> Self {
        let mut slices = Self {
            slices: [IoSlice::new(&[]); 2 + 2 * AHEAD_MAX],
            count: 0,
        };
        for part in generated {
            slices.push(part);
        }
        slices
    }

    pub(in crate::wire) fn push(&mut self, bytes: &'a [u8]) {
        if !bytes.is_empty() {
            self.slices[self.count] = IoSlice::new(bytes);
            self.count += 1;
        }
    }

    pub(in crate::wire) fn get(&self) -> &[IoSlice<'a>] {
        &self.slices[..self.count]
    }
}

impl SendChannel {
    /// Appends the chunks that [`generate`](Self::generate) would say, as long as it would say nothing else.
    pub(in crate::wire) fn look_ahead<'a>(
        &'a self,
        channel: u16,
        heads: &'a mut Heads,
        slices: &mut Slices<'a>,
    ) {
        let other = !self.open_said
            || !self.resumed
            || self.revoked
            || self.is_settled_of_use()
            || self.to_withdraw().is_some();
        let Some(message) = self.waiting().filter(|_| !other) else {
            return;
        };
        let Stage::Waiting { mut offset, .. } = message.stage else {
            return;
        };
        if message.withdraw != Withdraw::No {
            return;
        }
        let credit = self.bytes_granted.saturating_sub(self.bytes_sent);
        let credit = usize::try_from(credit).unwrap_or(usize::MAX);
        let end = message.bytes.len().min(offset.saturating_add(credit));
        for head in heads {
            let length = (end - offset).min(CHUNK_BYTES_MAX);
            if length == 0 {
                return;
            }
            *head = data_head(channel, message.sequence, message.bytes.len(), length);
            slices.push(head);
            slices.push(&message.bytes[offset..offset + length]);
            offset += length;
        }
    }
}
