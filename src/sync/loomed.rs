//! What loom has, in the shape of what stands in its place outside.

use std::{
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicUsize, Ordering},
};

/// Whether the run has ended with a panic, for example because all threads wait for each other: then whatever
/// destructors touch of loom would panic again, and that would end the program before it could say why.
pub(crate) fn run_is_over() -> bool {
    std::thread::panicking()
}

/// Loom's `Arc`, which may be dropped when the run is over.
pub(crate) struct Arc<T>(ManuallyDrop<loom::sync::Arc<T>>);

impl<T> Arc<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(ManuallyDrop::new(loom::sync::Arc::new(value)))
    }

    pub(crate) fn ptr_eq(this: &Self, other: &Self) -> bool {
        loom::sync::Arc::ptr_eq(&this.0, &other.0)
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        if !run_is_over() {
            // SAFETY: dropped here only, and not used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}

pub(crate) struct BriefLock<T> {
    mutex: loom::sync::Mutex<T>,
    place: usize,
}
pub(crate) struct BriefLockGuard<'a, T>(loom::sync::MutexGuard<'a, T>);

/// Under loom waiting before parking is one more look: a loop would only multiply the interleavings.
pub struct Spin;

impl Spin {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn until(&self, mut done: impl FnMut() -> bool) -> bool {
        let _ = self;
        done()
    }
}

/// The place of a lock in the order in which whoever needs several takes them: that of their creation, for
/// an address differs from one run of a model to the next, and loom wants them alike.
pub(crate) fn place<T>(lock: &BriefLock<T>) -> usize {
    lock.place
}

impl<T> BriefLock<T> {
    pub(crate) fn new(value: T) -> Self {
        // Not one of loom's atomics: it is no part of the model.
        static CREATED: AtomicUsize = AtomicUsize::new(0);
        Self {
            mutex: loom::sync::Mutex::new(value),
            place: CREATED.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub(crate) fn lock(&self) -> BriefLockGuard<'_, T> {
        BriefLockGuard(
            self.mutex
                .lock()
                .expect("loom ends the run at the first panic"),
        )
    }
}

impl<T> Deref for BriefLockGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for BriefLockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
