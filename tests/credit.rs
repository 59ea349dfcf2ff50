//! Credit: without a grant there is no slack; within one, a send completes ahead of the take; and what was sent so
//! is not lost when the receiver goes.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is tests; a stage that serves several test programs has more than each needs"
)]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use handover::{
    channel,
    channel::{
        CREDIT_MAX, Outstanding, RecvError, SendError, SendTimeoutError, TryRecvError, TrySendError,
    },
    select, select_async,
};

#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with other test programs"
)]
#[path = "handover/stage.rs"]
mod stage;

use stage::{Peer, SHORT, Scripted, Tally, for_peers, join, until};

fn outstanding(unused: usize, untaken: usize) -> Outstanding {
    Outstanding { unused, untaken }
}

for_peers! {
    fn by_default_nothing_completes_ahead(sender) {
        let (tx, rx) = channel();
        assert_eq!(rx.outstanding(), outstanding(0, 0));
        let sending = thread::spawn(move || sender.send(&tx, 7));
        until(|| rx.try_recv() == Ok(7));
        assert_eq!(join(sending), Ok(()));
    }

    fn as_many_as_were_granted_complete_ahead_and_no_more(sender) {
        let (tx, rx) = channel();
        rx.grant(3);
        for number in 0..3 {
            assert_eq!(sender.send(&tx, number), Ok(()));
        }
        assert_eq!(rx.outstanding(), outstanding(0, 3));
        assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
        assert_eq!(tx.send_timeout(3, SHORT), Err(SendTimeoutError::Timeout(3)));
        let waiting = thread::spawn(move || sender.send(&tx, 3));
        let taken: Vec<_> = rx.iter().collect();
        assert_eq!(taken, [0, 1, 2, 3]);
        assert_eq!(join(waiting), Ok(()));
    }

    fn a_grant_completes_the_sends_that_wait(sender) {
        let (tx, rx) = channel();
        let sending: Vec<_> = (0..4)
            .map(|number| {
                let tx = tx.clone();
                thread::spawn(move || sender.send(&tx, number))
            })
            .collect();
        rx.grant(4);
        for sending in sending {
            assert_eq!(join(sending), Ok(()));
        }
        assert_eq!(rx.outstanding(), outstanding(0, 4));
        let mut taken: Vec<_> = rx.try_iter().collect();
        taken.sort_unstable();
        assert_eq!(taken, [0, 1, 2, 3]);
    }

    fn a_blocked_receiver_comes_before_the_credit(receiver) {
        let (tx, rx) = channel();
        rx.grant(1);
        let receiving = thread::spawn({
            let rx = rx.clone();
            move || receiver.recv(&rx)
        });
        // With credit this does not tell whether it waits already, so send until it has one.
        assert_eq!(tx.send(7), Ok(()));
        assert_eq!(join(receiving), Ok(7));
        assert_eq!(rx.outstanding().untaken, 0);
    }

    /// A credit is used once; a window is kept open by granting again.
    fn credit_is_used_up(peer) {
        let (tx, rx) = channel();
        rx.grant(2);
        for number in 0..10 {
            peer.send(&tx, number).unwrap();
            assert_eq!(peer.recv(&rx), Ok(number));
            if rx.outstanding().unused == 0 {
                assert!(tx.try_send(99).is_err());
                rx.grant(2);
            }
        }
        assert_eq!(rx.outstanding(), outstanding(2, 0));
    }
}

#[test]
fn unused_credit_can_be_taken_back() {
    let (tx, rx) = channel();
    rx.grant(3);
    tx.send(1).unwrap();
    assert_eq!(rx.revoke(1), 1);
    assert_eq!(rx.outstanding(), outstanding(1, 1));
    assert_eq!(rx.revoke(5), 1, "no more than was unused");
    assert_eq!(rx.outstanding(), outstanding(0, 1));
    assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    assert_eq!(rx.recv(), Ok(1));
    assert_eq!(rx.revoke(1), 0);
}

#[test]
fn messages_within_credit_come_before_those_of_senders_that_wait() {
    let (tx, rx) = channel();
    rx.grant(2);
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    let mut waiting = Scripted::new(tx.send_async(3));
    waiting.stays_pending();
    assert_eq!((rx.recv(), rx.recv(), rx.recv()), (Ok(1), Ok(2), Ok(3)));
    assert_eq!(waiting.resolves(), Ok(()));
}

#[test]
fn what_is_within_credit_is_taken_after_the_last_sender_has_gone() {
    let (tx, rx) = channel();
    rx.grant(2);
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    drop(tx);
    assert_eq!(rx.recv(), Ok(1));
    assert_eq!(Scripted::new(rx.recv_async()).resolves(), Ok(2));
    assert_eq!(rx.recv(), Err(RecvError::Disconnected));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn what_nobody_took_comes_back_to_the_receiver_that_drains() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    rx.grant(3);
    for number in 0..3 {
        tx.send(tally.message(number)).unwrap();
    }
    drop(rx.recv().unwrap());
    let left: Vec<_> = rx.into_remaining().map(|message| message.number).collect();
    assert_eq!(left, [1, 2]);
    assert_eq!(tally.dropped(), 3);
    assert!(tx.send(tally.message(3)).unwrap_err().is_disconnected());
}

#[test]
fn what_nobody_took_comes_back_to_the_sender_that_drains() {
    let (tx, rx) = channel();
    rx.grant(3);
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    assert_eq!(tx.take_remaining().next(), None, "a receiver is left");
    drop(rx);
    assert_eq!(
        tx.send(3),
        Err(SendError::Disconnected(3)),
        "credit ends with the receivers"
    );
    assert_eq!(tx.clone().take_remaining().next(), Some(1));
    assert_eq!(tx.take_remaining().collect::<Vec<_>>(), [2]);
}

#[test]
fn while_another_receiver_is_left_there_is_nothing_to_drain() {
    let (tx, rx) = channel();
    let other = rx.clone();
    rx.grant(1);
    tx.send(1).unwrap();
    assert_eq!(rx.into_remaining().next(), None);
    assert_eq!(other.recv(), Ok(1));
}

#[test]
fn messages_are_dropped_only_with_the_channel() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    rx.grant(2);
    tx.send(tally.message(1)).unwrap();
    drop(rx);
    assert_eq!(tally.dropped(), 0);
    drop(tx);
    assert_eq!(tally.dropped(), 1);
}

#[test]
fn a_waiting_future_is_woken_for_each_message_within_credit() {
    let (tx, rx) = channel();
    rx.grant(2);
    let mut first = Scripted::new(rx.recv_async());
    let mut second = Scripted::new(rx.recv_async());
    first.stays_pending();
    second.stays_pending();
    tx.send(1).unwrap();
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    tx.send(2).unwrap();
    assert_eq!((first.wakes(), second.wakes()), (1, 1));
    drop(first);
    assert_eq!(second.resolves(), Ok(1));
    assert_eq!(rx.recv(), Ok(2));
}

#[test]
fn a_woken_future_that_is_dropped_passes_the_wake_up_on() {
    let (tx, rx) = channel();
    rx.grant(1);
    let mut first = Scripted::new(rx.recv_async());
    let mut second = Scripted::new(rx.recv_async());
    first.stays_pending();
    second.stays_pending();
    tx.send(1).unwrap();
    drop(first);
    assert_eq!(second.wakes(), 1);
    assert_eq!(second.resolves(), Ok(1));
}

#[test]
fn a_grant_is_demand() {
    let (tx, rx) = channel::<u32>();
    let mut ready = Scripted::new(tx.ready_async());
    ready.stays_pending();
    rx.grant(1);
    assert_eq!(ready.wakes(), 1);
    assert_eq!(ready.resolves(), Ok(()));
    assert!(tx.is_ready());
    assert_eq!(rx.revoke(1), 1);
    assert!(!tx.is_ready());
}

#[test]
fn guards_meet_within_credit() {
    let (tx, rx) = channel();
    let (_idle, nothing) = channel::<u32>();
    rx.grant(2);
    let mut home = Some(1);
    select! {
        send(tx, &mut home) -> sent => sent.unwrap(),
        recv(nothing) -> _ => panic!("nobody sends here"),
    }
    assert_eq!(home, None);
    let mut home = Some(2);
    Scripted::new(async {
        select_async! {
            send(tx, &mut home) -> sent => sent.unwrap(),
            recv(nothing) -> _ => panic!("nobody sends here"),
        }
    })
    .resolves();
    assert_eq!(home, None);
    let taken = select! {
        recv(nothing) -> _ => panic!("nobody sends here"),
        recv(rx) -> message => message,
    };
    assert_eq!(taken, Ok(1));
    assert_eq!(rx.outstanding(), outstanding(0, 1));
}

/// It stands on both sides: it does not meet itself, but it may use the credit.
#[test]
fn an_alternation_on_both_sides_may_use_credit() {
    let (tx, rx) = channel();
    rx.grant(1);
    let mut home = Some(1);
    let received = select! {
        send(tx, &mut home) -> sent => { sent.unwrap(); None }
        recv(rx) -> message => message.ok(),
    };
    assert_eq!((received, home), (None, None));
    assert_eq!(rx.recv(), Ok(1));
}

#[test]
fn a_grant_completes_an_alternation_that_waits() {
    let (tx, rx) = channel();
    let (_idle, nothing) = channel::<u32>();
    let mut home = Some(1);
    let mut task = Scripted::new(async {
        select_async! {
            send(tx, &mut home) -> sent => sent,
            recv(nothing) -> _ => panic!("nobody sends here"),
        }
    });
    task.stays_pending();
    rx.grant(1);
    assert_eq!(task.wakes(), 1);
    assert_eq!(task.resolves(), Ok(()));
    assert_eq!(rx.recv(), Ok(1));
}

#[test]
fn a_message_within_credit_can_be_held() {
    let (tx, rx) = channel();
    rx.grant(2);
    tx.send(1).unwrap();
    let held = rx.recv_held().unwrap();
    assert_eq!(
        rx.outstanding(),
        outstanding(1, 1),
        "what is held is not taken yet"
    );
    assert_eq!(held.release(), 1);
    assert_eq!(rx.outstanding(), outstanding(1, 0));
}

#[test]
fn a_held_message_that_is_handed_back_is_first_again() {
    let (tx, rx) = channel();
    rx.grant(2);
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    let held = rx.recv_held().unwrap();
    let mut waiting = Scripted::new(rx.recv_held_async());
    let second = waiting.resolves().unwrap();
    let mut third = Scripted::new(rx.recv_async());
    third.stays_pending();
    assert_eq!(held.hand_back(), Ok(()));
    assert_eq!(third.wakes(), 1);
    assert_eq!(third.resolves(), Ok(1));
    drop(second);
    assert_eq!(rx.recv(), Ok(2));
    assert_eq!(rx.outstanding(), outstanding(0, 0));
}

#[test]
fn a_held_message_that_is_handed_back_goes_to_a_thread_that_waits() {
    let (tx, rx) = channel();
    rx.grant(1);
    tx.send(7).unwrap();
    let held = rx.recv_held().unwrap();
    let receiving = thread::spawn({
        let rx = rx.clone();
        move || rx.recv()
    });
    until(|| tx.is_ready());
    drop(held);
    assert_eq!(join(receiving), Ok(7));
    assert_eq!(rx.outstanding(), outstanding(0, 0));
}

#[test]
fn a_held_message_outlives_the_receivers() {
    let (tx, rx) = channel();
    rx.grant(2);
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    let held = rx.recv_held().unwrap();
    drop(rx);
    drop(held);
    assert_eq!(tx.take_remaining().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn an_accept_that_panics_loses_no_message_within_credit() {
    let (tx, rx) = channel();
    rx.grant(1);
    tx.send(1).unwrap();
    let accepting = AssertUnwindSafe(|| rx.accept(|_| panic!("the acceptor fails")));
    assert!(catch_unwind(accepting).is_err());
    assert_eq!(rx.recv(), Ok(1));
}

#[test]
fn a_message_within_credit_that_is_in_doubt_is_its_holders() {
    let (tx, rx) = channel();
    rx.grant(1);
    tx.send(1).unwrap();
    let held = rx.recv_held().unwrap();
    assert_eq!(held.in_doubt(), Err(1), "nobody waits for the answer");
    assert_eq!(rx.outstanding(), outstanding(0, 0));
}

#[test]
fn more_credit_than_the_limit_is_refused() {
    let (_tx, rx) = channel::<u8>();
    rx.grant(CREDIT_MAX);
    let refused = catch_unwind(AssertUnwindSafe(|| rx.grant(1))).unwrap_err();
    let words = refused.downcast_ref::<String>().unwrap();
    assert!(words.contains(&CREDIT_MAX.to_string()), "{words}");
    assert_eq!(rx.outstanding(), outstanding(CREDIT_MAX, 0));
    assert_eq!(rx.revoke(1), 1);
    rx.grant(1);
}

/// Senders and receivers of every kind, with credit that comes and goes: each message once.
#[test]
fn with_credit_that_comes_and_goes_the_ledger_balances() {
    const EACH: u32 = 2_000;
    let (tx, rx) = channel::<u32>();
    let senders: Vec<_> = [Peer::Thread, Peer::Homemade, Peer::Thread]
        .into_iter()
        .zip(0..)
        .map(|(peer, sender)| {
            let tx = tx.clone();
            thread::spawn(move || (0..EACH).all(|n| peer.send(&tx, sender * EACH + n).is_ok()))
        })
        .collect();
    drop(tx);
    let receivers: Vec<_> = [Peer::Thread, Peer::Homemade]
        .into_iter()
        .map(|peer| {
            let rx = rx.clone();
            thread::spawn(move || {
                let mut taken = Vec::new();
                while let Ok(message) = peer.recv(&rx) {
                    taken.push(message);
                    match message % 5 {
                        0 => rx.grant(3),
                        1 => drop(rx.revoke(2)),
                        _ => {}
                    }
                }
                taken
            })
        })
        .collect();
    for sender in senders {
        assert!(join(sender));
    }
    let mut taken: Vec<_> = receivers.into_iter().flat_map(join).collect();
    taken.sort_unstable();
    assert!(taken.into_iter().eq(0..3 * EACH));
    assert_eq!(rx.outstanding().untaken, 0);
}
