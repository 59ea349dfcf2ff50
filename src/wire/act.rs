//! What follows from each frame of the peer.

use super::{
    codec::DataHead,
    connection::Chunk,
    ending::Ending,
    error::Violation,
    event::{Event, Lost, MessageType, ReceiveId, SendId, Settlement},
    frame::{End, Frame, FrameType},
    goodbye::{Code, Goodbye},
    receive::{ReceiveChannel, Withdrawn},
    send::SendChannel,
    state::State,
};

impl State {
    pub(super) fn act(&mut self, frame: Frame<'_>) -> Result<Option<Event>, Violation> {
        let kind = frame.frame_type().name();
        if !self.connection.hello_heard && !matches!(frame, Frame::Hello(_) | Frame::Goodbye(_)) {
            return Err(Violation::NoHello(kind));
        }
        match frame {
            Frame::Hello(hello) => self.welcome(&hello),
            Frame::Goodbye(goodbye) => Ok(Some(self.goodbye_heard(goodbye))),
            Frame::Resumed => self.resumed(),
            Frame::Ping(number) => {
                self.life.pong_due = Some(number);
                Ok(None)
            }
            Frame::Pong(number) if self.life.ponged(number) => Ok(None),
            Frame::Pong(_) => Err(Violation::BadPong),
            Frame::Open {
                channel,
                opening,
                name,
                type_name,
                type_version,
            } => {
                let message_type = MessageType {
                    name: type_name.to_owned(),
                    version: type_version,
                };
                self.opened(channel, opening, name, message_type)
            }
            Frame::Close {
                end: End::Sender, ..
            }
            | Frame::Poison {
                end: End::Sender, ..
            }
            | Frame::Data { .. }
            | Frame::Revoked { .. }
            | Frame::Withdraw { .. }
            | Frame::Settled { .. } => self.act_on_receive(kind, frame),
            Frame::Grant { .. }
            | Frame::Taken { .. }
            | Frame::Declined { .. }
            | Frame::Returned { .. }
            | Frame::Revoke { .. }
            | Frame::Resume { .. }
            | Frame::Close { .. }
            | Frame::Poison { .. }
            | Frame::Deny { .. } => self.act_on_send(kind, frame),
        }
    }

    /// A frame of the receiver of a channel on which this side sends.
    fn act_on_send(
        &mut self,
        kind: &'static str,
        frame: Frame<'_>,
    ) -> Result<Option<Event>, Violation> {
        match frame {
            Frame::Grant {
                channel,
                messages,
                bytes,
            } => {
                self.send(kind, channel)?.granted(messages, bytes);
                self.sends.mark_ready(channel);
                Ok(Some(Event::Granted(SendId(channel))))
            }
            Frame::Taken { channel, sequence } => {
                self.settled(kind, channel, sequence, Settlement::Taken)
            }
            Frame::Declined { channel, sequence } => {
                self.settled(kind, channel, sequence, Settlement::Declined)
            }
            Frame::Returned {
                channel,
                sequence,
                in_doubt: false,
            } => self.settled(kind, channel, sequence, Settlement::Returned),
            Frame::Returned {
                channel,
                sequence,
                in_doubt: true,
            } => self.settled(kind, channel, sequence, Settlement::InDoubt),
            Frame::Revoke { channel } => {
                self.send(kind, channel)?.revoke();
                self.sends.mark_ready(channel);
                Ok(None)
            }
            Frame::Resume {
                channel,
                arrived,
                arrived_bytes,
                messages,
                bytes,
            } => {
                let state = self.send(kind, channel)?;
                state.resume(channel, arrived, arrived_bytes, messages, bytes)?;
                self.sends.mark_ready(channel);
                Ok(Some(Event::Granted(SendId(channel))))
            }
            Frame::Close { channel, .. } => {
                let event = Event::ReceiverClosed(SendId(channel));
                self.receiver_gone(kind, channel, event)
            }
            Frame::Poison {
                channel, reason, ..
            } => {
                let id = SendId(channel);
                let event = Event::ReceiverPoisoned {
                    channel: id,
                    reason,
                };
                self.receiver_gone(kind, channel, event)
            }
            Frame::Deny {
                channel,
                denial,
                reason,
            } => {
                let event = Event::Denied {
                    channel: SendId(channel),
                    denial,
                    reason,
                };
                self.receiver_gone(kind, channel, event)
            }
            _ => Ok(None),
        }
    }

    /// The head of a DATA frame came; more of the message is granted at once, if it is longer than was granted.
    pub(super) fn begin_chunk(&mut self, head: DataHead) -> Result<(), Violation> {
        let limit = self.settings.limits.message_bytes;
        let state = self.receive(FrameType::Data.name(), head.channel)?;
        state.begin_chunk(head, limit)?;
        if state.missing() > 0 {
            self.serve(head.channel);
        }
        let left = head.length;
        self.connection.chunk = Some(Chunk { head, left });
        Ok(())
    }

    /// Some of the chunk that has begun came.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        if let Some(chunk) = &mut self.connection.chunk {
            chunk.left -= bytes.len();
            if let Some(state) = self.receives.get_mut(chunk.head.channel) {
                state.append(bytes);
            }
        }
    }

    /// All of the chunk that has begun is here.
    pub(super) fn end_chunk(&mut self) -> Option<Event> {
        let DataHead {
            channel, sequence, ..
        } = self.connection.chunk.take()?.head;
        let message = self.receives.get_mut(channel)?.end_chunk()?;
        Some(Event::Message {
            channel: ReceiveId(channel),
            sequence,
            message,
        })
    }

    /// A frame of the sender of a channel on which this side receives.
    fn act_on_receive(
        &mut self,
        kind: &'static str,
        frame: Frame<'_>,
    ) -> Result<Option<Event>, Violation> {
        match frame {
            Frame::Data {
                channel,
                sequence,
                total,
                chunk,
            } => {
                self.begin_chunk(DataHead {
                    channel,
                    sequence,
                    total,
                    length: chunk.len(),
                })?;
                self.append(chunk);
                Ok(self.end_chunk())
            }
            Frame::Revoked {
                channel,
                sequence,
                bytes,
            } => {
                self.receive(kind, channel)?;
                let revoked = |state: &mut ReceiveChannel| state.revoked(channel, sequence, bytes);
                self.change_receive(channel, revoked).transpose()?;
                self.serve(channel);
                Ok(Some(Event::Revoked(ReceiveId(channel))))
            }
            Frame::Withdraw { channel, .. } | Frame::Settled { channel, .. }
                if self.receives.get(channel).is_none() =>
            {
                // It crossed the CLOSE after which nothing is kept of the channel.
                Ok(None)
            }
            Frame::Withdraw { channel, sequence } => {
                self.receive(kind, channel)?;
                let withdraw = |state: &mut ReceiveChannel| state.withdraw(channel, sequence);
                let found = self.change_receive(channel, withdraw).transpose()?;
                self.serve(channel);
                let event = Event::Withdraw {
                    channel: ReceiveId(channel),
                    sequence,
                };
                Ok((found == Some(Withdrawn::Here)).then_some(event))
            }
            Frame::Settled {
                channel,
                sequence,
                open,
            } => {
                let state = self.receive(kind, channel)?;
                state.confirmed(channel, sequence, open)?;
                if state.is_over() {
                    self.remove_receive(channel);
                }
                Ok(None)
            }
            Frame::Close { channel, .. } => {
                let event = Event::SenderClosed(ReceiveId(channel));
                self.sender_gone(kind, channel, event)
            }
            Frame::Poison {
                channel, reason, ..
            } => {
                let event = Event::SenderPoisoned {
                    channel: ReceiveId(channel),
                    reason,
                };
                self.sender_gone(kind, channel, event)
            }
            _ => Ok(None),
        }
    }

    /// An open channel on which this side sends.
    fn send(&mut self, frame: &'static str, channel: u16) -> Result<&mut SendChannel, Violation> {
        let state = self.sends.get_mut(channel);
        state
            .filter(|state| state.is_open_said())
            .ok_or(Violation::UnknownChannel { frame, channel })
    }

    /// An open channel on which this side receives.
    fn receive(
        &mut self,
        frame: &'static str,
        channel: u16,
    ) -> Result<&mut ReceiveChannel, Violation> {
        let state = self.receives.get_mut(channel);
        state
            .filter(|state| state.is_open_here())
            .ok_or(Violation::UnknownChannel { frame, channel })
    }

    fn goodbye_heard(&mut self, goodbye: Goodbye) -> Event {
        self.connection.deaf = true;
        if self.connection.hello_heard || !self.connection.resuming {
            self.peer_said_goodbye = true;
        } else if goodbye.code() == Code::UnknownSession {
            // Of a connection that was refused for another reason the session knows nothing.
            self.life.lose(Lost::UnknownSession);
        }
        Event::Goodbye(goodbye)
    }

    fn settled(
        &mut self,
        frame: &'static str,
        channel: u16,
        sequence: u64,
        settlement: Settlement,
    ) -> Result<Option<Event>, Violation> {
        let again = self.connection.resuming;
        let state = self.send(frame, channel)?;
        let news = state.settled(channel, sequence, settlement, again)?;
        let ready = state.is_ready();
        if ready {
            self.sends.mark_ready(channel);
        }
        self.counters.messages_sent += u64::from(news && settlement == Settlement::Taken);
        Ok(news.then_some(Event::Settled {
            channel: SendId(channel),
            sequence,
            settlement,
        }))
    }

    /// The receiver of a channel said that it is gone.
    fn receiver_gone(
        &mut self,
        frame: &'static str,
        channel: u16,
        event: Event,
    ) -> Result<Option<Event>, Violation> {
        let state = self.send(frame, channel)?;
        state.peer_closed(channel)?;
        if state.is_over() {
            self.sends.remove(channel);
        } else {
            self.sends.mark_ready(channel);
        }
        Ok(Some(event))
    }

    /// The sender of a channel said that it is gone.
    fn sender_gone(
        &mut self,
        frame: &'static str,
        channel: u16,
        event: Event,
    ) -> Result<Option<Event>, Violation> {
        self.receive(frame, channel)?;
        let poisoned = matches!(event, Event::SenderPoisoned { .. });
        let gone = |state: &mut ReceiveChannel| {
            let news = state.peer_closed(channel, poisoned)?;
            Ok((news && !state.is_stub(), state.is_over()))
        };
        let (news, over) = self
            .change_receive(channel, gone)
            .transpose()?
            .unwrap_or_default();
        if over {
            self.remove_receive(channel);
        } else {
            self.serve(channel);
        }
        Ok(news.then_some(event))
    }

    fn opened(
        &mut self,
        channel: u16,
        opening: u64,
        name: &str,
        message_type: MessageType,
    ) -> Result<Option<Event>, Violation> {
        let limit = self.receives.limit();
        if channel >= limit {
            return Err(Violation::TooManyChannels { channel, limit });
        }
        let bad_opening = Violation::BadOpening { channel, opening };
        let again = self.connection.awaits_resumed();
        if let Some(state) = self.receives.get_mut(channel) {
            if state.is_open_here() || !again {
                return Err(Violation::AlreadyOpen(channel));
            }
            if state.opening() == opening {
                if state.name() != name || *state.message_type() != message_type {
                    return Err(bad_opening);
                }
                state.reopen();
                self.advance(channel);
                self.receives.mark_ready(channel);
                return Ok(None);
            }
            // Its sender has used the number again, so it has heard all there was to hear of the old channel.
            if state.opening() > opening {
                return Err(bad_opening);
            }
            if !state.may_be_forgotten() {
                return Err(Violation::NotReopened(channel));
            }
            self.remove_receive(channel);
        }
        let in_use = |state: &ReceiveChannel| state.is_open_here() && state.name() == name;
        if self.receives.iter().any(in_use) {
            return Err(Violation::AlreadyOpen(channel));
        }
        let over = opening <= self.peer_openings;
        if over && !again {
            return Err(bad_opening);
        }
        let mut state = if over {
            ReceiveChannel::stub(name.to_owned(), opening)
        } else {
            self.peer_openings = opening;
            ReceiveChannel::new(name.to_owned(), message_type, opening)
        };
        if again && !over {
            state.reopen();
        }
        // After the last word of this side nobody receives.
        let wanted = !over && self.goodbye.is_none();
        if self.goodbye.is_some() {
            state.close(Ending::Close);
        }
        self.receives.put(channel, state);
        self.receives_open += 1;
        self.receives.mark_ready(channel);
        Ok(wanted.then_some(Event::Opened(ReceiveId(channel))))
    }

    /// The peer has opened again all on which it sends: the others are over there.
    fn resumed(&mut self) -> Result<Option<Event>, Violation> {
        if !self.connection.awaits_resumed() {
            return Err(Violation::BadResumed);
        }
        self.connection.resumed_heard = true;
        for channel in self.receives.numbers() {
            let Some(state) = self.receives.get(channel) else {
                continue;
            };
            if state.is_open_here() {
                continue;
            }
            if !state.may_be_forgotten() {
                return Err(Violation::NotReopened(channel));
            }
            self.remove_receive(channel);
        }
        Ok(None)
    }
}
