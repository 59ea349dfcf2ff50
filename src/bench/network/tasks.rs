//! Tasks of tokio's as processes: on a runtime of the current thread, or on several threads of its own.
//!
//! Every process is a task that is spawned from within the runtime, unboxed and by value, which is the fastest that
//! was found: tasks of a `LocalSet` and tasks without a budget are within two hundredths of it.

use std::marker::PhantomData;

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

use super::{
    LightProcesses, Processes,
    stopwatch::{Lapped, Stopwatch},
    workload::Threads,
};
use crate::bench::{
    contender::Tasks,
    run::{Clocks, Run, STAGES},
};

/// Tasks of tokio's with channels of kind `C` between them.
#[derive(Debug)]
pub struct OnTokio<C>(PhantomData<C>);

impl<C: Tasks> Processes for OnTokio<C> {
    fn commstime(count: u64) -> Run {
        let runtime = current_thread();
        let clocks = Clocks::start();
        runtime.block_on(async {
            let (to_delta, from_prefix) = C::pair::<u64>();
            let (to_successor, from_delta) = C::pair::<u64>();
            let (to_prefix, from_successor) = C::pair::<u64>();
            let (to_consumer, numbers) = C::pair::<u64>();
            all_of([
                tokio::spawn(prefix::<C>(from_successor, to_delta, count)),
                tokio::spawn(delta::<C>(from_prefix, to_successor, to_consumer, count)),
                tokio::spawn(successor::<C>(from_delta, to_prefix, count)),
                tokio::spawn(consumer::<C>(numbers, count)),
            ])
            .await;
        });
        clocks.stop(4 * count + 1, None)
    }

    fn pipeline(count: u64) -> Run {
        let runtime = current_thread();
        let clocks = Clocks::start();
        runtime.block_on(async {
            let (first, mut from) = C::pair::<u64>();
            let mut all = vec![tokio::spawn(async move {
                for number in 0..count {
                    C::send(&first, number).await;
                }
            })];
            for _ in 0..STAGES {
                let (to, next) = C::pair::<u64>();
                let from = std::mem::replace(&mut from, next);
                all.push(tokio::spawn(pass_on::<C>(from, to, count)));
            }
            all.push(tokio::spawn(consumer::<C>(from, count)));
            all_of(all).await;
        });
        clocks.stop(count, None)
    }
}

impl<C: Tasks> LightProcesses for OnTokio<C> {
    fn ring(laps: u64, size: usize) -> Lapped {
        let runtime = current_thread();
        let watch = Stopwatch::start(laps, size);
        let watch = runtime.block_on(async {
            let (first, mut from) = C::pair::<u64>();
            for _ in 1..size {
                let (to, next) = C::pair::<u64>();
                let from = std::mem::replace(&mut from, next);
                // Nobody waits for it by its handle: if it failed, the token would not come back.
                tokio::spawn(around::<C>(from, to, laps + 2));
            }
            let first = tokio::spawn(first_of_ring::<C>(from, first, laps + 2, watch));
            first.await.expect("the ring's checks hold")
        });
        drop(runtime);
        watch.ended()
    }

    fn pairs(count: u64, size: usize, threads: Threads) -> Run {
        let runtime = match threads {
            Threads::One => current_thread(),
            Threads::Two => two_threads(),
        };
        let clocks = Clocks::start();
        let spawn_all = async move {
            let mut all = Vec::with_capacity(2 * size);
            for _ in 0..size {
                let (there, arriving) = C::pair::<u64>();
                let (back, mut returning) = C::pair::<u64>();
                all.push(tokio::spawn(async move {
                    for number in 0..count {
                        C::send(&there, number).await;
                        assert_eq!(C::recv(&mut returning).await, number);
                    }
                }));
                all.push(tokio::spawn(pass_on::<C>(arriving, back, count)));
            }
            all_of(all).await;
        };
        runtime.block_on(async {
            // From a thread of the runtime, whose own queue is faster than the one for the world outside.
            let all = tokio::spawn(spawn_all);
            all.await.expect("the checks of each pair hold");
        });
        clocks.stop(count * size as u64, None)
    }
}

async fn prefix<C: Tasks>(mut from: C::Rx<u64>, to: C::Tx<u64>, count: u64) {
    C::send(&to, 0).await;
    for _ in 0..count {
        let number = C::recv(&mut from).await;
        C::send(&to, number).await;
    }
}

async fn delta<C: Tasks>(
    mut from: C::Rx<u64>,
    to_successor: C::Tx<u64>,
    to_consumer: C::Tx<u64>,
    count: u64,
) {
    for _ in 0..count {
        let number = C::recv(&mut from).await;
        C::send(&to_successor, number).await;
        C::send(&to_consumer, number).await;
    }
    assert_eq!(C::recv(&mut from).await, count);
}

async fn successor<C: Tasks>(mut from: C::Rx<u64>, to: C::Tx<u64>, count: u64) {
    for _ in 0..count {
        let number = C::recv(&mut from).await;
        C::send(&to, number + 1).await;
    }
}

async fn consumer<C: Tasks>(mut from: C::Rx<u64>, count: u64) {
    for number in 0..count {
        assert_eq!(C::recv(&mut from).await, number);
    }
}

async fn pass_on<C: Tasks>(mut from: C::Rx<u64>, to: C::Tx<u64>, count: u64) {
    for _ in 0..count {
        let number = C::recv(&mut from).await;
        C::send(&to, number).await;
    }
}

async fn around<C: Tasks>(mut from: C::Rx<u64>, to: C::Tx<u64>, laps: u64) {
    for _ in 0..laps {
        let token = C::recv(&mut from).await;
        C::send(&to, token + 1).await;
    }
}

async fn first_of_ring<C: Tasks>(
    mut from: C::Rx<u64>,
    to: C::Tx<u64>,
    laps: u64,
    mut watch: Stopwatch,
) -> Stopwatch {
    for lap in 0..laps {
        C::send(&to, watch.sends()).await;
        let token = C::recv(&mut from).await;
        watch.came_back(lap, token);
    }
    watch
}

/// Waits until all have ended. They run by themselves, so the order does not matter.
async fn all_of(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        task.await.expect("the checks of each task hold");
    }
}

/// Without drivers it needs nothing from the system, so it is told to look there seldom, which saves it two
/// hundredths.
fn current_thread() -> Runtime {
    let runtime = Builder::new_current_thread().event_interval(1000).build();
    runtime.expect("a runtime without drivers can be made")
}

fn two_threads() -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(2).build();
    runtime.expect("the threads of the runtime can be started")
}
