//! Pipelines that split, with two ends, or with one where the two join again.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use handover::{
    pattern::{Pipeline, PipelineError},
    process::{Deadlock, In, Network, OnDeadlock, Out, ProcessError},
};

use super::{ITEMS, SEEDS, delay, give_way, not_thirteen, run_on};

#[test]
fn each_item_goes_to_one_of_two_ends_in_order() {
    for threads in [1, 3] {
        for seed in 0..SEEDS {
            let large = Arc::new(Mutex::new(Vec::new()));
            let taken = Arc::clone(&large);
            let is_large = move |n: &u64| delay(seed, *n) > 5;
            let done = Pipeline::from(0..ITEMS)
                .stage_async("before", 3, move |n| async move {
                    give_way(delay(seed + 1, n)).await;
                    n
                })
                .ordered()
                .branch("large", is_large, |large| {
                    large
                        .stage_async("wait", 4, move |n| async move {
                            give_way(delay(seed + 2, n)).await;
                            n
                        })
                        .ordered()
                        .for_each(move |n| taken.lock().unwrap().push(n))
                })
                .stage("rest", 2, |n| n)
                .ordered()
                .collect();
            let done = run_on(threads, done).unwrap();
            let (expected, rest): (Vec<u64>, Vec<u64>) = (0..ITEMS).partition(is_large);
            assert_eq!(done.value, rest, "seed {seed}");
            assert_eq!(*large.lock().unwrap(), expected, "seed {seed}");
            let passed = |stage| done.report.stage(stage).unwrap().passed;
            assert_eq!(passed("large"), ITEMS);
            assert_eq!(passed("wait"), expected.len() as u64);
            assert_eq!(passed("large sink"), expected.len() as u64);
            assert_eq!(passed("rest"), rest.len() as u64);
        }
    }
}

#[test]
fn two_branches_join_again_and_lose_nothing() {
    for threads in [1, 3] {
        for seed in 0..SEEDS {
            let done = Pipeline::from(0..ITEMS)
                .split(
                    "parity",
                    |n| n % 2 == 0,
                    |even| {
                        even.stage_async("even", 3, move |n| async move {
                            give_way(delay(seed, n)).await;
                            n
                        })
                        .ordered()
                    },
                    |odd| odd.try_stage("odd", 2, not_thirteen).ordered().or_skip(),
                )
                .stage("after", 3, |n| n)
                .ordered()
                .collect();
            let done = run_on(threads, done).unwrap();
            // Within each branch the order was kept.
            let (even, odd): (Vec<u64>, Vec<u64>) = done.value.iter().partition(|n| *n % 2 == 0);
            assert_eq!(
                even,
                (0..ITEMS).filter(|n| n % 2 == 0).collect::<Vec<_>>(),
                "seed {seed}"
            );
            let odd_ones = (0..ITEMS).filter(|n| n % 2 == 1 && *n != 13);
            assert_eq!(odd, odd_ones.collect::<Vec<_>>(), "seed {seed}");
            let join = done.report.stage("parity join").unwrap();
            assert_eq!((join.taken, join.passed), (ITEMS - 1, ITEMS - 1));
        }
    }
}

#[test]
fn branches_may_be_empty_and_nested() {
    for threads in [1, 3] {
        let small = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&small);
        let done = Pipeline::from(0..100_u64)
            .split(
                "outer",
                |n| *n < 50,
                |low| {
                    low.branch(
                        "small",
                        |n| *n < 10,
                        |small| {
                            small.for_each(move |_| {
                                count.fetch_add(1, Ordering::SeqCst);
                            })
                        },
                    )
                },
                |high| {
                    high.split(
                        "inner",
                        |n| *n < 75,
                        |mid| mid,
                        |top| top.stage("negate", 2, |n| n),
                    )
                },
            )
            .collect();
        let mut done = run_on(threads, done).unwrap();
        done.value.sort_unstable();
        assert_eq!(done.value, (10..100).collect::<Vec<_>>());
        assert_eq!(small.load(Ordering::SeqCst), 10);
    }
}

#[test]
fn a_branch_shows_in_the_network_by_name_and_is_a_part_of_it() {
    let mut net = Network::new("house");
    let (found_out, found_in) = net.channel::<u64>("found");
    let built = net.network("kitchen", |net| {
        Pipeline::from(0..40_u64)
            .named("dishes")
            .branch(
                "broken",
                |n| *n == 13,
                |broken| {
                    broken.sink_ports(found_out, async |found: &Out<u64>, n: u64| {
                        found.send(n).await
                    })
                },
            )
            .split(
                "size",
                |n| n % 2 == 0,
                |big| big.stage("wash", 2, |n| n),
                |small| small,
            )
            .fold(0, |sum, n| *sum += n)
            .build(net)
    });
    let built = built.unwrap();
    net.process("finder", found_in, async |found: &In<u64>| {
        assert_eq!(found.recv().await?, 13);
        assert!(found.next().await?.is_none());
        Ok(())
    });
    let seen = net.observe().snapshot();
    let names: BTreeSet<&str> = seen
        .processes
        .iter()
        .map(|process| &*process.name)
        .collect();
    let expected = [
        "finder",
        "kitchen/dishes/broken",
        "kitchen/dishes/broken sink",
        "kitchen/dishes/sink",
        "kitchen/dishes/size",
        "kitchen/dishes/size join",
        "kitchen/dishes/source",
        "kitchen/dishes/wash 1",
        "kitchen/dishes/wash 2",
    ];
    assert_eq!(names, expected.into());
    let ended = net.run();
    assert_eq!(
        built.finish(ended).unwrap().value,
        (0..40).sum::<u64>() - 13
    );
}

#[test]
fn a_branch_that_nobody_takes_from_holds_the_source_up() {
    let made = Arc::new(AtomicU64::new(0));
    let making = Arc::clone(&made);
    let source = (0..1000_u64).inspect(move |_| {
        making.fetch_add(1, Ordering::SeqCst);
    });
    let mut net = Network::new("stuck");
    let (gate_out, gate_in) = net.channel::<()>("gate");
    let (go_out, go_in) = handover::channel::<()>();
    let built = Pipeline::from(source)
        .branch(
            "tens",
            |n| n % 10 == 0,
            |tens| {
                tens.sink_async(move |n| {
                    let gate = go_in.clone();
                    async move {
                        if n == 100 {
                            gate.recv_async().await.unwrap();
                        }
                    }
                })
            },
        )
        .for_each(drop)
        .build(&mut net)
        .unwrap();
    let seen = Arc::clone(&made);
    net.process("judge", gate_out, async move |_: &Out<()>| {
        give_way(4000).await;
        // 100 is in the branch's sink, 110 in the hand of what splits, and 111 in the source's.
        assert_eq!(seen.load(Ordering::SeqCst), 112);
        go_out.send_async(()).await?;
        Ok(())
    });
    drop(gate_in);
    let ended = net.run();
    let done = built.finish(ended).unwrap();
    assert_eq!(done.report.stage("tens sink").unwrap().passed, 100);
}

#[test]
fn when_one_end_has_enough_all_ends() {
    for threads in [1, 3] {
        for is_branch in [true, false] {
            let enough = move |here: bool| {
                move |n: u64| {
                    if here && n > 50 {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                }
            };
            let done = Pipeline::from(0_u64..)
                .branch("even", |n| n % 2 == 0, |even| even.sink(enough(is_branch)))
                .sink(enough(!is_branch));
            let done = run_on(threads, done).unwrap();
            for stage in &done.report.stages {
                assert!(stage.in_hand() <= 1, "{stage:?}");
            }
        }
    }
}

#[test]
fn an_error_in_a_branch_is_the_runs_and_names_its_stage() {
    let done = Pipeline::from(0..ITEMS)
        .branch(
            "odd",
            |n| n % 2 == 1,
            |odd| odd.try_stage("check", 2, not_thirteen).for_each(drop),
        )
        .collect();
    match done.run() {
        Err(PipelineError::Failed { stage, process, .. }) => {
            assert_eq!(stage, "check");
            assert!(process.starts_with("pipeline/check "), "{process}");
        }
        other => panic!("{other:?}"),
    }
    let done = Pipeline::from(0..ITEMS)
        .branch(
            "odd",
            |n| n % 2 == 1,
            |odd| odd.sink(|_| Err::<(), _>(ProcessError::msg("full"))),
        )
        .collect();
    match done.run() {
        Err(PipelineError::Failed { stage, .. }) => assert_eq!(stage, "odd sink"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_branch_cannot_do_is_refused() {
    let same = Pipeline::from(0..9_u64).stage("a", 1, |n| n).branch(
        "b",
        |n| *n > 3,
        |b| b.stage("a", 1, |n| n).for_each(drop),
    );
    match same.collect().run() {
        Err(PipelineError::SameName { stage }) => assert_eq!(stage, "a"),
        other => panic!("{other:?}"),
    }
    let none =
        Pipeline::from(0..9_u64).split("s", |n| *n > 3, |yes| yes.stage("x", 0, |n| n), |no| no);
    assert!(matches!(
        none.collect().run(),
        Err(PipelineError::NoWorkers { .. })
    ));
    let by_key = Pipeline::from(0..9_u64).branch(
        "b",
        |n| *n > 3,
        |b| {
            b.by_key(|n| *n)
                .stage("k", 2, |n| n)
                .ordered()
                .for_each(drop)
        },
    );
    assert!(matches!(
        by_key.collect().run(),
        Err(PipelineError::OrderedByKey { .. })
    ));
}

#[test]
fn no_branch_raises_a_false_alarm() {
    let alarms = Arc::new(Mutex::new(Vec::<Deadlock>::new()));
    for seed in 0..SEEDS {
        let mut net = Network::new("quiet");
        let heard = Arc::clone(&alarms);
        net.on_deadlock(OnDeadlock::Call(Box::new(move |deadlock| {
            heard.lock().unwrap().push(deadlock.clone());
        })));
        let built = Pipeline::from(0..100_u64)
            .stage("first", 3, |n| n)
            .ordered()
            .by_key(|n| n % 3)
            .stage_async("key", 2, move |n| async move {
                give_way(delay(seed, n)).await;
                n
            })
            .split(
                "s",
                |n| n % 2 == 0,
                |yes| yes.stage_blocking("slow", 2, |n| n),
                |no| no,
            )
            .branch("b", |n| n % 5 == 0, |b| b.for_each(drop))
            .flat_stage("two", 2, |n| [n, n])
            .collect()
            .build(&mut net)
            .unwrap();
        let ended = net.run_threads(2);
        assert_eq!(built.finish(ended).unwrap().value.len(), 160);
    }
    let alarms = alarms.lock().unwrap();
    assert!(alarms.is_empty(), "{alarms:?}");
}
