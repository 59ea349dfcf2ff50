//! Where the next connection of a session comes from, when the one before has broken.
//!
//! A dialer makes it, again and again with longer and longer pauses, until the session's lease is over. A listener is
//! brought it by whoever accepts connections: the handshake of a new connection that names a session is looked up here,
//! and the connection is laid at the door of that session's driver.
//!
//! # Invariants
//!
//! - A connection is given only to a session that was begun by the same peer, as far as a certificate tells.
//! - At most one connection lies at a door: a newer one takes the place of an older one, which is closed.

use std::{
    collections::HashMap,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    admission::Place,
    config::Config,
    end::NetError,
    handshake::connect,
    identity,
    shared::Shared,
    tls::{PeerIdentity, Stream},
};
use crate::{
    sync::Mutex,
    wire::{Link as WireLink, Resumption},
};

/// The first pause is at most this; each following one at most twice the one before.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// No pause is longer, for then somebody waits in vain; and none is longer than a quarter of the lease.
const PAUSE_MAX: Duration = Duration::from_secs(5);

pub(super) enum Road {
    /// The session ends with its connection.
    None,
    Dialer(Dialer),
    Listener(Entry),
}

/// The next connection, when it is made.
pub(super) type Dialing = Pin<Box<dyn Future<Output = Result<Stream, NetError>> + Send>>;

pub(super) struct Dialer {
    to: Arc<Destination>,
    attempts: u32,
}

struct Destination {
    addresses: Box<[SocketAddr]>,
    config: Config,
    /// Who the peer was at first.
    identity: PeerIdentity,
}

impl Dialer {
    pub(super) fn new(addresses: Vec<SocketAddr>, config: Config, identity: PeerIdentity) -> Self {
        let to = Destination {
            addresses: addresses.into(),
            config,
            identity,
        };
        Self {
            to: Arc::new(to),
            attempts: 0,
        }
    }

    /// A connection is there, and the session goes on.
    pub(super) fn arrived(&mut self) {
        self.attempts = 0;
    }

    /// Makes a connection, after a pause unless it is the first attempt.
    pub(super) fn dial(&mut self) -> Dialing {
        let pause = pause(self.attempts, self.to.config.lease, identity::fraction());
        self.attempts = self.attempts.saturating_add(1);
        let to = Arc::clone(&self.to);
        Box::pin(async move {
            tokio::time::sleep(pause).await;
            let deadline = tokio::time::Instant::now() + to.config.handshake_timeout;
            let (stream, (_, identity)) = connect(&to.addresses, &to.config, deadline).await?;
            if identity != to.identity {
                return Err(NetError::AnotherPeer);
            }
            Ok(stream)
        })
    }
}

/// The pause before an attempt: none before the first, then a random part of what doubles each time, so that those who
/// lost their connections together do not come back together.
fn pause(attempts: u32, lease: Duration, fraction: f64) -> Duration {
    let Some(doublings) = attempts.checked_sub(1) else {
        return Duration::ZERO;
    };
    let longest = PAUSE_MIN.saturating_mul(1 << doublings.min(16));
    let longest = longest.min(PAUSE_MAX).min(lease / 4);
    longest.mul_f64(fraction)
}

/// The sessions of one listener that may go on on another connection.
#[derive(Default)]
pub(super) struct Registry {
    sessions: Mutex<HashMap<u128, Known>>,
    /// Nobody accepts connections any more, so no session goes on.
    is_shut: AtomicBool,
}

/// A registry whose listener is there, or a handshake of it. When the last of them goes the registry is shut.
#[derive(Default)]
pub(super) struct Reception(Arc<Registry>);

impl Reception {
    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.0
    }
}

impl Drop for Reception {
    fn drop(&mut self) {
        // Whoever does not see it yet waits for its lease, as if the listener were there.
        self.0.is_shut.store(true, Ordering::Relaxed);
    }
}

struct Known {
    session: Weak<Shared>,
    identity: PeerIdentity,
}

impl Registry {
    /// Makes a session known. Without an effect if another is known by its number, which then is no random one.
    pub(super) fn enter(
        self: &Arc<Self>,
        number: u128,
        session: &Arc<Shared>,
        identity: PeerIdentity,
    ) -> Road {
        let known = Known {
            session: Arc::downgrade(session),
            identity,
        };
        let mut sessions = self.sessions.lock();
        let old = match sessions.entry(number) {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(known);
                None
            }
            std::collections::hash_map::Entry::Occupied(_) => Some(known),
        };
        let is_new = old.is_none();
        drop(sessions);
        drop(old);
        if is_new {
            Road::Listener(Entry {
                registry: Arc::clone(self),
                number,
            })
        } else {
            Road::None
        }
    }

    /// How many sessions are known.
    pub(super) fn count(&self) -> usize {
        self.sessions.lock().len()
    }

    /// The session that a peer wants to go on with, if it began it.
    pub(super) fn find(&self, wanted: Resumption, identity: &PeerIdentity) -> Option<Arc<Shared>> {
        let sessions = self.sessions.lock();
        let known = sessions.get(&wanted.session)?;
        (known.identity == *identity)
            .then(|| known.session.upgrade())
            .flatten()
    }
}

/// A session's entry in its listener's registry.
pub(super) struct Entry {
    registry: Arc<Registry>,
    number: u128,
}

impl Entry {
    /// How many sessions the listener knows; more than any number if it has gone.
    pub(super) fn crowd(&self) -> usize {
        if self.registry.is_shut.load(Ordering::Relaxed) {
            return usize::MAX;
        }
        self.registry.count()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let known = self.registry.sessions.lock().remove(&self.number);
        drop(known);
    }
}

/// A connection whose peer wants to go on with a session, at the door of its driver.
pub(super) struct AtTheDoor {
    pub(super) wire: WireLink,
    pub(super) stream: Stream,
    pub(super) place: Option<Place>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let lease = Duration::from_mins(1);
        let longest = |attempts| pause(attempts, lease, 1.0);
        assert_eq!(longest(0), Duration::ZERO);
        assert_eq!(longest(1), PAUSE_MIN);
        assert_eq!(longest(2), PAUSE_MIN * 2);
        assert_eq!(longest(3), PAUSE_MIN * 4);
        assert_eq!(longest(40), PAUSE_MAX);
        assert_eq!(longest(u32::MAX), PAUSE_MAX);
        assert_eq!(
            pause(40, Duration::from_millis(400), 1.0),
            Duration::from_millis(100)
        );
        assert_eq!(pause(2, lease, 0.5), PAUSE_MIN);
    }
}
