//! The units that one worker has in hand: given, and their results not yet written.
//!
//! # Invariants
//! - At most one of them is not finished: a worker gets a unit only when it runs nothing.
//! - A unit leaves the hand once: with its result, or to go on to another worker.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Instant;

use tokio::sync::Notify;

use super::input::Unit;
use super::ledger::Ledger;

/// A worker's hand, as its link's tasks hold it.
#[derive(Debug, Default)]
pub struct Hand {
    units: RefCell<BTreeMap<u64, Held>>,
    busy: Cell<bool>,
    /// The unit given last, unless the worker said that it finished it: what it may be at.
    last: Cell<Option<u64>>,
    changed: Notify,
}

/// A unit in hand.
#[derive(Debug)]
struct Held {
    unit: Unit,
    /// When it was offered.
    since: Instant,
    /// The worker said that it took it.
    taken: bool,
}

impl Hand {
    /// The worker is offered a unit.
    pub fn offer(&self, unit: Unit) {
        self.busy.set(true);
        self.last.set(Some(unit.number));
        self.units.borrow_mut().insert(
            unit.number,
            Held {
                unit,
                since: Instant::now(),
                taken: false,
            },
        );
    }

    /// The worker took it.
    pub fn take(&self, number: u64) {
        if let Some(held) = self.units.borrow_mut().get_mut(&number) {
            held.taken = true;
        }
    }

    /// The worker did not take it.
    pub fn withdraw(&self, number: u64) -> Option<Unit> {
        self.units
            .borrow_mut()
            .remove(&number)
            .map(|held| held.unit)
    }

    /// The worker said that it finished the unit that it was at, and keeps its result.
    pub fn keep(&self) {
        self.last.set(None);
        self.rest();
    }

    /// The worker runs nothing any more, or waits for its next unit only when it does.
    pub fn rest(&self) {
        self.busy.set(false);
        self.changed.notify_waiters();
    }

    /// Waits until the worker runs nothing and has fewer than `most` units.
    pub async fn resting(&self, most: usize) {
        loop {
            let changed = self.changed.notified();
            if !self.busy.get() && self.units.borrow().len() < most {
                return;
            }
            changed.await;
        }
    }

    /// Whether this unit is in hand.
    pub fn holds(&self, number: u64) -> bool {
        self.units.borrow().contains_key(&number)
    }

    /// The unit that the worker is at, and since when.
    pub fn at(&self) -> Option<(u64, Instant)> {
        let number = self.last.get()?;
        let units = self.units.borrow();
        let held = units.get(&number).filter(|held| held.taken)?;
        Some((number, held.since))
    }

    /// Units in hand, with those that are on their way.
    pub fn len(&self) -> usize {
        self.units.borrow().len()
    }

    /// The worker gives a unit back.
    pub fn release(&self, number: u64) -> Option<Unit> {
        let unit = self.withdraw(number);
        if self.last.get() == Some(number) {
            self.keep();
        }
        self.changed.notify_waiters();
        unit
    }

    /// A copy of a unit in hand, and since when it is.
    pub fn find(&self, number: u64) -> Option<(Unit, Instant)> {
        self.units
            .borrow()
            .get(&number)
            .map(|held| (held.unit.clone(), held.since))
    }

    /// The unit's result was written.
    pub fn finish(&self, number: u64) {
        self.units.borrow_mut().remove(&number);
        self.changed.notify_waiters();
    }

    /// The worker is gone: what it had goes to others. A loss is counted for the unit that it was at, not for
    /// those whose results it kept, and not when it left in good order. One that was on its way counts: a unit
    /// may kill its worker before that has said that it took it.
    pub fn give_up(&self, in_good_order: bool) -> Vec<Unit> {
        let units = std::mem::take(&mut *self.units.borrow_mut());
        let count = |held: Held| {
            let mut unit = held.unit;
            let was_at = self.last.get() == Some(unit.number);
            unit.losses += u32::from(was_at && !in_good_order);
            unit
        };
        units.into_values().map(count).collect()
    }

    /// Waits until it is the turn of a unit that the worker took.
    ///
    /// Taken, and not only offered: a worker that keeps later results offers the first of them until it takes
    /// the earlier unit, so a grant that came before the unit would be used for the wrong result.
    pub async fn turn(&self, ledger: &Ledger) {
        ledger
            .turn_is(|turn| {
                self.units
                    .borrow()
                    .get(&turn)
                    .is_some_and(|held| held.taken)
            })
            .await;
    }
}
