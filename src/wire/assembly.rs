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

    /// Whether `chunk` can be the next of this message.
    pub(super) fn takes(&self, total: u64, chunk: &[u8]) -> bool {
        total == self.total && chunk.len() as u64 <= self.missing()
    }

    /// Adds a chunk, after which `granted` bytes may still come; returns the message if it was the last of it.
    pub(super) fn append(&mut self, chunk: &[u8], granted: u64, wanted: bool) -> Option<Bytes> {
        self.arrived += chunk.len() as u64;
        let whole = self.arrived == self.total;
        if !wanted {
            return whole.then(Bytes::new);
        }
        if whole && self.bytes.is_empty() {
            // A slice of the read buffer would keep all of that buffer alive.
            return Some(Bytes::copy_from_slice(chunk));
        }
        let needed = self.bytes.len() + chunk.len();
        if self.bytes.capacity() < needed {
            // From what arrived, not from what was claimed; few times, for each is a copy.
            let allowed = self.total.min(self.arrived + granted);
            let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
            let capacity = (needed * GROWTH)
                .max(CHUNK_BYTES_MAX)
                .min(allowed)
                .max(needed);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(chunk);
        whole.then(|| Bytes::from(std::mem::take(&mut self.bytes)))
    }

    /// Nobody is left to receive it.
    pub(super) fn forget(&mut self) {
        self.bytes = Vec::new();
    }

    pub(super) fn bytes_held(&self) -> usize {
        self.bytes.capacity()
    }
}
