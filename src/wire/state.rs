//! What a side knows of a session, whatever connection it is on.
//!
//! # Invariants
//!
//! - Nothing is said before the preamble and HELLO, and nothing after GOODBYE.
//! - A listener says nothing to a peer whose HELLO it has not accepted, but why it refuses it.
//! - Frames are made from the channels' state when the socket is writable; no frame is ever queued.
//! - All settlements are said before GOODBYE; so what the peer has not settled before its GOODBYE was not
//!   taken.
//! - A connection counts only if its epoch is above that of all before it.

use super::{
    budget::Budget,
    channels::Channels,
    connection::Connection,
    error::Violation,
    event::{Counters, Event, Lost, PeerHello, Resumption, Settings},
    goodbye::Goodbye,
    hello::{Hello, MAGIC, negotiate},
    life::Life,
    limits::{CHANNELS_MAX, LEASE_MAX, LEASE_MIN, PREAMBLE_BYTES},
    receive::ReceiveChannel,
    send::SendChannel,
    stranger::{FirstBytes, recognise},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Dialer,
    Listener,
}

/// All but the buffers, so that a frame may stay in the input buffer while it is acted on.
#[derive(Debug)]
pub(super) struct State {
    pub(super) role: Role,
    pub(super) settings: Settings,
    pub(super) connection: Connection,
    /// The number of the connection.
    pub(super) epoch: u64,
    /// The peer as it was on the first connection.
    pub(super) peer: Option<PeerHello>,
    /// What the peer of a new connection wants to go on with; until it is, the connection stands still.
    pub(super) wants: Option<Resumption>,
    /// Ours, to be said when all settlements are.
    pub(super) goodbye: Option<Goodbye>,
    pub(super) peer_said_goodbye: bool,
    /// The peer broke the protocol.
    pub(super) broken: bool,
    pub(super) life: Life,
    pub(super) sends: Channels<SendChannel>,
    pub(super) receives: Channels<ReceiveChannel>,
    /// How many channels this side has opened in the session.
    pub(super) openings: u64,
    /// The highest opening number of the peer.
    pub(super) peer_openings: u64,
    /// How many channels the peer has open.
    pub(super) receives_open: usize,
    pub(super) budget: Budget,
    pub(super) counters: Counters,
}

impl State {
    pub(super) fn new(role: Role, mut settings: Settings) -> Self {
        let channels = settings.limits.channels.min(CHANNELS_MAX);
        settings.limits.channels = channels;
        settings.lease = settings.lease.clamp(LEASE_MIN, LEASE_MAX);
        Self {
            role,
            connection: Connection::first(),
            epoch: 1,
            peer: None,
            wants: None,
            goodbye: None,
            peer_said_goodbye: false,
            broken: false,
            life: Life::new(settings.lease),
            sends: Channels::new(channels),
            receives: Channels::new(channels),
            openings: 0,
            peer_openings: 0,
            receives_open: 0,
            budget: Budget::new(settings.limits.budget_bytes),
            counters: Counters::default(),
            settings,
        }
    }

    /// Whether the session is over on this side: no connection can go on with it.
    pub(super) fn is_over(&self) -> bool {
        self.life.lost.is_some() || self.peer_said_goodbye || self.broken
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
        self.connection.preamble_seen = true;
        Ok(true)
    }

    /// Takes the peer's HELLO.
    pub(super) fn welcome(&mut self, hello: &Hello<'_>) -> Result<Option<Event>, Violation> {
        if self.connection.hello_heard || self.wants.is_some() {
            return Err(Violation::SecondHello);
        }
        match self.role {
            Role::Dialer => self.welcome_listener(hello),
            Role::Listener => self.welcome_dialer(hello),
        }
    }

    fn welcome_listener(&mut self, hello: &Hello<'_>) -> Result<Option<Event>, Violation> {
        if hello.session != self.settings.session {
            return Err(Violation::BadHello("it is of another session"));
        }
        if hello.epoch != self.epoch {
            return Err(Violation::BadHello("it is of another connection"));
        }
        let Some(peer) = &self.peer else {
            self.meet(hello);
            return Ok(Some(Event::Welcome));
        };
        if peer.incarnation != hello.incarnation {
            self.life.lose(Lost::OtherProcess);
            return Ok(None);
        }
        self.connection.hello_heard = true;
        self.life.heard();
        Ok(Some(Event::Resumed))
    }

    fn welcome_dialer(&mut self, hello: &Hello<'_>) -> Result<Option<Event>, Violation> {
        let token = self.settings.token.as_ref();
        if !token.is_none_or(|token| token.admits(hello.token)) {
            return Err(Violation::Refused);
        }
        if hello.epoch > 1 {
            let wanted = Resumption {
                session: hello.session,
                incarnation: hello.incarnation,
                epoch: hello.epoch,
            };
            self.wants = Some(wanted);
            return Ok(Some(Event::Resume(wanted)));
        }
        self.settings.session = hello.session;
        self.meet(hello);
        Ok(Some(Event::Welcome))
    }

    /// The peer is known from now on.
    fn meet(&mut self, hello: &Hello<'_>) {
        let lease = std::time::Duration::from_millis(u64::from(hello.lease_ms));
        self.life.lease = self.life.lease.min(lease);
        self.life.heard();
        self.connection.hello_heard = true;
        self.sends.lower_limit(hello.channels);
        self.peer = Some(PeerHello {
            session: hello.session,
            incarnation: hello.incarnation,
            lease: self.life.lease,
            message_bytes: hello.message_bytes,
            name: hello.name.to_owned(),
        });
    }

    // ---- Connections ----

    /// The connection is gone, of which the socket had taken `written` bytes.
    pub(super) fn disconnected(&mut self, written: u64) {
        if !self.connection.up {
            return;
        }
        self.connection.up = false;
        self.connection.chunk = None;
        self.life.disconnected();
        if self.is_over() {
            // No connection follows; what can be concluded stays as it is.
            for (_, channel) in self.sends.entries_mut() {
                channel.note_left(written);
            }
            return;
        }
        for (_, channel) in self.sends.entries_mut() {
            channel.disconnected(written);
        }
        self.sends.retain(|channel| !channel.is_peer_closed());
        self.sends.clear_ready();
        self.budget.clear_line();
        for number in self.receives.numbers() {
            if self
                .receives
                .get(number)
                .is_some_and(ReceiveChannel::is_stub)
            {
                self.remove_receive(number);
            }
        }
        for (_, channel) in self.receives.entries_mut() {
            let before = channel.reserved();
            channel.disconnected();
            self.budget.change(before, channel.reserved());
        }
        self.receives.clear_ready();
        self.check_beside();
    }

    /// The session goes on on another connection.
    pub(super) fn connected(&mut self, epoch: u64) {
        debug_assert!(epoch > self.epoch, "epochs rise");
        self.epoch = epoch;
        self.connection = Connection::later();
        let mut reopen: Vec<(u64, u16)> = Vec::new();
        for (number, channel) in self.sends.entries_mut() {
            if channel.opening() == 0 {
                continue;
            }
            reopen.push((channel.opening(), number));
        }
        // In the order of their openings, so that what the peer has seen of them has no gaps.
        reopen.sort_unstable_by(|a, b| b.cmp(a));
        self.connection.reopen = reopen.into_iter().map(|(_, number)| number).collect();
        let fresh: Vec<u16> = self
            .sends
            .entries_mut()
            .filter(|(_, channel)| channel.opening() == 0)
            .map(|(number, _)| number)
            .collect();
        for number in fresh {
            self.sends.mark_ready(number);
        }
    }

    // ---- Bytes ----

    /// Changes a receiving channel, and what it has of the budget.
    pub(super) fn change_receive<R>(
        &mut self,
        channel: u16,
        change: impl FnOnce(&mut ReceiveChannel) -> R,
    ) -> Option<R> {
        let state = self.receives.get_mut(channel)?;
        let before = state.reserved();
        let result = change(state);
        let after = state.reserved();
        self.budget.change(before, after);
        self.receives.mark_ready(channel);
        Some(result)
    }

    /// Gives the messages that did not begin what they may have in advance.
    pub(super) fn advance(&mut self, channel: u16) {
        let share = self.budget.share(self.receives_open);
        let Some(state) = self.receives.get(channel) else {
            return;
        };
        let likely = state.wanted(state.usual().max(share));
        let bytes = self.budget.advance(state.wanted(share), share);
        let bytes = bytes.max(self.budget.spare(likely));
        if bytes > 0 {
            self.change_receive(channel, |state| state.grant_bytes(bytes));
        }
    }

    /// Lets a channel stand in line if a message that is arriving there needs more bytes, and serves the line.
    pub(super) fn serve(&mut self, channel: u16) {
        if self
            .receives
            .get(channel)
            .is_some_and(|state| state.missing() > 0)
        {
            self.budget.queue(channel);
        }
        self.check_beside();
        while let Some(first) = self.budget.first() {
            let state = self.receives.get(first);
            let missing = state.map_or(0, ReceiveChannel::missing);
            let sequence = state.map_or(0, ReceiveChannel::messages_begun);
            if !self.budget.admit(first, sequence, missing) {
                return;
            }
            if missing > 0 {
                self.change_receive(first, |state| state.grant_bytes(missing));
            }
        }
    }

    /// Sees whether the message that is beside the budget is still here.
    fn check_beside(&mut self) {
        if let Some((channel, sequence)) = self.budget.beside()
            && !self
                .receives
                .get(channel)
                .is_some_and(|state| state.holds(sequence))
        {
            self.budget.end_beside();
        }
    }

    pub(super) fn remove_receive(&mut self, channel: u16) {
        if let Some(state) = self.receives.get(channel) {
            self.budget.change(state.reserved(), 0);
            self.budget.leave(channel);
            self.receives.remove(channel);
            self.receives_open -= 1;
            self.check_beside();
        }
    }
}
