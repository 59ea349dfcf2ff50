//! The hold that a worker has on what it runs: to stop it, let it go on, or cut it short.
//!
//! # Invariants
//! - At most one unit is at work; a cut is meant for it, and what it was cut by is decided once.
//! - While it is paused the command's process group is stopped, or was not started yet.
//! - `group` is the group of a command that was not waited for: its number cannot be another's.

use std::cell::Cell;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cli::processes;

/// What a run is cut short by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Somebody does not want the unit's result.
    Aborted,
    /// The worker was cut off: the unit may be another's by now.
    GivenBack,
    /// The worker leaves.
    Stopped,
}

/// A hold on one command after another.
#[derive(Debug, Default)]
pub struct Hold {
    /// Leaving, from now on and for all units.
    stopped: Cell<bool>,
    /// The unit that is at work, and what it was cut short by.
    unit: Cell<Option<u64>>,
    cut: Cell<Option<Cut>>,
    paused: Cell<bool>,
    group: Cell<Option<Pid>>,
    changed: Notify,
}

impl Hold {
    // ---- Who orders ----

    /// Ends what runs, now and in future.
    pub fn stop(&self) {
        self.stopped.set(true);
        self.changed.notify_waiters();
    }

    /// Has a unit's command ended, if that unit is at work; false if it is not.
    pub fn abort(&self, number: u64) -> bool {
        let at_work = self.unit.get() == Some(number) && self.cut.get().is_none();
        if at_work {
            self.cut.set(Some(Cut::Aborted));
            self.changed.notify_waiters();
        }
        at_work
    }

    /// Has the command of the unit at work ended, if there is one, and the unit given back.
    pub fn give_back(&self) {
        if self.unit.get().is_some() && self.cut.get().is_none() {
            self.cut.set(Some(Cut::GivenBack));
            self.changed.notify_waiters();
        }
    }

    /// Stops the command, and whatever is started while paused.
    pub fn pause(&self) {
        self.set_paused(true, Signal::STOP);
    }

    /// Lets the command go on.
    pub fn resume(&self) {
        self.set_paused(false, Signal::CONT);
    }

    fn set_paused(&self, paused: bool, signal: Signal) {
        if self.paused.replace(paused) == paused {
            return;
        }
        if let Some(group) = self.group.get() {
            processes::signal_group(group, signal);
            processes::signal_session_mates(signal);
        }
        self.changed.notify_waiters();
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.paused.get()
    }

    // ---- Who runs ----

    /// A unit is at work.
    pub fn begin(&self, number: u64) {
        self.unit.set(Some(number));
        self.cut.set(None);
    }

    /// Its result is decided. What it was cut short by, if it was.
    pub fn finish(&self) -> Option<Cut> {
        self.unit.set(None);
        self.cut.take()
    }

    /// What the run is cut short by, if it is.
    pub fn cut(&self) -> Option<Cut> {
        if self.stopped.get() {
            return Some(Cut::Stopped);
        }
        self.cut.get()
    }

    /// Waits until the run is cut short.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn is_cut(&self) -> Cut {
        loop {
            let changed = self.changed.notified();
            if let Some(cut) = self.cut() {
                return cut;
            }
            changed.await;
        }
    }

    /// Waits until it is not paused, or the run is cut short.
    pub async fn goes_on(&self) {
        loop {
            let changed = self.changed.notified();
            if !self.paused.get() || self.cut().is_some() {
                return;
            }
            changed.await;
        }
    }

    /// Waits for this much time in which it is not paused: a time limit stands still while the command does.
    pub async fn has_run(&self, mut time: Duration) {
        loop {
            let changed = self.changed.notified();
            if self.paused.get() {
                changed.await;
                continue;
            }
            let began = Instant::now();
            tokio::select! {
                () = tokio::time::sleep(time) => return,
                () = changed => time = time.saturating_sub(began.elapsed()),
            }
        }
    }

    /// A command was started as this group.
    pub fn set_group(&self, group: Option<Pid>) {
        self.group.set(group);
        if let (Some(group), true) = (group, self.paused.get()) {
            processes::signal_group(group, Signal::STOP);
        }
    }

    /// The group of the command that runs.
    pub fn group(&self) -> Option<Pid> {
        self.group.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_unit_at_work_is_aborted_and_only_until_its_result_is_decided() {
        let hold = Hold::default();
        assert!(!hold.abort(1));
        hold.begin(2);
        assert!(!hold.abort(1));
        assert!(hold.abort(2));
        assert_eq!(hold.cut(), Some(Cut::Aborted));
        assert!(!hold.abort(2), "once");
        assert_eq!(hold.finish(), Some(Cut::Aborted));
        assert!(!hold.abort(2));
        hold.begin(3);
        assert_eq!(hold.cut(), None);
    }

    #[test]
    fn a_time_limit_stands_still_while_paused() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.unwrap().block_on(async {
            let hold = Hold::default();
            let limit = hold.has_run(Duration::from_millis(50));
            let pauses = async {
                hold.pause();
                tokio::time::sleep(Duration::from_millis(200)).await;
                let resumed = Instant::now();
                hold.resume();
                resumed
            };
            let (late, resumed) = tokio::join!(
                async {
                    limit.await;
                    Instant::now()
                },
                pauses
            );
            assert!(late > resumed);
        });
    }
}
