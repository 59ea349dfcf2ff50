//! A message of which not all chunks have arrived.
//!
//! # Invariants
//!
//! - The buffer holds only bytes that arrived, and has room for none that were not granted.

use bytes::Bytes;

use super::limits::CHUNK_BYTES_MAX;

/// How many times as much as arrived a buffer may have room for: a message of 1 MiB is moved once, after its first chunk.
const GROWTH: usize = 16;

#[derive(Debug)]
pub(super) struct Assembly {
    total: u64,
    arrived: u64,
    /// Empty if nobody is left to receive the message.
    bytes: Vec<u8>,
}

impl Assembly {
    pub(super) fn new(total: u64) -> Self {
        Self {
            total,
            arrived: 0,
            bytes: Vec::new(),
        }
    }

    /// How much of it is here.
    pub(super) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// How much of it is not here.
    pub(super) fn missing(&self) -> u64 {
        self.total - self.arrived
    }

    /// Whether `length` bytes more can be the next chunk of this message.
    pub(super) fn takes(&self, total: u64, length: usize) -> bool {
        total == self.total && length as u64 <= self.missing()
    }

    /// Makes room for a chunk of `length` bytes, after which `granted` may still come.
    pub(super) fn expect(&mut self, length: usize, granted: u64) {
        let needed = self.bytes.len() + length;
        if self.bytes.capacity() < needed {
            // From the chunks that came, not from what was claimed; few times, for each is a copy.
            let allowed = self.total.min(needed as u64 + granted);
            let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
            let capacity = (needed * GROWTH).max(CHUNK_BYTES_MAX);
            let capacity = capacity.min(allowed).max(needed);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
    }

    /// Adds bytes of the chunk.
    pub(super) fn append(&mut self, bytes: &[u8], wanted: bool) {
        self.arrived += bytes.len() as u64;
        if wanted {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Where the bytes of the chunk may be read to: there is room for them. Say with [`read`](Self::read) how many were.
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn read(&mut self, count: usize) {
        self.arrived += count as u64;
    }

    /// The message, if all of it is here.
    pub(super) fn whole(&mut self) -> Option<Bytes> {
        (self.arrived == self.total).then(|| Bytes::from(std::mem::take(&mut self.bytes)))
    }

    /// Nobody is left to receive it.
    pub(super) fn forget(&mut self) {
        self.bytes = Vec::new();
    }

    pub(super) fn bytes_held(&self) -> usize {
        self.bytes.capacity()
    }
}
