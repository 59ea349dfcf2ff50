//! Who of a link's pumps is to be polled: one bit each, and one waker for the task that polls them.
//!
//! # Invariants
//!
//! - While the driver sleeps no bit is set: whoever sets one wakes it.

use std::{
    sync::Arc,
    task::{Wake, Waker},
};

use crate::{sync::Mutex, wire::ReadySet};

#[derive(Debug, Default)]
pub(super) struct Wakes {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ready: ReadySet,
    /// The driver's task; `None` while it is awake, or was woken.
    sleeper: Option<Waker>,
    /// The driver was asked to look around, and has not.
    called: bool,
    /// The pump that was popped last, and may be being polled; none while the driver sleeps.
    polled: Option<u16>,
}

impl Wakes {
    /// Marks a pump to be polled, and wakes the driver if it sleeps.
    pub(super) fn mark(&self, key: u16) {
        self.change(|state| state.ready.insert(key));
    }

    /// Lets the driver look at the state of the link.
    pub(super) fn call(&self) {
        self.change(|state| state.called = true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let sleeper = {
            let mut state = self.state.lock();
            change(&mut state);
            state.sleeper.take()
        };
        // Outside the lock: a waker is foreign code.
        if let Some(waker) = sleeper {
            waker.wake();
        }
    }

    /// Whether a pump waits: it is not to be polled, nor is it being polled.
    pub(super) fn is_at_rest(&self, key: u16) -> bool {
        let state = self.state.lock();
        !state.ready.contains(key) && state.polled != Some(key)
    }

    /// The next pump to be polled, and whether there is another. The one before has been.
    pub(super) fn pop(&self) -> Option<(u16, bool)> {
        let mut state = self.state.lock();
        state.polled = state.ready.pop_next();
        Some((state.polled?, state.ready.has_any()))
    }

    /// Whether a pump is to be polled.
    pub(super) fn is_any_marked(&self) -> bool {
        self.state.lock().ready.has_any()
    }

    /// Says that the driver is awake: nobody needs to wake it. Returns whether it was called.
    pub(super) fn rise(&self) -> bool {
        let mut state = self.state.lock();
        let old = state.sleeper.take();
        let called = std::mem::take(&mut state.called);
        drop(state);
        drop(old);
        called
    }

    /// Lets the driver sleep until `waker` is woken; if there is something to do first, returns whether it was called.
    pub(super) fn sleep(&self, waker: &Waker) -> Result<(), bool> {
        // Cloned before the lock, for it is foreign code.
        let waker = waker.clone();
        let mut state = self.state.lock();
        if state.called || state.ready.has_any() {
            let called = std::mem::take(&mut state.called);
            drop(state);
            drop(waker);
            return Err(called);
        }
        state.polled = None;
        state.sleeper = Some(waker);
        Ok(())
    }

    /// The waker of one pump.
    pub(super) fn waker(self: &Arc<Self>, key: u16) -> Waker {
        Arc::new(PumpWaker {
            wakes: Arc::clone(self),
            key,
        })
        .into()
    }
}

struct PumpWaker {
    wakes: Arc<Wakes>,
    key: u16,
}

impl Wake for PumpWaker {
    fn wake(self: Arc<Self>) {
        self.wakes.mark(self.key);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.mark(self.key);
    }
}
