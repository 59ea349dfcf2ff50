//! The request to end what runs, at once.

use std::cell::Cell;

use tokio::sync::Notify;

/// Asked once, and from then on always.
#[derive(Debug, Default)]
pub struct Stop {
    asked: Cell<bool>,
    changed: Notify,
}

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.asked.set(true);
        self.changed.notify_waiters();
    }

    /// Whether it was asked.
    pub fn is_asked(&self) -> bool {
        self.asked.get()
    }

    /// Waits until it was asked.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn asked(&self) {
        let changed = self.changed.notified();
        if !self.asked.get() {
            changed.await;
        }
    }
}
