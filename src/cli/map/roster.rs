//! The workers that have joined: what each is at, what it was told, and what its commands say of their units.
//!
//! # Invariants
//! - A worker is here from when it got its job until it is gone or given up.
//! - A paused one is given no unit: `paused` is set before it is told, and it is told when no unit is on its way.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::Notify;

use super::hand::Hand;
use crate::Sender;
use crate::cli::lease::Heard;

/// A worker's place in the run.
#[derive(Debug)]
pub struct Seat {
    /// Its number: the first that joined is 1.
    pub id: u64,
    /// As it is called in reports.
    pub name: String,
    /// It was started by this program.
    pub local: bool,
    /// When it was heard last.
    pub heard: Heard,
    /// What it has in hand.
    pub hand: Hand,
    /// Where it takes orders.
    pub control: Sender<Bytes>,
    /// One order after the other.
    pub orders: tokio::sync::Mutex<()>,
    /// What was said last of the unit that it is at.
    pub progress: RefCell<Option<UnitProgress>>,
    /// It was asked to leave.
    pub leaves: Cell<bool>,
    /// Since when it is paused, or has nothing to do.
    since: Cell<Instant>,
    paused: Cell<bool>,
    /// A unit is on its way to it.
    offered: Cell<bool>,
    changed: Notify,
}

/// What a command said of its unit.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitProgress {
    /// The unit.
    pub unit: u64,
    /// Millionths of the whole.
    pub millionths: u32,
    /// For people.
    pub text: String,
}

impl Seat {
    /// Its process number, if it is a process of this machine that this program started.
    pub fn local_pid(&self) -> Option<u32> {
        self.name
            .rsplit_once(':')?
            .1
            .parse()
            .ok()
            .filter(|_| self.local)
    }

    /// Since when it is paused, or has nothing to do.
    pub fn since(&self) -> Instant {
        self.since.get()
    }

    /// It has nothing to do from now on.
    pub fn rest(&self) {
        self.since.set(Instant::now());
    }

    /// Whether it is, or is to be, paused.
    pub fn is_paused(&self) -> bool {
        self.paused.get()
    }

    /// Gives it no unit from now on, or gives it units again.
    pub fn set_paused(&self, paused: bool) {
        if self.paused.replace(paused) != paused {
            self.rest();
        }
        self.changed.notify_waiters();
    }

    /// Waits until it may be given units, or until it may not.
    pub async fn is_paused_to(&self, paused: bool) {
        loop {
            let changed = self.changed.notified();
            if self.paused.get() == paused {
                return;
            }
            changed.await;
        }
    }

    /// A unit is on its way to it until the guard is dropped.
    pub fn offer(&self) -> Offer<'_> {
        self.offered.set(true);
        Offer(self)
    }

    /// Waits until no unit is on its way to it.
    pub async fn settled(&self) {
        loop {
            let changed = self.changed.notified();
            if !self.offered.get() {
                return;
            }
            changed.await;
        }
    }

    /// The newest progress of the unit that it is at, if its command said any.
    pub fn progress(&self) -> Option<UnitProgress> {
        let (unit, _) = self.hand.at()?;
        let progress = self.progress.borrow();
        progress.clone().filter(|progress| progress.unit == unit)
    }
}

/// A unit on its way.
#[derive(Debug)]
pub struct Offer<'a>(&'a Seat);

impl Drop for Offer<'_> {
    fn drop(&mut self) {
        self.0.offered.set(false);
        self.0.changed.notify_waiters();
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Roster {
    seats: RefCell<BTreeMap<u64, Rc<Seat>>>,
    last: Cell<u64>,
    /// Whoever joins is paused.
    all_paused: Cell<bool>,
    /// Results that came from a worker after it was given up.
    late: Cell<u64>,
    /// Units of which a line was reported that is none.
    bad_reports: Cell<u64>,
    /// Units whose worker was lost, and that no other has yet.
    waiting: RefCell<BTreeSet<u64>>,
    /// Local workers, by process: those that run, that were asked to leave, and that are to be killed. The last
    /// two are among the first.
    locals: RefCell<BTreeSet<u32>>,
    retired: RefCell<BTreeSet<u32>>,
    condemned: RefCell<BTreeSet<u32>>,
    condemned_changed: Notify,
}

impl Roster {
    /// Somebody joined who takes orders on `control`.
    pub fn join(&self, name: String, local: bool, control: Sender<Bytes>) -> Rc<Seat> {
        let id = self.last.get() + 1;
        self.last.set(id);
        let seat = Rc::new(Seat {
            id,
            local,
            name,
            heard: Heard::now(),
            hand: Hand::default(),
            control,
            orders: tokio::sync::Mutex::default(),
            progress: RefCell::default(),
            leaves: Cell::new(false),
            since: Cell::new(Instant::now()),
            paused: Cell::new(self.all_paused.get()),
            offered: Cell::new(false),
            changed: Notify::new(),
        });
        self.seats.borrow_mut().insert(id, Rc::clone(&seat));
        seat
    }

    /// It is gone, or given up.
    pub fn leave(&self, seat: &Seat) {
        self.seats.borrow_mut().remove(&seat.id);
    }

    /// Those that have joined, in the order in which they did.
    pub fn seats(&self) -> Vec<Rc<Seat>> {
        self.seats.borrow().values().cloned().collect()
    }

    /// Those whom `whom` means: by number, by name, or by the part of the name after its kind.
    pub fn find(&self, whom: &str) -> Vec<Rc<Seat>> {
        let number: Option<u64> = whom.trim_start_matches('#').parse().ok();
        let mut seats = self.seats();
        seats.retain(|seat| {
            let place = seat.name.split_once(' ').map(|(_, place)| place);
            number == Some(seat.id) || seat.name == whom || place == Some(whom)
        });
        seats
    }

    /// Whether whoever joins is paused.
    pub fn is_all_paused(&self) -> bool {
        self.all_paused.get()
    }

    /// Pauses whoever joins from now on, or does not.
    pub fn pause_all(&self, paused: bool) {
        self.all_paused.set(paused);
    }

    /// A result was refused; how many were by now.
    pub fn count_late(&self) -> u64 {
        self.late.set(self.late.get() + 1);
        self.late.get()
    }

    /// Results refused.
    pub fn late(&self) -> u64 {
        self.late.get()
    }

    /// A unit's command reported a line that is none; how many did by now.
    pub fn count_bad_report(&self) -> u64 {
        self.bad_reports.set(self.bad_reports.get() + 1);
        self.bad_reports.get()
    }

    /// Units whose command reported a line that is none.
    pub fn bad_reports(&self) -> u64 {
        self.bad_reports.get()
    }

    /// A unit that lost its worker waits for another until the guard is dropped.
    pub fn wait_for_another(&self, unit: u64) -> Waiting<'_> {
        self.waiting.borrow_mut().insert(unit);
        Waiting(self, unit)
    }

    /// Units that wait for another worker.
    pub fn waiting(&self) -> Vec<u64> {
        self.waiting.borrow().iter().copied().collect()
    }

    // ---- Local workers, by process ----

    /// This one was started.
    pub fn started(&self, pid: u32) {
        self.locals.borrow_mut().insert(pid);
    }

    /// This one was asked to leave: no other takes its place.
    pub fn retire(&self, pid: u32) {
        if self.locals.borrow().contains(&pid) {
            self.retired.borrow_mut().insert(pid);
        }
    }

    /// This one has ended. Whether it was asked to.
    pub fn ended(&self, pid: u32) -> bool {
        self.locals.borrow_mut().remove(&pid);
        self.condemned.borrow_mut().remove(&pid);
        self.retired.borrow_mut().remove(&pid)
    }

    /// This one was given up: it is to be killed, and another takes its place.
    pub fn condemn(&self, pid: u32) {
        if self.locals.borrow().contains(&pid) {
            self.condemned.borrow_mut().insert(pid);
        }
        self.condemned_changed.notify_waiters();
    }

    /// Waits until it is to be killed.
    pub async fn is_condemned(&self, pid: u32) {
        loop {
            let changed = self.condemned_changed.notified();
            if self.condemned.borrow().contains(&pid) {
                return;
            }
            changed.await;
        }
    }
}

/// A unit without a worker.
#[derive(Debug)]
pub struct Waiting<'a>(&'a Roster, u64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.borrow_mut().remove(&self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_that_was_started_can_be_retired_or_condemned() {
        let roster = Roster::default();
        roster.retire(7);
        assert!(!roster.ended(7));
        roster.started(7);
        roster.retire(7);
        roster.condemn(8);
        assert!(roster.condemned.borrow().is_empty());
        assert!(roster.ended(7));
        assert!(!roster.ended(7), "its number may be another's now");
    }

    #[test]
    fn a_worker_is_found_by_its_number_its_name_and_its_place() {
        let roster = Roster::default();
        let (control, _orders) = crate::channel();
        for name in ["local host:12", "worker far:34", "worker 2"] {
            roster.join(name.into(), name.starts_with("local"), control.clone());
        }
        let found = |whom| -> Vec<u64> { roster.find(whom).iter().map(|seat| seat.id).collect() };
        assert_eq!(found("1"), [1]);
        assert_eq!(found("#3"), [3]);
        assert_eq!(found("far:34"), [2]);
        assert_eq!(found("local host:12"), [1]);
        assert_eq!(found("2"), [2, 3], "a number and a place");
        assert_eq!(found("host"), [0; 0]);
        let seat = &roster.find("1")[0];
        assert_eq!(seat.local_pid(), Some(12));
        roster.leave(seat);
        assert_eq!(found("1"), [0; 0]);
    }
}
