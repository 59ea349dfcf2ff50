//! Waiting for a receiver to wait.

use std::pin::pin;

use handover::channel::{ReadyError, channel};

use crate::peers::{Message, Peer, block_on, explore, peers, poll_once, thread};

peers! {
    fn demand_is_seen(receiver) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || receiver.recv(&rx));
        assert_eq!(block_on(tx.ready_async()), Ok(()));
        assert!(tx.is_ready(), "the one receiver has nobody else to meet");
        block_on(tx.send_async(Box::new(7))).unwrap();
        assert_eq!(receiving.join().unwrap(), Ok(Box::new(7)));
    }

    fn the_demand_of_an_acceptor_is_seen(receiver) {
        let (tx, rx) = channel::<Message>();
        let accepting = thread::spawn(move || receiver.recv_held(&rx).unwrap().release());
        assert_eq!(block_on(tx.ready_async()), Ok(()));
        tx.send(Box::new(7)).unwrap();
        assert_eq!(*accepting.join().unwrap(), 7);
    }

    fn two_watchers_both_see_demand_that_stays(receiver) {
        let (tx, rx) = channel::<Message>();
        let other = tx.clone();
        let watching = thread::spawn(move || block_on(other.ready_async()));
        let receiving = thread::spawn(move || receiver.recv(&rx));
        assert_eq!(block_on(tx.ready_async()), Ok(()));
        assert_eq!(watching.join().unwrap(), Ok(()));
        drop(tx);
        assert!(receiving.join().unwrap().is_err());
    }

    fn a_watcher_that_goes_strands_nobody(receiver) {
        let (tx, rx) = channel::<Message>();
        let other = tx.clone();
        let dropping = thread::spawn(move || {
            let _ = poll_once(pin!(other.ready_async()));
        });
        let receiving = thread::spawn(move || receiver.recv(&rx));
        assert_eq!(block_on(tx.ready_async()), Ok(()));
        dropping.join().unwrap();
        drop(tx);
        assert!(receiving.join().unwrap().is_err());
    }

    /// A future that was woken for a sender that then gave up is demand again once it has looked.
    fn a_receiver_whose_sender_gave_up_is_demand_again(sender) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || block_on(rx.recv_async()));
        let other = tx.clone();
        let trying = thread::spawn(move || {
            let send = pin!(other.send_async(Box::new(1)));
            poll_once(send).is_ready()
        });
        let _ = trying.join().unwrap();
        // Either the receiver has taken the first, and is gone, or it waits.
        if block_on(tx.ready_async()) == Ok(()) {
            let _ = sender.send(&tx, Box::new(2));
        }
        assert!(receiving.join().unwrap().is_ok());
    }
}

#[test]
fn a_watcher_hears_that_the_last_receiver_has_gone() {
    explore("a_watcher_hears_that_the_last_receiver_has_gone", || {
        let (tx, rx) = channel::<Message>();
        let watching = thread::spawn(move || block_on(tx.ready_async()));
        drop(rx);
        assert_eq!(watching.join().unwrap(), Err(ReadyError::Disconnected));
    });
}

#[test]
fn a_watcher_hears_of_a_receiver_that_comes_and_goes_or_of_the_end() {
    explore(
        "a_watcher_hears_of_a_receiver_that_comes_and_goes_or_of_the_end",
        || {
            let (tx, rx) = channel::<Message>();
            let watching = thread::spawn(move || block_on(tx.ready_async()));
            let _ = poll_once(pin!(rx.recv_async()));
            drop(rx);
            let _ = watching.join().unwrap();
        },
    );
}
