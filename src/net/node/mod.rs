//! Nodes: programs whose waits can be asked for over a link, and what is made of the answers of several.
//!
//! # Invariants
//!
//! - Nobody is told anything over a link that no node has [joined](Node::join).
//! - While nobody asks, nothing is looked at; while many ask, there is one look at a time, and it rests between two.

mod answer;
mod cut;
mod look;
mod system;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

pub(super) use self::look::Window;
pub use self::{
    look::look,
    system::{NodeSeen, System},
};
use super::{config::fitting_name, end::NetError, identity, link::Link, waits::Waits};
use crate::{
    process::{Deadlock, Network, Observer, Snapshot},
    wire::OpenError,
};

/// The channel on which a node gives snapshots.
pub(super) const SNAPSHOT: &str = "$snapshot";

/// A network of this program as a part of a larger system: peers on the links that it has joined can ask who waits for
/// whom in it.
///
/// With the snapshots of all nodes, [`System`] is the picture of the whole: who waits for whom, on whichever machine. The
/// command `handover graph` draws it. A clone is a handle of the same node.
///
/// ```
/// use std::time::Duration;
/// use handover::net::{self, Config, Listener, Node, System};
/// use handover::process::Network;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let net = Network::new("orders");
/// let node = Node::new("kitchen", &net);
/// let listener = Listener::bind("127.0.0.1:0", Config::default()).await?;
/// let address = listener.local_addr()?;
/// let listening = tokio::spawn(async move {
///     while let Ok(incoming) = listener.accept().await {
///         if let Ok(link) = incoming.handshake().await {
///             node.join(&link)?; // whoever comes may look
///         }
///     }
///     Ok::<_, net::NetError>(())
/// });
///
/// // Another program:
/// let link = net::dial(address, Config::default()).await?;
/// let seen = net::look(&link, Duration::from_secs(5)).await?;
/// assert_eq!((&*seen.node, &*seen.snapshot.network), ("kitchen", "orders"));
/// println!("{}", System::of(vec![seen]));
/// # listening.abort();
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
///
/// # What it reveals, and to whom
///
/// A snapshot has the names of processes, channels and peers, and the source lines at which processes wait: never a
/// message. To join a link is the permission: the peer at its other end may look, for as long as the link lasts, and the
/// rules of [`Config::access`](super::Config::access) are not asked. So join the links of peers that may know this; see
/// [`Link::peer`]. What nodes tell each other of waits that cross links, below, comes to all nodes that can be reached.
///
/// # Deadlocks through several machines
///
/// Nodes that have joined the two ends of a link tell each other which of their processes wait for what may come over
/// links, and pass on what others tell. A deadlock through any number of them is found by each node that is in it, within
/// a second and four round trips, with the same cycle at each, and with the names of processes as `clerk at kitchen`. Who
/// hears late may know of more processes that wait because of it. The run ends with it as with any other
/// ([`OnDeadlock`](crate::process::OnDeadlock)), when all nodes that are in it know.
///
/// It is one only if every end of every channel in it is known. So each node that is in it, or passes it on, must have
/// joined its links, and a channel of a [`Hub`](super::Hub) must be [closed](super::Hub::close) to new ends. That a link may
/// break, or be closed, releases nobody: no message changes hands by it. Of a peer's word nothing can be proved: join the
/// links of peers that you trust with that.
///
/// # What it costs
///
/// A node that has joined a link looks at its own network ten times a second, as its watch does, for a fiftieth of a
/// processor at most; links are used only while processes wait for each other across them, and then for what has changed.
///
/// Of who looks with [`look()`] it knows nothing until somebody does. A look locks each channel for a moment, on a thread for
/// blocking work; there is one at a time for all who ask, and after it the node rests for ten times as long as it took, and
/// 50 ms at least.
#[derive(Clone)]
pub struct Node(Arc<Inner>);

struct Inner {
    name: String,
    observer: Observer,
    waits: Arc<Waits>,
    rest: answer::Rest,
}

/// What a node says of itself at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeSnapshot {
    /// The node, by the name that it gives itself.
    pub node: String,
    /// The number of its program's run: two snapshots with the same one are of the same process of the operating system.
    #[serde(with = "hexadecimal")]
    pub incarnation: u64,
    /// Its network.
    pub snapshot: Snapshot,
    /// The deadlock that passes through this node and others, with the same cycle at each of them.
    #[serde(default)]
    pub abroad: Option<Deadlock>,
    /// How many processes were left out, so that the rest fits into a message that the peer accepts.
    #[serde(default)]
    pub processes_left_out: u64,
    /// How many channels were left out.
    #[serde(default)]
    pub channels_left_out: u64,
}

impl Node {
    /// The node of `network`, which may run or not. Of the name at most 128 bytes are used, without control characters.
    #[must_use]
    pub fn new(name: &str, network: &Network) -> Self {
        let name = fitting_name(name);
        Self(Arc::new(Inner {
            waits: Waits::new(name.clone(), network.observe()),
            name,
            observer: network.observe(),
            rest: answer::Rest::default(),
        }))
    }

    /// The name of the node.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Lets the peer of `link` look at this node, with [`look()`] or `handover graph`, from now on until the link ends.
    ///
    /// The link lasts for as long as the node is joined to it: until one of the two sides ends it, even if all other
    /// handles of it are dropped. May be called from any thread.
    ///
    /// # Errors
    ///
    /// [`NetError::Joined`] if a node has joined the link already; otherwise as for
    /// [`Link::sender`](super::Link::sender).
    pub fn join(&self, link: &Link) -> Result<(), NetError> {
        let answers = link.sender_of(SNAPSHOT).map_err(|error| match error {
            NetError::Open(OpenError::InUse(_)) => NetError::Joined(link.peer().name.clone()),
            other => other,
        })?;
        self.0.waits.join(link)?;
        let answering = answer::answer(self.clone(), link.clone(), answers);
        link.runtime().spawn(answering);
        Ok(())
    }

    /// The deadlock through this node and others that was found, with the same cycle at each of them.
    #[must_use]
    pub fn deadlock(&self) -> Option<Deadlock> {
        self.0.waits.deadlock()
    }

    /// What the node looks like now; see [`Observer::snapshot`].
    #[must_use]
    pub fn snapshot(&self) -> NodeSnapshot {
        let mut snapshot = self.0.observer.snapshot();
        let abroad = self.deadlock();
        let abroad = snapshot
            .deadlock
            .take_if(|it| Some(&*it) == abroad.as_ref());
        NodeSnapshot {
            node: self.0.name.clone(),
            incarnation: identity::incarnation(),
            snapshot,
            abroad,
            processes_left_out: 0,
            channels_left_out: 0,
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.0.name)
            .field("network", &self.0.observer.network())
            .finish_non_exhaustive()
    }
}

/// Numbers of 64 bits as text: many languages read a number of JSON as one of 53 bits.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    pub(super) fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{number:016x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let digits = String::deserialize(from)?;
        u64::from_str_radix(&digits, 16).map_err(D::Error::custom)
    }
}
