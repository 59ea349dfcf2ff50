//! The owner of one side of a session: it opens, grants, sends, takes late and out of order, returns, closes,
//! poisons at random, and writes into the ledger what it does and hears.

use std::time::Duration;

use bytes::Bytes;
use handover::wire::{
    Denial, Event, Goodbye, Limits, Link, MessageType, ReceiveId, SendId, Settlement,
};

use crate::{
    ledger::{Ledger, Told},
    rng::Rng,
};

/// How a schedule's owners behave.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    pub message_bytes: usize,
    pub budget: u64,
    pub limits_message: u32,
    /// Ends of channels go once in so many acts.
    pub closing: usize,
    /// Sessions do.
    pub parting: usize,
    /// A message is wanted back, or a grant, once in so many.
    pub regret: usize,
}

impl Habits {
    pub fn limits(&self) -> Limits {
        Limits::default()
            .with_channels(4)
            .with_message_bytes(self.limits_message)
            .with_budget_bytes(self.budget)
    }
}

struct Out {
    id: SendId,
    channel: u32,
    /// Those without an outcome.
    under_way: Vec<u64>,
    closing: bool,
}

struct In {
    id: ReceiveId,
    channel: u32,
    hand: Vec<u64>,
    ended: bool,
}

pub struct Session {
    pub link: Link,
    pub number: u128,
    pub connection: Option<usize>,
    outs: Vec<Out>,
    ins: Vec<In>,
    /// All that was under way has its outcome, for the session is over.
    pub concluded: bool,
}

/// A message is under way here: the channel and its number.
type Place = (usize, usize);

impl Session {
    pub fn new(link: Link, number: u128, connection: usize) -> Self {
        Self {
            link,
            number,
            connection: Some(connection),
            outs: Vec::new(),
            ins: Vec::new(),
            concluded: false,
        }
    }

    // ---- Hearing ----

    pub fn hear(&mut self, event: Event, ledger: &mut Ledger, rng: &mut Rng, habits: &Habits) {
        match event {
            Event::Welcome | Event::Resumed | Event::Granted(_) | Event::Revoked(_) => {}
            Event::Resume(_) => panic!("a session is no new connection"),
            Event::Opened(id) => self.opened(id, rng, habits),
            Event::Message {
                channel,
                sequence,
                message,
            } => {
                let end = self.in_of(channel);
                ledger.arrive(end.channel, sequence, &message);
                assert!(!end.ended, "nothing comes after the end");
                end.hand.push(sequence);
            }
            Event::Settled {
                channel,
                sequence,
                settlement,
            } => {
                let out = self.out_of(channel);
                let position = out.under_way.iter().position(|open| *open == sequence);
                out.under_way
                    .remove(position.expect("what is settled was under way"));
                ledger.tell(out.channel, sequence, Told::Settled(settlement));
            }
            Event::Withdraw { channel, sequence } => {
                let end = self.in_of(channel);
                assert!(end.hand.contains(&sequence), "what is wanted back is here");
                let channel = end.channel;
                assert!(ledger.message(channel, sequence).withdrawn);
                if rng.one_in(2) {
                    let position = self.ins.iter().position(|end| end.channel == channel);
                    self.settle(
                        (position.unwrap(), 0),
                        Some(sequence),
                        Settlement::Returned,
                        ledger,
                    );
                }
            }
            Event::ReceiverClosed(id)
            | Event::ReceiverPoisoned { channel: id, .. }
            | Event::Denied { channel: id, .. } => {
                let position = self.outs.iter().position(|out| out.id == id).unwrap();
                let out = self.outs.remove(position);
                for sequence in &out.under_way {
                    let outcome = self.link.outcome(id, *sequence);
                    assert_eq!(outcome, handover::wire::Outcome::NotTaken);
                    ledger.tell(out.channel, *sequence, Told::Concluded(outcome));
                }
            }
            Event::SenderClosed(id) | Event::SenderPoisoned { channel: id, .. } => {
                if let Some(end) = self.ins.iter_mut().find(|end| end.id == id) {
                    assert!(!end.ended, "an end comes once");
                    end.ended = true;
                }
            }
            Event::Goodbye(_) => {
                if self.link.is_over() {
                    self.part(ledger, rng);
                    self.conclude(ledger);
                }
            }
            Event::Lost(_) => self.conclude(ledger),
            other => panic!("{other:?}"),
        }
    }

    fn opened(&mut self, id: ReceiveId, rng: &mut Rng, habits: &Habits) {
        let channel = self.link.message_type(id).unwrap().version;
        assert!(
            self.ins.iter().all(|end| end.id != id),
            "a number is one channel's"
        );
        if rng.one_in(habits.closing * 2) {
            self.link.deny(id, Denial::NotAllowed, "not here");
            return;
        }
        self.ins.push(In {
            id,
            channel,
            hand: Vec::new(),
            ended: false,
        });
    }

    fn in_of(&mut self, id: ReceiveId) -> &mut In {
        let mut ends = self.ins.iter_mut();
        ends.find(|end| end.id == id).expect("the end is open")
    }

    fn out_of(&mut self, id: SendId) -> &mut Out {
        let mut outs = self.outs.iter_mut();
        outs.find(|out| out.id == id).expect("the end is open")
    }

    /// The session is over: what can be said now is all that ever can.
    pub fn conclude(&mut self, ledger: &mut Ledger) {
        if std::mem::replace(&mut self.concluded, true) {
            return;
        }
        for out in self.outs.drain(..) {
            for sequence in out.under_way {
                let told = Told::Concluded(self.link.outcome(out.id, sequence));
                ledger.tell(out.channel, sequence, told);
            }
        }
        self.ins.clear();
    }

    /// The process of this side is gone.
    pub fn vanish(&mut self, ledger: &mut Ledger) {
        for out in self.outs.drain(..) {
            for sequence in out.under_way {
                ledger.tell(out.channel, sequence, Told::Nobody);
            }
        }
    }

    // ---- Acting ----

    /// Says the last word. Those who have a message in custody will not be heard any more.
    pub fn part(&mut self, ledger: &mut Ledger, rng: &mut Rng) {
        for index in 0..self.ins.len() {
            while rng.one_in(2) && !self.ins[index].hand.is_empty() {
                self.settle((index, 0), None, Settlement::InDoubt, ledger);
            }
        }
        self.ins.clear();
        self.link.goodbye(Goodbye::done());
    }

    /// Settles the message at a place, or that of a number.
    fn settle(
        &mut self,
        (index, at): Place,
        sequence: Option<u64>,
        settlement: Settlement,
        ledger: &mut Ledger,
    ) {
        let end = &mut self.ins[index];
        let at = sequence.map_or(at, |sequence| {
            end.hand.iter().position(|open| *open == sequence).unwrap()
        });
        let sequence = end.hand.remove(at);
        ledger.say(end.channel, sequence, settlement);
        self.link.settle(end.id, sequence, settlement);
    }

    /// One act of the owner, if it finds something to do.
    pub fn act(&mut self, now: Duration, ledger: &mut Ledger, rng: &mut Rng, habits: &Habits) {
        if self.concluded {
            return;
        }
        if rng.one_in(habits.parting) {
            self.part(ledger, rng);
            return;
        }
        match rng.below(8) {
            0..3 => self.send(ledger, rng, habits),
            3..5 => self.grant(rng, habits),
            _ => self.take(now, ledger, rng, habits),
        }
    }

    fn send(&mut self, ledger: &mut Ledger, rng: &mut Rng, habits: &Habits) {
        if self.outs.is_empty() || (self.outs.len() < 3 && rng.one_in(6)) {
            self.open(ledger, rng);
            return;
        }
        let index = rng.below(self.outs.len());
        if rng.one_in(habits.closing) && !self.outs[index].closing {
            let out = &mut self.outs[index];
            out.closing = true;
            if rng.one_in(3) {
                self.link.poison_send(out.id, "it went wrong");
                // What is not wholly said is wanted back.
                for sequence in &out.under_way {
                    ledger.message(out.channel, *sequence).withdrawn = true;
                }
            } else {
                self.link.close_send(out.id);
            }
            return;
        }
        if rng.one_in(habits.regret) && !self.outs[index].under_way.is_empty() {
            let out = &self.outs[index];
            let sequence = out.under_way[rng.below(out.under_way.len())];
            ledger.message(out.channel, sequence).withdrawn = true;
            self.link.withdraw(out.id, sequence);
            return;
        }
        let size = rng.pick(&[0, 3, 40, habits.message_bytes]);
        let size = rng.below(size + 1);
        self.send_on(index, size, ledger);
    }

    /// Begins a message if there is credit; returns whether.
    pub fn send_on(&mut self, index: usize, size: usize, ledger: &mut Ledger) -> bool {
        let Some(out) = self.outs.get_mut(index) else {
            return false;
        };
        if !self.link.has_credit(out.id) {
            return false;
        }
        assert!(!out.closing, "what is closed has no credit");
        let next = self.link_next(index, size, ledger);
        self.outs[index].under_way.push(next);
        true
    }

    fn link_next(&mut self, index: usize, size: usize, ledger: &mut Ledger) -> u64 {
        let out = &self.outs[index];
        let next = ledger.next(out.channel);
        let content = Ledger::content(out.channel, next, size);
        ledger.begin(out.channel, next, size);
        let sequence = self.link.send(out.id, Bytes::from(content)).unwrap();
        assert_eq!(sequence, next);
        sequence
    }

    pub fn open(&mut self, ledger: &mut Ledger, rng: &mut Rng) -> bool {
        let name = rng.pick(&["a", "b", "c", "d", "e"]);
        let version = ledger.next_channel();
        let message_type = MessageType {
            name: "type".to_owned(),
            version,
        };
        let Ok(id) = self.link.open_typed(name, message_type) else {
            return false;
        };
        assert_eq!(ledger.open(), version);
        self.outs.push(Out {
            id,
            channel: version,
            under_way: Vec::new(),
            closing: false,
        });
        true
    }

    fn grant(&mut self, rng: &mut Rng, habits: &Habits) {
        if self.ins.is_empty() {
            return;
        }
        let end = &self.ins[rng.below(self.ins.len())];
        if rng.one_in(habits.regret) {
            self.link.revoke(end.id);
        } else {
            let count = rng.pick(&[1, 1, 2, 5, 70]);
            assert!(self.link.grant(end.id, count) <= count);
        }
    }

    fn take(&mut self, now: Duration, ledger: &mut Ledger, rng: &mut Rng, habits: &Habits) {
        if self.ins.is_empty() {
            return;
        }
        let index = rng.below(self.ins.len());
        let end = &self.ins[index];
        if rng.one_in(habits.closing) || (end.ended && end.hand.is_empty() && rng.one_in(3)) {
            let end = self.ins.remove(index);
            if rng.one_in(3) {
                self.link.poison_receive(end.id, "it went wrong");
            } else {
                self.link.close_receive(end.id);
            }
            return;
        }
        if end.hand.is_empty() {
            return;
        }
        let at = rng.below(end.hand.len());
        let settlement = rng.pick(&[
            Settlement::Taken,
            Settlement::Taken,
            Settlement::Taken,
            Settlement::Declined,
            Settlement::Returned,
            Settlement::InDoubt,
        ]);
        if settlement != Settlement::Taken || self.link.may_take(now) {
            self.settle((index, at), None, settlement, ledger);
        }
    }

    // ---- Coming to rest ----

    /// What a patient owner does: grants, takes all, and closes what its peer has closed.
    pub fn wind_up(&mut self, now: Duration, ledger: &mut Ledger) {
        if self.concluded {
            return;
        }
        for index in (0..self.ins.len()).rev() {
            while !self.ins[index].hand.is_empty() && self.link.may_take(now) {
                self.settle((index, 0), None, Settlement::Taken, ledger);
            }
            let end = &self.ins[index];
            if end.ended && end.hand.is_empty() {
                self.link.close_receive(end.id);
                self.ins.remove(index);
            } else {
                self.link.grant(end.id, 1);
            }
        }
    }

    /// Whether each end that may send has credit, so that nothing is stuck.
    pub fn has_all_credit(&self) -> bool {
        let mut sending = self.outs.iter().filter(|out| !out.closing);
        sending.all(|out| self.link.has_credit(out.id))
    }

    pub fn outs(&self) -> usize {
        self.outs.len()
    }

    /// Whether anything is under way, or a close is not answered.
    pub fn is_settled(&self) -> bool {
        let open = self
            .outs
            .iter()
            .any(|out| out.closing || !out.under_way.is_empty());
        !open
    }
}
