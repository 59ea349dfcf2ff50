//! The guards of one alternation, as a list of which each element has its own type.

use std::time::Instant;

use super::{
    super::error::{RecvError, SendError},
    guard::{Guard, RecvGuard, SendGuard},
    timing::{TickGuard, TimerGuard, Timing},
};

/// A guard, as the alternation sees it.
pub enum Member<'a> {
    /// It waits for a peer at a channel.
    Channel(&'a dyn Guard),
    /// It waits for an instant.
    Timer(&'a dyn Timing),
}

/// What is among some guards.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
pub struct Nature {
    pub sends: bool,
    pub timers: bool,
}

impl Nature {
    pub(super) const RECEIVE: Self = Self {
        sends: false,
        timers: false,
    };
    const SEND: Self = Self {
        sends: true,
        timers: false,
    };
    const TIMER: Self = Self {
        sends: false,
        timers: true,
    };

    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            sends: self.sends || other.sends,
            timers: self.timers || other.timers,
        }
    }
}

/// A guard of some kind, and what becomes of it.
#[doc(hidden)]
pub trait Element {
    type Outcome;
    /// What it can be: nothing that it does not say is to be reckoned with.
    const NATURE: Nature;
    fn member(&self) -> Member<'_>;
    /// What became of it, once it was met.
    fn outcome(&self) -> Self::Outcome;
}

impl<T> Element for RecvGuard<'_, T> {
    type Outcome = Result<T, RecvError>;
    const NATURE: Nature = Nature::RECEIVE;

    fn member(&self) -> Member<'_> {
        Member::Channel(self)
    }

    fn outcome(&self) -> Self::Outcome {
        self.result()
    }
}

impl<T> Element for SendGuard<'_, T> {
    type Outcome = Result<(), SendError<()>>;
    const NATURE: Nature = Nature::SEND;

    fn member(&self) -> Member<'_> {
        Member::Channel(self)
    }

    fn outcome(&self) -> Self::Outcome {
        self.result()
    }
}

impl Element for TimerGuard {
    type Outcome = Instant;
    const NATURE: Nature = Nature::TIMER;

    fn member(&self) -> Member<'_> {
        Member::Timer(self)
    }

    fn outcome(&self) -> Instant {
        self.result()
    }
}

impl Element for TickGuard<'_> {
    type Outcome = Instant;
    const NATURE: Nature = Nature::TIMER;

    fn member(&self) -> Member<'_> {
        Member::Timer(self)
    }

    fn outcome(&self) -> Instant {
        self.result()
    }
}

/// The guards of an alternation.
///
/// # Safety
///
/// `member(index)` is the same guard each time, at the same place while the list is not moved.
#[doc(hidden)]
pub unsafe trait Guards {
    type Output;
    /// What is among them.
    fn nature(&self) -> Nature;
    fn count(&self) -> usize;
    fn member(&self, index: usize) -> Member<'_>;
    /// What became of the guard that was met.
    fn output(&self, index: usize) -> Self::Output;
}

/// What became of the guard that was met, if it is the first of a list of guards, or of the others.
#[doc(hidden)]
pub enum Outcome<A, B> {
    First(A),
    Later(B),
}

/// The end of a list of guards.
#[doc(hidden)]
pub enum Never {}

// SAFETY: it has no guard.
unsafe impl Guards for () {
    type Output = Never;

    fn nature(&self) -> Nature {
        Nature::RECEIVE
    }

    fn count(&self) -> usize {
        0
    }

    fn member(&self, _index: usize) -> Member<'_> {
        unreachable!("the list of guards ends here")
    }

    fn output(&self, _index: usize) -> Never {
        unreachable!("the list of guards ends here")
    }
}

// SAFETY: the fields stay where they are.
unsafe impl<G: Element, Rest: Guards> Guards for (G, Rest) {
    type Output = Outcome<G::Outcome, Rest::Output>;

    #[inline]
    fn nature(&self) -> Nature {
        G::NATURE.and(self.1.nature())
    }

    #[inline]
    fn count(&self) -> usize {
        1 + self.1.count()
    }

    #[inline]
    fn member(&self, index: usize) -> Member<'_> {
        match index {
            0 => self.0.member(),
            _ => self.1.member(index - 1),
        }
    }

    fn output(&self, index: usize) -> Self::Output {
        match index {
            0 => Outcome::First(self.0.outcome()),
            _ => Outcome::Later(self.1.output(index - 1)),
        }
    }
}
