//! Sends and receives of tasks that give up in time, on each executor: what timed out had no effect and will have
//! none.

use std::{
    thread,
    time::{Duration, Instant},
};

use handover::{
    channel,
    channel::{RecvTimeoutError, SendTimeoutError, TryRecvError},
};

use crate::stage::{PATIENCE, Peer, SHORT, Scripted, Tally, homemade_block_on, join, until};

const TASKS: [Peer; 3] = [
    Peer::TokioCurrentThread,
    Peer::TokioMultiThread,
    Peer::Homemade,
];

#[test]
fn a_send_that_timed_out_has_its_message_back_and_is_never_delivered() {
    for task in TASKS {
        let tally = Tally::default();
        let (tx, rx) = channel();
        let begun = Instant::now();
        let error = task
            .run(tx.send_timeout_async(tally.message(7), SHORT))
            .unwrap_err();
        assert!(begun.elapsed() >= SHORT);
        assert!(error.is_timeout());
        assert_eq!(rx.try_recv().unwrap_err(), TryRecvError::Empty);
        assert_eq!(tally.dropped(), 0, "the error has it");
        assert_eq!(error.into_inner(), 7);
        let deadline = Instant::now() + SHORT;
        let error = task.run(tx.send_deadline_async(tally.message(8), deadline));
        assert!(error.unwrap_err().is_timeout() && Instant::now() >= deadline);
    }
}

#[test]
fn a_receive_that_timed_out_takes_nothing_later() {
    for task in TASKS {
        let (tx, rx) = channel();
        let begun = Instant::now();
        let received = task.run(rx.recv_timeout_async(SHORT));
        assert_eq!(received, Err(RecvTimeoutError::Timeout));
        assert!(begun.elapsed() >= SHORT);
        assert!(!tx.is_ready());
        assert_eq!(tx.try_send(7).unwrap_err().into_inner(), 7);
        let deadline = Instant::now() + SHORT;
        let received = task.run(rx.recv_deadline_async(deadline));
        assert_eq!(received, Err(RecvTimeoutError::Timeout));
        assert!(Instant::now() >= deadline);
    }
}

#[test]
fn what_is_in_time_is_met() {
    for task in TASKS {
        let (tx, rx) = channel();
        let receiving = thread::spawn(move || (rx.recv(), rx));
        assert_eq!(task.run(tx.send_timeout_async(7, PATIENCE)), Ok(()));
        let (received, rx) = join(receiving);
        assert_eq!(received, Ok(7));
        let sending = thread::spawn(move || tx.send(8));
        assert_eq!(task.run(rx.recv_timeout_async(PATIENCE)), Ok(8));
        join(sending).unwrap();
    }
}

#[test]
fn a_deadline_that_has_passed_still_meets_who_waits_already() {
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    let mut receive = Scripted::new(rx.recv_deadline_async(Instant::now()));
    assert_eq!(receive.resolves(), Ok(7));
    drop(receive);
    let receiving = thread::spawn(move || rx.recv());
    until(|| tx.is_ready());
    let mut send = Scripted::new(tx.send_timeout_async(8, Duration::ZERO));
    assert_eq!(send.resolves(), Ok(()));
    assert_eq!(join(receiving), Ok(8));
}

#[test]
fn a_timeout_beyond_the_clock_waits_for_ever() {
    let (tx, rx) = channel();
    let receiving = thread::spawn(move || homemade_block_on(rx.recv_timeout_async(Duration::MAX)));
    until(|| tx.is_ready());
    let sent = homemade_block_on(tx.send_timeout_async(7, Duration::MAX));
    assert_eq!(sent, Ok(()));
    assert_eq!(join(receiving), Ok(7));
}

#[test]
fn a_closed_channel_is_told_at_once() {
    let (tx, rx) = channel();
    drop(rx);
    let sent = homemade_block_on(tx.send_timeout_async(7, PATIENCE));
    assert_eq!(sent, Err(SendTimeoutError::Disconnected(7)));
    let (tx, rx) = channel::<u32>();
    drop(tx);
    let received = homemade_block_on(rx.recv_timeout_async(PATIENCE));
    assert_eq!(received, Err(RecvTimeoutError::Disconnected));
}

#[test]
fn once_accepted_a_send_is_ended_by_its_acceptor_alone() {
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_timeout_async(7, SHORT));
    send.stays_pending();
    let held = rx.recv_held().unwrap();
    let accepted = Instant::now();
    until(|| accepted.elapsed() > 2 * SHORT);
    send.stays_pending();
    assert_eq!(held.release(), 7);
    assert_eq!(send.resolves(), Ok(()));
    let mut send = Scripted::new(tx.send_timeout_async(8, SHORT));
    send.stays_pending();
    let held = rx.recv_held().unwrap();
    until(|| send.wakes() > 0);
    send.stays_pending();
    held.hand_back().unwrap();
    assert_eq!(send.resolves(), Err(SendTimeoutError::Returned(8)));
}

#[test]
fn a_timed_out_receive_that_was_woken_wakes_another_in_its_place() {
    let (tx, rx) = channel();
    let mut timed = Scripted::new(rx.recv_timeout_async(SHORT));
    timed.stays_pending();
    let mut other = Scripted::new(rx.recv_async());
    other.stays_pending();
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    assert_eq!(timed.wakes(), 1, "it was first");
    drop(timed);
    assert_eq!(other.wakes(), 1);
    assert_eq!(other.resolves(), Ok(7));
    assert_eq!(send.resolves(), Ok(()));
}

#[test]
fn a_dropped_timed_send_from_puts_the_message_back_if_it_was_not_taken() {
    let (tx, rx) = channel();
    let mut home = Some(7);
    let mut send = Scripted::new(tx.send_timeout_from(&mut home, PATIENCE));
    send.stays_pending();
    drop(send);
    assert_eq!(home, Some(7));
    let timed_out = homemade_block_on(tx.send_deadline_from(&mut home, Instant::now()));
    assert!(timed_out.unwrap_err().is_timeout());
    assert_eq!(home, Some(7));
    let mut send = Scripted::new(tx.send_timeout_from(&mut home, PATIENCE));
    send.stays_pending();
    assert_eq!(rx.try_recv(), Ok(7));
    assert_eq!(send.resolves(), Ok(()));
    drop(send);
    assert_eq!(home, None);
    let nothing = homemade_block_on(tx.send_timeout_from(&mut home, PATIENCE));
    assert_eq!(nothing, Ok(()));
}

#[test]
fn a_withdrawn_timed_send_gives_its_message_back() {
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_timeout_async(7, PATIENCE));
    send.stays_pending();
    assert_eq!(send.future().withdraw(), Some(7));
    assert!(rx.try_recv().is_err());
}

/// Each message is with its sender or its receiver, whatever the timeouts do.
#[test]
fn timeouts_on_both_sides_lose_no_message() {
    const ROUNDS: u32 = 300;
    for (sender, receiver) in TASKS.into_iter().zip([TASKS[2], TASKS[0], TASKS[1]]) {
        let (tx, rx) = channel();
        let sending = thread::spawn(move || {
            sender.run(async {
                let mut turn = 0;
                for number in 0..ROUNDS {
                    let mut home = Some(number);
                    while home.is_some() {
                        turn += 1;
                        let timeout = Duration::from_micros(turn % 170);
                        let sent = tx.send_timeout_from(&mut home, timeout).await;
                        assert_eq!(sent.is_ok(), home.is_none());
                    }
                }
            });
        });
        let received = receiver.run(async {
            let (mut received, mut turn) = (Vec::new(), 0);
            loop {
                turn += 1;
                match rx
                    .recv_timeout_async(Duration::from_micros(turn % 200))
                    .await
                {
                    Ok(number) => received.push(number),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(_) => break received,
                }
            }
        });
        assert!(received.into_iter().eq(0..ROUNDS), "each once, in order");
        join(sending);
    }
}
