//! Deadlocks in a program that runs networks on several threads only: in a file of its own, because what a run on one
//! thread sets up for its program stays.

#![allow(clippy::unwrap_used)]

use std::sync::mpsc;
use std::time::Duration;

use handover::process::{In, Network, Out, RunError};

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
