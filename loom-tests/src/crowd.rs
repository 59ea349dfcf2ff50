//! Two senders and two receivers on one channel: each message is taken once, and nobody is left waiting.

use handover::channel::channel;

use crate::peers::{Message, Peer, pairings, receive_or_give_up, thread};

pairings! { explore_crowd:
    fn two_senders_and_two_receivers_all_meet(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let (tx_2, rx_2) = (tx.clone(), rx.clone());
        let first = thread::spawn(move || sender.send(&tx, Box::new(1)));
        let second = thread::spawn(move || sender.send(&tx_2, Box::new(2)));
        let other = thread::spawn(move || *receiver.recv(&rx_2).unwrap());
        let here = *receiver.recv(&rx).unwrap();
        assert_eq!(here + other.join().unwrap(), 3);
        assert_eq!(first.join().unwrap(), Ok(()));
        assert_eq!(second.join().unwrap(), Ok(()));
    }

    /// Each pairing also beside its opposite: a thread and a task on each side.
    fn a_thread_and_a_task_on_each_side_all_meet(sender, receiver) {
        let opposite = |peer| if peer == Peer::Thread { Peer::Task } else { Peer::Thread };
        let (tx, rx) = channel::<Message>();
        let (tx_2, rx_2) = (tx.clone(), rx.clone());
        let first = thread::spawn(move || sender.send(&tx, Box::new(1)));
        let second = thread::spawn(move || opposite(sender).send(&tx_2, Box::new(2)));
        let other = thread::spawn(move || *opposite(receiver).recv(&rx_2).unwrap());
        let here = *receiver.recv(&rx).unwrap();
        assert_eq!(here + other.join().unwrap(), 3);
        assert_eq!(first.join().unwrap(), Ok(()));
        assert_eq!(second.join().unwrap(), Ok(()));
    }

    fn one_sender_serves_two_receivers(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let rx_2 = rx.clone();
        let sending = thread::spawn(move || {
            sender.send(&tx, Box::new(1)).unwrap();
            sender.send(&tx, Box::new(2)).unwrap();
        });
        let other = thread::spawn(move || *receiver.recv(&rx_2).unwrap());
        let here = *receiver.recv(&rx).unwrap();
        assert_eq!(here + other.join().unwrap(), 3);
        sending.join().unwrap();
    }

    /// Two senders wake two futures, one of which is dropped: the receiver that stays takes both messages.
    fn two_senders_survive_a_dropped_receive(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let (tx_2, rx_2) = (tx.clone(), rx.clone());
        let first = thread::spawn(move || sender.send(&tx, Box::new(1)));
        let second = thread::spawn(move || sender.send(&tx_2, Box::new(2)));
        let dropping = thread::spawn(move || receive_or_give_up(&rx_2).map_or(0, |message| *message));
        let mut sum = 0;
        while let Ok(message) = receiver.recv(&rx) {
            sum += *message;
        }
        assert_eq!(sum + dropping.join().unwrap(), 3);
        assert_eq!(first.join().unwrap(), Ok(()));
        assert_eq!(second.join().unwrap(), Ok(()));
    }
}
