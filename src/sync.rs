//! Atomics, locks, cells and parking: the only file that knows whether it runs under loom.
//!
//! Outside loom these are `parking_lot`, `std` and nothing else. Under `--cfg loom` they are loom's, so that
//! every interleaving of what stands on them can be tried.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering, fence,
};
#[cfg(not(loom))]
pub(crate) use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

#[cfg(not(loom))]
pub(crate) use parking_lot::Mutex;

#[cfg(loom)]
mod loomed;
#[cfg(loom)]
pub(crate) use loomed::{
    Arc, BriefLock, BriefLock as Mutex, BriefLockGuard, Spin, place, run_is_over,
};

/// Whether nothing that waits matters any more: never, outside loom.
#[cfg(not(loom))]
#[inline]
pub(crate) const fn run_is_over() -> bool {
    false
}

/// The place of a lock in the order in which whoever needs several takes them: its address.
#[cfg(not(loom))]
pub(crate) fn place<T>(lock: &owned::OwnedLock<T>) -> usize {
    std::ptr::from_ref(lock).addr()
}

pub(crate) mod alarm;
#[cfg_attr(loom, allow(dead_code, reason = "no network runs under loom"))]
pub(crate) mod home;
#[cfg_attr(loom, allow(dead_code, reason = "no network runs under loom"))]
pub(crate) mod island;
pub(crate) mod schedule;
#[cfg_attr(loom, allow(dead_code, reason = "no network runs under loom"))]
pub(crate) mod task;
pub(crate) mod time;
pub(crate) mod wake;

mod barrier;
pub(crate) mod owned;

#[cfg(loom)]
pub mod rehearsal;

mod drive;
pub(crate) use drive::drive;

#[cfg(not(loom))]
mod lock;
#[cfg(not(loom))]
pub(crate) use lock::{BriefLock, BriefLockGuard};

#[cfg(not(loom))]
mod spin;
#[cfg(not(loom))]
pub(crate) use spin::Spin;

#[cfg(loom)]
pub(crate) use loom::cell::UnsafeCell;

/// A cell whose accesses loom can check; outside loom, `std`'s.
#[cfg(not(loom))]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    #[inline]
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    #[inline]
    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}

/// Parking a thread, and handing it the token that ends its park.
pub(crate) mod thread {
    #[cfg(loom)]
    pub(crate) use super::loomed::parked::{Thread, current, park};
    #[cfg(loom)]
    pub(crate) use loom::thread::yield_now;
    #[cfg(not(loom))]
    pub(crate) use std::thread::{Thread, current, park, yield_now};
    use std::{
        sync::Arc,
        task::{Wake, Waker},
        time::Instant,
    };

    struct Unparker(Thread);

    impl Wake for Unparker {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            self.0.unpark();
        }
    }

    fn new_waker() -> Waker {
        Waker::from(Arc::new(Unparker(current())))
    }

    /// What unparks this thread. Made once a thread: afterwards it is a clone.
    #[cfg(not(loom))]
    pub(crate) fn waker() -> Waker {
        thread_local! {
            static OWN: Waker = new_waker();
        }
        // A thread that ends may have lost what is its own, and still waits for somebody.
        OWN.try_with(Waker::clone).unwrap_or_else(|_| new_waker())
    }

    /// What unparks this thread.
    #[cfg(loom)]
    pub(crate) fn waker() -> Waker {
        new_waker()
    }

    /// Parks until unparked or until `deadline`; returns whether the deadline has passed. May return early.
    #[cfg(not(loom))]
    pub(crate) fn park_until(deadline: Instant) -> bool {
        super::schedule::is_about_to_block();
        let now = super::time::now();
        match deadline.checked_duration_since(now) {
            Some(left) if !left.is_zero() => {
                std::thread::park_timeout(left);
                false
            }
            _ => true,
        }
    }

    /// Loom has no clock: every deadline has passed at the first look, which is the race worth trying.
    #[cfg(loom)]
    pub(crate) fn park_until(_deadline: Instant) -> bool {
        true
    }
}

/// A number below `bound`, different from call to call: for choosing fairly, not for secrets.
///
/// The generator is Marsaglia's xorshift64 (2003), one a thread.
#[cfg(not(loom))]
pub(crate) fn random_below(bound: usize) -> usize {
    use std::{
        cell::Cell,
        hash::{BuildHasher, RandomState},
    };
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0_u8) | 1);
    }
    let mut x = STATE.get();
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    STATE.set(x);
    // The high half is the better one; a bound of at most a few thousand makes the bias negligible.
    usize::try_from(x >> 32).unwrap_or(0) % bound
}

/// Under loom a run must be the same each time.
#[cfg(loom)]
pub(crate) fn random_below(_bound: usize) -> usize {
    0
}
