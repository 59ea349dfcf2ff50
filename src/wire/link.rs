//! One session: bytes in, events out; orders in, bytes out; one connection after the other.
//!
//! # Invariants
//!
//! - New frames are generated only when the socket has taken all earlier ones.
//! - After a violation, or the peer's GOODBYE, nothing of what the peer says is kept.
//! - A link that is idle keeps no buffer that it does not need.
//! - What was read from an earlier connection, or was to be written to it, is gone before the next one begins.

use std::{io::IoSlice, time::Duration};

use bytes::BufMut;

use super::{
    codec::{DATA_HEAD_BYTES, DataHead},
    error::Violation,
    event::{Counters, Event, Lost, PeerHello, ReceiveId, Resumption, Settings},
    frame::{End, Frame},
    goodbye::{Code, Goodbye},
    input::Input,
    limits::{HANDSHAKE_BYTES_MAX, INPUT_BYTES_MAX, NEXT_BYTES, PREAMBLE_BYTES},
    output::Output,
    receive::ReceiveChannel,
    send::{Heads, Slices},
    state::{Role, State},
};

/// A chunk of so many bytes or more is taken as it comes.
const STRAIGHT_BYTES_MIN: usize = 8 * 1024;

/// The state of one session, and of the connection that carries it now.
#[derive(Debug)]
pub struct Link {
    input: Input,
    pub(super) output: Output,
    pub(super) state: State,
}

impl Link {
    /// The side that connected: it speaks first.
    #[must_use]
    pub fn dialer(settings: Settings) -> Self {
        Self::new(Role::Dialer, settings)
    }

    /// The side that was connected to.
    #[must_use]
    pub fn listener(settings: Settings) -> Self {
        Self::new(Role::Listener, settings)
    }

    fn new(role: Role, settings: Settings) -> Self {
        Self {
            input: Input::new(HANDSHAKE_BYTES_MAX),
            output: Output::default(),
            state: State::new(role, settings),
        }
    }

    // ---- Bytes in ----

    /// Room to read from the socket into; say with [`received`](Self::received) how much was read. It is empty
    /// only while [`poll_event`](Self::poll_event) was not called until it returned `None`.
    pub fn input(&mut self) -> &mut [u8] {
        self.input.space()
    }

    /// Whether there is room already, so that [`input`](Self::input) allocates nothing.
    #[must_use]
    pub fn has_input_room(&self) -> bool {
        self.input.has_room()
    }

    /// Says that the first `count` bytes of [`input`](Self::input) were read from the socket, at the time of the
    /// last [`tick`](Self::tick).
    pub fn received(&mut self, count: usize) {
        if !self.state.connection.up {
            return;
        }
        self.input.filled(count);
        self.note_read(count);
    }

    /// The next thing that the bytes read so far, or the time, mean, or `None` if more are needed.
    ///
    /// # Errors
    ///
    /// The [`Violation`] that the bytes are. The link throws away whatever else comes; the caller says
    /// [`goodbye`](Self::goodbye) with [`Violation::goodbye`]. If it came before the handshake of a later
    /// connection was complete, only that connection is of no use; else the session is over.
    pub fn poll_event(&mut self) -> Result<Option<Event>, Violation> {
        if let Some(lost) = self.state.life.tell_loss() {
            self.state.connection.deaf = true;
            self.input.consume(self.input.bytes().len());
            return Ok(Some(Event::Lost(lost)));
        }
        let result = self.next_event();
        let connection = &mut self.state.connection;
        if let Err(violation) = &result {
            connection.deaf = true;
            connection.mute |= matches!(violation, Violation::Stranger(_));
            self.state.broken |= connection.hello_heard || !connection.resuming;
        }
        if connection.deaf {
            self.input.consume(self.input.bytes().len());
        }
        if matches!(result, Ok(None))
            && let Some(lost) = self.state.life.tell_loss()
        {
            return Ok(Some(Event::Lost(lost)));
        }
        result
    }

    fn next_event(&mut self) -> Result<Option<Event>, Violation> {
        if !self.state.connection.deaf && !self.state.connection.preamble_seen {
            if !self.state.read_preamble(self.input.bytes())? {
                return Ok(None);
            }
            self.input.consume(PREAMBLE_BYTES);
        }
        while !self.state.connection.deaf && self.state.wants.is_none() {
            if let Some(chunk) = self.state.connection.chunk {
                let here = self.input.bytes().len().min(chunk.left);
                self.state.append(&self.input.bytes()[..here]);
                self.input.consume(here);
                if here < chunk.left {
                    self.input.await_rest(chunk.left - here);
                    break;
                }
                let whose = Some((End::Sender, chunk.head.channel));
                let event = self.state.end_chunk();
                let bytes = DATA_HEAD_BYTES + chunk.head.length;
                self.state.note_heard(whose, bytes);
                if event.is_some() {
                    return Ok(event);
                }
                continue;
            }
            let Some((frame, length)) = Frame::decode(self.input.bytes())? else {
                let head = DataHead::at(self.input.bytes());
                if let Some(head) = head.filter(|head| self.is_long(head)) {
                    self.state.begin_chunk(head)?;
                    self.input.consume(DATA_HEAD_BYTES);
                    continue;
                }
                break;
            };
            let greeted = self.state.connection.hello_heard;
            let speaker = frame.speaker();
            let event = self.state.act(frame)?;
            self.state.note_heard(speaker, length);
            self.input.consume(length);
            if !greeted && self.state.connection.hello_heard {
                self.input.raise_limit(INPUT_BYTES_MAX);
                self.input.give_back();
            }
            if self.state.life.lost.is_some() {
                self.state.connection.deaf = true;
            }
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    /// Whether the chunk is taken as it comes, and not only when all of it is here.
    fn is_long(&self, head: &DataHead) -> bool {
        self.state.connection.hello_heard && head.length >= STRAIGHT_BYTES_MIN
    }

    /// As [`input`](Self::input) and [`received`](Self::received) in one, for what reads into a [`BufMut`]: bytes of a long
    /// message come to where they are to stay. `read` reads once; what it returns is returned.
    pub fn read_with<R>(&mut self, read: impl FnOnce(&mut dyn BufMut) -> R) -> R {
        if let Some(chunk) = &mut self.state.connection.chunk
            && chunk.left >= STRAIGHT_BYTES_MIN
            && self.input.bytes().is_empty()
            && let Some(state) = self.state.receives.get_mut(chunk.head.channel)
            && let Some(message) = state.room()
        {
            let before = message.len();
            // The head of the next frame, too, so that it needs no read of its own.
            let room = (message.capacity() - before).min(chunk.left + NEXT_BYTES);
            let result = read(&mut (&mut *message).limit(room));
            let count = message.len() - before;
            let straight = count.min(chunk.left);
            self.input.put(&message[before + straight..]);
            message.truncate(before + straight);
            state.read(straight);
            chunk.left -= straight;
            self.note_read(count);
            return result;
        }
        let mut space = self.input.space();
        let room = space.len();
        let result = read(&mut space);
        let count = room - space.len();
        self.received(count);
        result
    }

    fn note_read(&mut self, count: usize) {
        self.state.counters.bytes_read += count as u64;
        if count > 0 && self.state.connection.hello_heard {
            self.state.life.heard();
        }
    }

    // ---- Bytes out ----

    /// What the socket is to write next; say with [`wrote`](Self::wrote) how much it took. Empty if there is
    /// nothing to say.
    pub fn output(&mut self) -> &[u8] {
        if self.has_output() {
            self.output.joined()
        } else {
            &[]
        }
    }

    /// Whether there is something to say.
    pub fn has_output(&mut self) -> bool {
        if self.output.is_empty() {
            self.state.generate(&mut self.output);
        }
        !self.output.is_empty()
    }

    /// As [`output`](Self::output) and [`wrote`](Self::wrote) in one, for sockets that write from several places at
    /// once: nothing is copied together, and as long as no other channel has anything to say, more than one chunk of a
    /// long message may leave in one write. `write` returns how many bytes the socket took of the slices, from the first
    /// on; a chunk of which it took none is not said yet, and does not make anybody else wait.
    ///
    /// Returns what `write` returned beside that, or `None` if there is nothing to say.
    pub fn write_with<R>(&mut self, write: impl FnOnce(&[IoSlice<'_>]) -> (usize, R)) -> Option<R> {
        if !self.has_output() {
            return None;
        }
        let (head, body) = self.output.parts();
        let (count, result) = if body.is_empty() {
            write(&[IoSlice::new(head)])
        } else {
            let mut heads = Heads::default();
            let mut slices = Slices::new([head, body]);
            self.state.look_ahead(&mut heads, &mut slices);
            write(slices.get())
        };
        self.wrote_ahead(count);
        Some(result)
    }

    /// Says that the socket took the first `count` bytes of [`output`](Self::output), at the time of the last
    /// [`tick`](Self::tick).
    pub fn wrote(&mut self, count: usize) {
        let beyond = self.output.wrote(count);
        debug_assert!(beyond == 0, "no more was written than there was");
        self.note_written(count - beyond);
    }

    /// The same, of what [`write_with`](Self::write_with) has offered: chunks that it looked ahead at are said now.
    fn wrote_ahead(&mut self, count: usize) {
        let mut beyond = self.output.wrote(count);
        while beyond > 0 && self.has_output() {
            beyond = self.output.wrote(beyond);
        }
        debug_assert!(beyond == 0, "what was looked at ahead is what is said");
        self.note_written(count - beyond);
    }

    fn note_written(&mut self, count: usize) {
        self.state.counters.bytes_written += count as u64;
        if count > 0 {
            self.state.life.said();
        }
    }

    // ---- Connections ----

    /// The connection is gone, or is of no use any more. The session waits for the next one.
    pub fn disconnected(&mut self) {
        let written = self.output.written();
        self.state.disconnected(written);
        self.output.reset();
        self.input = Input::new(HANDSHAKE_BYTES_MAX);
    }

    /// Begins the next connection of the session, on which this side speaks first. The one before counts as
    /// [`disconnected`](Self::disconnected). Returns false, and does nothing, if this side is the listener, the session is over or its
    /// first handshake was never complete.
    pub fn reconnect(&mut self) -> bool {
        let possible =
            self.state.role == Role::Dialer && self.state.peer.is_some() && !self.state.is_over();
        if possible {
            self.disconnected();
            self.state.connected(self.state.epoch + 1);
        }
        possible
    }

    /// What the peer of a listener's new connection wants to go on with, if it is that.
    #[must_use]
    pub fn wants(&self) -> Option<Resumption> {
        self.state.wants
    }

    /// Goes on with this session on `connection`, whose peer [`wants`](Self::wants) that. What was read from the
    /// connection before counts no more, so its socket must not be read any more.
    ///
    /// # Errors
    ///
    /// The connection, if it cannot be one of this session: it has its [`goodbye`](Self::goodbye) to say.
    pub fn resume(&mut self, mut connection: Self) -> Result<(), Box<Self>> {
        let refuse = |mut connection: Self, code| {
            connection.goodbye(Goodbye::new(code, ""));
            Err(Box::new(connection))
        };
        let ours = |wanted: &Resumption| wanted.session == self.state.settings.session;
        let wanted = connection.state.wants.filter(ours);
        let (Some(wanted), Some(peer)) = (wanted, &self.state.peer) else {
            return refuse(connection, Code::UnknownSession);
        };
        if wanted.incarnation != peer.incarnation {
            self.state.life.lose(Lost::OtherProcess);
        }
        if self.state.is_over() {
            return refuse(connection, Code::UnknownSession);
        }
        if wanted.epoch <= self.state.epoch {
            return refuse(connection, Code::StaleEpoch);
        }
        self.disconnected();
        self.state.connected(wanted.epoch);
        self.state.connection.preamble_seen = true;
        self.state.connection.hello_heard = true;
        self.state.life.heard();
        self.state.counters.bytes_read += connection.state.counters.bytes_read;
        std::mem::swap(&mut self.input, &mut connection.input);
        self.input.raise_limit(INPUT_BYTES_MAX);
        Ok(())
    }

    /// Which connection of the session is the newest, from 1.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.state.epoch
    }

    /// Whether a connection is there, and its handshake complete.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state.connection.is_open()
    }

    /// Whether the session is over on this side, so that no connection can go on with it: the peer has said its
    /// last word or broke the protocol, or the session is [`Lost`].
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state.is_over()
    }

    /// Why the session is over, if it is without a goodbye.
    #[must_use]
    pub fn lost(&self) -> Option<Lost> {
        self.state.life.lost
    }

    /// Whether this side has been told to say its last word.
    #[must_use]
    pub fn is_parting(&self) -> bool {
        self.state.goodbye.is_some()
    }

    // ---- Time ----

    /// Says that it is `now`, counted from any fixed moment.
    pub fn tick(&mut self, now: Duration) {
        let known = self.state.peer.is_some() && !self.state.is_over();
        let connected = self.may_ping();
        self.state.life.tick(now, known, connected);
        let moved = self.state.counters.bytes_read + self.state.counters.bytes_written;
        if self.state.life.is_idle(moved) {
            self.input.give_back();
            self.output.give_back();
        }
    }

    /// When to [`tick`](Self::tick) next at the latest; `None` if time means nothing to this link.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let known = self.state.peer.is_some() && !self.state.is_over();
        known.then(|| self.state.life.deadline(self.may_ping()))
    }

    fn may_ping(&self) -> bool {
        self.state.connection.is_open() && !self.state.connection.goodbye_said
    }

    /// Whether a process of this side may take a message now: not if the peer was silent for half the lease,
    /// for soon it may give up and count what it sent as in doubt.
    #[must_use]
    pub fn may_take(&self, now: Duration) -> bool {
        self.state.peer.is_some() && self.state.life.may_take(now)
    }

    /// How long the newest PING took to be answered.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.state.life.round_trip()
    }

    // ---- The session ----

    /// What the peer said in its first HELLO, once the handshake is complete.
    #[must_use]
    pub fn peer(&self) -> Option<&PeerHello> {
        self.state.peer.as_ref()
    }

    /// Ends the session: receives no more on any channel, says what is settled, then the goodbye.
    /// What the peer says of this side's messages is still heard. The first goodbye counts.
    pub fn goodbye(&mut self, goodbye: Goodbye) {
        if self.state.goodbye.is_some() {
            return;
        }
        self.state.goodbye = Some(goodbye);
        for channel in self.state.receives.numbers() {
            self.close_receive(ReceiveId(channel));
        }
    }

    /// Whether this side has said its goodbye, and the socket took all of it.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let connection = &self.state.connection;
        self.state.goodbye.is_some()
            && (connection.goodbye_said || connection.mute)
            && self.output.is_empty()
    }

    /// How much has crossed the link, on all its connections.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.state.counters
    }

    /// How many bytes the link holds of what came from the peer: its input buffer and unfinished messages.
    #[must_use]
    pub fn bytes_held(&self) -> usize {
        self.input.capacity()
            + self
                .state
                .receives
                .iter()
                .map(ReceiveChannel::bytes_held)
                .sum::<usize>()
    }

    /// How many message bytes are granted and did not arrive, or arrived and are not settled: at most
    /// [`Limits::budget_bytes`](super::Limits::budget_bytes) and one message.
    #[must_use]
    pub fn bytes_reserved(&self) -> u64 {
        let reserved = self.state.receives.iter().map(ReceiveChannel::reserved);
        debug_assert_eq!(
            reserved.sum::<u64>(),
            self.state.budget.used(),
            "the budget's sum is that of its channels"
        );
        self.state.budget.used()
    }
}
