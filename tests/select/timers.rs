//! The guards `after` and `at`: never early, in any number and position, and without a message lost to them.

use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use handover::{
    channel,
    channel::{Select, tick},
    select, select_async,
};

use crate::stage::{PATIENCE, Peer, SHORT, Scripted, for_peers, homemade_block_on, join, until};

const TASKS: [Peer; 3] = [
    Peer::TokioCurrentThread,
    Peer::TokioMultiThread,
    Peer::Homemade,
];

/// The body of an alternation, for a thread and for a task on each executor.
macro_rules! alternate {
    ($peer:expr, $($arms:tt)*) => {
        match $peer {
            Peer::Thread => select! { $($arms)* },
            task => task.run(async { select_async! { $($arms)* } }),
        }
    };
}

for_peers! {
    fn a_timer_is_not_early_and_says_when_it_was_due(peer) {
        let (_tx, rx) = channel::<u32>();
        let begun = Instant::now();
        let due = alternate! { peer,
            recv(rx) -> message => panic!("{message:?}"),
            after(SHORT) -> due => due,
        };
        assert!(due >= begun + SHORT && Instant::now() >= due);
        let instant = Instant::now() + SHORT;
        let due = alternate! { peer,
            at(instant) -> due => due,
            recv(rx) -> message => panic!("{message:?}"),
        };
        assert!(due == instant && Instant::now() >= due);
    }

    fn of_many_timers_the_first_that_is_due_meets_wherever_it_stands(peer) {
        let (tx, rx) = channel::<u32>();
        let ticker = tick(PATIENCE);
        let begun = Instant::now();
        let met = alternate! { peer,
            after(PATIENCE) => "after",
            at(begun + PATIENCE) -> _ => "at",
            recv(rx) -> _ => "recv",
            tick(ticker) => "tick",
            after(SHORT) => "first",
            send(tx, &mut Some(1)) -> _ => "send",
            at(begun + PATIENCE) => "at",
        };
        assert_eq!(met, "first");
        assert!(begun.elapsed() < PATIENCE);
    }

    fn a_timer_alone_is_a_sleep(peer) {
        let begun = Instant::now();
        alternate! { peer, after(SHORT) => {} }
        assert!(begun.elapsed() >= SHORT);
    }

    fn a_timer_that_is_switched_off_takes_no_part(peer) {
        let begun = Instant::now();
        let met = alternate! { peer,
            at(begun) -> _, if false => 1,
            after(Duration::ZERO), if false => 2,
            tick(tick(Duration::from_nanos(1))) -> _, if false => 3,
            after(SHORT), if true => 4,
        };
        assert_eq!(met, 4);
        assert!(begun.elapsed() >= SHORT);
    }

    fn where_every_channel_is_switched_off_the_timer_still_meets(peer) {
        let (_tx, rx) = channel::<u32>();
        let met = alternate! { peer,
            recv(rx) -> _, if false => false,
            after(SHORT) => true,
        };
        assert!(met);
    }

    fn a_duration_beyond_the_clock_never_passes(peer) {
        let met = alternate! { peer,
            after(Duration::MAX) => false,
            after(SHORT) => true,
        };
        assert!(met);
    }

    fn a_send_that_loses_to_a_timer_has_its_message_home(peer) {
        let (tx, rx) = channel::<u32>();
        let mut home = Some(7);
        alternate! { peer,
            send(tx, &mut home) -> sent => panic!("{sent:?}"),
            after(SHORT) => {}
        }
        assert_eq!(home, Some(7));
        assert!(rx.try_recv().is_err(), "the offer was withdrawn");
    }

    fn a_peer_that_comes_before_the_timer_is_met(peer) {
        let (tx, rx) = channel::<u32>();
        let sending = thread::spawn(move || tx.send(7));
        let received = alternate! { peer,
            after(PATIENCE) => None,
            recv(rx) -> message => message.ok(),
        };
        assert_eq!(received, Some(7));
        sending.join().unwrap().unwrap();
    }

    /// One instant for all turns together: the deadline of a whole loop.
    fn a_deadline_ends_a_loop_of_turns_that_are_each_in_time(peer) {
        let (tx, rx) = channel::<u32>();
        let deadline = Instant::now() + 5 * SHORT;
        let sending = thread::spawn(move || while tx.send(0).is_ok() {});
        loop {
            let is_over = alternate! { peer,
                recv(rx) -> _ => false,
                at(deadline) => true,
            };
            if is_over {
                break;
            }
            assert!(Instant::now() < deadline + PATIENCE);
        }
        assert!(Instant::now() >= deadline);
        drop(rx);
        sending.join().unwrap();
    }
}

/// Takes `rounds` messages, and gives up now and then because of a timer.
macro_rules! take_with_timers {
    ($select:ident, $rounds:expr, $rx:ident) => {{
        let (mut received, mut turn) = (Vec::new(), 0);
        while received.len() < $rounds as usize {
            turn += 1;
            $select! {
                after(Duration::from_micros(turn % 200)) => {}
                recv($rx) -> message => received.push(message.unwrap()),
            }
        }
        received
    }};
}

for_peers! {
    /// The timer may come before the message, with it, or after it: it is with its sender or with its receiver.
    fn a_timer_that_races_with_a_send_loses_no_message(peer) {
        const ROUNDS: u32 = 300;
        let (tx, rx) = channel::<u32>();
        let sending = thread::spawn(move || {
            let (mut sent, mut turn) = (0, 0);
            while sent < ROUNDS {
                turn += 1;
                let mut home = Some(sent);
                select! {
                    send(tx, &mut home) -> result => { result.unwrap(); sent += 1; }
                    after(Duration::from_micros(turn % 170)) => assert_eq!(home, Some(sent)),
                }
            }
        });
        let received = match peer {
            Peer::Thread => take_with_timers!(select, ROUNDS, rx),
            task => task.run(async { take_with_timers!(select_async, ROUNDS, rx) }),
        };
        assert!(received.into_iter().eq(0..ROUNDS), "each once, in order");
        join(sending);
    }
}

#[test]
fn with_default_only_a_timer_that_is_due_meets() {
    let begun = Instant::now();
    let met = select! {
        after(PATIENCE) => "after",
        default => "default",
    };
    assert_eq!(met, "default");
    let met = select! {
        at(begun) => "at",
        default => "default",
    };
    assert_eq!(met, "at");
    let met = select! {
        at(begun) -> _, if false => "at",
        default => "default",
    };
    assert_eq!(met, "default");
}

#[test]
fn a_select_known_at_run_time_has_timers_too() {
    let (_tx, rx) = channel::<u32>();
    let begun = Instant::now();
    let ticker = tick(SHORT);
    let select = || {
        Select::new()
            .recv(&rx, |_| Instant::now())
            .after(PATIENCE, |due| due)
            .at(begun + SHORT, |due| due)
            .after(PATIENCE, |due| due)
    };
    assert_eq!(select().block(), begun + SHORT);
    assert_eq!(homemade_block_on(select().wait()), begun + SHORT);
    assert_eq!(select().now(), Some(begun + SHORT));
    let due = Select::new().tick(&ticker, |due| due).block();
    assert!(due >= begun + SHORT && due <= Instant::now());
    let in_time = Select::new()
        .after(PATIENCE, |_| ())
        .block_deadline(Instant::now() + SHORT);
    assert_eq!(in_time, None);
}

#[test]
fn a_dropped_alternation_with_a_timer_sends_its_messages_home() {
    let (tx, rx) = channel::<u32>();
    let mut home = Some(5);
    let mut waiting = Scripted::new(async {
        select_async! {
            send(tx, &mut home) -> sent => panic!("{sent:?}"),
            after(PATIENCE) => panic!("it is not due"),
        }
    });
    waiting.stays_pending();
    drop(waiting);
    assert_eq!(home, Some(5));
    assert!(rx.try_recv().is_err(), "the offer was withdrawn");
}

#[test]
fn a_task_is_woken_once_for_its_timers_and_by_its_newest_waker() {
    let begun = Instant::now();
    let mut waiting = Scripted::new(async {
        select_async! {
            after(PATIENCE) => panic!("it is not due"),
            at(begun + 2 * SHORT) -> due => due,
            at(begun + 3 * SHORT) -> due => due,
        }
    });
    waiting.stays_pending();
    waiting.stays_pending();
    if waiting.poll_with_another_waker().is_pending() {
        until(|| waiting.wakes() > 0);
        assert!(begun.elapsed() >= 2 * SHORT);
        let due = waiting.resolves();
        assert!(due == begun + 2 * SHORT || due == begun + 3 * SHORT);
        assert_eq!(waiting.wakes(), 1);
    }
}

struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        // Not through `panic!`, which would print.
        std::panic::resume_unwind(Box::new(()));
    }
}

#[test]
fn a_waker_that_panics_keeps_no_other_task_from_being_woken() {
    let mut broken = std::pin::pin!(async {
        select_async! { after(SHORT) => {} }
    });
    let waker = Waker::from(Arc::new(Panicking));
    let poll = broken.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll.is_pending());
    for task in TASKS {
        task.run(async {
            select_async! { after(2 * SHORT) => {} }
        });
    }
    let again = broken.as_mut().poll(&mut Context::from_waker(&waker));
    assert_eq!(again, Poll::Ready(()));
}

/// As many guards as the macro must take at least, of all kinds.
#[test]
fn sixty_four_guards_fit_with_timers_among_them() {
    let (tx, rx) = channel::<u32>();
    let (idle, no) = channel::<u32>();
    let never = tick(Duration::MAX);
    let long = PATIENCE;
    macro_rules! four_times_15 {
        ($($on:literal)+) => {
            select! {
                $(
                    recv(no) -> message, if $on => message.ok(),
                    send(idle, &mut None) -> _ => None,
                    after(long) => None,
                    at(Instant::now() + long) -> _, if true => { None }
                )+
                default => panic!("the sender waits"),
                recv(rx) -> message => message.ok(),
                recv(no) -> message, if false => { message.ok() },
                tick(never) => None,
                tick(never), if false => None
            }
        };
    }
    let mut offer = Scripted::new(tx.send_async(64));
    offer.stays_pending();
    let received =
        four_times_15!(true true true true true true true true true true true true true true true);
    assert_eq!(received, Some(64));
}

/// Measured in processor time, which does not pass while others run.
#[test]
fn a_blocked_alternation_costs_no_processor_time() {
    fn processor_time() -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(time).unwrap()
    }
    let (_tx, rx) = channel::<u32>();
    let (_other, from_other) = channel::<u32>();
    let (begun, cost) = (Instant::now(), processor_time());
    for _ in 0..20 {
        select! {
            recv(rx) -> message => panic!("{message:?}"),
            recv(from_other) -> message => panic!("{message:?}"),
            after(SHORT) => {}
        }
    }
    assert!(begun.elapsed() >= 20 * SHORT);
    let cost = processor_time().checked_sub(cost).unwrap();
    assert!(cost < 2 * SHORT, "{cost:?} in {:?}", begun.elapsed());
}
