//! Two state machines at the two ends of a pipe that carries bytes in any pieces, while their owners send,
//! grant, take and close in any order: each message is taken once and in order, nothing crosses without a
//! grant, and the sender hears of each message what became of it.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used)]

mod wires;

use std::collections::BTreeMap;

use bytes::Bytes;
use handover::wire::{Event, Link, ReceiveId, SendId, Settlement};
use proptest::prelude::*;
use wires::{connected, feed, settings};

const CHANNELS: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The sender begins a message of this length if it has credit.
    Send(usize, usize),
    Grant(usize, u64),
    /// The receiver settles the one of its open messages that this number picks.
    Settle(usize, usize, Settlement),
    CloseSender(usize),
    CloseReceiver(usize),
    /// The pipe toward the receiver, or the sender, carries up to so many bytes.
    Carry(bool, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let channel = 0..CHANNELS;
    let settlement = prop_oneof![
        4 => Just(Settlement::Taken),
        1 => Just(Settlement::Returned),
        1 => Just(Settlement::InDoubt),
    ];
    let size = prop_oneof![4 => 0usize..50, 1 => 60_000usize..200_000];
    let count = prop_oneof![3 => 1usize..40, 1 => 1usize..100_000];
    prop_oneof![
        8 => (channel.clone(), size).prop_map(|(channel, size)| Step::Send(channel, size)),
        4 => (channel.clone(), 0u64..4).prop_map(|(channel, count)| Step::Grant(channel, count)),
        6 => (channel.clone(), any::<usize>(), settlement)
            .prop_map(|(channel, which, settlement)| Step::Settle(channel, which, settlement)),
        1 => channel.clone().prop_map(Step::CloseSender),
        1 => channel.prop_map(Step::CloseReceiver),
        20 => (any::<bool>(), count).prop_map(|(forth, count)| Step::Carry(forth, count)),
    ]
}

fn content(channel: usize, sequence: u64, size: usize) -> Bytes {
    let salt = channel * 31 + usize::try_from(sequence).unwrap() * 7;
    (0..size)
        .map(|at| u8::try_from((at + salt) % 253).unwrap())
        .collect()
}

/// What the test knows of one channel.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that was done or heard"
)]
struct Book {
    send: Option<SendId>,
    receive: Option<ReceiveId>,
    granted: u64,
    /// The lengths of the messages begun, in order.
    begun: Vec<usize>,
    arrived: u64,
    open: Vec<u64>,
    /// What the receiver said, and what the sender heard.
    said: BTreeMap<u64, Settlement>,
    heard: BTreeMap<u64, Settlement>,
    sender_closed: bool,
    receiver_closed: bool,
    closing_heard: bool,
    end_heard: bool,
}

struct World {
    a: Link,
    b: Link,
    books: Vec<Book>,
}

impl World {
    fn new() -> Self {
        let (mut a, b) = connected(settings("a"), settings("b"));
        let book = |channel: usize| Book {
            send: Some(a.open(&format!("channel {channel}")).unwrap()),
            ..Book::default()
        };
        let books = (0..CHANNELS).map(book).collect();
        Self { a, b, books }
    }

    fn act(&mut self, step: Step) {
        match step {
            Step::Send(channel, size) => self.send(channel, size),
            Step::Grant(channel, count) => {
                let book = &mut self.books[channel];
                if let Some(receive) = book.receive {
                    book.granted += self.b.grant(receive, count);
                }
            }
            Step::Settle(channel, which, settlement) => {
                let book = &mut self.books[channel];
                if let (Some(receive), false) = (book.receive, book.open.is_empty()) {
                    let sequence = book.open.remove(which % book.open.len());
                    book.said.insert(sequence, settlement);
                    self.b.settle(receive, sequence, settlement);
                }
            }
            Step::CloseSender(channel) => {
                self.books[channel].sender_closed = true;
                self.a.close_send(self.books[channel].send.unwrap());
            }
            Step::CloseReceiver(channel) => {
                let book = &mut self.books[channel];
                if let Some(receive) = book.receive {
                    book.receiver_closed = true;
                    book.open.clear();
                    self.b.close_receive(receive);
                }
            }
            Step::Carry(forth, count) => {
                self.carry(forth, count);
            }
        }
    }

    fn send(&mut self, channel: usize, size: usize) {
        let book = &mut self.books[channel];
        let send = book.send.unwrap();
        if self.a.has_credit(send) {
            assert!(!book.sender_closed);
            let sequence = book.begun.len() as u64 + 1;
            assert!(sequence <= book.granted, "nothing crosses without a grant");
            book.begun.push(size);
            assert_eq!(
                self.a.send(send, content(channel, sequence, size)),
                Ok(sequence)
            );
        }
    }

    /// Returns whether there was something to carry.
    fn carry(&mut self, forth: bool, count: usize) -> bool {
        let (from, to) = if forth {
            (&mut self.a, &mut self.b)
        } else {
            (&mut self.b, &mut self.a)
        };
        let bytes = from.output();
        let bytes = bytes[..count.min(bytes.len())].to_vec();
        from.wrote(bytes.len());
        let events = feed(to, &bytes, &[usize::MAX]).unwrap();
        for event in events {
            if forth {
                self.at_receiver(event);
            } else {
                self.at_sender(event);
            }
        }
        !bytes.is_empty()
    }

    fn at_receiver(&mut self, event: Event) {
        let by_id = |books: &mut Vec<Book>, id| {
            books
                .iter()
                .position(|book| book.receive == Some(id))
                .unwrap()
        };
        match event {
            Event::Opened(id) => {
                let name = self.b.name(id).unwrap();
                let channel: usize = name.strip_prefix("channel ").unwrap().parse().unwrap();
                self.books[channel].receive = Some(id);
            }
            Event::Message {
                channel,
                sequence,
                message,
            } => {
                let index = by_id(&mut self.books, channel);
                let book = &mut self.books[index];
                assert!(!book.receiver_closed && !book.end_heard);
                book.arrived += 1;
                assert_eq!(sequence, book.arrived, "messages arrive once, in order");
                let size = book.begun[usize::try_from(sequence).unwrap() - 1];
                assert!(
                    message == content(index, sequence, size),
                    "messages arrive whole"
                );
                book.open.push(sequence);
            }
            Event::SenderClosed(id) => {
                let index = by_id(&mut self.books, id);
                self.books[index].end_heard = true;
            }
            other => panic!("{other:?}"),
        }
    }

    fn at_sender(&mut self, event: Event) {
        let by_id =
            |books: &[Book], id| books.iter().position(|book| book.send == Some(id)).unwrap();
        match event {
            Event::Granted(_) => {}
            Event::Settled {
                channel,
                sequence,
                settlement,
            } => {
                let index = by_id(&self.books, channel);
                let book = &mut self.books[index];
                assert_eq!(
                    book.said.get(&sequence),
                    Some(&settlement),
                    "the sender hears what was said"
                );
                assert_eq!(
                    book.heard.insert(sequence, settlement),
                    None,
                    "and hears it once"
                );
            }
            Event::ReceiverClosed(id) => {
                let index = by_id(&self.books, id);
                assert!(self.books[index].receiver_closed);
                self.books[index].closing_heard = true;
            }
            other => panic!("{other:?}"),
        }
    }

    /// Lets everything come to rest, and checks that nothing is left open.
    fn rest(&mut self) {
        loop {
            let forth = self.carry(true, usize::MAX);
            let back = self.carry(false, usize::MAX);
            if !forth && !back {
                break;
            }
        }
        for book in &self.books {
            assert_eq!(book.heard, book.said, "each settlement was heard");
            assert_eq!(book.closing_heard, book.receiver_closed);
            if !book.receiver_closed {
                assert_eq!(
                    book.arrived,
                    book.begun.len() as u64,
                    "each message arrived"
                );
                assert_eq!(book.said.len() + book.open.len(), book.begun.len());
            }
            let ended = book.sender_closed || book.receiver_closed;
            assert_eq!(book.end_heard, ended, "each close was answered");
        }
    }
}

proptest! {
    #[test]
    fn each_message_is_taken_once_in_order_and_within_grants(
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut world = World::new();
        for step in steps {
            world.act(step);
        }
        world.rest();
        // A number that both ends have closed is free again.
        for channel in 0..CHANNELS {
            let free = world.books[channel].closing_heard;
            let reopened = world.a.open(&format!("channel {channel}"));
            prop_assert_eq!(reopened.is_ok(), free);
        }
    }
}
