//! One sender, one receiver: they meet.

use handover::channel::channel;

use crate::peers::{Message, Peer, block_on, explore, pairings, poll_once, thread};

pairings! { explore:
    fn a_message_goes_from_hand_to_hand(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        assert_eq!(receiver.recv(&rx), Ok(Box::new(7)));
        assert_eq!(sending.join().unwrap(), Ok(()));
    }

    fn messages_keep_their_order(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || {
            sender.send(&tx, Box::new(1))?;
            sender.send(&tx, Box::new(2))
        });
        assert_eq!(receiver.recv(&rx), Ok(Box::new(1)));
        assert_eq!(receiver.recv(&rx), Ok(Box::new(2)));
        assert_eq!(sending.join().unwrap(), Ok(()));
    }

    fn a_question_is_answered(asking, answering) {
        let (ask, questions) = channel::<Message>();
        let (answer, answers) = channel::<Message>();
        let server = thread::spawn(move || {
            let question = answering.recv(&questions).unwrap();
            answering.send(&answer, Box::new(*question + 1)).unwrap();
        });
        asking.send(&ask, Box::new(1)).unwrap();
        assert_eq!(asking.recv(&answers), Ok(Box::new(2)));
        server.join().unwrap();
    }
}

#[test]
fn a_send_future_may_change_its_waker_while_it_is_met() {
    explore("a_send_future_may_change_its_waker_while_it_is_met", || {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || rx.recv());
        let mut send = Box::pin(tx.send_async(Box::new(7)));
        // The first waker leads nowhere, so the second must be the one that is woken.
        if poll_once(send.as_mut()).is_pending() {
            assert_eq!(block_on(send), Ok(()));
        }
        assert_eq!(receiving.join().unwrap(), Ok(Box::new(7)));
    });
}

#[test]
fn a_receive_future_may_change_its_waker_while_it_is_woken() {
    explore(
        "a_receive_future_may_change_its_waker_while_it_is_woken",
        || {
            let (tx, rx) = channel::<Message>();
            let sending = thread::spawn(move || tx.send(Box::new(7)));
            let mut receive = Box::pin(rx.recv_async());
            if poll_once(receive.as_mut()).is_pending() {
                assert_eq!(block_on(receive), Ok(Box::new(7)));
            }
            assert_eq!(sending.join().unwrap(), Ok(()));
        },
    );
}

/// A future may be polled although nobody woke it, as `loom::future::block_on` does.
mod polled_for_no_reason {
    use loom::future::block_on as block_on_spuriously;

    use super::*;

    #[test]
    fn a_send_waits_on() {
        explore("polled_for_no_reason::a_send_waits_on", || {
            let (tx, rx) = channel::<Message>();
            let sending = thread::spawn(move || block_on_spuriously(tx.send_async(Box::new(7))));
            assert_eq!(block_on(rx.recv_async()), Ok(Box::new(7)));
            assert_eq!(sending.join().unwrap(), Ok(()));
        });
    }

    #[test]
    fn a_receive_waits_on() {
        explore("polled_for_no_reason::a_receive_waits_on", || {
            let (tx, rx) = channel::<Message>();
            let sending = thread::spawn(move || block_on(tx.send_async(Box::new(7))));
            assert_eq!(block_on_spuriously(rx.recv_async()), Ok(Box::new(7)));
            assert_eq!(sending.join().unwrap(), Ok(()));
        });
    }

    #[test]
    fn both_wait_on() {
        explore("polled_for_no_reason::both_wait_on", || {
            let (tx, rx) = channel::<Message>();
            let sending = thread::spawn(move || block_on_spuriously(tx.send_async(Box::new(7))));
            assert_eq!(block_on_spuriously(rx.recv_async()), Ok(Box::new(7)));
            assert_eq!(sending.join().unwrap(), Ok(()));
        });
    }

    #[test]
    fn of_two_receives_either_may_take() {
        explore(
            "polled_for_no_reason::of_two_receives_either_may_take",
            || {
                let (tx, rx) = channel::<Message>();
                let other = rx.clone();
                let sending = thread::spawn(move || tx.send(Box::new(7)));
                let receiving =
                    thread::spawn(move || block_on_spuriously(other.recv_async()).is_ok());
                assert_ne!(
                    block_on_spuriously(rx.recv_async()).is_ok(),
                    receiving.join().unwrap()
                );
                assert_eq!(sending.join().unwrap(), Ok(()));
            },
        );
    }
}
