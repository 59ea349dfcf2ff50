//! What must hold at any time, and in the end.

use handover::wire::{INPUT_BYTES_MIN, Outcome, Settlement};

use super::{LEASE, World};
use crate::{ledger::Told, owner::Session};

/// What a link may hold beside messages: an input buffer as long as the longest frame.
const BUFFER_BYTES: u64 = 100_000;

impl World {
    pub(super) fn check(&self) {
        let bound = self.habits.budget + u64::from(self.habits.limits_message);
        for session in self.dialer.iter().chain(&self.listener) {
            assert!(session.link.bytes_reserved() <= bound, "the budget is kept");
            let held = session.link.bytes_held() as u64;
            let buffer = if self.habits.message_bytes > 1000 {
                BUFFER_BYTES
            } else {
                INPUT_BYTES_MIN as u64
            };
            assert!(held <= buffer + bound, "little is held: {held}");
        }
    }

    /// The network heals, and the owners wait: everything has to be settled.
    pub(super) fn rest(&mut self) {
        for connection in &mut self.connections {
            connection.heal(self.now);
        }
        self.tiny = false;
        self.healed = true;
        let mut quiet = 0;
        for _ in 0..600 {
            let moved = self.calm();
            quiet = if moved { 0 } else { quiet + 1 };
            if quiet >= 3 && self.is_settled() {
                return;
            }
            if quiet > 0 {
                self.now += LEASE / 16;
                self.tick();
            }
        }
        panic!(
            "it does not come to rest: {} messages are open",
            self.ledger.open_messages()
        );
    }

    /// Carries all that there is, once; returns whether there was something.
    pub(super) fn calm(&mut self) -> bool {
        let before = self.traffic();
        let unconnected = |session: &Session| session.connection.is_none() && !session.concluded;
        if self.dialer.as_ref().is_some_and(unconnected) {
            self.dial();
        }
        if let Some(index) = self.dialer.as_ref().and_then(|session| session.connection)
            && self.connections[index].is_dead()
            && self.rng.one_in(20)
        {
            // Somebody found out.
            self.hang_up();
        }
        self.dialer_writes();
        self.dialer_reads();
        for index in self.accepted.len().saturating_sub(4)..self.accepted.len() {
            self.listener_reads_on(index, usize::MAX);
            self.listener_writes_on(index, usize::MAX);
        }
        let now = self.now;
        for session in self.dialer.iter_mut().chain(&mut self.listener) {
            session.link.tick(now);
            session.wind_up(now, &mut self.ledger);
        }
        self.check();
        before != self.traffic()
    }

    pub(super) fn traffic(&self) -> (u64, usize) {
        let sessions = self.dialer.iter().chain(&self.listener);
        let bytes = sessions.map(|session| {
            let counters = session.link.counters();
            counters.bytes_read + counters.bytes_written
        });
        (bytes.sum(), self.connections.len())
    }

    pub(super) fn is_settled(&self) -> bool {
        let well = |session: &Session| {
            let mut connection = session.connection.map(|index| &self.connections[index]);
            connection = connection.filter(|connection| !connection.is_dead());
            session.concluded || (connection.is_some() && session.link.is_connected())
        };
        let mut sessions = self.dialer.iter().chain(&self.listener);
        self.dialer.as_ref().is_none_or(well)
            && sessions.all(|session| session.concluded || session.is_settled())
    }

    /// A session that is alive still works: a message crosses it each way on each channel, old and new.
    pub(super) fn probe(&mut self) {
        let alive = |session: &Session| !session.concluded && session.link.is_connected();
        let Some(number) = self
            .dialer
            .as_ref()
            .filter(|session| alive(session))
            .map(|s| s.number)
        else {
            return;
        };
        let mut listener = self.listener.iter();
        let Some(place) = listener.position(|session| session.number == number && alive(session))
        else {
            return;
        };
        // Neither side has said its last word.
        let before = self
            .ledger
            .messages()
            .filter(|message| message.taken == 1)
            .count();
        let mut expected = 0;
        for session in self.dialer.iter_mut().chain(self.listener.get_mut(place)) {
            if session.link.is_parting() {
                return;
            }
            for _ in 0..50 {
                if session.outs() < 3 {
                    session.open(&mut self.ledger, &mut self.rng);
                }
            }
            assert_eq!(session.outs(), 3, "names and numbers are free again");
        }
        self.rest();
        let lives = self.dialer.as_ref().is_some_and(alive) && alive(&self.listener[place]);
        if !lives {
            return;
        }
        for session in self.dialer.iter_mut().chain(self.listener.get_mut(place)) {
            // A new channel may have been denied.
            expected += session.outs();
            assert!(session.has_all_credit(), "who waits is granted");
            for index in 0..session.outs() {
                assert!(session.send_on(index, 9, &mut self.ledger));
            }
        }
        self.rest();
        let after = self
            .ledger
            .messages()
            .filter(|message| message.taken == 1)
            .count();
        let lives = self.dialer.as_ref().is_some_and(alive) && alive(&self.listener[place]);
        if lives {
            assert_eq!(after - before, expected, "each channel still works");
        }
    }

    pub(super) fn count(&mut self) {
        for message in self.ledger.messages() {
            self.deeds.messages += 1;
            assert!(message.taken <= 1);
            match message.told.expect("each message has an outcome") {
                Told::Settled(Settlement::Taken) => self.deeds.taken += 1,
                Told::Settled(Settlement::Returned | Settlement::Declined)
                | Told::Concluded(Outcome::NotTaken) => {
                    assert_eq!(message.taken, 0, "what was returned is never taken");
                    self.deeds.returned += 1;
                }
                Told::Settled(Settlement::InDoubt) | Told::Concluded(Outcome::InDoubt) => {
                    self.deeds.in_doubt += 1;
                }
                Told::Nobody => {}
            }
        }
    }
}
