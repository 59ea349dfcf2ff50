//! Homes whose tasks are run by one thread at a time, and by which one may change: *islands*.
//!
//! Whoever has an island runs its tasks as if there were no other thread, and owns its channels. It is handed on whole,
//! through a list under a lock, so that the next one sees all that was done with it. (To hand single tasks on would not
//! do: who takes a channel's lock as its owner looks at nothing that the owner before has written.)
//!
//! # Invariants
//!
//! - An island is in one list, or one thread has it, or it sleeps.
//! - It sleeps while `is_asleep`: who takes that back is the one that puts it into a list, or has it still.
//! - It sleeps with its waker at its home's bells, and only if attention was not wanted before it was hung there.

use std::{
    collections::VecDeque,
    sync::Arc as StdArc,
    task::{Wake, Waker},
};

use super::{Arc, AtomicBool, AtomicUsize, Mutex, Ordering, UnsafeCell, home::Home};

/// The islands that have something to do and that no thread has: a list for each thread, from which the others take when
/// their own is empty.
pub(crate) struct Ready {
    /// The home of the whole network, whose bells the threads hear.
    whole: Arc<Home>,
    lists: Box<[Mutex<VecDeque<u32>>]>,
}

impl Ready {
    /// None yet, of the network that is at home in `whole` and run by so many threads.
    pub(crate) fn new(whole: &Arc<Home>, threads: usize) -> Self {
        Self {
            whole: Arc::clone(whole),
            lists: (0..threads).map(|_| Mutex::new(VecDeque::new())).collect(),
        }
    }

    /// Puts an island last into the list of a thread. It was the caller's until now.
    pub(crate) fn put(&self, thread: usize, island: u32) {
        let mut list = self.lists[thread].lock();
        debug_assert!(!list.contains(&island), "an island is in one list, once");
        list.push_back(island);
    }

    /// The island that has waited longest in the list of `thread`; it is the caller's.
    pub(crate) fn take(&self, thread: usize) -> Option<u32> {
        let (first, there_are_more) = {
            let mut list = self.lists[thread].lock();
            (list.pop_front(), !list.is_empty())
        };
        if there_are_more {
            self.whole.offer();
        }
        first
    }

    /// An island from the list of another thread, with half of what waits there, so that both have as many from now on.
    pub(crate) fn steal(&self, thread: usize) -> Option<u32> {
        let others = (1..self.lists.len()).map(|step| (thread + step) % self.lists.len());
        others.into_iter().find_map(|other| {
            let mut stolen: VecDeque<u32> = {
                let mut list = self.lists[other].lock();
                let half = list.len().div_ceil(2);
                list.drain(..half).collect()
            };
            let first = stolen.pop_front()?;
            if !stolen.is_empty() {
                self.lists[thread].lock().append(&mut stolen);
                self.whole.offer();
            }
            Some(first)
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lists.iter().all(|list| list.lock().is_empty())
    }
}

/// Wakes an island.
struct Bell {
    island: u32,
    is_asleep: AtomicBool,
    /// The thread that had it last.
    thread: AtomicUsize,
    ready: Arc<Ready>,
}

impl Wake for Bell {
    fn wake(self: StdArc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &StdArc<Self>) {
        // `Acquire`: it is this thread's for as long as it takes to put it into the list.
        if self.is_asleep.swap(false, Ordering::AcqRel) {
            // `Relaxed`: a hint, for what it has used may be in the caches there.
            let thread = self.thread.load(Ordering::Relaxed);
            self.ready.put(thread, self.island);
            self.ready.whole.offer();
        }
    }
}

/// An island, with what runs its tasks. On cache lines of its own, for each is written by a thread of its own.
#[repr(align(128))]
pub(crate) struct Island<R> {
    home: Arc<Home>,
    bell: StdArc<Bell>,
    waker: Waker,
    runner: UnsafeCell<R>,
}

// SAFETY: the runner is used by whoever has the island, one after the other; all else may be shared.
unsafe impl<R: Send> Sync for Island<R> {}

impl<R> Island<R> {
    /// The island of this number, which is the caller's; `runner` runs the tasks of `home`.
    pub(crate) fn new(number: u32, home: &Arc<Home>, ready: &Arc<Ready>, runner: R) -> Self {
        let bell = StdArc::new(Bell {
            island: number,
            is_asleep: AtomicBool::new(false),
            thread: AtomicUsize::new(0),
            ready: Arc::clone(ready),
        });
        Self {
            home: Arc::clone(home),
            waker: Waker::from(StdArc::clone(&bell)),
            bell,
            runner: UnsafeCell::new(runner),
        }
    }

    /// Runs tasks, on the thread of this number.
    ///
    /// # Safety
    ///
    /// The caller has the island, and does not come here within itself.
    pub(crate) unsafe fn run<T>(&self, thread: usize, run: impl FnOnce(&R) -> T) -> T {
        debug_assert!(
            !self.bell.is_asleep.load(Ordering::Relaxed),
            "what a thread has does not sleep"
        );
        self.bell.thread.store(thread, Ordering::Relaxed);
        self.runner.with_mut(|runner| {
            // SAFETY: by the caller's word.
            run(unsafe { &*runner })
        })
    }

    /// All its tasks wait: it sleeps until one of them is woken from elsewhere. Returns false if that has happened
    /// already; then the caller has it still, and otherwise no more.
    pub(crate) fn falls_asleep(&self) -> bool {
        // `Release`: whoever wakes it has it. A swap, and not a store, as loom needs it.
        self.bell.is_asleep.swap(true, Ordering::AcqRel);
        self.home.hear(&self.waker) || !self.bell.is_asleep.swap(false, Ordering::AcqRel)
    }
}
