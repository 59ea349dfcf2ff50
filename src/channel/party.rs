//! One party that waits on several channels at once, through one waiter on each: an alternation.
//!
//! # Invariants
//!
//! - Peers touch it only under the lock of a channel on which it has a waiter; its owner writes to it only
//!   under the locks of all of them, or while it has none.
//! - The wake handle belongs to whoever moved the word away from `WAITING`.

use std::ptr::NonNull;

use super::waiter::Wake;
use crate::sync::{
    AtomicUsize, Ordering, UnsafeCell,
    task::{self, Task},
};

/// Who was claimed or notified, and is to be woken unless that has happened before.
pub struct ToWake(pub(super) Option<Wake>);

impl ToWake {
    pub(super) fn flatten(picked: Option<Self>) -> Option<Wake> {
        picked.and_then(|ToWake(wake)| wake)
    }
}

/// One party that waits on several channels at once, through one waiter on each: an alternation.
pub struct Party {
    /// `WAITING`, `NOTIFIED`, or `CLAIMED` plus the index of the guard on which a peer claimed it.
    word: AtomicUsize,
    wake: UnsafeCell<Option<Wake>>,
    waits: UnsafeCell<Waits>,
}

/// With how many waiters a party waits, and the task that counts them, if one lends its handle.
struct Waits {
    parts: u32,
    task: Option<NonNull<Task>>,
}

/// A party as one sees it from a channel on which it has a waiter.
#[derive(Debug, Clone, Copy)]
pub struct SeenParty {
    pub(super) task: Option<NonNull<Task>>,
    /// Nobody has claimed or woken it.
    pub(super) is_free: bool,
    /// It was woken to look for itself, and has not done so.
    pub(super) is_woken: bool,
}

/// Free to be claimed, and not woken.
const WAITING: usize = 0;
/// Free to be claimed, and woken to look for itself.
const NOTIFIED: usize = 1;
/// From here on: claimed.
const CLAIMED: usize = 2;

// SAFETY: the wake handle has one owner at any time, by the invariant above; it is `Send`.
unsafe impl Send for Party {}
// SAFETY: as above.
unsafe impl Sync for Party {}

impl Party {
    pub(super) fn new() -> Self {
        Self {
            word: AtomicUsize::new(WAITING),
            wake: UnsafeCell::new(None),
            waits: UnsafeCell::new(Waits {
                parts: 0,
                task: None,
            }),
        }
    }

    /// # Safety
    ///
    /// The caller holds the lock of a channel on which the party has a waiter.
    unsafe fn see(&self) -> SeenParty {
        let word = self.word.load(Ordering::Acquire);
        SeenParty {
            // SAFETY: its owner writes it only under that lock.
            task: self.waits.with_mut(|waits| unsafe { (*waits).task }),
            is_free: word == WAITING,
            is_woken: word == NOTIFIED,
        }
    }

    /// # Safety
    ///
    /// As for [`wait`](Self::wait).
    unsafe fn count(&self, now: Waits) {
        self.waits.with_mut(|waits| {
            // SAFETY: no peer can reach the party without one of the locks that the caller holds.
            let before = std::mem::replace(unsafe { &mut *waits }, now);
            if let Some(task) = before.task {
                // SAFETY: they were counted, and no peer can reach the handle any more.
                unsafe { task::uncount(task, before.parts) };
            }
            // SAFETY: as above.
            let now = unsafe { &*waits };
            if let Some(task) = now.task {
                // SAFETY: what lends its handle runs, so it is alive.
                unsafe { task.as_ref() }.count_waits(now.parts);
            }
        });
    }

    /// The guard on which a peer claimed this party. `Acquire` pairs with [`claim`](Self::claim); what the peer
    /// left in the guard's waiter is read under that guard's lock.
    pub(super) fn claimed(&self) -> Option<usize> {
        self.word.load(Ordering::Acquire).checked_sub(CLAIMED)
    }

    /// Begins, or goes on, to wait with so many waiters; returns the wake handle that it replaces.
    ///
    /// # Safety
    ///
    /// The caller owns the party and holds the locks of all channels on which it has a waiter.
    pub(super) unsafe fn wait(&self, wake: Wake, parts: u32) -> Option<Wake> {
        let task = wake.lender();
        // SAFETY: by the caller's word.
        unsafe { self.count(Waits { parts, task }) };
        let old = self.wake.with_mut(|slot| {
            // SAFETY: no peer can reach the party without one of the locks that the caller holds.
            unsafe { (*slot).replace(wake) }
        });
        self.word.store(WAITING, Ordering::Release);
        old
    }

    /// Makes a party fit to be claimed again: the peer that had claimed it has declined.
    ///
    /// The caller owns the party, which has no waiter on any channel.
    pub(super) fn begin_anew(&self) {
        self.word.store(WAITING, Ordering::Release);
    }

    /// Takes the wake handle out, once the party waits no more.
    ///
    /// # Safety
    ///
    /// As for [`wait`](Self::wait).
    pub(super) unsafe fn rest(&self) -> Option<Wake> {
        let nothing = Waits {
            parts: 0,
            task: None,
        };
        // SAFETY: by the caller's word.
        unsafe { self.count(nothing) };
        // SAFETY: no peer can reach the party without one of the locks that the caller holds.
        self.wake.with_mut(|slot| unsafe { (*slot).take() })
    }

    /// Claims the party for its guard `index`, if nobody has. Returns the wake handle if nobody has woken it.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of the channel of that guard, on which the party has a waiter.
    pub(super) unsafe fn claim(&self, index: usize) -> Option<ToWake> {
        // SAFETY: as the caller says.
        unsafe { self.move_on(CLAIMED + index) }
    }

    /// Marks the party as woken, unless it was claimed. Returns the wake handle if nobody has woken it.
    ///
    /// # Safety
    ///
    /// As for [`claim`](Self::claim).
    pub(super) unsafe fn notify(&self) -> Option<ToWake> {
        // SAFETY: as the caller says.
        unsafe { self.move_on(NOTIFIED) }
    }

    /// # Safety
    ///
    /// As for [`claim`](Self::claim).
    unsafe fn move_on(&self, to: usize) -> Option<ToWake> {
        let mut from = self.word.load(Ordering::Acquire);
        while from < CLAIMED {
            match self
                .word
                .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(WAITING) => {
                    // SAFETY: whoever moves the word away from `WAITING` has the handle.
                    let wake = self.wake.with_mut(|slot| unsafe { (*slot).take() });
                    return Some(ToWake(wake.map(Wake::carry)));
                }
                Ok(_) => return Some(ToWake(None)),
                Err(now) => from = now,
            }
        }
        None
    }
}

/// A waiter's part in an alternation.
#[derive(Clone, Copy)]
pub struct Part {
    pub(super) party: NonNull<Party>,
    /// Which guard of the alternation it is.
    pub(super) index: usize,
}

impl Part {
    pub(super) fn is_of(&self, party: Option<&Party>) -> bool {
        party.is_some_and(|party| self.party == NonNull::from(party))
    }

    /// # Safety
    ///
    /// As for [`claim`](Self::claim).
    pub(super) unsafe fn see(&self) -> SeenParty {
        // SAFETY: a party stays where it is until its waiters have left their lists.
        let party = unsafe { self.party.as_ref() };
        // SAFETY: by the caller's word.
        unsafe { party.see() }
    }

    /// # Safety
    ///
    /// As for [`Party::claim`]; the waiter that this part was read from hangs in a list of that channel.
    pub(super) unsafe fn claim(&self) -> Option<ToWake> {
        // SAFETY: a party stays where it is until its waiters have left their lists.
        let party = unsafe { self.party.as_ref() };
        // SAFETY: by the caller's word.
        unsafe { party.claim(self.index) }
    }

    /// # Safety
    ///
    /// As for [`claim`](Self::claim).
    pub(super) unsafe fn notify(&self) -> Option<ToWake> {
        // SAFETY: a party stays where it is until its waiters have left their lists.
        let party = unsafe { self.party.as_ref() };
        // SAFETY: by the caller's word.
        unsafe { party.notify() }
    }
}
