//! Claiming those who wait: a waiter that stands alone, or one of an alternation that nobody has claimed yet.

use std::ptr::NonNull;

use super::{
    list::{self, List},
    party::{Party, ToWake},
    waiter::{Stage, Waiter, Wake},
};

/// A waiter that was claimed and taken off its list, and its wake handle.
pub(super) type Claimed<T> = (NonNull<Waiter<T>>, Option<Wake>);

/// Claims the first waiter of `list` that can still be claimed and is not part of `me`.
///
/// # Safety
///
/// The caller holds the lock of the channel that `list` belongs to.
#[inline]
pub(super) unsafe fn claim_first<T>(list: &mut List<T>, me: Option<&Party>) -> Option<Claimed<T>> {
    let node = list.first()?;
    // SAFETY: it hangs in this list, so it is alive.
    let waiter = unsafe { node.as_ref() };
    // SAFETY: the lock is held, by the caller's word.
    let stands_alone = unsafe { waiter.shared(|shared| shared.part.is_none()) };
    if !stands_alone {
        // SAFETY: by the caller's word.
        return unsafe { claim_first_that_can_be(list, me) };
    }
    // SAFETY: the lock is held, by the caller's word.
    unsafe { list.pop_front() };
    // SAFETY: as above.
    let wake = unsafe { waiter.shared(|shared| shared.wake.take()) };
    Some((node, wake))
}

/// As [`claim_first`], where alternations wait.
///
/// # Safety
///
/// As for [`claim_first`].
#[cold]
unsafe fn claim_first_that_can_be<T>(list: &mut List<T>, me: Option<&Party>) -> Option<Claimed<T>> {
    let mut candidate = list.first();
    while let Some(node) = candidate {
        // SAFETY: it hangs in this list, so it is alive.
        let waiter = unsafe { node.as_ref() };
        // SAFETY: the lock is held, by the caller's word.
        let part = unsafe { waiter.shared(|shared| shared.part) };
        // SAFETY: as above.
        candidate = unsafe { list::next(node) };
        if part.is_some_and(|part| part.is_of(me)) {
            continue;
        }
        // SAFETY: it hangs in this list, and the lock is held.
        unsafe { list.remove(node) };
        let claimed = match part {
            // SAFETY: the lock is held, by the caller's word.
            None => Some(ToWake(unsafe {
                waiter.shared(|shared| shared.wake.take())
            })),
            // SAFETY: the lock is held, and what hung in the list is part of its party.
            Some(part) => unsafe { part.claim() },
        };
        match claimed {
            Some(ToWake(wake)) => return Some((node, wake)),
            // It has committed elsewhere, and will find itself off the list when it comes to leave.
            None => waiter.set_stage(Stage::Idle),
        }
    }
    None
}

/// Whether `list` has a waiter that is not part of `me`. It may still turn out to be claimed elsewhere.
///
/// # Safety
///
/// As for [`claim_first`].
pub(super) unsafe fn can_claim<T>(list: &List<T>, me: &Party) -> bool {
    let mut candidate = list.first();
    while let Some(node) = candidate {
        // SAFETY: it hangs in this list, so it is alive.
        let waiter = unsafe { node.as_ref() };
        // SAFETY: the lock is held, by the caller's word.
        let part = unsafe { waiter.shared(|shared| shared.part) };
        if !part.is_some_and(|part| part.is_of(Some(me))) {
            return true;
        }
        // SAFETY: as above.
        candidate = unsafe { list::next(node) };
    }
    false
}

/// # Safety
///
/// `waiter` was taken off its list under its channel's lock, which the caller holds: its owner cannot leave
/// without it.
pub(super) unsafe fn notify<T>(waiter: NonNull<Waiter<T>>) -> ToWake {
    // SAFETY: alive, by the caller's word.
    let waiter = unsafe { waiter.as_ref() };
    // SAFETY: the lock is held, by the caller's word.
    let wake = unsafe { waiter.shared(|shared| shared.wake.take()) };
    let wake = wake.map(Wake::carry);
    waiter.set_stage(Stage::Notified);
    ToWake(wake)
}
