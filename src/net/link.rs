//! The handle of a link.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Weak},
};

use bytes::Bytes;

use super::{
    access::{Direction, Gate},
    admission::Place,
    asking::Desk,
    config::Config,
    driver::Driver,
    end::{LinkEnd, NetError},
    message::{Message, type_of},
    node::Window,
    pump::{self, Local},
    road::{Dialer, Registry, Road},
    shared::Shared,
    tls::{PeerIdentity, Stream},
};
use crate::{
    channel::{Receiver, Sender, channel},
    process::{Crossing, InToken, Network, OutToken},
    wire::{Counters, Goodbye, Link as WireLink},
};

/// Who is at the other end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The peer's name: not unique, without control characters. With TLS it is that of its certificate, and
    /// without the one that it gave itself, for people.
    pub name: String,
    /// The name that the peer gave itself, for people, whatever its certificate says.
    pub own_name: String,
    /// The name that an authority has certified: the first DNS name of the certificate. `None` without TLS.
    pub certificate_name: Option<String>,
    /// By what the peer is known, to be compared.
    pub identity: PeerIdentity,
    /// Its address.
    pub address: SocketAddr,
    /// The number of this connection, the same at both ends.
    pub session: u128,
    /// The number of the peer's run: two links with the same one lead to the same process.
    pub incarnation: u64,
    /// The longest message that the peer accepts, in bytes. A longer one fails with
    /// [`SendError::Returned`](crate::channel::SendError::Returned), and the link lives on.
    pub message_bytes_max: u32,
}

/// A link to another process: many channels over one TCP connection, or over several one after the other.
///
/// This is a handle; clones are handles of the same link. The link is driven by a task of the tokio runtime on
/// which it was made. It ends with [`close`](Self::close) or [`abort`](Self::abort), when the peer ends it,
/// when its connection breaks and no other can be made within its [lease](Config::lease), or when all handles and all
/// local ends of its channels are dropped.
#[derive(Clone)]
pub struct Link(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    peer: Peer,
    desk: Desk,
    window: Window,
    /// On which the link is driven.
    runtime: tokio::runtime::Handle,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.order(|orders| orders.handles_gone = true);
    }
}

impl Link {
    /// Makes the link of a connection that this side made.
    pub(super) fn dialed(
        wire: WireLink,
        stream: Stream,
        who: (SocketAddr, PeerIdentity),
        config: &Config,
        addresses: Vec<SocketAddr>,
    ) -> Self {
        let road = if config.reconnect {
            Road::Dialer(Dialer::new(addresses, config.clone(), who.1.clone()))
        } else {
            Road::None
        };
        let (handle, shared) = Self::new(wire, who, config, false);
        tokio::spawn(Driver::new(shared, stream, config, None, road));
        handle
    }

    /// Makes the link of a connection that a listener accepted. With a registry it may go on on another connection.
    pub(super) fn accepted(
        wire: WireLink,
        stream: Stream,
        who: (SocketAddr, PeerIdentity),
        config: &Config,
        place: Option<Place>,
        registry: Option<&Arc<Registry>>,
    ) -> Self {
        let identity = who.1.clone();
        let (handle, shared) = Self::new(wire, who, config, true);
        let road = match registry {
            Some(registry) => registry.enter(handle.peer().session, &shared, identity),
            None => Road::None,
        };
        tokio::spawn(Driver::new(shared, stream, config, place, road));
        handle
    }

    /// Makes the handle of a link whose handshake is complete, and what it shares with its driver.
    fn new(
        wire: WireLink,
        who: (SocketAddr, PeerIdentity),
        config: &Config,
        is_listener: bool,
    ) -> (Self, Arc<Shared>) {
        let Some(hello) = wire.peer().cloned() else {
            unreachable!("the handshake is complete");
        };
        let (address, identity) = who;
        let certificate_name = identity.certificate_name().map(ToOwned::to_owned);
        let peer = Peer {
            name: certificate_name.as_ref().unwrap_or(&hello.name).clone(),
            own_name: hello.name,
            certificate_name,
            identity,
            address,
            session: hello.session,
            incarnation: hello.incarnation,
            message_bytes_max: hello.message_bytes,
        };
        let gate = Gate::new(&peer.name, config.access.as_ref());
        let shared = Arc::new(Shared::new(wire, gate, is_listener));
        let handle = Handle {
            shared: Arc::clone(&shared),
            peer,
            desk: Desk::default(),
            window: Window::default(),
            runtime: tokio::runtime::Handle::current(),
        };
        (Self(Arc::new(handle)), shared)
    }

    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.0.peer
    }

    /// Opens `channel` to send on.
    ///
    /// The sender is an ordinary one whose receiver is the link: a send completes when a process at the other
    /// end has taken the message, and [`Sender::ready_async`] resolves when one waits there. The other end has
    /// it as [`receiver`](Self::receiver) of the same name; until it asks for that, sends wait.
    ///
    /// When all clones are dropped the channel is closed, and the far receiver is disconnected.
    ///
    /// # Errors
    ///
    /// [`NetError::Open`] if the name is bad, is open at this end already, or too many channels are open;
    /// [`NetError::NotAllowed`] if the rules of this side do not allow it to the peer; [`NetError::Ended`] if the
    /// link has ended.
    pub fn sender(&self, channel: &str) -> Result<Sender<Bytes>, NetError> {
        self.sender_of(channel)
    }

    /// As [`sender`](Self::sender), for messages of a type.
    ///
    /// If the other end receives another type, or another version of it, no message crosses: both ends are poisoned, and
    /// the reason names both types. A message that cannot be encoded here, or decoded there, goes back to its sender
    /// ([`SendError::Returned`](crate::channel::SendError::Returned)), and the channel lives on; see
    /// [`last_unreadable`](Self::last_unreadable).
    ///
    /// # Errors
    ///
    /// As for [`sender`](Self::sender).
    pub fn sender_of<M: Message>(&self, channel: &str) -> Result<Sender<M>, NetError> {
        let (sender, source) = channel_pair();
        self.carry_from(channel, source)?;
        Ok(sender)
    }

    /// Opens `channel` to receive on.
    ///
    /// The receiver is an ordinary one whose sender is the link. Nothing crosses the link until it waits, or
    /// [grants](Receiver::grant).
    ///
    /// When all clones are dropped the channel is closed, and the far senders are disconnected; also if the far end
    /// asks for it only then, once, unless it was opened here again meanwhile. When the far senders are dropped, or the
    /// link ends, this receiver is disconnected, after what is under way.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Self::sender).
    pub fn receiver(&self, channel: &str) -> Result<Receiver<Bytes>, NetError> {
        self.receiver_of(channel)
    }

    /// As [`receiver`](Self::receiver), for messages of a type; see [`sender_of`](Self::sender_of).
    ///
    /// # Errors
    ///
    /// As for [`sender`](Self::sender).
    pub fn receiver_of<M: Message>(&self, channel: &str) -> Result<Receiver<M>, NetError> {
        let (target, receiver) = channel_pair();
        self.carry_into(channel, target)?;
        Ok(receiver)
    }

    /// Opens `channel` to send on, for a process of `network`: a token as that of a channel of the network, which it
    /// becomes. The far end has it as [`inlet`](Self::inlet), or as [`receiver_of`](Self::receiver_of).
    ///
    /// Reports say that the other end is held by the peer over a link. The channel is open: a wait on it is never called
    /// a deadlock, for the network cannot know what is at the peer. Nothing crosses before the network runs.
    ///
    /// The link is driven by the tokio runtime on which it was made, which must go on to run: a runtime of several threads
    /// does so by itself while [`Network::run`] blocks the thread that calls it; on a runtime of one thread the network
    /// is to be run by [`Network::run_async`], inside of it.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Self::sender).
    pub fn outlet<M: Message>(
        &self,
        network: &mut Network,
        channel: &str,
    ) -> Result<OutToken<M>, NetError> {
        self.check(Direction::ToPeer, channel)?;
        self.outlet_as(network, channel, channel)
    }

    /// As [`outlet`](Self::outlet), on the wire channel `wire`.
    pub(super) fn outlet_as<M: Message>(
        &self,
        network: &mut Network,
        channel: &str,
        wire: &str,
    ) -> Result<OutToken<M>, NetError> {
        let mut token = None;
        self.hold_receiver(wire, || {
            let (out, into) = network.channel(channel);
            token = Some(out);
            let (end, outside) = into.take_out_for(&self.holder(), Some(self.crossing(wire, true)));
            Local::new(end).outside(Some(outside))
        })?;
        token.ok_or(NetError::Ended(LinkEnd::Aborted))
    }

    /// Opens `channel` to receive on, for a process of `network`; see [`outlet`](Self::outlet).
    ///
    /// # Errors
    ///
    /// As for [`sender`](Self::sender).
    pub fn inlet<M: Message>(
        &self,
        network: &mut Network,
        channel: &str,
    ) -> Result<InToken<M>, NetError> {
        self.check(Direction::FromPeer, channel)?;
        self.inlet_as(network, channel, channel)
    }

    /// As [`inlet`](Self::inlet), on the wire channel `wire`.
    pub(super) fn inlet_as<M: Message>(
        &self,
        network: &mut Network,
        channel: &str,
        wire: &str,
    ) -> Result<InToken<M>, NetError> {
        let mut token = None;
        self.hold_sender(wire, || {
            let (out, into) = network.channel(channel);
            token = Some(into);
            let (end, outside) = out.take_out_for(&self.holder(), Some(self.crossing(wire, false)));
            Local::new(end).outside(Some(outside))
        })?;
        token.ok_or(NetError::Ended(LinkEnd::Aborted))
    }

    /// Who holds the far end of what is a port here, for reports.
    pub(super) fn holder(&self) -> String {
        format!("peer `{}` over a link", self.0.peer.name)
    }

    /// Where a channel goes on over this link, under the name `wire`.
    pub(super) fn crossing(&self, wire: &str, is_outbound: bool) -> Crossing {
        let is_dialer = !self.0.shared.is_listener();
        Crossing {
            session: self.session(),
            is_from_dialer: is_dialer == is_outbound,
            channel: wire.to_owned(),
            is_outbound,
            peer: self.0.peer.name.clone(),
            peer_incarnation: format!("{:016x}", self.0.peer.incarnation),
        }
    }

    /// The session, as it is called in reports.
    pub(super) fn session(&self) -> String {
        format!("{:032x}", self.0.peer.session)
    }

    pub(super) fn shared(&self) -> Weak<Shared> {
        Arc::downgrade(&self.0.shared)
    }

    pub(super) fn desk(&self) -> &Desk {
        &self.0.desk
    }

    pub(super) fn window(&self) -> &Window {
        &self.0.window
    }

    pub(super) fn runtime(&self) -> &tokio::runtime::Handle {
        &self.0.runtime
    }

    /// Opens `channel` to send on, and lets the link take the messages from `source`.
    ///
    /// Several links may be given clones of one receiver: each message then goes to one link, and only to one
    /// at whose far end a process waits for it. So work goes to idle workers, wherever they are.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Self::sender).
    pub fn carry_from<M: Message>(
        &self,
        channel: &str,
        source: Receiver<M>,
    ) -> Result<(), NetError> {
        self.check(Direction::ToPeer, channel)?;
        self.hold_receiver(channel, || Local::new(source))
    }

    /// Opens the wire channel to send on what comes from a local end, which is made if the channel can be opened.
    pub(super) fn hold_receiver<M: Message>(
        &self,
        wire: &str,
        local: impl FnOnce() -> Local<Receiver<M>>,
    ) -> Result<(), NetError> {
        let shared = &self.0.shared;
        shared.open_out(wire, type_of::<M>(), |key| {
            pump::outbound(Arc::clone(shared), key, local())
        })
    }

    /// Opens `channel` to receive on, and lets the link hand the messages to `target`.
    ///
    /// Several links may be given clones of one sender: its receivers then take from all of them. Each link
    /// grants its peer a message when a receiver waits, so with fewer receivers than links a message may wait
    /// in a link, its sender unreleased, until a receiver comes round to it.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Self::sender).
    pub fn carry_into<M: Message>(&self, channel: &str, target: Sender<M>) -> Result<(), NetError> {
        self.check(Direction::FromPeer, channel)?;
        self.hold_sender(channel, || Local::new(target))
    }

    /// Opens the wire channel to receive for a local end, which is made if the channel can be opened.
    pub(super) fn hold_sender<M: Message>(
        &self,
        wire: &str,
        local: impl FnOnce() -> Local<Sender<M>>,
    ) -> Result<(), NetError> {
        let shared = &self.0.shared;
        shared.open_in(wire, type_of::<M>(), |key| {
            pump::inbound(Arc::clone(shared), key, local())
        })
    }

    /// The last message that could not be encoded or decoded on this side, in words. Its sender has it back.
    #[must_use]
    pub fn last_unreadable(&self) -> Option<String> {
        self.0.shared.with(|core| core.unreadable.clone())
    }

    /// Whether this side's rules allow the peer to use `channel`.
    pub(super) fn check(&self, direction: Direction, channel: &str) -> Result<(), NetError> {
        if self.0.shared.gate.allows(direction, channel) {
            return Ok(());
        }
        Err(NetError::NotAllowed {
            peer: self.0.peer.name.clone(),
            direction,
            channel: channel.to_owned(),
        })
    }

    /// Waits until the link has ended, and says why.
    ///
    /// By then every message under way has its outcome, and the local ends are disconnected.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on anything.
    pub async fn closed(&self) -> LinkEnd {
        let mut end = self.0.shared.end();
        let result = end.wait_for(Option::is_some).await.map(|end| end.clone());
        result.ok().flatten().unwrap_or(LinkEnd::Aborted)
    }

    /// Why the link has ended, or is about to; `None` while it has not.
    pub(super) fn has_ended(&self) -> Option<LinkEnd> {
        self.0.shared.with(|core| core.parting.clone())
    }

    /// Ends the link in good order, and waits for the end.
    ///
    /// What was taken is confirmed, then the peer is told `goodbye`. Messages that had not left in whole fail
    /// with [`SendError::Returned`](crate::channel::SendError::Returned). For others the peer's word is waited
    /// for, for at most [`Config::close_timeout`].
    ///
    /// # Cancel safety
    ///
    /// Once polled, the link ends whether or not the future is dropped.
    pub async fn close(&self, goodbye: Goodbye) {
        self.0.shared.order(|orders| orders.close = Some(goodbye));
        self.closed().await;
    }

    /// Ends the link at once, without a word to the peer. A peer that would [go on](Config::reconnect) on another
    /// connection learns of it when it has made one, or when its lease is over: so a dialer at once, while the listener
    /// accepts, and a listener when nobody has come for a lease. [`close`](Self::close) tells it.
    pub fn abort(&self) {
        self.0.shared.order(|orders| orders.abort = true);
    }

    /// How much has crossed the link so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.0.shared.with(|core| core.wire.counters())
    }
}

/// So that the function does not hide behind the parameter `channel`.
fn channel_pair<M>() -> (Sender<M>, Receiver<M>) {
    channel()
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("peer", self.peer())
            .finish_non_exhaustive()
    }
}
