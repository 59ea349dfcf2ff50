//! What was said and heard on one connection of a session; all of it ends with the connection.

use super::codec::DataHead;

/// What there is to know of one connection.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that was said or heard, in any order"
)]
pub(super) struct Connection {
    /// It is there: bytes come and go.
    pub(super) up: bool,
    /// The peer's preamble came.
    pub(super) preamble_seen: bool,
    /// Our preamble and HELLO were said.
    pub(super) greeted: bool,
    /// The peer's HELLO came and was accepted.
    pub(super) hello_heard: bool,
    /// The session was there before the connection.
    pub(super) resuming: bool,
    /// The channels on which this side sends that are to be opened again, the next one last. The channel limit
    /// bounds it.
    pub(super) reopen: Vec<u16>,
    pub(super) resumed_said: bool,
    pub(super) resumed_heard: bool,
    pub(super) goodbye_said: bool,
    /// The peer said its last word, or broke the protocol: what it says now is thrown away.
    pub(super) deaf: bool,
    /// The peer speaks another protocol, in which our GOODBYE would be noise.
    pub(super) mute: bool,
    /// A long chunk of which not all bytes have come.
    pub(super) chunk: Option<Chunk>,
}

/// A chunk that is arriving.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub(super) head: DataHead,
    /// How many of its bytes have not come.
    pub(super) left: usize,
}

impl Connection {
    /// The first connection of a session.
    pub(super) fn first() -> Self {
        Self {
            up: true,
            ..Self::default()
        }
    }

    /// A later one.
    pub(super) fn later() -> Self {
        Self {
            up: true,
            resuming: true,
            ..Self::default()
        }
    }

    /// Whether frames about channels may be said and heard.
    pub(super) fn is_open(&self) -> bool {
        self.up && self.hello_heard
    }

    /// Whether the peer may still open channels again.
    pub(super) fn awaits_resumed(&self) -> bool {
        self.resuming && !self.resumed_heard
    }
}
