//! The meeting core: one lock, the lists of those who wait, and the moments at which a message changes hands.
//!
//! A thread that receives may be *given* a message, for it cannot vanish: its timeout competes under the same
//! lock. A future may be dropped at any time, so it is only *woken*, and its own poll takes. A sender, thread
//! or task, never acts once it waits: its message is taken from it.
//!
//! # Invariants
//!
//! - Nobody waits who could meet: while a sender waits or a slot is full, no taker does.
//! - No wake-up is lost: while a sender waits or a slot is full, either no poller is left unwoken, or as many
//!   were woken and have not looked yet as there are messages. Whoever is woken and leaves without taking passes
//!   the wake-up on.
//! - No foreign code runs under the lock: wakers are cloned, woken and dropped outside, and messages are
//!   moved but never dropped inside.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    time::Instant,
};

use super::{
    error::{Reason, RecvError},
    party::ToWake,
    state::{Locked, Role, State},
    waiter::{Stage, Waiter, Wake},
};
use crate::sync::{
    AtomicBool, Ordering, Spin, home::Home, owned::OwnedLock, place, run_is_over, task, thread,
};

pub(super) struct Core<T> {
    pub(super) state: OwnedLock<State<T>>,
    /// Whether a message waits, readable without the lock: a hint that saves a poll a needless waker clone and an
    /// alternation a needless lock. Nobody waits because of it alone, so `Relaxed` is enough. It is never false where it
    /// was so under the lock.
    pub(super) a_sender_waits: AtomicBool,
    /// Whether the channel was closed to receivers, as such a hint too. Set under the lock that closes it: whoever
    /// has seen the end by other means sees it here.
    is_over: AtomicBool,
    pub(super) spin: Spin,
}

// SAFETY: the lists hold addresses of waiters, which are reached only under the lock; what passes from thread
// to thread through them is a `T`.
unsafe impl<T: Send> Send for Core<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Core<T> {}

impl<T> Core<T> {
    pub(super) fn new() -> Self {
        Self {
            state: OwnedLock::new(State::new()),
            a_sender_waits: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            spin: Spin::new(),
        }
    }

    #[inline]
    pub(super) fn lock(&self) -> Locked<'_, T> {
        let mut locked = Locked::new(self.state.lock(), &self.a_sender_waits);
        if locked.state.offered.is_some() {
            locked.turn_offer_into_wait();
        }
        locked
    }

    /// The thread that runs the tasks of `home` owns the channel from now on: it locks it without further ado.
    pub(super) fn own(&self, home: &Home) {
        self.state.own(home);
    }

    /// Nobody owns the channel any more.
    pub(super) fn disown(&self) {
        self.state.disown();
    }

    /// The channel's place in the order in which alternations lock; no other channel has the same.
    pub(super) fn place(&self) -> usize {
        place(&self.state)
    }

    /// Whether a sender probably waits.
    #[inline]
    pub(super) fn a_sender_seems_to_wait(&self) -> bool {
        self.a_sender_waits.load(Ordering::Relaxed)
    }

    /// Whether a receive would probably not have to wait.
    #[inline]
    pub(super) fn seems_to_have_something(&self) -> bool {
        self.a_sender_seems_to_wait() || self.is_over.load(Ordering::Relaxed)
    }

    /// Lets those who look without the lock know that no message will come. The caller holds the lock.
    #[inline]
    pub(super) fn set_over(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Blocks the thread, which waits as `waiter`, until a peer has changed its stage or the deadline has
    /// passed; returns the stage then. `Idle` says that the deadline has passed and the waiter was withdrawn.
    ///
    /// A sender whose message was accepted waits for its acceptor alone, without a deadline.
    pub(super) fn block(
        &self,
        role: Role,
        waiter: Pin<&Waiter<T>>,
        mut deadline: Option<Instant>,
    ) -> Stage {
        let is_over = || !matches!(waiter.stage(), Stage::Waiting | Stage::Held);
        let mut blocked = task::blocked(deadline.is_some());
        if self.spin.until(is_over) {
            return waiter.stage();
        }
        while !is_over() {
            match deadline {
                None => thread::park(),
                Some(instant) => {
                    if thread::park_until(instant) {
                        let mut locked = self.lock();
                        let stage = waiter.stage();
                        if stage == Stage::Waiting {
                            let wake = locked.leave(role, waiter);
                            drop(locked);
                            drop(wake);
                            return Stage::Idle;
                        }
                        drop(locked);
                        deadline = None;
                        // From now on its acceptor alone ends the wait.
                        drop(blocked.take());
                        blocked = task::blocked(false);
                    }
                }
            }
        }
        waiter.stage()
    }

    /// Wakes those who wait for a receiver to wait.
    #[cold]
    pub(super) fn wake_watchers(&self) {
        // Each at most once: one that looks and waits again is not woken twice by the same event.
        let mut left = self.lock().watcher_count();
        self.wake_each(|locked| {
            left = left.checked_sub(1)?;
            locked.notify_watcher()
        });
    }

    /// The last sender is gone: nobody who waits for a message will get one.
    #[cold]
    pub(super) fn close_to_receivers(&self) {
        self.wake_each(|locked| {
            locked
                .dismiss_taker()
                .or_else(|| locked.notify_poller(None))
                .or_else(|| locked.notify_leaver())
        });
    }

    /// The last receiver is gone: nobody will take what the waiting senders have.
    #[cold]
    pub(super) fn close_to_senders(&self) {
        self.wake_each(|locked| {
            locked
                .dismiss_sender()
                .or_else(|| locked.notify_watcher())
                .or_else(|| locked.notify_leaver())
        });
    }

    /// Closes the channel to both sides, unless that was done before; returns whether it was not.
    pub(super) fn poison(&self, reason: Reason) -> bool {
        // One that is not needed is dropped after the lock.
        let poisoned = {
            let mut locked = self.lock();
            self.set_over();
            locked.poison(reason)
        };
        if poisoned.is_err() {
            return false;
        }
        self.wake_each(|locked| {
            locked
                .dismiss_sender()
                .or_else(|| locked.dismiss_taker())
                .or_else(|| locked.notify_poller(None))
                .or_else(|| locked.notify_watcher())
                .or_else(|| locked.notify_leaver())
        });
        true
    }

    /// Why the channel was poisoned, if it was.
    pub(super) fn reason(&self) -> Option<Reason> {
        self.lock().state.poison().cloned()
    }

    /// What a final stage without a message means for a receive.
    #[cold]
    pub(super) fn why_no_message(&self, stage: Stage) -> RecvError {
        match stage {
            Stage::Poisoned => self
                .reason()
                .map_or(RecvError::Disconnected, RecvError::Poisoned),
            _ => RecvError::Disconnected,
        }
    }

    /// Allows `n` sends ahead of the take, and completes those that wait for it.
    pub(super) fn grant(&self, n: usize) {
        self.lock().grant(n);
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method's path names one lifetime, the closure any"
        )]
        self.wake_each(|locked| locked.complete_within_credit());
        self.wake_watchers();
    }

    /// Wakes whomever `next` picks, one after the other, until it picks nobody.
    ///
    /// A foreign waker that panics does not keep the others from being woken: they would wait for ever. The
    /// first panic goes on after the last of them.
    fn wake_each(&self, mut next: impl FnMut(&mut Locked<'_, T>) -> Option<ToWake>) {
        wake_all(|| {
            let ToWake(wake) = next(&mut self.lock())?;
            Some(wake)
        });
    }
}

/// Wakes whomever `next` gives, one after the other, until it gives nobody; a waker that panics as in
/// [`Core::wake_each`].
pub(super) fn wake_all(mut next: impl FnMut() -> Option<Option<Wake>>) {
    let mut panic = None;
    while let Some(wake) = next() {
        // Nothing of ours is seen after the panic that the waker could have left half done.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| wake_up(wake))) {
            panic.get_or_insert(payload);
        }
    }
    // Where another panic is under way already, a second would end the program.
    if let Some(payload) = panic
        && !std::thread::panicking()
    {
        resume_unwind(payload);
    }
}

/// Withdraws a blocked thread's waiter if a foreign waker panics while the waiter hangs in a list: the stack
/// that it lives on is about to go.
pub(super) struct WithdrawOnUnwind<'a, T> {
    core: &'a Core<T>,
    role: Role,
    waiter: Pin<&'a Waiter<T>>,
}

impl<'a, T> WithdrawOnUnwind<'a, T> {
    pub(super) fn new(core: &'a Core<T>, role: Role, waiter: Pin<&'a Waiter<T>>) -> Self {
        Self { core, role, waiter }
    }
}

impl<T> Drop for WithdrawOnUnwind<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if std::thread::panicking() && !run_is_over() {
            match self.role {
                Role::Sender => drop(self.core.cancel_send(self.waiter)),
                Role::Poller => self.core.cancel_recv(self.waiter),
                Role::Taker | Role::Watcher | Role::Leaver => {
                    let wake = self.core.lock().leave(self.role, self.waiter);
                    drop(wake);
                }
            }
        }
    }
}

/// Wakes whoever is to be woken. Runs foreign code: never under a lock.
#[inline]
pub(super) fn wake_up(wake: Option<Wake>) {
    if let Some(wake) = wake {
        wake.wake();
    }
}
