//! Poison closes a channel for both sides: whoever waits hears the reason, and has its message back.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is tests; a stage that serves several test programs has more than each needs"
)]

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Wake, Waker},
    thread,
};

use handover::{
    Receiver, channel,
    channel::{
        ReadyError, Reason, RecvError, RecvTimeoutError, Select, SendError, SendTimeoutError,
        TryRecvError, TrySendError,
    },
    select, select_async,
};

#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with other test programs"
)]
#[path = "handover/stage.rs"]
mod stage;

use stage::{PATIENCE, Peer, Scripted, Tally, for_peers, join, until};

fn reason() -> Reason {
    "the end".into()
}

for_peers! {
    fn each_blocked_sender_has_its_message_back_with_the_reason(sender) {
        let tally = Tally::default();
        let (tx, rx) = channel();
        let sending: Vec<_> = (0..4)
            .map(|number| {
                let (tx, message) = (tx.clone(), tally.message(number));
                thread::spawn(move || sender.send(&tx, message))
            })
            .collect();
        // One is taken, so the others are on their way, and some of them wait.
        until(|| rx.try_recv().is_ok());
        assert!(rx.poison("the end"));
        let returned: Vec<_> = sending.into_iter().filter_map(|sending| join(sending).err()).collect();
        assert_eq!(returned.len(), 3);
        assert!(returned.iter().all(|error| error.poison() == Some(&reason())));
        assert_eq!(tally.dropped(), 1);
        drop(returned);
        assert_eq!(tally.dropped(), 4);
    }

    fn each_blocked_receiver_hears_the_reason(receiver) {
        let (tx, rx) = channel::<u32>();
        let receiving: Vec<_> = (0..3)
            .map(|_| {
                let rx = rx.clone();
                thread::spawn(move || receiver.recv(&rx))
            })
            .collect();
        until(|| tx.is_ready());
        assert!(tx.poison("the end"));
        for receiving in receiving {
            assert_eq!(join(receiving), Err(RecvError::Poisoned(reason())));
        }
    }

    fn later_operations_fail_at_once(peer) {
        let (tx, rx) = channel();
        assert!(tx.poison("the end"));
        assert_eq!(peer.send(&tx, 7), Err(SendError::Poisoned(7, reason())));
        assert_eq!(peer.recv(&rx), Err(RecvError::Poisoned(reason())));
    }
}

#[test]
fn every_operation_tells_the_reason() {
    let (tx, rx) = channel::<u32>();
    rx.poison("the end");
    assert_eq!(tx.try_send(1), Err(TrySendError::Poisoned(1, reason())));
    assert_eq!(
        tx.send_timeout(1, PATIENCE),
        Err(SendTimeoutError::Poisoned(1, reason()))
    );
    assert_eq!(rx.try_recv(), Err(TryRecvError::Poisoned(reason())));
    assert_eq!(
        rx.recv_timeout(PATIENCE),
        Err(RecvTimeoutError::Poisoned(reason()))
    );
    assert_eq!(rx.recv_held().unwrap_err(), RecvError::Poisoned(reason()));
    assert_eq!(
        rx.accept(|_| ()).unwrap_err(),
        RecvError::Poisoned(reason())
    );
    assert_eq!(
        Scripted::new(tx.ready_async()).resolves(),
        Err(ReadyError::Poisoned(reason()))
    );
    Scripted::new(tx.closed_async()).resolves();
    Scripted::new(rx.closed_async()).resolves();
    let mut home = Some(1);
    assert_eq!(
        Scripted::new(tx.send_from(&mut home)).resolves(),
        Err(SendError::Poisoned((), reason()))
    );
    assert_eq!(home, Some(1));
    assert_eq!(tx.poison_reason(), Some(reason()));
    assert_eq!(rx.iter().next(), None, "an iterator ends");
    let error = tx.send(1).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("the channel was poisoned: the end"),
        "{error}"
    );
}

#[test]
fn the_first_reason_stays() {
    let (tx, rx) = channel::<u32>();
    assert!(tx.poison("the first"));
    assert!(!rx.poison("the second"));
    assert_eq!(rx.recv(), Err(RecvError::Poisoned("the first".into())));
}

#[test]
fn a_channel_that_is_not_poisoned_has_no_reason() {
    let (tx, rx) = channel::<u32>();
    assert_eq!((tx.poison_reason(), rx.poison_reason()), (None, None));
    drop(rx);
    assert_eq!(tx.send(1), Err(SendError::Disconnected(1)));
}

#[test]
fn futures_that_wait_are_woken_and_hear_it() {
    let (tx, rx) = channel::<u32>();
    let mut receive = Scripted::new(rx.recv_async());
    let mut hold = Scripted::new(rx.recv_held_async());
    let mut end = Scripted::new(rx.closed_async());
    receive.stays_pending();
    hold.stays_pending();
    end.stays_pending();
    tx.poison("the end");
    assert_eq!((receive.wakes(), hold.wakes(), end.wakes()), (1, 1, 1));
    assert_eq!(receive.resolves(), Err(RecvError::Poisoned(reason())));
    assert_eq!(hold.resolves().unwrap_err(), RecvError::Poisoned(reason()));
    end.resolves();
}

#[test]
fn an_offer_that_waits_is_woken_and_has_its_message() {
    let (tx, rx) = channel();
    let mut home = Some("unit");
    {
        let mut send = Scripted::new(tx.send_from(&mut home));
        send.stays_pending();
        rx.poison("the end");
        assert_eq!(send.wakes(), 1);
        assert_eq!(send.resolves(), Err(SendError::Poisoned((), reason())));
    }
    assert_eq!(home, Some("unit"));
}

/// An accepted send is released by its acceptor alone, and its answer is heard.
#[test]
fn what_is_held_is_not_touched() {
    let (tx, rx) = channel();
    let mut taken = Scripted::new(tx.send_async(1));
    taken.stays_pending();
    let held = rx.recv_held().unwrap();
    let mut returned = Scripted::new(tx.send_async(2));
    returned.stays_pending();
    let other = rx.recv_held().unwrap();
    tx.poison("the end");
    taken.stays_pending();
    assert_eq!(held.release(), 1);
    assert_eq!(taken.resolves(), Ok(()));
    drop(other);
    assert_eq!(returned.resolves(), Err(SendError::Returned(2)));
}

#[test]
fn alternations_meet_the_poison_of_any_of_their_channels() {
    let (tx, rx) = channel::<u32>();
    let (other, from_other) = channel::<u32>();
    let blocked = thread::spawn({
        let (tx, from_other) = (tx.clone(), from_other.clone());
        move || {
            let mut home = Some(1);
            let heard = select! {
                send(tx, &mut home) -> _ => panic!("nobody receives here"),
                recv(from_other) -> message => message,
            };
            (heard, home)
        }
    });
    until(|| other.is_ready());
    other.poison("the end");
    assert_eq!(join(blocked), (Err(RecvError::Poisoned(reason())), Some(1)));

    let mut home = Some(1);
    let mut task = Scripted::new(async {
        select_async! {
            send(tx, &mut home) -> sent => sent,
            recv(rx) -> _ => panic!("it cannot meet itself"),
        }
    });
    task.stays_pending();
    rx.poison("the end");
    assert_eq!(task.wakes(), 1);
    assert!(task.poll().is_ready());

    let heard = Select::new().recv(&from_other, |message| message).now();
    assert_eq!(heard, Some(Err(RecvError::Poisoned(reason()))));
}

/// The senders are woken one after the other, and a waker may do anything: even then poison ends all that waits.
#[test]
fn nothing_is_taken_once_the_channel_is_poisoned() {
    struct TriesToTake(Receiver<u32>, Mutex<Vec<Result<u32, TryRecvError>>>);

    impl Wake for TriesToTake {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0.try_recv());
        }
    }

    let (tx, rx) = channel();
    let taking = Arc::new(TriesToTake(rx.clone(), Mutex::default()));
    let mut first = pin!(tx.send_async(1));
    let mut second = Scripted::new(tx.send_async(2));
    let waker = Waker::from(Arc::clone(&taking));
    assert!(
        first
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    second.stays_pending();
    assert!(rx.poison("the end"));
    let heard = std::mem::take(&mut *taking.1.lock().unwrap());
    assert_eq!(heard, [Err(TryRecvError::Poisoned(reason()))]);
    assert_eq!(second.resolves(), Err(SendError::Poisoned(2, reason())));
}

/// It leaves although it has not been told yet, and the one behind it is still found.
#[test]
fn a_sender_may_give_up_while_others_are_told_of_the_poison() {
    struct Drops(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

    impl Wake for Drops {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }

    let tally = Tally::default();
    let (tx, rx) = channel();
    let drops = Arc::new(Drops(Mutex::default()));
    let waker = Waker::from(Arc::clone(&drops));
    let mut first = pin!(tx.send_async(tally.message(1)));
    assert!(
        first
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let (other, message) = (tx.clone(), tally.message(2));
    let mut second = Box::pin(async move { drop(other.send_async(message).await) });
    assert!(
        second
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    let mut third = Scripted::new(tx.send_async(tally.message(3)));
    third.stays_pending();
    *drops.0.lock().unwrap() = Some(second);
    assert!(rx.poison("the end"));
    assert_eq!(tally.dropped(), 1, "the second has given up");
    assert_eq!(third.wakes(), 1);
    assert_eq!(third.resolves().unwrap_err().poison(), Some(&reason()));
}

/// What was sent within credit is for whoever drains the channel, whoever is left.
#[test]
fn what_was_sent_within_credit_can_be_drained() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    rx.grant(3);
    tx.send(tally.message(1)).unwrap();
    tx.send(tally.message(2)).unwrap();
    tx.poison("the end");
    assert_eq!(rx.try_recv().unwrap_err(), TryRecvError::Poisoned(reason()));
    assert_eq!(rx.outstanding().unused, 0);
    assert_eq!(tally.dropped(), 0);
    let first = tx.take_remaining().next().unwrap();
    let second = rx.clone().into_remaining().next().unwrap();
    assert_eq!((first.number, second.number), (1, 2));
    assert!(rx.into_remaining().next().is_none());
}

/// The classic: each process that meets poison poisons its other channels and ends, around a cycle too.
#[test]
fn a_ring_of_processes_ends_by_poison() {
    const PROCESSES: usize = 8;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..PROCESSES).map(|_| channel::<u64>()).unzip();
    let mut successors = senders.clone();
    successors.rotate_left(1);
    let ends = receivers.into_iter().zip(successors);
    let ring: Vec<_> = ends
        .map(|(left, right)| {
            thread::spawn(move || {
                let ended = loop {
                    match left.recv() {
                        Ok(token) => {
                            if let Err(error) = right.send(token + 1) {
                                break error.poison().cloned();
                            }
                        }
                        Err(RecvError::Poisoned(reason)) => break Some(reason),
                        Err(_) => break None,
                    }
                };
                let reason = ended.clone().unwrap();
                left.poison(reason.as_str());
                right.poison(reason.as_str());
                ended
            })
        })
        .collect();
    senders[0].send(0).unwrap();
    senders[PROCESSES / 2].poison("the end");
    for process in ring {
        assert_eq!(join(process), Some(reason()));
    }
}
