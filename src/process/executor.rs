//! The scheduler of a network on one thread, which is itself a future: whoever polls it drives the processes, be it a
//! thread of ours that does nothing else or a task of somebody's async runtime.
//!
//! Who runs next, and what follows when all wait, is for its [scheduler](crate::sync::schedule) to say. In the ordinary
//! one the partner of a rendezvous runs next, with no queue in between, and a pair that goes on and on gives way to the
//! others after [`STRAIGHT_MAX`] turns.

use std::{
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    ptr::NonNull,
    task::{Context, Poll},
};

use super::{
    error::{Cause, Failure},
    registry::Registry,
    watch::Watch,
};
use crate::sync::{
    Arc,
    home::{AtHome, Home, Local},
    schedule::{AllWait, Scheduler, System, Watching},
    task::{Task, TaskRef, Turn},
};

pub(super) use crate::sync::schedule::STRAIGHT_MAX;

/// How many turns a poll of the scheduler takes before it gives way to what else its thread has to do. About 10 to 50
/// microseconds.
pub(super) const TURNS_A_POLL: u32 = 1024;

pub(super) struct Executor<S = System> {
    registry: Arc<Registry>,
    /// Of the processes that it runs.
    home: Arc<Home>,
    watch: Arc<Watch>,
    scheduler: Arc<S>,
    local: Local,
    /// Turns before it gives way; `None` where its thread has nothing else to do.
    turns_a_poll: Option<u32>,
    has_ended: bool,
}

// SAFETY: the queue refers to tasks, which may be reached from any thread; it is used only while the executor is polled.
unsafe impl<S: Scheduler> Send for Executor<S> {}

/// Why it polls no process at the moment.
pub(super) enum Rest {
    /// All processes wait.
    Idle,
    /// It gives way.
    MoreToDo,
    /// All have ended, or are to.
    Over,
}

impl Executor {
    /// One that runs the processes of an island, as long as it has [work](Self::work); the others, and its end, are not
    /// its affair.
    pub(super) fn of_island(registry: Arc<Registry>, watch: Arc<Watch>, home: Arc<Home>) -> Self {
        let local = Local::alone(&home, true);
        Self {
            registry,
            home,
            watch,
            scheduler: Arc::new(System),
            local,
            turns_a_poll: Some(TURNS_A_POLL),
            has_ended: true,
        }
    }
}

impl<S: Scheduler> Executor<S> {
    pub(super) fn new(
        registry: Arc<Registry>,
        watch: Arc<Watch>,
        scheduler: Arc<S>,
        turns_a_poll: Option<u32>,
    ) -> Self {
        let home = Arc::clone(&registry.home);
        let local = Local::alone(&home, scheduler.runs_within());
        Self {
            registry,
            home,
            watch,
            scheduler,
            local,
            turns_a_poll,
            has_ended: false,
        }
    }

    /// Polls processes until there is a reason to rest.
    pub(super) fn work(&self) -> Rest {
        let home = &*self.registry.home;
        let _at_home = AtHome::new(&self.local);
        let mut straight = 0;
        let mut turns = 0;
        loop {
            let task = if let Some(task) = self.scheduler.next(&self.local, straight) {
                straight += 1;
                task
            } else {
                straight = 0;
                if self.home.is_wanted() {
                    if home.is_to_stop() {
                        return Rest::Over;
                    }
                    self.welcome();
                }
                if self.scheduler.is_to_look() {
                    self.watch.look_now();
                    if home.is_to_stop() {
                        return Rest::Over;
                    }
                }
                if self.turns_a_poll.is_some_and(|most| turns >= most) {
                    return Rest::MoreToDo;
                }
                match self.scheduler.first(&self.local) {
                    Some(task) => task,
                    None if home.is_empty() => return Rest::Over,
                    None => return Rest::Idle,
                }
            };
            turns += 1;
            self.local.begin_turn();
            if let Some(task) = self.run(task) {
                retire(&self.registry, task);
            }
            if self.local.has_done() {
                self.retire_those_within();
            }
            let within = self.local.turns_within();
            turns += within;
            straight += within;
        }
    }

    /// Takes in those that were woken from elsewhere.
    fn welcome(&self) {
        while let Some(task) = self.home.take_injected() {
            if task.note_wake(true) {
                self.local.push(task.as_ptr());
            }
            task.clear_injected();
        }
    }

    #[cold]
    fn retire_those_within(&self) {
        for task in self.local.take_done() {
            // SAFETY: the executor's own hold, which it has until the task is done.
            retire(&self.registry, unsafe { TaskRef::from_raw(task) });
        }
    }

    /// Runs a task for a turn; returns it if it is done.
    #[inline]
    fn run(&self, task: NonNull<Task>) -> Option<TaskRef> {
        // SAFETY: the executor's own hold, which it has until the task is done.
        let held = ManuallyDrop::new(unsafe { TaskRef::from_raw(task) });
        // SAFETY: it was scheduled, and this thread alone runs the tasks of this home.
        match unsafe { held.run(true) } {
            Turn::Blocked => None,
            Turn::Again => {
                self.local.push(task);
                None
            }
            Turn::Done => Some(ManuallyDrop::into_inner(held)),
        }
    }

    /// All processes wait: looks for a deadlock, and asks what follows.
    fn all_wait(&self) -> AllWait {
        match self.scheduler.watching() {
            // Whom it has woken is injected, which is heard of before anybody sleeps.
            Watching::ByThread => self.watch.look_while_idle(),
            Watching::AtRest => {
                if self.watch.look_now() || self.registry.home.is_to_stop() {
                    return AllWait::GoOn;
                }
                false
            }
            Watching::Nobody => false,
        };
        self.scheduler.all_wait()
    }
}

impl<S> Executor<S> {
    /// Ends all processes where they are.
    fn clear(&self) {
        let _at_home = AtHome::new(&self.local);
        end_all(&self.registry);
    }
}

/// A task is done, or cannot go on: gives the executor's hold of it up.
pub(super) fn retire(registry: &Registry, task: TaskRef) {
    // SAFETY: nobody polls it.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| unsafe { task.finish() })) {
        let process = registry.name_of_task(&task);
        let cause = Cause::of_panic(&*payload);
        registry.fail(Failure { process, cause });
    }
    registry.remove_task(&task);
    drop(task);
    registry.home.one_less();
}

/// Drops all processes that have not ended, which gives their ends up; nobody polls them any more. One that a thread, or
/// an attached process, starts from now on is too late.
pub(super) fn end_all(registry: &Registry) {
    let tasks = registry.close_to_processes();
    // First, for this thread is at home in none of them, and whoever is woken there would be taken in.
    for island in registry.islands() {
        island.close();
    }
    let end = || {
        for task in tasks {
            // SAFETY: the executor's hold: a process has it from before it is listed until it has ended.
            let executors = unsafe { TaskRef::from_raw(task.as_ptr()) };
            retire(registry, executors);
        }
    };
    if registry.islands().is_empty() {
        end();
    } else {
        // Their channels are owned, and nobody who owns one comes any more.
        registry.among_channels(end);
    }
    registry.home.close();
}

impl<S: Scheduler> Future for Executor<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.work() {
                Rest::MoreToDo => {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Rest::Over => break,
                Rest::Idle => match self.all_wait() {
                    AllWait::Sleep if self.registry.home.hear(context.waker()) => {
                        return Poll::Pending;
                    }
                    AllWait::Sleep | AllWait::GoOn => {}
                    AllWait::End => break,
                },
            }
        }
        self.has_ended = true;
        self.clear();
        Poll::Ready(())
    }
}

impl<S> Drop for Executor<S> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.clear();
        }
    }
}
