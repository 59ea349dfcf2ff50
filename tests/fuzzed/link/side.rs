//! One side: what its owner does, and what it may expect to hear.

use std::time::Duration;

use handover::wire::{
    CREDIT_MESSAGES_MAX, Denial, Event, Goodbye, HANDSHAKE_BYTES_MAX, HEADER_BYTES, Limits, Link,
    MessageType, Outcome, PAYLOAD_BYTES_MAX, ReceiveId, SendId, Settlement, Violation,
};

use super::{
    input::Input,
    ledger::{Ledger, Name},
};

/// The input buffer of a link holds one longest frame.
const BUFFER_BYTES: u64 = (HEADER_BYTES + PAYLOAD_BYTES_MAX) as u64;
const _: () = assert!(HANDSHAKE_BYTES_MAX < HEADER_BYTES + PAYLOAD_BYTES_MAX);

#[derive(Debug)]
struct Out {
    id: SendId,
    channel: u32,
    under_way: Vec<u64>,
    closing: bool,
}

#[derive(Debug)]
struct In {
    id: ReceiveId,
    channel: u32,
    /// So many messages were granted in all.
    granted: u64,
    /// The last that came.
    last: u64,
    hand: Vec<(u64, usize)>,
    ended: bool,
}

#[derive(Debug)]
pub struct Side {
    pub link: Link,
    outs: Vec<Out>,
    ins: Vec<In>,
    /// The peer's last word, or a violation, came on this connection: nothing else does.
    deaf: bool,
    concluded: bool,
}

impl Side {
    pub fn new(link: Link) -> Self {
        Self {
            link,
            outs: Vec::new(),
            ins: Vec::new(),
            deaf: false,
            concluded: false,
        }
    }

    pub fn connected(&mut self) {
        self.deaf = false;
    }

    pub fn disconnected(&mut self) {
        self.link.disconnected();
    }

    /// What its memory may be, whatever the peer does.
    pub fn check(&self, limits: &Limits) {
        let bound = limits.budget_bytes + u64::from(limits.message_bytes);
        let (reserved, held) = (self.link.bytes_reserved(), self.link.bytes_held() as u64);
        assert!(
            reserved <= bound,
            "{reserved} bytes are reserved of {bound}"
        );
        assert!(
            held <= BUFFER_BYTES + bound,
            "{held} bytes are held of {bound}"
        );
        let hands = self.ins.iter().flat_map(|end| &end.hand);
        let in_hand: usize = hands.map(|(_, length)| length).sum();
        assert!(in_hand as u64 <= reserved, "what is here is reserved");
        assert!(self.ins.len() <= usize::from(limits.channels));
        for end in &self.ins {
            assert!(end.hand.len() <= CREDIT_MESSAGES_MAX);
        }
    }

    // ---- Hearing ----

    pub fn hear(&mut self, event: Event, ledger: &mut Ledger) {
        if !matches!(event, Event::Lost(_)) {
            assert!(!self.deaf, "nothing is heard after the end: {event:?}");
        }
        assert!(
            !self.concluded || matches!(event, Event::Lost(_) | Event::Goodbye(_)),
            "what is over is over: {event:?}"
        );
        match event {
            Event::Welcome => assert!(self.link.peer().is_some()),
            Event::Resumed => assert!(self.link.epoch() > 1),
            Event::Granted(id) => {
                self.out_of(id);
            }
            Event::Revoked(id) => {
                self.in_of(id);
            }
            Event::Opened(id) => self.opened(id),
            Event::Message {
                channel,
                sequence,
                message,
            } => {
                let Some(end) = self.in_of(channel) else {
                    panic!("a message comes to an end that is open");
                };
                assert!(!end.ended, "nothing comes after the end");
                assert!(
                    end.last < sequence && sequence <= end.granted,
                    "what comes was granted, in order"
                );
                end.last = sequence;
                end.hand.push((sequence, message.len()));
                ledger.arrive((end.channel, sequence), &message);
            }
            Event::Settled {
                channel,
                sequence,
                settlement,
            } => {
                let Some(out) = self.out_of(channel) else {
                    panic!("a message is settled on an end that is open");
                };
                let position = out.under_way.iter().position(|open| *open == sequence);
                let Some(position) = position else {
                    panic!("what is settled was under way");
                };
                out.under_way.remove(position);
                ledger.hear((out.channel, sequence), settlement);
            }
            Event::Withdraw { channel, sequence } => {
                let end = self.in_of(channel);
                let here =
                    end.is_some_and(|end| end.hand.iter().any(|(open, _)| *open == sequence));
                assert!(here, "what is wanted back is here");
            }
            Event::ReceiverClosed(id)
            | Event::ReceiverPoisoned { channel: id, .. }
            | Event::Denied { channel: id, .. } => {
                let position = self.outs.iter().position(|out| out.id == id);
                let Some(position) = position else {
                    panic!("an end is gone once");
                };
                let out = self.outs.remove(position);
                for sequence in out.under_way {
                    assert_eq!(self.link.outcome(id, sequence), Outcome::NotTaken);
                    ledger.not_taken((out.channel, sequence));
                }
            }
            Event::SenderClosed(id) | Event::SenderPoisoned { channel: id, .. } => {
                if let Some(end) = self.in_of(id) {
                    assert!(!end.ended, "an end comes once");
                    end.ended = true;
                }
            }
            Event::Goodbye(_) => {
                self.deaf = true;
                if self.link.is_over() {
                    self.part();
                    self.conclude(ledger);
                }
            }
            Event::Lost(_) => {
                assert!(self.link.lost().is_some() && self.link.is_over());
                self.deaf = true;
                self.conclude(ledger);
            }
            Event::Resume(_) => {
                let is_new = self.link.peer().is_none();
                assert!(is_new, "a session is no new connection");
            }
            _ => {}
        }
    }

    pub fn broken(&mut self, violation: &Violation) {
        self.deaf = true;
        if self.link.is_over() {
            self.ins.clear();
            self.link.goodbye(violation.goodbye());
        } else {
            // Only that connection is of no use.
            self.link.disconnected();
        }
    }

    fn opened(&mut self, id: ReceiveId) {
        assert!(
            self.ins.iter().all(|end| end.id != id),
            "a number is one channel's"
        );
        let Some(channel) = self.link.message_type(id).map(|it| it.version) else {
            panic!("what is opened has a type");
        };
        self.ins.push(In {
            id,
            channel,
            granted: 0,
            last: 0,
            hand: Vec::new(),
            ended: false,
        });
    }

    fn in_of(&mut self, id: ReceiveId) -> Option<&mut In> {
        self.ins.iter_mut().find(|end| end.id == id)
    }

    fn out_of(&mut self, id: SendId) -> Option<&mut Out> {
        self.outs.iter_mut().find(|out| out.id == id)
    }

    fn conclude(&mut self, ledger: &mut Ledger) {
        self.concluded = true;
        for out in self.outs.drain(..) {
            for sequence in out.under_way {
                if self.link.outcome(out.id, sequence) == Outcome::NotTaken {
                    ledger.not_taken((out.channel, sequence));
                }
            }
        }
        self.ins.clear();
    }

    // ---- Acting ----

    pub fn part(&mut self) {
        self.ins.clear();
        self.link.goodbye(Goodbye::done());
    }

    /// One order, if it makes sense now.
    pub fn act(&mut self, order: u8, now: Duration, input: &mut Input<'_>, ledger: &mut Ledger) {
        if self.concluded {
            return;
        }
        match order {
            17 => self.open(input, ledger),
            18..=20 => self.send(input, ledger),
            21 => self.withdraw(input, ledger),
            22 | 23 => self.grant(input),
            24 => {
                if let Some(end) = self.ins.get(input.below(self.ins.len())) {
                    self.link.revoke(end.id);
                }
            }
            25..=28 => self.settle(now, input, ledger),
            29 => self.close_out(input, ledger),
            30 => self.close_in(input),
            _ => {}
        }
    }

    fn open(&mut self, input: &mut Input<'_>, ledger: &mut Ledger) {
        let name = ["a", "b", "c", "d"][input.below(4)];
        let message_type = MessageType {
            name: "t".to_owned(),
            version: ledger.next_channel(),
        };
        let channel = message_type.version;
        if let Ok(id) = self.link.open_typed(name, message_type) {
            ledger.open();
            self.outs.push(Out {
                id,
                channel,
                under_way: Vec::new(),
                closing: false,
            });
        }
    }

    fn send(&mut self, input: &mut Input<'_>, ledger: &mut Ledger) {
        let index = input.below(self.outs.len());
        let length = usize::try_from(input.number() % 150_000).unwrap_or(0);
        let Some(out) = self.outs.get_mut(index) else {
            return;
        };
        if !self.link.has_credit(out.id) {
            return;
        }
        assert!(!out.closing, "what is closed has no credit");
        let length = length.min(self.link.message_bytes_max() as usize);
        let name = ledger.next(out.channel);
        let Ok(sequence) = self.link.send(out.id, Ledger::content(name, length)) else {
            panic!("it is within the limit");
        };
        assert_eq!(sequence, name.1, "messages are numbered in turn");
        out.under_way.push(sequence);
        assert!(out.under_way.len() <= CREDIT_MESSAGES_MAX);
        ledger.begin(name, length);
    }

    fn withdraw(&mut self, input: &mut Input<'_>, ledger: &mut Ledger) {
        let index = input.below(self.outs.len());
        let Some(out) = self.outs.get(index) else {
            return;
        };
        if let Some(sequence) = out.under_way.get(input.below(out.under_way.len())) {
            ledger.withdraw((out.channel, *sequence));
            self.link.withdraw(out.id, *sequence);
        }
    }

    fn grant(&mut self, input: &mut Input<'_>) {
        let index = input.below(self.ins.len());
        let count = u64::from(input.byte() % 80);
        if let Some(end) = self.ins.get_mut(index) {
            let granted = self.link.grant(end.id, count);
            assert!(granted <= count.min(CREDIT_MESSAGES_MAX as u64));
            // What is revoked and granted again has the same numbers, so this is not less than what the peer knows.
            end.granted += granted;
        }
    }

    fn settle(&mut self, now: Duration, input: &mut Input<'_>, ledger: &mut Ledger) {
        let index = input.below(self.ins.len());
        let Some(end) = self.ins.get_mut(index) else {
            return;
        };
        if end.hand.is_empty() {
            return;
        }
        let at = input.below(end.hand.len());
        let settlement = [
            Settlement::Taken,
            Settlement::Declined,
            Settlement::Returned,
            Settlement::InDoubt,
        ][input.below(4)];
        if settlement == Settlement::Taken && !self.link.may_take(now) {
            return;
        }
        let (sequence, _) = end.hand.remove(at);
        let name: Name = (end.channel, sequence);
        ledger.say(name, settlement);
        self.link.settle(end.id, sequence, settlement);
    }

    fn close_out(&mut self, input: &mut Input<'_>, ledger: &mut Ledger) {
        let index = input.below(self.outs.len());
        let poison = input.byte() & 1 == 1;
        let Some(out) = self.outs.get_mut(index) else {
            return;
        };
        out.closing = true;
        if poison {
            for sequence in &out.under_way {
                ledger.withdraw((out.channel, *sequence));
            }
            self.link.poison_send(out.id, "it went wrong");
        } else {
            self.link.close_send(out.id);
        }
    }

    fn close_in(&mut self, input: &mut Input<'_>) {
        if self.ins.is_empty() {
            return;
        }
        let end = self.ins.remove(input.below(self.ins.len()));
        match input.byte() % 3 {
            0 => self.link.close_receive(end.id),
            1 => self.link.poison_receive(end.id, "it went wrong"),
            _ => self.link.deny(end.id, Denial::Mismatch, "not this"),
        }
    }
}
