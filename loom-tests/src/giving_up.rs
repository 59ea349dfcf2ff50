//! Timeouts and dropped futures: what is given up has no effect, and nobody is stranded by it.
//!
//! Under loom every deadline has passed at the first look, so a timeout races with the meeting itself.

use std::{pin::pin, time::Duration};

use handover::channel::{Held, channel};

use crate::peers::{
    Message, Peer, block_on, explore, pairings, peers, poll_once, receive_or_give_up, thread,
};

const SOON: Duration = Duration::from_millis(1);

peers! {
    fn a_send_that_timed_out_is_never_delivered(receiver) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || receiver.recv(&rx));
        let sent = tx.send_timeout(Box::new(7), SOON);
        drop(tx);
        let received = receiving.join().unwrap();
        assert_eq!(sent.is_ok(), received.is_ok());
        if let Err(error) = sent {
            assert!(error.is_timeout());
            assert_eq!(*error.into_inner(), 7);
        }
    }

    fn a_receive_that_timed_out_took_nothing(sender) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = rx.recv_timeout(SOON);
        drop(rx);
        let sent = sending.join().unwrap();
        assert_eq!(sent.is_ok(), received.is_ok());
    }

    fn a_withdrawn_send_has_its_message_back_or_was_taken(receiver) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || receiver.recv(&rx));
        let back = {
            let mut send = pin!(tx.send_async(Box::new(7)));
            match poll_once(send.as_mut()) {
                std::task::Poll::Ready(sent) => {
                    assert_eq!(sent, Ok(()));
                    None
                }
                std::task::Poll::Pending => send.withdraw(),
            }
        };
        drop(tx);
        let received = receiving.join().unwrap();
        assert_eq!(back.is_some(), received.is_err());
    }

    fn a_dropped_send_from_puts_the_message_back_if_and_only_if_it_was_not_taken(receiver) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || receiver.recv(&rx));
        let mut home = Some(Box::new(7));
        drop({
            let mut send = Box::pin(tx.send_from(&mut home));
            let _ = poll_once(send.as_mut());
            send
        });
        drop(tx);
        let received = receiving.join().unwrap();
        assert_eq!(home.is_some(), received.is_err());
    }

    fn a_dropped_receive_leaves_the_message_with_its_sender(sender) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = receive_or_give_up(&rx);
        drop(rx);
        let sent = sending.join().unwrap();
        assert_eq!(sent.is_ok(), received.is_some());
    }

    /// The send of a thread ends in time although the one future that it woke is never polled.
    fn a_send_that_gives_up_leaves_the_woken_future_fit_for_the_next(sender) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || block_on(rx.recv_async()));
        let first = tx.send_timeout(Box::new(1), SOON);
        if first.is_err() {
            sender.send(&tx, Box::new(2)).unwrap();
        }
        let received = receiving.join().unwrap().unwrap();
        assert_eq!(*received, if first.is_ok() { 1 } else { 2 });
    }
}

pairings! { explore:
    /// The future may be dropped before it was woken, or after: then it passes the wake-up on.
    fn a_dropped_receive_passes_its_wake_up_on(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let other = rx.clone();
        let dropping = thread::spawn(move || receive_or_give_up(&rx));
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = receiver.recv(&other);
        let took = dropping.join().unwrap();
        assert_eq!(took.is_some(), received.is_err(), "one of the two has it");
        assert_eq!(sending.join().unwrap(), Ok(()));
    }

    fn a_dropped_hold_passes_its_wake_up_on(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let other = rx.clone();
        let dropping = thread::spawn(move || {
            let receive = pin!(rx.recv_held_async());
            // What it got, it keeps.
            match poll_once(receive) {
                std::task::Poll::Ready(held) => held.ok().map(Held::release),
                std::task::Poll::Pending => None,
            }
        });
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = receiver.recv_held(&other).map(Held::release);
        let took = dropping.join().unwrap();
        assert_eq!(took.is_some(), received.is_err(), "one of the two has it");
        assert_eq!(sending.join().unwrap(), Ok(()));
    }

    fn a_timed_out_send_beside_another_changes_nothing_for_it(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let other = tx.clone();
        let sending = thread::spawn(move || sender.send(&other, Box::new(1)));
        let receiving = thread::spawn(move || {
            let first = receiver.recv(&rx).unwrap();
            (first, rx.try_recv().ok())
        });
        let timed = tx.send_timeout(Box::new(2), SOON);
        drop(tx);
        let sent = sending.join().unwrap();
        let (first, second) = receiving.join().unwrap();
        let took = |n| *first == n || second.as_deref() == Some(&n);
        assert_eq!(timed.is_ok(), took(2));
        assert_eq!(sent.is_ok(), took(1));
    }
}

#[test]
fn two_timeouts_agree_on_whether_they_met() {
    explore("two_timeouts_agree_on_whether_they_met", || {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || tx.send_timeout(Box::new(7), SOON));
        let received = rx.recv_timeout(SOON);
        assert_eq!(sending.join().unwrap().is_ok(), received.is_ok());
    });
}

#[test]
fn a_withdrawn_send_and_a_timed_out_receive_agree() {
    explore("a_withdrawn_send_and_a_timed_out_receive_agree", || {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || {
            let mut send = pin!(tx.send_async(Box::new(7)));
            match poll_once(send.as_mut()) {
                std::task::Poll::Ready(sent) => sent.is_ok(),
                std::task::Poll::Pending => send.withdraw().is_none(),
            }
        });
        let received = rx.recv_timeout(SOON);
        assert_eq!(sending.join().unwrap(), received.is_ok());
    });
}
