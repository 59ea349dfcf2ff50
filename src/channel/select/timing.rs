//! The guards that wait for an instant instead of a peer.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use super::super::ticker::Ticker;
use crate::sync::time::{Moment, deadline_after};

/// A guard that waits for an instant.
pub trait Timing {
    /// When it can meet; `None` if it never can, or is switched off.
    fn due(&self) -> Option<Instant>;
    /// Meets, if it can at `moment`; returns whether it did.
    fn ring(&self, moment: Moment) -> bool;
}

/// `after(duration)` and `at(instant)`.
#[doc(hidden)]
pub struct TimerGuard {
    due: Option<Instant>,
}

impl TimerGuard {
    #[must_use]
    pub fn after(duration: Duration, enabled: bool) -> Self {
        Self {
            due: enabled.then(|| deadline_after(duration)).flatten(),
        }
    }

    #[must_use]
    pub fn at(instant: Instant, enabled: bool) -> Self {
        Self {
            due: enabled.then_some(instant),
        }
    }

    /// When it was due, once it was met.
    pub(super) fn result(&self) -> Instant {
        met(self.due)
    }
}

impl Timing for TimerGuard {
    fn due(&self) -> Option<Instant> {
        self.due
    }

    fn ring(&self, moment: Moment) -> bool {
        self.due.is_some_and(|due| moment.has_come_to(due))
    }
}

/// `tick(ticker)`.
#[doc(hidden)]
pub struct TickGuard<'a> {
    ticker: Option<&'a Ticker>,
    met: Cell<Option<Instant>>,
}

impl<'a> TickGuard<'a> {
    #[must_use]
    pub fn new(ticker: &'a Ticker, enabled: bool) -> Self {
        Self {
            ticker: enabled.then_some(ticker),
            met: Cell::new(None),
        }
    }

    /// When the tick was due, once it was met.
    pub(super) fn result(&self) -> Instant {
        met(self.met.get())
    }
}

impl Timing for TickGuard<'_> {
    fn due(&self) -> Option<Instant> {
        self.ticker?.due()
    }

    fn ring(&self, moment: Moment) -> bool {
        self.met
            .set(self.ticker.and_then(|ticker| ticker.take(moment)));
        self.met.get().is_some()
    }
}

fn met(due: Option<Instant>) -> Instant {
    match due {
        Some(due) => due,
        None => unreachable!("the guard was met"),
    }
}
