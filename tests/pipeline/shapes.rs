//! Stages with a state, by key, of several items out of one, and with a limit of time.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    future::pending,
    ops::ControlFlow,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use handover::{
    pattern::{Pipeline, PipelineError, TimeLimit},
    process::{Network, Out, ProcessError},
};

use super::{Bad, ITEMS, SEEDS, delay, give_way, not_thirteen, run_on};

// ---- A state ----

#[test]
fn each_worker_has_a_state_of_its_own() {
    for threads in [1, 3] {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let done = Pipeline::from(0..ITEMS)
            .stage_with(
                "count",
                4,
                move || (count.fetch_add(1, Ordering::SeqCst), 0_u64),
                |(worker, times), _| {
                    *times += 1;
                    (*worker, *times)
                },
            )
            .fold(BTreeMap::new(), |last, (worker, times)| {
                // Each worker passes on one after the other, so none is missing in its count.
                let before = last.insert(worker, times).unwrap_or(0);
                assert_eq!(times, before + 1);
            });
        let done = run_on(threads, done).unwrap();
        assert_eq!(made.load(Ordering::SeqCst), 4);
        assert_eq!(done.value.values().sum::<u64>(), ITEMS);
    }
}

#[test]
fn the_state_of_a_thread_never_leaves_it() {
    let done = Pipeline::from(0..ITEMS)
        .try_stage_with_blocking(
            "sum",
            3,
            || Ok::<_, ProcessError>(Rc::new(RefCell::new(0_u64))), // which cannot be sent
            |sum, n: u64| {
                *sum.borrow_mut() += n;
                Ok::<_, ProcessError>(n)
            },
        )
        .ordered()
        .collect()
        .run()
        .unwrap();
    assert_eq!(done.value, (0..ITEMS).collect::<Vec<_>>());
}

#[test]
fn a_stage_that_awaits_borrows_its_state_meanwhile() {
    for threads in [1, 3] {
        let done = Pipeline::from(0..ITEMS)
            .try_stage_with_async(
                "remember",
                3,
                || Ok::<_, ProcessError>(Vec::new()),
                async |seen: &mut Vec<u64>, n: u64| {
                    seen.push(n);
                    give_way(delay(1, n)).await;
                    assert_eq!(seen.last(), Some(&n));
                    Ok::<_, ProcessError>(seen.len() as u64)
                },
            )
            .ordered()
            .collect();
        let done = run_on(threads, done).unwrap();
        // An ordered stage deals in turn.
        assert_eq!(
            done.value,
            (0..ITEMS).map(|n| n / 3 + 1).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_state_that_cannot_be_made_ends_the_run_and_names_the_stage() {
    let stage = Pipeline::from(0..).try_stage_with(
        "connect",
        2,
        || Err::<(), _>(ProcessError::msg("no such host")),
        |(), n: u64| Ok::<_, ProcessError>(n),
    );
    match stage.or_skip().for_each(drop).run() {
        Err(PipelineError::Failed { stage, error, .. }) => {
            assert_eq!(
                (stage.as_str(), error.to_string().as_str()),
                ("connect", "no such host")
            );
        }
        other => panic!("{other:?}"),
    }
}

// ---- By key ----

/// Says which worker an item was at, and how many of its key that one has had.
fn numbered(made: &Arc<AtomicUsize>) -> impl FnMut() -> (usize, HashMap<u64, u64>) + Clone + use<> {
    let made = Arc::clone(made);
    move || (made.fetch_add(1, Ordering::SeqCst), HashMap::new())
}

type Seen = (usize, u64, u64);

fn note((worker, seen): &mut (usize, HashMap<u64, u64>), n: u64) -> (Seen, u64) {
    let times = seen.entry(n % 7).or_default();
    *times += 1;
    ((*worker, n % 7, *times), n)
}

#[test]
fn equal_keys_go_to_the_same_worker_in_order() {
    for threads in [1, 3] {
        // Before the stage by key: the source alone, an ordered stage of several, and one of several without order.
        for before in 0..3 {
            for seed in 0..SEEDS {
                let made = Arc::new(AtomicUsize::new(0));
                let source = Pipeline::from(0..ITEMS);
                let wait = move |n: u64| async move {
                    give_way(delay(seed, n)).await;
                    n
                };
                let source = match before {
                    0 => source,
                    1 => source.stage_async("before", 3, wait).ordered(),
                    _ => source.stage_async("before", 3, wait),
                };
                let done = source
                    .by_key(|n| n % 7)
                    .stage_with("key", 4, numbered(&made), note)
                    .stage_async("after", 1, move |(seen, n)| async move {
                        give_way(delay(seed + 1, n)).await;
                        (seen, n)
                    })
                    .collect();
                let done = run_on(threads, done).unwrap();
                assert_eq!(done.value.len() as u64, ITEMS);
                let mut workers = BTreeMap::new();
                let mut last: HashMap<u64, u64> = HashMap::new();
                for ((worker, key, times), n) in done.value {
                    assert_eq!(*workers.entry(key).or_insert(worker), worker, "seed {seed}");
                    if before < 2 {
                        // In the order of the source: the first of a key is the key itself.
                        assert_eq!(n, key + 7 * (times - 1), "seed {seed}");
                    }
                    let before = last.insert(key, times).unwrap_or(0);
                    assert_eq!(times, before + 1, "seed {seed}");
                }
                assert_eq!(workers.len(), 7);
                let used: BTreeSet<_> = workers.values().collect();
                assert!(used.len() > 1, "seven keys at one of four workers");
                let keys = done.report.stage("key keys");
                assert_eq!(keys.map(|keys| keys.passed), (before == 1).then_some(ITEMS));
            }
        }
    }
}

#[test]
fn after_a_stage_by_key_an_ordered_one_gets_every_item() {
    for threads in [1, 3] {
        let done = Pipeline::from(0..ITEMS)
            .by_key(|n| n % 5)
            .stage("key", 3, |n| n)
            .stage("after", 4, |n| n)
            .ordered()
            .collect();
        let mut done = run_on(threads, done).unwrap();
        done.value.sort_unstable();
        assert_eq!(done.value, (0..ITEMS).collect::<Vec<_>>());
    }
}

#[test]
fn a_stage_by_key_cannot_keep_the_order_of_all_and_says_so() {
    let stage = |workers| {
        let stage = Pipeline::from(0..9_u64).by_key(|n| n % 5);
        stage.stage("key", workers, |n| n).ordered().collect().run()
    };
    match stage(2) {
        Err(error @ PipelineError::OrderedByKey { .. }) => {
            assert!(error.to_string().contains("`key`"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stage(1).unwrap().value, (0..9).collect::<Vec<_>>());
}

#[test]
fn a_key_whose_worker_is_at_work_holds_the_source_up() {
    let made = Arc::new(AtomicU64::new(0));
    let making = Arc::clone(&made);
    let source = (0..1000_u64).inspect(move |_| {
        making.fetch_add(1, Ordering::SeqCst);
    });
    let mut net = Network::new("hot");
    let (gate_out, gate_in) = net.channel::<()>("gate");
    let (go_out, go_in) = handover::channel::<()>();
    let built = Pipeline::from(source)
        .by_key(|n| n / 10) // ten in a row
        .stage_async("work", 4, move |n| {
            let gate = go_in.clone();
            async move {
                if n == 20 {
                    gate.recv_async().await.unwrap();
                }
                n
            }
        })
        .for_each(drop)
        .build(&mut net)
        .unwrap();
    let seen = Arc::clone(&made);
    net.process("judge", gate_out, async move |_: &Out<()>| {
        give_way(2000).await;
        // 20 is at work, and the next of its key is in the hand of the source.
        assert_eq!(seen.load(Ordering::SeqCst), 22);
        go_out.send_async(()).await?;
        Ok(())
    });
    drop(gate_in);
    let ended = net.run();
    built.finish(ended).unwrap();
    assert_eq!(made.load(Ordering::SeqCst), 1000);
}

// ---- Several of one ----

/// So many come of an item, numbered.
fn spread(seed: u64, n: u64) -> impl Iterator<Item = (u64, u64)> + Send {
    (0..delay(seed, n) % 4).map(move |part| (n, part))
}

#[test]
fn what_comes_of_one_item_stays_together_in_an_ordered_stage() {
    for threads in [1, 3] {
        let workers = [(4, 3, 2), (1, 4, 3), (3, 1, 4), (2, 4, 1)]
            .into_iter()
            .cycle();
        for (seed, (first, second, third)) in (0..SEEDS).zip(workers) {
            let done = Pipeline::from(0..ITEMS)
                .flat_stage("spread", first, move |n| spread(seed, n))
                .ordered()
                .stage_async("wait", second, move |(n, part)| async move {
                    give_way(delay(seed + 3, n + part)).await;
                    (n, part)
                })
                .ordered()
                // And again, of what is one of several already.
                .flat_stage("twice", third, move |(n, part)| {
                    (0..delay(seed + 9, n + part) % 3).map(move |again| (n, part, again))
                })
                .ordered()
                .stage("last", 2, |item| item)
                .ordered()
                .collect();
            let done = run_on(threads, done).unwrap();
            let expected: Vec<_> = (0..ITEMS)
                .flat_map(|n| spread(seed, n))
                .flat_map(|(n, part)| {
                    (0..delay(seed + 9, n + part) % 3).map(move |again| (n, part, again))
                })
                .collect();
            assert_eq!(done.value, expected, "seed {seed}");
            for stage in &done.report.stages {
                assert_eq!(
                    (stage.taken, stage.in_hand()),
                    (stage.finished, 0),
                    "{stage:?}"
                );
            }
        }
    }
}

#[test]
fn without_order_every_part_comes_out_once() {
    for threads in [1, 3] {
        for seed in 0..SEEDS {
            let done = Pipeline::from(0..ITEMS)
                .try_flat_stage_async("spread", 3, move |n| async move {
                    give_way(delay(seed, n)).await;
                    Ok::<_, ProcessError>(spread(seed, n))
                })
                .try_flat_stage_blocking("one", 2, |item| Ok::<_, ProcessError>([item]))
                .ordered()
                .collect();
            let mut done = run_on(threads, done).unwrap();
            done.value.sort_unstable();
            let expected: Vec<_> = (0..ITEMS).flat_map(|n| spread(seed, n)).collect();
            assert_eq!(done.value, expected, "seed {seed}");
        }
    }
}

#[test]
fn errors_among_several_of_one_leave_the_others_in_order() {
    for threads in [1, 3] {
        for seed in 0..SEEDS {
            let is_bad = move |n: u64, part: u64| delay(seed + 5, n * 4 + part) < 4;
            let diverted = Arc::new(AtomicU64::new(0));
            let count = Arc::clone(&diverted);
            let done = Pipeline::from(0..ITEMS)
                .try_flat_stage("spread", 3, move |n| {
                    if n % 10 == 3 {
                        Err(Bad(n))
                    } else {
                        Ok(spread(seed, n))
                    }
                })
                .ordered()
                .or_divert(move |_| {
                    count.fetch_add(1, Ordering::SeqCst);
                })
                .try_stage("check", 4, move |(n, part)| {
                    if is_bad(n, part) {
                        Err(Bad(n))
                    } else {
                        Ok((n, part))
                    }
                })
                .ordered()
                .or_skip()
                .collect();
            let done = run_on(threads, done).unwrap();
            let expected: Vec<_> = (0..ITEMS)
                .filter(|n| n % 10 != 3)
                .flat_map(|n| spread(seed, n))
                .filter(|&(n, part)| !is_bad(n, part))
                .collect();
            assert_eq!(done.value, expected, "seed {seed}");
            assert_eq!(diverted.load(Ordering::SeqCst), ITEMS / 10);
            let check = done.report.stage("check").unwrap();
            assert_eq!(check.taken, check.passed + check.skipped);
        }
    }
}

#[test]
fn the_next_of_several_is_made_when_the_one_before_was_taken() {
    for threads in [1, 3] {
        let made = Arc::new(AtomicU64::new(0));
        let making = Arc::clone(&made);
        let done = Pipeline::from([()])
            .flat_stage("count", 1, move |()| {
                let making = Arc::clone(&making);
                (0_u64..).inspect(move |_| {
                    making.fetch_add(1, Ordering::SeqCst);
                })
            })
            .sink(|n| {
                if n < 9 {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
        let done = run_on(threads, done).unwrap();
        // Ten were taken, and one more was in the hand of the stage.
        assert_eq!(made.load(Ordering::SeqCst), 11);
        assert_eq!(done.report.stage("count").unwrap().in_hand(), 1);
    }
}

// ---- A limit of time ----

const SHORT: Duration = Duration::from_millis(5);

async fn three_never_ends(n: u64) -> u64 {
    if n == 3 {
        pending::<()>().await;
    }
    n
}

#[test]
fn an_item_that_takes_too_long_is_an_error_like_others() {
    for threads in [1, 3] {
        let stage = |workers| {
            Pipeline::from(0..9_u64)
                .stage_async("ask", workers, three_never_ends)
                .within(SHORT)
        };
        match run_on(threads, stage(2).collect()) {
            Err(PipelineError::Failed { stage, error, .. }) => {
                assert_eq!(stage, "ask");
                let limit: &TimeLimit = error.downcast_ref().unwrap();
                assert_eq!(limit.limit, SHORT);
            }
            other => panic!("{other:?}"),
        }
        let done = run_on(threads, stage(3).ordered().or_skip().collect()).unwrap();
        assert_eq!(done.value, [0, 1, 2, 4, 5, 6, 7, 8]);
        assert_eq!(done.report.stage("ask").unwrap().skipped, 1);
        let errors = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&errors);
        let diverting =
            stage(1).or_divert(move |error| heard.lock().unwrap().push(error.to_string()));
        assert_eq!(run_on(threads, diverting.collect()).unwrap().value.len(), 8);
        let errors = errors.lock().unwrap();
        assert!(
            errors.len() == 1 && errors[0].contains("limit of 5ms"),
            "{errors:?}"
        );
    }
}

#[test]
fn a_stage_that_does_not_await_has_no_limit_of_time_and_says_so() {
    let refused = [
        Pipeline::from(0..9_u64)
            .stage("compute", 1, |n| n)
            .within(SHORT),
        Pipeline::from(0..9_u64)
            .stage_blocking("compute", 1, |n| n)
            .within(SHORT),
        Pipeline::from(0..9_u64)
            .try_stage("compute", 1, not_thirteen)
            .within(SHORT),
    ];
    for refused in refused {
        match refused.collect().run() {
            Err(PipelineError::NoLimit { stage }) => assert_eq!(stage, "compute"),
            other => panic!("{other:?}"),
        }
    }
    match Pipeline::from(0..9_u64).within(SHORT).collect().run() {
        Err(PipelineError::NoLimit { stage }) => assert_eq!(stage, "source"),
        other => panic!("{other:?}"),
    }
}
