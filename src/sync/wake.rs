//! Whom to wake: the handle that a waiter has.

use std::{
    mem::ManuallyDrop,
    ptr::{self, NonNull},
    task::{Context, RawWaker, Waker},
};

use super::task::{COUNTED, LENT, Task, Way, address, counted, current, is_lent};

/// Whom to wake: a task, or a thread as if it were one, so that the handle is two words that stay in registers.
///
/// For the task that is running it is *lent*: it is not counted as a holder, since the waiter that has it is, by its
/// owner, and the task stays while one is. Whoever takes it from there [carries](Self::carry) it.
pub(crate) struct Wake(ManuallyDrop<Waker>);

/// The task that runs, if it is what `context` wakes: then it lends its handle.
#[inline]
pub(crate) fn lending(context: &Context<'_>) -> Option<NonNull<Task>> {
    let waker = context.waker();
    if !ptr::eq(waker.vtable(), &raw const COUNTED) {
        return None;
    }
    let task = address(waker.data());
    (current() == Some(task)).then_some(task)
}

impl Drop for Wake {
    #[inline]
    fn drop(&mut self) {
        // What is lent is not counted.
        if !is_lent(&self.0) {
            // SAFETY: dropped here only, and not used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}

impl Wake {
    /// Whoever calls, to be unparked.
    #[inline]
    pub(crate) fn this_thread() -> Self {
        match current() {
            Some(task) => Self::lent(task),
            None => Self::new(super::thread::waker()),
        }
    }

    /// Clones a waker, which is foreign code: never call this under a lock.
    #[inline]
    pub(crate) fn task(context: &Context<'_>) -> Self {
        match lending(context) {
            Some(task) => Self::lent(task),
            None => Self::new(context.waker().clone()),
        }
    }

    #[inline]
    fn new(waker: Waker) -> Self {
        Self(ManuallyDrop::new(waker))
    }

    #[inline]
    pub(crate) fn lent(task: NonNull<Task>) -> Self {
        // SAFETY: the vtable's functions are those of a task.
        Self::new(unsafe { Waker::from_raw(RawWaker::new(task.as_ptr().cast(), &LENT)) })
    }

    /// The task that has lent this handle.
    #[inline]
    pub(crate) fn lender(&self) -> Option<NonNull<Task>> {
        is_lent(&self.0).then(|| address(self.0.data()))
    }

    /// Makes it fit to be kept after the lock of the channel was released, under which it was taken from its waiter.
    /// A task that only this thread runs cannot end before it is woken.
    #[inline]
    pub(crate) fn carry(self) -> Self {
        match self.lender() {
            Some(task) => Self::carry_lent(task),
            None => self,
        }
    }

    #[inline]
    fn carry_lent(task: NonNull<Task>) -> Self {
        // SAFETY: the waiter hung in a list until now, so its task is alive.
        let held = unsafe { task.as_ref() };
        if let Way::Executor(home) = held.way()
            && home.runs_here_alone()
        {
            return Self::lent(task);
        }
        held.hold();
        // SAFETY: it was just counted.
        Self::new(unsafe { counted(task) })
    }

    /// Runs foreign code: never call this under a lock.
    #[inline]
    pub(crate) fn wake(self) {
        if let Some(task) = self.lender() {
            // SAFETY: lent, so the task is alive.
            unsafe { Task::wake(task) };
        } else {
            let mut this = ManuallyDrop::new(self);
            // SAFETY: taken here only, and not dropped afterwards.
            unsafe { ManuallyDrop::take(&mut this.0) }.wake();
        }
    }

    #[inline]
    pub(crate) fn will_wake(&self, other: &Waker) -> bool {
        if is_lent(&self.0) {
            ptr::eq(self.0.data(), other.data()) && ptr::eq(other.vtable(), &raw const COUNTED)
        } else {
            self.0.will_wake(other)
        }
    }
}
