//! What crossbeam-channel checks of `select!` and `Select`, as far as channels without a buffer are concerned.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use handover::{Receiver, Sender, channel, channel::Select, select};

use crate::{
    blocked_in_recv, blocked_in_send,
    stage::{SHORT, Scripted, join, until},
};

const LONG: Duration = Duration::from_mins(1);

#[test]
fn a_select_meets_whichever_side_is_ready() {
    let (tx, rx) = channel::<u32>();
    let (other_tx, other_rx) = channel::<u32>();
    for round in 0..2 {
        let mut home = Some(5);
        let (peer, expected) = if round == 0 {
            let tx = tx.clone();
            (blocked_in_send(&rx, move || tx.send(4).ok()), Some(4))
        } else {
            let other_rx = other_rx.clone();
            (
                blocked_in_recv(&other_tx, move || {
                    other_rx.recv().ok().map(|n| assert_eq!(n, 5))
                }),
                None,
            )
        };
        let received = select! {
            recv(rx) -> message => Some(message.unwrap()),
            send(other_tx, &mut home) -> sent => { sent.unwrap(); None }
            after(LONG) => panic!("one of them waits"),
        };
        assert_eq!(received, expected);
        assert_eq!(home.is_some(), expected.is_some());
        assert!(join(peer).is_some());
    }
}

#[test]
fn a_blocked_select_is_woken_by_whoever_comes() {
    for round in 0..100 {
        let (tx, rx) = channel::<u32>();
        let (other_tx, other_rx) = channel::<u32>();
        let selecting = {
            let (rx, other_tx) = (rx.clone(), other_tx.clone());
            thread::spawn(move || {
                let mut home = Some(2);
                select! {
                    recv(rx) -> message => message.unwrap(),
                    send(other_tx, &mut home) -> sent => { sent.unwrap(); 0 }
                }
            })
        };
        if round % 2 == 0 {
            tx.send(1).unwrap();
            assert_eq!(join(selecting), 1);
        } else {
            assert_eq!(other_rx.recv().unwrap(), 2);
            assert_eq!(join(selecting), 0);
        }
    }
}

#[test]
fn a_blocked_select_hears_the_end_on_either_side() {
    for side in 0..2 {
        let (tx, rx) = channel::<u32>();
        let (other_tx, other_rx) = channel::<u32>();
        let selecting = blocked_in_recv(&tx, move || {
            let mut home = Some(2);
            let outcome = select! {
                recv(rx) -> message => (0, message.is_err()),
                send(other_tx, &mut home) -> sent => (1, sent.is_err()),
            };
            assert_eq!(home, Some(2));
            outcome
        });
        // The other side of each guard in turn.
        if side == 0 {
            drop(tx);
            assert_eq!(join(selecting), (0, true));
        } else {
            drop(other_rx);
            assert_eq!(join(selecting), (1, true));
        }
    }
}

#[test]
fn an_end_is_preferred_to_default_and_if_it_is_written_first_to_a_timeout() {
    let (tx, rx) = channel::<u32>();
    let (other_tx, other_rx) = channel::<u32>();
    drop((tx, other_rx));
    let mut home = Some(1);
    assert!(select! { recv(rx) -> message => message.is_err(), default => false });
    assert!(
        select! { biased; recv(rx) -> message => message.is_err(), after(Duration::ZERO) => false }
    );
    assert!(select! { send(other_tx, &mut home) -> sent => sent.is_err(), default => false });
    assert_eq!(
        Select::new().recv(&rx, |message| message.is_err()).now(),
        Some(true)
    );
    assert_eq!(home, Some(1));
}

#[test]
fn what_is_ready_is_preferred_to_default_and_if_it_is_written_first_to_a_deadline_that_has_passed()
{
    let (tx, rx) = channel::<u32>();
    for round in 0..3 {
        let tx = tx.clone();
        let sending = blocked_in_send(&rx, move || tx.send(round));
        let received = match round {
            0 => select! { recv(rx) -> message => message.ok(), default => None },
            1 => {
                select! { biased; recv(rx) -> message => message.ok(), after(Duration::ZERO) => None }
            }
            _ => Select::new().recv(&rx, Result::ok).now().flatten(),
        };
        assert_eq!(received, Some(round));
        join(sending).unwrap();
    }
}

#[test]
fn a_clone_that_goes_disturbs_nobody() {
    let (tx, rx) = channel::<u32>();
    let selecting = blocked_in_recv(&tx, {
        let rx = rx.clone();
        move || select! { recv(rx) -> message => message.unwrap(), after(LONG) => 0 }
    });
    for _ in 0..10 {
        drop((tx.clone(), rx.clone()));
    }
    assert!(tx.is_ready() && !selecting.is_finished());
    tx.send(7).unwrap();
    assert_eq!(join(selecting), 7);
}

/// Some send and some receive on one channel, all by alternations that would do either.
fn all_match(parties: usize, leftover: bool) {
    let (tx, rx) = channel::<usize>();
    let met = AtomicUsize::new(0);
    thread::scope(|scope| {
        for me in 0..parties {
            let (tx, rx, met) = (&tx, &rx, &met);
            scope.spawn(move || {
                let mut home = Some(me);
                select! {
                    recv(rx) -> from => assert_ne!(from.unwrap(), me, "it met itself"),
                    send(tx, &mut home) -> sent => sent.unwrap(),
                }
                met.fetch_add(1, Ordering::SeqCst);
            });
        }
        if leftover {
            // Of an odd number one is left, until somebody else comes.
            until(|| met.load(Ordering::SeqCst) == parties - 1);
            tx.send(parties).unwrap();
        }
    });
    assert_eq!(met.into_inner(), parties);
}

#[test]
fn alternations_that_would_do_either_match_in_pairs() {
    for _ in 0..20 {
        all_match(16, false);
    }
}

#[test]
fn the_odd_one_of_alternations_that_would_do_either_is_left_over() {
    for _ in 0..20 {
        all_match(15, true);
    }
}

/// What many threads do at once with alternations of receives, of sends, and of both.
#[test]
fn alternations_of_threads_move_everything() {
    const MESSAGES: u32 = 1_500;
    fn sends(tx: &[Sender<u32>; 2]) {
        for number in 0..MESSAGES {
            let (mut one, mut other) = (Some(number), Some(number));
            select! {
                send(tx[0], &mut one) -> sent => sent.unwrap(),
                send(tx[1], &mut other) -> sent => sent.unwrap(),
            }
        }
    }
    fn receives(rx: &[Receiver<u32>; 2]) -> u64 {
        let (mut sum, mut open) = (0, [true, true]);
        while open[0] || open[1] {
            let (which, message) = select! {
                recv(rx[0]) -> message, if open[0] => (0, message),
                recv(rx[1]) -> message, if open[1] => (1, message),
            };
            match message {
                Ok(number) => sum += u64::from(number),
                Err(_) => open[which] = false,
            }
        }
        sum
    }
    fn forwards(rx: &Receiver<u32>, tx: &Sender<u32>) {
        let mut home = rx.recv().ok();
        while home.is_some() {
            let sent = Select::new()
                .send(tx, &mut home, |sent| sent.is_ok())
                .block();
            assert!(sent);
            home = Select::new().recv(rx, Result::ok).block();
        }
    }
    let ((a, from_a), (b, from_b), (c, from_c)) = (channel(), channel(), channel());
    let sending = [[a.clone(), b.clone()], [a, b]].map(|tx| thread::spawn(move || sends(&tx)));
    // One of the two channels has a relay in it.
    let relaying = thread::spawn(move || forwards(&from_b, &c));
    let receiving = [[from_a.clone(), from_c.clone()], [from_a, from_c]]
        .map(|rx| thread::spawn(move || receives(&rx)));
    sending.into_iter().for_each(join);
    join(relaying);
    let sum: u64 = receiving.into_iter().map(join).sum();
    assert_eq!(sum, u64::from(MESSAGES) * u64::from(MESSAGES - 1));
}

/// As often as it is ready, each guard is met about equally often, duplicates among them counted each.
#[test]
fn guards_that_are_always_ready_share_alike() {
    const ROUNDS: u32 = 2_000;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..2).map(|_| channel::<()>()).unzip();
    let mut counts = [0_u32; 3];
    for _ in 0..ROUNDS {
        let mut offers: Vec<_> = senders
            .iter()
            .map(|tx| Box::pin(tx.send_async(())))
            .collect();
        for offer in &mut offers {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(offer.as_mut().poll(&mut context).is_pending());
        }
        let met = Select::new()
            .recv(&receivers[0], |_| 0)
            .recv(&receivers[1], |_| 1)
            .recv(&receivers[1], |_| 2)
            .now()
            .unwrap();
        counts[met] += 1;
    }
    // Chance 1/3 each: within 8 standard deviations (21 each) of 667.
    assert!(
        counts.iter().all(|count| (498..=836).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn a_select_inside_the_body_of_a_select() {
    let (tx, rx) = channel::<u32>();
    let sending = thread::spawn(move || (1..=3).for_each(|number| tx.send(number).unwrap()));
    let sum = select! {
        recv(rx) -> first => select! {
            recv(rx) -> second => {
                let third = select! { recv(rx) -> third => third.unwrap(), after(LONG) => 0 };
                first.unwrap() * 100 + second.unwrap() * 10 + third
            }
        }
    };
    assert_eq!(sum, 123);
    join(sending);
}

#[test]
fn a_panic_in_a_guards_expression_leaves_the_channels_as_they_were() {
    let (tx, rx) = channel::<u32>();
    let mut home = Some(1);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        select! {
            send(tx, &mut home) -> _ => {}
            recv(*{ assert!(rx.is_disconnected(), "as planned"); &rx }) -> _ => {}
        }
    }));
    assert!(panicked.is_err());
    assert_eq!(home, Some(1));
    assert!(!tx.is_ready() && rx.try_recv().is_err());
}

#[test]
fn guards_take_ends_by_reference_by_box_and_by_index() {
    let (tx, rx) = channel::<u32>();
    let (boxed, many, by_ref) = (Box::new(rx.clone()), vec![rx.clone()], &rx);
    let sending = thread::spawn(move || (0..3).for_each(|number| tx.send(number).unwrap()));
    for expected in 0..3 {
        let received = select! {
            recv(*boxed) -> message => message,
            recv(many[0]) -> message => message,
            recv(by_ref) -> message => message,
        };
        assert_eq!(received.unwrap(), expected);
    }
    join(sending);
}

#[test]
fn a_body_may_use_what_its_guard_borrowed() {
    let (tx, rx) = channel::<String>();
    let receiving = thread::spawn(move || rx.iter().collect::<Vec<_>>());
    let mut home = Some("first".to_owned());
    select! {
        send(tx, &mut home) -> sent => {
            sent.unwrap();
            home = Some("second".to_owned());
            tx.send(home.take().unwrap()).unwrap();
        }
    }
    assert!(home.is_none());
    drop(tx);
    assert_eq!(join(receiving), ["first", "second"]);
}

#[test]
fn two_alternations_of_threads_with_deadlines_lose_nothing() {
    const MESSAGES: u32 = 100;
    let patience = Duration::from_micros(50);
    let ((a, from_a), (b, from_b)) = (channel::<u32>(), channel::<u32>());
    let sending = thread::spawn(move || {
        for number in 0..MESSAGES {
            if number % 10 == 0 {
                thread::sleep(Duration::from_micros(300));
            }
            let (mut one, mut other) = (Some(number), Some(number));
            while one.is_some() && other.is_some() {
                select! {
                    send(a, &mut one) -> sent => sent.unwrap(),
                    send(b, &mut other) -> sent => sent.unwrap(),
                    after(patience) => {}
                }
            }
        }
    });
    for expected in 0..MESSAGES {
        if expected % 10 == 5 {
            thread::sleep(Duration::from_micros(300));
        }
        let received = std::iter::repeat_with(|| {
            select! {
                recv(from_a) -> message => message.ok(),
                recv(from_b) -> message => message.ok(),
                after(patience) => None,
            }
        });
        assert_eq!(
            received.into_iter().find_map(|message| message),
            Some(expected)
        );
    }
    join(sending);
}

#[test]
fn a_dynamic_alternation_with_nothing_to_meet_times_out() {
    let begun = std::time::Instant::now();
    assert!(Select::<()>::default().block_timeout(SHORT).is_none());
    assert!(begun.elapsed() >= SHORT);
    assert!(Select::<()>::new().now().is_none());
}

/// It hangs in the list of its other channel until it has woken up: a send that finds it there finds nobody.
#[test]
fn a_task_does_not_send_to_an_alternation_that_was_just_met_elsewhere() {
    for _ in 0..500 {
        let ((a, from_a), (b, from_b)) = (channel::<u32>(), channel::<u32>());
        let selecting = blocked_in_recv(&a, {
            let from_b = from_b.clone();
            move || {
                select! {
                    recv(from_a) -> message => message.unwrap(),
                    recv(from_b) -> message => message.unwrap(),
                }
            }
        });
        // One way or the other, `a` is met: nobody else sends there yet.
        a.try_send(1).unwrap();
        let mut send = Scripted::new(b.send_async(2));
        send.stays_pending();
        assert_eq!(join(selecting), 1);
        assert_eq!(from_b.try_recv().unwrap(), 2);
        send.resolves().unwrap();
    }
}
