//! Deadlocks in a program that runs networks on several threads only: in a file of its own, because what a run on one
//! thread sets up for its program stays.

#![allow(clippy::unwrap_used)]

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc,
};
use std::time::Duration;

use handover::process::{In, Network, OnDeadlock, Out, RunError};

#[test]
fn two_that_wait_for_each_other_are_found_while_a_pair_goes_on() {
    let (told, outcome) = mpsc::channel();
    std::thread::spawn(move || {
        let mut net = Network::new("two and two");
        let (up_out, up_in) = net.channel::<u32>("up");
        let (down_out, down_in) = net.channel::<u32>("down");
        for (name, to, from) in [("a", up_out, down_in), ("b", down_out, up_in)] {
            net.process(
                name,
                (to, from),
                async |(to, from): &(Out<u32>, In<u32>)| {
                    to.send(1).await?;
                    from.recv().await?;
                    Ok(())
                },
            );
        }
        let (ticks_out, ticks_in) = net.channel::<u32>("ticks");
        net.process("clock", ticks_out, async |ticks: &Out<u32>| {
            loop {
                ticks.send(1).await?;
            }
        });
        net.process("ear", ticks_in, async |ticks: &In<u32>| {
            loop {
                ticks.recv().await?;
            }
        });
        told.send(net.run_threads(2)).unwrap();
    });
    let result = outcome.recv_timeout(Duration::from_mins(1));
    let Ok(Err(RunError::Deadlock(deadlock))) = result else {
        panic!("not found: {result:?}");
    };
    assert_eq!(deadlock.cycle_names(), ["a", "b"]);
}

/// Each pair is an island; the deadlocked one is told of while all others go on, and is total once they have ended.
#[test]
fn an_island_that_is_deadlocked_is_told_of_while_the_others_go_on() {
    const PAIRS: usize = 8;
    let (told, outcome) = mpsc::channel();
    std::thread::spawn(move || {
        let mut net = Network::new("islands");
        let was_told = Arc::new(AtomicBool::new(false));
        for number in 0..PAIRS {
            let (out, into) = net.channel::<u32>(&format!("numbers {number}"));
            let was_told = Arc::clone(&was_told);
            net.process(
                format!("source {number}"),
                out,
                async move |out: &Out<u32>| {
                    while !was_told.load(Ordering::Relaxed) {
                        out.send(1).await?;
                    }
                    Ok(())
                },
            );
            net.process(format!("sink {number}"), into, async |into: &In<u32>| {
                while into.next().await?.is_some() {}
                Ok(())
            });
        }
        let (up_out, up_in) = net.channel::<u32>("up");
        let (down_out, down_in) = net.channel::<u32>("down");
        for (name, to, from) in [("a", up_out, down_in), ("b", down_out, up_in)] {
            net.process(
                name,
                (to, from),
                async |(to, from): &(Out<u32>, In<u32>)| {
                    to.send(1).await?;
                    from.recv().await?;
                    Ok(())
                },
            );
        }
        net.on_deadlock(OnDeadlock::Call(Box::new(move |deadlock| {
            assert_eq!(deadlock.cycle_names(), ["a", "b"]);
            assert!(!deadlock.is_total);
            was_told.store(true, Ordering::Relaxed);
        })));
        told.send(net.run_threads(4)).unwrap();
    });
    let result = outcome.recv_timeout(Duration::from_mins(1));
    let Ok(Err(RunError::Deadlock(deadlock))) = result else {
        panic!("not found: {result:?}");
    };
    assert_eq!(deadlock.cycle_names(), ["a", "b"]);
    assert!(deadlock.is_total);
}
