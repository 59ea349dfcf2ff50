//! What the driver of a link, its pumps and its handles share.
//!
//! # Invariants
//!
//! - A pump that waits is marked whenever what it waits for may have come: by its waker for local channels, by
//!   the driver for the wire.

use std::{collections::VecDeque, future::Future, io, sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{
    access::Gate,
    core::{Core, Orders, Pump},
    end::{LinkEnd, NetError},
    gone::Gone,
    port::{InPort, OutPort, Port, Revoke},
    road::AtTheDoor,
    wakes::Wakes,
};
use crate::{
    sync::Mutex,
    wire::{Code, Denial, Event, Link as WireLink, Lost, MessageType, OpenError, ReceiveId},
};

pub(super) struct Shared {
    core: Mutex<Core>,
    pub(super) wakes: Arc<Wakes>,
    /// What the peer may do.
    pub(super) gate: Gate,
    /// Locked only where the core is.
    pub(super) gone: Mutex<Option<Box<Gone>>>,
    end: watch::Sender<Option<LinkEnd>>,
}

/// What follows from the time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticked {
    /// The session is over.
    pub(super) is_over: bool,
    /// See [`WireLink::may_take`].
    pub(super) may_take: bool,
}

/// What came of what was heard, beside what the pumps are told.
pub(super) enum Heard {
    Nothing,
    /// The session goes on on a new connection.
    Resumed,
    /// The new connection is of no use; the session waits for another.
    Useless(io::Error),
    /// The peer's goodbye, how it broke the protocol, or that it is gone.
    End(LinkEnd),
}

impl Shared {
    pub(super) fn new(wire: WireLink, gate: Gate, is_listener: bool) -> Self {
        Self {
            core: Mutex::new(Core::new(wire, is_listener)),
            wakes: Arc::default(),
            gate,
            gone: Mutex::default(),
            end: watch::Sender::new(None),
        }
    }

    /// Runs `act` on the core. It must run no foreign code: no waker, and nothing that drops a pump or a
    /// message's owner.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Core) -> R) -> R {
        act(&mut self.core.lock())
    }

    /// Whether this side accepted the session's connections.
    pub(super) fn is_listener(&self) -> bool {
        self.with(|core| core.is_listener)
    }

    /// Gives the driver an order.
    pub(super) fn order(&self, give: impl FnOnce(&mut Orders)) {
        self.with(|core| give(&mut core.orders));
        self.wakes.call();
    }

    pub(super) fn end(&self) -> watch::Receiver<Option<LinkEnd>> {
        self.end.subscribe()
    }

    /// Why nothing can be opened any more.
    fn ended(&self) -> NetError {
        let end = self.with(|core| core.parting.clone());
        NetError::Ended(end.unwrap_or(LinkEnd::Aborted))
    }

    // ---- Opening ----

    /// Opens a channel to send on, whose pump is made by `pump` from its key.
    pub(super) fn open_out<F>(
        &self,
        name: &str,
        message_type: MessageType,
        pump: impl FnOnce(u16) -> F,
    ) -> Result<(), NetError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let key = self.with(|core| {
            if core.parting.is_some() {
                return Ok(None);
            }
            let id = core.wire.open_typed(name, message_type)?;
            let port = Port::Out(OutPort {
                id,
                under_way: VecDeque::new(),
                news: false,
                closed: false,
                poison: None,
            });
            let key = core.add(port);
            core.sends.set(id.number(), key);
            Ok::<_, OpenError>(Some(key))
        })?;
        self.start(key.ok_or_else(|| self.ended())?, pump);
        Ok(())
    }

    /// Opens a channel to receive on, whose pump is made by `pump` from its key.
    pub(super) fn open_in<F>(
        &self,
        name: &str,
        message_type: MessageType,
        pump: impl FnOnce(u16) -> F,
    ) -> Result<(), NetError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let key = self.with(|core| {
            if core.parting.is_some() {
                return Ok(None);
            }
            core.check_receiver(name)?;
            self.forget_gone(name);
            let key = core.add(Port::In(InPort {
                name: name.to_owned(),
                message_type,
                id: None,
                arrived: VecDeque::new(),
                is_held_up: false,
                is_short: false,
                revoke: Revoke::No,
                wanted_back: None,
                is_patient: false,
                closed: false,
                poison: None,
            }));
            if let Some(id) = core
                .wire
                .find(name)
                .filter(|id| core.receives.get(id.number()).is_none())
            {
                core.bind(key, id);
            }
            Ok::<_, OpenError>(Some(key))
        })?;
        self.start(key.ok_or_else(|| self.ended())?, pump);
        Ok(())
    }

    fn start<F>(&self, key: u16, pump: impl FnOnce(u16) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let pump = Pump::new(pump(key), self.wakes.waker(key));
        let late = self.with(|core| {
            if core.ended {
                return Some(pump);
            }
            core.pumps[usize::from(key)] = Some(pump);
            None
        });
        // If the link ended meanwhile, dropping the pump disconnects the local end.
        drop(late);
        self.wakes.mark(key);
    }

    // ---- For the driver ----

    /// Polls the pumps that are marked. They are in the driver's table from their first poll on: outside the core, whose
    /// lock they take. As many keys as ports bound the table.
    pub(super) fn poll_pumps(&self, pumps: &mut Vec<Option<Pump>>) {
        // Who is marked meanwhile has the next turn.
        while let Some((key, has_next)) = self.wakes.pop() {
            let index = usize::from(key);
            if index >= pumps.len() {
                pumps.resize_with(index + 1, || None);
            }
            let place = &mut pumps[index];
            if place.is_none() {
                *place = self.with(|core| core.pumps.get_mut(index).and_then(Option::take));
            }
            if let Some(pump) = place
                && pump.poll()
            {
                *place = None;
            }
            if !has_next {
                return;
            }
        }
    }

    /// Tells the wire the time.
    pub(super) fn tick(&self, now: Duration) -> Ticked {
        self.with(|core| {
            core.wire.tick(now);
            let may_take = core.wire.may_take(now);
            if std::mem::replace(&mut core.may_take, may_take) != may_take {
                self.mark_all(core);
            }
            Ticked {
                is_over: core.wire.is_over(),
                may_take,
            }
        })
    }

    /// The connection is gone. No pump has credit now, so none waits for a local sender.
    pub(super) fn disconnected(&self) {
        self.with(|core| {
            core.wire.disconnected();
            self.mark_all(core);
        });
    }

    fn mark_all(&self, core: &Core) {
        (0u16..)
            .take(core.ports.len())
            .for_each(|key| self.wakes.mark(key));
    }

    /// Acts on what the bytes read so far, or the time, mean.
    pub(super) fn hear(&self) -> Heard {
        self.with(|core| {
            let heard = self.hear_all(core);
            // What was heard may have made room.
            core.short().for_each(|key| self.wakes.mark(key));
            heard
        })
    }

    fn hear_all(&self, core: &mut Core) -> Heard {
        // Of many events in a row that concern one end, it is told once.
        let mut last = None;
        loop {
            let event = match core.wire.poll_event() {
                Ok(None) => return Heard::Nothing,
                Ok(Some(event)) => event,
                Err(violation) => {
                    return if core.wire.is_over() {
                        Heard::End(LinkEnd::Violation(violation))
                    } else {
                        Heard::Useless(io::Error::new(io::ErrorKind::InvalidData, violation))
                    };
                }
            };
            match event {
                Event::Goodbye(goodbye) if goodbye.code() == Code::UnknownSession => {
                    return Heard::End(LinkEnd::Forgotten);
                }
                Event::Goodbye(goodbye) if core.wire.is_over() => {
                    return Heard::End(LinkEnd::PeerClosed(goodbye));
                }
                Event::Goodbye(goodbye) => {
                    return Heard::Useless(io::Error::other(goodbye.to_string()));
                }
                Event::Lost(Lost::Silent) => {
                    let lease = core.wire.peer().map_or(Duration::ZERO, |peer| peer.lease);
                    return Heard::End(LinkEnd::Silent(lease));
                }
                Event::Lost(Lost::UnknownSession | Lost::OtherProcess) => {
                    return Heard::End(LinkEnd::Forgotten);
                }
                Event::Resumed => return Heard::Resumed,
                event => {
                    if let Some((channel, why)) = self.denied(core, &event) {
                        core.wire.deny(channel, Denial::NotAllowed, &why);
                        continue;
                    }
                    if self.is_opened_in_vain(core, &event) {
                        continue;
                    }
                    let is_outcome = matches!(event, Event::Settled { .. });
                    let concerned = core.act(event);
                    if last == Some(concerned) {
                        continue;
                    }
                    last = Some(concerned);
                    if let Some(key) = concerned {
                        self.wakes.mark(key);
                    }
                    if is_outcome {
                        core.patient().for_each(|key| self.wakes.mark(key));
                    }
                }
            }
        }
    }

    /// Why a channel that the peer has opened is refused, if it is.
    fn denied(&self, core: &Core, event: &Event) -> Option<(ReceiveId, String)> {
        let Event::Opened(id) = event else {
            return None;
        };
        let why = self.gate.refusal(core.wire.name(*id)?)?;
        Some((*id, why))
    }

    /// Brings the driver the next connection of the session. Returns one that it did not come to take.
    pub(super) fn bring(&self, connection: Box<AtTheDoor>) -> Option<Box<AtTheDoor>> {
        let left = self.with(|core| {
            if core.ended {
                return Some(connection);
            }
            core.door.replace(connection)
        });
        self.wakes.call();
        left
    }

    /// Lets no message begin any more, and all pumps settle what they have.
    pub(super) fn part(&self, end: LinkEnd, pumps: &mut Vec<Option<Pump>>) {
        self.with(|core| {
            core.parting = Some(end);
            self.mark_all(core);
        });
        while self.wakes.is_any_marked() {
            self.poll_pumps(pumps);
        }
    }

    /// Ends the link: whatever is under way gets its verdict, local ends are dropped, then `end` is told.
    pub(super) fn finish(&self, end: LinkEnd, pumps: Vec<Option<Pump>>) {
        let unpolled = self.with(|core| {
            core.parting.get_or_insert_with(|| end.clone());
            core.ended = true;
            (std::mem::take(&mut core.pumps), core.door.take())
        });
        drop(pumps);
        drop(unpolled);
        self.end.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(end);
            }
            first
        });
    }
}

#[cfg(test)]
mod tests;
