//! A sender and a receiver meet, whoever they are and whatever the message is.

use std::thread;

use handover::{Sender, channel};

use crate::stage::{Peer, Scripted, Tally, for_pairings, for_peers, join, until};

/// Enough that both orders of arrival, and parking on both sides, occur.
const ROUNDS: u32 = 200;

for_pairings! {
    fn each_message_arrives_once_and_in_order(sender, receiver) {
        let tally = Tally::default();
        let (tx, rx) = channel();
        let sending = thread::spawn({
            let tally = tally.clone();
            move || (0..ROUNDS).try_for_each(|number| sender.send(&tx, tally.message(number)))
        });
        for number in 0..ROUNDS {
            assert_eq!(receiver.recv(&rx).unwrap(), number);
        }
        assert!(receiver.recv(&rx).is_err());
        join(sending).unwrap();
        assert_eq!(tally.dropped(), ROUNDS as usize);
    }

    fn many_senders_and_many_receivers_share_a_channel(sender, receiver) {
        const EACH: u32 = 50;
        let tally = Tally::default();
        let (tx, rx) = channel();
        let sending: Vec<_> = (0..3)
            .map(|place| {
                let (tx, tally) = (tx.clone(), tally.clone());
                thread::spawn(move || {
                    for number in 0..EACH {
                        sender.send(&tx, tally.message(place * EACH + number)).unwrap();
                    }
                })
            })
            .collect();
        let receiving: Vec<_> = (0..3)
            .map(|_| {
                let rx = rx.clone();
                thread::spawn(move || {
                    let mut numbers = Vec::new();
                    while let Ok(message) = receiver.recv(&rx) {
                        numbers.push(message.number);
                    }
                    numbers
                })
            })
            .collect();
        drop((tx, rx));
        sending.into_iter().for_each(join);
        let mut numbers: Vec<_> = receiving.into_iter().flat_map(join).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..3 * EACH).collect::<Vec<_>>());
        assert_eq!(tally.dropped(), numbers.len());
    }
}

for_peers! {
    fn a_message_without_size_is_handed_over(peer) {
        let (tx, rx) = channel::<()>();
        let sending = thread::spawn(move || (0..ROUNDS).try_for_each(|_| peer.send(&tx, ())));
        let mut received = 0;
        while peer.recv(&rx).is_ok() {
            received += 1;
        }
        assert_eq!(received, ROUNDS);
        join(sending).unwrap();
    }

    fn a_large_message_arrives_whole(peer) {
        let (tx, rx) = channel::<[u64; 4096]>();
        let sending = thread::spawn(move || {
            (0..8).try_for_each(|number| peer.send(&tx, std::array::from_fn(|place| number ^ place as u64)))
        });
        for number in 0..8 {
            let message = peer.recv(&rx).unwrap();
            assert!((0..).zip(message).all(|(place, word)| word == number ^ place));
        }
        join(sending).unwrap();
    }

    fn a_message_may_borrow(peer) {
        let text = String::from("a line that outlives the channel");
        let (tx, rx) = channel::<&str>();
        thread::scope(|scope| {
            scope.spawn(|| peer.send(&tx, &text).unwrap());
            assert_eq!(peer.recv(&rx), Ok(&*text));
        });
    }
}

#[test]
fn a_send_does_not_complete_before_its_message_is_taken() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_async(tally.message(7)));
    for _ in 0..3 {
        send.stays_pending();
    }
    assert_eq!(send.wakes(), 0);
    assert_eq!(rx.try_recv().unwrap(), 7);
    assert_eq!(send.wakes(), 1);
    assert!(send.resolves().is_ok());
}

#[test]
fn a_receive_future_is_woken_and_takes_in_its_own_poll() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut send = Scripted::new(tx.send_async(tally.message(7)));
    send.stays_pending();
    assert_eq!(receive.wakes(), 1);
    send.stays_pending();
    assert_eq!(receive.resolves().unwrap(), 7);
    assert_eq!(send.wakes(), 1);
    assert!(send.resolves().is_ok());
}

#[test]
fn senders_that_wait_are_served_in_the_order_in_which_they_came() {
    let (tx, rx) = channel();
    let mut sends: Vec<_> = (0..5)
        .map(|number| Scripted::new(tx.send_async(number)))
        .collect();
    sends.iter_mut().for_each(Scripted::stays_pending);
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(sends.iter_mut().all(|send| send.resolves().is_ok()));
}

#[test]
fn as_many_receives_are_woken_as_there_are_senders() {
    let (tx, rx) = channel();
    let mut receives: Vec<_> = (0..3).map(|_| Scripted::new(rx.recv_async())).collect();
    receives.iter_mut().for_each(Scripted::stays_pending);
    let mut sends: Vec<_> = (0..2)
        .map(|number| Scripted::new(tx.send_async(number)))
        .collect();
    sends.iter_mut().for_each(Scripted::stays_pending);
    let wakes: Vec<_> = receives.iter().map(Scripted::wakes).collect();
    assert_eq!(wakes, [1, 1, 0]);
    assert_eq!(receives[0].resolves(), Ok(0));
    assert_eq!(receives[1].resolves(), Ok(1));
}

#[test]
fn a_woken_receive_that_comes_too_late_keeps_its_place() {
    let (tx, rx) = channel();
    let mut first = Scripted::new(rx.recv_async());
    let mut second = Scripted::new(rx.recv_async());
    first.stays_pending();
    second.stays_pending();
    let mut send = Scripted::new(tx.send_async(1));
    send.stays_pending();
    assert_eq!(rx.try_recv(), Ok(1));
    first.stays_pending();
    let mut send = Scripted::new(tx.send_async(2));
    send.stays_pending();
    assert_eq!((first.wakes(), second.wakes()), (2, 0));
    assert_eq!(first.resolves(), Ok(2));
}

#[test]
fn the_newest_waker_is_the_one_that_is_called() {
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    assert!(receive.poll_with_another_waker().is_pending());
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    assert_eq!(receive.wakes(), 1);
    assert!(send.poll_with_another_waker().is_pending());
    assert_eq!(receive.resolves(), Ok(7));
    assert_eq!(send.wakes(), 1);
}

#[test]
fn ends_can_be_told_apart_and_shown() {
    let (tx, rx) = channel::<u8>();
    let (other_tx, other_rx) = channel::<u8>();
    assert!(tx.same_channel(&tx.clone()) && rx.same_channel(&rx.clone()));
    assert!(!tx.same_channel(&other_tx) && !rx.same_channel(&other_rx));
    assert_eq!(format!("{tx:?} {rx:?}"), "Sender { .. } Receiver { .. }");
}

#[test]
fn a_thread_is_met_while_a_task_waits_behind_it() {
    let (tx, rx) = channel();
    let mut task = Scripted::new(rx.recv_async());
    task.stays_pending();
    let thread = thread::spawn({
        let rx = rx.clone();
        move || rx.recv()
    });
    // The thread is met by a send that would never succeed against the future alone.
    until(|| tx.try_send(7).is_ok());
    assert_eq!(join(thread), Ok(7));
    task.stays_pending();
}

#[test]
fn a_channel_end_may_itself_be_a_message() {
    let (tx, rx) = channel::<Sender<u32>>();
    let asking = thread::spawn(move || {
        let (answer, answers) = channel();
        tx.send(answer).unwrap();
        answers.recv()
    });
    rx.recv().unwrap().send(42).unwrap();
    assert_eq!(join(asking), Ok(42));
}
