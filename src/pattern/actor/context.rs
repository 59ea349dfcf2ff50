//! What an actor has at hand while it works: its ports, its place in the network, and addresses that it was sent.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    marker::PhantomData,
    ops::Deref,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::Actor;
use crate::{
    process::{Here, Mobile, Parcel, Ports},
    sync::{Arc, Mutex},
};

/// What an actor has at hand while it works.
pub struct Context<'a, A: Actor> {
    ports: &'a <A::Ports as Ports>::Async,
    here: &'a Here,
    is_stopping: AtomicBool,
    /// Ports that it keeps, by the numbers of their keys.
    kept: Mutex<HashMap<u64, Arc<dyn Any + Send + Sync>>>,
    keys: AtomicU64,
}

impl<'a, A: Actor> Context<'a, A> {
    pub(super) fn new(ports: &'a <A::Ports as Ports>::Async, here: &'a Here) -> Self {
        Self {
            ports,
            here,
            is_stopping: AtomicBool::new(false),
            kept: Mutex::new(HashMap::new()),
            keys: AtomicU64::new(0),
        }
    }

    /// The ports that the actor was declared with: addresses of other actors, channels.
    #[must_use]
    pub fn ports(&self) -> &'a <A::Ports as Ports>::Async {
        self.ports
    }

    /// Its place in the network, to adopt ends and start processes.
    #[must_use]
    pub fn here(&self) -> &'a Here {
        self.here
    }

    /// The actor's full name.
    #[must_use]
    pub fn name(&self) -> String {
        self.here.name()
    }

    /// Has the actor stop when it has finished with the message in hand.
    pub fn stop(&self) {
        // Only the actor's own process looks at it.
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Takes up a port that came in a message, for more than this message: what is returned is put into the actor, and
    /// [`kept`](Self::kept) makes the port of it again. The port itself cannot leave the actor's process.
    ///
    /// Kept until it is [let go](Self::let_go), or the actor restarts or ends.
    ///
    /// # Panics
    ///
    /// If the parcel is one of another network.
    pub fn keep<P>(&self, parcel: Parcel<P>) -> Kept<P>
    where
        P: Mobile + Send + Sync + 'static,
    {
        // Numbers need only differ.
        let key = self.keys.fetch_add(1, Ordering::Relaxed);
        let port: Arc<P> = Arc::new(self.here.settle(parcel));
        self.kept.lock().insert(key, port);
        Kept {
            key,
            _port: PhantomData,
        }
    }

    /// A port that is kept; `None` if it was let go, or the actor has restarted since.
    #[must_use]
    pub fn kept<P: Send + Sync + 'static>(&self, kept: &Kept<P>) -> Option<KeptPort<'_, P>> {
        let port = self.kept.lock().get(&kept.key).cloned()?;
        let port = port.downcast().ok()?;
        Some(KeptPort {
            port,
            _context: PhantomData,
        })
    }

    /// Gives a port up that was kept.
    pub fn let_go<P>(&self, kept: &Kept<P>) {
        let port = self.kept.lock().remove(&kept.key);
        // Not under the lock: the last end of a channel drops what is in it.
        drop(port);
    }

    /// Gives all ports up that were kept.
    pub(super) fn forget(&self) {
        let kept = std::mem::take(&mut *self.kept.lock());
        drop(kept);
    }
}

impl<A: Actor> fmt::Debug for Context<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// The key to a port that an actor keeps; see [`Context::keep`]. It opens nothing in another actor.
pub struct Kept<P> {
    key: u64,
    _port: PhantomData<fn() -> P>,
}

impl<P> fmt::Debug for Kept<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kept").field(&self.key).finish()
    }
}

/// A port that an actor keeps, while it uses it.
pub struct KeptPort<'a, P> {
    port: Arc<P>,
    _context: PhantomData<&'a ()>,
}

impl<P> Deref for KeptPort<'_, P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.port
    }
}

impl<P> fmt::Debug for KeptPort<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptPort").finish_non_exhaustive()
    }
}
