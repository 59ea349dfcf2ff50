//! The lock of a channel, which may be *owned*: then the one thread that runs the tasks of its home takes it without an
//! atomic read-modify-write, and everybody else pays for it.
//!
//! Between the processes of a network on one thread nobody else touches a channel, but for whoever looks at the whole
//! network now and then. So the owner only says that it is inside, and looks whether the bias of its home is suspended;
//! whoever else comes suspends it, makes sure that the owner's next look sees that (a barrier on all threads of this
//! program, `membarrier(2)`), waits until the owner is outside, and takes the lock as everybody does.
//! (Biased locking: Kawachiya, Koseki and Onodera, 2002; the asymmetric barrier as in Dice, Moir and Scherer, 2001.)
//!
//! # Invariants
//!
//! - What is guarded is reached by the owner while `held` is set and the home's bias is not suspended, or by whoever has
//!   `taken`, and then either nobody owns it, or the bias is suspended and `held` is not set.
//! - `owner` changes only while `taken` is held, and to null only with the bias suspended and `held` not set.
//! - The home is alive while it owns a lock that somebody can reach.

use std::{
    hint,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    ptr,
};

use super::{
    AtomicBool, AtomicPtr, BriefLock, BriefLockGuard, Ordering, UnsafeCell,
    home::{Home, Suspension, home_of_this_thread},
    thread,
};

pub(crate) struct OwnedLock<T> {
    owner: AtomicPtr<Home>,
    held: AtomicBool,
    taken: BriefLock<()>,
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives one thread at a time access to the value, which may so pass from thread to thread.
unsafe impl<T: Send> Send for OwnedLock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for OwnedLock<T> {}

impl<T> OwnedLock<T> {
    /// One that nobody owns.
    pub(crate) fn new(value: T) -> Self {
        Self {
            owner: AtomicPtr::new(ptr::null_mut()),
            held: AtomicBool::new(false),
            taken: BriefLock::new(()),
            value: UnsafeCell::new(value),
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> OwnedLockGuard<'_, T> {
        if self.enter_as_owner() {
            self.guard(Way::Owner)
        } else {
            self.lock_as_everybody()
        }
    }

    /// Takes it if this thread owns it, and nobody wants it meanwhile.
    #[inline]
    pub(crate) fn lock_as_owner(&self) -> Option<OwnerGuard<'_, T>> {
        if !self.enter_as_owner() {
            return None;
        }
        Some(OwnerGuard {
            lock: self,
            _value: PhantomData,
        })
    }

    #[inline]
    fn enter_as_owner(&self) -> bool {
        let owner = self.owner.load(Ordering::Relaxed);
        if !ptr::eq(owner, home_of_this_thread()) {
            return false;
        }
        self.held.store(true, Ordering::Relaxed);
        // SAFETY: this thread runs its tasks, so it is alive.
        let has_it = unsafe { &*owner }.is_biased();
        if !has_it {
            self.held.store(false, Ordering::Release);
        }
        has_it
    }

    #[inline]
    fn guard<'a>(&'a self, way: Way<'a>) -> OwnedLockGuard<'a, T> {
        OwnedLockGuard {
            lock: self,
            way,
            _value: PhantomData,
        }
    }

    #[inline]
    fn lock_as_everybody(&self) -> OwnedLockGuard<'_, T> {
        let taken = self.taken.lock();
        if self.owner.load(Ordering::Relaxed).is_null() {
            return self.guard(Way::Everybody(taken));
        }
        self.lock_owned(taken)
    }

    /// With the lock taken, so that the owner stays the same.
    #[cold]
    fn lock_owned<'a>(&'a self, taken: BriefLockGuard<'a, ()>) -> OwnedLockGuard<'a, T> {
        let owner = self.owner.load(Ordering::Relaxed);
        if ptr::eq(owner, home_of_this_thread()) {
            // The bias is suspended: the owner comes as everybody does.
            return self.guard(Way::Everybody(taken));
        }
        // SAFETY: alive while it owns a lock that can be reached.
        let suspension = unsafe { &*owner }.suspend_bias();
        while self.held.load(Ordering::Acquire) {
            hint::spin_loop();
            thread::yield_now();
        }
        self.guard(Way::Suspending(taken, suspension))
    }

    /// The place of the lock in the order in which several are taken.
    #[cfg(loom)]
    pub(crate) fn place(&self) -> usize {
        self.taken.place()
    }

    /// The thread that runs the tasks of `home` owns it from now on. `home` must outlive its ownership.
    pub(crate) fn own(&self, home: &Home) {
        let _taken = self.taken.lock();
        if self.owner.load(Ordering::Relaxed).is_null() {
            self.owner
                .store(ptr::from_ref(home).cast_mut(), Ordering::Relaxed);
        }
    }

    /// Nobody owns it any more.
    pub(crate) fn disown(&self) {
        let taken = self.taken.lock();
        if self.owner.load(Ordering::Relaxed).is_null() {
            return;
        }
        // If it is this thread that owns it, it is outside.
        let guard = self.lock_owned(taken);
        self.owner.store(ptr::null_mut(), Ordering::Relaxed);
        drop(guard);
    }
}

/// In which way a lock is held.
enum Way<'a> {
    Owner,
    Everybody(
        #[expect(dead_code, reason = "it is released when it is dropped")] BriefLockGuard<'a, ()>,
    ),
    /// The lock is released before the bias is restored.
    Suspending(
        #[expect(dead_code, reason = "it is released when it is dropped")] BriefLockGuard<'a, ()>,
        #[expect(dead_code, reason = "it ends when it is dropped")] Suspension<'a>,
    ),
}

pub(crate) struct OwnedLockGuard<'a, T> {
    lock: &'a OwnedLock<T>,
    way: Way<'a>,
    /// As good as this: what may not be shared between threads is not shared through its guard either.
    _value: PhantomData<&'a mut T>,
}

impl<T> Deref for OwnedLockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held as long as the guard lives, and `self` is borrowed.
        self.lock.value.with_mut(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for OwnedLockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held as long as the guard lives, and `self` is borrowed alone.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for OwnedLockGuard<'_, T> {
    /// `Release` pairs with whoever comes next and finds the owner outside.
    #[inline]
    fn drop(&mut self) {
        if matches!(self.way, Way::Owner) {
            self.lock.held.store(false, Ordering::Release);
        }
    }
}

/// The lock as its owner has it.
pub(crate) struct OwnerGuard<'a, T> {
    lock: &'a OwnedLock<T>,
    /// As for [`OwnedLockGuard`].
    _value: PhantomData<&'a mut T>,
}

impl<T> Deref for OwnerGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held as long as the guard lives, and `self` is borrowed.
        self.lock.value.with_mut(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for OwnerGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held as long as the guard lives, and `self` is borrowed alone.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for OwnerGuard<'_, T> {
    /// As for [`OwnedLockGuard`].
    #[inline]
    fn drop(&mut self) {
        self.lock.held.store(false, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;
    use crate::sync::home::{AtHome, Local};

    const EACH: usize = if cfg!(miri) { 50 } else { 20_000 };

    fn add(lock: &OwnedLock<(usize, usize)>) {
        let mut both = lock.lock();
        both.0 += 1;
        both.1 += 1;
        assert_eq!(both.0, both.1);
    }

    #[test]
    fn the_owner_and_everybody_else_exclude_each_other() {
        let home = Arc::new(Home::new());
        if !home.will_own() {
            return;
        }
        let lock = Arc::new(OwnedLock::new((0, 0)));
        lock.own(&home);
        let others: Vec<_> = (0..2)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || (0..EACH / 10).for_each(|_| add(&lock)))
            })
            .collect();
        let observer = thread::spawn({
            let (home, lock) = (Arc::clone(&home), Arc::clone(&lock));
            move || {
                for _ in 0..EACH / 100 {
                    let _suspension = home.suspend_bias_for_long(&[]);
                    (0..10).for_each(|_| add(&lock));
                }
            }
        });
        let local = Local::alone(&home, false);
        let at_home = AtHome::new(&local);
        for turn in 0..EACH {
            match lock.lock_as_owner().filter(|_| turn % 2 == 0) {
                Some(mut both) => {
                    both.0 += 1;
                    both.1 += 1;
                    assert_eq!(both.0, both.1);
                }
                None => add(&lock),
            }
        }
        drop(at_home);
        for other in others {
            other.join().unwrap();
        }
        observer.join().unwrap();
        assert_eq!(lock.lock().0, EACH + 2 * (EACH / 10) + 10 * (EACH / 100));
    }

    #[test]
    fn ownership_comes_and_goes_while_the_lock_is_used() {
        let home = Arc::new(Home::new());
        if !home.will_own() {
            return;
        }
        let lock = Arc::new(OwnedLock::new((0, 0)));
        let changing = thread::spawn({
            let (home, lock) = (Arc::clone(&home), Arc::clone(&lock));
            move || {
                for _ in 0..EACH / 10 {
                    lock.own(&home);
                    add(&lock);
                    lock.disown();
                    add(&lock);
                }
                home
            }
        });
        let local = Local::alone(&home, false);
        let at_home = AtHome::new(&local);
        (0..EACH).for_each(|_| add(&lock));
        drop(at_home);
        changing.join().unwrap();
        assert_eq!(lock.lock().1, EACH + 2 * (EACH / 10));
    }
}
