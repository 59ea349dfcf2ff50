//! What the coordinator knows of all units: how many were taken, how many are done, whose turn it is.
//!
//! # Invariants
//! - `finished <= taken`, and each unit is counted once in each.
//! - With `keep_order`, every unit below `turn` is finished, and only unit `turn` may become finished.
//! - The verdict is given once.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::cli::limits;
use crate::cli::message::Outcome;
use crate::cli::values::{Halt, HaltWhen};

/// Why a run is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All units that were taken are finished.
    Finished,
    /// A unit failed, and that was to end it at once.
    Halted,
    /// The reader of standard output went away.
    OutputClosed,
    /// This signal came.
    Signal(i32),
    /// All workers were asked to leave, and no other can join.
    Forsaken,
    /// It cannot go on, for this reason.
    Internal(String),
}

/// The state of a run, shared by all tasks of the coordinator's thread.
#[derive(Debug)]
pub struct Ledger {
    keep_order: bool,
    halt: Halt,
    started: Instant,
    taken: Cell<u64>,
    finished: Cell<u64>,
    failed: Cell<u64>,
    /// The first few failures.
    failures: RefCell<Vec<(u64, Outcome)>>,
    poisoned: Cell<u64>,
    /// The first many of the poisoned.
    named_poisoned: RefCell<Vec<(u64, u32)>>,
    turn: Cell<u64>,
    turn_changed: Notify,
    input_ended: Cell<bool>,
    halting: Cell<bool>,
    verdict: RefCell<Option<Verdict>>,
    /// The input ended, or there is a verdict.
    phase_changed: Notify,
    workers: Cell<usize>,
    joined: Cell<u64>,
    idle: RefCell<Idle>,
    turn_wait: Cell<Duration>,
}

/// How long workers waited for units: the time with its number of idle workers, summed up.
#[derive(Debug)]
struct Idle {
    workers: u32,
    since: Instant,
    before: Duration,
}

/// A moment of a run.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Units that succeeded or failed.
    pub finished: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Those of the failed that are poisoned.
    pub poisoned: u64,
    /// Units taken from the input and not finished.
    pub in_hand: u64,
    /// Workers joined.
    pub workers: usize,
    /// Time since the start.
    pub elapsed: Duration,
    /// The time that workers, summed up, waited for a unit.
    pub workers_waited: Duration,
    /// The time that results, summed up, waited to be taken.
    pub results_waited: Duration,
}

impl Ledger {
    /// Nothing has happened yet.
    pub fn new(keep_order: bool, halt: Halt) -> Self {
        let started = Instant::now();
        Self {
            keep_order,
            halt,
            started,
            taken: Cell::new(0),
            finished: Cell::new(0),
            failed: Cell::new(0),
            failures: RefCell::default(),
            poisoned: Cell::new(0),
            named_poisoned: RefCell::default(),
            turn: Cell::new(1),
            turn_changed: Notify::new(),
            input_ended: Cell::new(false),
            halting: Cell::new(false),
            verdict: RefCell::default(),
            phase_changed: Notify::new(),
            workers: Cell::new(0),
            joined: Cell::new(0),
            idle: RefCell::new(Idle {
                workers: 0,
                since: started,
                before: Duration::ZERO,
            }),
            turn_wait: Cell::new(Duration::ZERO),
        }
    }

    /// A unit was taken from the input.
    pub fn take(&self) {
        self.taken.set(self.taken.get() + 1);
    }

    /// A unit is done for good, and its result written.
    pub fn finish(&self, number: u64, outcome: &Outcome) {
        debug_assert!(
            !self.keep_order || number == self.turn.get(),
            "only the unit whose turn it is is finished"
        );
        self.finished.set(self.finished.get() + 1);
        debug_assert!(self.finished.get() <= self.taken.get());
        if self.keep_order {
            self.turn.set(number + 1);
            self.turn_changed.notify_waiters();
        }
        if !outcome.is_success() {
            self.fail(number, outcome);
        }
        self.look_for_the_end();
    }

    fn fail(&self, number: u64, outcome: &Outcome) {
        self.failed.set(self.failed.get() + 1);
        let mut failures = self.failures.borrow_mut();
        if failures.len() < limits::NAMED_FAILURES {
            failures.push((number, outcome.clone()));
        }
        drop(failures);
        if let Outcome::Poisoned(losses) = *outcome {
            self.poisoned.set(self.poisoned.get() + 1);
            let mut named = self.named_poisoned.borrow_mut();
            if named.len() < limits::NAMED_POISONED {
                named.push((number, losses));
            }
        }
        if self.failed.get() >= self.halt.failures {
            match self.halt.when {
                HaltWhen::Never => {}
                HaltWhen::Soon => {
                    self.halting.set(true);
                    self.end_input();
                }
                HaltWhen::Now => self.end(Verdict::Halted),
            }
        }
    }

    /// No further unit is taken from the input.
    pub fn end_input(&self) {
        if !self.input_ended.replace(true) {
            self.phase_changed.notify_waiters();
        }
        self.look_for_the_end();
    }

    fn look_for_the_end(&self) {
        if self.input_ended.get() && self.finished == self.taken {
            self.end(Verdict::Finished);
        }
    }

    /// Ends the run, unless it is over already.
    pub fn end(&self, verdict: Verdict) {
        self.verdict.borrow_mut().get_or_insert(verdict);
        self.phase_changed.notify_waiters();
    }

    /// Waits for the verdict.
    pub async fn over(&self) -> Verdict {
        loop {
            let changed = self.phase_changed.notified();
            if let Some(verdict) = &*self.verdict.borrow() {
                return verdict.clone();
            }
            changed.await;
        }
    }

    /// Waits until no further unit is taken from the input.
    pub async fn input_end(&self) {
        let changed = self.phase_changed.notified();
        if !self.input_ended.get() {
            changed.await;
        }
    }

    /// Whether units are still taken from the input.
    pub fn takes_input(&self) -> bool {
        !self.input_ended.get() && self.verdict.borrow().is_none()
    }

    /// Whether a failure made the run stop soon.
    pub fn is_halting(&self) -> bool {
        self.halting.get()
    }

    /// The unit that is the next to be finished, with `keep_order`.
    pub fn turn(&self) -> u64 {
        self.turn.get()
    }

    /// Waits until a condition holds that depends on the turn; looks at it whenever the turn changes, or at
    /// once.
    pub async fn turn_is(&self, holds: impl Fn(u64) -> bool) {
        loop {
            let changed = self.turn_changed.notified();
            if holds(self.turn.get()) {
                return;
            }
            changed.await;
        }
    }

    /// Has those look again who wait for a turn: a unit has changed hands.
    pub fn look_again(&self) {
        self.turn_changed.notify_waiters();
    }

    /// Failed units, and the first few of them.
    pub fn failures(&self) -> (u64, Vec<(u64, Outcome)>) {
        (self.failed.get(), self.failures.borrow().clone())
    }

    /// Poisoned units, and the first many of them with how many workers each lost. They are among the failed.
    pub fn poisoned(&self) -> (u64, Vec<(u64, u32)>) {
        (self.poisoned.get(), self.named_poisoned.borrow().clone())
    }

    /// Units taken from the input.
    pub fn taken(&self) -> u64 {
        self.taken.get()
    }

    /// A worker joined or left.
    pub fn workers_changed(&self, joined: bool) {
        if joined {
            self.workers.set(self.workers.get() + 1);
            self.joined.set(self.joined.get() + 1);
        } else {
            self.workers.set(self.workers.get() - 1);
        }
    }

    /// Workers that ever joined.
    pub fn joined(&self) -> u64 {
        self.joined.get()
    }

    /// Units finished.
    pub fn finished(&self) -> u64 {
        self.finished.get()
    }

    /// Whether there is a verdict.
    pub fn is_over(&self) -> bool {
        self.verdict.borrow().is_some()
    }

    /// Counts a worker as idle until the guard is dropped.
    pub fn idle_worker(&self) -> IdleWorker<'_> {
        self.idle.borrow_mut().change(1);
        IdleWorker(self)
    }

    /// A result waited this long in its worker's hand.
    pub fn result_waited(&self, time: Duration) {
        self.turn_wait.set(self.turn_wait.get() + time);
    }

    /// This moment.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            finished: self.finished.get(),
            failed: self.failed.get(),
            poisoned: self.poisoned.get(),
            in_hand: self.taken.get() - self.finished.get(),
            workers: self.workers.get(),
            elapsed: self.started.elapsed(),
            workers_waited: self.idle.borrow().total(),
            results_waited: self.turn_wait.get(),
        }
    }
}

impl Idle {
    fn total(&self) -> Duration {
        self.before + self.since.elapsed() * self.workers
    }

    fn change(&mut self, by: i32) {
        self.before = self.total();
        self.since = Instant::now();
        self.workers = self.workers.saturating_add_signed(by);
    }
}

/// A worker that waits for a unit.
#[derive(Debug)]
pub struct IdleWorker<'a>(&'a Ledger);

impl Drop for IdleWorker<'_> {
    fn drop(&mut self) {
        self.0.idle.borrow_mut().change(-1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Halt = Halt {
        when: HaltWhen::Never,
        failures: 1,
    };
    const OK: Outcome = Outcome::Exited(0);

    fn verdict(ledger: &Ledger) -> Option<Verdict> {
        ledger.verdict.borrow().clone()
    }

    #[test]
    fn a_run_is_over_when_the_input_ended_and_all_units_are_finished() {
        let ledger = Ledger::new(false, NEVER);
        ledger.take();
        ledger.take();
        ledger.finish(2, &OK);
        ledger.end_input();
        assert_eq!(verdict(&ledger), None);
        ledger.finish(1, &Outcome::Exited(1));
        assert_eq!(verdict(&ledger), Some(Verdict::Finished));
        assert_eq!(ledger.failures(), (1, vec![(1, Outcome::Exited(1))]));
    }

    #[test]
    fn an_input_without_units_is_over_at_its_end() {
        let ledger = Ledger::new(true, NEVER);
        ledger.end_input();
        assert_eq!(verdict(&ledger), Some(Verdict::Finished));
    }

    #[test]
    fn halting_soon_takes_no_more_and_finishes_what_is_in_hand() {
        let ledger = Ledger::new(
            false,
            Halt {
                when: HaltWhen::Soon,
                failures: 2,
            },
        );
        (0..4).for_each(|_| ledger.take());
        ledger.finish(1, &Outcome::Exited(1));
        assert!(ledger.takes_input());
        ledger.finish(2, &Outcome::Exited(1));
        assert!(!ledger.takes_input());
        ledger.finish(3, &OK);
        assert_eq!(verdict(&ledger), None);
        ledger.finish(4, &OK);
        assert_eq!(verdict(&ledger), Some(Verdict::Finished));
    }

    #[test]
    fn halting_now_is_the_verdict() {
        let ledger = Ledger::new(
            false,
            Halt {
                when: HaltWhen::Now,
                failures: 1,
            },
        );
        ledger.take();
        ledger.finish(1, &Outcome::TimedOut(5));
        assert_eq!(verdict(&ledger), Some(Verdict::Halted));
        ledger.end(Verdict::Finished);
        assert_eq!(verdict(&ledger), Some(Verdict::Halted));
    }

    #[test]
    fn the_poisoned_are_counted_among_the_failed() {
        let ledger = Ledger::new(false, NEVER);
        for number in 1..=2000 {
            ledger.take();
            ledger.finish(number, &Outcome::Poisoned(3));
        }
        let (count, named) = ledger.poisoned();
        assert_eq!((count, named.len()), (2000, limits::NAMED_POISONED));
        assert_eq!((ledger.failures().0, named[0]), (2000, (1, 3)));
    }

    #[test]
    fn only_the_first_failures_are_kept() {
        let ledger = Ledger::new(false, NEVER);
        for number in 1..=100 {
            ledger.take();
            ledger.finish(number, &Outcome::Exited(1));
        }
        let (count, named) = ledger.failures();
        assert_eq!((count, named.len()), (100, limits::NAMED_FAILURES));
    }
}
