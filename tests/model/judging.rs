//! What a poll may come to, from what the reference knows.

use super::{Kind, Number, Outcome, Progress, Reference, Why};
use crate::program::{Guard, Side};

impl Reference {
    /// Whether somebody waits to receive on `channel`. With `surely` false, also who may still look as if.
    fn receiver_waits(&self, channel: usize, surely: bool) -> bool {
        self.operations.iter().flatten().any(|entry| {
            let waits = entry.progress == Progress::Waiting;
            match &entry.kind {
                Kind::Recv { channel: at, .. }
                | Kind::Hold { channel: at }
                | Kind::Accept { channel: at } => waits && *at == channel,
                // One that has met a peer leaves its other channels when it is polled next.
                Kind::Select { guards, .. } => {
                    (waits || !surely && entry.progress != Progress::Fresh)
                        && guards.iter().any(|(guard, _)| {
                            *guard
                                == Guard {
                                    channel,
                                    side: Side::Receiving,
                                }
                        })
                }
                _ => false,
            }
        })
    }

    /// What a poll of the operation in `slot` may come to now; `None` is pending.
    pub(crate) fn allowed(&self, slot: usize) -> Vec<Option<Outcome>> {
        let entry = self.operations[slot]
            .as_ref()
            .expect("an operation is there");
        match entry.progress {
            Progress::Taken(guard) => return vec![Some(Outcome::Sent(guard))],
            Progress::InCustody(_) => return vec![None],
            Progress::Returned(guard) => {
                let message = self.message(slot, guard);
                return vec![Some(Outcome::Failed(guard, Why::Returned, message))];
            }
            Progress::InDoubt(guard) => {
                let message = self.message(slot, guard);
                return vec![Some(Outcome::Failed(guard, Why::InDoubt, message))];
            }
            Progress::Refused(guard, why) => {
                let message = self.message(slot, guard);
                return vec![Some(Outcome::Failed(guard, why, message))];
            }
            Progress::Accepting(message) => return vec![Some(Outcome::Accepted(message))],
            Progress::Fresh | Progress::Waiting => {}
        }
        match &entry.kind {
            Kind::Send {
                channel,
                message,
                late,
                ..
            } => {
                let late = late.then_some(Outcome::Failed(0, Why::TimedOut, *message));
                vec![self.send_now(*channel, 0, *message).or(late)]
            }
            Kind::Recv {
                channel,
                stream,
                late,
            } => vec![match self.recv_now(*channel, slot, 0) {
                Some(Outcome::Ended(..)) if *stream => Some(Outcome::Over),
                None if *late => Some(Outcome::TimedOut),
                outcome => outcome,
            }],
            Kind::Hold { channel } => vec![match self.recv_now(*channel, slot, 0) {
                Some(Outcome::Received(_, message)) => Some(Outcome::Held(message)),
                other => other,
            }],
            // Having it in custody it is pending; it is another poll that finishes.
            Kind::Accept { channel } => vec![match self.recv_now(*channel, slot, 0) {
                Some(Outcome::Received(..)) => None,
                other => other,
            }],
            Kind::Select {
                guards,
                timer,
                biased,
            } => self.select_now(slot, guards, *timer, *biased),
            Kind::Ready { channel } => self.demand_now(*channel),
            Kind::Closed { channel, side } => {
                let closed = self.channels[*channel].closed(*side);
                vec![closed.map(|_| Outcome::Closed)]
            }
        }
    }

    /// No receiver that waits is a thread, so none can be given a message.
    fn send_now(&self, channel: usize, guard: usize, message: Number) -> Option<Outcome> {
        let at = &self.channels[channel];
        match at.closed(Side::Sending) {
            Some(why) => Some(Outcome::Failed(guard, why, message)),
            None => (at.unused > 0).then_some(Outcome::Sent(guard)),
        }
    }

    fn recv_now(&self, channel: usize, slot: usize, guard: usize) -> Option<Outcome> {
        let received = self
            .next_message(channel, slot)
            .map(|message| Outcome::Received(guard, message));
        received.or_else(|| {
            let closed = self.channels[channel].closed(Side::Receiving);
            closed.map(|why| Outcome::Ended(guard, why))
        })
    }

    /// The message that would be taken on `channel` by the operation in `slot`: one that was sent ahead, or else that
    /// of the sender that waits longest.
    pub(super) fn next_message(&self, channel: usize, slot: usize) -> Option<Number> {
        let ahead = self.channels[channel].ahead.front().copied();
        ahead.or_else(|| Some(self.first_sender(channel, slot)?.2))
    }

    /// A timer that is due is as able as any other guard.
    fn select_now(
        &self,
        slot: usize,
        guards: &[(Guard, Option<Number>)],
        timer: Option<usize>,
        biased: bool,
    ) -> Vec<Option<Outcome>> {
        let mut outcomes: Vec<_> = guards
            .iter()
            .enumerate()
            .map(|(index, (guard, message))| match message {
                Some(message) => self.send_now(guard.channel, index, *message),
                None => self.recv_now(guard.channel, slot, index),
            })
            .collect();
        if let Some(before) = timer {
            outcomes.insert(before.min(guards.len()), Some(Outcome::Rang));
        }
        let mut able: Vec<_> = outcomes.into_iter().flatten().map(Some).collect();
        if biased {
            able.truncate(1);
        }
        if able.is_empty() {
            able.push(None);
        }
        able
    }

    fn demand_now(&self, channel: usize) -> Vec<Option<Outcome>> {
        let at = &self.channels[channel];
        if let Some(why) = at.closed(Side::Sending) {
            vec![Some(Outcome::NoDemand(why))]
        } else if at.unused > 0 {
            vec![Some(Outcome::Demand)]
        } else if self.receiver_waits(channel, false) {
            // A receiver that was woken for a sender is no demand, but who was woken is not told here.
            vec![None, Some(Outcome::Demand)]
        } else {
            vec![None]
        }
    }

    /// Whether the operation in `slot` waits for demand that surely is there: then it should have been woken.
    pub(crate) fn misses_demand(&self, slot: usize) -> bool {
        let entry = self.operations[slot]
            .as_ref()
            .expect("an operation is there");
        entry.progress == Progress::Waiting
            && matches!(entry.kind, Kind::Ready { channel } if self.receiver_waits(channel, true))
    }

    /// Whether demand is there once all that were woken have looked.
    pub(crate) fn is_ready(&self, channel: usize) -> bool {
        self.channels[channel].unused > 0 || self.receiver_waits(channel, true)
    }

    /// Whether a peer has decided what the operation in `slot` comes to.
    pub(super) fn is_decided(&self, slot: usize) -> bool {
        let entry = self.operations[slot]
            .as_ref()
            .expect("an operation is there");
        !matches!(entry.progress, Progress::Fresh | Progress::Waiting)
    }

    /// Whether the operation in `slot` was polled before.
    pub(crate) fn was_polled(&self, slot: usize) -> bool {
        let entry = self.operations[slot]
            .as_ref()
            .expect("an operation is there");
        entry.progress != Progress::Fresh
    }
}
