//! The listener's process: a table of sessions, and connections of which nobody has said yet whose they are.

use handover::wire::{Event, Goodbye, Link};

use super::{Accepted, World, amount, read, write};
use crate::owner::Session;

impl World {
    /// A connection of which the listener has the other end.
    pub(super) fn any_accepted(&mut self) -> Option<usize> {
        // Mostly the newest: the older ones are seldom there.
        let count = self.accepted.len();
        let back = self.rng.pick(&[0, 0, 0, 0, 0, 0, 1, 2]);
        let index = count.checked_sub(1 + back)?;
        (!matches!(self.accepted[index], Accepted::Gone)).then_some(index)
    }

    pub(super) fn listener_writes(&mut self) {
        if let Some(index) = self.any_accepted() {
            let most = amount(&mut self.rng, self.tiny);
            self.listener_writes_on(index, most);
        }
    }

    pub(super) fn listener_writes_on(&mut self, index: usize, most: usize) {
        let (link, concluded) = match &mut self.accepted[index] {
            Accepted::New(link) => (&mut **link, false),
            Accepted::Session(session) => {
                let session = &mut self.listener[*session];
                (&mut session.link, session.concluded)
            }
            Accepted::Gone => return,
        };
        link.tick(self.now);
        let (socket, ledger) = (&mut self.connections[index].down, &mut self.ledger);
        write(link, &mut self.rng, most, |bytes| {
            socket.write(bytes, ledger)
        });
        let refused = matches!(self.accepted[index], Accepted::New(_));
        let link = match &self.accepted[index] {
            Accepted::New(link) => &**link,
            Accepted::Session(session) => &self.listener[*session].link,
            Accepted::Gone => return,
        };
        if link.is_finished() && (refused || concluded) {
            self.listener_hangs_up(index);
        }
    }

    pub(super) fn listener_hangs_up(&mut self, index: usize) {
        if let Accepted::Session(session) = self.accepted[index] {
            let session = &mut self.listener[session];
            session.link.disconnected();
            session.connection = None;
        }
        self.accepted[index] = Accepted::Gone;
        self.connections[index].down.closed = true;
        self.connections[index].up.dead = true;
    }

    pub(super) fn listener_reads(&mut self) {
        if let Some(index) = self.any_accepted() {
            let most = amount(&mut self.rng, self.tiny);
            self.listener_reads_on(index, most);
        }
    }

    pub(super) fn listener_reads_on(&mut self, index: usize, most: usize) {
        let link = match &mut self.accepted[index] {
            Accepted::New(link) => &mut **link,
            Accepted::Session(session) => &mut self.listener[*session].link,
            Accepted::Gone => return,
        };
        link.tick(self.now);
        let (socket, now) = (&mut self.connections[index].up, self.now);
        let given = read(link, &mut self.rng, most, |space| socket.read(space, now));
        if given.is_none() {
            self.listener_hangs_up(index);
            return;
        }
        match &self.accepted[index] {
            Accepted::Session(session) => self.listener_hears(*session),
            Accepted::New(_) => self.greeted(index),
            Accepted::Gone => {}
        }
    }

    /// A new connection may have said for which session it is.
    pub(super) fn greeted(&mut self, index: usize) {
        let Accepted::New(mut link) = std::mem::replace(&mut self.accepted[index], Accepted::Gone)
        else {
            return;
        };
        let event = link.poll_event().expect("the peer keeps the rules");
        self.accepted[index] = match event {
            Some(Event::Welcome) => {
                let number = link.peer().unwrap().session;
                self.listener.push(Session::new(*link, number, index));
                Accepted::Session(self.listener.len() - 1)
            }
            Some(Event::Resume(wanted)) => {
                let known = |session: &Session| session.number == wanted.session;
                if let Some(session) = self.listener.iter().position(known) {
                    self.resume(session, *link, index)
                } else {
                    link.goodbye(Goodbye::unknown_session());
                    Accepted::New(link)
                }
            }
            _ => Accepted::New(link),
        };
        if let Accepted::Session(session) = self.accepted[index] {
            self.listener_hears(session);
        }
    }

    pub(super) fn resume(&mut self, place: usize, link: Link, index: usize) -> Accepted {
        let session = &mut self.listener[place];
        session.link.tick(self.now);
        match session.link.resume(link) {
            Ok(()) => {
                if let Some(old) = session.connection.replace(index) {
                    self.accepted[old] = Accepted::Gone;
                    self.connections[old].down.closed = true;
                }
                Accepted::Session(place)
            }
            Err(refused) => Accepted::New(refused),
        }
    }

    pub(super) fn listener_hears(&mut self, place: usize) {
        let session = &mut self.listener[place];
        while let Some(event) = session.link.poll_event().expect("the peer keeps the rules") {
            self.deeds.lost += u64::from(matches!(event, Event::Lost(_)));
            session.hear(event, &mut self.ledger, &mut self.rng, &self.habits);
        }
        if session.concluded
            && session.link.lost().is_some()
            && let Some(index) = session.connection
        {
            self.listener_hangs_up(index);
        }
    }

    pub(super) fn listener_acts(&mut self) {
        if let Some(session) = self.listener.last_mut() {
            session.link.tick(self.now);
            for _ in 0..3 {
                session.act(self.now, &mut self.ledger, &mut self.rng, &self.habits);
            }
        }
    }
}
