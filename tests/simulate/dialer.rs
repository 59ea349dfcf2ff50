//! The dialer's process.

use handover::wire::{Event, Link};

use super::{Accepted, World, amount, read, write};
use crate::{network::Connection, owner::Session};

impl World {
    pub(super) fn dial(&mut self) {
        let over = |session: &Session| session.concluded && session.connection.is_none();
        if self.dialer.as_ref().is_some_and(over) {
            self.dialer = None;
        }
        let index = self.connections.len();
        match &mut self.dialer {
            None => {
                self.numbers += 1;
                let settings = self.settings(0, self.numbers);
                let mut link = Link::dialer(settings);
                link.tick(self.now);
                self.dialer = Some(Session::new(link, self.numbers, index));
                self.deeds.sessions += 1;
            }
            Some(session) => {
                session.link.tick(self.now);
                if session.link.peer().is_none() {
                    // A first handshake that fails is begun anew, with another session.
                    self.hang_up();
                    self.dialer = None;
                    return;
                }
                if !session.link.reconnect() {
                    return;
                }
                let old = session.connection.replace(index);
                if let Some(old) = old {
                    // What it had written is still delivered.
                    let old = &mut self.connections[old];
                    old.up.closed = true;
                    old.dialed = false;
                    old.down.dead = true;
                }
            }
        }
        let mut listener = Link::listener(self.settings(1, 0));
        listener.tick(self.now);
        let mut connection = Connection::new(&mut self.rng);
        if self.healed {
            connection.heal(self.now);
        }
        self.connections.push(connection);
        self.accepted.push(Accepted::New(Box::new(listener)));
        self.deeds.connections += 1;
    }

    /// The dialer lets go of its connection.
    pub(super) fn hang_up(&mut self) {
        let Some(session) = &mut self.dialer else {
            return;
        };
        session.link.disconnected();
        if let Some(index) = session.connection.take() {
            let connection = &mut self.connections[index];
            connection.up.closed = true;
            connection.dialed = false;
            connection.down.dead = true;
        }
    }

    pub(super) fn dialer_writes(&mut self) {
        let Some(session) = &mut self.dialer else {
            return;
        };
        let Some(index) = session.connection else {
            return;
        };
        session.link.tick(self.now);
        let most = amount(&mut self.rng, self.tiny);
        let (socket, ledger) = (&mut self.connections[index].up, &mut self.ledger);
        write(&mut session.link, &mut self.rng, most, |bytes| {
            socket.write(bytes, ledger)
        });
        if session.concluded && session.link.is_finished() {
            self.hang_up();
        }
    }

    pub(super) fn dialer_reads(&mut self) {
        let Some(session) = &mut self.dialer else {
            return;
        };
        let Some(index) = session.connection else {
            return;
        };
        session.link.tick(self.now);
        let most = amount(&mut self.rng, self.tiny);
        let (socket, now) = (&mut self.connections[index].down, self.now);
        let given = read(&mut session.link, &mut self.rng, most, |space| {
            socket.read(space, now)
        });
        match given {
            Some(()) => self.dialer_hears(),
            None => self.hang_up(),
        }
    }

    pub(super) fn dialer_hears(&mut self) {
        let Some(session) = &mut self.dialer else {
            return;
        };
        let mut refused = false;
        while let Some(event) = session.link.poll_event().expect("the peer keeps the rules") {
            refused |= matches!(event, Event::Goodbye(_));
            self.deeds.lost += u64::from(matches!(event, Event::Lost(_)));
            self.deeds.resumed += u64::from(matches!(event, Event::Resumed));
            session.hear(event, &mut self.ledger, &mut self.rng, &self.habits);
        }
        if (refused && !session.link.is_over())
            || (session.concluded && session.link.lost().is_some())
        {
            self.hang_up();
        }
    }

    pub(super) fn dialer_acts(&mut self) {
        if let Some(session) = &mut self.dialer {
            session.link.tick(self.now);
            for _ in 0..3 {
                session.act(self.now, &mut self.ledger, &mut self.rng, &self.habits);
            }
        }
    }
}
