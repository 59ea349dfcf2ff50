//! What a link knows, and what follows from each frame.
//!
//! # Invariants
//!
//! - Nothing is said before the preamble and HELLO, and nothing after GOODBYE.
//! - A listener says nothing to a peer whose HELLO it has not accepted, but why it refuses it.
//! - Frames are made from the channels' state when the socket is writable; no frame is ever queued.
//! - All settlements are said before GOODBYE; so what the peer has not settled before its GOODBYE was not
//!   taken.

use super::{
    channels::Channels,
    error::Violation,
    event::{Counters, Event, PeerHello, ReceiveId, SendId, Settings, Settlement},
    frame::{End, Frame},
    goodbye::Goodbye,
    hello::{Hello, MAGIC, negotiate, preamble},
    limits::{CHANNELS_MAX, OUTPUT_BYTES_MAX, PREAMBLE_BYTES},
    output::Output,
    receive::ReceiveChannel,
    send::SendChannel,
    stranger::{FirstBytes, recognise},
    token::Token,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Dialer,
    Listener,
}

/// All but the buffers, so that a frame may stay in the input buffer while it is acted on.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that was said or heard, in any order"
)]
pub(super) struct State {
    pub(super) role: Role,
    pub(super) settings: Settings,
    /// The peer's preamble came.
    pub(super) preamble_seen: bool,
    pub(super) peer: Option<PeerHello>,
    greeted: bool,
    /// Ours, to be said when all settlements are.
    pub(super) goodbye: Option<Goodbye>,
    pub(super) goodbye_said: bool,
    /// The peer said it, or broke the protocol: what it says now is thrown away.
    pub(super) deaf: bool,
    pub(super) peer_said_goodbye: bool,
    /// The peer speaks another protocol, in which our GOODBYE would be noise.
    pub(super) mute: bool,
    pub(super) sends: Channels<SendChannel>,
    pub(super) receives: Channels<ReceiveChannel>,
    pub(super) counters: Counters,
}

impl State {
    pub(super) fn new(role: Role, mut settings: Settings) -> Self {
        let channels = settings.limits.channels.min(CHANNELS_MAX);
        settings.limits.channels = channels;
        Self {
            role,
            settings,
            preamble_seen: false,
            peer: None,
            greeted: false,
            goodbye: None,
            goodbye_said: false,
            deaf: false,
            peer_said_goodbye: false,
            mute: false,
            sends: Channels::new(channels),
            receives: Channels::new(channels),
            counters: Counters::default(),
        }
    }

    /// Returns whether the preamble is complete.
    pub(super) fn read_preamble(&mut self, bytes: &[u8]) -> Result<bool, Violation> {
        if let FirstBytes::Foreign(stranger) = recognise(bytes) {
            return Err(Violation::Stranger(stranger));
        }
        let Some([newest, oldest]) = bytes.get(MAGIC.len()..PREAMBLE_BYTES) else {
            return Ok(false);
        };
        negotiate(*newest, *oldest)?;
        self.preamble_seen = true;
        Ok(true)
    }

    pub(super) fn act(&mut self, frame: Frame<'_>) -> Result<Option<Event>, Violation> {
        if self.peer.is_none() && !matches!(frame, Frame::Hello(_) | Frame::Goodbye(_)) {
            return Err(Violation::NoHello(frame.frame_type().name()));
        }
        let kind = frame.frame_type().name();
        let unknown = |channel| Violation::UnknownChannel {
            frame: kind,
            channel,
        };
        match frame {
            Frame::Hello(hello) => self.welcome(&hello).map(Some),
            Frame::Open { channel, name } => self.opened(channel, name).map(Some),
            Frame::Grant {
                channel,
                messages,
                bytes,
            } => {
                let state = self.sends.get_mut(channel).ok_or(unknown(channel))?;
                state.granted(messages, bytes);
                self.sends.mark_ready(channel);
                Ok(Some(Event::Granted(SendId(channel))))
            }
            Frame::Data {
                channel,
                sequence,
                total,
                chunk,
            } => {
                let limit = self.settings.limits.message_bytes;
                let state = self.receives.get_mut(channel).ok_or(unknown(channel))?;
                let message = state.arrive(channel, sequence, total, chunk, limit)?;
                let channel = ReceiveId(channel);
                Ok(message.map(|message| Event::Message {
                    channel,
                    sequence,
                    message,
                }))
            }
            Frame::Taken { channel, sequence } => {
                self.settled(kind, channel, sequence, Settlement::Taken)
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
            Frame::Close {
                channel,
                end: End::Receiver,
            } => {
                let state = self.sends.get_mut(channel).ok_or(unknown(channel))?;
                state.peer_closed(channel)?;
                if state.is_over() {
                    self.sends.remove(channel);
                } else {
                    self.sends.mark_ready(channel);
                }
                Ok(Some(Event::ReceiverClosed(SendId(channel))))
            }
            Frame::Close {
                channel,
                end: End::Sender,
            } => {
                let state = self.receives.get_mut(channel).ok_or(unknown(channel))?;
                state.peer_closed(channel)?;
                if state.is_over() {
                    self.receives.remove(channel);
                }
                Ok(Some(Event::SenderClosed(ReceiveId(channel))))
            }
            Frame::Goodbye(goodbye) => {
                self.deaf = true;
                self.peer_said_goodbye = true;
                Ok(Some(Event::Goodbye(goodbye)))
            }
        }
    }

    fn welcome(&mut self, hello: &Hello<'_>) -> Result<Event, Violation> {
        if self.peer.is_some() {
            return Err(Violation::SecondHello);
        }
        if self.role == Role::Listener {
            let admitted = self
                .settings
                .token
                .as_ref()
                .is_none_or(|token| token.admits(hello.token));
            if !admitted {
                return Err(Violation::Refused);
            }
            self.settings.session = hello.session;
        }
        self.sends.lower_limit(hello.channels);
        self.peer = Some(PeerHello {
            session: hello.session,
            incarnation: hello.incarnation,
            message_bytes: hello.message_bytes,
            name: hello.name.to_owned(),
        });
        Ok(Event::Welcome)
    }

    fn settled(
        &mut self,
        frame: &'static str,
        channel: u16,
        sequence: u64,
        settlement: Settlement,
    ) -> Result<Option<Event>, Violation> {
        let state = self
            .sends
            .get_mut(channel)
            .ok_or(Violation::UnknownChannel { frame, channel })?;
        state.settled(channel, sequence)?;
        self.counters.messages_sent += u64::from(settlement == Settlement::Taken);
        Ok(Some(Event::Settled {
            channel: SendId(channel),
            sequence,
            settlement,
        }))
    }

    fn opened(&mut self, channel: u16, name: &str) -> Result<Event, Violation> {
        let limit = self.receives.limit();
        if channel >= limit {
            return Err(Violation::TooManyChannels { channel, limit });
        }
        let in_use = self.receives.get(channel).is_some()
            || self.receives.iter().any(|open| open.name() == name);
        if in_use {
            return Err(Violation::AlreadyOpen(channel));
        }
        let mut state = ReceiveChannel::new(name.to_owned());
        if self.goodbye.is_some() {
            state.close();
        }
        self.receives.put(channel, state);
        Ok(Event::Opened(ReceiveId(channel)))
    }

    /// Fills the output buffer: settlements and grants first, for they cost little and set the peer free; then
    /// chunks of all channels that have one, in turn.
    pub(super) fn generate(&mut self, output: &mut Output) {
        if self.goodbye_said || self.mute {
            return;
        }
        self.greet(output.buffer());
        while output.buffer().len() < OUTPUT_BYTES_MAX {
            let Some(channel) = self.receives.pop_ready() else {
                break;
            };
            let Some(state) = self.receives.get_mut(channel) else {
                continue;
            };
            state.generate(channel, output.buffer());
            if state.is_over() {
                self.receives.remove(channel);
            }
        }
        if self.goodbye.is_none() {
            self.generate_sends(output);
        } else if output.buffer().len() < OUTPUT_BYTES_MAX {
            self.say_goodbye(output.buffer());
        }
    }

    fn generate_sends(&mut self, output: &mut Output) {
        while output.buffer().len() < OUTPUT_BYTES_MAX {
            let Some(channel) = self.sends.pop_ready() else {
                break;
            };
            let Some(state) = self.sends.get_mut(channel) else {
                continue;
            };
            state.generate(channel, output);
            if state.is_over() {
                self.sends.remove(channel);
            } else if state.is_ready() {
                self.sends.mark_ready(channel);
            }
        }
    }

    fn greet(&mut self, out: &mut Vec<u8>) {
        let may_speak = self.role == Role::Dialer || self.peer.is_some() || self.goodbye.is_some();
        if self.greeted || !may_speak {
            return;
        }
        self.greeted = true;
        out.extend_from_slice(&preamble());
        if self.role == Role::Listener && self.peer.is_none() {
            // A refused peer learns why, and nothing else.
            return;
        }
        let token = match self.role {
            Role::Dialer => self
                .settings
                .token
                .as_ref()
                .map_or(&[][..], Token::as_bytes),
            Role::Listener => &[],
        };
        Frame::Hello(Hello {
            session: self.settings.session,
            incarnation: self.settings.incarnation,
            message_bytes: self.settings.limits.message_bytes,
            channels: self.settings.limits.channels,
            name: &self.settings.name,
            token,
        })
        .encode(out);
    }

    /// Reached only when no receiving channel had more to say than fits, so all settlements are said.
    fn say_goodbye(&mut self, out: &mut Vec<u8>) {
        if let Some(goodbye) = &self.goodbye {
            Frame::Goodbye(goodbye.clone()).encode(out);
            self.goodbye_said = true;
        }
    }
}
