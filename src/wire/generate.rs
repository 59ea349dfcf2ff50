//! What is to be said next, made from the state whenever the socket has taken all that was said before.

use super::{
    event::Settings,
    frame::Frame,
    hello::{Hello, preamble},
    limits::OUTPUT_BYTES_MAX,
    output::Output,
    send::{Heads, Slices},
    state::{Role, State},
    token::Token,
};

impl State {
    /// Fills the output buffer: signs of life, then which channels go on; settlements and grants, for they cost little
    /// and set the peer free; then chunks of all channels that have one, in turn.
    pub(super) fn generate(&mut self, output: &mut Output) {
        let connection = &self.connection;
        if !connection.up || connection.goodbye_said || connection.mute || self.life.lost.is_some()
        {
            return;
        }
        self.greet(output.buffer());
        if !self.connection.hello_heard {
            // On a later connection the session's last word waits until the peer has its outcomes.
            if !self.connection.resuming {
                self.say_goodbye(output.buffer());
            }
            return;
        }
        self.say_life(output.buffer());
        self.reopen(output.buffer());
        while !output.is_full() {
            let Some(channel) = self.receives.pop_ready() else {
                break;
            };
            let Some(state) = self.receives.get_mut(channel) else {
                continue;
            };
            let before = output.buffer().len();
            state.generate(channel, output.buffer());
            state.traffic.said += (output.buffer().len() - before) as u64;
            if state.is_over() {
                self.remove_receive(channel);
            }
        }
        if self.goodbye.is_none() {
            self.generate_sends(output);
        } else if !output.is_full() && (self.connection.deaf || !self.connection.awaits_resumed()) {
            self.say_goodbye(output.buffer());
        }
    }

    fn say_life(&mut self, out: &mut Vec<u8>) {
        if let Some(number) = self.life.pong_due.take() {
            Frame::Pong(number).encode(out);
        }
        if let Some(number) = self.life.take_ping() {
            Frame::Ping(number).encode(out);
        }
    }

    /// Opens again, on a later connection, what was open: one channel after the other, then RESUMED.
    fn reopen(&mut self, out: &mut Vec<u8>) {
        if !self.connection.resuming || self.connection.resumed_said {
            return;
        }
        while out.len() < OUTPUT_BYTES_MAX {
            let Some(channel) = self.connection.reopen.pop() else {
                self.connection.resumed_said = true;
                Frame::Resumed.encode(out);
                return;
            };
            let Some(state) = self.sends.get_mut(channel) else {
                continue;
            };
            let opening = state.opening();
            let before = out.len();
            state.open(channel, opening, out);
            state.traffic.said += (out.len() - before) as u64;
            self.sends.mark_ready(channel);
        }
    }

    fn generate_sends(&mut self, output: &mut Output) {
        if self.connection.resuming && !self.connection.resumed_said {
            return;
        }
        while !output.is_full() {
            let Some(channel) = self.sends.pop_ready() else {
                break;
            };
            let Some(state) = self.sends.get_mut(channel) else {
                continue;
            };
            let before = output.generated();
            if state.is_open_said() {
                state.generate(channel, output);
            } else {
                self.openings += 1;
                state.open(channel, self.openings, output.buffer());
                state.is_new();
            }
            state.traffic.said += output.generated() - before;
            if state.is_over() {
                self.sends.remove(channel);
            } else if state.is_ready() {
                self.sends.mark_ready(channel);
            }
        }
    }

    /// The chunks of which [`generate`](Self::generate) would say the next ones, if it would say nothing else.
    pub(super) fn look_ahead<'a>(&'a self, heads: &'a mut Heads, slices: &mut Slices<'a>) {
        let other = self.goodbye.is_some()
            || self.life.lost.is_some()
            || self.life.has_sign()
            || self.receives.has_ready()
            || (self.connection.resuming && !self.connection.resumed_said);
        let ready = self.sends.ready();
        let mut ready = ready.filter(|(_, state)| state.would_say());
        if let (false, Some((channel, state)), None) = (other, ready.next(), ready.next()) {
            state.look_ahead(channel, heads, slices);
        }
    }

    fn greet(&mut self, out: &mut Vec<u8>) {
        let known = self.connection.hello_heard;
        let may_speak = self.role == Role::Dialer || known || self.goodbye.is_some();
        if self.connection.greeted || !may_speak {
            return;
        }
        self.connection.greeted = true;
        out.extend_from_slice(&preamble());
        if self.role == Role::Listener && !known {
            // A refused peer learns why, and nothing else.
            return;
        }
        let Settings {
            name,
            token,
            limits,
            session,
            incarnation,
            lease,
        } = &self.settings;
        let token = match self.role {
            Role::Dialer => token.as_ref().map_or(&[][..], Token::as_bytes),
            Role::Listener => &[],
        };
        Frame::Hello(Hello {
            session: *session,
            incarnation: *incarnation,
            epoch: self.epoch,
            // A lease is kept within what fits.
            lease_ms: u32::try_from(lease.as_millis()).unwrap_or(u32::MAX),
            message_bytes: limits.message_bytes,
            channels: limits.channels,
            name,
            token,
        })
        .encode(out);
    }

    /// Reached only when no receiving channel had more to say than fits, so all settlements are said.
    fn say_goodbye(&mut self, out: &mut Vec<u8>) {
        if let Some(goodbye) = &self.goodbye {
            Frame::Goodbye(goodbye.clone()).encode(out);
            self.connection.goodbye_said = true;
        }
    }
}
