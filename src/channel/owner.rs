//! The straight way of a rendezvous between two processes of which one thread runs both, and owns the channel.
//!
//! Nobody else is inside, so what the long way does in case somebody is can be left out. What happens is the same: a
//! sender whose partner waits *offers* its message and runs the partner in the middle of its own turn; the partner's
//! poll takes the message, if it comes to it.
//!
//! # Invariants
//!
//! - While a message is offered, no sender hangs in the list of those who wait, no poller is woken and has not looked,
//!   and the poller for which it is offered is the first of its list.
//! - Whoever [locks](Core::lock) the channel turns the offer into a wait first: the sender hangs in its list then, and
//!   that poller counts as woken. So only the functions of this file ever see one.
//! - What cannot be done here without foreign code, a poison or a credit is left to the long way, before anything was
//!   changed.

use std::{
    pin::Pin,
    ptr::NonNull,
    task::{Context, Poll},
};

use super::{
    core::Core,
    error::RecvError,
    sending::Step,
    state::{Locked, State},
    waiter::{Stage, Waiter},
};
use crate::sync::{Ordering, home::Within, owned::OwnerGuard, wake::lending};

impl<T> State<T> {
    /// The task of `poller`, if this thread may run it at once.
    ///
    /// # Safety
    ///
    /// It hangs in a list of ours; the lock is held.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a few comparisons")]
    unsafe fn partner<'a>(poller: NonNull<Waiter<T>>) -> Option<Within<'a>> {
        // SAFETY: it hangs in our list, so it is alive.
        let poller = unsafe { poller.as_ref() };
        // SAFETY: the lock is held.
        let lender = unsafe {
            poller.shared(|shared| match (&shared.wake, shared.part) {
                (Some(wake), None) => wake.lender(),
                _ => None,
            })
        };
        // SAFETY: what has a waiter that hangs with a lent handle is alive.
        unsafe { Within::new(lender?) }
    }
}

impl<T> Core<T> {
    /// The first poll of a send; `None` leaves it to the long way.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "one call fewer for each turn within a turn"
    )]
    pub(super) fn begin_send_as_owner(
        &self,
        waiter: Pin<&Waiter<T>>,
        context: &Context<'_>,
    ) -> Option<Step> {
        let mut state = self.state.lock_as_owner()?;
        let is_alone = state.takers.is_empty()
            && state.senders.is_empty()
            && state.woken.is_empty()
            && state.offered.is_none();
        if !is_alone || !state.is_plain {
            return None;
        }
        let node = NonNull::from(waiter.get_ref());
        let Some(poller) = state.pollers.first() else {
            let wake = lending(context)?;
            // SAFETY: idle, the caller's, in no list yet, and pinned; whoever unpins it withdraws it first. The lock is held.
            unsafe { state.senders.push_first_time(node, wake) };
            self.a_sender_waits.store(true, Ordering::Relaxed);
            return Some(Step::Waits);
        };
        // SAFETY: it hangs there, and the lock is held.
        let partner = unsafe { State::partner(poller) }?;
        state.offered = Some(node);
        drop(state);
        // SAFETY: it may, just now.
        unsafe { partner.run() };
        if waiter.is(Stage::Met) {
            waiter.set_stage(Stage::Spent);
            return Some(Step::Sent);
        }
        Some(self.continue_send(waiter, context))
    }

    /// The first poll of a receive; `None` leaves it to the long way.
    #[inline(never)]
    pub(super) fn begin_recv_as_owner(
        &self,
        waiter: Pin<&Waiter<T>>,
        context: &Context<'_>,
    ) -> Option<Poll<Result<T, RecvError>>> {
        let task = lending(context)?;
        let mut state = self.state.lock_as_owner()?;
        if state.offered.is_some() || !state.is_plain {
            return None;
        }
        if let Some(sender) = state.senders.first() {
            return self.take_from(state, sender, waiter);
        }
        let node = NonNull::from(waiter.get_ref());
        // SAFETY: idle, the caller's, in no list yet, and pinned; whoever unpins it withdraws it first. The lock is held.
        unsafe { state.pollers.push_first_time(node, task) };
        Some(Poll::Pending)
    }

    /// The first poll of a receive, where `sender` is the first of those who wait.
    #[inline(never)]
    fn take_from(
        &self,
        mut state: OwnerGuard<'_, State<T>>,
        sender: NonNull<Waiter<T>>,
        waiter: Pin<&Waiter<T>>,
    ) -> Option<Poll<Result<T, RecvError>>> {
        // SAFETY: it hangs in our list, so it is alive.
        let waiting = unsafe { sender.as_ref() };
        // SAFETY: the lock is held.
        let wake = unsafe {
            waiting.shared(|shared| {
                if shared.part.is_some() {
                    return None;
                }
                shared.wake.take_if(|wake| wake.lender().is_some())
            })
        }?;
        // SAFETY: the lock is held.
        unsafe { state.senders.pop_front() };
        self.a_sender_waits
            .store(!state.senders.is_empty(), Ordering::Relaxed);
        let wake = wake.carry();
        // SAFETY: it hung in our list, and the lock is held.
        let message = unsafe { state.complete(sender) };
        drop(state);
        waiter.set_stage(Stage::Spent);
        wake.wake();
        Some(Poll::Ready(Ok(message)))
    }

    /// A later poll of a receive that waits: takes what is offered.
    #[inline(never)]
    pub(super) fn take_offer(&self, waiter: Pin<&Waiter<T>>) -> Option<T> {
        if !waiter.is(Stage::Waiting) {
            return None;
        }
        // Then its handle is lent, and nothing has to be done to be rid of it.
        // SAFETY: whoever polls it owns it.
        let lender = unsafe { waiter.counts_for_who_runs() }?;
        let mut state = self.state.lock_as_owner()?;
        let sender = state.offered.take()?;
        // SAFETY: a receive that waits hangs in this list; the lock is held.
        unsafe { state.pollers.remove(NonNull::from(waiter.get_ref())) };
        // SAFETY: it is offered, so it is alive; the lock is held.
        let message = unsafe { state.complete(sender) };
        drop(state);
        // SAFETY: as above; it hangs in no list any more.
        unsafe { waiter.spend_counted(lender) };
        Some(message)
    }
}

impl<T> Locked<'_, T> {
    /// The task of the poller that waited longest, if this thread may run it at once.
    pub(super) fn partner<'b>(&self) -> Option<Within<'b>> {
        let poller = self.state.pollers.first()?;
        // SAFETY: it hangs there, and the lock is held.
        unsafe { State::partner(poller) }
    }

    /// The sender that offers its message hangs among those who wait, and the poller for which it is offered counts as
    /// woken: it is having its turn, or has had it.
    #[cold]
    pub(super) fn turn_offer_into_wait(&mut self) {
        let Some(node) = self.state.offered.take() else {
            return;
        };
        // SAFETY: it is offered, so it is alive.
        let sender = unsafe { node.as_ref() };
        // SAFETY: idle; its owner leaves it alone while its partner has its turn.
        unsafe { sender.begin_unheard() };
        sender.set_stage(Stage::Waiting);
        // SAFETY: in no list, and pinned; whoever unpins it withdraws it first. The lock is held.
        unsafe { self.state.senders.push_front(node) };
        self.publish_senders();
        // SAFETY: the lock is held.
        if let Some(poller) = unsafe { self.state.pollers.pop_front() } {
            // SAFETY: it hung in our list, so it is alive.
            let woken = unsafe { poller.as_ref() };
            // SAFETY: the lock is held.
            let wake = unsafe { woken.shared(|shared| shared.wake.take()) };
            // Lent, so its destructor does nothing.
            drop(wake);
            self.is_woken(poller);
        }
    }
}
