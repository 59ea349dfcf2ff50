//! Picking whom to wake, while the lock of the channel is held. Whoever is picked is woken outside of it.

use std::ptr::NonNull;

use super::{
    claim::{claim_first, notify},
    list,
    party::{Party, ToWake},
    state::Locked,
    waiter::{Stage, Waiter, Wake},
};

impl<T> Locked<'_, T> {
    /// Picks the poller that waited longest, to be woken for a sender; `me` is the alternation that sends, if it
    /// is one. The inner `None` is an alternation that was woken on another channel already.
    #[inline]
    pub(super) fn notify_poller(&mut self, me: Option<&Party>) -> Option<ToWake> {
        let node = self.state.pollers.first()?;
        // SAFETY: it hangs in our list, so it is alive.
        let poller = unsafe { node.as_ref() };
        // SAFETY: the lock is held.
        let stands_alone = unsafe { poller.shared(|shared| shared.part.is_none()) };
        if !stands_alone {
            return self.notify_first_that_can_be(me);
        }
        // SAFETY: the lock is held.
        unsafe { self.state.pollers.pop_front() };
        // SAFETY: as above.
        let wake = unsafe { poller.shared(|shared| shared.wake.take()) };
        let wake = wake.map(Wake::carry);
        self.is_woken(node);
        Some(ToWake(wake))
    }

    /// As [`notify_poller`](Self::notify_poller), where alternations wait.
    #[cold]
    fn notify_first_that_can_be(&mut self, me: Option<&Party>) -> Option<ToWake> {
        let mut candidate = self.state.pollers.first();
        while let Some(node) = candidate {
            // SAFETY: it hangs in our list, and the lock is held.
            candidate = unsafe { list::next(node) };
            // SAFETY: it hangs in our list, so it is alive.
            let poller = unsafe { node.as_ref() };
            // SAFETY: the lock is held.
            let part = unsafe { poller.shared(|shared| shared.part) };
            if part.is_some_and(|part| part.is_of(me)) {
                continue;
            }
            // SAFETY: as above.
            unsafe { self.state.pollers.remove(node) };
            let notified = match part {
                // SAFETY: the lock is held.
                None => Some(ToWake(unsafe {
                    poller.shared(|shared| shared.wake.take().map(Wake::carry))
                })),
                // SAFETY: the lock is held, and what hung in our list is part of its party.
                Some(part) => unsafe { part.notify() },
            };
            if notified.is_some() {
                self.is_woken(node);
                return notified;
            }
            // It has committed elsewhere, and will find itself off the list when it comes to leave.
            poller.set_stage(Stage::Idle);
        }
        None
    }

    /// `poller`, which was taken off its list, has been woken and has not looked yet.
    #[inline]
    pub(super) fn is_woken(&mut self, poller: NonNull<Waiter<T>>) {
        // SAFETY: in no list now, and it stays pinned: its owner withdraws it from the list it hangs in. The lock
        // is held.
        unsafe { self.state.woken.push_back(poller) };
        // SAFETY: it hangs in our list, so it is alive.
        unsafe { poller.as_ref() }.set_stage(Stage::Notified);
    }

    /// After a woken poller has left without taking: wakes another in its place if there still is a message.
    #[inline]
    pub(super) fn pass_on(&mut self) -> Option<Wake> {
        if self.state.senders.is_empty() && self.state.credit.is_empty() {
            None
        } else {
            ToWake::flatten(self.notify_poller(None))
        }
    }

    pub(super) fn notify_watcher(&mut self) -> Option<ToWake> {
        // SAFETY: the lock is held.
        let watcher = unsafe { self.state.onlookers.as_mut()?.watchers.pop_front() }?;
        self.state.see_whether_plain();
        // SAFETY: it hung in our list; the lock is held.
        Some(unsafe { notify(watcher) })
    }

    /// When the last end of one side goes, only the other side has leavers, and each of them is done: a leaver
    /// borrows an end of its own side. When the channel is poisoned all of them are done.
    pub(super) fn notify_leaver(&mut self) -> Option<ToWake> {
        // SAFETY: the lock is held.
        let leaver = unsafe { self.state.onlookers.as_mut()?.leavers.pop_front() }?;
        // SAFETY: it hung in our list; the lock is held.
        Some(unsafe { notify(leaver) })
    }

    /// Ends the wait of a blocked receiver, if the channel is closed to receivers.
    pub(super) fn dismiss_taker(&mut self) -> Option<ToWake> {
        let stage = self.state.closed_to_receivers()?;
        // SAFETY: the lock is held.
        let (taker, wake) = unsafe { claim_first(&mut self.state.takers, None) }?;
        let wake = wake.map(Wake::carry);
        // SAFETY: it waited in our list, so it is alive until its stage is final; the lock is held.
        unsafe { Waiter::finish(taker, stage) };
        Some(ToWake(wake))
    }

    /// Ends the wait of a sender, if the channel is closed to senders.
    pub(super) fn dismiss_sender(&mut self) -> Option<ToWake> {
        let stage = self.state.closed_to_senders()?;
        // SAFETY: the lock is held.
        let claimed = unsafe { claim_first(self.state.unfinished_senders(), None) };
        self.publish_senders();
        let (sender, wake) = claimed?;
        let wake = wake.map(Wake::carry);
        // SAFETY: it waited in our list, so it is alive until its stage is final; the lock is held.
        unsafe { Waiter::finish(sender, stage) };
        Some(ToWake(wake))
    }
}
