//! Timeouts and deadlines: what timed out had no effect and will have none.

use std::{
    thread,
    time::{Duration, Instant},
};

use handover::{
    channel,
    channel::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError},
};

use crate::stage::{Peer, SHORT, Scripted, Tally, for_peers, join, until};

#[test]
fn a_send_that_timed_out_has_its_message_back_and_is_never_delivered() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let begun = Instant::now();
    let error = tx.send_timeout(tally.message(7), SHORT).unwrap_err();
    assert!(begun.elapsed() >= SHORT);
    assert!(error.is_timeout());
    assert_eq!(rx.try_recv().unwrap_err(), TryRecvError::Empty);
    assert_eq!(tally.dropped(), 0, "the error has it");
    assert_eq!(error.into_inner(), 7);
}

#[test]
fn a_receive_that_timed_out_takes_nothing_later() {
    let (tx, rx) = channel();
    let begun = Instant::now();
    assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
    assert!(begun.elapsed() >= SHORT);
    assert!(!tx.is_ready());
    assert_eq!(tx.try_send(7).map_err(TrySendError::into_inner), Err(7));
}

#[test]
fn a_deadline_that_has_passed_still_meets_who_waits_already() {
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    assert_eq!(rx.recv_deadline(Instant::now()), Ok(7));
    let receiving = thread::spawn(move || rx.recv());
    until(|| tx.is_ready());
    assert_eq!(tx.send_timeout(8, Duration::ZERO), Ok(()));
    assert_eq!(join(receiving), Ok(8));
}

#[test]
fn a_timeout_beyond_the_clock_waits_for_ever() {
    let (tx, rx) = channel();
    let receiving = thread::spawn(move || rx.recv_timeout(Duration::MAX));
    until(|| tx.is_ready());
    assert_eq!(tx.send_timeout(7, Duration::MAX), Ok(()));
    assert_eq!(join(receiving), Ok(7));
}

#[test]
fn a_woken_future_whose_sender_timed_out_waits_on() {
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    assert_eq!(tx.send_timeout(1, SHORT), Err(SendTimeoutError::Timeout(1)));
    assert_eq!(receive.wakes(), 1);
    receive.stays_pending();
    let mut send = Scripted::new(tx.send_async(2));
    send.stays_pending();
    assert_eq!(receive.wakes(), 2);
    assert_eq!(receive.resolves(), Ok(2));
}

#[test]
fn a_timeout_among_waiting_senders_disturbs_nobody() {
    let (tx, rx) = channel();
    let mut first = Scripted::new(tx.send_async(1));
    first.stays_pending();
    let middle = tx.send_timeout(2, SHORT);
    let mut last = Scripted::new(tx.send_async(3));
    last.stays_pending();
    assert!(middle.is_err());
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 3]);
}

for_peers! {
    fn a_message_is_taken_or_times_out_and_never_both(sender) {
        const ROUNDS: u32 = 300;
        let tally = Tally::default();
        let (tx, rx) = channel();
        let sending = thread::spawn({
            let tally = tally.clone();
            move || {
                for number in 0..ROUNDS {
                    sender.send(&tx, tally.message(number)).unwrap();
                }
            }
        });
        let mut next = 0;
        loop {
            // Short enough that the timeout and the meeting compete.
            match rx.recv_timeout(Duration::from_micros(u64::from(next % 40))) {
                Ok(message) => {
                    assert_eq!(message, next);
                    next += 1;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(_) => break,
            }
        }
        assert_eq!(next, ROUNDS);
        join(sending);
        assert_eq!(tally.dropped(), ROUNDS as usize);
    }

    fn a_send_times_out_or_is_taken_and_never_both(receiver) {
        const ROUNDS: u32 = 300;
        let (tx, rx) = channel();
        let receiving = thread::spawn(move || {
            let mut numbers = Vec::new();
            while let Ok(number) = receiver.recv(&rx) {
                numbers.push(number);
            }
            numbers
        });
        let sent: Vec<u32> = (0..ROUNDS)
            .filter(|number| {
                tx.send_timeout(*number, Duration::from_micros(u64::from(number % 40))).is_ok()
            })
            .collect();
        drop(tx);
        assert_eq!(join(receiving), sent);
    }
}

#[test]
fn a_tokio_timeout_around_a_receive_leaves_the_message_with_its_sender() {
    Peer::TokioCurrentThread.run(async {
        let (tx, rx) = channel();
        assert!(tokio::time::timeout(SHORT, rx.recv_async()).await.is_err());
        let mut send = Scripted::new(tx.send_async(7));
        send.stays_pending();
        assert_eq!(rx.recv_async().await, Ok(7));
        assert_eq!(send.resolves(), Ok(()));
    });
}

#[test]
fn a_tokio_timeout_around_send_from_puts_the_message_back() {
    Peer::TokioMultiThread.run(async {
        let (tx, rx) = channel();
        let mut home = Some(7);
        assert!(
            tokio::time::timeout(SHORT, tx.send_from(&mut home))
                .await
                .is_err()
        );
        assert_eq!(home, Some(7));
        let receiving = tokio::spawn(async move { rx.recv_async().await });
        assert_eq!(tx.send_from(&mut home).await, Ok(()));
        assert_eq!(home, None);
        assert_eq!(receiving.await.unwrap(), Ok(7));
    });
}
