//! Futures that are dropped: what they had not done never happens, and nobody is stranded by them.

use std::thread;

use handover::{
    channel,
    channel::{Held, TryRecvError},
};

use crate::stage::{Peer, Scripted, Tally, for_pairings, for_peers, join, until};

#[test]
fn a_cancelled_receive_leaves_the_message_with_its_sender() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut send = Scripted::new(tx.send_async(tally.message(7)));
    send.stays_pending();
    assert_eq!(receive.wakes(), 1);
    drop(receive);
    send.stays_pending();
    assert_eq!(tally.dropped(), 0);
    assert_eq!(rx.try_recv().unwrap(), 7);
    assert!(send.resolves().is_ok());
}

#[test]
fn a_woken_receive_that_is_dropped_wakes_the_next() {
    let (tx, rx) = channel();
    let mut first = Scripted::new(rx.recv_async());
    let mut second = Scripted::new(rx.recv_async());
    first.stays_pending();
    second.stays_pending();
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    drop(first);
    assert_eq!(second.wakes(), 1);
    assert_eq!(second.resolves(), Ok(7));
}

#[test]
fn a_woken_hold_that_is_dropped_wakes_the_next() {
    let (tx, rx) = channel();
    let mut first = Scripted::new(rx.recv_held_async());
    let mut second = Scripted::new(rx.recv_held_async());
    first.stays_pending();
    second.stays_pending();
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    drop(first);
    assert_eq!(second.wakes(), 1);
    assert_eq!(second.resolves().map(Held::release), Ok(7));
    assert_eq!(send.resolves(), Ok(()));
}

#[test]
fn a_woken_receive_whose_sender_gave_up_wakes_nobody_when_it_is_dropped() {
    let (tx, rx) = channel();
    let mut first = Scripted::new(rx.recv_async());
    let mut second = Scripted::new(rx.recv_async());
    first.stays_pending();
    second.stays_pending();
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    drop(send);
    drop(first);
    assert_eq!(second.wakes(), 0);
}

#[test]
fn a_receive_that_was_not_woken_leaves_without_a_sound() {
    let (tx, rx) = channel();
    let mut receives: Vec<_> = (0..3).map(|_| Scripted::new(rx.recv_async())).collect();
    receives.iter_mut().for_each(Scripted::stays_pending);
    drop(receives.remove(1));
    drop(Scripted::new(rx.recv_async()));
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    assert_eq!((receives[0].wakes(), receives[1].wakes()), (1, 0));
    assert_eq!(receives[0].resolves(), Ok(7));
}

#[test]
fn a_dropped_send_is_never_delivered() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut first = Scripted::new(tx.send_async(tally.message(1)));
    let mut second = Scripted::new(tx.send_async(tally.message(2)));
    first.stays_pending();
    second.stays_pending();
    drop(first);
    assert_eq!(tally.dropped(), 1);
    assert_eq!(rx.try_recv().unwrap(), 2);
    assert_eq!(rx.try_recv().unwrap_err(), TryRecvError::Empty);
}

#[test]
fn a_send_that_was_never_polled_sends_nothing() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    drop(tx.send_async(tally.message(7)));
    assert_eq!(tally.dropped(), 1);
    assert!(rx.try_recv().is_err());
}

#[test]
fn a_withdrawn_send_has_its_message_back_if_it_was_not_taken() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_async(tally.message(7)));
    assert_eq!(send.future().withdraw().unwrap(), 7, "before it was polled");

    let mut send = Scripted::new(tx.send_async(tally.message(8)));
    send.stays_pending();
    assert_eq!(send.future().withdraw().unwrap(), 8, "while it waited");
    assert!(
        send.future().withdraw().is_none(),
        "it has given its message"
    );
    assert!(rx.try_recv().is_err());

    let mut send = Scripted::new(tx.send_async(tally.message(9)));
    send.stays_pending();
    let taken = rx.try_recv().unwrap();
    assert!(send.future().withdraw().is_none(), "it was taken");
    assert_eq!(taken, 9);
    drop((send, taken));
    assert_eq!(tally.dropped(), 3);
}

#[test]
fn a_send_that_failed_unseen_has_its_message_back_when_it_is_withdrawn() {
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    drop(rx);
    assert_eq!(send.wakes(), 1);
    assert_eq!(send.future().withdraw(), Some(7));
}

#[test]
fn send_from_puts_the_message_back_if_and_only_if_it_was_not_taken() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut home = Some(tally.message(7));

    drop(tx.send_from(&mut home));
    assert_eq!(home.as_ref().unwrap(), &7, "it was never polled");

    let mut send = Scripted::new(tx.send_from(&mut home));
    send.stays_pending();
    drop(send);
    assert_eq!(home.as_ref().unwrap(), &7, "it waited");

    let mut send = Scripted::new(tx.send_from(&mut home));
    send.stays_pending();
    assert_eq!(rx.try_recv().unwrap(), 7);
    drop(send);
    assert!(
        home.is_none(),
        "it was taken, although the future was not polled again"
    );
    assert_eq!(tally.dropped(), 1);
}

#[test]
fn send_from_of_nothing_is_done_at_once() {
    let (tx, _rx) = channel::<u32>();
    let mut home = None;
    assert_eq!(Scripted::new(tx.send_from(&mut home)).resolves(), Ok(()));
}

#[test]
fn send_from_has_the_message_at_home_when_it_fails() {
    let (tx, rx) = channel();
    drop(rx);
    let mut home = Some(7);
    let error = Scripted::new(tx.send_from(&mut home))
        .resolves()
        .unwrap_err();
    assert!(error.is_disconnected());
    assert_eq!(home, Some(7));
}

#[test]
fn dropping_a_future_after_it_resolved_changes_nothing() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut send = Scripted::new(tx.send_async(tally.message(7)));
    send.stays_pending();
    let message = receive.resolves().unwrap();
    assert!(send.resolves().is_ok());
    drop((send, receive));
    assert_eq!(tally.dropped(), 0);
    drop(message);
    assert_eq!(tally.dropped(), 1);
}

#[test]
#[should_panic(expected = "a send future was polled again")]
fn polling_a_finished_send_panics() {
    let (tx, rx) = channel();
    drop(rx);
    let mut send = Scripted::new(tx.send_async(7));
    let _ = send.resolves();
    let _ = send.poll();
}

#[test]
#[should_panic(expected = "a receive future was polled again")]
fn polling_a_finished_receive_panics() {
    let (tx, rx) = channel::<u32>();
    drop(tx);
    let mut receive = Scripted::new(rx.recv_async());
    let _ = receive.resolves();
    let _ = receive.poll();
}

for_peers! {
    fn a_receiver_behind_a_dropped_one_gets_the_message(sender) {
        let (tx, rx) = channel();
        let mut dropped = Scripted::new(rx.recv_async());
        dropped.stays_pending();
        let waiting = thread::spawn({
            let rx = rx.clone();
            move || Peer::Homemade.recv(&rx)
        });
        let sending = thread::spawn(move || sender.send(&tx, 7));
        until(|| dropped.wakes() == 1 || sending.is_finished());
        drop(dropped);
        assert_eq!(join(waiting), Ok(7));
        assert_eq!(join(sending), Ok(()));
    }
}

for_pairings! {
    /// A receive is dropped at each of its await points, in turn, under a sender that never stops.
    fn cancelled_receives_lose_nothing(sender, receiver) {
        const ROUNDS: u32 = 100;
        let (tx, rx) = channel();
        let sending = thread::spawn(move || (0..ROUNDS).try_for_each(|n| sender.send(&tx, n)));
        let mut received = Vec::new();
        for round in 0.. {
            let mut cancelled = Scripted::new(rx.recv_async());
            if let std::task::Poll::Ready(taken) = cancelled.poll() {
                match taken {
                    Ok(message) => received.push(message),
                    Err(_) => break,
                }
                continue;
            }
            if round % 2 == 0 {
                // Dropped after it was woken, or after the sender had ended.
                until(|| cancelled.wakes() > 0);
            }
            drop(cancelled);
            match receiver.recv(&rx) {
                Ok(message) => received.push(message),
                Err(_) => break,
            }
        }
        assert_eq!(received, (0..ROUNDS).collect::<Vec<_>>());
        assert_eq!(join(sending), Ok(()));
    }
}
