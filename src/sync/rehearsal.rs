//! The schedulers of a network in small, for loom: what is tried is the protocol of home and tasks, with the loops of
//! `process::executor` and `process::workers` said again without their registry. Only for tests of this crate.

use std::mem::ManuallyDrop;

use crossbeam_deque::{Steal, Stealer, Worker};

use super::{
    Arc,
    home::{AtHome, Home, Local, Queued},
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

impl Drop for Stage {
    fn drop(&mut self) {
        if !super::run_is_over() {
            self.home.close();
        }
    }
}
