//! Credit and closing, while the lock of the channel is held.

use super::{
    claim::claim_first,
    error::Reason,
    list::List,
    party::{Party, ToWake},
    state::{Locked, Poisoned},
    waiter::Wake,
};

impl<T> Locked<'_, T> {
    #[cold]
    pub(super) fn take_from_credit(&mut self) -> Option<(T, Option<Wake>)> {
        let message = self.state.credit.take()?;
        self.publish_senders();
        Some((message, None))
    }

    #[cold]
    pub(super) fn leave_in_slot(&mut self, message: T, me: Option<&Party>) -> Option<Wake> {
        self.state.credit.put(message);
        self.state.handed_over += 1;
        #[cfg(not(loom))]
        if crate::sync::schedule::is_rehearsed() {
            self.note_hand_over(None);
        }
        self.publish_senders();
        ToWake::flatten(self.notify_poller(me))
    }

    /// Ends the custody of a message that was sent within credit: its holder keeps it.
    pub(super) fn keep_from_credit(&mut self) {
        self.state.credit.release();
    }

    /// Ends the custody of a message that was sent within credit: the next receiver gets it.
    pub(super) fn put_back(&mut self, message: T) -> Option<Wake> {
        if self.state.closed_to_senders().is_some() {
            self.state.credit.put_back(message);
            return None;
        }
        match self.give_to_taker(message, None) {
            Ok(wake) => {
                self.state.credit.release();
                // It had changed hands before.
                self.state.handed_over -= 1;
                wake
            }
            Err(message) => {
                self.state.credit.put_back(message);
                self.publish_senders();
                ToWake::flatten(self.notify_poller(None))
            }
        }
    }

    /// Allows `n` sends ahead of the take.
    pub(super) fn grant(&mut self, n: usize) {
        self.state.credit.grant(n);
        self.state.see_whether_plain();
    }

    pub(super) fn revoke(&mut self, n: usize) -> usize {
        self.state.credit.revoke(n)
    }

    /// Completes the send of the sender that waited longest, if there is credit for it. Whoever was woken for it
    /// will find its message in a slot.
    pub(super) fn complete_within_credit(&mut self) -> Option<ToWake> {
        if !self.state.credit.is_unused() {
            return None;
        }
        // SAFETY: the lock is held.
        let claimed = unsafe { claim_first(&mut self.state.senders, None) };
        let completed = claimed.map(|(sender, wake)| {
            let wake = wake.map(Wake::carry);
            let message = self.complete(sender);
            self.state.credit.put(message);
            ToWake(wake)
        });
        // Only now: the message was there all the time, so whoever looks without the lock sees it.
        self.publish_senders();
        completed
    }

    /// Takes a message that was sent within credit and that no receiver is left for.
    pub(super) fn drain(&mut self) -> Option<T> {
        self.state.credit.drain()
    }

    // ---- Closing ----

    /// Poisons the channel, unless that was done before; returns whether it was not. Those who wait must be woken
    /// then.
    pub(super) fn poison(&mut self, reason: Reason) -> Result<(), Reason> {
        if self.state.poison.is_some() {
            return Err(reason);
        }
        let state = &mut *self.state;
        // They are told one by one, outside the lock; no receiver may come between.
        let refused = std::mem::replace(&mut state.senders, List::new());
        state.poison = Some(Box::new(Poisoned { reason, refused }));
        state.see_whether_plain();
        self.close_credit();
        Ok(())
    }

    /// After the last receiver has gone, or the channel was poisoned.
    pub(super) fn close_credit(&mut self) {
        self.state.credit.close();
        self.publish_senders();
    }
}
