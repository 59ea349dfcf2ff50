//! An end goes while the other side waits, or is about to.

use std::pin::pin;

use handover::{
    channel::{RecvError, SendError, channel},
    select,
};

use crate::peers::{
    Message, Peer, block_on, explore, pairings, peers, poll_once, receive_or_give_up, thread,
};

peers! {
    fn a_sender_gets_its_message_back_when_the_last_receiver_goes(sender) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        drop(rx);
        assert_eq!(sending.join().unwrap(), Err(SendError::Disconnected(Box::new(7))));
    }

    fn a_receiver_hears_that_the_last_sender_has_gone(receiver) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || receiver.recv(&rx));
        drop(tx);
        assert_eq!(receiving.join().unwrap(), Err(RecvError::Disconnected));
    }

    fn an_acceptor_hears_that_the_last_sender_has_gone(receiver) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || receiver.recv_held(&rx).map(|_| ()));
        drop(tx);
        assert_eq!(receiving.join().unwrap(), Err(RecvError::Disconnected));
    }

    /// Two clones go at the same time: one of them is the last.
    fn the_last_of_two_senders_closes(receiver) {
        let (tx, rx) = channel::<Message>();
        let other = tx.clone();
        let dropping = thread::spawn(move || drop(other));
        let receiving = thread::spawn(move || receiver.recv(&rx));
        drop(tx);
        assert_eq!(receiving.join().unwrap(), Err(RecvError::Disconnected));
        dropping.join().unwrap();
    }
}

peers! {
    /// The wait for the end takes nothing from a receive beside it, and hears the end that this hears.
    fn an_end_that_waits_for_the_other_side_to_go_hears_it(receiver) {
        let (tx, rx) = channel::<Message>();
        let other = rx.clone();
        let waiting = thread::spawn(move || block_on(other.closed_async()));
        let receiving = thread::spawn(move || receiver.recv(&rx));
        tx.send(Box::new(7)).unwrap();
        drop(tx);
        waiting.join().unwrap();
        assert_eq!(receiving.join().unwrap(), Ok(Box::new(7)));
    }

    fn a_sender_that_waits_for_the_receivers_to_go_hears_it(sender) {
        let (tx, rx) = channel::<Message>();
        let other = tx.clone();
        let waiting = thread::spawn(move || block_on(other.closed_async()));
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        drop(rx);
        waiting.join().unwrap();
        assert!(sending.join().unwrap().is_err());
    }
}

pairings! { explore:
    fn the_last_message_arrives_before_the_end(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        assert_eq!(receiver.recv(&rx), Ok(Box::new(7)));
        assert_eq!(receiver.recv(&rx), Err(RecvError::Disconnected));
        assert_eq!(sending.join().unwrap(), Ok(()));
    }

    fn both_senders_get_their_messages_back(one, other) {
        let (tx, rx) = channel::<Message>();
        let second = tx.clone();
        let first = thread::spawn(move || one.send(&tx, Box::new(1)));
        let second = thread::spawn(move || other.send(&second, Box::new(2)));
        drop(rx);
        assert_eq!(first.join().unwrap(), Err(SendError::Disconnected(Box::new(1))));
        assert_eq!(second.join().unwrap(), Err(SendError::Disconnected(Box::new(2))));
    }

    fn both_receivers_hear_the_end(one, other) {
        let (tx, rx) = channel::<Message>();
        let second = rx.clone();
        let first = thread::spawn(move || one.recv(&rx));
        let second = thread::spawn(move || other.recv(&second));
        drop(tx);
        assert_eq!(first.join().unwrap(), Err(RecvError::Disconnected));
        assert_eq!(second.join().unwrap(), Err(RecvError::Disconnected));
    }

    /// The receiver takes one and goes; the other sender has its message back.
    fn whoever_was_not_taken_has_its_message_back(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let other = tx.clone();
        let first = thread::spawn(move || sender.send(&tx, Box::new(1)));
        let second = thread::spawn(move || sender.send(&other, Box::new(2)));
        let taken = receiver.recv(&rx).unwrap();
        drop(rx);
        let sent = [first.join().unwrap(), second.join().unwrap()];
        for (sent, number) in sent.into_iter().zip(1..) {
            if *taken == number {
                assert_eq!(sent, Ok(()));
            } else {
                assert_eq!(sent, Err(SendError::Disconnected(Box::new(number))));
            }
        }
    }

    /// A woken receive future is dropped, and its receiver with it, beside another receiver.
    fn a_receiver_that_goes_with_its_future_strands_nobody(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let other = rx.clone();
        let going = thread::spawn(move || {
            let took = receive_or_give_up(&rx).is_some();
            drop(rx);
            took
        });
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = receiver.recv(&other).is_ok();
        assert_ne!(going.join().unwrap(), received);
        assert_eq!(sending.join().unwrap(), Ok(()));
    }
}

#[test]
fn an_end_that_was_seen_comes_first_where_it_is_preferred() {
    explore(
        "an_end_that_was_seen_comes_first_where_it_is_preferred",
        || {
            let (preferred, from_preferred) = channel::<Message>();
            let (other, from_other) = channel::<Message>();
            let mut send = pin!(other.send_async(Box::new(2)));
            assert!(poll_once(send.as_mut()).is_pending());
            let closing = thread::spawn(move || drop(preferred));
            if from_preferred.is_disconnected() {
                let has_ended = select! {
                    biased;
                    recv(from_preferred) -> message => message.is_err(),
                    recv(from_other) -> _ => false,
                };
                assert!(has_ended);
            }
            closing.join().unwrap();
        },
    );
}
