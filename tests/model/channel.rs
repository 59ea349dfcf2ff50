//! What the reference knows of one channel: its ends, who waits to send, and what was allowed ahead of the take.

use std::collections::VecDeque;

use handover::channel::Outstanding;

use super::{Number, Reason, Why};
use crate::program::Side;

pub(super) struct Channel {
    pub(super) senders: usize,
    pub(super) receivers: usize,
    /// The senders that wait, by slot and guard, in the order in which they came.
    pub(super) line: Vec<(usize, usize)>,
    /// How many sends may still complete ahead of the take.
    pub(super) unused: usize,
    /// The messages that were sent so and nobody has taken, the next one first.
    pub(super) ahead: VecDeque<Number>,
    /// How many of those that were ahead are in custody.
    pub(super) in_custody: usize,
    /// What is set apart for whoever drains the channel.
    pub(super) left: VecDeque<Number>,
    pub(super) poison: Option<Reason>,
}

impl Channel {
    pub(super) fn open() -> Self {
        Self {
            senders: 1,
            receivers: 1,
            line: Vec::new(),
            unused: 0,
            ahead: VecDeque::new(),
            in_custody: 0,
            left: VecDeque::new(),
            poison: None,
        }
    }

    pub(super) fn count(&mut self, side: Side) -> &mut usize {
        match side {
            Side::Sending => &mut self.senders,
            Side::Receiving => &mut self.receivers,
        }
    }

    /// Whether every end of the other side has gone.
    pub(super) fn is_disconnected(&self, side: Side) -> bool {
        match side {
            Side::Sending => self.receivers == 0,
            Side::Receiving => self.senders == 0,
        }
    }

    /// Why `side` has nobody to meet ever again.
    pub(super) fn closed(&self, side: Side) -> Option<Why> {
        match self.poison {
            Some(reason) => Some(Why::Poisoned(reason)),
            None => self.is_disconnected(side).then_some(Why::Disconnected),
        }
    }

    /// Once no send can succeed: unused credit is void, and what is ahead is for whoever drains.
    pub(super) fn close_credit(&mut self) {
        self.unused = 0;
        self.left.append(&mut self.ahead);
    }

    /// A message comes back out of custody, to be the next one again.
    pub(super) fn put_back(&mut self, message: Number) {
        self.in_custody -= 1;
        if self.closed(Side::Sending).is_some() {
            self.left.push_front(message);
        } else {
            self.ahead.push_front(message);
        }
    }

    pub(super) fn outstanding(&self) -> Outstanding {
        Outstanding {
            unused: self.unused,
            untaken: self.ahead.len() + self.in_custody,
        }
    }
}
