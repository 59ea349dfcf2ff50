//! The schedulers of a network in small, for loom: what is tried is the protocol of home and tasks, with the loops of
//! `process::executor` and `process::workers` said again without their registry. Only for tests of this crate.

use std::mem::ManuallyDrop;

use crossbeam_deque::{Steal, Stealer, Worker};

use super::{
    Arc,
    home::{AtHome, Home, Local, Queued},
    island::{Island, Ready},
    task::{State, TaskRef, Turn},
    thread,
};

/// A home with its tasks, as the registry of a network knows them.
pub struct Stage {
    home: Arc<Home>,
    tasks: Vec<TaskRef>,
}

/// A task as it was seen by somebody who looks for deadlocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    status: super::task::Status,
    is_injected: bool,
    waits: usize,
    holders: usize,
    found: usize,
}

impl Seen {
    /// As `process::graph` says it.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.status.state() == State::Blocked
            && !self.is_injected
            && self.holders == 2
            && self.waits == self.found
            && self.status.turn() > 0
    }
}

/// A stage whose tasks are an island: whichever of several threads has it runs them all.
pub struct Isle {
    whole: Arc<Home>,
    home: Arc<Home>,
    ready: Arc<Ready>,
    island: Island<Taken>,
}

/// What runs the tasks of an island, used by the thread that has it.
struct Taken(Local);

// SAFETY: as for `process::executor::Executor`.
unsafe impl Send for Taken {}

/// One of several threads that run the tasks.
pub struct Hand {
    queue: Worker<Queued>,
    others: Vec<Stealer<Queued>>,
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

impl Stage {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self {
            home: Arc::new(Home::new()),
            tasks: Vec::new(),
        }
    }

    /// Several threads will run its tasks: what each of them needs for it.
    #[must_use]
    pub fn hands(&self, count: usize) -> Vec<Hand> {
        self.home.share();
        let queues: Vec<_> = (0..count).map(|_| Worker::new_fifo()).collect();
        let stealers: Vec<_> = queues.iter().map(Worker::stealer).collect();
        let hand = |(at, queue): (usize, Worker<Queued>)| Hand {
            queue,
            others: (1..count)
                .map(|step| stealers[(at + step) % count].clone())
                .collect(),
        };
        queues.into_iter().enumerate().map(hand).collect()
    }

    /// Adds a task, which begins when somebody runs.
    ///
    /// # Panics
    ///
    /// If there are more than a number can tell.
    pub fn add(&mut self, future: impl Future<Output = ()> + Send + 'static) {
        let id = u32::try_from(self.tasks.len()).expect("a handful");
        let task = TaskRef::of_process(id, Arc::clone(&self.home), future);
        self.home.one_more();
        self.tasks.push(task.clone());
        // The hold of whoever runs it.
        task.clone().into_raw();
        task.begin();
    }

    /// Looks at a task; `find` counts its free waiters afterwards.
    pub fn see(&self, index: usize, find: impl FnOnce() -> usize) -> Seen {
        let task = &self.tasks[index];
        Seen {
            status: task.status(),
            is_injected: task.is_injected(),
            waits: task.waits(),
            holders: task.holders(),
            found: find(),
        }
    }

    /// Runs all tasks on this thread alone, until they have ended.
    pub fn run_alone(&self) {
        let home = &*self.home;
        let local = Local::alone(home, false);
        let _at_home = AtHome::new(&local);
        loop {
            let task = local.take_next().or_else(|| {
                if home.is_wanted() {
                    while let Some(task) = home.take_injected() {
                        if task.note_wake(true) {
                            local.push(task.as_ptr());
                        }
                        task.clear_injected();
                    }
                }
                local.take_first()
            });
            match task {
                Some(task) => self.turn(&local, Queued(task), true),
                None if home.is_empty() => break,
                None => {
                    if home.hear(&thread::waker()) {
                        thread::park();
                    }
                }
            }
        }
        home.close();
    }

    /// Runs tasks as one of several threads, until all have ended.
    pub fn run(&self, hand: Hand) {
        let home = &*self.home;
        let Hand { queue, others } = hand;
        let local = Local::among_others(home, queue);
        let _at_home = AtHome::new(&local);
        let steal = || {
            let queue = local.shared_queue()?;
            others.iter().find_map(|other| {
                loop {
                    match other.steal_batch_and_pop(queue) {
                        Steal::Success(Queued(task)) => break Some(task),
                        Steal::Empty => break None,
                        Steal::Retry => {}
                    }
                }
            })
        };
        while !home.is_empty() {
            let task = local.take_next().or_else(|| {
                if home.is_wanted() {
                    let mut several = false;
                    while let Some(task) = home.take_injected() {
                        task.clear_injected();
                        local.push(task.as_ptr());
                        if std::mem::replace(&mut several, true) {
                            home.offer();
                        }
                    }
                }
                local.take_first().or_else(steal)
            });
            if let Some(task) = task {
                self.turn(&local, Queued(task), false);
                continue;
            }
            let waker = thread::waker();
            if home.hear(&waker) && others.iter().all(Stealer::is_empty) && !home.is_empty() {
                thread::park();
            }
            home.hear_no_more(&waker);
        }
    }

    fn turn(&self, local: &Local, Queued(task): Queued, alone: bool) {
        // SAFETY: the hold that `add` has made, which it has until the task is done.
        let task = ManuallyDrop::new(unsafe { TaskRef::from_raw(task) });
        // SAFETY: it was scheduled, and is in no queue.
        match unsafe { task.run(alone) } {
            Turn::Blocked => {}
            Turn::Again => {
                local.push(task.as_ptr());
                if !alone {
                    self.home.offer();
                }
            }
            Turn::Done => {
                // SAFETY: nobody polls it.
                unsafe { task.finish() };
                // SAFETY: as above: it is given up here.
                drop(unsafe { TaskRef::from_raw(task.as_ptr()) });
                self.home.one_less();
            }
        }
    }
}

impl Isle {
    /// An empty one, for so many threads.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let whole = Arc::new(Home::new());
        whole.share();
        let home = Arc::new(Home::island_of(&whole));
        home.will_own();
        let ready = Arc::new(Ready::new(&whole, threads));
        let island = Island::new(0, &home, &ready, Taken(Local::alone(&home, true)));
        ready.put(0, 0);
        Self {
            whole,
            home,
            ready,
            island,
        }
    }

    /// Adds a task, which begins when somebody runs.
    pub fn add(&mut self, id: u32, future: impl Future<Output = ()> + Send + 'static) {
        let task = TaskRef::of_process(id, Arc::clone(&self.home), future);
        self.whole.one_more();
        task.begin();
        // The hold of whoever runs it.
        task.into_raw();
    }

    /// Where its tasks are run.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// Looks at something as whoever looks at the whole network does.
    pub fn look<R>(&self, look: impl FnOnce() -> R) -> R {
        let islands = std::slice::from_ref(&self.home);
        let _suspension = self.whole.suspend_bias_for_long(islands);
        look()
    }

    /// Runs the island whenever it can be had, as the thread of this number, until all tasks have ended: for one turn
    /// at a time, so that it is handed on often.
    pub fn run(&self, thread: usize) {
        while !self.whole.is_empty() {
            let taken = self.ready.take(thread);
            if taken.or_else(|| self.ready.steal(thread)).is_some() {
                // SAFETY: it was taken from a list.
                let has_more = unsafe { self.island.run(thread, |local| self.turn(&local.0)) };
                if has_more || !self.island.falls_asleep() {
                    self.ready.put(thread, 0);
                    self.whole.offer();
                }
                continue;
            }
            let waker = thread::waker();
            if self.whole.hear(&waker) && self.ready.is_empty() && !self.whole.is_empty() {
                thread::park();
            }
            self.whole.hear_no_more(&waker);
        }
    }

    /// Returns whether there was a task to run.
    fn turn(&self, local: &Local) -> bool {
        let _at_home = AtHome::new(local);
        if self.home.is_wanted() {
            while let Some(task) = self.home.take_injected() {
                if task.note_wake(true) {
                    local.push(task.as_ptr());
                }
                task.clear_injected();
            }
        }
        let Some(task) = local.take_next().or_else(|| local.take_first()) else {
            return false;
        };
        local.begin_turn();
        // SAFETY: the hold that `add` has made, which it has until the task is done.
        let held = ManuallyDrop::new(unsafe { TaskRef::from_raw(task) });
        // SAFETY: it was scheduled, and this thread has the island.
        match unsafe { held.run(true) } {
            Turn::Blocked => {}
            Turn::Again => local.push(task),
            Turn::Done => self.retire(ManuallyDrop::into_inner(held)),
        }
        for done in local.take_done() {
            // SAFETY: as above.
            self.retire(unsafe { TaskRef::from_raw(done) });
        }
        true
    }

    fn retire(&self, task: TaskRef) {
        // SAFETY: nobody polls it.
        unsafe { task.finish() };
        drop(task);
        self.whole.one_less();
    }
}

impl Drop for Isle {
    fn drop(&mut self) {
        if !super::run_is_over() {
            self.home.close();
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !super::run_is_over() {
            self.home.close();
        }
    }
}
