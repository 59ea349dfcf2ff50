//! Granting credit, and getting back what was sent within it.

use std::fmt;

use super::{Outstanding, Receiver, Sender, core::Core};
use crate::sync::Arc;

impl<T> Receiver<T> {
    /// Grants `n` credits: that many sends may complete *ahead of the take*. Sends that wait complete at once, as
    /// far as the credit goes. Does not block.
    ///
    /// This is the only slack that a channel ever has, and the receiver alone gives it. Each credit is used up by
    /// one send; to keep a window open, grant again as messages are taken. A message that was sent within credit
    /// is in a slot of the channel until it is taken, before those of senders that wait; the slots are allocated
    /// here, not by the senders.
    ///
    /// What `Ok` then says to a sender: *taken, or within credit*. It does not say which. A message within credit
    /// is not lost when the receivers go: it comes back to whoever drains the channel, by
    /// [`into_remaining`](Self::into_remaining) or [`Sender::take_remaining`]. It is dropped only with the channel
    /// itself, when nobody holds an end any more.
    ///
    /// ```
    /// let (tx, rx) = handover::channel();
    /// assert!(tx.try_send("early").is_err());
    /// rx.grant(1);
    /// tx.send("early")?; // does not wait: it is within the grant
    /// assert_eq!(rx.outstanding().untaken, 1);
    /// assert_eq!(rx.recv(), Ok("early"));
    /// # Ok::<(), handover::channel::SendError<&str>>(())
    /// ```
    ///
    /// While a message within credit is in custody ([`recv_held`](Self::recv_held)) and every sender has gone, other
    /// receivers hear the end; if it is handed back, later receives take it.
    ///
    /// After the channel was poisoned it does nothing.
    ///
    /// # Panics
    ///
    /// If more than [`CREDIT_MAX`](super::CREDIT_MAX) credits would be outstanding.
    pub fn grant(&self, n: usize) {
        self.core.grant(n);
    }

    /// Takes back up to `n` credits that no send has used, and returns how many those were. Does not block.
    ///
    /// A message that was sent within credit stays in its slot.
    #[expect(clippy::must_use_candidate, reason = "it is called for its effect")]
    pub fn revoke(&self, n: usize) -> usize {
        self.core.lock().revoke(n)
    }

    /// What is outstanding of the credit that was granted on this channel, by whichever of its receivers.
    #[must_use]
    pub fn outstanding(&self) -> Outstanding {
        self.core.lock().state.outstanding()
    }

    /// Drops this receiver, and gives back the messages that were sent within credit and that nobody took.
    ///
    /// While other receivers are left there are none: the messages are theirs. After the channel was poisoned
    /// there are, whoever is left.
    #[must_use = "the messages that nobody took are in it"]
    pub fn into_remaining(self) -> Remaining<T> {
        Remaining {
            core: Arc::clone(&self.core),
        }
    }
}

impl<T> Sender<T> {
    /// How many sends may complete ahead of the take, at this moment.
    #[cfg(feature = "net")]
    pub(crate) fn unused_credit(&self) -> usize {
        self.core.lock().state.outstanding().unused
    }

    /// Whether there is demand at this moment: see [`ready_async`](Self::ready_async).
    #[cfg(feature = "net")]
    pub(crate) fn has_demand(&self) -> bool {
        self.core.lock().a_receiver_waits()
    }

    /// The messages that were sent within credit, by whichever sender, and that no receiver will take: there are
    /// some only after the last receiver has gone, or the channel was poisoned.
    #[must_use = "the messages that nobody took are in it"]
    pub fn take_remaining(&self) -> Remaining<T> {
        Remaining {
            core: Arc::clone(&self.core),
        }
    }
}

/// Takes, oldest first, the messages that were sent within credit to receivers that have gone; see
/// [`Receiver::into_remaining`] and [`Sender::take_remaining`].
///
/// Never blocks. Each message is taken by whoever asks first; what is not taken stays in the channel.
pub struct Remaining<T> {
    core: Arc<Core<T>>,
}

impl<T> Iterator for Remaining<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.core.lock().drain()
    }
}

impl<T> fmt::Debug for Remaining<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remaining").finish_non_exhaustive()
    }
}
