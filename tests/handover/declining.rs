//! An acceptor that does not want the message any more puts it back on offer: the sender waits on, and notices nothing.

use std::{
    thread,
    time::{Duration, Instant},
};

use handover::{
    channel,
    channel::{SendError, SendTimeoutError},
    select, select_async,
};

use crate::stage::{Peer, SHORT, Scripted, Tally, for_pairings, for_peers, join, until};

for_pairings! {
    fn a_declined_message_is_for_the_next_receiver(sender, receiver) {
        let (tx, rx) = channel();
        let sending = thread::spawn(move || sender.send(&tx, 7));
        for _ in 0..3 {
            let held = rx.recv_held().unwrap();
            assert_eq!(held.decline(), Ok(()));
        }
        assert_eq!(receiver.recv(&rx), Ok(7));
        assert_eq!(join(sending), Ok(()));
    }

    /// It was there before the message was declined.
    fn it_may_wait_already(sender, receiver) {
        let (tx, rx) = channel();
        let other = rx.clone();
        let sending = thread::spawn(move || sender.send(&tx, 7));
        let held = rx.recv_held().unwrap();
        let receiving = thread::spawn(move || receiver.recv(&other));
        held.decline().unwrap();
        assert_eq!(join(receiving), Ok(7));
        assert_eq!(join(sending), Ok(()));
    }
}

for_peers! {
    fn an_alternation_looks_at_all_its_guards_again(peer) {
        let (tx, rx) = channel();
        let (other, from_other) = channel::<u32>();
        let choosing = thread::spawn(move || {
            let mut home = Some(7);
            let got = match peer {
                Peer::Thread => select! {
                    send(tx, &mut home) -> sent => sent.map(|()| 0).unwrap(),
                    recv(from_other) -> message => message.unwrap(),
                },
                _ => peer.run(async { select_async! {
                    send(tx, &mut home) -> sent => sent.map(|()| 0).unwrap(),
                    recv(from_other) -> message => message.unwrap(),
                }}),
            };
            (got, home)
        });
        for _ in 0..3 {
            rx.recv_held().unwrap().decline().unwrap();
        }
        let held = rx.recv_held().unwrap();
        assert!(other.try_send(1).is_err(), "it is accepted elsewhere");
        held.decline().unwrap();
        assert_eq!(other.send(1), Ok(()));
        assert_eq!(join(choosing), (1, Some(7)));
    }

    fn an_alternation_whose_message_was_declined_may_send_it_after_all(peer) {
        let (tx, rx) = channel();
        let (_other, from_other) = channel::<u32>();
        let choosing = thread::spawn(move || {
            let mut home = Some(7);
            match peer {
                Peer::Thread => select! {
                    send(tx, &mut home) -> sent => sent.unwrap(),
                    recv(from_other) -> _ => panic!("nobody sends here"),
                },
                _ => peer.run(async { select_async! {
                    send(tx, &mut home) -> sent => sent.unwrap(),
                    recv(from_other) -> _ => panic!("nobody sends here"),
                }}),
            }
            home
        });
        rx.recv_held().unwrap().decline().unwrap();
        assert_eq!(rx.recv(), Ok(7));
        assert_eq!(join(choosing), None);
    }

    fn an_alternation_whose_time_has_passed_meanwhile_ends(peer) {
        let (tx, rx) = channel();
        let choosing = thread::spawn(move || {
            let mut home = Some(7);
            let timed_out = match peer {
                Peer::Thread => select! {
                    send(tx, &mut home) -> _ => false,
                    after(SHORT) => true,
                },
                _ => peer.run(async { select_async! {
                    send(tx, &mut home) -> _ => false,
                    after(SHORT) => true,
                }}),
            };
            (timed_out, home)
        });
        // On a machine that is slow enough the time is up before: then the other end is gone.
        if let Ok(held) = rx.recv_held() {
            until_passed(SHORT);
            assert!(!choosing.is_finished(), "its acceptor alone releases it");
            held.decline().unwrap();
        }
        assert_eq!(join(choosing), (true, Some(7)));
    }

    fn one_whose_receivers_have_gone_has_it_back(sender) {
        let (tx, rx) = channel();
        let sending = thread::spawn(move || sender.send(&tx, 7));
        let held = rx.recv_held().unwrap();
        drop(rx);
        held.decline().unwrap();
        assert_eq!(join(sending), Err(SendError::Disconnected(7)));

        let (tx, rx) = channel();
        let sending = thread::spawn(move || sender.send(&tx, 7));
        let held = rx.recv_held().unwrap();
        rx.poison("enough");
        held.decline().unwrap();
        assert_eq!(join(sending), Err(SendError::Poisoned(7, "enough".into())));
    }
}

/// Waits until so much time is over.
fn until_passed(time: Duration) {
    let started = Instant::now();
    until(|| started.elapsed() > time);
}

#[test]
fn a_timeout_counts_again() {
    let (tx, rx) = channel();
    let sending = thread::spawn(move || tx.send_timeout(7, SHORT));
    // On a machine that is slow enough the time is up before: then the other end is gone.
    if let Ok(held) = rx.recv_held() {
        until_passed(SHORT);
        assert!(!sending.is_finished(), "its acceptor alone releases it");
        held.decline().unwrap();
    }
    assert_eq!(join(sending), Err(SendTimeoutError::Timeout(7)));

    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_timeout_async(7, SHORT));
    if send.poll().is_ready() {
        return;
    }
    let held = rx.recv_held().unwrap();
    until_passed(SHORT);
    send.stays_pending();
    held.decline().unwrap();
    assert_eq!(send.resolves(), Err(SendTimeoutError::Timeout(7)));
}

#[test]
fn a_timeout_that_has_not_passed_goes_on() {
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_timeout_async(7, Duration::from_mins(10)));
    send.stays_pending();
    rx.recv_held().unwrap().decline().unwrap();
    send.stays_pending();
    assert_eq!(rx.try_recv(), Ok(7));
    assert_eq!(send.resolves(), Ok(()));
}

#[test]
fn it_waits_behind_the_others() {
    let (tx, rx) = channel();
    let mut first = Scripted::new(tx.send_async(1));
    first.stays_pending();
    let held = rx.recv_held().unwrap();
    let mut second = Scripted::new(tx.send_async(2));
    second.stays_pending();
    held.decline().unwrap();
    assert_eq!(first.wakes(), 1);
    // Nobody has it until its sender has looked.
    first.stays_pending();
    assert_eq!(rx.try_recv(), Ok(2));
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!((first.resolves(), second.resolves()), (Ok(()), Ok(())));
}

#[test]
fn one_that_does_not_look_again_loses_nothing() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut home = Some(tally.message(1));
    let mut send = Scripted::new(tx.send_from(&mut home));
    send.stays_pending();
    rx.recv_held().unwrap().decline().unwrap();
    drop(send);
    assert_eq!(home.as_ref().unwrap().number, 1);
    assert_eq!(tally.dropped(), 0);

    let mut send = Scripted::new(tx.send_async(home.take().unwrap()));
    send.stays_pending();
    rx.recv_held().unwrap().decline().unwrap();
    let back = send.future().withdraw();
    assert_eq!(back.unwrap().number, 1);
    assert_eq!(tally.dropped(), 1);
}

#[test]
fn the_acceptor_keeps_what_its_sender_has_given_up() {
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    let held = rx.recv_held().unwrap();
    drop(send);
    assert_eq!(held.decline(), Err(7));
}

#[test]
fn a_message_within_credit_goes_back_to_its_place() {
    let (tx, rx) = channel();
    rx.grant(1);
    tx.try_send(7).unwrap();
    rx.recv_held().unwrap().decline().unwrap();
    assert_eq!(rx.try_recv(), Ok(7));
}
