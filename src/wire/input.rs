//! The bytes that were read and do not make a whole frame yet.
//!
//! # Invariants
//!
//! - `start <= end <= buffer.len() <= limit`.
//! - The buffer grows only when it is full of bytes that arrived, or a read has filled it.

use super::limits::{INPUT_BYTES_IDLE, INPUT_BYTES_MIN, NEXT_BYTES};

#[derive(Debug)]
pub(super) struct Input {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    limit: usize,
    /// A read has filled the buffer, so there may be more.
    filled_up: bool,
    /// How much is left of a long chunk that is arriving.
    awaited: Option<usize>,
}

impl Input {
    /// A buffer of at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            end: 0,
            limit,
            filled_up: false,
            awaited: None,
        }
    }

    /// Reads next no more than the `bytes` that are left of a long chunk, and the head of the next frame.
    pub(super) fn await_rest(&mut self, bytes: usize) {
        debug_assert!(self.start == self.end, "what came of the chunk was taken");
        self.awaited = Some(bytes);
    }

    /// Allows more, once the peer is known.
    pub(super) fn raise_limit(&mut self, limit: usize) {
        self.limit = self.limit.max(limit);
    }

    /// Room for bytes to be read into. It is empty only if `limit` bytes wait to be consumed.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        if std::mem::take(&mut self.filled_up) && self.buffer.len() < INPUT_BYTES_MIN {
            self.grow(INPUT_BYTES_MIN);
        }
        if self.end == self.buffer.len() {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                self.grow((self.buffer.len() * 2).max(INPUT_BYTES_IDLE));
            }
        }
        debug_assert!(
            self.buffer.len() <= self.limit,
            "the buffer keeps to its limit"
        );
        let most = self.awaited.map_or(usize::MAX, |rest| rest + NEXT_BYTES);
        let room = (self.buffer.len() - self.end).min(most);
        &mut self.buffer[self.end..self.end + room]
    }

    /// Whether there is room without an allocation.
    pub(super) fn has_room(&self) -> bool {
        !self.filled_up && self.end < self.buffer.len()
    }

    fn grow(&mut self, bytes: usize) {
        let longer = bytes.min(self.limit).max(self.buffer.len());
        self.buffer.reserve_exact(longer - self.buffer.len());
        self.buffer.resize(longer, 0);
    }

    /// Takes bytes that were read elsewhere.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.space()[..bytes.len()].copy_from_slice(bytes);
            self.filled(bytes.len());
        }
    }

    /// Says that `count` bytes were read into the space.
    pub(super) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
        self.filled_up = count > 0 && self.end == self.buffer.len();
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.awaited = None;
        self.start = (self.start + count).min(self.end);
    }

    /// Gives the buffer back if it is empty, for nothing comes at the moment.
    pub(super) fn give_back(&mut self) {
        if self.start == self.end {
            self.buffer = Vec::new();
            self.start = 0;
            self.end = 0;
        }
    }

    /// How many bytes the buffer occupies.
    pub(super) fn capacity(&self) -> usize {
        self.buffer.len()
    }
}
