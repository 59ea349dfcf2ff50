//! The extended rendezvous: a sender is released only when the one who took its message has finished with it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use handover::{
    channel,
    channel::{Held, RecvError, SendError, SendTimeoutError},
};

use crate::stage::{Message, Peer, SHORT, Scripted, Tally, for_pairings, for_peers, join, until};

for_pairings! {
    fn a_sender_is_released_only_after_the_acceptor_has_finished(sender, receiver) {
        let finished = Arc::new(AtomicBool::new(false));
        let (tx, rx) = channel();
        let sending = thread::spawn({
            let finished = Arc::clone(&finished);
            move || {
                sender.send(&tx, 7).unwrap();
                finished.load(Ordering::SeqCst)
            }
        });
        let finish = |message: &mut u32| {
            for _ in 0..100 {
                thread::yield_now();
            }
            finished.store(true, Ordering::SeqCst);
            *message
        };
        let result = match receiver {
            Peer::Thread => rx.accept(finish),
            _ => receiver.run(rx.accept_async(async |message: &mut u32| {
                std::future::ready(()).await;
                finish(message)
            })),
        };
        assert_eq!(result, Ok(7));
        assert!(join(sending));
    }
}

#[test]
fn a_send_stays_pending_while_its_message_is_held() {
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    let held = rx.recv_held().unwrap();
    assert_eq!(*held, 7);
    assert_eq!(send.wakes(), 0);
    send.stays_pending();
    assert!(send.poll_with_another_waker().is_pending());
    assert!(rx.try_recv().is_err(), "it is not taken twice");
    assert_eq!(held.release(), 7);
    assert_eq!(send.wakes(), 1);
    assert_eq!(send.resolves(), Ok(()));
}

for_peers! {
    fn what_a_panicking_acceptor_left_goes_back_to_the_sender(sender) {
        let tally = Tally::default();
        let (tx, rx) = channel();
        let sending = thread::spawn({
            let message = tally.message(7);
            move || sender.send(&tx, message)
        });
        let panic = catch_unwind(AssertUnwindSafe(|| {
            rx.accept(|message: &mut Message| {
                message.number = 8;
                panic!("the disk is full")
            })
        }));
        assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "the disk is full");
        let error = join(sending).unwrap_err();
        assert!(matches!(&error, SendError::Returned(message) if *message == 8));
        assert_eq!(tally.dropped(), 0);
    }

    fn a_message_that_is_handed_back_fails_its_send(sender) {
        let (tx, rx) = channel();
        let sending = thread::spawn(move || sender.send(&tx, 7));
        assert_eq!(rx.recv_held().unwrap().hand_back(), Ok(()));
        assert_eq!(join(sending), Err(SendError::Returned(7)));
    }

    fn a_doubt_fails_the_send_as_a_doubt(sender) {
        let (tx, rx) = channel();
        let sending = thread::spawn(move || sender.send(&tx, 7));
        assert_eq!(rx.recv_held().unwrap().in_doubt(), Ok(()));
        assert_eq!(join(sending), Err(SendError::InDoubt(7)));
    }

    fn a_released_message_is_the_acceptors(sender) {
        let tally = Tally::default();
        let (tx, rx) = channel();
        let sending = thread::spawn({
            let message = tally.message(7);
            move || sender.send(&tx, message).is_ok()
        });
        let message = rx.recv_held().unwrap().release();
        assert!(join(sending));
        assert_eq!(tally.dropped(), 0);
        assert_eq!(message, 7);
    }
}

#[test]
fn the_acceptor_may_change_the_message_and_take_out_of_it() {
    let (tx, rx) = channel();
    let sending = thread::spawn(move || tx.send(String::from("a relay adds no buffer")));
    assert_eq!(
        rx.accept(std::mem::take),
        Ok(String::from("a relay adds no buffer"))
    );
    assert_eq!(join(sending), Ok(()));
}

#[test]
fn a_timeout_stops_counting_once_the_message_was_accepted() {
    let (tx, rx) = channel();
    let accepting = thread::spawn(move || rx.recv_held().unwrap());
    until(|| tx.is_ready());
    let sending = thread::spawn(move || tx.send_timeout(7, SHORT));
    let held = join(accepting);
    // The deadline is over, and the sender still waits. That it does so in time would be luck.
    thread::sleep(3 * SHORT);
    assert!(!sending.is_finished());
    assert_eq!(held.hand_back(), Ok(()));
    assert_eq!(join(sending), Err(SendTimeoutError::Returned(7)));
}

#[test]
fn an_acceptor_whose_sender_has_gone_keeps_the_message() {
    type Answer = fn(Held<Message>) -> Option<Message>;
    let answers: [Answer; 4] = [
        |held| Some(held.release()),
        |held| held.hand_back().err(),
        |held| held.in_doubt().err(),
        |held| {
            drop(held);
            None
        },
    ];
    for answer in answers {
        let tally = Tally::default();
        let (tx, rx) = channel();
        let mut send = Scripted::new(tx.send_async(tally.message(7)));
        send.stays_pending();
        let held = rx.recv_held().unwrap();
        drop(send);
        assert_eq!(tally.dropped(), 0, "the acceptor has it");
        let kept = answer(held);
        assert_eq!(tally.dropped(), usize::from(kept.is_none()));
        drop(kept);
        assert_eq!(tally.dropped(), 1);
    }
}

#[test]
fn a_panicking_acceptor_whose_sender_has_gone_drops_the_message_once() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_async(tally.message(7)));
    send.stays_pending();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        rx.accept(|_: &mut Message| {
            drop(send);
            panic!("too late")
        })
    }));
    assert!(panic.is_err());
    assert_eq!(tally.dropped(), 1);
}

#[test]
fn an_accept_that_is_dropped_in_the_middle_hands_the_message_back() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_async(tally.message(7)));
    send.stays_pending();
    let mut accept = Scripted::new(rx.accept_async(async |message: &mut Message| {
        message.number = 8;
        std::future::pending::<()>().await;
    }));
    accept.stays_pending();
    send.stays_pending();
    drop(accept);
    let error = send.resolves().unwrap_err();
    assert!(matches!(&error, SendError::Returned(message) if *message == 8));
    assert_eq!(tally.dropped(), 0);
}

#[test]
fn an_accept_that_is_dropped_before_it_accepted_has_taken_nothing() {
    let (tx, rx) = channel();
    let mut accept = Scripted::new(rx.accept_async(async |_: &mut u32| ()));
    accept.stays_pending();
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    assert_eq!(accept.wakes(), 1);
    drop(accept);
    send.stays_pending();
    assert_eq!(rx.try_recv(), Ok(7));
}

#[test]
fn many_messages_may_be_held_at_once_and_answered_in_any_order() {
    const COUNT: u32 = 20;
    let (tx, rx) = channel();
    let sending: Vec<_> = (0..COUNT)
        .map(|number| {
            let tx = tx.clone();
            let peer = if number % 2 == 0 {
                Peer::Thread
            } else {
                Peer::Homemade
            };
            thread::spawn(move || (number, peer.send(&tx, number)))
        })
        .collect();
    let mut held: Vec<_> = (0..COUNT).map(|_| rx.recv_held().unwrap()).collect();
    assert!(sending.iter().all(|sending| !sending.is_finished()));
    held.sort_by_key(|held| **held * 7 % COUNT);
    drop(rx);
    for held in held {
        match *held % 3 {
            0 => assert!(held.release() < COUNT),
            1 => assert_eq!(held.hand_back(), Ok(())),
            _ => assert_eq!(held.in_doubt(), Ok(())),
        }
    }
    for sending in sending {
        match join(sending) {
            (number, Ok(())) => assert_eq!(number % 3, 0),
            (number, Err(SendError::Returned(back))) => assert_eq!((number, number % 3), (back, 1)),
            (number, Err(error)) => {
                assert_eq!(error, SendError::InDoubt(number));
                assert_eq!(number % 3, 2);
            }
        }
    }
}

#[test]
fn a_held_message_may_be_answered_on_another_thread() {
    let (tx, rx) = channel();
    let sending = thread::spawn(move || tx.send(7));
    let held = rx.recv_held().unwrap();
    assert_eq!(join(thread::spawn(move || held.release())), 7);
    assert_eq!(join(sending), Ok(()));
}

#[test]
fn a_held_message_outlives_every_end_of_its_channel() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_async(tally.message(7)));
    send.stays_pending();
    let held = rx.recv_held().unwrap();
    drop(rx);
    drop(send);
    drop(tx);
    assert_eq!(held.release(), 7);
    assert_eq!(tally.dropped(), 1);
}

#[test]
fn a_held_send_from_does_not_put_the_message_back() {
    let (tx, rx) = channel();
    let mut home = Some(7);
    let mut send = Scripted::new(tx.send_from(&mut home));
    send.stays_pending();
    let held = rx.recv_held().unwrap();
    drop(send);
    assert_eq!(home, None, "the acceptor has it, and may release it");
    assert_eq!(held.hand_back(), Err(7));
}

#[test]
fn send_from_has_at_home_what_was_handed_back_and_what_is_in_doubt() {
    let (tx, rx) = channel();
    let mut home = Some(7);
    let mut send = Scripted::new(tx.send_from(&mut home));
    send.stays_pending();
    drop(rx.recv_held());
    assert_eq!(send.resolves(), Err(SendError::Returned(())));
    drop(send);
    assert_eq!(home, Some(7));

    let mut send = Scripted::new(tx.send_from(&mut home));
    send.stays_pending();
    assert_eq!(rx.recv_held().unwrap().in_doubt(), Ok(()));
    assert_eq!(send.resolves(), Err(SendError::InDoubt(())));
    drop(send);
    assert_eq!(home, Some(7));
}

#[test]
fn a_doubt_that_nobody_heard_is_not_put_back_as_certain() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut home = Some(tally.message(7));
    let mut send = Scripted::new(tx.send_from(&mut home));
    send.stays_pending();
    assert!(rx.recv_held().unwrap().in_doubt().is_ok());
    drop(send);
    assert!(home.is_none());
    assert_eq!(tally.dropped(), 1);
}

#[test]
fn an_acceptor_waits_beside_receivers_and_is_woken_as_they_are() {
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    let mut hold = Scripted::new(rx.recv_held_async());
    receive.stays_pending();
    hold.stays_pending();
    let mut first = Scripted::new(tx.send_async(1));
    let mut second = Scripted::new(tx.send_async(2));
    first.stays_pending();
    second.stays_pending();
    assert_eq!((receive.wakes(), hold.wakes()), (1, 1));
    let held = hold.resolves().unwrap();
    assert_eq!(receive.resolves(), Ok(2));
    assert_eq!(second.resolves(), Ok(()));
    first.stays_pending();
    assert_eq!(held.release(), 1);
    assert_eq!(first.resolves(), Ok(()));
}

#[test]
fn an_acceptor_hears_that_every_sender_has_gone() {
    let (tx, rx) = channel::<u32>();
    let mut accept = Scripted::new(rx.accept_async(async |_: &mut u32| ()));
    accept.stays_pending();
    drop(tx);
    assert_eq!(accept.resolves(), Err(RecvError::Disconnected));
    assert_eq!(rx.accept(|_| ()), Err(RecvError::Disconnected));
}

#[test]
fn a_held_message_shows_itself() {
    let (tx, rx) = channel();
    let sending = thread::spawn(move || tx.send_timeout(7, Duration::MAX));
    let mut held = rx.recv_held().unwrap();
    *held += 1;
    assert_eq!(format!("{held:?}"), "Held(8)");
    assert_eq!(held.release(), 8);
    assert_eq!(join(sending), Ok(()));
}
