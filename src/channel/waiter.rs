//! One operation that waits: where it stands, its message, and whom to wake for it.
//!
//! A waiter lives on the stack of a blocked thread or inside a future, is pinned there, and hangs in one of
//! its channel's lists by address.
//!
//! # Invariants
//!
//! - While the state is `WAITING`, `NOTIFIED` or `HELD` a peer may look at the waiter, and then everything in
//!   it but the state belongs to the channel's lock. In every other state it belongs to its owner alone.
//! - A peer that makes the state final touches the waiter no more: the owner may be gone by then. So it takes
//!   the wake handle out, and the waiter off its list, first ([`finish`](Waiter::finish)).
//! - The state leaves `WAITING`, `NOTIFIED` and `HELD` only under the channel's lock.
//! - What a waiting needs is written when it first waits, and not before: most waiters are moved into place
//!   before that, some never wait, and moving what is not there costs nothing.

use std::{
    marker::PhantomPinned,
    mem::MaybeUninit,
    panic::Location,
    ptr::{self, NonNull},
};

use super::{held::HoldLink, party::Part};
pub(super) use crate::sync::wake::Wake;
use crate::sync::{
    AtomicU8, Ordering, UnsafeCell,
    task::{self, Task},
};

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    /// Not begun, or withdrawn: in no list.
    Idle,
    /// In its list, free to be claimed.
    Waiting,
    /// A receiver or watcher that was woken and has not looked yet.
    Notified,
    /// A send whose message an acceptor holds.
    Held,
    /// Final: the message changed hands.
    Met,
    /// Final: the acceptor handed the message back.
    Returned,
    /// Final: the acceptor cannot know what became of the message.
    InDoubt,
    /// Final for the acceptor, who put the message back on offer: its sender begins anew.
    Declined,
    /// Final: the other side is gone.
    Disconnected,
    /// Final: the channel was poisoned.
    Poisoned,
    /// The outcome was given to the caller: nothing is left to do.
    Spent,
}

impl Stage {
    /// Whether the peer is done with the waiter.
    pub(super) fn is_final(self) -> bool {
        use Stage::{Declined, Disconnected, InDoubt, Met, Poisoned, Returned};
        matches!(
            self,
            Met | Returned | InDoubt | Declined | Disconnected | Poisoned
        )
    }

    #[inline]
    fn from_byte(byte: u8) -> Self {
        debug_assert!(byte <= Self::Spent as u8, "only stages are stored");
        // SAFETY: only stages are stored, which have these numbers.
        unsafe { std::mem::transmute::<u8, Self>(byte) }
    }
}

pub(super) type Link<T> = Option<NonNull<Waiter<T>>>;

/// What belongs to the channel's lock while the waiter is visible.
pub(super) struct Shared<T> {
    pub(super) next: Link<T>,
    pub(super) previous: Link<T>,
    pub(super) wake: Option<Wake>,
    /// The acceptor's end of a `Held` send.
    pub(super) hold: Option<NonNull<HoldLink<T>>>,
    /// If the waiter is one of several of an alternation.
    pub(super) part: Option<Part>,
}

pub(super) struct Waiter<T> {
    stage: AtomicU8,
    /// Whether its owner cannot go on before this one is done, whatever else is: it is one of several that all must be.
    is_one_of_all: bool,
    /// Whether it waits only as long as a receiver does.
    is_offer: bool,
    /// Written by [`begin`](Waiter::begin), when the waiter first waits.
    shared: UnsafeCell<MaybeUninit<Shared<T>>>,
    /// The message to send, or the message received.
    slot: UnsafeCell<Slot<T>>,
    /// The task that counts this waiter among those that it is blocked for. Its owner alone writes it, under the
    /// channel's lock while the waiter hangs in a list.
    counted: UnsafeCell<Option<NonNull<Task>>>,
    /// Where in the source the operation was begun.
    location: &'static Location<'static>,
    _pinned: PhantomPinned,
}

// SAFETY: a waiter is reached from other threads only under its channel's lock, or by its atomic stage; what
// it carries across is a `T`, and wake handles, which are `Send`.
unsafe impl<T: Send> Send for Waiter<T> {}
// SAFETY: as above; `&Waiter` alone gives nothing but the stage.
unsafe impl<T: Send> Sync for Waiter<T> {}

impl<T> Waiter<T> {
    /// One that receives, or waits for something else than a message.
    #[inline]
    #[track_caller]
    pub(super) fn empty() -> Self {
        Self::new(Slot {
            full: false,
            message: MaybeUninit::uninit(),
        })
    }

    /// One that sends.
    #[inline]
    #[track_caller]
    pub(super) fn with(message: T) -> Self {
        Self::new(Slot {
            full: true,
            message: MaybeUninit::new(message),
        })
    }

    #[inline]
    #[track_caller]
    fn new(slot: Slot<T>) -> Self {
        Self {
            stage: AtomicU8::new(Stage::Idle as u8),
            is_one_of_all: false,
            is_offer: false,
            shared: UnsafeCell::new(MaybeUninit::uninit()),
            slot: UnsafeCell::new(slot),
            counted: UnsafeCell::new(None),
            location: Location::caller(),
            _pinned: PhantomPinned,
        }
    }

    /// The same, as one of several that all must be done.
    #[cfg(not(loom))]
    pub(super) fn into_one_of_all(mut self) -> Self {
        self.is_one_of_all = true;
        self
    }

    /// The same, as one that waits only as long as a receiver does.
    pub(super) fn into_offer(mut self) -> Self {
        self.is_offer = true;
        self
    }

    pub(super) fn is_offer(&self) -> bool {
        self.is_offer
    }

    pub(super) fn is_one_of_all(&self) -> bool {
        self.is_one_of_all
    }

    /// Where in the source the operation was begun.
    pub(super) fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// `Acquire`: who sees a final stage also sees the message that was moved before it was set.
    #[inline]
    pub(super) fn stage(&self) -> Stage {
        Stage::from_byte(self.stage.load(Ordering::Acquire))
    }

    /// Whether the stage is this one; cheaper than to tell which it is.
    #[inline]
    pub(super) fn is(&self, stage: Stage) -> bool {
        self.stage.load(Ordering::Acquire) == stage as u8
    }

    /// `Release`: see [`stage`](Self::stage).
    #[inline]
    pub(super) fn set_stage(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
    }

    /// Sets a final stage: the last thing that a peer does with a waiter. Its owner may be gone before this returns,
    /// so the stage is reached by its address: a reference to the waiter would claim that the whole of it stays.
    ///
    /// # Safety
    ///
    /// The waiter is alive until its stage is final, and the caller, who holds its channel's lock, is its peer.
    #[inline]
    pub(super) unsafe fn finish(this: NonNull<Self>, stage: Stage) {
        debug_assert!(stage.is_final(), "the peer is done with the waiter");
        // SAFETY: alive, by the caller's word; no reference to the rest of it is made.
        let word = unsafe { ptr::addr_of!((*this.as_ptr()).stage) };
        // SAFETY: as above.
        let word = unsafe { &*word };
        word.store(stage as u8, Ordering::Release);
    }

    /// Counts this waiter among those of the task that lends a handle to it now; any other that did counts it no more.
    ///
    /// # Safety
    ///
    /// The caller owns the waiter, and runs the task that lends.
    #[inline]
    pub(super) unsafe fn count_for(&self, lender: Option<NonNull<Task>>) {
        self.counted.with_mut(|counted| {
            // SAFETY: its owner is here, by the caller's word.
            let counted = unsafe { &mut *counted };
            if *counted == lender {
                return;
            }
            if let Some(before) = std::mem::replace(counted, lender) {
                // SAFETY: this waiter was counted; its handle was taken out, or is replaced under the channel's lock.
                unsafe { task::uncount(before, 1) };
            }
            if let Some(lender) = lender {
                // SAFETY: it runs, by the caller's word, so it is alive.
                unsafe { lender.as_ref() }.count_waits(1);
            }
        });
    }

    /// The task that counts this waiter among its own, if one does: it is alive.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of the channel in a list of which the waiter hangs.
    pub(super) unsafe fn counted_for(&self) -> Option<NonNull<Task>> {
        // SAFETY: its owner writes it under that lock.
        self.counted.with_mut(|counted| unsafe { *counted })
    }

    /// As [`count_for`](Self::count_for), for one that was not counted before.
    ///
    /// # Safety
    ///
    /// As for [`count_for`](Self::count_for).
    #[inline]
    unsafe fn count_first_time(&self, lender: NonNull<Task>) {
        self.counted.with_mut(|counted| {
            // SAFETY: its owner is here, by the caller's word.
            let counted = unsafe { &mut *counted };
            debug_assert!(counted.is_none(), "it is idle");
            *counted = Some(lender);
        });
        // SAFETY: it runs, by the caller's word, so it is alive.
        unsafe { lender.as_ref() }.count_waits(1);
    }

    /// The owner has seen that no peer has a part in the operation any more: its outcome is given out, or was never
    /// asked for.
    #[inline]
    pub(super) fn spend(&self) {
        self.set_stage(Stage::Spent);
        // SAFETY: only the owner comes here.
        unsafe { self.count_for(None) };
    }

    /// The task that runs, if it is the one that counts this waiter.
    ///
    /// # Safety
    ///
    /// The caller owns the waiter.
    #[inline]
    pub(super) unsafe fn counts_for_who_runs(&self) -> Option<NonNull<Task>> {
        // SAFETY: by the caller's word.
        let counted = self.counted.with_mut(|counted| unsafe { *counted })?;
        (task::current() == Some(counted)).then_some(counted)
    }

    /// As [`spend`](Self::spend), where it is counted by `runs`, the task that runs.
    ///
    /// # Safety
    ///
    /// The caller owns the waiter, and has just asked [who counts it](Self::counts_for_who_runs).
    #[inline]
    pub(super) unsafe fn spend_counted(&self, runs: NonNull<Task>) {
        self.set_stage(Stage::Spent);
        // SAFETY: by the caller's word.
        self.counted.with_mut(|counted| unsafe { *counted = None });
        // SAFETY: it runs, so it is alive.
        unsafe { runs.as_ref() }.uncount_waits(1);
    }

    /// Makes a waiter that has given its outcome fit for another operation.
    pub(super) fn begin_anew(&self) {
        debug_assert_eq!(self.stage(), Stage::Spent, "the operation before is over");
        self.set_stage(Stage::Idle);
    }

    /// Makes a send whose message was declined, and came back, fit to be begun again.
    #[cold]
    pub(super) fn offer_again(&self) {
        debug_assert_eq!(
            self.stage(),
            Stage::Declined,
            "its acceptor is done with it"
        );
        // SAFETY: only the owner comes here.
        unsafe { self.count_for(None) };
        self.set_stage(Stage::Idle);
    }

    /// Puts the message of the next send into a waiter that waits for nothing.
    pub(super) fn load(&self, message: T) {
        assert_eq!(self.stage(), Stage::Idle, "the operation before is over");
        // SAFETY: idle, so no peer may look at it.
        unsafe { self.put_message(message) };
    }

    /// Writes what a waiter needs that is about to wait for the first time, or again after it was idle.
    ///
    /// # Safety
    ///
    /// The waiter is idle, and the caller owns it.
    #[inline]
    pub(super) unsafe fn begin(&self, wake: Option<Wake>, part: Option<Part>) {
        // SAFETY: by the caller's word; what lends is what runs.
        unsafe { self.count_for(wake.as_ref().and_then(Wake::lender)) };
        self.shared.with_mut(|shared| {
            // SAFETY: idle, so no peer may look at it. Nothing is lost by overwriting: the wake handle was taken
            // out when the waiter became idle.
            unsafe { &mut *shared }.write(Shared {
                next: None,
                previous: None,
                wake,
                hold: None,
                part,
            });
        });
    }

    /// As [`begin`](Self::begin), for one that waits after `previous` from now on, with a handle that `lender` lends.
    ///
    /// # Safety
    ///
    /// The waiter is idle, the caller owns it, and `lender` runs.
    #[inline]
    pub(super) unsafe fn begin_lent(&self, lender: NonNull<Task>, previous: Link<T>) {
        // SAFETY: by the caller's word.
        unsafe { self.count_first_time(lender) };
        self.shared.with_mut(|shared| {
            // SAFETY: as for `begin`.
            unsafe { &mut *shared }.write(Shared {
                next: None,
                previous,
                wake: Some(Wake::lent(lender)),
                hold: None,
                part: None,
            });
        });
        self.set_stage(Stage::Waiting);
    }

    /// As [`begin`](Self::begin), for one that waits without a handle: its owner looks by itself.
    ///
    /// # Safety
    ///
    /// The waiter is idle and is counted for nobody, and its owner leaves it alone meanwhile.
    pub(super) unsafe fn begin_unheard(&self) {
        self.shared.with_mut(|shared| {
            // SAFETY: as for `begin`.
            unsafe { &mut *shared }.write(Shared {
                next: None,
                previous: None,
                wake: None,
                hold: None,
                part: None,
            });
        });
    }

    /// What belongs to the channel's lock.
    ///
    /// # Safety
    ///
    /// The caller holds the channel's lock, or owns the waiter while no peer may look at it. The waiter waits or
    /// has waited: it has [begun](Self::begin).
    #[inline]
    pub(super) unsafe fn shared<R>(&self, access: impl FnOnce(&mut Shared<T>) -> R) -> R {
        self.shared.with_mut(|shared| {
            // SAFETY: the caller has it alone, for the length of this call.
            let shared = unsafe { &mut *shared };
            // SAFETY: it was written, by the caller's word.
            access(unsafe { shared.assume_init_mut() })
        })
    }

    /// Takes the message out.
    ///
    /// # Safety
    ///
    /// As for [`shared`](Self::shared), but it need not have begun.
    #[inline]
    pub(super) unsafe fn take_message(&self) -> Option<T> {
        self.slot.with_mut(|slot| {
            // SAFETY: the caller has it alone, for the length of this call.
            let slot = unsafe { &mut *slot };
            slot.full.then(|| slot.take())
        })
    }

    /// Takes the message out that is there. Without an `Option` about it, a large one is moved once less.
    ///
    /// # Panics
    ///
    /// If there is none: a defect of ours.
    ///
    /// # Safety
    ///
    /// As for [`take_message`](Self::take_message).
    #[inline]
    pub(super) unsafe fn take_its_message(&self) -> T {
        self.slot.with_mut(|slot| {
            // SAFETY: the caller has it alone, for the length of this call.
            unsafe { &mut *slot }.take()
        })
    }

    /// Puts a message into the empty slot.
    ///
    /// # Safety
    ///
    /// As for [`take_message`](Self::take_message).
    #[inline]
    pub(super) unsafe fn put_message(&self, message: T) {
        self.slot.with_mut(|slot| {
            // SAFETY: the caller has it alone, for the length of this call.
            let slot = unsafe { &mut *slot };
            debug_assert!(!slot.full, "a slot holds one message");
            slot.message.write(message);
            slot.full = true;
        });
    }
}

/// A place for one message. Not an `Option`, which would move its empty place about.
struct Slot<T> {
    full: bool,
    message: MaybeUninit<T>,
}

impl<T> Slot<T> {
    #[inline]
    fn take(&mut self) -> T {
        assert!(self.full, "there is a message");
        self.full = false;
        // SAFETY: it was full, so there is a message, and it is not full any more, so nobody else reads it.
        unsafe { self.message.assume_init_read() }
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        if self.full {
            // SAFETY: it is full.
            unsafe { self.message.assume_init_drop() };
        }
    }
}
