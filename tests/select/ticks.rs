//! Tickers: the beat is kept, missed ticks are one, and each tick is met once.

use std::{
    thread,
    time::{Duration, Instant},
};

use handover::{
    channel,
    channel::{Ticker, tick},
    select, select_async,
};

use crate::stage::{Peer, SHORT, Scripted, for_peers, homemade_block_on, until};

fn next(peer: Peer, ticker: &Ticker) -> Instant {
    match peer {
        Peer::Thread => ticker.wait(),
        task => task.run(ticker.wait_async()),
    }
}

/// How many whole periods lie between two ticks.
#[track_caller]
fn periods(from: Instant, to: Instant, period: Duration) -> u128 {
    let between = to.duration_since(from).as_nanos();
    assert_eq!(between % period.as_nanos(), 0, "off the beat");
    between / period.as_nanos()
}

for_peers! {
    fn ticks_are_on_the_beat_and_never_early(peer) {
        const PERIOD: Duration = Duration::from_millis(3);
        let begun = Instant::now();
        let ticker = tick(PERIOD);
        let first = next(peer, &ticker);
        assert!(first >= begun + PERIOD);
        let mut last = first;
        for _ in 0..10 {
            let due = next(peer, &ticker);
            assert!(Instant::now() >= due, "early");
            assert!(periods(last, due, PERIOD) >= 1);
            last = due;
        }
        assert!(begun.elapsed() >= 11 * PERIOD);
    }

    fn missed_ticks_are_one_and_the_next_is_on_the_beat_again(peer) {
        let ticker = tick(SHORT);
        let first = next(peer, &ticker);
        let back = first + 5 * SHORT;
        select! { at(back) => {} }
        assert_eq!(next(peer, &ticker), first + SHORT, "the first that was missed");
        let after = next(peer, &ticker);
        assert!(after > back, "those that were missed with it are gone");
        assert!(periods(first, after, SHORT) >= 6);
    }
}

#[test]
fn a_task_that_waits_for_a_tick_may_move_between_threads() {
    fn checked<F: Future + Send>(waiting: F) -> F {
        waiting
    }
    let ticker = tick(SHORT);
    let due = homemade_block_on(checked(ticker.wait_async()));
    let next = homemade_block_on(checked(async {
        select_async! {
            tick(ticker) -> due => due,
        }
    }));
    assert!(next > due);
}

#[test]
fn each_tick_is_met_once_by_whoever_comes_first() {
    const TICKS: usize = 40;
    const PERIOD: Duration = Duration::from_micros(500);
    let ticker = tick(PERIOD);
    let mut met = thread::scope(|scope| {
        let waiters = [
            scope.spawn(|| (0..TICKS).map(|_| ticker.wait()).collect::<Vec<_>>()),
            scope.spawn(|| {
                let one = || async {
                    select_async! { tick(ticker) -> due => due }
                };
                (0..TICKS).map(|_| homemade_block_on(one())).collect()
            }),
            scope.spawn(|| {
                (0..TICKS)
                    .map(|_| select! { tick(ticker) -> due => due })
                    .collect()
            }),
        ];
        waiters
            .into_iter()
            .flat_map(|waiter| waiter.join().unwrap())
            .collect::<Vec<_>>()
    });
    met.sort_unstable();
    let all = met.len();
    met.dedup();
    assert_eq!((met.len(), all), (3 * TICKS, 3 * TICKS));
    for pair in met.windows(2) {
        periods(pair[0], pair[1], PERIOD);
    }
}

#[test]
fn a_guard_that_loses_leaves_the_tick_for_the_next() {
    let (tx, rx) = channel::<u32>();
    let ticker = tick(SHORT);
    let begun = Instant::now();
    let mut offer = Scripted::new(tx.send_async(1));
    offer.stays_pending();
    select! { at(begun + 2 * SHORT) => {} }
    select! {
        biased;
        recv(rx) -> message => assert_eq!(message, Ok(1)),
        tick(ticker) => panic!("the message comes first"),
    }
    let due = ticker.wait();
    assert!(due <= begun + SHORT, "it was due before the message came");
}

#[test]
fn a_dropped_wait_meets_no_tick() {
    let ticker = tick(SHORT);
    let mut waiting = Scripted::new(ticker.wait_async());
    waiting.stays_pending();
    until(|| waiting.wakes() == 1);
    drop(waiting);
    let due = ticker.wait();
    assert!(due <= Instant::now() && due + SHORT > due);
    assert_eq!(ticker.period(), SHORT);
    let second = ticker.wait();
    assert!(periods(due, second, SHORT) >= 1);
}

#[test]
#[should_panic(expected = "a ticker needs a period longer than zero")]
fn a_period_of_zero_is_refused() {
    let _ = tick(Duration::ZERO);
}
