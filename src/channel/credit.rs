//! Credit: what a receiver has allowed to be sent ahead of the take, and the messages that were.
//!
//! # Invariants
//!
//! - There are never more messages in the slots, in custody from them, and unused credits together than were
//!   granted and not revoked, and the slots were allocated for all of them when they were granted: a send
//!   allocates nothing, and memory is bounded by what the receiver asked for.
//! - Once the channel is closed to senders there is no credit, and what is left in the slots is for whoever
//!   drains the channel.

use std::{collections::VecDeque, fmt};

/// The most credit that may be outstanding on one channel: more is a queue under another name.
pub const CREDIT_MAX: usize = 1 << 20;

/// What is outstanding of the credit that a channel's receivers have granted; see
/// [`Receiver::outstanding`](super::Receiver::outstanding).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outstanding {
    /// How many sends may still complete ahead of the take.
    pub unused: usize,
    /// How many have: their messages are in the channel's slots, or in custody from there.
    pub untaken: usize,
}

impl fmt::Display for Outstanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} unused, {} untaken", self.unused, self.untaken)
    }
}

pub(super) struct Credit<T> {
    unused: usize,
    /// Messages sent within credit, oldest first.
    slots: VecDeque<T>,
    /// Messages that were taken into custody from the slots and may come back.
    in_custody: usize,
    /// What was in the slots when the channel was closed.
    left: VecDeque<T>,
    closed: bool,
}

impl<T> Credit<T> {
    pub(super) const fn new() -> Self {
        Self {
            unused: 0,
            slots: VecDeque::new(),
            in_custody: 0,
            left: VecDeque::new(),
            closed: false,
        }
    }

    /// Allows `n` more sends ahead of the take.
    pub(super) fn grant(&mut self, n: usize) {
        if self.closed {
            return;
        }
        let held = self.slots.len() + self.in_custody;
        let in_all = (self.unused + held).saturating_add(n);
        assert!(
            in_all <= CREDIT_MAX,
            "at most {CREDIT_MAX} credits may be outstanding on a channel, and these would be {in_all}: \
             grant fewer, or take what was sent first"
        );
        // First, for it panics where there is no memory.
        self.slots.reserve(in_all - self.slots.len());
        self.unused += n;
    }

    /// Takes back up to `n` credits that were not used; returns how many.
    pub(super) fn revoke(&mut self, n: usize) -> usize {
        let revoked = n.min(self.unused);
        self.unused -= revoked;
        revoked
    }

    #[inline]
    pub(super) fn outstanding(&self) -> Outstanding {
        Outstanding {
            unused: self.unused,
            untaken: self.slots.len() + self.in_custody,
        }
    }

    /// Whether a send may complete ahead of the take.
    #[inline]
    pub(super) fn is_unused(&self) -> bool {
        self.unused > 0
    }

    /// How many messages are there to be taken.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Uses one credit.
    pub(super) fn put(&mut self, message: T) {
        debug_assert!(self.is_unused(), "a send ahead is within credit");
        debug_assert!(
            self.slots.capacity() > self.slots.len() + self.in_custody,
            "the grant has allocated the slot"
        );
        self.unused -= 1;
        self.slots.push_back(message);
    }

    #[inline]
    pub(super) fn take(&mut self) -> Option<T> {
        self.slots.pop_front()
    }

    /// As `take`, for a message that may come back.
    pub(super) fn take_into_custody(&mut self) -> Option<T> {
        let message = self.slots.pop_front()?;
        self.in_custody += 1;
        Some(message)
    }

    /// A message in custody is its holder's now.
    pub(super) fn release(&mut self) {
        debug_assert!(self.in_custody > 0, "it was in custody");
        self.in_custody -= 1;
    }

    /// A message in custody comes back, to the place that it came from. It has its slot still, unless the
    /// channel was closed meanwhile.
    pub(super) fn put_back(&mut self, message: T) {
        self.release();
        let back = if self.closed {
            &mut self.left
        } else {
            &mut self.slots
        };
        back.push_front(message);
    }

    /// No send can succeed any more: voids what was not used, and sets apart what was not taken.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.unused = 0;
        if self.left.is_empty() {
            std::mem::swap(&mut self.left, &mut self.slots);
        }
    }

    /// Takes the oldest message that was left when the channel was closed.
    pub(super) fn drain(&mut self) -> Option<T> {
        self.left.pop_front()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_grant_for_which_there_is_no_memory_grants_nothing() {
        // The slots for all of them would be more than any machine can address.
        let mut credit = Credit::<[u8; 1 << 44]>::new();
        let granted = catch_unwind(AssertUnwindSafe(|| credit.grant(CREDIT_MAX)));
        assert!(granted.is_err());
        assert_eq!(credit.outstanding(), Outstanding::default());
    }
}
