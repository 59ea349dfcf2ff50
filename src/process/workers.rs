//! The scheduler of a network on several threads.
//!
//! Processes of an [island](super::islands) are run as on one thread, by a thread that has the island for a slice; then
//! others of its islands have theirs. A thread that has nothing to do takes islands from another.
//!
//! Those of no island are run by any thread, each for itself. As on one thread, the partner of a rendezvous runs next, on
//! the thread that has woken it, so a pair that talks stays together. What waits behind it can be stolen by a thread that
//! has nothing to do (Blumofe and Leiserson, 1999; the deques are crossbeam's).

use std::{mem::ManuallyDrop, thread::scope};

use crossbeam_deque::{Steal, Stealer, Worker};

use super::{
    executor::{Executor, Rest, STRAIGHT_MAX, TURNS_A_POLL, end_all, retire},
    registry::Registry,
    watch::Watch,
};
use crate::sync::{
    Arc,
    home::{AtHome, Local, Queued},
    island::{Island, Ready},
    task::{TaskRef, Turn},
    thread,
};

/// Runs all processes on so many threads, of which the one that calls is one, until they have ended or are to; those
/// that have not ended are dropped where they are.
///
/// # Panics
///
/// If a thread cannot be started.
pub(super) fn run(registry: &Arc<Registry>, watch: &Arc<Watch>, threads: usize) {
    let queues: Vec<Worker<Queued>> = (0..threads).map(|_| Worker::new_fifo()).collect();
    let stealers: Vec<Stealer<Queued>> = queues.iter().map(Worker::stealer).collect();
    let ready = Arc::new(Ready::new(&registry.home, threads));
    let crew = Crew {
        registry,
        watch,
        stealers: &stealers,
        islands: islands(registry, watch, &ready, threads),
        ready: &ready,
    };
    scope(|scope| {
        let mut queues = queues.into_iter().enumerate();
        let first = queues.next();
        for (number, queue) in queues {
            let crew = &crew;
            let started = std::thread::Builder::new()
                .name(format!("handover-{number}"))
                .spawn_scoped(scope, move || crew.work(number, queue));
            if let Err(error) = started {
                registry.home.stop();
                panic!("a thread of the scheduler cannot be started: {error}");
            }
        }
        if let Some((number, queue)) = first {
            crew.work(number, queue);
        }
    });
    end_all(registry);
}

/// All islands, each of which is in the list of a thread: neighbours in that of the same.
fn islands(
    registry: &Arc<Registry>,
    watch: &Arc<Watch>,
    ready: &Arc<Ready>,
    threads: usize,
) -> Vec<Island<Executor>> {
    let homes = registry.islands();
    let a_thread = homes.len().div_ceil(threads).max(1);
    let islands = (0..).zip(homes).map(|(number, home)| {
        let (registry, watch) = (Arc::clone(registry), Arc::clone(watch));
        let executor = Executor::of_island(registry, watch, Arc::clone(home));
        Island::new(number, home, ready, executor)
    });
    let islands: Vec<_> = islands.collect();
    for (at, number) in (0..islands.len()).zip(0..) {
        ready.put(at / a_thread, number);
    }
    islands
}

struct Crew<'a> {
    registry: &'a Registry,
    watch: &'a Watch,
    stealers: &'a [Stealer<Queued>],
    /// By number.
    islands: Vec<Island<Executor>>,
    ready: &'a Ready,
}

impl Crew<'_> {
    fn work(&self, number: usize, queue: Worker<Queued>) {
        let home = &*self.registry.home;
        let local = Local::among_others(home, queue);
        let _at_home = AtHome::new(&local);
        let mut straight = 0;
        // Since an island had its slice, or none had anything to do.
        let mut turns = 0;
        while !home.is_to_stop() && !home.is_empty() {
            let next = if straight < STRAIGHT_MAX {
                local.take_next()
            } else {
                None
            };
            let task = if let Some(task) = next {
                straight += 1;
                Some(task)
            } else {
                straight = 0;
                if home.is_wanted() {
                    self.welcome(&local);
                }
                if turns >= TURNS_A_POLL {
                    turns = 0;
                    if self.run_island(number, self.ready.take(number)) {
                        // It waits there now, while this thread goes on with others.
                        home.offer();
                    }
                }
                local.take_first().or_else(|| local.take_next())
            };
            if let Some(task) = task {
                turns += 1;
                self.run(&local, Queued(task));
                continue;
            }
            turns = 0;
            let island = self.ready.take(number);
            if self.run_island(number, island.or_else(|| self.ready.steal(number))) {
                continue;
            }
            match self.steal(number, &local) {
                Some(task) => self.run(&local, task),
                None => self.sleep(),
            }
        }
    }

    /// Runs processes of an island, if there is one, until it has had its slice or they all wait; returns whether there
    /// was one. It was taken from a list.
    fn run_island(&self, thread: usize, number: Option<u32>) -> bool {
        let Some(number) = number else {
            return false;
        };
        let island = &self.islands[number as usize];
        // SAFETY: it was taken from a list.
        let rest = unsafe { island.run(thread, Executor::work) };
        match rest {
            Rest::Idle if island.falls_asleep() => {}
            // The whole is, too, and nobody takes one any more.
            Rest::Over => {}
            Rest::Idle | Rest::MoreToDo => self.ready.put(thread, number),
        }
        true
    }

    /// Takes in those that were woken from elsewhere.
    fn welcome(&self, local: &Local) {
        let mut several = false;
        while let Some(task) = self.registry.home.take_injected() {
            // First, for once it is in the queue another thread may run it, and it may be woken from elsewhere again.
            task.clear_injected();
            local.push(task.as_ptr());
            if std::mem::replace(&mut several, true) {
                self.registry.home.offer();
            }
        }
    }

    fn steal(&self, number: usize, local: &Local) -> Option<Queued> {
        let queue = local.shared_queue()?;
        let others = self.stealers.iter().cycle().skip(number + 1);
        for stealer in others.take(self.stealers.len() - 1) {
            loop {
                match stealer.steal_batch_and_pop(queue) {
                    Steal::Success(task) => return Some(task),
                    Steal::Empty => break,
                    Steal::Retry => {}
                }
            }
        }
        None
    }

    fn run(&self, local: &Local, Queued(task): Queued) {
        // SAFETY: the executor's own hold, which it has until the task is done.
        let held = ManuallyDrop::new(unsafe { TaskRef::from_raw(task) });
        // SAFETY: it was scheduled and is in no queue, so only this thread polls it.
        match unsafe { held.run(false) } {
            Turn::Blocked => {}
            Turn::Again => {
                local.push(task);
                self.registry.home.offer();
            }
            Turn::Done => retire(self.registry, ManuallyDrop::into_inner(held)),
        }
    }

    /// Sleeps until there is something to do. The last one to fall asleep looks for a deadlock first.
    fn sleep(&self) {
        let home = &*self.registry.home;
        let waker = thread::waker();
        let is_last = home.sleeping() + 1 >= self.stealers.len();
        if is_last && self.watch.look_while_idle() {
            // Whom this thread has woken may be in its own hands.
            return;
        }
        if !home.hear(&waker) {
            home.hear_no_more(&waker);
            return;
        }
        // What was put into a queue before the bell was hung rings nothing.
        let nothing = self.stealers.iter().all(Stealer::is_empty) && self.ready.is_empty();
        if nothing && !home.is_empty() && !home.is_to_stop() {
            thread::park();
        }
        home.hear_no_more(&waker);
    }
}
