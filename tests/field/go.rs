//! What Go's `test/chan` checks: processes in chains, rings, sieves and streams that are computed on demand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use handover::{Receiver, Sender, channel, select_async};

use crate::{blocked_in_sends, on_one_thread, stage::join};

const PRIMES: [u32; 20] = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71,
];

/// Sends all numbers from 2 until nobody wants more.
fn count(tx: &Sender<u32>) {
    let _ = (2..).try_for_each(|number| tx.send(number));
}

/// Passes on what `prime` does not divide, until one of its neighbours has gone.
fn sift(prime: u32, rx: &Receiver<u32>, tx: &Sender<u32>) {
    for number in rx.iter().filter(|number| number % prime != 0) {
        if tx.send(number).is_err() {
            return;
        }
    }
}

/// Go's sieve leaves its goroutines behind; here the end of the last receiver ends them all, one after the other.
#[test]
fn a_sieve_of_threads_finds_primes_and_ends_when_its_reader_goes() {
    let (tx, mut rx) = channel();
    let mut threads = vec![thread::spawn(move || count(&tx))];
    for expected in PRIMES {
        let prime = rx.recv().unwrap();
        assert_eq!(prime, expected);
        let (tx, next) = channel();
        let before = std::mem::replace(&mut rx, next);
        threads.push(thread::spawn(move || sift(prime, &before, &tx)));
    }
    drop(rx);
    threads.into_iter().for_each(join);
}

#[test]
fn a_sieve_of_tasks_finds_the_same() {
    on_one_thread(async {
        let (tx, mut rx) = channel();
        let mut tasks = vec![tokio::spawn(async move {
            for number in 2_u32.. {
                if tx.send_async(number).await.is_err() {
                    return;
                }
            }
        })];
        for expected in PRIMES {
            let prime = rx.recv_async().await.unwrap();
            assert_eq!(prime, expected);
            let (tx, next) = channel();
            let before = std::mem::replace(&mut rx, next);
            tasks.push(tokio::spawn(async move {
                while let Ok(number) = before.recv_async().await {
                    if number % prime != 0 && tx.send_async(number).await.is_err() {
                        return;
                    }
                }
            }));
        }
        drop(rx);
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// Ten thousand processes in a row, each waiting for the one on its right.
#[test]
fn a_chain_of_ten_thousand_tasks_passes_a_number_through() {
    const LENGTH: u32 = 10_000;
    on_one_thread(async {
        let (leftmost, mut rx) = channel::<u32>();
        for _ in 0..LENGTH {
            let (tx, next) = channel();
            let before = std::mem::replace(&mut rx, next);
            tokio::spawn(async move {
                let number = before.recv_async().await.unwrap();
                tx.send_async(number + 1).await.unwrap();
            });
        }
        leftmost.send_async(0).await.unwrap();
        assert_eq!(rx.recv_async().await.unwrap(), LENGTH);
    });
}

/// One token goes round a ring of threads; nobody but its holder moves.
#[test]
fn a_token_goes_round_a_ring_of_threads() {
    const MEMBERS: usize = 8;
    const HOPS: usize = 2_000;
    let (ends, mut inputs): (Vec<_>, Vec<_>) = (0..MEMBERS).map(|_| channel::<usize>()).unzip();
    inputs.rotate_right(1);
    let first = ends[MEMBERS - 1].clone();
    let members: Vec<_> = ends
        .into_iter()
        .zip(inputs)
        .map(|(next, mine)| {
            thread::spawn(move || {
                while let Ok(hops) = mine.recv() {
                    // The neighbour of whoever ends it ends too, and so on round the ring.
                    if hops == 0 || next.send(hops - 1).is_err() {
                        return hops == 0;
                    }
                }
                false
            })
        })
        .collect();
    first.send(HOPS).unwrap();
    drop(first);
    let ended = members.into_iter().map(join).filter(|last| *last).count();
    assert_eq!(ended, 1, "the token ended with one of them");
}

#[test]
fn each_of_a_chain_of_threads_hears_its_neighbours_in_order() {
    const LINKS: usize = 8;
    const MESSAGES: u32 = 200;
    let (first, mut rx) = channel::<u32>();
    let mut threads = vec![thread::spawn(move || {
        (0..MESSAGES).for_each(|number| first.send(number).unwrap());
    })];
    for _ in 0..LINKS {
        let (tx, next) = channel();
        let before = std::mem::replace(&mut rx, next);
        threads.push(thread::spawn(move || {
            for (expected, number) in (0..).zip(&before) {
                assert_eq!(number, expected);
                tx.send(number).unwrap();
            }
        }));
    }
    assert!(rx.iter().eq(0..MESSAGES));
    threads.into_iter().for_each(join);
}

#[test]
fn blocked_senders_are_served_in_the_order_in_which_they_came() {
    let (tx, rx) = channel::<u32>();
    let sends = (0..8).map(|number| {
        let tx = tx.clone();
        move || tx.send(number).unwrap()
    });
    let threads = blocked_in_sends(&rx, sends.collect());
    assert!(rx.try_iter().eq(0..8));
    threads.into_iter().for_each(join);
}

/// A rational number, and a stream of the coefficients of a power series.
type Rational = (i64, i64);
type Series = Receiver<Rational>;

/// Sends each coefficient to both, in whatever order they ask for it.
async fn split(input: Series, left: Sender<Rational>, right: Sender<Rational>) {
    while let Ok(coefficient) = input.recv_async().await {
        let (mut to_left, mut to_right) = (Some(coefficient), Some(coefficient));
        while to_left.is_some() || to_right.is_some() {
            let sent = select_async! {
                send(left, &mut to_left) -> sent => sent,
                send(right, &mut to_right) -> sent => sent,
            };
            if sent.is_err() {
                return;
            }
        }
    }
}

/// The integral of a series, with `constant` in front.
async fn integrate(constant: Rational, input: Series, output: Sender<Rational>) {
    if output.send_async(constant).await.is_err() {
        return;
    }
    for degree in 1.. {
        let Ok((numerator, denominator)) = input.recv_async().await else {
            return;
        };
        let coefficient = (numerator, denominator * degree);
        if output.send_async(coefficient).await.is_err() {
            return;
        }
    }
}

/// The exponential is one more than its own integral: a network with a cycle in it.
#[test]
fn a_series_that_is_defined_by_itself_is_computed_on_demand() {
    on_one_thread(async {
        let (exponential, to_split) = channel();
        let (back, again) = channel();
        let (out, series) = channel();
        let splitting = tokio::spawn(split(to_split, out, back));
        let integrating = tokio::spawn(integrate((1, 1), again, exponential));
        let mut factorial = 1;
        for degree in 0..15 {
            factorial *= i64::max(1, degree);
            assert_eq!(series.recv_async().await.unwrap(), (1, factorial));
        }
        drop(series);
        splitting.await.unwrap();
        integrating.await.unwrap();
    });
}

/// A stream without a buffer is lazy by itself: its source is at most one message ahead of each process.
#[test]
fn nothing_is_computed_that_nobody_asked_for() {
    const STAGES: usize = 3;
    const ASKED: usize = 5;
    on_one_thread(async {
        let made = Arc::new(AtomicUsize::new(0));
        let (source, mut rx) = channel::<usize>();
        let counter = Arc::clone(&made);
        tokio::spawn(async move {
            loop {
                let number = counter.fetch_add(1, Ordering::Relaxed);
                if source.send_async(number).await.is_err() {
                    return;
                }
            }
        });
        for _ in 0..STAGES {
            let (tx, next) = channel();
            let before = std::mem::replace(&mut rx, next);
            tokio::spawn(async move {
                while let Ok(number) = before.recv_async().await {
                    if tx.send_async(number).await.is_err() {
                        return;
                    }
                }
            });
        }
        for expected in 0..ASKED {
            assert_eq!(rx.recv_async().await.unwrap(), expected);
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        // What was asked for, one in the hand of each stage, and one in that of the source.
        assert_eq!(made.load(Ordering::Relaxed), ASKED + STAGES + 1);
    });
}

#[test]
fn messages_without_a_size_and_large_ones_are_handed_over_alike() {
    fn passes<T: Send + PartialEq + std::fmt::Debug + Clone + 'static>(message: &T) {
        let (tx, rx) = channel();
        let copy = message.clone();
        let sending = thread::spawn(move || (0..3).try_for_each(|_| tx.send(copy.clone())));
        assert!(rx.iter().all(|received| received == *message));
        join(sending).unwrap();
    }
    passes(&());
    passes(&[0_u8; 0]);
    passes(&[7_u8; 4096]);
    passes(&vec![7_u8; 1 << 20]);
}

#[test]
fn a_closed_channel_answers_at_once_and_for_ever() {
    let (tx, rx) = channel::<u32>();
    drop(tx);
    for _ in 0..10 {
        assert!(rx.recv().is_err());
        assert!(rx.try_recv().is_err());
        assert!(rx.iter().next().is_none());
        assert!(on_one_thread(rx.recv_async()).is_err());
        assert!(rx.is_disconnected());
    }
}

/// In Go this is a panic; here the message comes back.
#[test]
fn a_send_to_a_closed_channel_fails_with_its_message() {
    let (tx, rx) = channel::<u32>();
    drop(rx);
    for number in 0..10 {
        assert_eq!(tx.send(number).unwrap_err().into_inner(), number);
        assert_eq!(tx.try_send(number).unwrap_err().into_inner(), number);
        let error = on_one_thread(tx.send_async(number)).unwrap_err();
        assert_eq!(error.into_inner(), number);
    }
}

/// What is sent before the end is received before the end is heard.
#[test]
fn the_end_is_heard_after_the_last_message() {
    for _ in 0..200 {
        let (tx, rx) = channel();
        let sending = thread::spawn(move || (1..=3).for_each(|number| tx.send(number).unwrap()));
        assert_eq!(rx.iter().collect::<Vec<u32>>(), [1, 2, 3]);
        join(sending);
    }
}
