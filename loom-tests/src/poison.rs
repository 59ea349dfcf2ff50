//! A channel is poisoned while others wait on it, or are about to: each of them hears it, and every message is at
//! home again.

use handover::{
    channel::{ReadyError, RecvError, SendError, SendTimeoutError, channel},
    select, select_async,
};

use crate::peers::{Message, Peer, block_on, explore, pairings, peers, poll_once, thread};

const REASON: &str = "the end";

peers! {
    fn a_sender_has_its_message_back_when_the_channel_is_poisoned(sender) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        assert!(rx.poison(REASON));
        assert_eq!(
            sending.join().unwrap(),
            Err(SendError::Poisoned(Box::new(7), REASON.into()))
        );
    }

    fn a_receiver_hears_that_the_channel_is_poisoned(receiver) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || receiver.recv(&rx));
        assert!(tx.poison(REASON));
        assert_eq!(receiving.join().unwrap(), Err(RecvError::Poisoned(REASON.into())));
    }

    fn an_acceptor_hears_that_the_channel_is_poisoned(receiver) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || receiver.recv_held(&rx).map(|_| ()));
        assert!(tx.poison(REASON));
        assert_eq!(receiving.join().unwrap(), Err(RecvError::Poisoned(REASON.into())));
    }

    /// It waits on two channels, of which one is poisoned: it meets there, and its offer is home.
    fn an_alternation_hears_that_a_channel_is_poisoned(peer) {
        let (a, from_a) = channel::<u32>();
        let (b, from_b) = channel::<u32>();
        let poisoning = thread::spawn(move || from_b.poison(REASON));
        let mut home = Some(1);
        let heard = match peer {
            Peer::Thread => select! {
                recv(from_a) -> _ => panic!("nobody sends here"),
                send(b, &mut home) -> sent => sent.unwrap_err(),
            },
            Peer::Task => block_on(async {
                select_async! {
                    recv(from_a) -> _ => panic!("nobody sends here"),
                    send(b, &mut home) -> sent => sent.unwrap_err(),
                }
            }),
        };
        assert_eq!(heard, SendError::Poisoned((), REASON.into()));
        assert_eq!(home, Some(1));
        assert!(poisoning.join().unwrap());
        drop(a);
    }
}

pairings! { explore:
    /// Whether they met or the poison came first: both know, and both say the same.
    fn a_hand_over_that_races_with_poison_happens_or_does_not(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let poisoner = tx.clone();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let poisoning = thread::spawn(move || poisoner.poison(REASON));
        let received = receiver.recv(&rx);
        assert!(poisoning.join().unwrap());
        match (sending.join().unwrap(), received) {
            (Ok(()), Ok(message)) => assert_eq!(*message, 7),
            (Err(SendError::Poisoned(message, _)), Err(RecvError::Poisoned(_))) => {
                assert_eq!(*message, 7);
            }
            odd => panic!("{odd:?}"),
        }
    }

    /// An accepted send is released by its acceptor alone.
    fn poison_does_not_touch_what_is_held(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let held = receiver.recv_held(&rx).unwrap();
        assert!(rx.poison(REASON));
        assert_eq!(*held.release(), 7);
        assert_eq!(sending.join().unwrap(), Ok(()));
    }
}

#[test]
fn a_timeout_that_races_with_poison_has_the_message_either_way() {
    explore(
        "a_timeout_that_races_with_poison_has_the_message_either_way",
        || {
            let (tx, rx) = channel::<Message>();
            let sending =
                thread::spawn(move || tx.send_timeout(Box::new(7), std::time::Duration::ZERO));
            assert!(rx.poison(REASON));
            match sending.join().unwrap() {
                Err(
                    SendTimeoutError::Timeout(message) | SendTimeoutError::Poisoned(message, _),
                ) => {
                    assert_eq!(*message, 7);
                }
                odd => panic!("{odd:?}"),
            }
        },
    );
}

#[test]
fn a_dropped_receive_that_races_with_poison_strands_nobody() {
    explore(
        "a_dropped_receive_that_races_with_poison_strands_nobody",
        || {
            let (tx, rx) = channel::<Message>();
            let other = rx.clone();
            let going = thread::spawn(move || {
                let mut receive = Box::pin(other.recv_async());
                let _ = poll_once(receive.as_mut());
            });
            let poisoning = thread::spawn(move || tx.poison(REASON));
            assert_eq!(
                block_on(rx.recv_async()),
                Err(RecvError::Poisoned(REASON.into()))
            );
            assert!(poisoning.join().unwrap());
            going.join().unwrap();
        },
    );
}

#[test]
fn those_who_wait_for_demand_or_for_the_end_hear_of_poison() {
    explore(
        "those_who_wait_for_demand_or_for_the_end_hear_of_poison",
        || {
            let (tx, rx) = channel::<Message>();
            let ends = tx.clone();
            let waiting = thread::spawn(move || block_on(tx.ready_async()));
            let ending = thread::spawn(move || block_on(ends.closed_async()));
            assert!(rx.poison(REASON));
            assert_eq!(
                waiting.join().unwrap(),
                Err(ReadyError::Poisoned(REASON.into()))
            );
            ending.join().unwrap();
        },
    );
}

#[test]
fn two_poisoners_agree_on_one_reason() {
    explore("two_poisoners_agree_on_one_reason", || {
        let (tx, rx) = channel::<u32>();
        let poisoning = thread::spawn(move || (tx.poison("there"), tx));
        let here = rx.poison("here");
        let (there, tx) = poisoning.join().unwrap();
        assert_ne!(here, there);
        let reason = if here { "here" } else { "there" };
        assert_eq!(rx.recv(), Err(RecvError::Poisoned(reason.into())));
        assert_eq!(tx.send(1), Err(SendError::Poisoned(1, reason.into())));
    });
}
