//! The guards: what an alternation can do with one of its channels, whatever its messages are.

use std::{
    cell::{Cell, UnsafeCell},
    pin::Pin,
    ptr,
    task::{Context, Poll},
};

use super::{
    super::{
        Receiver, Sender,
        core::{Core, wake_all, wake_up},
        error::{RecvError, SendError},
        party::{Part, Party, ToWake},
        state::{Locked, Role},
        waiter::{Stage, Waiter, Wake},
    },
    Kind,
    ends::{Receives, ReceivesBlocking, Sends, SendsBlocking},
};
use crate::sync::Spin;

/// Whom to wake once the locks are free: nearly always one at most.
#[derive(Default)]
#[doc(hidden)]
pub struct Wakes {
    first: Option<Wake>,
    others: Vec<Wake>,
}

impl Wakes {
    #[inline]
    fn add(&mut self, wake: Option<Wake>) {
        if wake.is_some() {
            if self.first.is_none() {
                self.first = wake;
            } else {
                self.add_another(wake);
            }
        }
    }

    #[cold]
    fn add_another(&mut self, wake: Option<Wake>) {
        self.others.extend(wake);
    }

    /// Wakes all of them, even if the waker of one panics: each counts as woken at its channel.
    #[inline]
    pub(super) fn wake_all(self) {
        if self.others.is_empty() {
            wake_up(self.first);
        } else {
            let mut wakes = self.first.into_iter().chain(self.others);
            wake_all(|| wakes.next().map(Some));
        }
    }
}

/// One guard, whatever its message.
///
/// The provided methods are sequences of the others, so that each costs one call through a table.
///
/// # Safety
///
/// `place` is that of the channel which `lock` locks, and of no other. `can_meet`, `meet`, `wait` and `leave` are called
/// only while that channel is locked for this guard, by `lock` or `share_lock`; `lock` is not called then.
#[doc(hidden)]
pub unsafe trait Guard {
    /// The channel's place in the order of locking; `None` if the guard is switched off.
    fn place(&self) -> Option<usize>;
    /// Whether the guard can probably meet, as far as can be seen without its lock. If it can, and did before this
    /// call, the answer is yes.
    fn seems_able(&self) -> bool;
    /// Locks the channel until `unlock`.
    fn lock(&self);
    /// Ends what `lock` or `share_lock` began.
    fn unlock(&self);
    /// The lock that this guard has on the channel.
    fn locked(&self) -> *mut ();
    /// Uses a lock that another guard has on the same channel.
    fn share_lock(&self, locked: *mut ());
    fn can_meet(&self, me: &Party) -> bool;
    /// Meets a peer, or finds that there will be none; returns whether it did.
    fn meet(&self, me: &Party, kind: Kind, wakes: &mut Wakes) -> bool;
    /// Waits to be met as `part`; returns whether somebody waits for a receiver to wait here.
    fn wait(&self, part: Part, kind: Kind, wakes: &mut Wakes) -> bool;
    fn leave(&self, kind: Kind, wakes: &mut Wakes);
    /// Meets a peer while it waits nowhere: an operation on one channel like any other.
    fn meet_alone(&self, me: &Party, kind: Kind, wakes: &mut Wakes) -> bool {
        self.lock();
        let _unlock = Unlock(self);
        self.can_meet(me) && self.meet(me, kind, wakes)
    }
    /// Meets a peer or waits, where no peer can claim the alternation: an operation on one channel too.
    fn meet_or_wait_alone(&self, part: Part, kind: Kind, wakes: &mut Wakes) -> Alone {
        if self.place().is_none() {
            return Alone::Waits;
        }
        self.lock();
        let _unlock = Unlock(self);
        // SAFETY: the party is the caller's, which is alive and stays where it is.
        let me = unsafe { part.party.as_ref() };
        if self.can_meet(me) && self.meet(me, kind, wakes) {
            Alone::HasMet
        } else if self.wait(part, kind, wakes) {
            Alone::WaitsAndIsWatched
        } else {
            Alone::Waits
        }
    }
    /// Leaves, where no peer can claim the alternation: an operation on one channel too.
    fn leave_alone(&self, kind: Kind, wakes: &mut Wakes) {
        if self.place().is_some() {
            self.lock();
            let _unlock = Unlock(self);
            self.leave(kind, wakes);
        }
    }
    /// Locks the channel, or uses the lock that `other` has on it, and looks whether the guard can meet.
    fn lock_and_look(&self, other: Option<&dyn Guard>, me: &Party) -> bool {
        match other {
            Some(other) => self.share_lock(other.locked()),
            None => self.lock(),
        }
        self.can_meet(me)
    }
    fn wait_and_unlock(&self, part: Part, kind: Kind, wakes: &mut Wakes) -> bool {
        let is_watched = self.wait(part, kind, wakes);
        self.unlock();
        is_watched
    }
    fn leave_and_unlock(&self, kind: Kind, wakes: &mut Wakes) {
        self.leave(kind, wakes);
        self.unlock();
    }
    fn wake_watchers(&self);
    /// The account of the waits at the channel.
    fn spin(&self) -> Option<&Spin>;
    /// After the guard was met: waits until the peer is done with it; returns whether it stays met. Otherwise the peer,
    /// who had accepted its message, has declined it, and the guard is as if it had not been met.
    fn block_until_done(&self) -> bool;
    /// As `block_until_done`, for a task.
    fn poll_until_done(&self, context: &Context<'_>) -> Poll<bool>;
}

/// What came of a guard that did not wait for the locks of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub enum Alone {
    HasMet,
    Waits,
    /// Somebody waits for a receiver to wait here.
    WaitsAndIsWatched,
}

/// Unlocks the guard's channel, whatever happens.
struct Unlock<'a, G: Guard + ?Sized>(&'a G);

impl<G: Guard + ?Sized> Drop for Unlock<'_, G> {
    #[inline]
    fn drop(&mut self) {
        self.0.unlock();
    }
}

/// The lock of a guard's channel, while it is held for the guard.
struct LockedAt<'a, T> {
    /// If the guard has locked it itself.
    own: UnsafeCell<Option<Locked<'a, T>>>,
    /// Where the lock is, here or in another guard; null if it is not held.
    at: Cell<*mut ()>,
}

// SAFETY: it is empty except inside one call, during which the guard does not change threads.
unsafe impl<T> Send for LockedAt<'_, T> {}

impl<'a, T> LockedAt<'a, T> {
    const fn nowhere() -> Self {
        Self {
            own: UnsafeCell::new(None),
            at: Cell::new(ptr::null_mut()),
        }
    }

    #[inline]
    fn lock(&self, core: &'a Core<T>) {
        debug_assert!(self.at.get().is_null(), "a guard locks its channel once");
        let locked = core.lock();
        // SAFETY: only this guard's owner comes here, and nothing else refers to what is inside now.
        let own = unsafe { &mut *self.own.get() };
        self.at.set(ptr::from_mut(own.insert(locked)).cast());
    }

    #[inline]
    fn unlock(&self) {
        self.at.set(ptr::null_mut());
        // SAFETY: as above: whoever shared this lock is done with it.
        let own = unsafe { &mut *self.own.get() };
        *own = None;
    }

    /// # Safety
    ///
    /// What was set, if anything, is a `Locked<T>` that is alive and that nobody else uses during this call.
    #[inline]
    unsafe fn with<R>(&self, access: impl FnOnce(&mut Locked<'_, T>) -> R) -> R {
        let locked = self.at.get().cast::<Locked<'_, T>>();
        assert!(!locked.is_null(), "the channel is locked");
        // SAFETY: by the caller's word.
        access(unsafe { &mut *locked })
    }
}

/// A receive guard.
#[doc(hidden)]
pub struct RecvGuard<'a, T> {
    core: Option<&'a Core<T>>,
    waiter: Waiter<T>,
    locked: LockedAt<'a, T>,
}

impl<'a, T> RecvGuard<'a, T> {
    #[must_use]
    #[track_caller]
    pub fn new(receiver: &'a (impl Receives<Message = T> + ?Sized), enabled: bool) -> Self {
        Self::at(receiver.receiving_end().end(), enabled)
    }

    /// A guard of a thread.
    #[must_use]
    #[track_caller]
    pub fn blocking(
        receiver: &'a (impl ReceivesBlocking<Message = T> + ?Sized),
        enabled: bool,
    ) -> Self {
        Self::at(receiver.receiving_end().end(), enabled)
    }

    #[track_caller]
    pub(super) fn at(receiver: &'a Receiver<T>, enabled: bool) -> Self {
        Self {
            core: enabled.then_some(&*receiver.core),
            waiter: Waiter::empty(),
            locked: LockedAt::nowhere(),
        }
    }

    /// What the guard received, once it was met.
    pub(super) fn result(&self) -> Result<T, RecvError> {
        let stage = self.waiter.stage();
        self.waiter.spend();
        debug_assert!(stage.is_final(), "the guard was met");
        // SAFETY: spent, so no peer may look at it.
        match (unsafe { self.waiter.take_message() }, self.core) {
            (Some(message), _) => Ok(message),
            (None, Some(core)) => Err(core.why_no_message(stage)),
            (None, None) => unreachable!("a guard that is switched off is not met"),
        }
    }

    #[inline]
    fn with<R>(&self, access: impl FnOnce(&mut Locked<'_, T>) -> R) -> R {
        // SAFETY: only `lock` and `share_lock` set it, to the lock of this guard's channel.
        unsafe { self.locked.with(access) }
    }

    fn waiter(&self) -> Pin<&Waiter<T>> {
        // SAFETY: guards are used only inside a pinned alternation, which does not move them.
        unsafe { Pin::new_unchecked(&self.waiter) }
    }
}

const fn receiving_role(kind: Kind) -> Role {
    match kind {
        Kind::Thread => Role::Taker,
        Kind::Task => Role::Poller,
    }
}

// SAFETY: the place is that of the core that `lock` locks.
unsafe impl<T> Guard for RecvGuard<'_, T> {
    fn place(&self) -> Option<usize> {
        self.core.map(Core::place)
    }

    fn seems_able(&self) -> bool {
        self.core.is_some_and(Core::seems_to_have_something)
    }

    fn lock(&self) {
        if let Some(core) = self.core {
            self.locked.lock(core);
        }
    }

    fn unlock(&self) {
        self.locked.unlock();
    }

    fn locked(&self) -> *mut () {
        self.locked.at.get()
    }

    fn share_lock(&self, locked: *mut ()) {
        self.locked.at.set(locked);
    }

    fn can_meet(&self, me: &Party) -> bool {
        self.with(|locked| {
            locked.a_sender_can_meet(me) || locked.state.closed_to_receivers().is_some()
        })
    }

    fn meet(&self, me: &Party, kind: Kind, wakes: &mut Wakes) -> bool {
        self.with(|locked| {
            let stage = match locked.take(Some(me)) {
                Some((message, wake)) => {
                    wakes.add(wake);
                    // SAFETY: the lock is held.
                    unsafe { self.waiter.put_message(message) };
                    Stage::Met
                }
                None => match locked.state.closed_to_receivers() {
                    Some(closed) => closed,
                    None => return false,
                },
            };
            wakes.add(locked.leave(receiving_role(kind), self.waiter()));
            wakes.add(locked.no_longer_wanted());
            self.waiter.set_stage(stage);
            true
        })
    }

    fn wait(&self, part: Part, kind: Kind, _wakes: &mut Wakes) -> bool {
        self.with(|locked| {
            locked.wait_as_part(receiving_role(kind), self.waiter(), part);
            locked.has_watchers()
        })
    }

    fn leave(&self, kind: Kind, wakes: &mut Wakes) {
        self.with(|locked| {
            let was_notified = self.waiter.stage() == Stage::Notified;
            wakes.add(locked.leave(receiving_role(kind), self.waiter()));
            if was_notified {
                wakes.add(locked.pass_on());
            }
            wakes.add(locked.no_longer_wanted());
        });
    }

    fn wake_watchers(&self) {
        if let Some(core) = self.core {
            core.wake_watchers();
        }
    }

    fn spin(&self) -> Option<&Spin> {
        self.core.map(|core| &core.spin)
    }

    fn block_until_done(&self) -> bool {
        true
    }

    fn poll_until_done(&self, _context: &Context<'_>) -> Poll<bool> {
        Poll::Ready(true)
    }
}

/// A send guard, with the place that its message comes from and goes back to.
#[doc(hidden)]
pub struct SendGuard<'a, T> {
    core: Option<&'a Core<T>>,
    home: &'a mut Option<T>,
    waiter: Waiter<T>,
    locked: LockedAt<'a, T>,
}

impl<'a, T> SendGuard<'a, T> {
    /// A guard with nothing in `home` has nothing to send, and is switched off.
    #[track_caller]
    pub fn new(
        sender: &'a (impl Sends<Message = T> + ?Sized),
        home: &'a mut Option<T>,
        enabled: bool,
    ) -> Self {
        Self::at(sender.sending_end().end(), home, enabled)
    }

    /// A guard of a thread.
    #[track_caller]
    pub fn blocking(
        sender: &'a (impl SendsBlocking<Message = T> + ?Sized),
        home: &'a mut Option<T>,
        enabled: bool,
    ) -> Self {
        Self::at(sender.sending_end().end(), home, enabled)
    }

    #[track_caller]
    pub(super) fn at(sender: &'a Sender<T>, home: &'a mut Option<T>, enabled: bool) -> Self {
        let message = if enabled { home.take() } else { None };
        Self {
            core: message.is_some().then_some(&*sender.core),
            home,
            waiter: match message {
                Some(message) => Waiter::with(message),
                None => Waiter::empty(),
            },
            locked: LockedAt::nowhere(),
        }
    }

    /// What became of the send, once the guard was met. A message that came back goes home when the guard is
    /// dropped.
    pub(super) fn result(&self) -> Result<(), SendError<()>> {
        let Some(core) = self.core else {
            unreachable!("a guard that is switched off is not met")
        };
        let outcome = core.send_outcome(self.waiter());
        outcome.map_err(|error| {
            let (error, message) = error.split();
            self.waiter.begin_anew();
            self.waiter.load(message);
            error
        })
    }

    #[inline]
    fn with<R>(&self, access: impl FnOnce(&mut Locked<'_, T>) -> R) -> R {
        // SAFETY: only `lock` and `share_lock` set it, to the lock of this guard's channel.
        unsafe { self.locked.with(access) }
    }

    fn stays_met(&self, stage: Stage) -> bool {
        let is_declined = stage == Stage::Declined;
        if is_declined {
            self.waiter.offer_again();
        }
        !is_declined
    }

    fn waiter(&self) -> Pin<&Waiter<T>> {
        // SAFETY: guards are used only inside a pinned alternation, which does not move them.
        unsafe { Pin::new_unchecked(&self.waiter) }
    }
}

impl<T> Drop for SendGuard<'_, T> {
    /// The alternation has left all lists; what was certainly not taken goes home.
    fn drop(&mut self) {
        if let Some(core) = self.core
            && let Some(message) = core.cancel_send(self.waiter())
        {
            *self.home = Some(message);
        }
    }
}

// SAFETY: the place is that of the core that `lock` locks.
unsafe impl<T> Guard for SendGuard<'_, T> {
    fn place(&self) -> Option<usize> {
        self.core.map(Core::place)
    }

    fn seems_able(&self) -> bool {
        // Only a look under the lock can tell.
        self.core.is_some()
    }

    fn lock(&self) {
        if let Some(core) = self.core {
            self.locked.lock(core);
        }
    }

    fn unlock(&self) {
        self.locked.unlock();
    }

    fn locked(&self) -> *mut () {
        self.locked.at.get()
    }

    fn share_lock(&self, locked: *mut ()) {
        self.locked.at.set(locked);
    }

    fn can_meet(&self, me: &Party) -> bool {
        self.with(|locked| {
            locked.a_taker_can_meet(me) || locked.state.closed_to_senders().is_some()
        })
    }

    fn meet(&self, me: &Party, kind: Kind, wakes: &mut Wakes) -> bool {
        let _ = kind;
        self.with(|locked| {
            let stage = if let Some(closed) = locked.state.closed_to_senders() {
                closed
            } else {
                // SAFETY: the lock is held.
                let Some(message) = (unsafe { self.waiter.take_message() }) else {
                    unreachable!("a guard that was not met has its message")
                };
                match locked.give(message, Some(me)) {
                    Ok(wake) => {
                        wakes.add(wake);
                        Stage::Met
                    }
                    Err(message) => {
                        // SAFETY: the lock is held.
                        unsafe { self.waiter.put_message(message) };
                        return false;
                    }
                }
            };
            wakes.add(locked.leave(Role::Sender, self.waiter()));
            self.waiter.set_stage(stage);
            true
        })
    }

    fn wait(&self, part: Part, _kind: Kind, wakes: &mut Wakes) -> bool {
        self.with(|locked| {
            if locked.wait_as_part(Role::Sender, self.waiter(), part) {
                // SAFETY: the party is the caller's, which is alive and stays where it is.
                let me = unsafe { part.party.as_ref() };
                wakes.add(ToWake::flatten(locked.notify_poller(Some(me))));
            }
        });
        false
    }

    fn leave(&self, _kind: Kind, wakes: &mut Wakes) {
        self.with(|locked| wakes.add(locked.leave(Role::Sender, self.waiter())));
    }

    fn wake_watchers(&self) {}

    fn spin(&self) -> Option<&Spin> {
        self.core.map(|core| &core.spin)
    }

    fn block_until_done(&self) -> bool {
        self.core
            .is_none_or(|core| self.stays_met(core.block_while_held(self.waiter())))
    }

    fn poll_until_done(&self, context: &Context<'_>) -> Poll<bool> {
        match self.core {
            Some(core) => core
                .poll_while_held(self.waiter(), context)
                .map(|stage| self.stays_met(stage)),
            None => Poll::Ready(true),
        }
    }
}
