//! A link holds what its budget and one longest message allow, however many channels it has and whatever their
//! owners do not take; and within that, all make progress.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod wires;

use std::collections::BTreeMap;

use bytes::Bytes;
use handover::wire::{Event, Limits, Link, ReceiveId, SendId, Settlement};
use wires::{connected, exchange, settings, take_output};

const BUDGET: u64 = 1 << 20;
const MESSAGE: u32 = 3 << 20;
const CHANNELS: u16 = 1000;

/// Fixed state beside message bytes: an input buffer.
const BUFFER: u64 = 1 << 17;

struct Pair {
    a: Link,
    b: Link,
    sends: Vec<SendId>,
    receives: Vec<ReceiveId>,
    /// What the owner has and did not settle.
    hand: BTreeMap<(u16, u64), usize>,
    held_most: u64,
}

impl Pair {
    fn new() -> Self {
        let limits = Limits::default()
            .with_channels(CHANNELS)
            .with_message_bytes(MESSAGE)
            .with_budget_bytes(BUDGET);
        let mut side = settings("side");
        side.limits = limits;
        let (mut a, mut b) = connected(side.clone(), side);
        let names: Vec<String> = (0..CHANNELS).map(|number| number.to_string()).collect();
        let sends = names.iter().map(|name| a.open(name).unwrap()).collect();
        exchange(&mut a, &mut b);
        let receives = names.iter().map(|name| b.find(name).unwrap()).collect();
        Self {
            a,
            b,
            sends,
            receives,
            hand: BTreeMap::new(),
            held_most: 0,
        }
    }

    fn check(&mut self) {
        let hand: usize = self.hand.values().sum();
        let held = self.b.bytes_held() as u64 + hand as u64;
        self.held_most = self.held_most.max(held);
        let bound = BUDGET + u64::from(MESSAGE);
        assert!(self.b.bytes_reserved() <= bound);
        assert!(held <= bound + BUFFER, "{held} bytes are held");
    }

    /// Carries one write each way; returns whether there was something.
    fn carry(&mut self) -> bool {
        let forth = self.a.output().to_vec();
        self.a.wrote(forth.len());
        for event in wires::feed(&mut self.b, &forth, &[usize::MAX]).unwrap() {
            if let Event::Message {
                channel,
                sequence,
                message,
            } = event
            {
                self.hand
                    .insert((channel.number(), sequence), message.len());
            }
        }
        self.check();
        let back = take_output(&mut self.b);
        wires::feed(&mut self.a, &back, &[usize::MAX]).unwrap();
        !forth.is_empty() || !back.is_empty()
    }

    fn settle_all(&mut self) -> usize {
        let hand = std::mem::take(&mut self.hand);
        for (number, sequence) in hand.keys() {
            let receive = self.receives.iter().find(|id| id.number() == *number);
            self.b
                .settle(*receive.unwrap(), *sequence, Settlement::Taken);
        }
        hand.len()
    }
}

fn size(index: usize) -> usize {
    match index % 10 {
        0 => MESSAGE as usize,
        1 | 2 => 300_000,
        3 => 0,
        _ => 100,
    }
}

#[test]
fn an_owner_of_a_thousand_channels_that_takes_nothing_holds_no_more_than_the_budget_and_one_message()
 {
    let mut pair = Pair::new();
    for receive in pair.receives.clone() {
        pair.b.grant(receive, 64);
    }
    while pair.carry() {}
    for round in 0..3 {
        for (index, send) in pair.sends.clone().into_iter().enumerate() {
            if pair.a.has_credit(send) {
                let message = Bytes::from(vec![7; size(index + round)]);
                pair.a.send(send, message).unwrap();
            }
        }
        while pair.carry() {}
    }
    assert!(pair.held_most > BUDGET / 2, "the budget is of use");
}

#[test]
fn long_and_short_messages_all_cross_when_they_are_taken() {
    let mut pair = Pair::new();
    for receive in pair.receives.clone() {
        pair.b.grant(receive, 1);
    }
    while pair.carry() {}
    let few = pair.sends.iter().copied().enumerate().step_by(7);
    let few: Vec<_> = few.collect();
    for (index, send) in &few {
        let message = Bytes::from(vec![7; size(*index)]);
        pair.a.send(*send, message).unwrap();
    }
    let mut taken = 0;
    while taken < few.len() {
        while pair.carry() {}
        let count = pair.settle_all();
        assert!(
            count > 0,
            "some message is always whole: {taken} were taken"
        );
        taken += count;
    }
    while pair.carry() {}
    assert_eq!(pair.a.counters().messages_sent, few.len() as u64);
}

#[test]
fn a_short_message_does_not_wait_for_a_long_one_that_nobody_takes() {
    let mut pair = Pair::new();
    let (long, short) = (0, 1);
    for index in [long, short] {
        pair.b.grant(pair.receives[index], 1);
    }
    while pair.carry() {}
    let message = Bytes::from(vec![7; MESSAGE as usize]);
    pair.a.send(pair.sends[long], message).unwrap();
    while pair.carry() {}
    assert_eq!(pair.hand.len(), 1);
    for _ in 0..200 {
        pair.a
            .send(pair.sends[short], Bytes::from_static(b"x"))
            .unwrap();
        while pair.carry() {}
        let number = pair.receives[short].number();
        let sequence = pair
            .hand
            .keys()
            .find(|(found, _)| *found == number)
            .unwrap()
            .1;
        pair.hand.remove(&(number, sequence));
        pair.b
            .settle(pair.receives[short], sequence, Settlement::Taken);
        assert_eq!(pair.b.grant(pair.receives[short], 1), 1);
        while pair.carry() {}
    }
}
