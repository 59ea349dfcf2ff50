//! The lock of a channel: held for some tens of instructions, taken three times a message.
//!
//! A lock that lets its waiters sleep must look for them when it is released, which takes a second atomic
//! read-modify-write, as dear as the first. This one is released by a plain store; whoever finds it taken looks
//! again: at once a few times, then after offering its processor to others, then after sleeping, longer each time
//! up to [`NAP_MAX`]. So a holder that has lost its processor gets it back, even from a waiter of higher priority.
//!
//! # Invariants
//!
//! - What is guarded is reached only through a guard, of which there is one while `taken` is set.
//! - Nothing that can block runs under it, and no foreign code.

use std::{
    hint,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    thread,
    time::Duration,
};

use super::{AtomicBool, Ordering, UnsafeCell};

/// Rounds of looking, each with twice as many pauses as the one before: some microseconds in all, many times as
/// long as the lock is ever held by a running thread.
const LOOKS: u32 = 6;
/// Times that the processor is offered to others, before sleeping.
const YIELDS: u32 = 16;
const NAP_MIN: Duration = Duration::from_micros(20);
const NAP_MAX: Duration = Duration::from_millis(1);

pub(crate) struct BriefLock<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives one thread at a time access to the value, which may so pass from thread to thread.
unsafe impl<T: Send> Send for BriefLock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for BriefLock<T> {}

impl<T> BriefLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            taken: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Takes the lock. `Acquire` pairs with the release of the guard before.
    #[inline]
    pub(crate) fn lock(&self) -> BriefLockGuard<'_, T> {
        if self.taken.swap(true, Ordering::Acquire) {
            self.wait();
        }
        BriefLockGuard {
            lock: self,
            _value: PhantomData,
        }
    }

    #[cold]
    fn wait(&self) {
        let mut round = 0;
        loop {
            pause(round);
            round = round.saturating_add(1);
            // Looking without writing leaves the holder's cache line alone.
            if !self.taken.load(Ordering::Relaxed) && !self.taken.swap(true, Ordering::Acquire) {
                return;
            }
        }
    }
}

/// Waits a little before the next look, longer in later rounds.
fn pause(round: u32) {
    if round < LOOKS {
        for _ in 0..1 << round {
            hint::spin_loop();
        }
    } else if round < LOOKS + YIELDS {
        thread::yield_now();
    } else {
        let doublings = (round - LOOKS - YIELDS).min(16);
        thread::sleep((NAP_MIN * (1 << doublings)).min(NAP_MAX));
    }
}

pub(crate) struct BriefLockGuard<'a, T> {
    lock: &'a BriefLock<T>,
    /// As good as this: what may not be shared between threads is not shared through its guard either.
    _value: PhantomData<&'a mut T>,
}

impl<T> Deref for BriefLockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held as long as the guard lives, and `self` is borrowed.
        self.lock.value.with_mut(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for BriefLockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held as long as the guard lives, and `self` is borrowed alone.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for BriefLockGuard<'_, T> {
    /// `Release` pairs with whoever takes the lock next.
    #[inline]
    fn drop(&mut self) {
        self.lock.taken.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, sync::Arc, thread};

    use super::*;

    trait Ambiguous<A> {
        const IS: () = ();
    }
    impl<T> Ambiguous<()> for T {}
    impl<T: Sync> Ambiguous<u8> for T {}
    // Two traits would fit if the guard could be shared, and this would not compile.
    const _: () = <BriefLockGuard<'static, Cell<u8>> as Ambiguous<_>>::IS;

    #[test]
    fn one_thread_at_a_time_has_the_value() {
        const EACH: usize = if cfg!(miri) { 50 } else { 20_000 };
        let lock = Arc::new(BriefLock::new((0_usize, 0_usize)));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || {
                    for _ in 0..EACH {
                        let mut both = lock.lock();
                        both.0 += 1;
                        both.1 += 1;
                        assert_eq!(both.0, both.1);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*lock.lock(), (4 * EACH, 4 * EACH));
    }

    #[test]
    fn a_waiter_outlasts_a_holder_that_is_long_away() {
        let lock = Arc::new(BriefLock::new(0));
        let guard = lock.lock();
        let waiting = thread::spawn({
            let lock = Arc::clone(&lock);
            move || *lock.lock() += 1
        });
        // Long enough that the waiter sleeps between its looks; it is the length that is tried, nothing hangs on it.
        let until = std::time::Instant::now() + 5 * NAP_MAX;
        while std::time::Instant::now() < until {
            assert!(!waiting.is_finished());
        }
        drop(guard);
        waiting.join().unwrap();
        assert_eq!(*lock.lock(), 1);
    }

    #[test]
    fn a_panic_under_the_lock_releases_it() {
        let lock = Arc::new(BriefLock::new(0));
        let panicking = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                let _guard = lock.lock();
                panic!("under the lock");
            }
        });
        assert!(panicking.join().is_err());
        assert_eq!(*lock.lock(), 0);
    }
}
