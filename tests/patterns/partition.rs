//! A partition adds no buffer: a send completes when the receiver behind the outlet has the message, and what cannot
//! be carried goes back.

use std::{panic, thread};

use handover::{
    Receiver, channel,
    channel::{Held, Reason, RecvError, SendError},
    pattern::{Outlet, Partition, partition, partition_by},
};

use crate::stage::{Message, Peer, Scripted, Tally, for_peers, join};

fn run<T, F: FnMut(&T) -> usize>(peer: Peer, relay: Partition<T, F>) -> Result<(), Reason> {
    match peer {
        Peer::Thread => relay.run(),
        _ => peer.run(relay.run_async()),
    }
}

fn recv<T>(peer: Peer, outlet: &Outlet<T>) -> Option<T> {
    match peer {
        Peer::Thread => outlet.recv().ok(),
        _ => peer.run(outlet.recv_async()).ok(),
    }
}

fn is_even(n: u32) -> bool {
    n.is_multiple_of(2)
}

/// The parity of a message's number, as an index.
fn parity(message: &Message) -> usize {
    usize::from(!is_even(message.number))
}

for_peers! {
    fn each_message_arrives_at_the_outlet_chosen_for_it(peer) {
        const MESSAGES: u32 = 90;
        let (tx, source) = channel();
        let (relay, outlets) = partition_by(source, 3, |n: &u32| usize::try_from(n % 3).unwrap());
        let running = thread::spawn(move || run(peer, relay));
        let receiving: Vec<_> = outlets.into_iter().map(|outlet| {
            thread::spawn(move || {
                std::iter::from_fn(|| recv(peer, &outlet)).collect::<Vec<_>>()
            })
        }).collect();
        for n in 0..MESSAGES {
            peer.send(&tx, n).unwrap();
        }
        drop(tx);
        assert_eq!(join(running), Ok(()));
        for (key, receiving) in (0..).zip(receiving) {
            let expected: Vec<_> = (0..MESSAGES).filter(|n| n % 3 == key).collect();
            assert_eq!(join(receiving), expected);
        }
    }

    fn a_message_whose_outlet_is_gone_goes_back_and_the_others_go_on(peer) {
        let (tx, source) = channel();
        let (relay, [even, odd]) = partition(source, |n| is_even(*n));
        let running = thread::spawn(move || run(peer, relay));
        drop(odd);
        assert_eq!(peer.send(&tx, 1), Err(SendError::Returned(1)));
        let receiving = thread::spawn(move || recv(peer, &even));
        assert_eq!(peer.send(&tx, 2), Ok(()));
        assert_eq!(join(receiving), Some(2));
        // The last outlet went with its thread: the relay notices at the next message, and ends.
        assert_eq!(peer.send(&tx, 4), Err(SendError::Returned(4)));
        assert_eq!(join(running), Ok(()));
        assert_eq!(peer.send(&tx, 6), Err(SendError::Disconnected(6)));
    }

    fn poison_at_its_source_reaches_every_outlet(peer) {
        let (tx, source) = channel::<u32>();
        let (relay, [even, odd]) = partition(source, |n| is_even(*n));
        let running = thread::spawn(move || run(peer, relay));
        tx.poison("the end");
        assert_eq!(join(running), Err("the end".into()));
        for outlet in [even, odd] {
            assert_eq!(outlet.recv(), Err(RecvError::Poisoned("the end".into())));
        }
    }

    fn poison_at_an_outlet_reaches_its_source_and_the_other_outlets(peer) {
        let (tx, source) = channel();
        let (relay, [even, odd]) = partition(source, |n| is_even(*n));
        let running = thread::spawn(move || run(peer, relay));
        even.poison("the end");
        // What was in its hand goes back; what comes after meets the poison.
        assert_eq!(peer.send(&tx, 2), Err(SendError::Returned(2)));
        assert_eq!(join(running), Err("the end".into()));
        assert_eq!(peer.send(&tx, 3), Err(SendError::Poisoned(3, "the end".into())));
        assert_eq!(odd.recv(), Err(RecvError::Poisoned("the end".into())));
    }

    fn a_choice_that_panics_hands_its_message_back(peer) {
        let (tx, source) = channel();
        let (relay, outlets) = partition_by(source, 1, |_: &u32| 1);
        let running = thread::spawn(move || {
            panic::catch_unwind(panic::AssertUnwindSafe(|| run(peer, relay))).is_err()
        });
        assert_eq!(peer.send(&tx, 1), Err(SendError::Returned(1)));
        assert!(join(running));
        assert_eq!(recv(peer, &outlets[0]), None);
    }
}

#[test]
fn a_send_completes_only_when_the_receiver_behind_the_outlet_has_the_message() {
    let (tx, source) = channel();
    let (relay, [even, _odd]) = partition(source, |n| is_even(*n));
    let mut running = Scripted::new(relay.run_async());
    let mut send = Scripted::new(tx.send_async(2));
    send.stays_pending();
    running.stays_pending();
    send.stays_pending();
    let mut receive = Scripted::new(even.recv_async());
    assert_eq!(receive.resolves(), Ok(2));
    assert_eq!(send.resolves(), Ok(()));
    assert!(running.wakes() > 0, "the relay has its hand free again");
    running.stays_pending();
}

#[test]
fn a_receive_at_an_outlet_that_is_dropped_leaves_the_message_where_it_was() {
    let (tx, source) = channel();
    let (relay, [even, _odd]) = partition(source, |n| is_even(*n));
    let mut running = Scripted::new(relay.run_async());
    let mut receive = Scripted::new(even.recv_async());
    receive.stays_pending();
    let mut send = Scripted::new(tx.send_async(2));
    send.stays_pending();
    running.stays_pending();
    assert_eq!(receive.wakes(), 1);
    drop(receive);
    send.stays_pending();
    assert_eq!(Scripted::new(even.recv_async()).resolves(), Ok(2));
    assert_eq!(send.resolves(), Ok(()));
}

#[test]
fn a_relay_that_is_dropped_hands_back_what_is_in_its_hand() {
    let tally = Tally::default();
    let (tx, source) = channel();
    let (relay, _outlets) = partition_by(source, 2, parity);
    let mut running = Scripted::new(relay.run_async());
    let mut carried = Scripted::new(tx.send_async(tally.message(1)));
    let mut behind = Scripted::new(tx.send_async(tally.message(2)));
    carried.stays_pending();
    behind.stays_pending();
    running.stays_pending();
    drop(running);
    assert!(matches!(carried.resolves(), Err(SendError::Returned(message)) if message == 1));
    assert!(matches!(behind.resolves(), Err(SendError::Disconnected(message)) if message == 2));
    assert_eq!(tally.dropped(), 2);
}

#[test]
fn a_sender_that_gives_up_while_its_message_is_carried_leaves_it_with_the_relay() {
    let tally = Tally::default();
    let (tx, source) = channel();
    let (relay, outlets) = partition_by(source, 2, parity);
    let mut running = Scripted::new(relay.run_async());
    let mut send = Scripted::new(tx.send_async(tally.message(1)));
    send.stays_pending();
    running.stays_pending();
    assert!(send.future().withdraw().is_none());
    drop(send);
    assert_eq!(tally.dropped(), 0);
    let arrived = Scripted::new(outlets[1].recv_async()).resolves().unwrap();
    assert_eq!(arrived, 1);
}

#[test]
fn an_outlet_can_take_into_custody() {
    let (tx, source) = channel();
    let (relay, [even, odd]) = partition(source, |n| is_even(*n));
    let mut running = Scripted::new(relay.run_async());
    let mut send = Scripted::new(tx.send_async(2));
    send.stays_pending();
    running.stays_pending();
    let outlet: &Receiver<Held<u32>> = even.held();
    let held = handover::select! {
        recv(outlet) -> held => held,
        recv(odd.held()) -> held => held,
    };
    send.stays_pending();
    drop(held);
    assert_eq!(send.resolves(), Err(SendError::Returned(2)));
}

#[test]
fn a_message_within_credit_whose_outlet_is_gone_stays_in_the_channel() {
    let (tx, source) = channel();
    source.grant(2);
    let mut times_chosen = 0;
    let (relay, [even, odd]) = partition(source, |n| {
        times_chosen += 1;
        assert_eq!(times_chosen, 1, "it was given the same message again");
        is_even(*n)
    });
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    drop(odd);
    assert_eq!(Scripted::new(relay.run_async()).resolves(), Ok(()));
    assert_eq!(tx.take_remaining().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(even.recv(), Err(RecvError::Disconnected));
}

#[test]
fn clones_of_an_outlet_share_its_messages() {
    let (tx, source) = channel();
    let (relay, [even, odd]) = partition(source, |n| is_even(*n));
    drop(odd);
    let threads: Vec<_> = [even.clone(), even]
        .map(|outlet| thread::spawn(move || outlet.iter().sum::<u32>()))
        .into_iter()
        .collect();
    let running = thread::spawn(move || relay.run());
    for n in [2, 4, 6] {
        tx.send(n).unwrap();
    }
    drop(tx);
    assert_eq!(join(running), Ok(()));
    assert_eq!(threads.into_iter().map(join).sum::<u32>(), 12);
}
