//! What crossbeam-channel checks of a channel of capacity zero.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use handover::{
    Receiver, Sender, channel,
    channel::{
        Held, RecvTimeoutError, Select, SendError, SendTimeoutError, TryRecvError, TrySendError,
    },
    select,
};

use crate::{
    blocked_in_recv, blocked_in_send, blocked_in_sends, on_one_thread,
    stage::{Message, SHORT, Scripted, Tally, homemade_block_on, join},
};

const LONG: Duration = Duration::from_mins(1);

/// A way to wait for a message, and whether one came.
type Receiving = fn(&Receiver<Message>) -> bool;

/// Every way to wait for a message.
const RECEIVING: [(&str, Receiving); 11] = [
    ("recv", |rx| rx.recv().is_ok()),
    ("recv_timeout", |rx| rx.recv_timeout(LONG).is_ok()),
    ("recv_deadline", |rx| {
        rx.recv_deadline(Instant::now() + LONG).is_ok()
    }),
    ("iter", |rx| rx.iter().next().is_some()),
    ("recv_held", |rx| rx.recv_held().map(Held::release).is_ok()),
    ("accept", |rx| rx.accept(|_| ()).is_ok()),
    ("recv_async", |rx| {
        homemade_block_on(rx.recv_async()).is_ok()
    }),
    ("accept_async", |rx| {
        homemade_block_on(rx.accept_async(async |_: &mut Message| ())).is_ok()
    }),
    (
        "select!",
        |rx| select! { recv(rx) -> message => message.is_ok() },
    ),
    ("select! with after", |rx| {
        select! {
            recv(rx) -> message => message.is_ok(),
            after(LONG) => panic!("it is over at once"),
        }
    }),
    ("Select", |rx| {
        Select::new().recv(rx, |message| message.is_ok()).block()
    }),
];

/// A way to offer a message: what came back, if it was not taken.
type Sending = fn(&Sender<Message>, Message) -> Option<Message>;

/// Every way to offer a message and wait.
const SENDING: [(&str, Sending); 7] = [
    ("send", |tx, message| {
        tx.send(message).err().map(SendError::into_inner)
    }),
    ("send_timeout", |tx, message| {
        tx.send_timeout(message, LONG)
            .err()
            .map(SendTimeoutError::into_inner)
    }),
    ("send_deadline", |tx, message| {
        tx.send_deadline(message, Instant::now() + LONG)
            .err()
            .map(SendTimeoutError::into_inner)
    }),
    ("send_async", |tx, message| {
        homemade_block_on(tx.send_async(message))
            .err()
            .map(SendError::into_inner)
    }),
    ("send_from", |tx, message| {
        let mut home = Some(message);
        let sent = homemade_block_on(tx.send_from(&mut home));
        assert_eq!(sent.is_err(), home.is_some());
        home
    }),
    ("select!", |tx, message| {
        let mut home = Some(message);
        select! { send(tx, &mut home) -> sent => assert_eq!(sent.is_err(), home.is_some()) }
        home
    }),
    ("Select", |tx, message| {
        let mut home = Some(message);
        let met = Select::new()
            .send(tx, &mut home, |sent| sent.is_ok())
            .block_timeout(LONG);
        assert_eq!(met, Some(home.is_none()));
        home
    }),
];

#[test]
fn the_end_of_the_senders_ends_every_receive_that_waits() {
    for (name, receive) in RECEIVING {
        let (tx, rx) = channel();
        let receiving = blocked_in_recv(&tx, move || receive(&rx));
        drop(tx);
        assert!(!join(receiving), "{name}");
    }
}

#[test]
fn the_end_of_the_receivers_gives_every_send_that_waits_its_message_back() {
    for (name, send) in SENDING {
        let tally = Tally::default();
        let (tx, rx) = channel();
        let message = tally.message(7);
        let sending = blocked_in_send(&rx, move || send(&tx, message));
        drop(rx);
        assert_eq!(join(sending).expect(name), 7, "{name}");
        assert_eq!(tally.dropped(), 1, "{name}");
    }
}

#[test]
fn every_send_meets_every_receive() {
    for (sent_by, send) in SENDING {
        for (received_by, receive) in RECEIVING {
            let tally = Tally::default();
            let (tx, rx) = channel();
            let message = tally.message(7);
            let sending = thread::spawn(move || send(&tx, message));
            assert!(receive(&rx), "{sent_by} to {received_by}");
            assert!(join(sending).is_none(), "{sent_by} to {received_by}");
            assert_eq!(tally.dropped(), 1, "{sent_by} to {received_by}");
            assert!(!receive(&rx), "{sent_by} to {received_by}");
        }
    }
}

#[test]
fn tries_meet_nobody_then_somebody_then_the_end() {
    let (tx, rx) = channel::<u32>();
    assert_eq!(rx.try_recv().unwrap_err(), TryRecvError::Empty);
    assert!(matches!(tx.try_send(1), Err(TrySendError::Full(1))));

    let sending = blocked_in_send(&rx, {
        let tx = tx.clone();
        move || tx.send(2)
    });
    assert_eq!(rx.try_recv().unwrap(), 2);
    join(sending).unwrap();

    let receiving = blocked_in_recv(&tx, {
        let rx = rx.clone();
        move || rx.recv()
    });
    assert!(tx.try_send(3).is_ok());
    assert_eq!(join(receiving).unwrap(), 3);

    drop(tx);
    assert_eq!(rx.try_recv().unwrap_err(), TryRecvError::Disconnected);
    let (tx, rx) = channel::<u32>();
    drop(rx);
    assert!(matches!(tx.try_send(4), Err(TrySendError::Disconnected(4))));
}

#[test]
fn a_timeout_does_not_end_before_its_time() {
    let (tx, rx) = channel::<u32>();
    let timed = |action: &dyn Fn()| {
        let begun = Instant::now();
        action();
        assert!(begun.elapsed() >= SHORT);
    };
    timed(&|| {
        assert_eq!(
            rx.recv_timeout(SHORT).unwrap_err(),
            RecvTimeoutError::Timeout
        );
    });
    timed(&|| assert!(tx.send_timeout(1, SHORT).unwrap_err().is_timeout()));
    timed(&|| {
        assert!(
            Select::new()
                .recv(&rx, |_| ())
                .block_timeout(SHORT)
                .is_none()
        );
    });
    timed(&|| select! { recv(rx) -> _ => panic!("nobody sends"), after(SHORT) => {} });
}

#[test]
fn an_operation_with_a_deadline_is_met_before_it() {
    let (tx, rx) = channel::<u32>();
    let receiving = blocked_in_recv(&tx, {
        let rx = rx.clone();
        move || rx.recv_timeout(LONG)
    });
    tx.send_timeout(1, LONG).unwrap();
    assert_eq!(join(receiving).unwrap(), 1);
    let sending = blocked_in_send(&rx, move || tx.send_timeout(2, LONG));
    assert_eq!(rx.recv_timeout(LONG).unwrap(), 2);
    assert!(join(sending).is_ok());
}

#[test]
fn one_to_one_keeps_the_order() {
    const MESSAGES: u32 = 20_000;
    let (tx, rx) = channel();
    let sending = thread::spawn(move || (0..MESSAGES).for_each(|number| tx.send(number).unwrap()));
    assert!(rx.iter().eq(0..MESSAGES));
    join(sending);
}

#[test]
fn many_to_many_take_each_message_once() {
    const THREADS: usize = 4;
    const EACH: usize = 1_500;
    let taken: Vec<_> = (0..EACH).map(|_| AtomicUsize::new(0)).collect();
    let (tx, rx) = channel::<usize>();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let rx = rx.clone();
            let taken = &taken;
            scope.spawn(move || {
                for number in rx {
                    taken[number].fetch_add(1, Ordering::Relaxed);
                }
            });
            let tx = tx.clone();
            scope.spawn(move || (0..EACH).for_each(|number| tx.send(number).unwrap()));
        }
        drop((tx, rx));
    });
    assert!(
        taken
            .iter()
            .all(|count| count.load(Ordering::Relaxed) == THREADS)
    );
}

#[test]
fn a_channel_for_one_message_each_time() {
    for _ in 0..1_000 {
        let (tx, rx) = channel::<u32>();
        let receiving = thread::spawn(move || rx.recv());
        tx.send(7).unwrap();
        assert_eq!(join(receiving).unwrap(), 7);
    }
}

/// A server that is asked again and again, and answers whoever waits at that moment.
#[test]
fn a_request_is_answered_by_whoever_is_ready() {
    const ANSWERS: usize = 1_000;
    let (ask, asked) = channel::<()>();
    let (answer, answers) = channel::<u32>();
    let serving = thread::spawn(move || {
        while asked.recv().is_ok() {
            while answer.try_send(1).is_ok() {}
        }
    });
    let mut received = 0;
    while received < ANSWERS {
        received += answers.try_iter().count();
        ask.send(()).unwrap();
        received += usize::from(answers.recv_timeout(Duration::from_micros(200)).is_ok());
    }
    drop(ask);
    join(serving);
}

/// Two threads of which one then the other is late, each with deadlines that pass meanwhile.
#[test]
fn timeouts_on_both_sides_lose_and_double_nothing() {
    const MESSAGES: u64 = 200;
    let late = |number: u64| {
        if number.is_multiple_of(10) {
            thread::sleep(Duration::from_micros(300));
        }
    };
    let patience = Duration::from_micros(50);
    let (tx, rx) = channel();
    let sending = thread::spawn(move || {
        for number in 0..MESSAGES {
            late(number + 5);
            let mut in_hand = number;
            while let Err(error) = tx.send_timeout(in_hand, patience) {
                assert!(error.is_timeout());
                in_hand = error.into_inner();
            }
        }
    });
    for expected in 0..MESSAGES {
        late(expected);
        let received = std::iter::repeat_with(|| rx.recv_timeout(patience)).find_map(Result::ok);
        assert_eq!(received, Some(expected));
    }
    join(sending);
}

/// Crossbeam's `drops`, under all operations: a random number of messages is handed over, others wait when the
/// channel goes.
#[test]
fn every_message_is_dropped_exactly_once() {
    for round in 0..40_usize {
        let tally = Tally::default();
        let (tx, rx) = channel();
        let (steps, stuck) = (round * 7 % 60, round % 5);
        let receiving = {
            let rx = rx.clone();
            thread::spawn(move || {
                (0..steps).for_each(|step| {
                    assert!(RECEIVING[(round + step) % RECEIVING.len()].1(&rx));
                });
            })
        };
        for step in 0..steps {
            let send = SENDING[(round + step) % SENDING.len()].1;
            assert!(send(&tx, tally.message(0)).is_none());
        }
        join(receiving);
        assert_eq!(tally.dropped(), steps);
        // Some more that nobody takes: on threads, and in futures that are dropped or leaked with the channel.
        let sends = (0..stuck).map(|place| {
            let (send, tx) = (SENDING[(round + place) % SENDING.len()].1, tx.clone());
            let message = tally.message(1);
            move || send(&tx, message)
        });
        let waiting = blocked_in_sends(&rx, sends.collect());
        let mut pending = Scripted::new(tx.send_async(tally.message(2)));
        pending.stays_pending();
        drop(rx);
        for thread in waiting {
            assert_eq!(join(thread).unwrap(), 1);
        }
        assert_eq!(tally.dropped(), steps + stuck);
        drop(pending);
        assert_eq!(tally.dropped(), steps + stuck + 1);
    }
}

/// A message whose making needs the channel that it goes to.
#[test]
fn a_send_may_receive_while_its_message_is_made() {
    let (tx, rx) = channel::<u32>();
    let (go, gone) = channel::<()>();
    let sending = blocked_in_send(&rx, {
        let tx = tx.clone();
        move || tx.send(1)
    });
    let receiving = {
        let rx = rx.clone();
        thread::spawn(move || gone.recv().map(|()| rx.recv()))
    };
    let made = || {
        let number = rx.recv().unwrap();
        go.send(()).unwrap();
        number + 10
    };
    tx.send(made()).unwrap();
    join(sending).unwrap();
    assert_eq!(join(receiving).unwrap().unwrap(), 11);
}

/// Each message is the receiver of the next.
#[test]
fn a_chain_of_channels_goes_through_channels() {
    const LENGTH: usize = 300;
    struct Next(Option<Receiver<Next>>);
    let (tx, rx) = channel::<Next>();
    let sending = thread::spawn(move || {
        let mut tx = tx;
        for _ in 0..LENGTH {
            let (next_tx, next_rx) = channel();
            tx.send(Next(Some(next_rx))).unwrap();
            tx = next_tx;
        }
        tx.send(Next(None)).unwrap();
    });
    let (mut rx, mut length) = (rx, 0);
    while let Next(Some(next)) = rx.recv().unwrap() {
        rx = next;
        length += 1;
    }
    assert_eq!(length, LENGTH);
    join(sending);
}

/// Each thread first makes an offer and then takes one: there is always one to take.
#[test]
fn who_has_offered_one_finds_one() {
    const THREADS: usize = 3;
    const ROUNDS: usize = 400;
    let (tx, rx) = channel::<usize>();
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for place in 0..THREADS {
            let (tx, rx, barrier) = (&tx, &rx, &barrier);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let mut offer = Box::pin(tx.send_async(place));
                    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                    assert!(offer.as_mut().poll(&mut context).is_pending());
                    let taken = match (place + round) % 4 {
                        0 => rx.try_recv().ok(),
                        1 => rx.recv_timeout(Duration::ZERO).ok(),
                        2 => select! { recv(rx) -> message => message.ok(), default => None },
                        _ => Select::new()
                            .recv(rx, Result::ok)
                            .block_deadline(Instant::now())
                            .flatten(),
                    };
                    assert!(taken.is_some_and(|from| from < THREADS));
                    homemade_block_on(offer).unwrap();
                    // The next round begins with nothing on offer.
                    barrier.wait();
                }
            });
        }
    });
}

/// Half of the threads borrow an end, half of them have their own.
#[test]
fn ends_are_shared_and_cloned() {
    const THREADS: usize = 4;
    const EACH: usize = 500;
    let (tx, rx) = channel::<usize>();
    let sum = AtomicUsize::new(0);
    thread::scope(|scope| {
        for place in 0..THREADS {
            let own = (place % 2 == 0).then(|| (tx.clone(), rx.clone()));
            let (tx, rx) = (&tx, &rx);
            let (own_tx, own_rx) = own.unzip();
            scope.spawn(move || {
                let tx = own_tx.as_ref().unwrap_or(tx);
                for number in 0..EACH {
                    let mut home = Some(number);
                    select! { send(tx, &mut home) -> sent => sent.unwrap() }
                }
            });
            let sum = &sum;
            scope.spawn(move || {
                let rx = own_rx.as_ref().unwrap_or(rx);
                for _ in 0..EACH {
                    let number = select! { recv(rx) -> message => message.unwrap() };
                    sum.fetch_add(number, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(sum.into_inner(), THREADS * EACH * (EACH - 1) / 2);
}

#[test]
fn ends_of_one_channel_know_each_other() {
    let (tx, rx) = channel::<u32>();
    let (other_tx, other_rx) = channel::<u32>();
    assert!(tx.same_channel(&tx.clone()) && rx.same_channel(&rx.clone()));
    assert!(!tx.same_channel(&other_tx) && !rx.same_channel(&other_rx));
}

/// The last thing that a thread does may be an alternation.
#[test]
fn the_end_of_a_thread_local_may_use_a_channel() {
    struct Farewell(Option<(Sender<u32>, Receiver<u32>)>);
    impl Drop for Farewell {
        fn drop(&mut self) {
            let Some((tx, rx)) = self.0.take() else {
                return;
            };
            let mut home = Some(7);
            select! {
                send(tx, &mut home) -> sent => sent.unwrap(),
                recv(rx) -> _ => panic!("nobody sends here"),
            }
            assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
        }
    }
    thread_local! {
        static FAREWELL: std::cell::RefCell<Farewell> = const { std::cell::RefCell::new(Farewell(None)) };
    }
    let (tx, rx) = channel();
    let (_idle, never) = channel();
    let ending = thread::spawn(move || FAREWELL.with_borrow_mut(|last| last.0 = Some((tx, never))));
    assert_eq!(rx.recv().unwrap(), 7);
    join(ending);
}

#[test]
fn tries_in_a_loop_meet_whoever_is_blocked() {
    for _ in 0..50 {
        let (tx, rx) = channel::<u32>();
        let receiving = thread::spawn(move || rx.recv());
        let tried = std::iter::repeat_with(|| tx.try_send(1)).find(Result::is_ok);
        assert!(tried.is_some());
        assert_eq!(join(receiving).unwrap(), 1);

        let (tx, rx) = channel::<u32>();
        let sending = thread::spawn(move || homemade_block_on(tx.send_async(2)));
        let mut tried = std::iter::repeat_with(|| rx.try_recv().ok());
        assert_eq!(tried.find_map(|message| message), Some(2));
        join(sending).unwrap();
    }
}

/// There is no `len`, `is_empty`, `is_full` or `capacity`: what they would count is always none. What can be asked is
/// who waits.
#[test]
fn nothing_is_ever_in_the_channel() {
    let (tx, rx) = channel::<u32>();
    assert!(!tx.is_ready());
    let mut send = Scripted::new(tx.send_async(1));
    send.stays_pending();
    assert!(!tx.is_ready(), "an offer is not demand");
    on_one_thread(async { assert_eq!(rx.recv_async().await.unwrap(), 1) });
    send.resolves().unwrap();
}
