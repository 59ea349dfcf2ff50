//! What an actor counts: messages, restarts, replies that nobody heard.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::sync::{Arc, Mutex};

/// What one actor counts. Its process alone writes; whoever looks sees numbers that were true a moment ago.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    /// Its full name, once it runs.
    name: Mutex<String>,
    handled: AtomicU64,
    failed: AtomicU64,
    restarts: AtomicU64,
    unheard: AtomicU64,
}

/// Adds to a number that nobody else writes.
fn count(number: &AtomicU64) {
    // Each number stands for itself, so nothing has to be seen in an order.
    number.store(number.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

impl Gauge {
    pub(super) fn named(name: &str) -> Arc<Self> {
        let gauge = Self::default();
        name.clone_into(&mut gauge.name.lock());
        Arc::new(gauge)
    }

    pub(super) fn rename(&self, name: String) {
        *self.name.lock() = name;
    }

    pub(super) fn handled(&self) {
        count(&self.handled);
    }

    pub(super) fn failed(&self) {
        count(&self.failed);
    }

    pub(super) fn restarted(&self) {
        count(&self.restarts);
    }

    pub(super) fn unheard(&self) {
        count(&self.unheard);
    }

    pub(super) fn read(&self) -> ActorReport {
        let number = |number: &AtomicU64| number.load(Ordering::Relaxed);
        ActorReport {
            actor: self.name.lock().clone(),
            handled: number(&self.handled),
            failed: number(&self.failed),
            restarts: number(&self.restarts),
            unheard: number(&self.unheard),
        }
    }
}

/// A look at what an actor counts, from any thread and at any time, also after its end; made by
/// [`DeclaredActor::watch`](super::DeclaredActor::watch) and [`NewActor::watch`](super::NewActor::watch).
#[derive(Debug, Clone)]
pub struct ActorWatch(pub(super) Arc<Gauge>);

impl ActorWatch {
    /// What it has counted by now.
    #[must_use]
    pub fn report(&self) -> ActorReport {
        self.0.read()
    }
}

/// What an actor has done by now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ActorReport {
    /// The actor, by its name; its full one once it runs.
    pub actor: String,
    /// Messages that it has handled well.
    pub handled: u64,
    /// How often it has failed.
    pub failed: u64,
    /// How often it was made anew.
    pub restarts: u64,
    /// Replies for which nobody waited any more: whoever asked has timed out, or gone.
    pub unheard: u64,
}

impl fmt::Display for ActorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            actor,
            handled,
            failed,
            restarts,
            unheard,
        } = self;
        write!(
            f,
            "{actor}: {handled} handled, {failed} failed, {restarts} restarts, {unheard} unheard"
        )
    }
}
