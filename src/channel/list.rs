//! An intrusive list of waiters: first in, first out, and any of them can leave at once.
//!
//! # Invariants
//!
//! - Every linked waiter is pinned and alive, and hangs in exactly one list of its own channel.
//! - The list and the links of what hangs in it belong to the channel's lock.

use std::ptr::NonNull;

use super::waiter::{Link, Waiter};
use crate::sync::task::Task;

pub(super) struct List<T> {
    head: Link<T>,
    tail: Link<T>,
}

impl<T> List<T> {
    pub(super) const fn new() -> Self {
        Self {
            head: None,
            tail: None,
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// How many hang here: one has to count them.
    pub(super) fn count(&self) -> usize {
        let mut count = 0;
        // SAFETY: whoever has the list has the lock.
        unsafe { each(self, |_| count += 1) };
        count
    }

    /// Appends `waiter`.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of the channel that this list and `waiter` belong to. `waiter` is in no list
    /// and stays alive where it is until it was removed.
    #[inline]
    pub(super) unsafe fn push_back(&mut self, waiter: NonNull<Waiter<T>>) {
        let previous = self.tail;
        // SAFETY: alive, and ours by the lock.
        unsafe { link(waiter, previous, None) };
        match previous {
            // SAFETY: linked, so alive; ours by the lock.
            Some(last) => unsafe { set_next(last, Some(waiter)) },
            None => self.head = Some(waiter),
        }
        self.tail = Some(waiter);
    }

    /// Appends `waiter`, which has not waited before and waits now, with a handle that `lender` lends.
    ///
    /// # Safety
    ///
    /// As for [`push_back`](Self::push_back). `waiter` is idle and the caller's, and `lender` is the task that runs.
    #[inline]
    pub(super) unsafe fn push_first_time(
        &mut self,
        waiter: NonNull<Waiter<T>>,
        lender: NonNull<Task>,
    ) {
        let previous = self.tail;
        // SAFETY: alive, by the caller's word.
        let idle = unsafe { waiter.as_ref() };
        // SAFETY: idle and the caller's, by its word.
        unsafe { idle.begin_lent(lender, previous) };
        match previous {
            // SAFETY: linked, so alive; ours by the lock.
            Some(last) => unsafe { set_next(last, Some(waiter)) },
            None => self.head = Some(waiter),
        }
        self.tail = Some(waiter);
    }

    /// Puts `waiter` first.
    ///
    /// # Safety
    ///
    /// As for [`push_back`](Self::push_back).
    #[inline]
    pub(super) unsafe fn push_front(&mut self, waiter: NonNull<Waiter<T>>) {
        let next = self.head;
        // SAFETY: alive, and ours by the lock.
        unsafe { link(waiter, None, next) };
        match next {
            // SAFETY: linked, so alive; ours by the lock.
            Some(first) => unsafe { set_previous(first, Some(waiter)) },
            None => self.tail = Some(waiter),
        }
        self.head = Some(waiter);
    }

    /// The first waiter; the others follow by [`next`].
    #[inline]
    pub(super) fn first(&self) -> Link<T> {
        self.head
    }

    /// Takes the first waiter off the list.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of the channel that this list belongs to.
    #[inline]
    pub(super) unsafe fn pop_front(&mut self) -> Link<T> {
        let first = self.head?;
        // SAFETY: linked, so alive; ours by the lock.
        self.head = unsafe { next(first) };
        match self.head {
            // SAFETY: linked, so alive; ours by the lock.
            Some(second) => unsafe { set_previous(second, None) },
            None => self.tail = None,
        }
        Some(first)
    }

    /// Takes `waiter` off the list.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of the channel that this list belongs to, and `waiter` is in this list.
    #[inline]
    pub(super) unsafe fn remove(&mut self, waiter: NonNull<Waiter<T>>) {
        // SAFETY: linked, so alive; ours by the lock.
        let (previous, next) = unsafe { unlink(waiter) };
        match previous {
            // SAFETY: linked, so alive; ours by the lock.
            Some(previous) => unsafe { set_next(previous, next) },
            None => self.head = next,
        }
        match next {
            // SAFETY: linked, so alive; ours by the lock.
            Some(next) => unsafe { set_previous(next, previous) },
            None => self.tail = previous,
        }
    }
}

/// Shows each waiter of `list` to `show`.
///
/// # Safety
///
/// The caller holds the lock of the channel that `list` belongs to; `show` changes no list.
pub(super) unsafe fn each<T>(list: &List<T>, mut show: impl FnMut(&Waiter<T>)) {
    let mut here = list.first();
    while let Some(waiter) = here {
        // SAFETY: linked, so alive.
        show(unsafe { waiter.as_ref() });
        // SAFETY: by the caller's word.
        here = unsafe { next(waiter) };
    }
}

/// The waiter after `waiter` in its list.
///
/// # Safety
///
/// The caller holds the lock of the channel of the list in which `waiter` hangs.
#[inline]
pub(super) unsafe fn next<T>(waiter: NonNull<Waiter<T>>) -> Link<T> {
    // SAFETY: linked, so alive.
    let waiter = unsafe { waiter.as_ref() };
    // SAFETY: the lock is held, by the caller's word.
    unsafe { waiter.shared(|shared| shared.next) }
}

/// # Safety
///
/// As for [`List::push_back`].
#[inline]
unsafe fn link<T>(waiter: NonNull<Waiter<T>>, previous: Link<T>, next: Link<T>) {
    // SAFETY: alive, by the caller's word.
    let waiter = unsafe { waiter.as_ref() };
    // SAFETY: the lock is held, by the caller's word.
    unsafe {
        waiter.shared(|shared| {
            shared.previous = previous;
            shared.next = next;
        });
    }
}

/// # Safety
///
/// As for [`List::remove`].
#[inline]
unsafe fn unlink<T>(waiter: NonNull<Waiter<T>>) -> (Link<T>, Link<T>) {
    // SAFETY: alive, by the caller's word.
    let waiter = unsafe { waiter.as_ref() };
    // SAFETY: the lock is held, by the caller's word.
    unsafe { waiter.shared(|shared| (shared.previous.take(), shared.next.take())) }
}

/// # Safety
///
/// As for [`List::remove`].
#[inline]
unsafe fn set_next<T>(waiter: NonNull<Waiter<T>>, next: Link<T>) {
    // SAFETY: alive, by the caller's word.
    let waiter = unsafe { waiter.as_ref() };
    // SAFETY: the lock is held, by the caller's word.
    unsafe { waiter.shared(|shared| shared.next = next) }
}

/// # Safety
///
/// As for [`List::remove`].
#[inline]
unsafe fn set_previous<T>(waiter: NonNull<Waiter<T>>, previous: Link<T>) {
    // SAFETY: alive, by the caller's word.
    let waiter = unsafe { waiter.as_ref() };
    // SAFETY: the lock is held, by the caller's word.
    unsafe { waiter.shared(|shared| shared.previous = previous) }
}
