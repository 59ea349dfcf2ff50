//! Channels that one node owns and many use.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    convert::Infallible,
    fmt, io,
    sync::Arc,
};

use tokio::task::JoinSet;

use super::{
    access::Direction,
    end::NetError,
    ends::{ENDS, EndAnswer, EndRequest, Outcome, Use, is_shared_name},
    handshake::Listener,
    link::Link,
    message::{Message, type_of},
    pump::Local,
};
use crate::{
    channel::{Receiver, Sender, channel},
    process::{InToken, Network, OutToken, Outside},
    sync::Mutex,
    wire::{MessageType, OpenError},
};

/// The channels that this node owns, and of which it gives ends to peers that ask.
///
/// A channel has one owner, whose memory it is in: all who send and all who receive meet there, wherever they are. Any
/// number of peers may have ends, and processes of this node too. Each message goes to one receiver that waits; nothing
/// is kept at the owner, where a message is in custody only while it crosses from one link to another.
///
/// A peer asks with [`Link::ask_sender`] and [`Link::ask_receiver`], or with [`Link::ask_outlet`] and
/// [`Link::ask_inlet`] for processes of a network. [`Config::access`](super::Config::access) says who may have which: a
/// peer that is to send needs [`FromPeer`](Direction::FromPeer), and one that is to receive [`ToPeer`](Direction::ToPeer).
///
/// ```
/// use handover::net::{self, Config, Hub, Listener};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let hub = Hub::new();
/// let (_, orders) = hub.channel::<bytes::Bytes>("orders")?;
/// let listener = Listener::bind("127.0.0.1:0", Config::default()).await?;
/// let address = listener.local_addr()?;
/// let serving = tokio::spawn(async move { hub.serve(&listener).await });
///
/// // Another machine:
/// let counter = tokio::spawn(async move {
///     let link = net::dial(address, Config::default()).await?;
///     let orders = link.ask_sender::<bytes::Bytes>("orders").await?;
///     orders.send_async("soup".into()).await?; // somebody has it
///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// });
/// assert_eq!(orders.recv_async().await?, "soup");
/// counter.await??;
/// # serving.abort();
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
///
/// # How long it lasts
///
/// A channel is there until [`close`](Self::close) or until the hub is dropped, whoever comes and goes; then its ends
/// close as those of any other. A link that goes on on another connection keeps its ends. A peer that is gone for good
/// gives its ends up: what it had taken it has, what had left for it and was not answered is in doubt for its sender, and
/// what had not left goes to another receiver.
///
/// Poison closes a channel for all, on all machines.
#[derive(Clone, Default)]
pub struct Hub(Arc<Owned>);

#[derive(Default)]
struct Owned {
    channels: Mutex<BTreeMap<String, Arc<dyn Shared>>>,
}

impl Hub {
    /// A hub without channels.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a channel that is shared under `name`, with ends for this node; drop those that are not wanted here.
    ///
    /// # Errors
    ///
    /// [`NetError::Open`] if the hub has a channel of that name, or it is none: 1 to 100 bytes without control characters
    /// and without a `$`.
    pub fn channel<M: Message>(&self, name: &str) -> Result<(Sender<M>, Receiver<M>), NetError> {
        let (sender, receiver) = channel();
        let ends = (sender.clone(), receiver.clone());
        self.add(name, || SharedChannel {
            sender,
            receiver,
            in_network: None,
        })?;
        Ok(ends)
    }

    /// Makes a channel of `network` that is shared under `name`.
    ///
    /// It is open for as long as the hub has it, since anybody may ask for an end: a wait on it is never called a deadlock.
    /// Reports name the peers that hold ends of it. They wait until the network runs.
    ///
    /// # Errors
    ///
    /// As for [`channel`](Self::channel).
    pub fn channel_in<M: Message>(
        &self,
        network: &mut Network,
        name: &str,
    ) -> Result<(OutToken<M>, InToken<M>), NetError> {
        let mut tokens = None;
        self.add(name, || {
            let (out, into) = network.channel::<M>(name);
            tokens = Some((out.share(), into.share()));
            let (sender, sending) = out.take_out_for("the hub", None);
            let (receiver, receiving) = into.take_out_for("the hub", None);
            SharedChannel {
                sender,
                receiver,
                in_network: Some(InNetwork {
                    out,
                    into,
                    _own: [sending, receiving],
                }),
            }
        })?;
        tokens.ok_or(NetError::NoHub)
    }

    fn add<M: Message>(
        &self,
        name: &str,
        make: impl FnOnce() -> SharedChannel<M>,
    ) -> Result<(), NetError> {
        if !is_shared_name(name) {
            return Err(OpenError::BadName(name.to_owned()).into());
        }
        match self.0.channels.lock().entry(name.to_owned()) {
            Entry::Vacant(vacant) => {
                vacant.insert(Arc::new(make()));
                Ok(())
            }
            Entry::Occupied(_) => Err(OpenError::InUse(name.to_owned()).into()),
        }
    }

    /// Gives up the hub's own ends of a channel: nobody gets an end any more, and it ends when those that were given out
    /// are dropped. Returns whether there was one.
    #[expect(clippy::must_use_candidate, reason = "it is called for its effect")]
    pub fn close(&self, name: &str) -> bool {
        let closed = self.0.channels.lock().remove(name);
        // Outside the lock: dropping ends wakes others.
        closed.is_some()
    }

    /// Accepts the connections of `listener`, and gives their peers the ends that they ask for.
    ///
    /// # Errors
    ///
    /// When a connection cannot be accepted: see [`Listener::accept`]. It may be called again.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it gives no further ends; those that were given stay, and handshakes under way are broken off.
    pub async fn serve(&self, listener: &Listener) -> io::Result<Infallible> {
        let mut links = JoinSet::new();
        loop {
            let incoming = listener.accept().await?;
            // Of those that are over nothing is kept.
            while links.try_join_next().is_some() {}
            let hub = self.clone();
            links.spawn(async move {
                // Whom it concerns has been told what went wrong.
                if let Ok(link) = incoming.handshake().await {
                    let _ = hub.attend(&link).await;
                }
            });
        }
    }

    /// Gives the peer of a link the ends that it asks for, until it asks no more.
    ///
    /// # Errors
    ///
    /// [`NetError`] if somebody attends to the link already, or it has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it gives no further ends; those that were given stay.
    pub async fn attend(&self, link: &Link) -> Result<(), NetError> {
        let requests: Receiver<EndRequest> = link.receiver_of(ENDS)?;
        let answers: Sender<EndAnswer> = link.sender_of(ENDS)?;
        while let Ok(request) = requests.recv_async().await {
            let answer = EndAnswer {
                number: request.number,
                outcome: self.give(link, &request),
            };
            if answers.send_async(answer).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    fn give(&self, link: &Link, request: &EndRequest) -> Outcome {
        let name = request.channel.as_str();
        let direction = match request.to {
            Use::Send => Direction::FromPeer,
            Use::Receive => Direction::ToPeer,
        };
        // First: whoever may not have an end is not told either whether there is such a channel.
        if link.check(direction, name).is_err() {
            return Outcome::NotAllowed;
        }
        let shared = self.0.channels.lock().get(name).map(Arc::clone);
        let Some(shared) = shared else {
            return Outcome::NotShared;
        };
        let own = shared.message_type();
        if own != request.message_type() {
            return Outcome::Mismatch {
                type_name: own.name,
                type_version: own.version,
            };
        }
        let wire = request.wire_name();
        let given = match request.to {
            Use::Send => shared.take_from(link, &wire),
            Use::Receive => shared.give_to(link, &wire),
        };
        match given {
            Ok(()) => Outcome::Given,
            Err(error) => Outcome::NotGiven(error.to_string()),
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.channels.lock().keys().cloned().collect();
        f.debug_struct("Hub").field("channels", &names).finish()
    }
}

/// A channel that is shared, whatever its messages are.
trait Shared: Send + Sync {
    fn message_type(&self) -> MessageType;
    /// Lets the peer send on it.
    fn take_from(&self, link: &Link, wire: &str) -> Result<(), NetError>;
    /// Lets the peer receive on it.
    fn give_to(&self, link: &Link, wire: &str) -> Result<(), NetError>;
}

struct SharedChannel<M> {
    /// These keep it open while nobody has an end.
    sender: Sender<M>,
    receiver: Receiver<M>,
    in_network: Option<InNetwork<M>>,
}

struct InNetwork<M> {
    out: OutToken<M>,
    into: InToken<M>,
    /// Of the hub's own ends, and dropped after them.
    _own: [Outside; 2],
}

impl<M: Message> Shared for SharedChannel<M> {
    fn message_type(&self) -> MessageType {
        type_of::<M>()
    }

    fn take_from(&self, link: &Link, wire: &str) -> Result<(), NetError> {
        link.hold_sender(wire, || {
            let (end, outside) = match &self.in_network {
                Some(here) => {
                    let (end, outside) = here
                        .out
                        .take_out_for(&link.holder(), Some(link.crossing(wire, false)));
                    (end, Some(outside))
                }
                None => (self.sender.clone(), None),
            };
            Local::new(end).outside(outside).shared()
        })
    }

    fn give_to(&self, link: &Link, wire: &str) -> Result<(), NetError> {
        link.hold_receiver(wire, || {
            let (end, outside) = match &self.in_network {
                Some(here) => {
                    let (end, outside) = here
                        .into
                        .take_out_for(&link.holder(), Some(link.crossing(wire, true)));
                    (end, Some(outside))
                }
                None => (self.receiver.clone(), None),
            };
            Local::new(end).outside(outside).shared()
        })
    }
}
