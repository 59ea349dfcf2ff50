//! Poison: closing a channel to both sides at once, with a reason.

use super::{Reason, Receiver, Sender};

impl<T> Sender<T> {
    /// Poisons the channel: closes it to both sides, for good. Returns whether this call did it; the first
    /// reason stays. Does not block.
    ///
    /// Everyone who waits on the channel, on either side, wakes with an error that has `reason` in it, and each
    /// sender has its message back; so do all later operations. A message that was *accepted*
    /// ([`Receiver::recv_held`]) is not touched: its sender is released by its acceptor alone. Messages that were
    /// sent within credit and not taken are for whoever drains the channel
    /// ([`take_remaining`](Self::take_remaining)).
    ///
    /// A whole network ends by poison when each of its processes, on meeting it, poisons its other channels and
    /// ends; it works for networks with cycles, where nobody's last end is ever dropped. (P. H. Welch, *Graceful
    /// Termination, Graceful Resetting*, 1989.)
    ///
    /// ```
    /// use handover::channel::{RecvError, SendError};
    ///
    /// let (tx, rx) = handover::channel();
    /// let blocked = std::thread::spawn({
    ///     let tx = tx.clone();
    ///     move || tx.send("never taken")
    /// });
    /// assert!(tx.poison("shutting down"));
    /// let error = blocked.join().expect("it does not panic").unwrap_err();
    /// assert_eq!(error, SendError::Poisoned("never taken", "shutting down".into()));
    /// assert_eq!(rx.recv(), Err(RecvError::Poisoned("shutting down".into())));
    /// ```
    pub fn poison(&self, reason: impl Into<Reason>) -> bool {
        self.core.poison(reason.into())
    }

    /// Why the channel was poisoned, if it was.
    #[must_use]
    pub fn poison_reason(&self) -> Option<Reason> {
        self.core.reason()
    }
}

impl<T> Receiver<T> {
    /// Poisons the channel; see [`Sender::poison`].
    pub fn poison(&self, reason: impl Into<Reason>) -> bool {
        self.core.poison(reason.into())
    }

    /// Why the channel was poisoned, if it was.
    #[must_use]
    pub fn poison_reason(&self) -> Option<Reason> {
        self.core.reason()
    }
}
