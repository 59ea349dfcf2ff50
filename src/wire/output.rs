//! The bytes that the socket is to write next, and how far in the stream they reach.
//!
//! # Invariants
//!
//! - New frames are generated only when all earlier ones were written, so there is one buffer and no queue.
//! - `body` is the end of the last frame in the buffer, so nothing is generated after it.
//! - `written() <= generated()`, both counted from the first byte of the connection.

use bytes::Bytes;

use super::limits::OUTPUT_BYTES_MAX;

/// A chunk of fewer bytes is copied into the buffer, so that others may follow it in the same write.
const BODY_BYTES_MIN: usize = 4 * 1024;

#[derive(Debug, Default)]
pub(super) struct Output {
    buffer: Vec<u8>,
    /// What follows the buffer: a long chunk, which is written from where its message is.
    body: Bytes,
    /// How much of both the socket has taken.
    start: usize,
    /// How many bytes the socket had taken before.
    before: u64,
}

impl Output {
    fn len(&self) -> usize {
        self.buffer.len() + self.body.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.len()
    }

    /// Whether no frame may be appended any more.
    pub(super) fn is_full(&self) -> bool {
        self.has_body() || self.buffer.len() >= OUTPUT_BYTES_MAX
    }

    pub(super) fn has_body(&self) -> bool {
        !self.body.is_empty()
    }

    /// What the socket has not taken, in one piece.
    pub(super) fn joined(&mut self) -> &[u8] {
        let body = std::mem::take(&mut self.body);
        self.buffer.extend_from_slice(&body);
        &self.buffer[self.start..]
    }

    /// What the socket has not taken: of the buffer, and of what follows it.
    pub(super) fn parts(&self) -> (&[u8], &[u8]) {
        let head = self.start.min(self.buffer.len());
        (&self.buffer[head..], &self.body[self.start - head..])
    }

    /// Says that the socket took `count` bytes more; returns how many of them were not from here.
    pub(super) fn wrote(&mut self, count: usize) -> usize {
        let taken = count.min(self.len() - self.start);
        self.start += taken;
        if self.is_empty() {
            self.before += self.len() as u64;
            self.buffer.clear();
            self.body = Bytes::new();
            self.start = 0;
        }
        count - taken
    }

    /// Begins anew, for another connection.
    pub(super) fn reset(&mut self) {
        self.buffer.clear();
        self.body = Bytes::new();
        self.start = 0;
        self.before = 0;
    }

    /// Gives the buffer back if it is empty, for nothing is to be said at the moment.
    pub(super) fn give_back(&mut self) {
        if self.is_empty() {
            self.buffer = Vec::new();
        }
    }

    /// The buffer to append frames to, which must be empty to begin with.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        debug_assert!(
            self.start == 0 && !self.has_body(),
            "frames are generated when all earlier ones were written"
        );
        &mut self.buffer
    }

    /// Appends a DATA frame.
    pub(super) fn say_data(&mut self, head: &[u8], message: &Bytes, from: usize, length: usize) {
        let chunk = from..from + length;
        let buffer = self.buffer();
        buffer.extend_from_slice(head);
        if length < BODY_BYTES_MIN {
            buffer.extend_from_slice(&message[chunk]);
        } else {
            self.body = message.slice(chunk);
        }
    }

    /// How many bytes were generated since the connection began.
    pub(super) fn generated(&self) -> u64 {
        self.before + self.len() as u64
    }

    /// How many bytes the socket has taken since the connection began.
    pub(super) fn written(&self) -> u64 {
        self.before + self.start as u64
    }
}
