//! A program, run on real channels one step at a time, with the reference beside it.

mod making;
mod passing;

use std::sync::{Arc, Mutex};

use handover::{
    Receiver, Sender, channel,
    channel::{Held, Reason, RecvStream},
};

use self::making::next_of;
use crate::{
    program::{Answer, CHANNELS, Operation, SLOTS, Side, Step},
    reference::{self, Number, Outcome, Reference},
    script::{Books, Message, Place, Task},
};

/// Polls in one settling; more would mean that operations wake each other for ever.
const POLLS_MAX: usize = 1_000;

/// What a future says when it resolves: its outcome, and the stream that goes on.
type Said = (Outcome, Option<RecvStream<Message>>);

type Custody = Arc<Mutex<Vec<Held<Message>>>>;

struct Ends {
    senders: Vec<Sender<Message>>,
    receivers: Vec<Receiver<Message>>,
}

pub(crate) struct World {
    books: Books,
    reference: Reference,
    ends: Vec<Ends>,
    tasks: Vec<Option<Task<Said>>>,
    custody: Custody,
    /// How often poisoning was tried: the words of the next reason.
    poisonings: reference::Reason,
    /// What was seen, so that a run can show that it saw everything.
    seen: Vec<Option<Outcome>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let open = |_| {
            let (sender, receiver) = channel();
            Ends {
                senders: vec![sender],
                receivers: vec![receiver],
            }
        };
        Self {
            books: Books::default(),
            reference: Reference::new(),
            ends: (0..CHANNELS).map(open).collect(),
            tasks: (0..SLOTS).map(|_| None).collect(),
            custody: Custody::default(),
            poisonings: 0,
            seen: Vec::new(),
        }
    }

    pub(crate) fn perform(&mut self, step: &Step) {
        match step {
            Step::Begin(operation) => {
                self.begin(operation);
            }
            Step::Start(operation) => {
                if let Some(slot) = self.begin(operation) {
                    self.poll(slot);
                }
            }
            Step::Poll(pick) => {
                if let Some(slot) = picked(&self.under_way(), *pick) {
                    self.poll(slot);
                }
            }
            Step::PollWoken(pick) => {
                if let Some(slot) = picked(&self.woken(), *pick) {
                    self.poll(slot);
                }
            }
            Step::Drop(pick) => {
                if let Some(slot) = picked(&self.under_way(), *pick) {
                    self.cancel(slot);
                }
            }
            Step::Send(channel, haste) => self.send_now(*channel, *haste),
            Step::Recv(channel, haste) => self.recv_now(*channel, *haste),
            Step::SelectNow(guards, haste) => self.select_now(guards, *haste),
            Step::Poison(channel, side) => self.poison(*channel, *side),
            Step::Grant(channel, n) => {
                if let Some(rx) = self.ends[*channel].receivers.last() {
                    rx.grant(*n);
                    self.reference.grant(*channel, *n);
                }
            }
            Step::Revoke(channel, n) => {
                if let Some(rx) = self.ends[*channel].receivers.last() {
                    let revoked = rx.revoke(*n);
                    assert_eq!(revoked, self.reference.revoke(*channel, *n), "revoked");
                }
            }
            Step::Drain(channel, side, most) => self.drain(*channel, *side, *most),
            Step::CloneEnd(channel, side) => self.clone_end(*channel, *side),
            Step::DropEnd(channel, side) => {
                self.drop_end(*channel, *side);
            }
            Step::Answer(pick, answer) => self.answer(*pick, *answer),
            Step::Settle => self.settle(),
        }
        self.ends_know_how_it_stands();
        self.slots_keep_what_is_in_them();
    }

    /// The end that `side` has of a channel, if it has not been dropped.
    fn sender(&self, channel: usize) -> Option<Sender<Message>> {
        self.ends[channel].senders.last().cloned()
    }

    fn receiver(&self, channel: usize) -> Option<Receiver<Message>> {
        self.ends[channel].receivers.last().cloned()
    }

    /// In the first free slot; not at all if there is none, or no end for it.
    fn begin(&mut self, operation: &Operation) -> Option<usize> {
        let slot = self.tasks.iter().position(Option::is_none)?;
        let (kind, task) = self.make(operation)?;
        self.tasks[slot] = Some(task);
        self.reference.begin(slot, kind);
        Some(slot)
    }

    fn poll(&mut self, slot: usize) {
        let Some(task) = &mut self.tasks[slot] else {
            return;
        };
        let said = task.poll();
        let outcome = said.as_ref().map(|(outcome, _)| *outcome);
        if let Some((_, stream)) = said {
            self.tasks[slot] = stream.map(|stream| next_of(stream, self.books.clone()));
        }
        self.judge(slot, outcome);
    }

    /// Holds what was seen against the reference, and tells it.
    fn judge(&mut self, slot: usize, outcome: Option<Outcome>) {
        let allowed = self.reference.allowed(slot);
        assert!(
            allowed.contains(&outcome),
            "slot {slot} came to {outcome:?}, and only this is allowed: {allowed:?}"
        );
        self.seen.push(outcome);
        self.reference.apply(slot, outcome);
    }

    fn cancel(&mut self, slot: usize) {
        if let Some(task) = self.tasks[slot].take() {
            drop(task);
            self.reference.drop_operation(slot);
        }
    }

    fn clone_end(&mut self, channel: usize, side: Side) {
        let ends = &mut self.ends[channel];
        let cloned = match side {
            Side::Sending => {
                let end = ends.senders.last().cloned();
                ends.senders.extend(end.clone());
                end.is_some()
            }
            Side::Receiving => {
                let end = ends.receivers.last().cloned();
                ends.receivers.extend(end.clone());
                end.is_some()
            }
        };
        if cloned {
            self.reference.end_is_cloned(channel, side);
        }
    }

    /// Returns whether there was one.
    fn drop_end(&mut self, channel: usize, side: Side) -> bool {
        let ends = &mut self.ends[channel];
        let dropped = match side {
            Side::Sending => ends.senders.pop().is_some(),
            Side::Receiving => ends.receivers.pop().is_some(),
        };
        if dropped {
            self.reference.end_is_dropped(channel, side);
        }
        dropped
    }

    fn poison(&mut self, channel: usize, side: Side) {
        let ends = &self.ends[channel];
        let reason = self.poisonings;
        let words = format!("reason {reason}");
        let poisoned = match side {
            Side::Sending => ends.senders.last().map(|tx| tx.poison(words)),
            Side::Receiving => ends.receivers.last().map(|rx| rx.poison(words)),
        };
        if let Some(poisoned) = poisoned {
            self.poisonings += 1;
            let first = self.reference.poison(channel, reason);
            assert_eq!(poisoned, first, "whether this has poisoned {channel}");
        }
    }

    /// A receiver that drains is dropped first.
    fn drain(&mut self, channel: usize, side: Side, most: usize) {
        let ends = &mut self.ends[channel];
        let remaining = match side {
            Side::Sending => ends.senders.last().map(Sender::take_remaining),
            Side::Receiving => ends.receivers.pop().map(Receiver::into_remaining),
        };
        let Some(remaining) = remaining else { return };
        let mut drained = Vec::new();
        for message in remaining.take(most) {
            drained.push(message.number);
            self.books.book(message, Place::Drained);
        }
        assert_eq!(
            drained,
            self.reference.drain(channel, side, most),
            "drained of {channel}"
        );
    }

    fn answer(&mut self, pick: usize, answer: Answer) {
        let held = {
            let mut custody = self.custody.lock().unwrap();
            if custody.is_empty() {
                return;
            }
            let pick = pick % custody.len();
            custody.remove(pick)
        };
        let number: Number = held.number;
        let heard = self.reference.answer(number, answer);
        let kept = match answer {
            Answer::Release => {
                self.books.book(held.release(), Place::Taken);
                return;
            }
            Answer::Drop => {
                drop(held);
                return;
            }
            Answer::HandBack => held.hand_back(),
            Answer::Doubt => held.in_doubt(),
        };
        assert_eq!(kept.is_ok(), heard, "whether the sender was still there");
        if let Err(message) = kept {
            self.books.book(message, Place::Kept);
        }
    }

    fn under_way(&self) -> Vec<usize> {
        (0..SLOTS)
            .filter(|slot| self.tasks[*slot].is_some())
            .collect()
    }

    fn woken(&self) -> Vec<usize> {
        let woken = |slot: &usize| self.tasks[*slot].as_ref().is_some_and(Task::is_woken);
        (0..SLOTS).filter(woken).collect()
    }

    /// All wake-ups are delivered and all that were woken are polled: then nobody waits who could go on.
    pub(crate) fn settle(&mut self) {
        for _ in 0..POLLS_MAX {
            let Some(&slot) = self.woken().first() else {
                return self.nobody_was_forgotten();
            };
            self.poll(slot);
        }
        panic!("they wake each other for ever");
    }

    fn nobody_was_forgotten(&self) {
        for slot in 0..SLOTS {
            if self.tasks[slot].is_none() || !self.reference.was_polled(slot) {
                continue;
            }
            let allowed = self.reference.allowed(slot);
            assert!(
                allowed.contains(&None) && !self.reference.misses_demand(slot),
                "slot {slot} waits and was not woken, and could come to {allowed:?}"
            );
        }
        for (channel, ends) in self.ends.iter().enumerate() {
            if let Some(tx) = ends.senders.last() {
                assert_eq!(
                    tx.is_ready(),
                    self.reference.is_ready(channel),
                    "whether there is demand on {channel}"
                );
            }
        }
    }

    fn ends_know_how_it_stands(&self) {
        for (channel, ends) in self.ends.iter().enumerate() {
            let gone = |side| self.reference.is_disconnected(channel, side);
            let reason = self.reference.poison_reason(channel);
            for tx in &ends.senders {
                assert_eq!(tx.is_disconnected(), gone(Side::Sending), "of {channel}");
                assert_eq!(tx.poison_reason().as_ref().map(number_of), reason);
            }
            for rx in &ends.receivers {
                assert_eq!(rx.is_disconnected(), gone(Side::Receiving), "of {channel}");
                assert_eq!(rx.poison_reason().as_ref().map(number_of), reason);
                assert_eq!(rx.outstanding(), self.reference.outstanding(channel));
            }
        }
    }

    /// What was sent ahead is neither with its sender, whose send is done, nor dropped.
    fn slots_keep_what_is_in_them(&self) {
        for (number, place) in &self.reference.places {
            if *place == Place::Slot {
                let found = self.books.place(*number);
                assert_eq!(found, Place::InHand, "message {number} is in a slot");
            }
        }
    }

    /// Ends everything; then each message is where the reference says.
    pub(crate) fn balance(mut self) -> (Vec<Option<Outcome>>, Vec<Place>) {
        self.settle();
        for slot in 0..SLOTS {
            self.cancel(slot);
        }
        while !self.custody.lock().unwrap().is_empty() {
            self.answer(0, Answer::HandBack);
        }
        // One channel is drained, and with the other what is left in it is dropped.
        self.drain(0, Side::Sending, usize::MAX);
        self.drain(0, Side::Receiving, usize::MAX);
        self.slots_keep_what_is_in_them();
        for channel in 0..CHANNELS {
            for side in [Side::Sending, Side::Receiving] {
                while self.drop_end(channel, side) {}
            }
        }
        self.books.close();
        for number in 0..self.books.count() {
            let place = self.reference.places.get(&number).copied();
            let found = Some(self.books.place(number));
            assert_eq!(
                found, place,
                "where message {number} is, and where it should be"
            );
        }
        (self.seen, self.reference.places.into_values().collect())
    }
}

fn number_of(reason: &Reason) -> reference::Reason {
    let words = reason.as_str().strip_prefix("reason ").expect("our words");
    words.parse().expect("a number of ours")
}

fn picked(slots: &[usize], pick: usize) -> Option<usize> {
    slots.get(pick.checked_rem(slots.len())?).copied()
}
