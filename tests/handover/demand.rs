//! Demand: a sender can wait until a receiver waits.

use std::thread;

use handover::{channel, channel::RecvError};

use crate::stage::{Peer, SHORT, Scripted, for_peers, join};

for_peers! {
    fn a_waiting_receiver_is_demand(receiver) {
        let (tx, rx) = channel();
        let receiving = thread::spawn(move || receiver.recv(&rx));
        assert_eq!(Peer::Homemade.run(tx.ready_async()), Ok(()));
        assert!(tx.is_ready());
        assert_eq!(tx.send(7), Ok(()));
        assert_eq!(join(receiving), Ok(7));
    }
}

#[test]
fn an_accepting_thread_is_demand() {
    let (tx, rx) = channel();
    let accepting = thread::spawn(move || rx.accept(|message: &mut u32| *message));
    assert_eq!(Peer::TokioCurrentThread.run(tx.ready_async()), Ok(()));
    assert_eq!(tx.send(7), Ok(()));
    assert_eq!(join(accepting), Ok(7));
}

#[test]
fn demand_comes_and_goes_with_the_receivers() {
    let (tx, rx) = channel::<u32>();
    assert!(!tx.is_ready());
    let mut ready = Scripted::new(tx.ready_async());
    ready.stays_pending();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    assert_eq!(ready.wakes(), 1);
    drop(receive);
    assert!(!tx.is_ready());
    // The demand it was woken for has gone, so it waits for the next.
    ready.stays_pending();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    assert_eq!(ready.wakes(), 2);
    assert_eq!(ready.resolves(), Ok(()));
}

#[test]
fn a_receiver_that_was_woken_for_a_sender_is_no_demand_for_another() {
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    assert!(!tx.is_ready());
    let mut ready = Scripted::new(tx.ready_async());
    ready.stays_pending();
    // The sender gives up, and the receiver finds nobody: it is demand again.
    drop(send);
    receive.stays_pending();
    assert_eq!(ready.wakes(), 1);
    assert_eq!(ready.resolves(), Ok(()));
}

#[test]
fn every_watcher_hears_of_a_receiver_once() {
    let (tx, rx) = channel::<u32>();
    let mut watchers: Vec<_> = (0..3).map(|_| Scripted::new(tx.ready_async())).collect();
    watchers.iter_mut().for_each(Scripted::stays_pending);
    drop(watchers.remove(1));
    assert_eq!(rx.recv_timeout(SHORT).ok(), None);
    assert!(watchers.iter().all(|watcher| watcher.wakes() == 1));
}

#[test]
fn waiting_for_demand_sends_nothing() {
    let (tx, rx) = channel::<u32>();
    let mut ready = Scripted::new(tx.ready_async());
    ready.stays_pending();
    assert!(rx.try_recv().is_err());
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    assert_eq!(ready.resolves(), Ok(()));
    receive.stays_pending();
    drop(ready);
    drop(tx);
    assert_eq!(receive.resolves(), Err(RecvError::Disconnected));
}

#[test]
fn the_newest_waker_of_a_watcher_is_the_one_that_is_called() {
    let (tx, rx) = channel::<u32>();
    let mut ready = Scripted::new(tx.ready_async());
    ready.stays_pending();
    assert!(ready.poll_with_another_waker().is_pending());
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    assert_eq!(ready.wakes(), 1);
}
