//! Credit: a send completes ahead of the take within a grant, and never else; what was sent so is not lost.

use std::{pin::pin, time::Duration};

use handover::{
    channel::{Outstanding, RecvError, SendError, TrySendError, channel},
    select, select_async,
};

use crate::peers::{Message, Peer, block_on, explore, pairings, peers, poll_once, thread};

peers! {
    fn a_grant_completes_a_send_that_waits(sender) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        rx.grant(1);
        assert_eq!(sending.join().unwrap(), Ok(()));
        assert_eq!(rx.recv(), Ok(Box::new(7)));
        assert_eq!(rx.outstanding(), Outstanding::default());
    }

    fn a_receiver_that_waits_gets_what_is_sent_within_credit(receiver) {
        let (tx, rx) = channel::<Message>();
        rx.grant(1);
        let receiving = thread::spawn(move || receiver.recv(&rx));
        assert_eq!(tx.send(Box::new(7)), Ok(()));
        assert_eq!(receiving.join().unwrap(), Ok(Box::new(7)));
    }

    /// Two credits, two senders: two receivers are woken.
    fn each_message_within_credit_wakes_a_receiver(receiver) {
        let (tx, rx) = channel::<Message>();
        rx.grant(2);
        let other = rx.clone();
        let first = thread::spawn(move || receiver.recv(&rx));
        let second = thread::spawn(move || receiver.recv(&other));
        assert_eq!(tx.send(Box::new(1)), Ok(()));
        assert_eq!(tx.send(Box::new(2)), Ok(()));
        let taken = [first.join().unwrap().unwrap(), second.join().unwrap().unwrap()];
        assert_eq!(*taken[0] + *taken[1], 3);
    }

    /// One credit, two senders: the other one is withdrawn, or goes when the receiver goes.
    fn one_credit_completes_one_send(sender) {
        let (tx, rx) = channel::<Message>();
        let other = tx.clone();
        let first = thread::spawn(move || sender.send(&tx, Box::new(1)));
        let second = thread::spawn(move || sender.send(&other, Box::new(2)));
        rx.grant(1);
        let left: Vec<_> = rx.into_remaining().collect();
        let sent = [first.join().unwrap(), second.join().unwrap()];
        let completed = sent.iter().filter(|sent| sent.is_ok()).count();
        // A send that came after the receiver had gone found no credit.
        assert_eq!(completed, left.len());
        assert!(completed <= 1);
        for (sent, number) in sent.into_iter().zip(1..) {
            match sent {
                Ok(()) => assert_eq!(*left[0], number),
                Err(error) => assert_eq!(error, SendError::Disconnected(Box::new(number))),
            }
        }
    }

    /// The message is with the receiver, or with whoever drains the channel.
    fn what_was_sent_within_credit_outlives_the_receiver(receiver) {
        let (tx, rx) = channel::<Message>();
        rx.grant(1);
        let receiving = thread::spawn(move || {
            if let Peer::Thread = receiver {
                rx.recv_timeout(Duration::ZERO).ok()
            } else {
                crate::peers::receive_or_give_up(&rx)
            }
        });
        let sent = tx.send_timeout(Box::new(7), Duration::ZERO);
        let received = receiving.join().unwrap();
        let left = tx.take_remaining().next();
        let back = sent.err().map(handover::channel::SendTimeoutError::into_inner);
        let owners = [received, left, back].into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(owners, [Box::new(7)]);
    }

    /// The send guard meets within credit, while the other guard's peer may come too.
    fn an_alternation_sends_within_credit_once(peer) {
        let (a, from_a) = channel::<u32>();
        let (b, from_b) = channel::<u32>();
        let granting = thread::spawn(move || {
            from_a.grant(1);
            from_a
        });
        let sending = thread::spawn(move || b.try_send(2).is_ok());
        let mut home = Some(1);
        let received = match peer {
            Peer::Thread => select! {
                send(a, &mut home) -> sent => { sent.unwrap(); None }
                recv(from_b) -> message => message.ok(),
            },
            Peer::Task => block_on(async {
                select_async! {
                    send(a, &mut home) -> sent => { sent.unwrap(); None }
                    recv(from_b) -> message => message.ok(),
                }
            }),
        };
        let from_a = granting.join().unwrap();
        let sent = sending.join().unwrap();
        assert_eq!(sent, received == Some(2));
        let outstanding = from_a.outstanding();
        assert_eq!(outstanding.untaken, usize::from(home.is_none()));
        assert_eq!(outstanding.untaken + outstanding.unused, 1);
    }

    /// Handed back, it is the next receiver's.
    fn a_message_within_credit_that_is_handed_back_is_for_another_receiver(receiver) {
        let (tx, rx) = channel::<Message>();
        rx.grant(1);
        tx.send(Box::new(7)).unwrap();
        let held = rx.recv_held().unwrap();
        let receiving = thread::spawn(move || receiver.recv(&rx));
        drop(held);
        assert_eq!(receiving.join().unwrap(), Ok(Box::new(7)));
        drop(tx);
    }
}

pairings! { explore:
    /// A woken receive is dropped: its wake-up is passed on for a message in a slot too.
    fn a_receiver_that_gives_up_strands_no_message_within_credit(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        rx.grant(1);
        let other = rx.clone();
        let going = thread::spawn(move || crate::peers::receive_or_give_up(&rx).is_some());
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = receiver.recv(&other);
        assert_ne!(going.join().unwrap(), received.is_ok());
        assert_eq!(sending.join().unwrap(), Ok(()));
    }

    fn a_send_that_races_with_a_grant_and_a_take_is_taken_once(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let granter = rx.clone();
        let granting = thread::spawn(move || granter.grant(1));
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        assert_eq!(receiver.recv(&rx), Ok(Box::new(7)));
        assert_eq!(sending.join().unwrap(), Ok(()));
        granting.join().unwrap();
        assert_eq!(rx.outstanding().untaken, 0);
        assert_eq!(receiver.recv(&rx), Err(RecvError::Disconnected));
    }
}

#[test]
fn credit_is_used_or_revoked() {
    explore("credit_is_used_or_revoked", || {
        let (tx, rx) = channel::<Message>();
        rx.grant(1);
        let sending = thread::spawn(move || match tx.try_send(Box::new(7)) {
            Ok(()) => true,
            Err(TrySendError::Full(message)) => {
                assert_eq!(*message, 7);
                false
            }
            Err(odd) => panic!("{odd:?}"),
        });
        let revoked = rx.revoke(2);
        let sent = sending.join().unwrap();
        assert_eq!(revoked, usize::from(!sent));
        assert_eq!(
            rx.outstanding(),
            Outstanding {
                unused: 0,
                untaken: usize::from(sent)
            }
        );
    });
}

#[test]
fn poison_leaves_what_was_sent_within_credit_to_whoever_drains() {
    explore(
        "poison_leaves_what_was_sent_within_credit_to_whoever_drains",
        || {
            let (tx, rx) = channel::<Message>();
            rx.grant(1);
            let poisoner = rx.clone();
            let poisoning = thread::spawn(move || poisoner.poison("the end"));
            let sent = tx.send(Box::new(7));
            let received = rx.try_recv().ok();
            assert!(poisoning.join().unwrap());
            let left = rx.into_remaining().next();
            let back = sent.err().map(SendError::into_inner);
            let owners: Vec<_> = [received, left, back].into_iter().flatten().collect();
            assert_eq!(owners, [Box::new(7)]);
        },
    );
}

#[test]
fn a_grant_is_demand() {
    explore("a_grant_is_demand", || {
        let (tx, rx) = channel::<Message>();
        let waiting = thread::spawn(move || {
            block_on(tx.ready_async()).unwrap();
            let mut send = pin!(tx.send_async(Box::new(7)));
            poll_once(send.as_mut()).is_ready()
        });
        rx.grant(1);
        assert!(waiting.join().unwrap());
    });
}

#[test]
fn a_grant_completes_first_who_waited_first() {
    explore("a_grant_completes_first_who_waited_first", || {
        let (tx, rx) = channel::<Message>();
        let mut first = pin!(tx.send_async(Box::new(1)));
        assert!(poll_once(first.as_mut()).is_pending());
        let granting = thread::spawn(move || {
            rx.grant(1);
            rx
        });
        let mut second = pin!(tx.send_async(Box::new(2)));
        let _ = poll_once(second.as_mut());
        let rx = granting.join().unwrap();
        assert_eq!(rx.try_recv(), Ok(Box::new(1)));
    });
}

#[test]
fn a_message_is_seen_while_a_grant_completes_its_send() {
    explore("a_message_is_seen_while_a_grant_completes_its_send", || {
        let (preferred, from_preferred) = channel::<Message>();
        let (other, from_other) = channel::<Message>();
        let mut first = pin!(preferred.send_async(Box::new(1)));
        assert!(poll_once(first.as_mut()).is_pending());
        let mut second = pin!(other.send_async(Box::new(2)));
        assert!(poll_once(second.as_mut()).is_pending());
        let granter = from_preferred.clone();
        let granting = thread::spawn(move || granter.grant(1));
        let taken = select! {
            biased;
            recv(from_preferred) -> message => message,
            recv(from_other) -> message => message,
        };
        assert_eq!(taken, Ok(Box::new(1)));
        granting.join().unwrap();
    });
}
