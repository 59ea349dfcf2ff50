//! What the standard library checks of `sync_channel(0)`, with the difference that here both ends can be cloned.

use std::{thread, time::Duration};

use handover::{
    channel,
    channel::{RecvTimeoutError, SendError, TryRecvError, TrySendError},
};

use crate::{
    blocked_in_recv, blocked_in_send, blocked_in_sends,
    stage::{SHORT, Tally, join, until},
};

#[test]
fn a_oneshot_between_threads_in_either_order() {
    for sender_first in [true, false] {
        let (tx, rx) = channel::<Box<u32>>();
        if sender_first {
            let sending = blocked_in_send(&rx, move || tx.send(Box::new(10)));
            assert_eq!(*rx.recv().unwrap(), 10);
            join(sending).unwrap();
        } else {
            let receiving = blocked_in_recv(&tx, move || rx.recv());
            tx.send(Box::new(10)).unwrap();
            assert_eq!(*join(receiving).unwrap(), 10);
        }
    }
}

#[test]
fn either_end_may_go_first_with_nothing_sent() {
    let (tx, rx) = channel::<u32>();
    drop(rx);
    drop(tx);
    let (tx, rx) = channel::<u32>();
    drop(tx);
    drop(rx);
    for _ in 0..50 {
        let (tx, rx) = channel::<u32>();
        let going = thread::spawn(move || drop(rx));
        drop(tx);
        join(going);
    }
}

#[test]
fn one_end_may_go_while_the_other_is_about_to_use_it() {
    for _ in 0..200 {
        let (tx, rx) = channel::<u32>();
        let going = thread::spawn(move || drop(tx));
        assert!(rx.recv().is_err());
        join(going);

        let (tx, rx) = channel::<u32>();
        let going = thread::spawn(move || drop(rx));
        assert!(tx.send(1).is_err());
        join(going);
    }
}

#[test]
fn every_blocked_sender_hears_that_the_receiver_has_gone() {
    let (tx, rx) = channel::<u32>();
    let sends = (0..4).map(|number| {
        let tx = tx.clone();
        move || tx.send(number).map_err(SendError::into_inner)
    });
    let threads = blocked_in_sends(&rx, sends.collect());
    drop(rx);
    for (number, thread) in (0..).zip(threads) {
        assert_eq!(join(thread), Err(number));
    }
}

/// A message on its way to a receiver that has gone is not lost with it.
#[test]
fn a_send_that_meets_nobody_keeps_the_message_alive() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let message = tally.message(1);
    let sending = blocked_in_send(&rx, move || tx.send(message));
    drop(rx);
    let error = join(sending).unwrap_err();
    assert_eq!(tally.dropped(), 0);
    drop(error);
    assert_eq!(tally.dropped(), 1);
}

#[test]
fn tries_go_through_their_states() {
    let (tx, rx) = channel::<u32>();
    let (go, gone) = channel::<()>();
    let sending = thread::spawn(move || {
        gone.recv().unwrap();
        tx.send(1).unwrap();
        gone.recv().unwrap();
    });
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    go.send(()).unwrap();
    until(|| rx.try_recv() == Ok(1));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    go.send(()).unwrap();
    join(sending);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn a_try_send_is_refused_until_a_thread_waits() {
    let (tx, rx) = channel::<u32>();
    assert!(matches!(tx.try_send(1), Err(TrySendError::Full(1))));
    let receiving = thread::spawn(move || rx.recv());
    until(|| tx.try_send(2).is_ok());
    assert_eq!(join(receiving).unwrap(), 2);
    assert!(matches!(tx.try_send(3), Err(TrySendError::Disconnected(3))));
}

#[test]
fn a_receive_in_the_loop_over_the_same_channel() {
    let (tx, rx) = channel::<u32>();
    let (pairs, paired) = channel();
    let pairing = thread::spawn(move || {
        for first in &rx {
            let Ok(second) = rx.recv() else { break };
            pairs.send(first + second).unwrap();
        }
    });
    let sending = thread::spawn(move || (0..10).for_each(|number| tx.send(number).unwrap()));
    assert!(paired.iter().eq([1, 5, 9, 13, 17]));
    join(sending);
    join(pairing);
}

#[test]
fn a_loop_that_is_left_early_leaves_the_rest_with_the_sender() {
    let (tx, rx) = channel::<u32>();
    let sending = thread::spawn(move || {
        (0..10)
            .take_while(|number| tx.send(*number).is_ok())
            .count()
    });
    for number in &rx {
        if number == 3 {
            break;
        }
    }
    assert_eq!(rx.recv().unwrap(), 4);
    drop(rx);
    assert_eq!(join(sending), 5);
}

#[test]
fn many_senders_and_a_receiver_with_a_deadline() {
    const SENDERS: usize = 4;
    const EACH: usize = 250;
    let (tx, rx) = channel::<usize>();
    let threads: Vec<_> = (0..SENDERS)
        .map(|_| {
            let tx = tx.clone();
            thread::spawn(move || (0..EACH).for_each(|number| tx.send(number).unwrap()))
        })
        .collect();
    drop(tx);
    let mut received = 0;
    loop {
        match rx.recv_timeout(Duration::from_micros(20)) {
            Ok(_) => received += 1,
            Err(RecvTimeoutError::Timeout) => {}
            Err(_) => break,
        }
    }
    assert_eq!(received, SENDERS * EACH);
    threads.into_iter().for_each(join);
}

#[test]
fn a_deadline_of_no_time_at_all_takes_what_is_offered() {
    let (tx, rx) = channel::<u32>();
    let sending = blocked_in_send(&rx, move || tx.send(1));
    assert_eq!(rx.recv_timeout(Duration::ZERO), Ok(1));
    join(sending).unwrap();
}

#[test]
fn the_ends_say_what_they_are_and_the_errors_what_went_wrong() {
    let (tx, rx) = channel::<Vec<()>>();
    assert!(format!("{tx:?} {rx:?}").contains("Sender"));
    drop(rx);
    let error = tx.send(Vec::new()).unwrap_err();
    assert!(error.to_string().contains("every receiver is gone"));
    assert!(format!("{error:?}").contains("Disconnected"));
}
