//! The bytes that the socket is to write next, and how far in the stream they reach.
//!
//! # Invariants
//!
//! - New frames are generated only when all earlier ones were written, so there is one buffer and no queue.
//! - `written() <= generated()`, both counted from the first byte of the connection.

#[derive(Debug, Default)]
pub(super) struct Output {
    buffer: Vec<u8>,
    /// How much of the buffer the socket has taken.
    start: usize,
    /// How many bytes the socket had taken before this buffer.
    before: u64,
}

impl Output {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.buffer.len()
    }

    pub(super) fn wrote(&mut self, count: usize) {
        debug_assert!(
            count <= self.bytes().len(),
            "no more was written than there was"
        );
        self.start = (self.start + count).min(self.buffer.len());
        if self.is_empty() {
            self.before += self.buffer.len() as u64;
            self.buffer.clear();
            self.start = 0;
        }
    }

    /// Begins anew, for another connection.
    pub(super) fn reset(&mut self) {
        self.buffer.clear();
        self.start = 0;
        self.before = 0;
    }

    /// Gives the buffer back if it is empty, for nothing is to be said at the moment.
    pub(super) fn give_back(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
    }

    /// The buffer to append frames to, which must be empty to begin with.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        debug_assert!(
            self.start == 0,
            "frames are generated when all earlier ones were written"
        );
        &mut self.buffer
    }

    /// How many bytes were generated since the connection began.
    pub(super) fn generated(&self) -> u64 {
        self.before + self.buffer.len() as u64
    }

    /// How many bytes the socket has taken since the connection began.
    pub(super) fn written(&self) -> u64 {
        self.before + self.start as u64
    }
}
