//! Pipelines: nothing lost, nothing twice, order where it was asked for, and no item held beyond one a process.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fmt,
    future::poll_fn,
    ops::ControlFlow,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    thread,
    time::Duration,
};

use futures_util::stream;
use handover::{
    pattern::{
        Actor, Address, Assembly, Context, Finished, Handler, InHand, Pipeline, PipelineError,
    },
    process::{Deadlock, In, Network, OnDeadlock, Out, ProcessError},
};

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

// ---- Order ----

#[test]
fn order_is_kept_under_random_delays() {
    for threads in [1, 3] {
        // Numbers of workers that have no factor in common, and some that have.
        let workers = [(4, 3), (4, 2), (1, 5), (6, 4)].into_iter().cycle();
        for (seed, workers) in (0..SEEDS).zip(workers) {
            let done = Pipeline::from(0..ITEMS)
                .stage_async("first", workers.0, move |n| async move {
                    give_way(delay(seed, n)).await;
                    n
                })
                .ordered()
                .stage_async("second", workers.1, move |n| async move {
                    give_way(delay(seed + 3, n)).await;
                    n
                })
                .ordered()
                .collect();
            let done = run_on(threads, done).unwrap();
            assert_eq!(done.value, (0..ITEMS).collect::<Vec<_>>(), "seed {seed}");
        }
    }
}

#[test]
fn order_is_kept_on_threads_and_around_what_is_left_out() {
    for threads in [1, 3] {
        for seed in 0..SEEDS {
            let bad = move |n: u64| delay(seed + 11, n) < 3;
            let done = Pipeline::from(0..ITEMS)
                .try_stage_async("first", 4, move |n| async move {
                    give_way(delay(seed, n)).await;
                    if bad(n) { Err(Bad(n)) } else { Ok(n) }
                })
                .ordered()
                .or_skip()
                .try_stage_blocking(
                    "second",
                    3,
                    move |n| {
                        if n % 5 == 0 { Err(Bad(n)) } else { Ok(n) }
                    },
                )
                .ordered()
                .or_skip()
                .collect();
            let done = run_on(threads, done).unwrap();
            let expected: Vec<u64> = (0..ITEMS).filter(|&n| !bad(n) && n % 5 != 0).collect();
            assert_eq!(done.value, expected, "seed {seed}");
            let skipped = ["first", "second"].map(|name| done.report.stage(name).unwrap().skipped);
            assert_eq!(skipped[0], (0..ITEMS).filter(|&n| bad(n)).count() as u64);
            assert_eq!(skipped[0] + skipped[1] + expected.len() as u64, ITEMS);
        }
    }
}

#[test]
fn after_a_stage_without_order_an_ordered_one_gets_every_item() {
    for threads in [1, 3] {
        for seed in 0..SEEDS {
            let done = Pipeline::from(0..ITEMS)
                .stage_async("loose", 3, move |n| async move {
                    give_way(delay(seed, n)).await;
                    n
                })
                .stage_async("strict", 4, move |n| async move {
                    give_way(delay(seed + 5, n)).await;
                    n
                })
                .ordered()
                .collect();
            let done = run_on(threads, done).unwrap();
            assert_eq!(done.value.len() as u64, ITEMS, "seed {seed}");
            let set: BTreeSet<u64> = done.value.into_iter().collect();
            assert_eq!(set.len() as u64, ITEMS, "seed {seed}");
        }
    }
}

#[test]
fn one_slow_item_holds_up_no_more_than_the_other_workers() {
    const WORKERS: usize = 4;
    // The first item never ends until all others that can be taken were: then nothing moves, and that is counted.
    let taken = Arc::new(AtomicUsize::new(0));
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let making = Arc::clone(&made);
    let source = (0..100_u64).inspect(move |_| {
        making.fetch_add(1, Ordering::SeqCst);
    });
    let mut net = Network::new("slow");
    let (gate_out, gate_in) = net.channel::<()>("gate");
    let (go_out, go_in) = handover::channel::<()>();
    let built = Pipeline::from(source)
        .named("images")
        .stage_async("resize", WORKERS, move |n| {
            count.fetch_add(1, Ordering::SeqCst);
            let gate = go_in.clone();
            async move {
                if n == 0 {
                    gate.recv_async().await.unwrap();
                }
                n
            }
        })
        .ordered()
        .collect()
        .build(&mut net)
        .unwrap();
    // It gives everybody more turns than they could use, and then looks.
    let (seen_taken, seen_made) = (Arc::clone(&taken), Arc::clone(&made));
    net.process("judge", gate_out, async move |_: &Out<()>| {
        give_way(1000).await;
        assert_eq!(seen_taken.load(Ordering::SeqCst), WORKERS);
        // One more is in the hand of the source.
        assert_eq!(seen_made.load(Ordering::SeqCst), WORKERS + 1);
        go_out.send_async(()).await?;
        Ok(())
    });
    drop(gate_in);
    let ended = net.run();
    let done = built.finish(ended).unwrap();
    assert_eq!(done.value, (0..100).collect::<Vec<_>>());
}

#[test]
fn what_is_held_is_at_most_one_item_a_process() {
    for threads in [1, 3] {
        for seed in 0..SEEDS {
            let under_way = Arc::new(AtomicUsize::new(0));
            let most = Arc::new(AtomicUsize::new(0));
            let (made, peak, left) = (
                Arc::clone(&under_way),
                Arc::clone(&most),
                Arc::clone(&under_way),
            );
            let source = (0..ITEMS).inspect(move |_| {
                let now = made.fetch_add(1, Ordering::SeqCst) + 1;
                peak.fetch_max(now, Ordering::SeqCst);
            });
            let done = Pipeline::from(source)
                .stage_async("a", 4, move |n| async move {
                    give_way(delay(seed, n)).await;
                    n
                })
                .ordered()
                .stage_async("b", 3, move |n| async move {
                    give_way(delay(seed + 1, n)).await;
                    n
                })
                .ordered()
                .for_each(move |_| {
                    left.fetch_sub(1, Ordering::SeqCst);
                });
            run_on(threads, done).unwrap();
            assert_eq!(under_way.load(Ordering::SeqCst), 0);
            let most = most.load(Ordering::SeqCst);
            // The source, four, three, and the sink.
            assert!(most <= 9, "{most} items at once, seed {seed}");
        }
    }
}

// ---- Errors ----

#[test]
fn the_first_error_ends_the_run_and_names_its_stage() {
    for threads in [1, 3] {
        let failed = Pipeline::from(0_u64..)
            .named("numbers")
            .stage("copy", 2, |n| n)
            .try_stage("check", 3, not_thirteen)
            .for_each(drop);
        match run_on(threads, failed) {
            Err(PipelineError::Failed {
                stage,
                process,
                error,
            }) => {
                assert_eq!(stage, "check");
                assert!(process.starts_with("numbers/check "), "{process}");
                assert_eq!(error.to_string(), "13 is bad");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn errors_can_go_another_way() {
    for threads in [1, 3] {
        let errors = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&errors);
        let done = Pipeline::from(0..ITEMS)
            .try_stage(
                "check",
                3,
                |n| if n % 10 == 3 { Err(Bad(n)) } else { Ok(n) },
            )
            .ordered()
            .or_divert(move |error| {
                let bad: &Bad = error.downcast_ref().unwrap();
                taken.lock().unwrap().push(bad.0);
            })
            .collect();
        let done = run_on(threads, done).unwrap();
        let expected: Vec<u64> = (0..ITEMS).filter(|n| n % 10 != 3).collect();
        assert_eq!(done.value, expected);
        let mut errors = errors.lock().unwrap().clone();
        errors.sort_unstable();
        let expected: Vec<u64> = (0..ITEMS).filter(|n| n % 10 == 3).collect();
        assert_eq!(errors, expected);
        assert_eq!(
            done.report.stage("check").unwrap().diverted,
            expected.len() as u64
        );
    }
}

#[test]
fn when_nobody_takes_diverted_errors_any_more_the_next_one_ends_the_run() {
    let failed = Pipeline::from(0..ITEMS)
        .try_stage_blocking("check", 1, |n| if n > 20 { Err(Bad(n)) } else { Ok(n) })
        .or_divert(|_| ControlFlow::Break(()))
        .for_each(drop)
        .run();
    match failed {
        Err(PipelineError::Failed { stage, error, .. }) => {
            assert_eq!(stage, "check");
            assert_eq!(error.to_string(), "22 is bad");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_in_a_stage_is_the_runs_error_by_name() {
    for threads in [1, 2] {
        let quick = |n: u64| {
            assert_ne!(n, 7, "seven");
            n
        };
        let panicking = [
            Pipeline::from(0..ITEMS).stage("work", 2, quick).collect(),
            Pipeline::from(0..ITEMS)
                .stage_blocking("work", 2, quick)
                .ordered()
                .collect(),
        ];
        for panicking in panicking {
            match run_on(threads, panicking) {
                Err(PipelineError::Panicked { stage, message, .. }) => {
                    assert_eq!(stage, "work");
                    assert!(message.contains("seven"), "{message}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn an_error_of_the_sink_is_named_too() {
    let failed = Pipeline::from(0..ITEMS)
        .sink(|n| not_thirteen(n).map(drop))
        .run();
    match failed {
        Err(PipelineError::Failed { stage, .. }) => assert_eq!(stage, "sink"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stage_without_workers_is_an_error_that_says_so() {
    let failed = Pipeline::from(0..ITEMS)
        .stage("idle", 0, |n| n)
        .collect()
        .run();
    assert_eq!(
        failed.unwrap_err().to_string(),
        "stage `idle` has 0 workers; give it 1 at least"
    );
    let failed = Pipeline::from(0..ITEMS)
        .stage("sink", 1, |n| n)
        .collect()
        .run();
    assert!(matches!(failed, Err(PipelineError::SameName { .. })));
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

// ---- As a part of a network ----

#[test]
fn its_processes_show_in_the_network_by_name() {
    let mut net = Network::new("house");
    let built = net
        .network("kitchen", |net| {
            Pipeline::from(0..10_u64)
                .named("dishes")
                .stage("wash", 2, |n| n)
                .try_stage("dry", 1, not_thirteen)
                .or_divert(|_| ())
                .collect()
                .build(net)
        })
        .unwrap();
    let names: BTreeSet<String> = net
        .observe()
        .snapshot()
        .processes
        .into_iter()
        .map(|process| process.name)
        .collect();
    let expected = ["dry 1", "dry errors", "sink", "source", "wash 1", "wash 2"];
    let expected = expected.map(|name| format!("kitchen/dishes/{name}"));
    assert_eq!(names, expected.into_iter().collect());
    let ended = net.run();
    let mut done = built.finish(ended).unwrap();
    done.value.sort_unstable();
    assert_eq!(done.value, (0..10).collect::<Vec<_>>());
}

#[test]
fn a_pipeline_whose_network_did_not_run_is_unfinished() {
    let mut net = Network::new("house");
    let built = Pipeline::from(0..10_u64).collect().build(&mut net).unwrap();
    drop(net);
    assert!(matches!(
        built.finish(Ok(())),
        Err(PipelineError::Unfinished { .. })
    ));
}

#[test]
fn no_pipeline_raises_a_false_alarm() {
    let alarms = Arc::new(Mutex::new(Vec::<Deadlock>::new()));
    for seed in 0..SEEDS {
        let mut net = Network::new("quiet");
        let heard = Arc::clone(&alarms);
        net.on_deadlock(OnDeadlock::Call(Box::new(move |deadlock| {
            heard.lock().unwrap().push(deadlock.clone());
        })));
        let built = Pipeline::from(0..40_u64)
            .stage_blocking("slow", 3, move |n| {
                thread::sleep(Duration::from_millis(delay(seed, n)));
                n
            })
            .ordered()
            .stage("quick", 2, |n| n)
            .ordered()
            .collect()
            .build(&mut net)
            .unwrap();
        let ended = net.run_threads(2);
        assert_eq!(built.finish(ended).unwrap().value.len(), 40);
    }
    let alarms = alarms.lock().unwrap();
    assert!(alarms.is_empty(), "{alarms:?}");
}

/// Doubles numbers, for whoever asks.
struct Doubler;

impl Actor for Doubler {
    type Ports = ();
}

impl Handler<u64> for Doubler {
    type Reply = u64;

    async fn handle(
        &mut self,
        number: InHand<'_, u64>,
        _: &Context<'_, Self>,
    ) -> Result<u64, ProcessError> {
        Ok(*number * 2)
    }
}

#[test]
fn stages_and_sinks_talk_to_others_of_their_network() {
    for threads in [1, 3] {
        let mut net = Network::new("house");
        let doubler = Doubler::declare(&mut net, "doubler").spawn(&mut net, (), || Doubler);
        let (out, into) = net.channel::<u64>("numbers");
        let built = Pipeline::from(0..ITEMS)
            .try_stage_with(
                "double",
                3,
                move || doubler.share(),
                async |doubler: &Address<Doubler>, n: u64| doubler.ask(n).await,
            )
            .ordered()
            .sink_with(out, async |out: &Out<u64>, n: u64| out.send(n).await)
            .build(&mut net)
            .unwrap();
        let (back_out, back_in) = net.channel::<u64>("back");
        let behind = Pipeline::from_port(back_in)
            .named("behind")
            .fold(0, |sum, n| *sum += n)
            .build(&mut net)
            .unwrap();
        net.process(
            "reader",
            (into, back_out),
            async |(numbers, back): &(In<u64>, Out<u64>)| {
                for n in 0..ITEMS {
                    assert_eq!(numbers.recv().await?, 2 * n);
                    back.send(n).await?;
                }
                assert!(numbers.recv().await.is_err());
                Ok(())
            },
        );
        let ended = if threads == 1 {
            net.run()
        } else {
            net.run_threads(threads)
        };
        built.finish(ended).unwrap();
        assert_eq!(
            behind.finish(Ok(())).unwrap().value,
            (0..ITEMS).sum::<u64>()
        );
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
