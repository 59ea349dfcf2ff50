//! A receive, from its first look to its message: for a thread that blocks, and for a future that is polled.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Instant,
};

use super::{
    core::{Core, WithdrawOnUnwind, wake_all, wake_up},
    error::{ReadyError, RecvError, RecvTimeoutError, TryRecvError},
    state::{Hold, Locked, Role, State},
    waiter::{Stage, Waiter, Wake},
};
use crate::sync::{run_is_over, schedule, task::TaskId};

const POLLED_AGAIN: &str = "a receive future was polled again after it had completed";

/// Wakes the second of two even if the waker of the first panics.
#[inline]
fn wake_both(first: Option<Wake>, second: Option<Wake>) {
    if second.is_none() {
        wake_up(first);
    } else {
        let mut both = [first, second].into_iter();
        wake_all(|| both.next());
    }
}

impl<T> Core<T> {
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut locked = self.lock();
        if let Some((message, wake)) = locked.take(None) {
            drop(locked);
            wake_up(wake);
            return Ok(message);
        }
        match locked.state.closed_to_receivers() {
            Some(closed) => {
                drop(locked);
                Err(self.why_no_message(closed).into())
            }
            None => Err(TryRecvError::Empty),
        }
    }

    /// Blocks the thread until it has a message.
    #[track_caller]
    pub(super) fn recv_blocking(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        let mut locked = self.lock();
        if let Some((message, wake)) = locked.take(None) {
            drop(locked);
            wake_up(wake);
            return Ok(message);
        }
        if let Some(closed) = locked.state.closed_to_receivers() {
            drop(locked);
            return Err(self.why_no_message(closed).into());
        }
        let waiter = pin!(Waiter::empty());
        let waiter = waiter.as_ref();
        locked.wait(Role::Taker, waiter, Wake::this_thread());
        let watched = locked.has_watchers();
        drop(locked);
        let _guard = WithdrawOnUnwind::new(self, Role::Taker, waiter);
        if watched {
            self.wake_watchers();
        }
        match self.block(Role::Taker, waiter, deadline) {
            Stage::Met => {
                waiter.spend();
                // SAFETY: spent, so no peer may look at it.
                Ok(unsafe { waiter.take_its_message() })
            }
            Stage::Idle => Err(RecvTimeoutError::Timeout),
            closed => {
                waiter.spend();
                Err(self.why_no_message(closed).into())
            }
        }
    }

    /// Blocks the thread until it has a message in custody.
    ///
    /// The thread waits as a poller, and takes by itself once woken: its sender is not done when it is met, so
    /// nothing would be gained by giving it the message.
    ///
    /// `keep` makes of the hold what answers for it, even if a foreign waker panics.
    #[track_caller]
    pub(super) fn hold_blocking<R>(
        &self,
        acceptor: Option<TaskId>,
        keep: impl Fn(Hold<T>) -> R,
    ) -> Result<R, RecvError> {
        let waiter = pin!(Waiter::empty());
        let waiter = waiter.as_ref();
        let _guard = WithdrawOnUnwind::new(self, Role::Poller, waiter);
        loop {
            let mut locked = self.lock();
            if let Some((hold, wake)) = locked.hold(acceptor) {
                let hold = keep(hold);
                let own = locked.leave(Role::Poller, waiter);
                let dismissed = locked.no_longer_wanted();
                drop(locked);
                wake_both(wake, dismissed);
                drop(own);
                return Ok(hold);
            }
            if let Some(closed) = locked.state.closed_to_receivers() {
                let wake = locked.leave(Role::Poller, waiter);
                drop(locked);
                drop(wake);
                return Err(self.why_no_message(closed));
            }
            let old = locked.wait(Role::Poller, waiter, Wake::this_thread());
            let watched = locked.has_watchers();
            drop(locked);
            drop(old);
            if watched {
                self.wake_watchers();
            }
            self.block(Role::Poller, waiter, None);
        }
    }

    /// Takes what a waiting sender has, or waits to be woken for one.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "it is a look at the stage, and one call"
    )]
    pub(super) fn poll_recv(
        &self,
        waiter: Pin<&Waiter<T>>,
        context: &Context<'_>,
    ) -> Poll<Result<T, RecvError>> {
        if waiter.is(Stage::Idle) {
            if let Some(polled) = self.begin_recv_as_owner(waiter, context) {
                return polled;
            }
        } else if let Some(message) = self.take_offer(waiter) {
            return Poll::Ready(Ok(message));
        }
        self.poll_recv_the_long_way(waiter, context)
    }

    #[inline(never)]
    fn poll_recv_the_long_way(
        &self,
        waiter: Pin<&Waiter<T>>,
        context: &Context<'_>,
    ) -> Poll<Result<T, RecvError>> {
        assert!(!waiter.is(Stage::Spent), "{POLLED_AGAIN}");
        if waiter.is(Stage::Idle) && schedule::is_to_wait(context) {
            return Poll::Pending;
        }
        if self.a_sender_seems_to_wait() {
            let mut locked = self.lock();
            if let Some((sender, wake)) = locked.claim_sender_without_credit() {
                let wake = wake.map(Wake::carry);
                let message = locked.complete(sender);
                let own = locked.leave(Role::Poller, waiter);
                let dismissed = locked.no_longer_wanted();
                drop(locked);
                waiter.spend();
                wake_both(wake, dismissed);
                // Foreign code, so after the sender was woken: a panic here must not strand it.
                drop(own);
                return Poll::Ready(Ok(message));
            }
        }
        self.poll_to_take(waiter, context, |locked| locked.take(None))
    }

    /// Takes by `take`, or waits to be woken for a message.
    ///
    /// `take` takes outright or into custody, and returns what the receiver gets and whom it must wake for it.
    /// What it returns is answered for even if it is dropped, because a foreign waker may panic before the
    /// caller has it.
    pub(super) fn poll_to_take<R>(
        &self,
        waiter: Pin<&Waiter<T>>,
        context: &Context<'_>,
        take: impl Fn(&mut Locked<'_, T>) -> Option<(R, Option<Wake>)>,
    ) -> Poll<Result<R, RecvError>> {
        assert!(!waiter.is(Stage::Spent), "{POLLED_AGAIN}");
        // A waker is cloned before the lock is taken, because that is foreign code, and only if it will
        // probably be needed.
        let mut fresh = (!waiter.is(Stage::Waiting)).then(|| Wake::task(context));
        loop {
            let mut locked = self.lock();
            if let Some((taken, wake)) = take(&mut locked) {
                let own = locked.leave(Role::Poller, waiter);
                let dismissed = locked.no_longer_wanted();
                drop(locked);
                waiter.spend();
                wake_both(wake, dismissed);
                // Foreign code, so after the sender was woken: a panic here must not strand it.
                drop(own);
                return Poll::Ready(Ok(taken));
            }
            if let Some(closed) = locked.state.closed_to_receivers() {
                let own = locked.leave(Role::Poller, waiter);
                drop(locked);
                waiter.spend();
                drop(own);
                return Poll::Ready(Err(self.why_no_message(closed)));
            }
            if waiter.is(Stage::Waiting) && locked.is_woken_by(waiter, context.waker()) {
                return Poll::Pending;
            }
            if let Some(wake) = fresh.take() {
                let old = locked.wait(Role::Poller, waiter, wake);
                let watched = locked.has_watchers();
                drop(locked);
                if watched {
                    self.wake_watchers();
                }
                drop(old);
                return Poll::Pending;
            }
            drop(locked);
            fresh = Some(Wake::task(context));
        }
    }

    /// Gives a receive up: no message was taken by it. If it had been woken for a sender, another is woken.
    #[inline]
    pub(super) fn cancel_recv(&self, waiter: Pin<&Waiter<T>>) {
        if !run_is_over() && matches!(waiter.stage(), Stage::Waiting | Stage::Notified) {
            self.withdraw_recv(waiter);
        }
    }

    #[cold]
    fn withdraw_recv(&self, waiter: Pin<&Waiter<T>>) {
        let mut locked = self.lock();
        let was_notified = waiter.stage() == Stage::Notified;
        let own = locked.leave(Role::Poller, waiter);
        let next = if was_notified { locked.pass_on() } else { None };
        let dismissed = locked.no_longer_wanted();
        drop(locked);
        drop(own);
        wake_both(next, dismissed);
    }

    /// Waits until a receiver waits, without sending anything.
    pub(super) fn poll_ready(
        &self,
        waiter: Pin<&Waiter<T>>,
        context: &Context<'_>,
    ) -> Poll<Result<(), ReadyError>> {
        if waiter.is(Stage::Idle) && schedule::is_to_wait(context) {
            return Poll::Pending;
        }
        let wake = Wake::task(context);
        let mut locked = self.lock();
        let closed = locked.state.closed_to_senders();
        if closed.is_some() || locked.a_receiver_waits() {
            let poison = locked.state.poison().cloned();
            let own = locked.leave(Role::Watcher, waiter);
            drop(locked);
            drop(own);
            return Poll::Ready(match (closed, poison) {
                (None, _) => Ok(()),
                (Some(_), None) => Err(ReadyError::Disconnected),
                (Some(_), Some(reason)) => Err(ReadyError::Poisoned(reason)),
            });
        }
        let old = locked.wait(Role::Watcher, waiter, wake);
        drop(locked);
        drop(old);
        Poll::Pending
    }

    /// Stops waiting for a receiver to wait.
    pub(super) fn cancel_ready(&self, waiter: Pin<&Waiter<T>>) {
        // Idle, it was never polled, and hangs nowhere.
        if run_is_over() || waiter.is(Stage::Idle) {
            return;
        }
        let mut locked = self.lock();
        let own = locked.leave(Role::Watcher, waiter);
        drop(locked);
        drop(own);
    }

    /// Waits until nobody is left of whom `gone` tells.
    pub(super) fn poll_closed(
        &self,
        waiter: Pin<&Waiter<T>>,
        gone: fn(&State<T>) -> bool,
        context: &Context<'_>,
    ) -> Poll<()> {
        if waiter.is(Stage::Idle) && schedule::is_to_wait(context) {
            return Poll::Pending;
        }
        let wake = Wake::task(context);
        let mut locked = self.lock();
        if gone(&locked.state) {
            let own = locked.leave(Role::Leaver, waiter);
            drop(locked);
            drop((own, wake));
            return Poll::Ready(());
        }
        let old = locked.wait(Role::Leaver, waiter, wake);
        drop(locked);
        drop(old);
        Poll::Pending
    }

    /// Stops waiting for the other side to go.
    pub(super) fn cancel_closed(&self, waiter: Pin<&Waiter<T>>) {
        // Idle, it was never polled, and hangs nowhere.
        if run_is_over() || waiter.is(Stage::Idle) {
            return;
        }
        let mut locked = self.lock();
        let own = locked.leave(Role::Leaver, waiter);
        drop(locked);
        drop(own);
    }
}
