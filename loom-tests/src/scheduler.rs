//! Tasks of a scheduler of ours: woken from elsewhere, asleep, seen from outside, outlived by what they have lent.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use futures_core::Stream;
use handover::{
    Receiver,
    channel::{RecvStream, channel, free_receivers, own},
    rehearsal::{Isle, Stage},
};

use crate::peers::{Message, block_on, explore, explore_crowd, poll_once, thread};

/// How many threads run the tasks: one, as a network does by default, or some.
#[derive(Debug, Clone, Copy)]
enum Crew {
    Alone,
    Several(usize),
}

impl Crew {
    /// Runs what is on the stage until all has ended. The threads that are started have ended too.
    fn run(self, stage: Stage) {
        let several = match self {
            Self::Alone => {
                stage.run_alone();
                return;
            }
            Self::Several(several) => several,
        };
        let mut hands = stage.hands(several);
        let own = hands.remove(0);
        // Loom's `Arc` would count in the interleavings, and nothing here is about it.
        let stage = Arc::new(stage);
        let others: Vec<_> = hands
            .into_iter()
            .map(|hand| {
                let stage = Arc::clone(&stage);
                thread::spawn(move || stage.run(hand))
            })
            .collect();
        stage.run(own);
        for other in others {
            other.join().unwrap();
        }
    }
}

fn explore_crews(name: &str, crews: &[Crew], check: fn(Crew)) {
    for &crew in crews {
        let name = format!("{name} ({crew:?})");
        match crew {
            Crew::Several(2..) => explore_crowd(&name, move || check(crew)),
            _ => explore(&name, move || check(crew)),
        }
    }
}

#[test]
fn a_task_that_is_woken_from_elsewhere_runs() {
    explore_crews(
        "a_task_that_is_woken_from_elsewhere_runs",
        &[Crew::Alone, Crew::Several(1), Crew::Several(2)],
        |crew| {
            let (tx, rx) = channel::<Message>();
            let mut stage = Stage::new();
            stage.add(async move {
                assert_eq!(rx.recv_async().await, Ok(Box::new(7)));
            });
            let sending = thread::spawn(move || tx.send(Box::new(7)));
            crew.run(stage);
            assert_eq!(sending.join().unwrap(), Ok(()));
        },
    );
}

/// The second wakes it while it is being taken in for the first, or runs.
#[test]
fn a_task_that_two_wake_from_elsewhere_hears_both() {
    explore_crews(
        "a_task_that_two_wake_from_elsewhere_hears_both",
        &[Crew::Alone, Crew::Several(1)],
        |crew| {
            let mut stage = Stage::new();
            let (first, second) = (channel::<Message>(), channel::<Message>());
            stage.add(async move {
                let (mut one, mut two) = (pin!(first.1.recv_async()), pin!(second.1.recv_async()));
                let (mut has_one, mut has_two) = (false, false);
                poll_fn(|context| {
                    has_one = has_one || one.as_mut().poll(context).is_ready();
                    has_two = has_two || two.as_mut().poll(context).is_ready();
                    if has_one && has_two {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
            });
            let sending = thread::spawn(move || first.0.send(Box::new(1)));
            let sending_too = thread::spawn(move || second.0.send(Box::new(2)));
            crew.run(stage);
            assert_eq!(sending.join().unwrap(), Ok(()));
            assert_eq!(sending_too.join().unwrap(), Ok(()));
        },
    );
}

#[test]
fn what_one_thread_wakes_another_that_sleeps_may_run() {
    explore_crews(
        "what_one_thread_wakes_another_that_sleeps_may_run",
        &[Crew::Alone, Crew::Several(2)],
        |crew| {
            let mut stage = Stage::new();
            let (to_one, one) = channel::<Message>();
            let (to_two, two) = channel::<Message>();
            stage.add(async move { assert!(one.recv_async().await.is_ok()) });
            stage.add(async move { assert!(two.recv_async().await.is_ok()) });
            stage.add(async move {
                assert!(to_one.send_async(Box::new(1)).await.is_ok());
                assert!(to_two.send_async(Box::new(2)).await.is_ok());
            });
            crew.run(stage);
        },
    );
}

/// Whoever was woken before it was looked at is not seen as blocked, twice and in the same turn, unless it has run
/// since and waits anew.
#[test]
fn a_task_that_was_woken_is_not_seen_as_blocked() {
    explore_crews(
        "a_task_that_was_woken_is_not_seen_as_blocked",
        &[Crew::Alone, Crew::Several(1)],
        |crew| {
            let (tx, rx) = channel::<Message>();
            let rx = Arc::new(rx);
            let has_taken = Arc::new(AtomicBool::new(false));
            let mut stage = Stage::new();
            stage.add({
                let (rx, has_taken) = (Arc::clone(&rx), Arc::clone(&has_taken));
                async move {
                    assert!(rx.recv_async().await.is_ok());
                    has_taken.store(true, Ordering::SeqCst);
                    assert!(rx.recv_async().await.is_err());
                }
            });
            let hands = match crew {
                Crew::Alone => Vec::new(),
                Crew::Several(several) => stage.hands(several),
            };
            let stage = Arc::new(stage);
            let looking = thread::spawn({
                let stage = Arc::clone(&stage);
                move || {
                    let mut send = pin!(tx.send_async(Box::new(7)));
                    // If the task waits, it is woken here.
                    let was_woken = free_receivers(&rx) == 1;
                    let _ = poll_once(send.as_mut());
                    let look = || stage.see(0, || free_receivers(&rx));
                    let (first, second) = (look(), look());
                    if was_woken && first.is_certain() && first == second {
                        assert!(has_taken.load(Ordering::SeqCst), "{first:?}");
                    }
                    if !has_taken.load(Ordering::SeqCst) {
                        let _ = block_on(send);
                    }
                }
            });
            if hands.is_empty() {
                stage.run_alone();
            }
            for hand in hands {
                stage.run(hand);
            }
            looking.join().unwrap();
        },
    );
}

/// It ends with a waiter that it has lent its handle to, while a peer meets that, and it is given back.
#[test]
fn a_task_may_end_before_what_it_has_lent_is_given_back() {
    explore_crews(
        "a_task_may_end_before_what_it_has_lent_is_given_back",
        &[Crew::Alone, Crew::Several(1)],
        |crew| {
            let (tx, rx) = channel::<Message>();
            let shelf: Arc<Mutex<Option<RecvStream<Message>>>> = Arc::new(Mutex::new(None));
            let mut stage = Stage::new();
            stage.add({
                let shelf = Arc::clone(&shelf);
                async move {
                    *shelf.lock().unwrap() = Some(polled_once(rx).await);
                }
            });
            let meeting = thread::spawn(move || {
                let mut send = pin!(tx.send_async(Box::new(7)));
                let _ = poll_once(send.as_mut());
                // Taken by itself, or still there for whoever has it then.
                drop(shelf.lock().unwrap().take());
                shelf
            });
            crew.run(stage);
            drop(meeting.join().unwrap());
        },
    );
}

async fn polled_once(rx: Receiver<Message>) -> RecvStream<Message> {
    let mut stream = rx.into_stream();
    poll_fn(|context| {
        let _ = Pin::new(&mut stream).poll_next(context);
        Poll::Ready(())
    })
    .await;
    stream
}

/// Two threads run an island by turns, whose tasks talk over a channel that it owns, while a third wakes one of them
/// twice: perhaps when it falls asleep, and when it does so again.
#[test]
fn an_island_that_changes_hands_is_woken_from_elsewhere() {
    explore(
        "an_island_that_changes_hands_is_woken_from_elsewhere",
        || {
            let (inner_tx, inner_rx) = channel::<Message>();
            let (outer_tx, outer_rx) = channel::<Message>();
            let mut isle = Isle::new(2);
            own(&inner_rx, &isle);
            isle.add(0, async move {
                for _ in 0..2 {
                    let message = outer_rx.recv_async().await.unwrap();
                    assert_eq!(inner_tx.send_async(message).await, Ok(()));
                }
            });
            isle.add(1, async move {
                assert_eq!(inner_rx.recv_async().await, Ok(Box::new(7)));
                assert_eq!(inner_rx.recv_async().await, Ok(Box::new(8)));
            });
            let isle = Arc::new(isle);
            let other = thread::spawn({
                let isle = Arc::clone(&isle);
                move || isle.run(1)
            });
            let sending = thread::spawn(move || {
                assert_eq!(outer_tx.send(Box::new(7)), Ok(()));
                assert_eq!(outer_tx.send(Box::new(8)), Ok(()));
            });
            isle.run(0);
            other.join().unwrap();
            sending.join().unwrap();
        },
    );
}

/// The same while a third looks at the channel.
#[test]
fn an_island_that_changes_hands_is_looked_at() {
    explore_crowd("an_island_that_changes_hands_is_looked_at", || {
        let (tx, rx) = channel::<Message>();
        let rx = Arc::new(rx);
        let mut isle = Isle::new(2);
        own(&rx, &isle);
        isle.add(0, async move {
            assert_eq!(tx.send_async(Box::new(7)).await, Ok(()));
        });
        isle.add(1, {
            let rx = Arc::clone(&rx);
            async move {
                assert_eq!(rx.recv_async().await, Ok(Box::new(7)));
            }
        });
        let isle = Arc::new(isle);
        let other = thread::spawn({
            let isle = Arc::clone(&isle);
            move || isle.run(1)
        });
        let looking = thread::spawn({
            let isle = Arc::clone(&isle);
            move || assert!(isle.look(|| free_receivers(&rx)) <= 1)
        });
        isle.run(0);
        other.join().unwrap();
        looking.join().unwrap();
    });
}
