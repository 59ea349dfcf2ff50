//! Alternations: against each other and against everything else, exactly one guard meets.

use handover::{
    channel::{Receiver, Sender, channel},
    select, select_async,
};

use crate::peers::{Message, Peer, block_on, pairings, peers, thread};

/// What an alternation between sending and receiving came to: what it received, and what it still offers.
type Exchanged = (Option<u32>, Option<u32>);

/// Offers `own` on one channel and waits for a message on the other.
fn exchange(peer: Peer, tx: &Sender<u32>, rx: &Receiver<u32>, own: u32) -> Exchanged {
    let mut home = Some(own);
    let received = match peer {
        Peer::Thread => select! {
            send(tx, &mut home) -> sent => { sent.unwrap(); None }
            recv(rx) -> message => Some(message.unwrap()),
        },
        Peer::Task => block_on(async {
            select_async! {
                send(tx, &mut home) -> sent => { sent.unwrap(); None }
                recv(rx) -> message => Some(message.unwrap()),
            }
        }),
    };
    (received, home)
}

/// Waits on two channels for the first message.
fn receive_first(peer: Peer, first: &Receiver<u32>, second: &Receiver<u32>) -> Option<u32> {
    match peer {
        Peer::Thread => select! {
            recv(first) -> message => message.ok(),
            recv(second) -> message => message.ok(),
        },
        Peer::Task => block_on(async {
            select_async! {
                recv(first) -> message => message.ok(),
                recv(second) -> message => message.ok(),
            }
        }),
    }
}

pairings! { explore:
    fn two_alternations_that_face_each_other_meet_once(sender, receiver) {
        let (a, from_a) = channel();
        let (b, from_b) = channel();
        let keep = (a.clone(), from_a.clone(), b.clone(), from_b.clone());
        let other = thread::spawn(move || exchange(receiver, &b, &from_a, 2));
        let here = exchange(sender, &a, &from_b, 1);
        let there = other.join().unwrap();
        drop(keep);
        match (here, there) {
            ((None, None), (Some(1), Some(2))) | ((Some(2), Some(1)), (None, None)) => {}
            odd => panic!("{odd:?}"),
        }
    }

    fn an_alternation_of_receives_meets_a_plain_send(sender, receiver) {
        let (a, from_a) = channel();
        let (b, from_b) = channel();
        let other = thread::spawn(move || sender.send(&b, 2));
        assert_eq!(receive_first(receiver, &from_a, &from_b), Some(2));
        assert_eq!(other.join().unwrap(), Ok(()));
        drop(a);
    }

    fn an_alternation_of_sends_meets_a_plain_receive(sender, receiver) {
        let (a, from_a) = channel();
        let (b, from_b) = channel();
        let other = thread::spawn(move || receiver.recv(&from_b));
        let (mut first, mut second) = (Some(1), Some(2));
        match sender {
            Peer::Thread => select! {
                send(a, &mut first) -> _ => panic!("nobody receives here"),
                send(b, &mut second) -> sent => sent.unwrap(),
            },
            Peer::Task => block_on(async {
                select_async! {
                    send(a, &mut first) -> _ => panic!("nobody receives here"),
                    send(b, &mut second) -> sent => sent.unwrap(),
                }
            }),
        }
        assert_eq!((first, second), (Some(1), None));
        assert_eq!(other.join().unwrap(), Ok(2));
        drop(from_a);
    }

    fn an_alternation_that_is_held_waits_for_its_answer(sender, receiver) {
        let (a, from_a) = channel::<Message>();
        let (b, from_b) = channel::<Message>();
        let other = thread::spawn(move || {
            let held = receiver.recv_held(&from_a).unwrap();
            held.hand_back().unwrap();
        });
        let mut home = Some(Box::new(1));
        let outcome = match sender {
            Peer::Thread => select! {
                send(a, &mut home) -> sent => sent,
                recv(from_b) -> _ => panic!("nobody sends here"),
            },
            Peer::Task => block_on(async {
                select_async! {
                    send(a, &mut home) -> sent => sent,
                    recv(from_b) -> _ => panic!("nobody sends here"),
                }
            }),
        };
        assert_eq!(outcome, Err(handover::channel::SendError::Returned(())));
        assert_eq!(home, Some(Box::new(1)));
        other.join().unwrap();
        drop(b);
    }
}

pairings! { explore:
    /// It is declined on one channel, and meets on the other; or is met there first.
    fn an_alternation_that_is_declined_looks_at_all_its_guards(sender, receiver) {
        let (a, from_a) = channel::<Message>();
        let (b, from_b) = channel::<Message>();
        let other = thread::spawn(move || {
            let declined = receiver.recv_held(&from_a).map(|held| held.decline().unwrap());
            let sent = receiver.send(&b, Box::new(2));
            (declined.is_ok(), sent)
        });
        let mut home = Some(Box::new(1));
        let got = match sender {
            Peer::Thread => select! {
                send(a, &mut home) -> _ => panic!("nobody takes it"),
                recv(from_b) -> message => message,
            },
            Peer::Task => block_on(async {
                select_async! {
                    send(a, &mut home) -> _ => panic!("nobody takes it"),
                    recv(from_b) -> message => message,
                }
            }),
        };
        assert_eq!(got, Ok(Box::new(2)));
        assert_eq!(home, Some(Box::new(1)));
        assert_eq!(other.join().unwrap(), (true, Ok(())));
    }
}

peers! {
    fn two_senders_that_race_for_one_alternation_are_told_the_truth(receiver) {
        let (a, from_a) = channel();
        let (b, from_b) = channel();
        let first = thread::spawn(move || a.try_send(1).is_ok());
        let second = thread::spawn(move || b.try_send(2).is_ok());
        let received = receive_first(receiver, &from_a, &from_b);
        let sent = (first.join().unwrap(), second.join().unwrap());
        assert_eq!(sent, (received == Some(1), received == Some(2)));
    }

    /// A task that sends sees a blocked alternation that somebody else has claimed and that has not left yet.
    fn a_task_that_sends_to_an_alternation_that_is_claimed_elsewhere_waits(receiver) {
        let (a, from_a) = channel();
        let (b, from_b) = channel();
        let first = thread::spawn(move || a.try_send(1).is_ok());
        let second = thread::spawn(move || {
            let mut send = std::pin::pin!(b.send_async(2));
            match crate::peers::poll_once(send.as_mut()) {
                std::task::Poll::Ready(sent) => sent.is_ok(),
                std::task::Poll::Pending => send.withdraw().is_none(),
            }
        });
        let received = receive_first(receiver, &from_a, &from_b);
        let sent = (first.join().unwrap(), second.join().unwrap());
        assert_eq!(sent, (received == Some(1), received == Some(2)));
    }

    fn an_alternation_hears_that_a_channel_closes(receiver) {
        let (a, from_a) = channel();
        let (b, from_b) = channel();
        let closing = thread::spawn(move || drop(b));
        assert_eq!(receive_first(receiver, &from_a, &from_b), None);
        closing.join().unwrap();
        drop(a);
    }

    /// It was woken for the sender of one channel and took from the other: then somebody else must be woken.
    fn an_alternation_that_commits_elsewhere_passes_the_wake_up_on(receiver) {
        let (a, from_a) = channel();
        let (b, from_b) = channel();
        let also_from_a = from_a.clone();
        let mut alternation = std::pin::pin!(async {
            select_async! {
                biased;
                recv(from_b) -> message => message.unwrap(),
                recv(from_a) -> message => message.unwrap(),
            }
        });
        assert!(crate::peers::poll_once(alternation.as_mut()).is_pending());
        let waiting = thread::spawn(move || receiver.recv(&also_from_a));
        let sending = thread::spawn(move || block_on(a.send_async(1)));
        let mut offer = std::pin::pin!(b.send_async(2));
        assert!(crate::peers::poll_once(offer.as_mut()).is_pending());
        assert_eq!(block_on(alternation), 2);
        assert_eq!(waiting.join().unwrap(), Ok(1));
        assert_eq!(sending.join().unwrap(), Ok(()));
    }
}
