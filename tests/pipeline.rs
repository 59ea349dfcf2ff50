//! Pipelines: nothing lost, nothing twice, order where it was asked for, and no item held beyond one a process.

#![allow(clippy::unwrap_used)]

#[path = "pipeline/branches.rs"]
mod branches;
#[path = "pipeline/errors.rs"]
mod errors;
#[path = "pipeline/network.rs"]
mod network;
#[path = "pipeline/order.rs"]
mod order;
#[path = "pipeline/shapes.rs"]
mod shapes;

use std::{
    collections::BTreeSet,
    fmt,
    future::poll_fn,
    ops::ControlFlow,
    sync::{Arc, Barrier},
    task::Poll,
    thread,
    time::Duration,
};

use futures_util::stream;
use handover::pattern::{Assembly, Finished, Pipeline, PipelineError};

const ITEMS: u64 = 500;

/// How often a test that depends on chance is run, each time with another seed, which it prints where it fails.
const SEEDS: u64 = if cfg!(miri) { 2 } else { 20 };

/// Marsaglia's xorshift.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Gives way so many times.
async fn give_way(mut times: u64) {
    poll_fn(|context| {
        if times == 0 {
            return Poll::Ready(());
        }
        times -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A delay for an item that depends on nothing but the item and the seed.
fn delay(seed: u64, item: u64) -> u64 {
    let mut state = (seed + 1) * 0x9e37_79b9 + item * 0x85eb_ca6b + 1;
    random(&mut state);
    random(&mut state) % 12
}

/// Runs it on one thread, or on several.
fn run_on<R>(threads: usize, assembly: Assembly<R>) -> Result<Finished<R>, PipelineError> {
    if threads == 1 {
        assembly.run()
    } else {
        assembly.run_threads(threads)
    }
}

#[derive(Debug)]
struct Bad(u64);

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is bad", self.0)
    }
}

impl std::error::Error for Bad {}

fn not_thirteen(n: u64) -> Result<u64, Bad> {
    if n == 13 { Err(Bad(n)) } else { Ok(n) }
}

// ---- Nothing lost, nothing twice ----

#[test]
fn every_item_comes_out_once() {
    for threads in [1, 3] {
        for seed in 0..SEEDS {
            let done = Pipeline::from(0..ITEMS)
                .stage_async("first", 4, move |n| async move {
                    give_way(delay(seed, n)).await;
                    n
                })
                .stage("second", 3, |n| n)
                .stage_async("third", 2, move |n| async move {
                    give_way(delay(seed + 7, n)).await;
                    n
                })
                .collect();
            let done = run_on(threads, done).unwrap();
            assert_eq!(done.value.len() as u64, ITEMS, "seed {seed}");
            let set: BTreeSet<u64> = done.value.into_iter().collect();
            assert_eq!(set, (0..ITEMS).collect(), "seed {seed}");
            for stage in &done.report.stages {
                assert_eq!((stage.taken, stage.passed), (ITEMS, ITEMS), "{stage:?}");
                assert_eq!(stage.in_hand(), 0);
            }
        }
    }
}

#[test]
fn an_empty_source_ends_at_once() {
    for threads in [1, 2] {
        let done = Pipeline::from(std::iter::empty::<u64>())
            .stage("a", 3, |n| n)
            .ordered()
            .stage("b", 2, |n| n)
            .stage_blocking("c", 2, |n| n)
            .collect();
        let done = run_on(threads, done).unwrap();
        assert!(done.value.is_empty());
        assert_eq!(done.report.slowest().map(|stage| stage.taken), Some(0));
    }
}

#[test]
fn a_source_without_stages_is_a_pipeline() {
    let done = Pipeline::from(0..4_u64).fold(0, |sum, n| *sum += n).run();
    assert_eq!(done.unwrap().value, 6);
}

#[test]
fn sources_may_be_streams_threads_and_fallible() {
    let from_stream = Pipeline::from_stream(stream::iter(0..4_u64)).collect();
    assert_eq!(from_stream.run().unwrap().value, [0, 1, 2, 3]);
    let from_thread = Pipeline::from_blocking(0..4_u64).collect();
    assert_eq!(from_thread.run().unwrap().value, [0, 1, 2, 3]);

    let results = || (12..15).map(not_thirteen);
    let skipping = Pipeline::from_results(results()).or_skip().collect();
    let skipping = skipping.run().unwrap();
    assert_eq!(skipping.value, [12, 14]);
    assert_eq!(skipping.report.stage("source").unwrap().skipped, 1);
    let stopping = [
        Pipeline::from_results(results()).collect().run(),
        Pipeline::from_results_blocking(results()).collect().run(),
        Pipeline::from_result_stream(stream::iter(results()))
            .collect()
            .run(),
    ];
    for stopped in stopping {
        match stopped {
            Err(PipelineError::Failed { stage, error, .. }) => {
                assert_eq!(stage, "source");
                assert_eq!(error.downcast_ref::<Bad>().map(|bad| bad.0), Some(13));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_pipeline_runs_in_a_task_and_awaits_its_runtime() {
    let done = Pipeline::from(0..20_u64)
        .stage_async("wait", 5, |n| async move {
            tokio::time::sleep(Duration::from_millis(n % 3)).await;
            n
        })
        .ordered()
        .collect()
        .run_async()
        .await
        .unwrap();
    assert_eq!(done.value, (0..20).collect::<Vec<_>>());
}

// ---- An early end ----

#[test]
fn when_the_sink_has_enough_an_endless_source_ends() {
    for threads in [1, 3] {
        for ordered in [false, true] {
            let stage = Pipeline::from(0_u64..).stage("work", 4, |n| n);
            let stage = if ordered { stage.ordered() } else { stage };
            let done = stage.stage_blocking("block", 2, |n| n).ordered().sink(|n| {
                if n < 50 {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            let done = run_on(threads, done).unwrap();
            // What was made went on, or is in somebody's hand: the ledger is even.
            for pair in done.report.stages.windows(2) {
                assert!(pair[1].in_hand() <= pair[1].workers as u64);
                assert_eq!(pair[0].passed, pair[1].taken, "{}", done.report);
            }
        }
    }
}

// ---- The slowest stage ----

#[test]
fn the_slowest_stage_is_named_by_what_was_measured() {
    for slow in ["read", "resize", "write"] {
        let pace = move |name: &'static str| {
            move |n: u64| {
                if name == slow {
                    thread::sleep(Duration::from_millis(5));
                }
                n
            }
        };
        let done = Pipeline::from(0..20_u64)
            .stage_blocking("read", 1, pace("read"))
            .stage_blocking("resize", 1, pace("resize"))
            .stage_blocking("write", 1, pace("write"))
            .for_each(drop)
            .run()
            .unwrap();
        assert_eq!(done.report.slowest().unwrap().stage, slow);
        let text = done.report.to_string();
        assert!(text.ends_with(&format!("slowest: {slow}")), "{text}");
        // Those before it wait to pass on, those after it wait for input.
        let slow_at = done
            .report
            .stages
            .iter()
            .position(|stage| stage.stage == slow);
        for (at, stage) in done.report.stages.iter().enumerate() {
            match at.cmp(&slow_at.unwrap()) {
                std::cmp::Ordering::Less => {
                    assert!(stage.waited_for_output > stage.working, "{text}");
                }
                std::cmp::Ordering::Greater => {
                    assert!(stage.waited_for_input > stage.working, "{text}");
                }
                std::cmp::Ordering::Equal => {}
            }
        }
    }
}

#[test]
fn workers_of_a_blocking_stage_work_at_the_same_time() {
    // Nobody passes the barrier unless all three are at it.
    let barrier = Arc::new(Barrier::new(3));
    let done = Pipeline::from(0..9_u64)
        .stage_blocking("together", 3, move |n| {
            barrier.wait();
            n
        })
        .ordered()
        .collect()
        .run()
        .unwrap();
    assert_eq!(done.value, (0..9).collect::<Vec<_>>());
}
