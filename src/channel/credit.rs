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

/// What a channel knows of its credit. Most channels never have any, and keep no room for it.
pub(super) struct Credit<T> {
    slack: Option<Box<Slack<T>>>,
    closed: bool,
}

/// What was granted, and what became of it.
struct Slack<T> {
    unused: usize,
    /// Messages sent within credit, oldest first.
    slots: VecDeque<T>,
    /// Messages that were taken into custody from the slots and may come back.
    in_custody: usize,
    /// What was in the slots when the channel was closed.
    left: VecDeque<T>,
}

impl<T> Slack<T> {
    fn held(&self) -> usize {
        self.slots.len() + self.in_custody
    }
}

impl<T> Credit<T> {
    pub(super) const fn new() -> Self {
        Self {
            slack: None,
            closed: false,
        }
    }

    /// Whether some was granted, at any time.
    #[inline]
    pub(super) fn has_been(&self) -> bool {
        self.slack.is_some()
    }

    /// Allows `n` more sends ahead of the take.
    pub(super) fn grant(&mut self, n: usize) {
        if self.closed || n == 0 {
            return;
        }
        let slack = self.slack.get_or_insert_with(|| {
            Box::new(Slack {
                unused: 0,
                slots: VecDeque::new(),
                in_custody: 0,
                left: VecDeque::new(),
            })
        });
        let in_all = (slack.unused + slack.held()).saturating_add(n);
        assert!(
            in_all <= CREDIT_MAX,
            "at most {CREDIT_MAX} credits may be outstanding on a channel, and these would be {in_all}: \
             grant fewer, or take what was sent first"
        );
        // First, for it panics where there is no memory.
        slack.slots.reserve(in_all - slack.slots.len());
        slack.unused += n;
    }

    /// Takes back up to `n` credits that were not used; returns how many.
    pub(super) fn revoke(&mut self, n: usize) -> usize {
        let Some(slack) = &mut self.slack else {
            return 0;
        };
        let revoked = n.min(slack.unused);
        slack.unused -= revoked;
        revoked
    }

    pub(super) fn outstanding(&self) -> Outstanding {
        match &self.slack {
            Some(slack) => Outstanding {
                unused: slack.unused,
                untaken: slack.held(),
            },
            None => Outstanding::default(),
        }
    }

    /// Whether a send may complete ahead of the take.
    #[inline]
    pub(super) fn is_unused(&self) -> bool {
        self.slack.as_ref().is_some_and(|slack| slack.unused > 0)
    }

    /// How many messages are there to be taken.
    #[cfg(debug_assertions)]
    pub(super) fn len(&self) -> usize {
        self.slack.as_ref().map_or(0, |slack| slack.slots.len())
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.slack
            .as_ref()
            .is_none_or(|slack| slack.slots.is_empty())
    }

    /// What was granted: there is some where a message is in a slot, or was, or may be put.
    #[expect(clippy::expect_used, reason = "a defect of ours")]
    fn slack(&mut self) -> &mut Slack<T> {
        self.slack.as_mut().expect("there was a grant")
    }

    /// Uses one credit.
    pub(super) fn put(&mut self, message: T) {
        debug_assert!(self.is_unused(), "a send ahead is within credit");
        let slack = self.slack();
        debug_assert!(
            slack.slots.capacity() > slack.held(),
            "the grant has allocated the slot"
        );
        slack.unused -= 1;
        slack.slots.push_back(message);
    }

    pub(super) fn take(&mut self) -> Option<T> {
        self.slack.as_mut()?.slots.pop_front()
    }

    /// As `take`, for a message that may come back.
    pub(super) fn take_into_custody(&mut self) -> Option<T> {
        let slack = self.slack.as_mut()?;
        let message = slack.slots.pop_front()?;
        slack.in_custody += 1;
        Some(message)
    }

    /// A message in custody is its holder's now.
    pub(super) fn release(&mut self) {
        let slack = self.slack();
        debug_assert!(slack.in_custody > 0, "it was in custody");
        slack.in_custody -= 1;
    }

    /// A message in custody comes back, to the place that it came from. It has its slot still, unless the
    /// channel was closed meanwhile.
    pub(super) fn put_back(&mut self, message: T) {
        self.release();
        let closed = self.closed;
        let slack = self.slack();
        let back = if closed {
            &mut slack.left
        } else {
            &mut slack.slots
        };
        back.push_front(message);
    }

    /// No send can succeed any more: voids what was not used, and sets apart what was not taken.
    pub(super) fn close(&mut self) {
        self.closed = true;
        if let Some(slack) = &mut self.slack {
            slack.unused = 0;
            if slack.left.is_empty() {
                std::mem::swap(&mut slack.left, &mut slack.slots);
            }
        }
    }

    /// Takes the oldest message that was left when the channel was closed.
    pub(super) fn drain(&mut self) -> Option<T> {
        self.slack.as_mut()?.left.pop_front()
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
