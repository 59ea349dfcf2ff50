//! This crate's network: named processes, watched for deadlock, with nothing switched off; and beside it the same
//! without the search for deadlocks, to show what that costs.

use std::sync::mpsc;

use super::{
    LightProcesses, Processes,
    stopwatch::{Lapped, Stopwatch},
    workload::Threads,
};
use crate::{
    bench::run::{Clocks, Run, STAGES},
    process::{In, InToken, Network, OnDeadlock, Out, OutToken},
};

/// Processes of a [`Network`], which is searched for deadlocks unless `SEARCHED` is false.
#[derive(Debug)]
pub struct OnNetwork<const SEARCHED: bool = true>;

impl<const SEARCHED: bool> Processes for OnNetwork<SEARCHED> {
    fn commstime(count: u64) -> Run {
        let clocks = Clocks::start();
        let mut net = Network::new("commstime");
        let (to_delta, from_prefix) = net.channel("from prefix to delta");
        let (to_successor, from_delta) = net.channel("from delta to successor");
        let (to_prefix, from_successor) = net.channel("from successor to prefix");
        let (to_consumer, numbers) = net.channel("from delta to consumer");
        net.process(
            "prefix",
            (from_successor, to_delta),
            async move |(from, to): &(In<u64>, Out<u64>)| {
                to.send(0).await?;
                for _ in 0..count {
                    to.send(from.recv().await?).await?;
                }
                Ok(())
            },
        );
        net.process(
            "delta",
            (from_prefix, to_successor, to_consumer),
            async move |(from, to_successor, to_consumer): &(In<u64>, Out<u64>, Out<u64>)| {
                for _ in 0..count {
                    let number = from.recv().await?;
                    to_successor.send(number).await?;
                    to_consumer.send(number).await?;
                }
                assert_eq!(from.recv().await?, count);
                Ok(())
            },
        );
        net.process(
            "successor",
            (from_delta, to_prefix),
            async move |(from, to): &(In<u64>, Out<u64>)| {
                for _ in 0..count {
                    to.send(from.recv().await? + 1).await?;
                }
                Ok(())
            },
        );
        consumer(&mut net, numbers, count);
        run::<SEARCHED>(net, Threads::One);
        clocks.stop(4 * count + 1, None)
    }

    fn pipeline(count: u64) -> Run {
        let clocks = Clocks::start();
        let mut net = Network::new("pipeline");
        let (first, mut from) = net.channel("0");
        net.process("source", first, async move |to: &Out<u64>| {
            for number in 0..count {
                to.send(number).await?;
            }
            Ok(())
        });
        for stage in 1..=STAGES {
            let (to, following) = net.channel(&stage.to_string());
            let from = std::mem::replace(&mut from, following);
            pass_on(&mut net, format!("stage {stage}"), from, to, count);
        }
        consumer(&mut net, from, count);
        run::<SEARCHED>(net, Threads::One);
        clocks.stop(count, None)
    }
}

impl<const SEARCHED: bool> LightProcesses for OnNetwork<SEARCHED> {
    fn ring(laps: u64, size: usize) -> Lapped {
        let mut watch = Stopwatch::start(laps, size);
        let (told, outcome) = mpsc::sync_channel(1);
        let mut net = Network::new("ring");
        let (first, mut from) = net.channel("0");
        for process in 1..size {
            let name = process.to_string();
            let (to, following) = net.channel(&name);
            let from = std::mem::replace(&mut from, following);
            net.process(
                name,
                (from, to),
                async move |(from, to): &(In<u64>, Out<u64>)| {
                    for _ in 0..laps + 2 {
                        to.send(from.recv().await? + 1).await?;
                    }
                    Ok(())
                },
            );
        }
        net.process(
            "0",
            (from, first),
            async move |(from, to): &(In<u64>, Out<u64>)| {
                for lap in 0..laps + 2 {
                    to.send(watch.sends()).await?;
                    watch.came_back(lap, from.recv().await?);
                }
                told.send(watch)?;
                Ok(())
            },
        );
        run::<SEARCHED>(net, Threads::One);
        let watch = outcome.recv().expect("the first process has told");
        watch.ended()
    }

    fn pairs(count: u64, size: usize, threads: Threads) -> Run {
        let clocks = Clocks::start();
        let mut net = Network::new("pairs");
        for pair in 0..size {
            let (there, arriving) = net.channel(&format!("there {pair}"));
            let (back, returning) = net.channel(&format!("back {pair}"));
            net.process(
                format!("ping {pair}"),
                (there, returning),
                async move |(there, returning): &(Out<u64>, In<u64>)| {
                    for number in 0..count {
                        there.send(number).await?;
                        assert_eq!(returning.recv().await?, number);
                    }
                    Ok(())
                },
            );
            pass_on(&mut net, format!("pong {pair}"), arriving, back, count);
        }
        run::<SEARCHED>(net, threads);
        clocks.stop(count * size as u64, None)
    }
}

fn consumer(net: &mut Network, from: InToken<u64>, count: u64) {
    net.process("consumer", from, async move |from: &In<u64>| {
        for number in 0..count {
            assert_eq!(from.recv().await?, number);
        }
        Ok(())
    });
}

fn pass_on(net: &mut Network, name: String, from: InToken<u64>, to: OutToken<u64>, count: u64) {
    net.process(
        name,
        (from, to),
        async move |(from, to): &(In<u64>, Out<u64>)| {
            for _ in 0..count {
                to.send(from.recv().await?).await?;
            }
            Ok(())
        },
    );
}

fn run<const SEARCHED: bool>(mut net: Network, threads: Threads) {
    if !SEARCHED {
        net.on_deadlock(OnDeadlock::Ignore);
    }
    let result = match threads {
        Threads::One => net.run(),
        Threads::Two => net.run_threads(threads.count()),
    };
    if let Err(error) = result {
        panic!("{error}");
    }
}
