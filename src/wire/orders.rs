//! What the owner of a link orders on its channels, and what it can ask of them.

use bytes::Bytes;

use super::{
    codec::{channel_name, type_name_of},
    ending::Ending,
    error::{MessageTooLong, OpenError},
    event::{MessageType, Outcome, ReceiveId, SendId, Settlement},
    frame::Denial,
    link::Link,
    reason::Reason,
    receive::ReceiveChannel,
    send::SendChannel,
};

/// Channels that this side sends on.
impl Link {
    /// Opens a channel of messages that are bytes, to send on.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; as many channels are allowed as both sides allow, none before the handshake.
    pub fn open(&mut self, name: &str) -> Result<SendId, OpenError> {
        self.open_typed(name, MessageType::default())
    }

    /// Opens a channel to send on, and tells the peer what its messages are.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_typed(
        &mut self,
        name: &str,
        message_type: MessageType,
    ) -> Result<SendId, OpenError> {
        self.check_name(name)?;
        if type_name_of(message_type.name.as_bytes()).is_none() {
            return Err(OpenError::BadName(message_type.name));
        }
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
            .then(|| sends.add(SendChannel::new(name.to_owned(), message_type)))
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

    /// Whether the peer has granted a message on this channel that did not begin yet. Never while no connection
    /// is there, or the peer has not said on it how far the channel has come.
    #[must_use]
    pub fn has_credit(&self, channel: SendId) -> bool {
        let sends = &self.state.sends;
        self.state.goodbye.is_none()
            && !self.state.is_over()
            && sends.get(channel.0).is_some_and(SendChannel::has_credit)
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
        let peer = self.state.peer.as_ref();
        peer.map_or(0, |peer| peer.message_bytes)
    }

    /// Asks for message `sequence` back, which the receiver decides: its outcome comes as
    /// [`Event::Settled`](super::Event::Settled) as ever. Of one that was not wholly said no more is said.
    pub fn withdraw(&mut self, channel: SendId, sequence: u64) {
        if let Some(state) = self.state.sends.get_mut(channel.0) {
            state.withdraw(sequence);
            self.state.sends.mark_ready(channel.0);
        }
    }

    /// Sends no more on this channel than has begun. Its name may be used again when the peer has answered.
    pub fn close_send(&mut self, channel: SendId) {
        self.end_send(channel, Ending::Close);
    }

    /// As [`close_send`](Self::close_send), because something went wrong, of which all that receive there are to
    /// hear. What has begun and is not wholly said is withdrawn.
    pub fn poison_send(&mut self, channel: SendId, reason: &str) {
        self.end_send(channel, Ending::Poison(Reason::new(reason)));
    }

    fn end_send(&mut self, channel: SendId, ending: Ending) {
        if let Some(state) = self.state.sends.get_mut(channel.0) {
            state.close(ending);
            self.state.sends.mark_ready(channel.0);
        }
    }

    /// Whether message `sequence`, which is not settled, was given to a socket in whole or is about to be. If
    /// not, it never will be once this side has said [`goodbye`](Self::goodbye).
    #[must_use]
    pub fn has_left(&self, channel: SendId, sequence: u64) -> bool {
        let state = self.state.sends.get(channel.0);
        state.is_some_and(|state| state.is_on_its_way(sequence)) && !self.is_refused(channel)
    }

    /// What can be said of message `sequence` if the session ends now and no [`Event::Settled`](super::Event::Settled)
    /// has named it.
    ///
    /// The peer has not taken it if it said GOODBYE without having said otherwise, on a connection on which
    /// the channel was in use.
    #[must_use]
    pub fn outcome(&self, channel: SendId, sequence: u64) -> Outcome {
        match self.state.sends.get(channel.0) {
            Some(state) if !self.is_refused(channel) => {
                state.outcome(sequence, self.output.written())
            }
            _ => Outcome::NotTaken,
        }
    }

    /// Whether the peer's last word says that it has not taken what it did not settle on the channel.
    fn is_refused(&self, channel: SendId) -> bool {
        let state = self.state.sends.get(channel.0);
        self.state.peer_said_goodbye && state.is_none_or(SendChannel::is_resumed)
    }
}

/// Channels that this side receives on.
impl Link {
    /// How many channels the peer may open to this side.
    #[must_use]
    pub fn channels_max(&self) -> u16 {
        self.state.receives.limit()
    }

    /// The name under which the peer opened the channel.
    #[must_use]
    pub fn name(&self, channel: ReceiveId) -> Option<&str> {
        self.state.receives.get(channel.0).map(ReceiveChannel::name)
    }

    /// What the peer says that the channel's messages are.
    #[must_use]
    pub fn message_type(&self, channel: ReceiveId) -> Option<&MessageType> {
        let state = self.state.receives.get(channel.0);
        state.map(ReceiveChannel::message_type)
    }

    /// The channel that the peer opened under `name`, if it is open at both ends.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<ReceiveId> {
        let mut numbers = self.state.receives.numbers();
        let number = numbers.find(|number| {
            let channel = self.state.receives.get(*number);
            channel.is_some_and(|channel| channel.name() == name && !channel.is_closing())
        });
        number.map(ReceiveId)
    }

    /// Grants up to `messages` more messages of any length within this side's limit; returns how many, since
    /// no more than [`CREDIT_MESSAGES_MAX`](super::CREDIT_MESSAGES_MAX) may be open at once, and none between
    /// [`revoke`](Self::revoke) and its answer.
    pub fn grant(&mut self, channel: ReceiveId, messages: u64) -> u64 {
        let granted = self
            .state
            .change_receive(channel.0, |state| state.grant(messages))
            .unwrap_or(0);
        if granted > 0 && self.state.connection.up {
            self.state.advance(channel.0);
        }
        granted
    }

    /// How many messages are granted on the channel that did not arrive in whole.
    #[must_use]
    pub fn standing(&self, channel: ReceiveId) -> u64 {
        let state = self.state.receives.get(channel.0);
        state.map_or(0, ReceiveChannel::standing)
    }

    /// Asks the peer for what it was granted and has not begun. [`Event::Revoked`](super::Event::Revoked) answers.
    pub fn revoke(&mut self, channel: ReceiveId) {
        self.state.change_receive(channel.0, ReceiveChannel::revoke);
    }

    /// Says what became of message `sequence`; without effect if that is known already, or the session is lost.
    pub fn settle(&mut self, channel: ReceiveId, sequence: u64, settlement: Settlement) {
        if self.state.life.lost.is_some() {
            return;
        }
        let settle = |state: &mut ReceiveChannel| state.settle(sequence, settlement);
        if self.state.change_receive(channel.0, settle) == Some(true) {
            self.state.counters.messages_received += u64::from(settlement == Settlement::Taken);
            self.state.serve(channel.0);
        }
    }

    /// Whether the peer sends no more on this channel.
    #[must_use]
    pub fn is_sender_closed(&self, channel: ReceiveId) -> bool {
        let state = self.state.receives.get(channel.0);
        state.is_none_or(ReceiveChannel::is_peer_closed)
    }

    /// Receives no more on this channel: what is under way is thrown away, and the peer keeps it.
    pub fn close_receive(&mut self, channel: ReceiveId) {
        self.end_receive(channel, Ending::Close);
    }

    /// As [`close_receive`](Self::close_receive), because something went wrong, of which all that send there are
    /// to hear.
    pub fn poison_receive(&mut self, channel: ReceiveId, reason: &str) {
        self.end_receive(channel, Ending::Poison(Reason::new(reason)));
    }

    /// As [`close_receive`](Self::close_receive), because this side does not want the channel at all.
    pub fn deny(&mut self, channel: ReceiveId, denial: Denial, reason: &str) {
        self.end_receive(channel, Ending::Deny(denial, Reason::new(reason)));
    }

    fn end_receive(&mut self, channel: ReceiveId, ending: Ending) {
        let close = |state: &mut ReceiveChannel| state.close(ending);
        if self.state.change_receive(channel.0, close).is_some() {
            self.state.budget.leave(channel.0);
            self.state.serve(channel.0);
        }
    }
}
