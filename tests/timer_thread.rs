//! However many tasks wait for an instant, one thread wakes them all, and it runs only while one does.
//!
//! One test, in a program of its own, because it counts the threads of its process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "all of it is tests")]

use std::{
    fs,
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::{Duration, Instant},
};

use handover::{channel, select, select_async};

const PATIENCE: Duration = Duration::from_secs(20);

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

fn until(fact: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !fact() {
        assert!(Instant::now() < deadline, "it did not happen in time");
        std::thread::yield_now();
    }
}

async fn joined<F: Future>(mut futures: Vec<Pin<Box<F>>>) {
    poll_fn(|context| {
        futures.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if futures.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// Five thousand alternations wait at once, each for an instant of its own and for a message that never comes.
fn thousands_wait_with(before: usize) {
    const WAITS: u32 = 5_000;
    let (_tx, rx) = channel::<u32>();
    let begun = Instant::now();
    let mut waits = Vec::new();
    for number in 0..WAITS {
        let (rx, due) = (&rx, begun + Duration::from_micros(u64::from(number)));
        waits.push(Box::pin(async move {
            select_async! {
                recv(rx) -> message => panic!("{message:?}"),
                at(due + Duration::from_millis(100)) -> told => {
                    assert!(Instant::now() >= told && told >= due, "early");
                }
            }
            assert!(threads() <= before + 1);
        }));
    }
    run(async {
        let mut all = pin!(joined(waits));
        assert!(futures_util::poll!(all.as_mut()).is_pending());
        assert_eq!(threads(), before + 1, "one thread for all of them");
        all.await;
    });
    assert!(begun.elapsed() >= Duration::from_millis(100));
}

#[test]
fn one_thread_wakes_thousands_of_tasks_and_ends_when_none_waits_and_starts_again() {
    let before = threads();

    // A blocked thread needs none.
    select! { after(Duration::from_millis(5)) => {} }
    assert_eq!(threads(), before);

    thousands_wait_with(before);
    until(|| threads() == before);

    thousands_wait_with(before);
    until(|| threads() == before);

    // What was taken back, an hour ahead of its time, does not keep the thread.
    run(async {
        let mut long = pin!(async {
            select_async! { after(Duration::from_hours(1)) => {} }
        });
        assert!(futures_util::poll!(long.as_mut()).is_pending());
        assert_eq!(threads(), before + 1);
    });
    until(|| threads() == before);
}
