//! Alternations among themselves, of threads and tasks: in rings, known at run time, dropped, woken for nothing.

use handover::{
    channel::{Receiver, Select, Sender, channel},
    select, select_async,
};

use crate::peers::{Message, Peer, block_on, explore, pairings, peers, poll_once, thread};

/// Sends to the next and receives from the one before, whichever comes first; returns what it received, if it did,
/// and what it still has. It ends with what it has, too, when a neighbour has gone.
fn exchange(
    peer: Peer,
    next: &Sender<u32>,
    before: &Receiver<u32>,
    own: u32,
) -> (Option<u32>, Option<u32>) {
    let mut home = Some(own);
    let received = match peer {
        Peer::Thread => select! {
            recv(before) -> message => message.ok(),
            send(next, &mut home) -> _ => None,
        },
        Peer::Task => block_on(async {
            select_async! {
                recv(before) -> message => message.ok(),
                send(next, &mut home) -> _ => None,
            }
        }),
    };
    (received, home)
}

/// Two of three meet, and the third is told that both have gone, or meets one of them.
fn ring_of_three(peers: [Peer; 3]) {
    let (a, from_a) = channel();
    let (b, from_b) = channel();
    let (c, from_c) = channel();
    // Each sends on its own channel and receives from the one before; the third one here.
    let first = thread::spawn(move || exchange(peers[0], &a, &from_c, 1));
    let second = thread::spawn(move || exchange(peers[1], &b, &from_a, 2));
    let third = exchange(peers[2], &c, &from_b, 3);
    drop((c, from_b));
    let all = [first.join().unwrap(), second.join().unwrap(), third];
    let sent = all.iter().filter(|(_, home)| home.is_none()).count();
    let received: Vec<_> = all.iter().filter_map(|(received, _)| *received).collect();
    assert_eq!(sent, received.len(), "each message that left arrived");
    assert_eq!(sent, 1, "one pair meets, and the third finds nobody");
    for (member, (received, home)) in (1..).zip(all) {
        assert!(received.is_none() || home.is_some(), "one guard meets");
        assert!(received.is_none() || received != Some(member));
    }
}

#[test]
fn in_a_ring_of_three_threads_one_pair_meets() {
    explore("a ring of three threads", || {
        ring_of_three([Peer::Thread; 3]);
    });
}

#[test]
fn in_a_ring_of_three_tasks_one_pair_meets() {
    explore("a ring of three tasks", || {
        ring_of_three([Peer::Task; 3]);
    });
}

#[test]
fn in_a_mixed_ring_of_three_one_pair_meets() {
    explore("a ring of two threads and a task", || {
        ring_of_three([Peer::Thread, Peer::Task, Peer::Thread]);
    });
}

/// The first waits on both channels; the second faces it on both, and may be claimed on either.
fn facing_on_both(peer: Peer, tx: &Sender<u32>, rx: &Receiver<u32>, own: u32) -> Option<u32> {
    let mut home = Some(own);
    let select = Select::new()
        .send(tx, &mut home, |sent| {
            sent.unwrap();
            None
        })
        .recv(rx, |message| Some(message.unwrap()));
    match peer {
        Peer::Thread => select.block(),
        Peer::Task => block_on(select.wait()),
    }
}

pairings! { explore:
    fn two_selects_known_at_run_time_that_face_each_other_meet_once(one, other) {
        let (a, from_a) = channel();
        let (b, from_b) = channel();
        let keep = (a.clone(), from_a.clone(), b.clone(), from_b.clone());
        let there = thread::spawn(move || facing_on_both(other, &b, &from_a, 2));
        let here = facing_on_both(one, &a, &from_b, 1);
        let there = there.join().unwrap();
        drop(keep);
        assert!(matches!((here, there), (None, Some(1)) | (Some(2), None)));
    }

    /// All four guards stand on one channel, so each alternation could meet itself, and must not.
    fn two_alternations_on_both_sides_of_one_channel_meet_each_other(one, other) {
        let (tx, rx) = channel();
        let (also_tx, also_rx) = (tx.clone(), rx.clone());
        let there = thread::spawn(move || exchange(other, &also_tx, &also_rx, 2));
        let here = exchange(one, &tx, &rx, 1);
        match (here, there.join().unwrap()) {
            ((None, None), (Some(1), Some(2))) | ((Some(2), Some(1)), (None, None)) => {}
            odd => panic!("{odd:?}"),
        }
    }

    fn a_channel_twice_in_one_alternation_gives_one_message(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = match receiver {
            Peer::Thread => select! {
                recv(rx) -> message => message,
                recv(rx) -> message => message,
            },
            Peer::Task => block_on(async { select_async! {
                recv(rx) -> message => message,
                recv(rx) -> message => message,
            } }),
        };
        assert_eq!(received, Ok(Box::new(7)));
        assert_eq!(sending.join().unwrap(), Ok(()));
        assert!(rx.try_recv().is_err());
    }
}

peers! {
    /// It is dropped before a peer has claimed it, or after: its message is home, or with the peer.
    fn a_dropped_alternation_that_races_with_a_claim_tells_the_truth(receiver) {
        let (tx, rx) = channel::<Message>();
        let (idle, nothing) = channel::<Message>();
        let receiving = thread::spawn(move || receiver.recv(&rx));
        let mut home = Some(Box::new(7));
        {
            let mut waiting = std::pin::pin!(async {
                select_async! {
                    send(tx, &mut home) -> sent => sent.unwrap(),
                    recv(nothing) -> _ => panic!("nobody sends here"),
                }
            });
            let _ = poll_once(waiting.as_mut());
        }
        drop(tx);
        let received = receiving.join().unwrap();
        assert_eq!(home.is_some(), received.is_err());
        drop(idle);
    }

    fn a_dropped_alternation_of_receives_leaves_the_message_to_another(sender) {
        let (tx, rx) = channel::<Message>();
        let (idle, nothing) = channel::<Message>();
        let other = rx.clone();
        let dropping = thread::spawn(move || {
            let waiting = std::pin::pin!(async {
                select_async! {
                    recv(rx) -> message => message.ok(),
                    recv(nothing) -> _ => panic!("nobody sends here"),
                }
            });
            match poll_once(waiting) {
                std::task::Poll::Ready(received) => received,
                std::task::Poll::Pending => None,
            }
        });
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = block_on(other.recv_async());
        let took = dropping.join().unwrap();
        assert_eq!(took.is_some(), received.is_err(), "one of the two has it");
        assert_eq!(sending.join().unwrap(), Ok(()));
        drop(idle);
    }

    /// A blocked thread that withdraws at its deadline races with the peer that claims it.
    fn an_alternation_that_times_out_and_its_claimant_agree(sender) {
        let (tx, rx) = channel::<Message>();
        let (idle, nothing) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = Select::new()
            .recv(&nothing, |_| unreachable!("nobody sends here"))
            .recv(&rx, Result::ok)
            .block_timeout(std::time::Duration::from_millis(1));
        drop(rx);
        assert_eq!(sending.join().unwrap().is_ok(), received.is_some());
        drop(idle);
    }

    /// Two senders are there at once, one on each channel: one is met, and the other is still there.
    fn the_sender_that_was_not_met_is_not_forgotten(receiver) {
        let (a, from_a) = channel::<u32>();
        let (b, from_b) = channel::<u32>();
        let first = thread::spawn(move || block_on(a.send_async(1)));
        let second = thread::spawn(move || b.send(2));
        let (mut sum, mut open) = (0, (true, true));
        for _ in 0..2 {
            let (number, from_first) = match receiver {
                Peer::Thread => select! {
                    recv(from_a) -> message, if open.0 => (message.unwrap(), true),
                    recv(from_b) -> message, if open.1 => (message.unwrap(), false),
                },
                Peer::Task => block_on(async { select_async! {
                    recv(from_a) -> message, if open.0 => (message.unwrap(), true),
                    recv(from_b) -> message, if open.1 => (message.unwrap(), false),
                } }),
            };
            sum += number;
            if from_first { open.0 = false } else { open.1 = false }
        }
        assert_eq!(sum, 3);
        assert_eq!(first.join().unwrap(), Ok(()));
        assert_eq!(second.join().unwrap(), Ok(()));
    }
}
