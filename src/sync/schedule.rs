//! The scheduler: who says what time it is, who runs next, what follows when all wait, and who looks for deadlocks.
//!
//! All of it stands behind one small interface, [`Scheduler`], of which each network has its own. The ordinary one is the
//! [`System`]'s, which costs nothing that one would have to ask for: the executor is compiled for it, and what asks for
//! the time outside a network that is scheduled otherwise asks the system straight away. Another one is that of a
//! rehearsal (`process::rehearsal`), where time is virtual, and what is left open here is a choice of the test's.
//!
//! # What a scheduler promises
//!
//! - *Time.* Its clock never goes back. An alarm goes off at its instant or later, never earlier, once, and not after it
//!   was taken back; the waker is woken, cloned and dropped under no lock of the scheduler's.
//! - *Order.* Each task that can run is run at some time, if the others leave it the processor: it may be left waiting for
//!   any number of turns, and for no other reason. A task is given out once for each time that it was put into the queue.
//! - *Rest.* When all wait it either lets whoever runs the tasks sleep until somebody is woken, or has something happen
//!   (time passes, an alarm goes off), or says that nothing ever will. It does not keep the processor and do nothing.
//! - *Watch.* It says who looks for deadlocks: a thread, at its own pace, or whoever runs the tasks, each time that all
//!   wait and when it is asked to.
//!
//! # What is to be asked of it
//!
//! Code of this crate that runs in a process asks [`time`](super::time) what time it is, sets an
//! [`Alarm`](super::alarm::Alarm), and chooses [here](pick). It does not look at a clock of its own, and blocks no thread.

use std::task::Context;
#[cfg(not(loom))]
use std::{ptr::NonNull, task::Waker, time::Instant};

#[cfg(not(loom))]
use super::{
    Arc,
    alarm::{self, Key},
    home::{self, Home, Local},
    task::{self, Task, Way},
};

/// How many turns in a row go to whoever was woken last, before those that wait have theirs.
#[cfg(not(loom))]
pub(crate) const STRAIGHT_MAX: u32 = 128;

/// What follows when all tasks wait.
#[cfg(not(loom))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AllWait {
    /// Until one is woken from elsewhere.
    Sleep,
    /// Something has happened meanwhile.
    GoOn,
    /// Nothing will happen any more, or nothing is to.
    End,
}

/// Who looks for deadlocks.
#[cfg(not(loom))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watching {
    /// A thread does now and then, and whoever runs the tasks when all wait, unless it was done lately.
    ByThread,
    /// Whoever runs the tasks does, whenever all wait.
    AtRest,
    /// Nobody does any more: it is over, whoever could go on.
    Nobody,
}

/// See the [module](self).
#[cfg(not(loom))]
pub(crate) trait Scheduler: Send + Sync {
    // ---- Time ----

    /// What time it is.
    fn now(&self) -> Instant;

    /// Has `waker` woken at `at`, in the place of the alarm `old`, if that is still set.
    fn set_alarm(&self, old: Option<Key>, at: Instant, waker: &Waker) -> Key;

    /// Takes an alarm back; it may have gone off.
    fn clear_alarm(&self, alarm: Key);

    // ---- Order ----

    /// Whether tasks are run in the middle of the turns of others, without asking.
    fn runs_within(&self) -> bool;

    /// Who runs next after `straight` turns in a row that were given out here, before anybody looks for those that were
    /// woken from elsewhere; nobody, if it is to be looked for them first.
    fn next(&self, runnable: &Local, straight: u32) -> Option<NonNull<Task>>;

    /// Who runs next of all that can.
    fn first(&self, runnable: &Local) -> Option<NonNull<Task>>;

    /// Which of so many guards that can meet an alternation takes, of those with the same right.
    fn pick(&self, guards: usize) -> usize;

    /// Whether the task that runs may begin an operation in this turn; if not, it does so in another turn, for which it
    /// is woken.
    fn may_begin(&self) -> bool;

    // ---- Rest and watch ----

    /// All tasks wait: what follows.
    fn all_wait(&self) -> AllWait;

    fn watching(&self) -> Watching;

    /// Whether it is to be looked for deadlocks now, between two turns.
    fn is_to_look(&self) -> bool;

    // ---- What it is told ----

    /// A message has changed hands at the channel that has something at this address, from the task with the one number
    /// to that with the other, as far as they are known and tasks. Under the channel's lock.
    fn has_changed_hands(&self, channel: usize, from: Option<u32>, to: Option<u32>);
}

/// The scheduler of networks that run in the time of the system: the partner of a rendezvous runs next, at once if it can,
/// and the others in the order in which they were woken.
#[cfg(not(loom))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct System;

#[cfg(not(loom))]
impl Scheduler for System {
    fn now(&self) -> Instant {
        super::time::now_of_system()
    }

    fn set_alarm(&self, old: Option<Key>, at: Instant, waker: &Waker) -> Key {
        alarm::service::set(old, at, waker)
    }

    fn clear_alarm(&self, alarm: Key) {
        alarm::service::clear(alarm);
    }

    #[inline]
    fn runs_within(&self) -> bool {
        true
    }

    #[inline]
    fn next(&self, runnable: &Local, straight: u32) -> Option<NonNull<Task>> {
        if straight < STRAIGHT_MAX {
            runnable.take_next()
        } else {
            None
        }
    }

    #[inline]
    fn first(&self, runnable: &Local) -> Option<NonNull<Task>> {
        runnable.take_first().or_else(|| runnable.take_next())
    }

    fn pick(&self, guards: usize) -> usize {
        super::random_below(guards)
    }

    #[inline]
    fn may_begin(&self) -> bool {
        true
    }

    #[inline]
    fn all_wait(&self) -> AllWait {
        AllWait::Sleep
    }

    #[inline]
    fn watching(&self) -> Watching {
        Watching::ByThread
    }

    #[inline]
    fn is_to_look(&self) -> bool {
        false
    }

    fn has_changed_hands(&self, _channel: usize, _from: Option<u32>, _to: Option<u32>) {}
}

// ---- What the channels ask ----

/// Whether this thread runs tasks that have a scheduler of their own: everything here is a matter of one look otherwise.
#[cfg(not(loom))]
#[inline]
pub(crate) fn is_rehearsed() -> bool {
    home::is_rehearsed()
}

/// Under loom nothing is scheduled but by loom.
#[cfg(loom)]
#[inline]
pub(crate) fn is_rehearsed() -> bool {
    false
}

/// The home of the task that runs, if that has a scheduler of its own.
#[cfg(not(loom))]
#[inline]
pub(crate) fn home_of_current() -> Option<Arc<Home>> {
    if is_rehearsed() {
        own_home_of_current()
    } else {
        None
    }
}

/// A task of another network may be polled in the middle of one that is rehearsed.
#[cfg(not(loom))]
#[cold]
fn own_home_of_current() -> Option<Arc<Home>> {
    let task = task::current()?;
    // SAFETY: it runs, so it is alive.
    let Way::Executor(home) = unsafe { task.as_ref() }.way() else {
        return None;
    };
    home.is_rehearsed().then(|| Arc::clone(home))
}

/// What time it is for the task that runs, if that has a scheduler of its own.
#[cfg(not(loom))]
#[inline]
pub(super) fn now_of_current() -> Option<Instant> {
    home_of_current().map(|home| home.scheduler().now())
}

/// One of so many guards.
#[inline]
pub(crate) fn pick(guards: usize) -> usize {
    #[cfg(not(loom))]
    if let Some(home) = home_of_current() {
        return home.scheduler().pick(guards);
    }
    super::random_below(guards)
}

/// An operation is polled first. Whether it is to wait for another turn of its task: then the task is woken for it.
///
/// Where each operation is to have a turn of its own, others may come between any two.
#[inline]
pub(crate) fn is_to_wait(context: &Context<'_>) -> bool {
    is_rehearsed() && waits_for_another_turn(context)
}

#[cfg(not(loom))]
#[cold]
fn waits_for_another_turn(context: &Context<'_>) -> bool {
    let waits = home_of_current().is_some_and(|home| !home.scheduler().may_begin());
    if waits {
        context.waker().wake_by_ref();
    }
    waits
}

#[cfg(loom)]
fn waits_for_another_turn(_context: &Context<'_>) -> bool {
    false
}

/// See [`Scheduler::has_changed_hands`].
#[cfg(not(loom))]
pub(crate) fn note_hand_over(
    channel: usize,
    from: Option<NonNull<Task>>,
    to: Option<NonNull<Task>>,
) {
    if let Some(home) = home_of_current() {
        // SAFETY: it runs, or a waiter of it hangs in a list of that channel, which is locked: so it is alive.
        let number = |task: NonNull<Task>| unsafe { task.as_ref() }.id();
        let scheduler = home.scheduler();
        scheduler.has_changed_hands(channel, from.map(number), to.map(number));
    }
}

/// The task that runs is about to block its thread.
///
/// # Panics
///
/// If it is one of a network that is rehearsed: nobody else could run then, and no time would pass.
#[cfg(not(loom))]
#[inline]
pub(crate) fn is_about_to_block() {
    assert!(
        !is_rehearsed() || home_of_current().is_none(),
        "a process of a network that is rehearsed blocks its thread, so that nobody else can run: in a process, await the \
         async form of the operation"
    );
}
