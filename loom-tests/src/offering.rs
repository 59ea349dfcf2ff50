//! An offer waits only as long as a receiver does: it never hangs, and its message is in one place.

use std::pin::pin;
use std::task::Poll;

use handover::{
    channel::{Held, OfferError, channel},
    select_async,
};

use crate::peers::{Message, Peer, block_on, peers, poll_once, receive_or_give_up, thread};

peers! {
    fn it_is_taken_or_comes_back(receiver) {
        let (tx, rx) = channel::<Message>();
        let staying = rx.clone();
        let offering = thread::spawn(move || block_on(tx.offer_async(Box::new(7))));
        let received = match receiver {
            Peer::Thread => rx.try_recv().ok(),
            Peer::Task => receive_or_give_up(&rx),
        };
        match offering.join().unwrap() {
            Ok(()) => assert_eq!(received, Some(Box::new(7))),
            Err(error) => {
                assert_eq!(error, OfferError::Unwanted(Box::new(7)));
                assert_eq!(received, None);
            }
        }
        drop(staying);
    }

    /// The receiver for whom it was may take from another sender.
    fn another_sender_may_be_first(receiver) {
        let (tx, rx) = channel::<Message>();
        let (other, staying) = (tx.clone(), rx.clone());
        let offering = thread::spawn(move || block_on(tx.offer_async(Box::new(1))).is_ok());
        let sending = thread::spawn(move || {
            let mut send = pin!(other.send_async(Box::new(2)));
            match poll_once(send.as_mut()) {
                Poll::Ready(sent) => sent.is_ok(),
                Poll::Pending => send.withdraw().is_none(),
            }
        });
        let received = match receiver {
            Peer::Thread => rx.try_recv().ok(),
            Peer::Task => receive_or_give_up(&rx),
        };
        let taken = (offering.join().unwrap(), sending.join().unwrap());
        let number = received.map(|message| *message);
        assert_eq!(taken, (number == Some(1), number == Some(2)));
        drop(staying);
    }

    /// The receiver that chooses may meet on another channel.
    fn the_receiver_may_meet_elsewhere(sender) {
        let (tx, rx) = channel::<Message>();
        let (other, from_other) = channel::<Message>();
        let (staying, also_other) = (rx.clone(), from_other.clone());
        let offering = thread::spawn(move || block_on(tx.offer_async(Box::new(1))).is_ok());
        let choosing = thread::spawn(move || {
            block_on(async {
                select_async! {
                    recv(rx) -> message => message,
                    recv(from_other) -> message => message,
                }
            })
        });
        let is_sent = match sender {
            Peer::Thread => other.try_send(Box::new(2)).is_ok(),
            Peer::Task => {
                let mut send = pin!(other.send_async(Box::new(2)));
                match poll_once(send.as_mut()) {
                    Poll::Ready(sent) => sent.is_ok(),
                    Poll::Pending => send.withdraw().is_none(),
                }
            }
        };
        // The choice is over in any case.
        drop(other);
        let chosen = choosing.join().unwrap().ok().map(|message| *message);
        assert_eq!(is_sent, chosen == Some(2));
        assert_eq!(offering.join().unwrap(), chosen == Some(1));
        drop((staying, also_other));
    }

    fn two_for_one_are_both_told(receiver) {
        let (tx, rx) = channel::<Message>();
        let (other, staying) = (tx.clone(), rx.clone());
        let first = thread::spawn(move || block_on(tx.offer_async(Box::new(1))).is_ok());
        let second = thread::spawn(move || block_on(other.offer_async(Box::new(2))).is_ok());
        let received = match receiver {
            Peer::Thread => rx.try_recv().ok(),
            Peer::Task => receive_or_give_up(&rx),
        };
        let taken = (first.join().unwrap(), second.join().unwrap());
        let number = received.map(|message| *message);
        assert_eq!(taken, (number == Some(1), number == Some(2)));
        drop(staying);
    }

    fn one_that_is_declined_comes_back(receiver) {
        let (tx, rx) = channel::<Message>();
        let staying = rx.clone();
        let accepting = thread::spawn(move || {
            let mut accept = pin!(rx.recv_held_async());
            match poll_once(accept.as_mut()) {
                Poll::Ready(held) => held.map(Held::decline).is_ok(),
                Poll::Pending => match receiver {
                    Peer::Task => match poll_once(accept.as_mut()) {
                        Poll::Ready(held) => held.map(Held::decline).is_ok(),
                        Poll::Pending => false,
                    },
                    Peer::Thread => false,
                },
            }
        });
        let offered = block_on(tx.offer_async(Box::new(7)));
        assert_eq!(offered, Err(OfferError::Unwanted(Box::new(7))));
        accepting.join().unwrap();
        drop(staying);
    }
}
