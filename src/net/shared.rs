//! What the driver of a link, its pumps and its handles share.
//!
//! # Invariants
//!
//! - A pump that waits is marked whenever what it waits for may have come: by its waker for local channels, by
//!   the driver for the wire.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    io,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::watch;

use super::{
    access::{Direction, Gate},
    core::{Core, Orders, Pump, Verdict},
    end::{LinkEnd, NetError},
    gone::Gone,
    port::{InPort, OutPort, Port},
    road::AtTheDoor,
    wakes::Wakes,
};
use crate::{
    channel::Reason,
    sync::Mutex,
    wire::{
        CREDIT_MESSAGES_MAX, Code, Denial, Event, Link as WireLink, Lost, MessageTooLong,
        MessageType, OpenError, ReceiveId, SendId, Settlement, Standing,
    },
};

/// How the channels of a link stand: by whether this side sends on it, and by its name.
pub(super) type Ends = HashMap<(bool, String), Standing>;

pub(super) struct Shared {
    core: Mutex<Core>,
    pub(super) wakes: Arc<Wakes>,
    /// What the peer may do.
    pub(super) gate: Gate,
    /// Locked only where the core is.
    pub(super) gone: Mutex<Gone>,
    end: watch::Sender<Option<LinkEnd>>,
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
            let _ = self.gone.lock().take(name);
            let key = core.add(Port::In(InPort {
                name: name.to_owned(),
                message_type,
                id: None,
                arrived: VecDeque::new(),
                is_held_up: false,
                is_short: false,
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

    /// Polls the pumps that are marked; returns whether there was one.
    pub(super) fn poll_pumps(&self) -> bool {
        let mut any = false;
        loop {
            // Out of the table while it is polled, for it takes the lock itself; under the lock, so that it is seen to be
            // marked or to be polled.
            let popped = self.with(|core| {
                let index = usize::from(self.wakes.pop()?);
                Some((index, core.pumps.get_mut(index).and_then(Option::take)))
            });
            let Some((index, pump)) = popped else {
                break;
            };
            let Some(mut pump) = pump else {
                continue;
            };
            any = true;
            if !pump.poll() {
                self.with(|core| core.pumps[index] = Some(pump));
            }
        }
        any
    }

    /// Tells the wire the time; returns whether the session is over.
    pub(super) fn tick(&self, now: Duration) -> bool {
        self.with(|core| {
            core.wire.tick(now);
            let may_take = core.wire.may_take(now);
            if std::mem::replace(&mut core.may_take, may_take) != may_take {
                self.mark_all(core);
            }
            core.wire.is_over()
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
            loop {
                let event = match core.wire.poll_event() {
                    Ok(None) => {
                        // What was heard may have made room.
                        core.short().for_each(|key| self.wakes.mark(key));
                        return Heard::Nothing;
                    }
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
                        if let Some(key) = core.act(event) {
                            self.wakes.mark(key);
                        }
                        if is_outcome {
                            core.patient().for_each(|key| self.wakes.mark(key));
                        }
                    }
                }
            }
        })
    }

    /// Why a channel that the peer has opened is refused, if it is.
    fn denied(&self, core: &Core, event: &Event) -> Option<(ReceiveId, String)> {
        let Event::Opened(id) = event else {
            return None;
        };
        let channel = core.wire.name(*id)?;
        if self.gate.allows(Direction::FromPeer, channel) {
            return None;
        }
        let peer = &self.gate.peer;
        Some((
            *id,
            format!("{peer:?} may not send on channel {channel:?} here"),
        ))
    }

    /// Brings the driver the next connection of the session. Returns one that it did not come to take.
    pub(super) fn bring(&self, connection: AtTheDoor) -> Option<AtTheDoor> {
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
    pub(super) fn part(&self, end: LinkEnd) {
        self.with(|core| {
            core.parting = Some(end);
            self.mark_all(core);
        });
        self.poll_pumps();
    }

    /// Ends the link: whatever is under way gets its verdict, local ends are dropped, then `end` is told.
    pub(super) fn finish(&self, end: LinkEnd) {
        let pumps = self.with(|core| {
            core.parting.get_or_insert_with(|| end.clone());
            core.ended = true;
            (std::mem::take(&mut core.pumps), core.door.take())
        });
        drop(pumps);
        self.end.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(end);
            }
            first
        });
    }

    // ---- For those who look at the waits ----

    /// How each channel stands of which an end is here, where a pump waits at it.
    pub(super) fn standings(&self) -> Ends {
        self.with(|core| {
            if core.parting.is_some() || !core.may_take {
                return Ends::new();
            }
            let ports = (0u16..).zip(&core.ports);
            let standing = |(key, port): (u16, &Option<Port>)| {
                let is_at_rest = core.pumps.get(usize::from(key))?.is_some();
                let port = port.as_ref()?;
                let (name, mut standing) = match port {
                    Port::Out(port) => (
                        (true, core.wire.send_name(port.id)?.to_owned()),
                        core.wire.send_standing(port.id)?,
                    ),
                    Port::In(port) => (
                        (false, port.name.clone()),
                        core.wire.receive_standing(port.id?)?,
                    ),
                };
                standing.is_quiet &= is_at_rest && !self.wakes.is_marked(key);
                Some((name, standing))
            };
            ports.filter_map(standing).collect()
        })
    }

    // ---- For the pumps ----

    /// Moves to `known` what has become known of messages that were sent. Returns whether the peer has granted another;
    /// false if it never will.
    pub(super) fn credit(&self, key: u16, known: &mut VecDeque<(u64, Verdict)>) -> Poll<bool> {
        self.with(|core| {
            let parting = core.parting.is_some();
            let Core { wire, ports, .. } = core;
            let Some(Some(Port::Out(port))) = ports.get_mut(usize::from(key)) else {
                return Poll::Ready(false);
            };
            let shut = port.closed || parting;
            if std::mem::take(&mut port.news) || shut {
                let (id, closed) = (port.id, port.closed);
                port.under_way.retain(|(sequence, outcome)| {
                    let verdict = match outcome {
                        Some(settlement) => Some((*settlement).into()),
                        None => unsettled(wire, id, *sequence, closed, parting),
                    };
                    known.extend(verdict.map(|verdict| (*sequence, verdict)));
                    verdict.is_none()
                });
            }
            if shut {
                Poll::Ready(false)
            } else if wire.has_credit(port.id) {
                Poll::Ready(true)
            } else {
                Poll::Pending
            }
        })
    }

    /// Whether no message may begin on this channel any more.
    pub(super) fn is_shut(&self, key: u16) -> bool {
        self.with(|core| {
            core.parting.is_some()
                || !matches!(core.port(key), Some(Port::Out(port)) if !port.closed)
        })
    }

    /// Begins to send a message, for which there is credit; `None` if the channel is shut.
    pub(super) fn send(&self, key: u16, message: Bytes) -> Result<Option<u64>, MessageTooLong> {
        self.with(|core| {
            let Some(Port::Out(port)) = core.port(key) else {
                return Ok(None);
            };
            let (id, closed) = (port.id, port.closed);
            if closed || core.parting.is_some() || !core.wire.has_credit(id) {
                return Ok(None);
            }
            let sequence = core.wire.send(id, message)?;
            if let Some(Port::Out(port)) = core.port_mut(key) {
                port.under_way.push_back((sequence, None));
            }
            Ok(Some(sequence))
        })
    }

    /// What is to be said of a message if the link ends now.
    pub(super) fn verdict(&self, key: u16, sequence: u64) -> Verdict {
        self.with(|core| {
            let parting = core.parting.is_some();
            let Some(Port::Out(port)) = core.port(key) else {
                return Verdict::InDoubt;
            };
            let index = port.under_way.binary_search_by_key(&sequence, |it| it.0);
            let outcome = index.ok().and_then(|index| port.under_way[index].1);
            outcome.map(Into::into).unwrap_or_else(|| {
                unsettled(&core.wire, port.id, sequence, port.closed, parting)
                    .unwrap_or_else(|| core.outcome(key, sequence))
            })
        })
    }

    /// The next message that arrived. Until one has, the peer is granted as many as receivers have granted in advance,
    /// `in_advance`, or one, for a receiver waits. `None` if none will come.
    pub(super) fn arrived(&self, key: u16, in_advance: usize) -> Poll<Option<(u64, Bytes)>> {
        self.with(|core| {
            let parting = core.parting.is_some();
            let Core {
                wire,
                ports,
                is_short,
                ..
            } = core;
            let Some(Some(Port::In(port))) = ports.get_mut(usize::from(key)) else {
                return Poll::Ready(None);
            };
            if parting {
                return Poll::Ready(None);
            }
            if let Some(arrived) = port.arrived.pop_front() {
                return Poll::Ready(Some(arrived));
            }
            if port.closed {
                return Poll::Ready(None);
            }
            if let Some(id) = port.id {
                let wanted = in_advance.clamp(1, CREDIT_MESSAGES_MAX) as u64;
                let more = wanted.saturating_sub(wire.standing(id));
                if more > 0 && wire.grant(id, more) < more {
                    port.is_short = true;
                    *is_short = true;
                }
            }
            Poll::Pending
        })
    }

    /// Nobody takes the message at once that the pump has: those behind it are declined, for their senders may turn to
    /// others. Or it waits no more.
    pub(super) fn hold_up(&self, key: u16, is_held_up: bool) {
        self.with(|core| {
            let Some(Port::In(port)) = core.port_mut(key) else {
                return;
            };
            port.is_held_up = is_held_up;
            if !is_held_up {
                port.is_patient = false;
            }
            if is_held_up && let Some(id) = port.id {
                for (sequence, _) in std::mem::take(&mut port.arrived) {
                    core.wire.settle(id, sequence, Settlement::Declined);
                }
            }
        });
    }

    /// Whether message `sequence` may be taken by a process of this side: not while the peer was silent for long. If it
    /// never may, what it comes to.
    pub(super) fn may_be_taken(
        &self,
        key: u16,
        sequence: u64,
    ) -> Poll<Result<(), Option<Settlement>>> {
        self.with(|core| {
            let is_wanted_back = matches!(
                core.port(key),
                Some(Port::In(port)) if port.wanted_back == Some(sequence)
            );
            if core.parting.is_some() {
                Poll::Ready(Err(None))
            } else if is_wanted_back {
                Poll::Ready(Err(Some(Settlement::Returned)))
            } else if core.may_take {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
    }

    /// Whether no message will arrive on this channel beyond one that has.
    pub(super) fn is_over(&self, key: u16) -> bool {
        self.with(|core| {
            core.parting.is_some()
                || !matches!(core.port(key), Some(Port::In(port)) if !port.closed)
        })
    }

    pub(super) fn is_parting(&self) -> bool {
        self.with(|core| core.parting.is_some())
    }

    /// Whether a process of this side may take a message of the peer now; it may not where the peer was silent for so
    /// long that it will soon count it as in doubt.
    pub(super) fn may_take(&self) -> bool {
        self.with(|core| core.may_take)
    }

    /// Whether the sender wants message `sequence` back.
    pub(super) fn is_wanted_back(&self, key: u16, sequence: u64) -> bool {
        self.with(
            |core| matches!(core.port(key), Some(Port::In(port)) if port.wanted_back == Some(sequence)),
        )
    }

    /// Whether an end that has a message for which nobody waits should wait until it is known what became of those that
    /// this side has sent. Of two processes that are about to send to each other, and could each receive instead, one
    /// must be so patient, and the other not: the listener's side is.
    pub(super) fn is_to_be_patient(&self, key: u16) -> bool {
        self.with(|core| {
            let patient = core.is_listener && core.awaits_an_outcome();
            if let Some(Port::In(port)) = core.port_mut(key) {
                port.is_patient = patient;
            }
            patient
        })
    }

    /// Why the channel was poisoned at the peer, if it was.
    pub(super) fn poison(&self, key: u16) -> Option<Reason> {
        self.with(|core| match core.port(key)? {
            Port::In(port) => port.poison.clone(),
            Port::Out(port) => port.poison.clone(),
        })
    }

    /// Notes that a message did not come over the step between a value and its bytes.
    pub(super) fn note_unreadable(&self, what: String) {
        let old = self.with(|core| core.unreadable.replace(what));
        drop(old);
    }

    /// Tells the peer what became of a message. Returns whether another has arrived, or is granted and may.
    pub(super) fn settle(&self, key: u16, sequence: u64, settlement: Settlement) -> bool {
        self.with(|core| {
            let Core { wire, ports, .. } = core;
            let Some(Some(Port::In(port))) = ports.get(usize::from(key)) else {
                return false;
            };
            let Some(id) = port.id else {
                return false;
            };
            wire.settle(id, sequence, settlement);
            !port.arrived.is_empty() || wire.standing(id) > 0
        })
    }

    /// Removes a port whose pump has ended, and closes its channel.
    pub(super) fn close_port(&self, key: u16, poison: Option<&Reason>) {
        self.with(|core| {
            self.note_gone(core, key, poison);
            core.close(key, poison);
        });
        // The link may have nothing left to do.
        self.wakes.call();
    }
}

/// What is known of a message of which the peer has said nothing: while the link parts, what has not left stays here.
fn unsettled(
    wire: &WireLink,
    channel: SendId,
    sequence: u64,
    closed: bool,
    parting: bool,
) -> Option<Verdict> {
    let stays = closed || (parting && !wire.has_left(channel, sequence));
    stays.then_some(Verdict::NotTaken)
}

#[cfg(test)]
mod tests;
