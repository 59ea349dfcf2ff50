//! Timers: as guards, and as the end of a task's patience. A message that races with one is with its sender or with
//! its receiver.
//!
//! Under loom an instant has come once somebody has waited for it, so each timer races with the meeting itself; and
//! among several guards that can meet the first is taken, so that the order in which they stand decides.

use std::time::{Duration, Instant};

use handover::{
    channel::{RecvTimeoutError, Select, channel, tick},
    select, select_async,
};

use crate::peers::{Message, Peer, block_on, explore, pairings, peers, thread};

const SOON: Duration = Duration::from_millis(1);

/// An alternation written once, for a thread and for a task.
macro_rules! alternate {
    ($peer:expr, $($arms:tt)*) => {
        match $peer {
            Peer::Thread => select! { $($arms)* },
            Peer::Task => block_on(async { select_async! { $($arms)* } }),
        }
    };
}

peers! {
    fn a_timer_alone_comes(peer) {
        let begun = Instant::now();
        let due = alternate! { peer,
            at(begun) -> _, if false => None,
            after(SOON) -> due => Some(due),
        };
        assert!(due.is_some_and(|due| due > begun));
    }

    fn a_tick_is_met_once_by_one_of_two(peer) {
        let ticker = std::sync::Arc::new(tick(SOON));
        let other = std::sync::Arc::clone(&ticker);
        let waiting = thread::spawn(move || select! { tick(other) -> due => due });
        let here = alternate! { peer, tick(ticker) -> due => due };
        assert_ne!(here, waiting.join().unwrap());
    }
}

pairings! { explore:
    fn a_receive_guard_before_a_timer_loses_no_message(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = alternate! { receiver,
            recv(rx) -> message => message.ok(),
            after(SOON) => None,
        };
        drop(rx);
        let sent = sending.join().unwrap();
        assert_eq!(sent.is_ok(), received.is_some());
    }

    fn a_receive_guard_after_a_timer_loses_no_message(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = alternate! { receiver,
            after(SOON) => None,
            recv(rx) -> message => message.ok(),
        };
        drop(rx);
        let sent = sending.join().unwrap();
        assert_eq!(sent.is_ok(), received.is_some());
    }

    fn a_send_guard_beside_a_timer_is_home_or_taken(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || receiver.recv(&rx));
        let mut home = Some(Box::new(7));
        let sent = alternate! { sender,
            after(SOON) => false,
            send(tx, &mut home) -> sent => sent.is_ok(),
        };
        drop(tx);
        let received = receiving.join().unwrap();
        assert_eq!((sent, home.is_none()), (received.is_ok(), received.is_ok()));
    }

    fn two_alternations_with_timers_agree_on_whether_they_met(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || alternate! { receiver,
            after(SOON) => None,
            recv(rx) -> message => message.ok(),
        });
        let mut home = Some(Box::new(7));
        let sent = alternate! { sender,
            send(tx, &mut home) -> sent => sent.is_ok(),
            after(SOON) => false,
        };
        drop(tx);
        let received = receiving.join().unwrap();
        assert_eq!((sent, home.is_none()), (received.is_some(), received.is_some()));
    }

    fn an_alternation_and_a_plain_operation_that_time_out_agree(sender, receiver) {
        let (tx, rx) = channel::<Message>();
        let (_idle, nothing) = channel::<Message>();
        let sending = thread::spawn(move || match sender {
            Peer::Thread => tx.send_timeout(Box::new(7), SOON),
            Peer::Task => block_on(tx.send_timeout_async(Box::new(7), SOON)),
        });
        let received = alternate! { receiver,
            recv(nothing) -> _ => panic!("nobody sends here"),
            recv(rx) -> message => message.ok(),
        };
        let sent = sending.join().unwrap();
        assert_eq!(sent.is_ok(), received.is_some());
        if let Err(error) = sent {
            assert_eq!(*error.into_inner(), 7);
        }
    }
}

peers! {
    fn a_timed_send_of_a_task_that_timed_out_is_never_delivered(receiver) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || receiver.recv(&rx));
        let sent = block_on(tx.send_timeout_async(Box::new(7), SOON));
        drop(tx);
        let received = receiving.join().unwrap();
        assert_eq!(sent.is_ok(), received.is_ok());
        if let Err(error) = sent {
            assert!(error.is_timeout());
            assert_eq!(*error.into_inner(), 7);
        }
    }

    fn a_timed_send_from_of_a_task_is_home_or_taken(receiver) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || receiver.recv(&rx));
        let mut home = Some(Box::new(7));
        let sent = block_on(tx.send_timeout_from(&mut home, SOON));
        drop(tx);
        let received = receiving.join().unwrap();
        assert_eq!(
            (sent.is_ok(), home.is_none()),
            (received.is_ok(), received.is_ok())
        );
    }

    fn a_timed_receive_of_a_task_that_timed_out_took_nothing(sender) {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = block_on(rx.recv_timeout_async(SOON));
        drop(rx);
        let sent = sending.join().unwrap();
        assert_eq!(sent.is_ok(), received.is_ok());
    }

    /// The acceptor alone ends the wait, however late it answers.
    fn a_timed_send_that_was_accepted_waits_for_its_answer(receiver) {
        let (tx, rx) = channel::<Message>();
        let receiving = thread::spawn(move || {
            receiver.recv_held(&rx).map(|held| *held.release()).ok()
        });
        let sent = block_on(tx.send_timeout_async(Box::new(7), SOON));
        drop(tx);
        assert_eq!(receiving.join().unwrap(), sent.is_ok().then_some(7));
    }

    /// A task that was woken for a sender and whose time is up leaves the sender to another.
    fn a_timed_receive_passes_its_wake_up_on(sender) {
        let (tx, rx) = channel::<Message>();
        let other = rx.clone();
        let timed = thread::spawn(move || block_on(rx.recv_timeout_async(SOON)));
        let sending = thread::spawn(move || sender.send(&tx, Box::new(7)));
        let received = block_on(other.recv_async());
        let took = timed.join().unwrap();
        assert_eq!(took.is_ok(), received.is_err(), "one of the two has it");
        assert_eq!(sending.join().unwrap(), Ok(()));
    }
}

#[test]
fn two_timed_tasks_agree_on_whether_they_met() {
    explore("two_timed_tasks_agree_on_whether_they_met", || {
        let (tx, rx) = channel::<Message>();
        let sending =
            thread::spawn(move || block_on(tx.send_timeout_async(Box::new(7), SOON)).is_ok());
        let received = block_on(rx.recv_timeout_async(SOON));
        let sent = sending.join().unwrap();
        assert_eq!(sent, received.is_ok());
        assert!(sent || received == Err(RecvTimeoutError::Timeout) || received.is_err());
    });
}

#[test]
fn a_select_known_at_run_time_with_a_timer_loses_no_message() {
    explore("a_select_known_at_run_time_with_a_timer", || {
        let (tx, rx) = channel::<Message>();
        let sending = thread::spawn(move || {
            let mut home = Some(Box::new(7));
            let sent = Select::new()
                .send(&tx, &mut home, |sent| sent.is_ok())
                .after(SOON, |_| false)
                .block();
            assert_eq!(sent, home.is_none());
            sent
        });
        let received = block_on(
            Select::new()
                .after(SOON, |_| None)
                .recv(&rx, Result::ok)
                .wait(),
        );
        drop(rx);
        assert_eq!(sending.join().unwrap(), received.is_some());
    });
}
