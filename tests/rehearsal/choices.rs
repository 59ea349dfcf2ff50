//! The same choices make the same run; other choices make all the others.

use std::{collections::BTreeSet, time::Duration};

use handover::{
    channel::{sleep, tick},
    process::{
        In, InToken, Network, Out, OutToken,
        rehearsal::{Fork, Rehearsal, RehearsalError, Rehearsed, Replay, Seeded},
    },
    select_async,
};

use crate::told;

/// Three that send at times of their own, one that merges fairly and passes on, one that is slow, and a beat.
fn mixed() -> Network {
    let mut net = Network::new("mixed");
    let sources: Vec<(OutToken<u64>, InToken<u64>)> = (0..3)
        .map(|number| net.channel(&format!("c{number}")))
        .collect();
    let (merged_out, merged_in) = net.channel::<u64>("merged");
    let mut ins = Vec::new();
    for (number, (out, into)) in (1..).zip(sources) {
        ins.push(into);
        net.process(
            format!("source {number}"),
            out,
            async move |out: &Out<u64>| {
                for message in 0..20 {
                    if message % number == 0 {
                        sleep(Duration::from_millis(number * 7)).await;
                    }
                    out.send(message).await?;
                }
                Ok(())
            },
        );
    }
    net.process(
        "merge",
        (ins, merged_out),
        async |(ins, merged): &(Vec<In<u64>>, Out<u64>)| {
            let beat = tick(Duration::from_millis(10));
            let mut open = [true; 3];
            while open != [false; 3] {
                let got = select_async! {
                    recv(ins[0]) -> it, if open[0] => (0, it.ok()),
                    recv(ins[1]) -> it, if open[1] => (1, it.ok()),
                    recv(ins[2]) -> it, if open[2] => (2, it.ok()),
                    tick(beat) => continue,
                };
                match got {
                    (_, Some(message)) => merged.send(message).await?,
                    (from, None) => open[from] = false,
                }
            }
            Ok(())
        },
    );
    net.process("slow", merged_in, async |merged: &In<u64>| {
        while merged.recv().await.is_ok() {
            sleep(Duration::from_millis(3)).await;
        }
        Ok(())
    });
    net
}

fn of_seed(seed: u64) -> Rehearsed {
    let run = Rehearsal::new()
        .time_may_pass(true)
        .run(mixed(), Seeded::new(seed));
    run.result.as_ref().unwrap();
    run
}

#[test]
fn the_same_seed_makes_the_same_run_to_the_letter() {
    let mut all = BTreeSet::new();
    for seed in 0..20 {
        let (one, other) = (of_seed(seed), of_seed(seed));
        assert_eq!(one.hand_overs.len(), 120);
        assert_eq!(told(&one), told(&other));
        assert_eq!(one.choices, other.choices);
        assert_eq!(one.time, other.time);
        all.insert(told(&one));
    }
    assert_eq!(all.len(), 20, "each seed makes a run of its own");
}

#[test]
fn a_run_is_replayed_from_what_was_chosen() {
    let one = of_seed(11);
    let again = Rehearsal::new()
        .time_may_pass(true)
        .run(mixed(), Replay::new(one.script()));
    again.result.as_ref().unwrap();
    assert_eq!(told(&one), told(&again));
    assert_eq!(one.choices, again.choices);
}

#[test]
fn each_hand_over_names_who_had_the_message_and_who_has_it() {
    let run = of_seed(4);
    for hand_over in &run.hand_overs {
        let (from, to) = (hand_over.from.as_deref(), hand_over.to.as_deref());
        match hand_over.channel.as_str() {
            "merged" => assert_eq!((from, to), (Some("merge"), Some("slow"))),
            "c0" => assert_eq!((from, to), (Some("source 1"), Some("merge"))),
            "c1" => assert_eq!((from, to), (Some("source 2"), Some("merge"))),
            "c2" => assert_eq!((from, to), (Some("source 3"), Some("merge"))),
            other => panic!("{other}"),
        }
    }
}

/// All runs of a network, one after the other; how many there were, and what each has come to.
fn explore<R: Ord>(
    rehearsal: &Rehearsal,
    mut once: impl FnMut(&Rehearsal, Replay) -> (Rehearsed, R),
) -> (usize, BTreeSet<R>) {
    let (mut runs, mut seen, mut script) = (0, BTreeSet::new(), Some(Vec::new()));
    while let Some(now) = script {
        assert!(runs < 100_000, "it is a small one");
        let (run, what) = once(rehearsal, Replay::new(now));
        seen.insert(what);
        runs += 1;
        script = run.next_choices();
    }
    (runs, seen)
}

/// Three that send one message each to one that takes all of them in the order in which they come.
#[test]
fn all_orders_are_gone_through_and_each_comes_up() {
    let (_, orders) = explore(&Rehearsal::new(), |rehearsal, replay| {
        let mut net = Network::new("orders");
        let (out, into) = net.channel::<u32>("numbers");
        for number in 0..3 {
            net.process(number, out.share(), async move |out: &Out<u32>| {
                Ok(out.send(number).await?)
            });
        }
        drop(out);
        let order = net.process_returning("all", into, async |into: &In<u32>| {
            let mut order = Vec::new();
            while let Ok(number) = into.recv().await {
                order.push(number);
            }
            Ok(order)
        });
        let run = rehearsal.run(net, replay);
        run.result.as_ref().unwrap();
        (run, order.take().unwrap())
    });
    assert_eq!(orders.len(), 6);
}

/// One that receives twice at once, and another that can come between only if it is let.
#[test]
fn others_come_between_two_operations_that_need_not_wait_if_they_are_apart() {
    let once = |rehearsal: &Rehearsal, replay: Replay| {
        let mut net = Network::new("between");
        let (a_out, a_in) = net.channel::<u32>("a");
        let (b_out, b_in) = net.channel::<u32>("b");
        let (c_out, c_in) = net.channel::<u32>("c");
        net.process(
            "first",
            (a_out, c_out),
            async |(a, c): &(Out<u32>, Out<u32>)| {
                a.send(1).await?;
                let _ = c.send(2).await;
                Ok(())
            },
        );
        net.process("second", b_out, async |b: &Out<u32>| {
            let _ = b.send(3).await;
            Ok(())
        });
        net.process(
            "one",
            (a_in, b_in.share()),
            async |(a, b): &(In<u32>, In<u32>)| {
                // Both are there by then.
                sleep(Duration::from_secs(1)).await;
                a.recv().await?;
                let _ = b.recv().await;
                Ok(())
            },
        );
        // It wants what the other wants too, and knows that the other has come so far.
        let got = net.process_returning(
            "other",
            (c_in, b_in),
            async |(c, b): &(In<u32>, In<u32>)| {
                c.recv().await?;
                Ok(b.recv().await.is_ok())
            },
        );
        let run = rehearsal.run(net, replay);
        run.result.as_ref().unwrap();
        (run, got.take().unwrap())
    };
    let apart = explore(&Rehearsal::new(), once);
    assert_eq!(apart.1, BTreeSet::from([false, true]));
    let together = explore(&Rehearsal::new().operations_apart(false), once);
    assert_eq!(together.1, BTreeSet::from([false]));
    assert!(together.0 < apart.0);
}

#[test]
fn which_ready_guard_is_taken_is_a_choice() {
    let (_, taken) = explore(&Rehearsal::new(), |rehearsal, replay| {
        let mut net = Network::new("guards");
        let (a_out, a_in) = net.channel::<u32>("a");
        let (b_out, b_in) = net.channel::<u32>("b");
        for out in [a_out, b_out] {
            net.process("sender", out, async |out: &Out<u32>| {
                let _ = out.send(1).await;
                Ok(())
            });
        }
        let taken =
            net.process_returning("both", (a_in, b_in), async |(a, b): &(In<u32>, In<u32>)| {
                // Both are there by then.
                sleep(Duration::from_secs(1)).await;
                Ok(select_async! {
                    recv(a) -> _ => "a",
                    recv(b) -> _ => "b",
                })
            });
        let run = rehearsal.run(net, replay);
        run.result.as_ref().unwrap();
        (run, taken.take().unwrap())
    });
    assert_eq!(taken, BTreeSet::from(["a", "b"]));
}

#[test]
fn it_is_asked_only_where_there_is_something_to_choose() {
    let run = Rehearsal::new().run(mixed(), |fork: Fork| {
        assert!(fork.options() > 1);
        fork.options() - 1
    });
    run.result.as_ref().unwrap();
    assert!(
        run.choices
            .iter()
            .all(|choice| choice.taken + 1 == choice.options)
    );
    assert_eq!(run.next_choices(), None, "it was the last one");
}

#[test]
fn a_script_that_does_not_fit_is_an_error() {
    let run = Rehearsal::new().run(mixed(), Replay::new([9]));
    let error = run.result.unwrap_err();
    let RehearsalError::NoSuchOption { taken: 9, options } = error else {
        panic!("{error}");
    };
    assert_eq!(options, 5);
}
