//! What a channel is, said a second time and as simply as possible: one thread, no wakers, no lists of receivers.
//!
//! The reference does not predict, it judges: [`Reference::allowed`] is the set of outcomes that a poll may have, and
//! [`Reference::apply`] takes the one that was seen. The choice of a fair alternation is the only one that is free;
//! everything else follows from who waits. Wake-ups are no part of it: a poll that nobody was woken for has its
//! outcome all the same, and once all that were woken were polled, nobody may be pending whose outcome is decided.
//!
//! A further operation needs a variant of [`Kind`], an arm in [`allowed`](Reference::allowed), and, if it changes
//! who waits or what is promised, an arm in [`apply`](Reference::apply) and in [`drop_operation`].
//!
//! [`drop_operation`]: Reference::drop_operation

mod channel;
mod custody;
mod judging;

use std::collections::BTreeMap;

use handover::channel::Outstanding;

use self::{channel::Channel, custody::Owner};
use crate::{
    program::{Answer, CHANNELS, Guard, SLOTS, Side},
    script::Place,
};

/// Where an operation stands that does not wait: beside the slots.
pub(crate) const PASSING: usize = SLOTS;

pub(crate) type Number = usize;

/// A reason to be poisoned, of which each is used once.
pub(crate) type Reason = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    Disconnected,
    Poisoned(Reason),
    Returned,
    InDoubt,
    TimedOut,
}

/// What a poll that resolves says. The first number is that of the guard, zero where there is one only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Sent(usize),
    /// The message that came back.
    Failed(usize, Why, Number),
    Received(usize, Number),
    /// No message will come.
    Ended(usize, Why),
    /// A stream has no more messages. It does not say why.
    Over,
    /// No message came in time.
    TimedOut,
    /// The timer among the guards.
    Rang,
    Held(Number),
    Accepted(Number),
    Demand,
    NoDemand(Why),
    Closed,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Send {
        channel: usize,
        message: Number,
        /// Whether the message is dropped with the send.
        loses: bool,
        /// Whether its deadline has passed.
        late: bool,
    },
    Recv {
        channel: usize,
        /// Whether there is a next one.
        stream: bool,
        late: bool,
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
        /// Before which of them a timer stands that is due, or after them all.
        timer: Option<usize>,
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
    /// Every receiver went while it waited, or the channel was poisoned.
    Refused(usize, Why),
    /// It has this message in custody.
    Accepting(Number),
}

struct Entry {
    kind: Kind,
    progress: Progress,
    /// Whether it has ends of its own.
    owns: bool,
}

pub(crate) struct Reference {
    channels: Vec<Channel>,
    operations: Vec<Option<Entry>>,
    /// The messages in custody: of which channel, and who hears the answer.
    custody: BTreeMap<Number, (usize, Owner)>,
    /// What has become of each message.
    pub(crate) places: BTreeMap<Number, Place>,
}

impl Reference {
    pub(crate) fn new() -> Self {
        Self {
            channels: (0..CHANNELS).map(|_| Channel::open()).collect(),
            operations: (0..=SLOTS).map(|_| None).collect(),
            custody: BTreeMap::new(),
            places: BTreeMap::new(),
        }
    }

    pub(crate) fn end_is_cloned(&mut self, channel: usize, side: Side) {
        *self.channels[channel].count(side) += 1;
    }

    /// When the last receiver goes, whoever waits to send has that for its outcome, an alternation too.
    pub(crate) fn end_is_dropped(&mut self, channel: usize, side: Side) {
        self.leaves(channel, side);
        self.may_vanish(channel);
    }

    fn leaves(&mut self, channel: usize, side: Side) {
        *self.channels[channel].count(side) -= 1;
        if side == Side::Receiving && self.channels[channel].receivers == 0 {
            self.refuse_all(channel);
        }
    }

    /// With the last that knows the channel, what nobody has drained is dropped.
    fn may_vanish(&mut self, channel: usize) {
        let in_custody = self.custody.values().any(|(at, _)| *at == channel);
        let at = &mut self.channels[channel];
        if at.senders + at.receivers == 0 && !in_custody {
            for message in at.left.drain(..) {
                self.places.insert(message, Place::Lost);
            }
        }
    }

    /// Returns whether this has poisoned it.
    pub(crate) fn poison(&mut self, channel: usize, reason: Reason) -> bool {
        let poison = &mut self.channels[channel].poison;
        if poison.is_some() {
            return false;
        }
        *poison = Some(reason);
        self.refuse_all(channel);
        true
    }

    fn refuse_all(&mut self, channel: usize) {
        self.channels[channel].close_credit();
        let why = self.channels[channel].closed(Side::Sending);
        let why = why.expect("the channel is closed");
        while let Some(&(slot, guard)) = self.channels[channel].line.first() {
            self.leave_lines(slot);
            let sending = self.operations[slot].as_mut().expect("it waits");
            sending.progress = Progress::Refused(guard, why);
        }
    }

    /// Whoever waits to send is done, in order, as far as the credit goes; an alternation too.
    pub(crate) fn grant(&mut self, channel: usize, n: usize) {
        let granted = &mut self.channels[channel];
        if granted.closed(Side::Sending).is_some() {
            return;
        }
        granted.unused += n;
        while self.channels[channel].unused > 0
            && let Some(&(slot, guard)) = self.channels[channel].line.first()
        {
            self.leave_lines(slot);
            self.send_ahead(channel, self.message(slot, guard));
            let sending = self.operations[slot].as_mut().expect("it waits");
            sending.progress = Progress::Taken(guard);
        }
    }

    /// Returns how many were unused.
    pub(crate) fn revoke(&mut self, channel: usize, n: usize) -> usize {
        let unused = &mut self.channels[channel].unused;
        let revoked = n.min(*unused);
        *unused -= revoked;
        revoked
    }

    fn send_ahead(&mut self, channel: usize, message: Number) {
        let channel = &mut self.channels[channel];
        channel.unused -= 1;
        channel.ahead.push_back(message);
        self.places.insert(message, Place::Slot);
    }

    /// What whoever drains the channel gets now; a receiver that drains leaves first.
    pub(crate) fn drain(&mut self, channel: usize, side: Side, most: usize) -> Vec<Number> {
        if side == Side::Receiving {
            self.leaves(channel, side);
        }
        let left = &mut self.channels[channel].left;
        let drained: Vec<_> = left.drain(..most.min(left.len())).collect();
        for &message in &drained {
            self.places.insert(message, Place::Drained);
        }
        self.may_vanish(channel);
        drained
    }

    pub(crate) fn outstanding(&self, channel: usize) -> Outstanding {
        self.channels[channel].outstanding()
    }

    pub(crate) fn poison_reason(&self, channel: usize) -> Option<Reason> {
        self.channels[channel].poison
    }

    /// Whether every end of the other side has gone.
    pub(crate) fn is_disconnected(&self, channel: usize, side: Side) -> bool {
        self.channels[channel].is_disconnected(side)
    }

    /// An operation in a slot has its own ends; a passing one borrows them.
    pub(crate) fn begin(&mut self, slot: usize, kind: Kind) {
        let owns = slot != PASSING;
        if owns {
            for (channel, side) in ends(&kind) {
                self.end_is_cloned(channel, side);
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

    /// Takes what was seen, which must be allowed.
    pub(crate) fn apply(&mut self, slot: usize, seen: Option<Outcome>) {
        match seen {
            None => self.wait(slot),
            Some(Outcome::Received(guard, message)) => {
                let channel = self.receiving_channel(slot, guard);
                if self.takes_from_a_slot(channel, message) {
                    self.channels[channel].ahead.pop_front();
                } else {
                    self.take(channel, slot, message, Progress::Taken);
                }
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
            Some(Outcome::Sent(guard)) => {
                if !self.is_decided(slot) {
                    let channel = self.sending_channel(slot, guard);
                    self.send_ahead(channel, self.message(slot, guard));
                }
                self.finish(slot, Some(guard));
            }
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

    fn sending_channel(&self, slot: usize, guard: usize) -> usize {
        match &self.operations[slot].as_ref().expect("it sends").kind {
            Kind::Send { channel, .. } => *channel,
            Kind::Select { guards, .. } => guards[guard].0.channel,
            other => panic!("{other:?} does not send"),
        }
    }

    /// What was sent ahead comes before what waits.
    fn takes_from_a_slot(&self, channel: usize, message: Number) -> bool {
        let first = self.channels[channel].ahead.front();
        assert!(
            first.is_none_or(|first| *first == message),
            "the outcome was allowed"
        );
        first.is_some()
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
                if let Some(message) = self.next_message(channel, slot) {
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
        for (_, owner) in self.custody.values_mut() {
            if *owner == Owner::Sender(slot) {
                *owner = Owner::Nobody;
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
