//! P4: deadlock is a value, with the cycle in it, and never a false alarm.

#![allow(clippy::unwrap_used)]

#[path = "deadlock/all.rs"]
mod all;
#[path = "deadlock/corpus.rs"]
mod corpus;
#[path = "deadlock/moving.rs"]
mod moving;
#[path = "deadlock/outside.rs"]
mod outside;
#[path = "deadlock/play.rs"]
mod play;
#[path = "deadlock/policies.rs"]
mod policies;
#[path = "deadlock/rights.rs"]
mod rights;
#[path = "deadlock/script.rs"]
mod script;
#[path = "deadlock/stranded.rs"]
mod stranded;
#[path = "deadlock/undecided.rs"]
mod undecided;
#[path = "deadlock/ways.rs"]
mod ways;
#[path = "deadlock/words.rs"]
mod words;

use std::time::Duration;

use handover::process::{BlockingIn, BlockingOut, Deadlock, In, Network, Out, RunError};

fn deadlock_of(net: Network) -> Deadlock {
    match net.run() {
        Err(RunError::Deadlock(deadlock)) => *deadlock,
        other => panic!("no deadlock: {other:?}"),
    }
}

#[test]
fn two_that_both_send_first() {
    let mut net = Network::new("chain");
    let (up_out, up_in) = net.channel::<u32>("up");
    let (down_out, down_in) = net.channel::<u32>("down");
    net.process(
        "a",
        (up_out, down_in),
        async |(up, down): &(Out<u32>, In<u32>)| {
            up.send(1).await?;
            down.recv().await?;
            Ok(())
        },
    );
    net.process(
        "b",
        (down_out, up_in),
        async |(down, up): &(Out<u32>, In<u32>)| {
            down.send(2).await?;
            up.recv().await?;
            Ok(())
        },
    );
    let deadlock = deadlock_of(net);
    assert_eq!(deadlock.cycle_names(), ["a", "b"]);
    assert!(deadlock.is_total);
    let text = deadlock.to_string();
    assert!(
        text.starts_with("deadlock: a (sending on \"up\" at deadlock.rs:"),
        "{text}"
    );
}

#[test]
fn two_threads_that_both_send_first() {
    let mut net = Network::new("threads");
    let (up_out, up_in) = net.channel::<u32>("up");
    let (down_out, down_in) = net.channel::<u32>("down");
    net.thread(
        "a",
        (up_out, down_in),
        |(up, down): &(BlockingOut<u32>, BlockingIn<u32>)| {
            up.send(1)?;
            down.recv()?;
            Ok(())
        },
    );
    net.thread(
        "b",
        (down_out, up_in),
        |(down, up): &(BlockingOut<u32>, BlockingIn<u32>)| {
            down.send(2)?;
            up.recv()?;
            Ok(())
        },
    );
    match net.run() {
        Err(RunError::Deadlock(deadlock)) => assert_eq!(deadlock.cycle_names(), ["a", "b"]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_partial_one_while_others_run() {
    let mut net = Network::new("partial");
    let (up_out, up_in) = net.channel::<u32>("up");
    let (down_out, down_in) = net.channel::<u32>("down");
    let (tick_out, tick_in) = net.channel::<u32>("tick");
    net.process(
        "a",
        (up_out, down_in),
        async |(up, down): &(Out<u32>, In<u32>)| {
            up.send(1).await?;
            down.recv().await?;
            Ok(())
        },
    );
    net.process(
        "b",
        (down_out, up_in),
        async |(down, up): &(Out<u32>, In<u32>)| {
            down.send(2).await?;
            up.recv().await?;
            Ok(())
        },
    );
    net.process("busy", tick_out, async |tick: &Out<u32>| {
        loop {
            tick.send(1).await?;
        }
    });
    net.process("idle", tick_in, async |tick: &In<u32>| {
        loop {
            tick.recv().await?;
        }
    });
    let deadlock = deadlock_of(net);
    assert!(!deadlock.is_total);
    assert_eq!(deadlock.cycle_names(), ["a", "b"]);
}

#[test]
fn a_timeout_is_no_deadlock() {
    let mut net = Network::new("timed");
    let (up_out, up_in) = net.channel::<u32>("up");
    let (down_out, down_in) = net.channel::<u32>("down");
    net.process(
        "a",
        (up_out, down_in),
        async |(up, down): &(Out<u32>, In<u32>)| {
            // Nobody receives in time; then it gives way.
            let late = up.send_timeout(1, Duration::from_millis(150)).await;
            assert!(late.is_err());
            assert_eq!(down.recv().await?, 2);
            up.send(3).await?;
            Ok(())
        },
    );
    net.process(
        "b",
        (up_in, down_out),
        async |(up, down): &(In<u32>, Out<u32>)| {
            down.send(2).await?;
            assert_eq!(up.recv().await?, 3);
            Ok(())
        },
    );
    net.run().unwrap();
}

#[test]
fn one_that_waits_for_itself() {
    let mut net = Network::new("alone");
    let (out, into) = net.channel::<u32>("self");
    net.process(
        "narcissus",
        (out, into),
        async |(out, into): &(Out<u32>, In<u32>)| {
            out.send(1).await?;
            into.recv().await?;
            Ok(())
        },
    );
    assert_eq!(deadlock_of(net).cycle_names(), ["narcissus"]);
}

#[test]
fn one_that_waits_for_nothing() {
    let mut net = Network::new("stuck");
    net.process("buddha", (), async |(): &()| {
        std::future::pending::<()>().await;
        Ok(())
    });
    let deadlock = deadlock_of(net);
    assert!(deadlock.cycle.is_empty());
    assert_eq!(
        deadlock.to_string(),
        "deadlock: buddha waits for nothing that could wake it"
    );
}
