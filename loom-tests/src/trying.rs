//! Operations that do not wait: they meet who waits at that moment, or nobody.

use handover::channel::{TryRecvError, TrySendError, channel};

use crate::peers::{Message, Peer, explore, pairings, peers, thread};

peers! {
    fn a_try_send_succeeds_only_if_the_message_was_taken(receiver) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || receiver.recv(&rx));
        let sent = tx.try_send(Box::new(7));
        drop(tx);
        let received = receiving.join().unwrap();
        match sent {
            Ok(()) => {
                assert_eq!(received, Ok(Box::new(7)));
                assert_eq!(receiver, Peer::Thread, "a future may vanish, so it is never given a message");
            }
            Err(error) => {
                assert!(matches!(&error, TrySendError::Full(_)), "the receiver was there");
                assert_eq!(*error.into_inner(), 7);
                assert!(received.is_err());
            }
        }
    }

    fn a_try_recv_takes_only_from_a_sender_that_waits(sender) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = rx.try_recv();
        drop(rx);
        let sent = sending.join().unwrap();
        match received {
            Ok(message) => {
                assert_eq!(*message, 7);
                assert_eq!(sent, Ok(()));
            }
            Err(error) => {
                assert_eq!(error, TryRecvError::Empty);
                assert_eq!(*sent.unwrap_err().into_inner(), 7);
            }
        }
    }
}

pairings! { explore:
    /// A send that does not wait and one that does: the receiver gets one of the two, and the other is known.
    fn a_try_send_beside_a_send_takes_nothing_from_it(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let other = tx.clone();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(1)));
        let receiving = thread::spawn(move || receiver.recv(&rx).unwrap());
        let tried = other.try_send(Box::new(2));
        let received = receiving.join().unwrap();
        let sent = sending.join().unwrap();
        assert_eq!(tried.is_ok(), *received == 2);
        assert_eq!(sent.is_ok(), *received == 1);
    }
}

#[test]
fn two_tries_meet_nobody() {
    explore("two_tries_meet_nobody", || {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || tx.try_send(Box::new(7)));
        assert!(rx.try_recv().is_err());
        let left = sending.join().unwrap().unwrap_err();
        assert_eq!(*left.into_inner(), 7);
    });
}
