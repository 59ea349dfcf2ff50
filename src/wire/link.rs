//! One connection: bytes in, events out; orders in, bytes out.
//!
//! # Invariants
//!
//! - New frames are generated only when the socket has taken all earlier ones.
//! - After a violation, or the peer's GOODBYE, nothing of what the peer says is kept.

use bytes::Bytes;

use super::{
    error::{MessageTooLong, OpenError, Violation},
    event::{Counters, Event, Outcome, PeerHello, ReceiveId, SendId, Settings, Settlement},
    frame::{Frame, channel_name},
    goodbye::Goodbye,
    input::Input,
    limits::{HANDSHAKE_BYTES_MAX, INPUT_BYTES_MAX, PREAMBLE_BYTES},
    output::Output,
    receive::ReceiveChannel,
    send::SendChannel,
    state::{Role, State},
};

/// The state of one connection.
#[derive(Debug)]
pub struct Link {
    input: Input,
    output: Output,
    state: State,
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

    /// Says that the first `count` bytes of [`input`](Self::input) were read from the socket.
    pub fn received(&mut self, count: usize) {
        self.input.filled(count);
        self.state.counters.bytes_read += count as u64;
    }

    /// The next thing that the bytes read so far mean, or `None` if more are needed.
    ///
    /// # Errors
    ///
    /// The [`Violation`] that the bytes are. The link throws away whatever else comes; the caller says
    /// [`goodbye`](Self::goodbye) with [`Violation::goodbye`].
    pub fn poll_event(&mut self) -> Result<Option<Event>, Violation> {
        let result = self.next_event();
        if let Err(violation) = &result {
            self.state.deaf = true;
            self.state.mute |= matches!(violation, Violation::Stranger(_));
        }
        if self.state.deaf {
            self.input.consume(self.input.bytes().len());
        }
        result
    }

    fn next_event(&mut self) -> Result<Option<Event>, Violation> {
        if !self.state.deaf && !self.state.preamble_seen {
            if !self.state.read_preamble(self.input.bytes())? {
                return Ok(None);
            }
            self.input.consume(PREAMBLE_BYTES);
        }
        while !self.state.deaf {
            let Some((frame, length)) = Frame::decode(self.input.bytes())? else {
                break;
            };
            let event = self.state.act(frame)?;
            self.input.consume(length);
            if event == Some(Event::Welcome) {
                self.input.raise_limit(INPUT_BYTES_MAX);
            }
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    // ---- Bytes out ----

    /// What the socket is to write next; say with [`wrote`](Self::wrote) how much it took. Empty if there is
    /// nothing to say.
    pub fn output(&mut self) -> &[u8] {
        if self.output.is_empty() {
            self.state.generate(&mut self.output);
        }
        self.output.bytes()
    }

    /// Says that the socket took the first `count` bytes of [`output`](Self::output).
    pub fn wrote(&mut self, count: usize) {
        self.output.wrote(count);
        self.state.counters.bytes_written += count as u64;
    }

    // ---- Channels that this side sends on ----

    /// Opens a channel to send on.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; as many channels are allowed as both sides allow, none before the handshake.
    pub fn open(&mut self, name: &str) -> Result<SendId, OpenError> {
        self.check_name(name)?;
        let sends = &mut self.state.sends;
        if sends.iter().any(|channel| channel.name() == name) {
            return Err(OpenError::InUse(name.to_owned()));
        }
        let limit = if self.state.peer.is_some() {
            sends.limit()
        } else {
            0
        };
        let channel = (limit > 0)
            .then(|| sends.add(SendChannel::new(name.to_owned())))
            .flatten()
            .ok_or(OpenError::TooMany(limit))?;
        sends.mark_ready(channel);
        Ok(SendId(channel))
    }

    /// Whether `name` may be the name of a channel.
    ///
    /// # Errors
    ///
    /// [`OpenError::BadName`] if it may not.
    pub fn check_name(&self, name: &str) -> Result<(), OpenError> {
        match channel_name(name.as_bytes()) {
            Some(_) => Ok(()),
            None => Err(OpenError::BadName(name.to_owned())),
        }
    }

    /// How many channels the peer may open to this side.
    #[must_use]
    pub fn channels_max(&self) -> u16 {
        self.state.receives.limit()
    }

    /// Whether the peer has granted a message on this channel that did not begin yet.
    #[must_use]
    pub fn has_credit(&self, channel: SendId) -> bool {
        self.state.goodbye.is_none()
            && self
                .state
                .sends
                .get(channel.0)
                .is_some_and(SendChannel::has_credit)
    }

    /// Begins to send a message, within credit; returns its number on the channel.
    ///
    /// # Errors
    ///
    /// [`MessageTooLong`] if the peer does not accept messages of that length; nothing has changed then.
    ///
    /// # Panics
    ///
    /// If [`has_credit`](Self::has_credit) does not hold.
    pub fn send(&mut self, channel: SendId, message: Bytes) -> Result<u64, MessageTooLong> {
        let limit = self.message_bytes_max();
        if message.len() as u64 > u64::from(limit) {
            return Err(MessageTooLong {
                bytes: message.len(),
                limit,
            });
        }
        assert!(
            self.has_credit(channel),
            "a message was sent without credit"
        );
        let sends = &mut self.state.sends;
        sends.mark_ready(channel.0);
        match sends.get_mut(channel.0) {
            Some(state) => Ok(state.begin(message)),
            None => unreachable!("a channel with credit is open"),
        }
    }

    /// The longest message that the peer accepts, in bytes; 0 before the handshake.
    #[must_use]
    pub fn message_bytes_max(&self) -> u32 {
        self.state
            .peer
            .as_ref()
            .map_or(0, |peer| peer.message_bytes)
    }

    /// Sends no more on this channel than has begun. Its name may be used again when the peer has answered.
    pub fn close_send(&mut self, channel: SendId) {
        if let Some(state) = self.state.sends.get_mut(channel.0) {
            state.close();
            self.state.sends.mark_ready(channel.0);
        }
    }

    /// Whether message `sequence`, which is not settled, was given to the socket in whole or is about to be. If
    /// not, it never will be once this side has said [`goodbye`](Self::goodbye).
    #[must_use]
    pub fn has_left(&self, channel: SendId, sequence: u64) -> bool {
        let state = self.state.sends.get(channel.0);
        state.is_some_and(|state| state.end_of(sequence).is_some()) && !self.state.peer_said_goodbye
    }

    /// What can be said of message `sequence` if the link ends now and no [`Event::Settled`] has named it.
    #[must_use]
    pub fn outcome(&self, channel: SendId, sequence: u64) -> Outcome {
        let end = self
            .state
            .sends
            .get(channel.0)
            .and_then(|state| state.end_of(sequence));
        match end {
            Some(end) if end <= self.output.written() && !self.state.peer_said_goodbye => {
                Outcome::InDoubt
            }
            _ => Outcome::NotTaken,
        }
    }

    // ---- Channels that this side receives on ----

    /// The name under which the peer opened the channel.
    #[must_use]
    pub fn name(&self, channel: ReceiveId) -> Option<&str> {
        self.state.receives.get(channel.0).map(ReceiveChannel::name)
    }

    /// Grants up to `messages` more messages of any length within this side's limit; returns how many, since
    /// no more than [`CREDIT_MESSAGES_MAX`](super::CREDIT_MESSAGES_MAX) may be open at once.
    pub fn grant(&mut self, channel: ReceiveId, messages: u64) -> u64 {
        let message_bytes = self.state.settings.limits.message_bytes;
        let receives = &mut self.state.receives;
        let Some(state) = receives.get_mut(channel.0) else {
            return 0;
        };
        let granted = state.grant(messages, message_bytes);
        receives.mark_ready(channel.0);
        granted
    }

    /// Says what became of message `sequence`; without effect if that is known already.
    pub fn settle(&mut self, channel: ReceiveId, sequence: u64, settlement: Settlement) {
        let Some(state) = self.state.receives.get_mut(channel.0) else {
            return;
        };
        if state.settle(sequence, settlement) {
            self.state.counters.messages_received += u64::from(settlement == Settlement::Taken);
            self.state.receives.mark_ready(channel.0);
        }
    }

    /// The channel that the peer opened under `name`, if it is open.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<ReceiveId> {
        let mut numbers = self.state.receives.numbers();
        let number = numbers.find(|number| {
            let channel = self.state.receives.get(*number);
            channel.is_some_and(|channel| channel.name() == name)
        });
        number.map(ReceiveId)
    }

    /// Whether the peer sends no more on this channel.
    #[must_use]
    pub fn is_sender_closed(&self, channel: ReceiveId) -> bool {
        self.state
            .receives
            .get(channel.0)
            .is_none_or(ReceiveChannel::is_peer_closed)
    }

    /// Receives no more on this channel: what is under way is thrown away, and the peer keeps it.
    pub fn close_receive(&mut self, channel: ReceiveId) {
        if let Some(state) = self.state.receives.get_mut(channel.0) {
            state.close();
            self.state.receives.mark_ready(channel.0);
        }
    }

    // ---- The link ----

    /// What the peer said in its HELLO, once the handshake is complete.
    #[must_use]
    pub fn peer(&self) -> Option<&PeerHello> {
        self.state.peer.as_ref()
    }

    /// Ends the link: receives no more on any channel, says what is settled, then the goodbye.
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
        self.state.goodbye.is_some()
            && (self.state.goodbye_said || self.state.mute)
            && self.output.is_empty()
    }

    /// How much has crossed the link.
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
}
