//! An end goes while the other side waits: every message is given back, each once.

use std::thread;

use handover::{
    channel,
    channel::{ReadyError, RecvError, RecvTimeoutError, SendError, SendTimeoutError},
};

use crate::stage::{PATIENCE, Peer, Scripted, Tally, for_peers, join, until};

for_peers! {
    fn waiting_senders_get_their_messages_back_when_the_last_receiver_goes(sender) {
        let tally = Tally::default();
        let (tx, rx) = channel();
        let sending: Vec<_> = (0..4)
            .map(|number| {
                let (tx, message) = (tx.clone(), tally.message(number));
                thread::spawn(move || sender.send(&tx, message))
            })
            .collect();
        // One is taken, so the others are on their way, and some of them wait.
        until(|| rx.try_recv().is_ok());
        assert_eq!(tally.dropped(), 1);
        drop(rx);
        let returned: Vec<_> = sending.into_iter().filter_map(|sending| join(sending).err()).collect();
        assert_eq!(returned.len(), 3);
        assert!(returned.iter().all(SendError::is_disconnected));
        assert_eq!(tally.dropped(), 1);
        drop(returned);
        assert_eq!(tally.dropped(), 4);
    }

    fn waiting_receivers_hear_that_the_last_sender_has_gone(receiver) {
        let (tx, rx) = channel::<u32>();
        let receiving: Vec<_> = (0..3)
            .map(|_| {
                let rx = rx.clone();
                thread::spawn(move || receiver.recv(&rx))
            })
            .collect();
        until(|| tx.is_ready());
        drop(tx.clone());
        assert!(receiving.iter().all(|receiving| !receiving.is_finished()), "a sender is left");
        drop(tx);
        for receiving in receiving {
            assert_eq!(join(receiving), Err(RecvError::Disconnected));
        }
    }

    fn a_send_to_nobody_fails_at_once(sender) {
        let (tx, rx) = channel();
        drop(rx);
        assert_eq!(sender.send(&tx, 7), Err(SendError::Disconnected(7)));
    }

    fn a_receive_from_nobody_fails_at_once(receiver) {
        let (tx, rx) = channel::<u32>();
        drop(tx);
        assert_eq!(receiver.recv(&rx), Err(RecvError::Disconnected));
    }
}

#[test]
fn pending_futures_are_woken_when_the_other_side_goes() {
    let (tx, rx) = channel();
    let mut sends: Vec<_> = (0..3)
        .map(|number| Scripted::new(tx.send_async(number)))
        .collect();
    sends.iter_mut().for_each(Scripted::stays_pending);
    drop(rx);
    for (mut send, number) in sends.into_iter().zip(0..) {
        assert_eq!(send.wakes(), 1);
        assert_eq!(send.resolves(), Err(SendError::Disconnected(number)));
    }

    let (tx, rx) = channel::<u32>();
    let mut receives: Vec<_> = (0..3).map(|_| Scripted::new(rx.recv_async())).collect();
    receives.iter_mut().for_each(Scripted::stays_pending);
    drop(tx);
    for mut receive in receives {
        assert_eq!(receive.wakes(), 1);
        assert_eq!(receive.resolves(), Err(RecvError::Disconnected));
    }
}

#[test]
fn a_blocked_acceptor_hears_that_the_last_sender_has_gone() {
    let (tx, rx) = channel::<u32>();
    let accepting = thread::spawn(move || rx.accept(|_| ()));
    until(|| tx.is_ready());
    drop(tx);
    assert_eq!(join(accepting), Err(RecvError::Disconnected));
}

#[test]
fn operations_with_a_deadline_say_that_the_other_side_has_gone() {
    let (tx, rx) = channel::<u32>();
    let receiving = thread::spawn(move || rx.recv_timeout(PATIENCE));
    until(|| tx.is_ready());
    drop(tx);
    assert_eq!(join(receiving), Err(RecvTimeoutError::Disconnected));

    let (tx, rx) = channel::<u32>();
    let mut demand = Scripted::new(rx.recv_async());
    demand.stays_pending();
    let sending = thread::spawn(move || tx.send_timeout(7, PATIENCE));
    // The sender waits once it has woken the future, which does not take.
    until(|| demand.wakes() == 1);
    drop(demand);
    drop(rx);
    assert_eq!(join(sending), Err(SendTimeoutError::Disconnected(7)));
}

#[test]
fn a_message_that_waits_is_taken_although_its_sender_is_the_last() {
    let (tx, rx) = channel();
    let sending = thread::spawn(move || tx.send(7));
    assert_eq!(rx.iter().collect::<Vec<_>>(), [7]);
    assert_eq!(join(sending), Ok(()));
}

#[test]
fn a_watcher_hears_that_every_receiver_has_gone() {
    let (tx, rx) = channel::<u32>();
    let mut ready = Scripted::new(tx.ready_async());
    ready.stays_pending();
    drop(rx);
    assert_eq!(ready.wakes(), 1);
    assert_eq!(ready.resolves(), Err(ReadyError::Disconnected));
}

#[test]
fn messages_in_a_channel_that_is_dropped_whole_are_dropped_once() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_async(tally.message(7)));
    send.stays_pending();
    drop(rx);
    drop(send);
    drop(tx);
    assert_eq!(tally.dropped(), 1);
}

/// A future that is leaked while it waits hurts nobody, not even when the channel goes first.
#[test]
fn a_leaked_future_hurts_nobody() {
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_async(Box::new(7)));
    send.stays_pending();
    std::mem::forget(send);
    let mut receive = Scripted::new(rx.recv_async());
    assert_eq!(receive.resolves(), Ok(Box::new(7)));
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    std::mem::forget(receive);
    assert_eq!(
        tx.try_send(Box::new(8))
            .map_err(|error| *error.into_inner()),
        Err(8)
    );
    drop(tx);
}

#[test]
fn an_end_may_wait_for_the_other_side_to_go_and_takes_nothing() {
    let (tx, rx) = channel();
    let mut closed = Scripted::new(rx.closed_async());
    let mut dropped = Scripted::new(rx.closed_async());
    closed.stays_pending();
    dropped.stays_pending();
    drop(dropped);
    assert!(!tx.is_ready(), "it is no demand");
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    assert_eq!(closed.wakes(), 0);
    assert_eq!(rx.try_recv(), Ok(7));
    assert!(closed.poll_with_another_waker().is_pending());
    drop(send);
    drop(tx);
    assert_eq!(closed.wakes(), 1);
    closed.resolves();
    Scripted::new(rx.closed_async()).resolves();

    let (tx, rx) = channel::<u32>();
    let mut closed = Scripted::new(tx.closed_async());
    closed.stays_pending();
    drop(rx.clone());
    assert_eq!(closed.wakes(), 0, "a receiver is left");
    drop(rx);
    assert_eq!(closed.wakes(), 1);
    closed.resolves();
}
