//! Operations that do not wait.

use std::thread;

use handover::{
    channel,
    channel::{TryRecvError, TrySendError},
};

use crate::stage::{Peer, Scripted, Tally, for_peers, join, until};

for_peers! {
    fn a_try_recv_takes_from_a_sender_that_waits(sender) {
        let (tx, rx) = channel();
        let sending = thread::spawn(move || sender.send(&tx, 7));
        until(|| match rx.try_recv() {
            Ok(message) => message == 7,
            Err(error) => {
                assert_eq!(error, TryRecvError::Empty);
                false
            }
        });
        assert_eq!(join(sending), Ok(()));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    }
}

#[test]
fn a_try_send_meets_a_blocked_thread() {
    let (tx, rx) = channel();
    let receiving = thread::spawn(move || rx.recv());
    until(|| tx.is_ready());
    assert_eq!(tx.try_send(7), Ok(()));
    assert_eq!(tx.try_send(8).map_err(TrySendError::into_inner), Err(8));
    assert_eq!(join(receiving), Ok(7));
}

#[test]
fn a_try_send_never_succeeds_against_a_waiting_future_and_does_not_wake_it() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    assert!(tx.is_ready(), "demand is seen all the same");
    let error = tx.try_send(tally.message(7)).unwrap_err();
    assert!(error.is_full());
    assert_eq!(error.into_inner(), 7);
    assert_eq!(receive.wakes(), 0);
    receive.stays_pending();
}

#[test]
fn a_try_send_never_succeeds_against_a_woken_future() {
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut send = Scripted::new(tx.send_async(1));
    send.stays_pending();
    assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    assert_eq!(receive.resolves(), Ok(1));
}

#[test]
fn a_try_send_never_succeeds_against_a_thread_that_accepts() {
    let (tx, rx) = channel();
    let accepting = thread::spawn(move || rx.accept(|message: &mut u32| *message));
    until(|| tx.is_ready());
    assert_eq!(tx.try_send(7), Err(TrySendError::Full(7)));
    assert!(tx.is_ready());
    assert_eq!(tx.send(8), Ok(()));
    assert_eq!(join(accepting), Ok(8));
}

#[test]
fn a_try_recv_takes_from_a_pending_send_and_wakes_it() {
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_async(7));
    assert_eq!(
        rx.try_recv(),
        Err(TryRecvError::Empty),
        "it was never polled"
    );
    send.stays_pending();
    assert_eq!(rx.try_recv(), Ok(7));
    assert_eq!(send.wakes(), 1);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(send.resolves(), Ok(()));
}

#[test]
fn tries_without_a_partner_fail_and_leave_nothing_behind() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    assert_eq!(tx.try_send(tally.message(7)).unwrap_err().into_inner(), 7);
    assert_eq!(tally.dropped(), 1);
    assert!(rx.try_recv().is_err());
    assert!(!tx.is_ready());
}

#[test]
fn tries_say_that_the_other_side_has_gone() {
    let (tx, rx) = channel::<u32>();
    drop(rx);
    assert!(tx.is_disconnected());
    assert_eq!(tx.try_send(7), Err(TrySendError::Disconnected(7)));
    let (tx, rx) = channel::<u32>();
    drop(tx);
    assert!(rx.is_disconnected());
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
}
