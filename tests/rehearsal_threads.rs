//! A rehearsal starts no thread, neither for its alarms nor to watch.
//!
//! One test, in a program of its own, because it counts the threads of its process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "all of it is tests")]

use std::{fs, time::Duration};

use handover::{
    channel::sleep,
    process::{
        In, Network, Out,
        rehearsal::{Rehearsal, Seeded},
    },
    select_async,
};

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn no_thread_is_started() {
    let before = threads();
    let mut net = Network::new("quiet");
    let (out, into) = net.channel::<u32>("numbers");
    net.process("sender", out, async move |out: &Out<u32>| {
        for number in 0..100 {
            sleep(Duration::from_mins(1)).await;
            assert_eq!(threads(), before);
            out.send_timeout(number, Duration::from_mins(1)).await?;
        }
        Ok(())
    });
    net.process("receiver", into, async move |into: &In<u32>| {
        let mut timeouts = 0;
        loop {
            assert_eq!(threads(), before);
            select_async! {
                recv(into) -> number => if number.is_err() { break },
                after(Duration::from_secs(25)) => timeouts += 1,
            }
        }
        assert_eq!(timeouts, 200);
        Ok(())
    });
    let run = Rehearsal::new().run(net, Seeded::new(1));
    run.result.unwrap();
    assert_eq!(run.time, Duration::from_mins(100));
    assert_eq!(threads(), before);
}
