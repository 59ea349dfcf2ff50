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
pub(crate) fn place<T>(lock: &super::owned::OwnedLock<T>) -> usize {
    lock.place()
}

impl<T> BriefLock<T> {
    pub(crate) fn place(&self) -> usize {
        self.place
    }
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

/// Parking. Loom takes an `unpark` of a thread that is blocked on a lock, or on the end of another thread, for the
/// end of that wait. So only a thread that is parked is unparked, and any other finds its token.
pub(crate) mod parked {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    struct Token {
        /// One of loom's atomics: who finds it has seen all that was done before the `unpark`.
        unparked: loom::sync::atomic::AtomicBool,
        /// None of loom's: no switch of threads is wanted between this and parking.
        parked: AtomicBool,
    }

    loom::thread_local! {
        static TOKEN: Arc<Token> = Arc::new(Token {
            unparked: loom::sync::atomic::AtomicBool::new(false),
            parked: AtomicBool::new(false),
        });
    }

    pub(crate) struct Thread {
        thread: loom::thread::Thread,
        token: Arc<Token>,
    }

    impl Thread {
        pub(crate) fn unpark(&self) {
            self.token.unparked.swap(true, Ordering::AcqRel);
            if self.token.parked.swap(false, Ordering::SeqCst) {
                self.thread.unpark();
            }
        }
    }

    pub(crate) fn current() -> Thread {
        Thread {
            thread: loom::thread::current(),
            token: TOKEN.with(Arc::clone),
        }
    }

    pub(crate) fn park() {
        let token = TOKEN.with(Arc::clone);
        if !token.unparked.swap(false, Ordering::AcqRel) {
            token.parked.store(true, Ordering::SeqCst);
            loom::thread::park();
            token.parked.store(false, Ordering::SeqCst);
            token.unparked.swap(false, Ordering::AcqRel);
        }
    }
}
