//! The state that a link's driver, pumps and handles work on, under one lock.
//!
//! # Invariants
//!
//! - Of a channel no more messages are here than were granted: one that a receiver waits for, or as many as receivers have
//!   granted. Behind one that nobody takes at once, none waits.
//! - Once `ended` is set there is neither a port nor a pump, and none is added.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Waker},
};

use super::{
    end::LinkEnd,
    message,
    port::{Port, Revoke, Routes},
    road::AtTheDoor,
};
use crate::{
    channel::Reason,
    wire::{
        Denial, Event, Goodbye, Link as WireLink, OpenError, Outcome, ReceiveId, SendId, Settlement,
    },
};

/// One pump: the future that moves the messages of one local end.
pub(super) struct Pump {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    waker: Waker,
}

impl Pump {
    pub(super) fn new(future: impl Future<Output = ()> + Send + 'static, waker: Waker) -> Self {
        Self {
            future: Box::pin(future),
            waker,
        }
    }

    /// Returns whether the pump has ended.
    pub(super) fn poll(&mut self) -> bool {
        let mut context = Context::from_waker(&self.waker);
        self.future.as_mut().poll(&mut context).is_ready()
    }
}

/// What a handle asks of the driver.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) close: Option<Goodbye>,
    pub(super) abort: bool,
    /// Nobody can open a channel any more.
    pub(super) handles_gone: bool,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that is so or not, by itself"
)]
pub(super) struct Core {
    pub(super) wire: WireLink,
    pub(super) orders: Orders,
    /// The next connection, brought by a listener.
    pub(super) door: Option<Box<AtTheDoor>>,
    /// The link is about to end: no message begins, and pumps settle what they have.
    pub(super) parting: Option<LinkEnd>,
    pub(super) ended: bool,
    /// This side accepted the session's connections.
    pub(super) is_listener: bool,
    /// See [`WireLink::may_take`]; by the driver's clock.
    pub(super) may_take: bool,
    pub(super) ports: Vec<Option<Port>>,
    /// As `ports`: pumps that were not polled yet. Later the driver has them.
    pub(super) pumps: Vec<Option<Pump>>,
    pub(super) sends: Routes,
    pub(super) receives: Routes,
    /// An end has granted less than it wanted: see [`InPort::is_short`](super::port::InPort::is_short).
    pub(super) is_short: bool,
    /// See [`Link::last_unreadable`](super::Link::last_unreadable).
    pub(super) unreadable: Option<String>,
}

/// What became of a message that this side sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    /// Nobody waits for it any more.
    Declined,
    /// Who had it gave it back.
    Returned,
    /// It did not come to anybody, and will not.
    NotTaken,
    InDoubt,
}

impl From<Settlement> for Verdict {
    fn from(settlement: Settlement) -> Self {
        match settlement {
            Settlement::Taken => Self::Taken,
            Settlement::Declined => Self::Declined,
            Settlement::Returned => Self::Returned,
            Settlement::InDoubt => Self::InDoubt,
        }
    }
}

impl Core {
    pub(super) fn new(wire: WireLink, is_listener: bool) -> Self {
        Self {
            is_listener,
            may_take: true,
            wire,
            orders: Orders::default(),
            door: None,
            parting: None,
            ended: false,
            ports: Vec::new(),
            pumps: Vec::new(),
            sends: Routes::default(),
            receives: Routes::default(),
            is_short: false,
            unreadable: None,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.ports.iter().all(Option::is_none)
    }

    pub(super) fn port(&self, key: u16) -> Option<&Port> {
        self.ports.get(usize::from(key))?.as_ref()
    }

    pub(super) fn port_mut(&mut self, key: u16) -> Option<&mut Port> {
        self.ports.get_mut(usize::from(key))?.as_mut()
    }

    /// Puts a port into the first free place. The channel limits of both directions bound the table.
    pub(super) fn add(&mut self, port: Port) -> u16 {
        let free = self
            .ports
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.ports.len());
        if free == self.ports.len() {
            self.ports.push(None);
            self.pumps.push(None);
        }
        self.ports[free] = Some(port);
        u16::try_from(free).unwrap_or(u16::MAX)
    }

    /// Whether a channel to receive on may be opened under `name`.
    pub(super) fn check_receiver(&self, name: &str) -> Result<(), OpenError> {
        self.wire.check_name(name)?;
        let open = self.ports.iter().flatten().filter_map(|port| match port {
            Port::In(port) => Some(port),
            Port::Out(_) => None,
        });
        let limit = self.wire.channels_max();
        if open.clone().any(|port| port.name == name) {
            return Err(OpenError::InUse(name.to_owned()));
        }
        if open.count() >= usize::from(limit) {
            return Err(OpenError::TooMany(limit));
        }
        Ok(())
    }

    /// Ties a waiting port to the channel that the peer opened, or refuses that if its messages are others than the port
    /// receives.
    pub(super) fn bind(&mut self, key: u16, id: ReceiveId) {
        let closed = self.wire.is_sender_closed(id);
        let theirs = self.wire.message_type(id).cloned().unwrap_or_default();
        let mut mismatch = None;
        if let Some(Port::In(port)) = self.port_mut(key)
            && port.message_type != theirs
        {
            let reason = message::mismatch(&port.name, &theirs, &port.message_type);
            port.closed = true;
            port.poison = Some(reason.as_str().into());
            mismatch = Some(reason);
        }
        if let Some(reason) = mismatch {
            self.wire.deny(id, Denial::Mismatch, &reason);
        } else if let Some(Port::In(port)) = self.port_mut(key) {
            port.id = Some(id);
            port.closed = closed;
            self.receives.set(id.number(), key);
        }
    }

    /// Notes an event; returns the key of the port that it concerns.
    pub(super) fn act(&mut self, event: Event) -> Option<u16> {
        match event {
            Event::Opened(id) => {
                let name = self.wire.name(id)?;
                let key = self.ports.iter().position(
                    |port| matches!(port, Some(Port::In(port)) if port.id.is_none() && !port.closed && port.name == name),
                )?;
                let key = u16::try_from(key).ok()?;
                self.bind(key, id);
                Some(key)
            }
            Event::Granted(id) => self.sends.get(id.number()),
            Event::Message {
                channel,
                sequence,
                message,
            } => {
                let key = self.receives.get(channel.number())?;
                match self.port_mut(key) {
                    Some(Port::In(port)) if port.is_held_up => {
                        self.wire.settle(channel, sequence, Settlement::Declined);
                    }
                    Some(Port::In(port)) => port.arrived.push_back((sequence, message)),
                    _ => {}
                }
                Some(key)
            }
            Event::Settled {
                channel,
                sequence,
                settlement,
            } => {
                let key = self.sends.get(channel.number())?;
                if let Some(Port::Out(port)) = self.port_mut(key)
                    && let Ok(index) = port.under_way.binary_search_by_key(&sequence, |it| it.0)
                {
                    port.under_way[index].1 = Some(settlement);
                    port.news = true;
                }
                Some(key)
            }
            Event::ReceiverClosed(id) => self.receiver_gone(id, None),
            Event::ReceiverPoisoned { channel, reason } => {
                self.receiver_gone(channel, Some(reason.as_str().into()))
            }
            Event::Denied {
                channel, reason, ..
            } => {
                let why = format!("the peer refuses the channel: {}", reason.as_str());
                self.receiver_gone(channel, Some(why.into()))
            }
            Event::SenderClosed(id) => self.sender_gone(id, None),
            Event::SenderPoisoned { channel, reason } => {
                self.sender_gone(channel, Some(reason.as_str().into()))
            }
            Event::Withdraw { channel, sequence } => {
                let key = self.receives.get(channel.number())?;
                if let Some(Port::In(port)) = self.port_mut(key) {
                    let arrived = port.arrived.len();
                    port.arrived.retain(|(number, _)| *number != sequence);
                    if port.arrived.len() < arrived {
                        self.wire.settle(channel, sequence, Settlement::Returned);
                    } else {
                        port.wanted_back = Some(sequence);
                    }
                }
                Some(key)
            }
            Event::Revoked(id) => {
                let key = self.receives.get(id.number())?;
                if let Some(Port::In(port)) = self.port_mut(key) {
                    port.revoke = Revoke::Answered;
                }
                Some(key)
            }
            // The driver looks at these.
            Event::Welcome
            | Event::Resume(_)
            | Event::Resumed
            | Event::Goodbye(_)
            | Event::Lost(_) => None,
        }
    }

    fn receiver_gone(&mut self, id: SendId, reason: Option<Reason>) -> Option<u16> {
        let key = self.sends.clear(id.number())?;
        if let Some(Port::Out(port)) = self.port_mut(key) {
            port.closed = true;
            port.poison = reason;
        }
        Some(key)
    }

    fn sender_gone(&mut self, id: ReceiveId, reason: Option<Reason>) -> Option<u16> {
        let key = self.receives.get(id.number())?;
        if let Some(Port::In(port)) = self.port_mut(key) {
            port.closed = true;
            port.poison = reason;
        }
        Some(key)
    }

    /// Whether a message of this side is under way, of which the peer has not said what became of it.
    pub(super) fn awaits_an_outcome(&self) -> bool {
        self.ports
            .iter()
            .flatten()
            .any(|port| matches!(port, Port::Out(port) if port.awaits_an_outcome()))
    }

    /// The keys of the ends that have granted less than they wanted, once.
    pub(super) fn short(&mut self) -> impl Iterator<Item = u16> {
        let any = std::mem::take(&mut self.is_short);
        let ports = if any { &mut self.ports[..] } else { &mut [] };
        (0u16..).zip(ports).filter_map(|(key, port)| match port {
            Some(Port::In(port)) => std::mem::take(&mut port.is_short).then_some(key),
            _ => None,
        })
    }

    /// The keys of the ends that wait for such outcomes: see [`InPort::is_patient`](super::port::InPort::is_patient).
    pub(super) fn patient(&self) -> impl Iterator<Item = u16> {
        (0u16..)
            .zip(&self.ports)
            .filter(|(_, port)| matches!(port, Some(Port::In(port)) if port.is_patient))
            .map(|(key, _)| key)
    }

    /// What the wire knows of a message of which the peer has said nothing.
    pub(super) fn outcome(&self, key: u16, sequence: u64) -> Verdict {
        let Some(Port::Out(port)) = self.port(key) else {
            return Verdict::InDoubt;
        };
        match self.wire.outcome(port.id, sequence) {
            Outcome::NotTaken => Verdict::NotTaken,
            Outcome::InDoubt => Verdict::InDoubt,
        }
    }

    /// Closes the channel of a port; with a reason if it is poisoned.
    pub(super) fn close(&mut self, key: u16, poison: Option<&Reason>) {
        let Some(port) = self.ports.get_mut(usize::from(key)).and_then(Option::take) else {
            return;
        };
        match port {
            Port::Out(port) => {
                if self.sends.clear(port.id.number()).is_some() {
                    match poison {
                        Some(reason) => self.wire.poison_send(port.id, reason.as_str()),
                        None => self.wire.close_send(port.id),
                    }
                }
            }
            Port::In(port) => {
                if let Some(id) = port.id {
                    self.receives.clear(id.number());
                    match poison {
                        Some(reason) => self.wire.poison_receive(id, reason.as_str()),
                        None => self.wire.close_receive(id),
                    }
                }
            }
        }
    }
}
