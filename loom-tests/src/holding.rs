//! The extended rendezvous: the sender waits until the one who holds its message has answered.

use std::{pin::pin, task::Poll, time::Duration};

use handover::channel::{Held, SendError, SendTimeoutError, channel};
use loom::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::peers::{Message, Peer, block_on, explore, pairings, peers, poll_once, thread};

const SOON: Duration = Duration::from_millis(1);

pairings! { explore:
    fn a_send_completes_only_after_the_acceptor_has_finished(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        // `Relaxed` suffices, because the hand-over itself orders what came before it.
        let finished = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&finished);
        let sending = thread::spawn(move || {
            sender.send(&tx, Box::new(7)).unwrap();
            seen.load(Ordering::Relaxed)
        });
        match receiver {
            Peer::Thread => rx.accept(|_| finished.store(true, Ordering::Relaxed)),
            Peer::Task => block_on(rx.accept_async(async |_: &mut Message| {
                finished.store(true, Ordering::Relaxed);
            })),
        }
        .unwrap();
        assert!(sending.join().unwrap());
    }

    fn a_message_that_was_handed_back_is_its_senders_again(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let mut held = receiver.recv_held(&rx).unwrap();
        **held = 8;
        drop(held);
        assert_eq!(sending.join().unwrap(), Err(SendError::Returned(Box::new(8))));
    }

    fn a_declined_message_is_for_the_next_receiver(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let mut held = receiver.recv_held(&rx).unwrap();
        **held = 8;
        assert_eq!(held.decline(), Ok(()));
        assert_eq!(receiver.recv(&rx), Ok(Box::new(8)));
        assert_eq!(sending.join().unwrap(), Ok(()));
    }

    fn one_whose_receivers_go_meanwhile_has_its_message_back(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let held = receiver.recv_held(&rx).unwrap();
        let leaving = thread::spawn(move || drop(rx));
        assert_eq!(held.decline(), Ok(()));
        assert_eq!(sending.join().unwrap(), Err(SendError::Disconnected(Box::new(7))));
        leaving.join().unwrap();
    }

    fn a_doubt_reaches_the_sender_as_a_doubt(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let held = receiver.recv_held(&rx).unwrap();
        assert_eq!(held.in_doubt(), Ok(()));
        assert_eq!(sending.join().unwrap(), Err(SendError::InDoubt(Box::new(7))));
    }

    fn a_held_message_outlives_the_last_receiver(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let held = receiver.recv_held(&rx).unwrap();
        drop(rx);
        assert_eq!(*held.release(), 7);
        assert_eq!(sending.join().unwrap(), Ok(()));
    }

    fn two_may_be_held_at_once_and_answered_in_any_order(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let other = tx.clone();
        let first = thread::spawn(move || sender.send(&tx, Box::new(1)));
        let second = thread::spawn(move || sender.send(&other, Box::new(2)));
        let one = receiver.recv_held(&rx).unwrap();
        let two = receiver.recv_held(&rx).unwrap();
        let released = two.release();
        assert_eq!(one.hand_back(), Ok(()));
        let sent = [first.join().unwrap(), second.join().unwrap()];
        for (sent, number) in sent.into_iter().zip(1..) {
            assert_eq!(sent.is_ok(), *released == number);
        }
    }

    fn acceptors_beside_receivers_share_the_senders(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let other = rx.clone();
        let accepting = thread::spawn(move || receiver.recv_held(&rx).map(Held::release));
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = receiver.recv(&other);
        let accepted = accepting.join().unwrap();
        assert_ne!(received.is_ok(), accepted.is_ok());
        assert_eq!(sending.join().unwrap(), Ok(()));
    }
}

peers! {
    /// The sender's future is dropped while the acceptor answers: the message is in one hand, whose is known.
    fn a_held_message_has_one_owner_when_its_sender_goes(receiver) {
        let (tx, rx) = channel::<Message>();
        let accepting = thread::spawn(move || {
            let Ok(held) = receiver.recv_held(&rx) else {
                return Poll::Pending;
            };
            Poll::Ready(held.hand_back().err())
        });
        let back = {
            let mut send = pin!(tx.send_async(Box::new(7)));
            match poll_once(send.as_mut()) {
                Poll::Ready(sent) => Some(sent.unwrap_err().into_inner()),
                Poll::Pending => send.withdraw(),
            }
        };
        drop(tx);
        match accepting.join().unwrap() {
            // It was never accepted, or it was handed back.
            Poll::Pending | Poll::Ready(None) => assert_eq!(back, Some(Box::new(7))),
            // Its sender had gone: the acceptor keeps it.
            Poll::Ready(Some(kept)) => {
                assert_eq!(*kept, 7);
                assert_eq!(back, None);
            }
        }
    }

    fn a_declined_message_has_one_owner_when_its_sender_goes(receiver) {
        let (tx, rx) = channel::<Message>();
        let accepting = thread::spawn(move || {
            let Ok(held) = receiver.recv_held(&rx) else {
                return None;
            };
            held.decline().err()
        });
        let mut home = Some(Box::new(7));
        drop({
            let mut send = Box::pin(tx.send_from(&mut home));
            let _ = poll_once(send.as_mut());
            send
        });
        drop(tx);
        let kept = accepting.join().unwrap();
        assert_ne!(home.is_some(), kept.is_some());
    }

    /// Whether the time is up before, while it is accepted, or after.
    fn a_timeout_counts_again_after_a_decline(receiver) {
        let (tx, rx) = channel::<Message>();
        let accepting = thread::spawn(move || {
            let Ok(held) = receiver.recv_held(&rx) else {
                return;
            };
            assert_eq!(held.decline(), Ok(()), "the sender was still there");
            // Until the sender has gone.
            let _ = receiver.recv(&rx);
        });
        match tx.send_timeout(Box::new(7), SOON) {
            Ok(()) => {}
            Err(error) => assert_eq!(error, SendTimeoutError::Timeout(Box::new(7))),
        }
        drop(tx);
        accepting.join().unwrap();
    }

    fn a_release_that_races_with_the_senders_going_keeps_the_message(receiver) {
        let (tx, rx) = channel::<Message>();
        let accepting = thread::spawn(move || receiver.recv_held(&rx).map(Held::release));
        let mut home = Some(Box::new(7));
        drop({
            let mut send = Box::pin(tx.send_from(&mut home));
            let _ = poll_once(send.as_mut());
            send
        });
        drop(tx);
        assert_ne!(home.is_some(), accepting.join().unwrap().is_ok());
    }

    /// The deadline stops counting once the message was accepted.
    fn a_timeout_does_not_end_an_accepted_send(receiver) {
        let (tx, rx) = channel::<Message>();
        let accepting = thread::spawn(move || receiver.recv_held(&rx).map(Held::hand_back));
        let sent = tx.send_timeout(Box::new(7), SOON);
        drop(tx);
        match accepting.join().unwrap() {
            Ok(answer) => {
                assert_eq!(answer, Ok(()), "the sender was still there");
                assert_eq!(sent, Err(SendTimeoutError::Returned(Box::new(7))));
            }
            Err(_) => assert_eq!(sent, Err(SendTimeoutError::Timeout(Box::new(7)))),
        }
    }
}

#[test]
fn a_held_send_may_change_its_waker_while_it_is_answered() {
    explore(
        "a_held_send_may_change_its_waker_while_it_is_answered",
        || {
            let (tx, rx) = channel::<Message>();
            let accepting = thread::spawn(move || rx.recv_held().map(Held::release));
            let mut send = Box::pin(tx.send_async(Box::new(7)));
            let sent = match poll_once(send.as_mut()) {
                Poll::Ready(sent) => sent,
                Poll::Pending => block_on(send),
            };
            assert_eq!(sent, Ok(()));
            assert_eq!(accepting.join().unwrap(), Ok(Box::new(7)));
        },
    );
}
