//! What a channel is, said a second time and as simply as possible: one thread, no wakers, no lists of receivers.
//!
//! The reference does not predict, it judges: [`Reference::allowed`] is the set of outcomes that a poll may have, and
//! [`Reference::apply`] takes the one that was seen. The choice of a fair alternation is the only one that is free;
//! everything else follows from who waits. Wake-ups are no part of it: a poll that nobody was woken for has its
//! outcome all the same, and once all that were woken were polled, nobody may be pending whose outcome is decided.
//!
//! A further operation needs a variant of [`Kind`], an arm in [`allowed`](Reference::allowed), and, if it changes
//! who waits or what is promised, an arm in [`apply`](Reference::apply) and in [`drop_operation`]; a reason to be
//! poisoned or a credit is one more field of [`Channel`].
//!
//! [`drop_operation`]: Reference::drop_operation

use std::collections::BTreeMap;

use crate::{
    program::{Answer, CHANNELS, Guard, SLOTS, Side},
    script::Place,
};

/// Where an operation stands that does not wait: beside the slots.
pub(crate) const PASSING: usize = SLOTS;

pub(crate) type Number = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    Disconnected,
    Returned,
    InDoubt,
}

/// What a poll that resolves says. The first number is that of the guard, zero where there is one only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Sent(usize),
    /// The message that came back.
    Failed(usize, Why, Number),
    Received(usize, Number),
    /// No message will come.
    Ended(usize),
    Held(Number),
    Accepted(Number),
    Demand,
    NoDemand,
    Closed,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Send {
        channel: usize,
        message: Number,
        /// Whether the message is dropped with the send.
        loses: bool,
    },
    Recv {
        channel: usize,
        /// Whether there is a next one.
        stream: bool,
    },
    Hold {
        channel: usize,
    },
    Accept {
        channel: usize,
    },
    Select {
        /// With the message of each guard that sends.
        guards: Vec<(Guard, Option<Number>)>,
        biased: bool,
    },
    Ready {
        channel: usize,
    },
    Closed {
        channel: usize,
        side: Side,
    },
}

/// How far an operation has come. A guard's number is with those that are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Fresh,
    Waiting,
    Taken(usize),
    InCustody(usize),
    Returned(usize),
    InDoubt(usize),
    /// Every receiver went while it waited.
    Refused(usize),
    /// It has this message in custody.
    Accepting(Number),
}

struct Entry {
    kind: Kind,
    progress: Progress,
    /// Whether it has ends of its own.
    owns: bool,
}

#[derive(Default)]
struct Channel {
    senders: usize,
    receivers: usize,
    /// The senders that wait, by slot and guard, in the order in which they came.
    line: Vec<(usize, usize)>,
}

pub(crate) struct Reference {
    channels: Vec<Channel>,
    operations: Vec<Option<Entry>>,
    /// The messages in custody, and whose they are, until that one has gone.
    custody: BTreeMap<Number, Option<usize>>,
    /// What has become of each message.
    pub(crate) places: BTreeMap<Number, Place>,
}

impl Reference {
    pub(crate) fn new() -> Self {
        let open = || Channel {
            senders: 1,
            receivers: 1,
            line: Vec::new(),
        };
        Self {
            channels: (0..CHANNELS).map(|_| open()).collect(),
            operations: (0..=SLOTS).map(|_| None).collect(),
            custody: BTreeMap::new(),
            places: BTreeMap::new(),
        }
    }

    pub(crate) fn end_is_cloned(&mut self, channel: usize, side: Side) {
        *self.count(channel, side) += 1;
    }

    /// When the last receiver goes, whoever waits to send has that for its outcome, an alternation too.
    pub(crate) fn end_is_dropped(&mut self, channel: usize, side: Side) {
        *self.count(channel, side) -= 1;
        if self.channels[channel].receivers > 0 {
            return;
        }
        while let Some(&(slot, guard)) = self.channels[channel].line.first() {
            self.leave_lines(slot);
            let sending = self.operations[slot].as_mut().expect("it waits");
            sending.progress = Progress::Refused(guard);
        }
    }

    fn count(&mut self, channel: usize, side: Side) -> &mut usize {
        match side {
            Side::Sending => &mut self.channels[channel].senders,
            Side::Receiving => &mut self.channels[channel].receivers,
        }
    }

    /// Whether every end of the other side has gone.
    pub(crate) fn is_disconnected(&self, channel: usize, side: Side) -> bool {
        match side {
            Side::Sending => self.channels[channel].receivers == 0,
            Side::Receiving => self.channels[channel].senders == 0,
        }
    }

    /// An operation in a slot has its own ends; a passing one borrows them.
    pub(crate) fn begin(&mut self, slot: usize, kind: Kind) {
        let owns = slot != PASSING;
        if owns {
            for (channel, side) in ends(&kind) {
                *self.count(channel, side) += 1;
            }
        }
        self.operations[slot] = Some(Entry {
            kind,
            progress: Progress::Fresh,
            owns,
        });
    }

    fn end(&mut self, slot: usize) -> Entry {
        let entry = self.operations[slot].take().expect("an operation is there");
        self.leave_lines(slot);
        if entry.owns {
            for (channel, side) in ends(&entry.kind) {
                self.end_is_dropped(channel, side);
            }
        }
        entry
    }

    fn leave_lines(&mut self, slot: usize) {
        for channel in &mut self.channels {
            channel.line.retain(|(waiting, _)| *waiting != slot);
        }
    }

    /// The sender that would be met on `channel` by the operation in `slot`, which does not meet itself.
    fn first_sender(&self, channel: usize, slot: usize) -> Option<(usize, usize, Number)> {
        let line = &self.channels[channel].line;
        let &(sender, guard) = line.iter().find(|(sender, _)| *sender != slot)?;
        Some((sender, guard, self.message(sender, guard)))
    }

    fn message(&self, slot: usize, guard: usize) -> Number {
        match &self.operations[slot].as_ref().expect("it waits").kind {
            Kind::Send { message, .. } => *message,
            Kind::Select { guards, .. } => guards[guard].1.expect("it sends"),
            other => panic!("{other:?} does not send"),
        }
    }

    /// Whether somebody waits to receive on `channel`. With `surely` false, also who may still look as if.
    pub(crate) fn receiver_waits(&self, channel: usize, surely: bool) -> bool {
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
            Progress::Refused(guard) => {
                let message = self.message(slot, guard);
                return vec![Some(Outcome::Failed(guard, Why::Disconnected, message))];
            }
            Progress::Accepting(message) => return vec![Some(Outcome::Accepted(message))],
            Progress::Fresh | Progress::Waiting => {}
        }
        match &entry.kind {
            Kind::Send {
                channel, message, ..
            } => vec![self.send_now(*channel, 0, *message)],
            Kind::Recv { channel, .. } => vec![self.recv_now(*channel, slot, 0)],
            Kind::Hold { channel } => vec![match self.recv_now(*channel, slot, 0) {
                Some(Outcome::Received(_, message)) => Some(Outcome::Held(message)),
                other => other,
            }],
            // Having it in custody it is pending; it is another poll that finishes.
            Kind::Accept { channel } => vec![match self.recv_now(*channel, slot, 0) {
                Some(Outcome::Received(..)) => None,
                other => other,
            }],
            Kind::Select { guards, biased } => self.select_now(slot, guards, *biased),
            Kind::Ready { channel } if self.is_disconnected(*channel, Side::Sending) => {
                vec![Some(Outcome::NoDemand)]
            }
            // A receiver that was woken for a sender is no demand, but who was woken is not told here.
            Kind::Ready { channel } if self.receiver_waits(*channel, false) => {
                vec![None, Some(Outcome::Demand)]
            }
            Kind::Ready { .. } => vec![None],
            Kind::Closed { channel, side } => {
                let closed = self.is_disconnected(*channel, *side);
                vec![closed.then_some(Outcome::Closed)]
            }
        }
    }

    /// No receiver that waits is a thread, so none can be given a message.
    fn send_now(&self, channel: usize, guard: usize, message: Number) -> Option<Outcome> {
        self.is_disconnected(channel, Side::Sending)
            .then_some(Outcome::Failed(guard, Why::Disconnected, message))
    }

    fn recv_now(&self, channel: usize, slot: usize, guard: usize) -> Option<Outcome> {
        match self.first_sender(channel, slot) {
            Some((_, _, message)) => Some(Outcome::Received(guard, message)),
            None if self.channels[channel].senders == 0 => Some(Outcome::Ended(guard)),
            None => None,
        }
    }

    fn select_now(
        &self,
        slot: usize,
        guards: &[(Guard, Option<Number>)],
        biased: bool,
    ) -> Vec<Option<Outcome>> {
        let mut able: Vec<_> = guards
            .iter()
            .enumerate()
            .filter_map(|(index, (guard, message))| match message {
                Some(message) => self.send_now(guard.channel, index, *message),
                None => self.recv_now(guard.channel, slot, index),
            })
            .map(Some)
            .collect();
        if biased {
            able.truncate(1);
        }
        if able.is_empty() {
            able.push(None);
        }
        able
    }

    /// Takes what was seen, which must be allowed.
    pub(crate) fn apply(&mut self, slot: usize, seen: Option<Outcome>) {
        match seen {
            None => self.wait(slot),
            Some(Outcome::Received(guard, message)) => {
                let channel = self.receiving_channel(slot, guard);
                self.take(channel, slot, message, Progress::Taken);
                self.places.insert(message, Place::Taken);
                let entry = self.operations[slot].as_mut().expect("it receives");
                if let Kind::Recv { stream: true, .. } = entry.kind {
                    entry.progress = Progress::Fresh;
                } else {
                    self.finish(slot, None);
                }
            }
            Some(Outcome::Held(message)) => {
                let channel = self.receiving_channel(slot, 0);
                self.hold(channel, slot, message);
                self.finish(slot, None);
            }
            Some(Outcome::Accepted(message)) => {
                self.answer(message, Answer::Release);
                self.finish(slot, None);
            }
            Some(Outcome::Failed(guard, _, message)) => {
                self.places.insert(message, Place::Home);
                self.finish(slot, Some(guard));
            }
            Some(Outcome::Sent(guard)) => self.finish(slot, Some(guard)),
            Some(_) => self.finish(slot, None),
        }
    }

    fn receiving_channel(&self, slot: usize, guard: usize) -> usize {
        match &self.operations[slot].as_ref().expect("it receives").kind {
            Kind::Recv { channel, .. } | Kind::Hold { channel } | Kind::Accept { channel } => {
                *channel
            }
            Kind::Select { guards, .. } => guards[guard].0.channel,
            other => panic!("{other:?} does not receive"),
        }
    }

    fn take(
        &mut self,
        channel: usize,
        slot: usize,
        message: Number,
        becomes: fn(usize) -> Progress,
    ) -> usize {
        let (sender, guard, first) = self.first_sender(channel, slot).expect("a sender waits");
        assert_eq!(first, message, "the outcome was allowed");
        self.leave_lines(sender);
        let sending = self.operations[sender].as_mut().expect("it waits");
        sending.progress = becomes(guard);
        sender
    }

    fn hold(&mut self, channel: usize, slot: usize, message: Number) {
        let sender = self.take(channel, slot, message, Progress::InCustody);
        self.custody.insert(message, Some(sender));
    }

    /// An operation that is pending: it waits, or, if it accepts, has something in custody.
    fn wait(&mut self, slot: usize) {
        let entry = self.operations[slot].as_mut().expect("it is pending");
        let fresh = entry.progress == Progress::Fresh;
        if !fresh && entry.progress != Progress::Waiting {
            return;
        }
        entry.progress = Progress::Waiting;
        match entry.kind.clone() {
            Kind::Send { channel, .. } if fresh => self.channels[channel].line.push((slot, 0)),
            Kind::Select { guards, .. } if fresh => {
                for (index, (guard, message)) in guards.iter().enumerate() {
                    if message.is_some() {
                        self.channels[guard.channel].line.push((slot, index));
                    }
                }
            }
            Kind::Accept { channel } => {
                if let Some((_, _, message)) = self.first_sender(channel, slot) {
                    self.hold(channel, slot, message);
                    let entry = self.operations[slot].as_mut().expect("it is pending");
                    entry.progress = Progress::Accepting(message);
                }
            }
            _ => {}
        }
    }

    /// The operation has its outcome, on its guard `met` if it sent; the messages of all other guards are home.
    fn finish(&mut self, slot: usize, met: Option<usize>) {
        let entry = self.end(slot);
        if let Kind::Select { guards, .. } = entry.kind {
            for (index, (_, message)) in guards.iter().enumerate() {
                if let Some(message) = message
                    && Some(index) != met
                {
                    self.places.insert(*message, Place::Home);
                }
            }
        }
    }

    /// The operation is cancelled.
    pub(crate) fn drop_operation(&mut self, slot: usize) {
        let entry = self.end(slot);
        // What it had sent and an acceptor has stays with that acceptor.
        for owner in self.custody.values_mut() {
            if *owner == Some(slot) {
                *owner = None;
            }
        }
        let (messages, loses) = match entry.kind {
            Kind::Send { message, loses, .. } => (vec![(0, message)], loses),
            Kind::Select { guards, .. } => {
                let sends = guards.iter().enumerate();
                let messages = sends.filter_map(|(index, (_, message))| Some((index, (*message)?)));
                (messages.collect(), false)
            }
            Kind::Accept { .. } => {
                if let Progress::Accepting(message) = entry.progress {
                    self.answer(message, Answer::Drop);
                }
                return;
            }
            _ => return,
        };
        for (guard, message) in messages {
            match entry.progress {
                Progress::Taken(met) | Progress::InCustody(met) if met == guard => {}
                // A doubt that nobody heard is not put back as certain.
                Progress::InDoubt(met) if met == guard => {
                    self.places.insert(message, Place::Lost);
                }
                _ => {
                    let place = if loses { Place::Lost } else { Place::Home };
                    self.places.insert(message, place);
                }
            }
        }
    }

    /// The acceptor of `message` answers; returns whether its sender was still there.
    pub(crate) fn answer(&mut self, message: Number, answer: Answer) -> bool {
        let sender = self.custody.remove(&message).expect("it is in custody");
        let sending = sender.and_then(|slot| self.operations[slot].as_mut());
        let Some(sending) = sending else {
            let place = match answer {
                Answer::Release => Place::Taken,
                Answer::HandBack | Answer::Doubt => Place::Kept,
                Answer::Drop => Place::Lost,
            };
            self.places.insert(message, place);
            return false;
        };
        let Progress::InCustody(guard) = sending.progress else {
            panic!("its sender waits for this answer");
        };
        sending.progress = match answer {
            Answer::Release => {
                self.places.insert(message, Place::Taken);
                Progress::Taken(guard)
            }
            Answer::HandBack | Answer::Drop => Progress::Returned(guard),
            Answer::Doubt => Progress::InDoubt(guard),
        };
        true
    }

    /// Whether the operation in `slot` waits for demand that surely is there: then it should have been woken.
    pub(crate) fn misses_demand(&self, slot: usize) -> bool {
        let entry = self.operations[slot]
            .as_ref()
            .expect("an operation is there");
        entry.progress == Progress::Waiting
            && matches!(entry.kind, Kind::Ready { channel } if self.receiver_waits(channel, true))
    }

    /// Whether the operation in `slot` was polled before.
    pub(crate) fn was_polled(&self, slot: usize) -> bool {
        let entry = self.operations[slot]
            .as_ref()
            .expect("an operation is there");
        entry.progress != Progress::Fresh
    }
}

/// The ends that an operation holds.
fn ends(kind: &Kind) -> Vec<(usize, Side)> {
    match kind {
        Kind::Send { channel, .. } | Kind::Ready { channel } => vec![(*channel, Side::Sending)],
        Kind::Recv { channel, .. } | Kind::Hold { channel } | Kind::Accept { channel } => {
            vec![(*channel, Side::Receiving)]
        }
        Kind::Closed { channel, side } => vec![(*channel, *side)],
        Kind::Select { guards, .. } => guards
            .iter()
            .map(|(guard, _)| (guard.channel, guard.side))
            .collect(),
    }
}
