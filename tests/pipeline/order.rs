//! Order where it was asked for, and how much is held for it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use handover::{
    pattern::Pipeline,
    process::{Network, Out},
};

use super::{Bad, ITEMS, SEEDS, delay, give_way, run_on};

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
