//! Processes on several threads: those that are connected by channels are run by one thread at a time, unless they are
//! more than its share, and whatever leaves them goes on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use handover::{
    channel::{RecvTimeoutError, Sender},
    process::{
        BlockingIn, BlockingOut, Here, In, Network, OnDeadlock, OrEnd, Out, Parcel, ProcessError,
        RunError,
    },
};

use crate::support::{LONG, Ledger, within};

/// Two that send a number to and fro, so often.
fn pair(net: &mut Network, name: &str, rounds: u64, sum: &Arc<AtomicU64>) {
    let (there_out, there_in) = net.channel::<u64>(&format!("{name} there"));
    let (back_out, back_in) = net.channel::<u64>(&format!("{name} back"));
    let sum = Arc::clone(sum);
    net.process(
        format!("{name} server"),
        (there_out, back_in),
        async move |(there, back): &(Out<u64>, In<u64>)| {
            for round in 0..rounds {
                there.send(round).await?;
                sum.fetch_add(back.recv().await?, Ordering::Relaxed);
            }
            Ok(())
        },
    );
    net.process(
        format!("{name} returner"),
        (there_in, back_out),
        async |(there, back): &(In<u64>, Out<u64>)| {
            while let Some(ball) = there.next().await? {
                back.send(ball).await?;
            }
            Ok(())
        },
    );
}

/// Two that send to and fro until they are told to end.
fn endless_pair(net: &mut Network, name: &str, is_over: &Arc<AtomicBool>) {
    let (out, into) = net.channel::<u64>(name);
    let is_over = Arc::clone(is_over);
    net.process(
        format!("{name} source"),
        out,
        async move |out: &Out<u64>| {
            while !is_over.load(Ordering::Relaxed) {
                out.send(1).await?;
            }
            Ok(())
        },
    );
    net.process(format!("{name} sink"), into, async |into: &In<u64>| {
        while into.next().await?.is_some() {}
        Ok(())
    });
}

/// A chain of so many stages, through which so many numbers go.
fn chain(net: &mut Network, stages: usize, numbers: u64, sum: &Arc<AtomicU64>) {
    let (first, mut into) = net.channel::<u64>("link");
    net.process("source", first, async move |out: &Out<u64>| {
        for number in 0..numbers {
            out.send(number).await?;
        }
        Ok(())
    });
    for stage in 0..stages {
        let (out, rest) = net.channel::<u64>("link");
        let from = std::mem::replace(&mut into, rest);
        net.process(
            format!("stage {stage}"),
            (from, out),
            async |(from, out): &(In<u64>, Out<u64>)| {
                while let Some(number) = from.next().await? {
                    out.send(number).await?;
                }
                Ok(())
            },
        );
    }
    let sum = Arc::clone(sum);
    net.process("sink", into, async move |into: &In<u64>| {
        while let Some(number) = into.next().await? {
            sum.fetch_add(number, Ordering::Relaxed);
        }
        Ok(())
    });
}

fn sum_below(count: u64) -> u64 {
    count * (count - 1) / 2
}

#[test]
fn islands_and_a_chain_that_is_more_than_its_share_run_beside_each_other() {
    const PAIRS: u64 = 20;
    for threads in [1, 2, 4] {
        let (pairs, chained) = (Arc::default(), Arc::default());
        let mut net = Network::new("both");
        let observer = net.observe();
        for number in 0..PAIRS {
            pair(&mut net, &format!("pair {number}"), 300, &pairs);
        }
        chain(&mut net, 100, 200, &chained);
        within(move || net.run_threads(threads)).unwrap();
        assert_eq!(pairs.load(Ordering::Relaxed), PAIRS * sum_below(300));
        assert_eq!(chained.load(Ordering::Relaxed), sum_below(200));
        assert!(observer.snapshot().processes.is_empty());
    }
}

/// Whoever runs says so; two that are connected never do at once.
#[test]
fn processes_of_an_island_take_turns() {
    const PAIRS: usize = 6;
    let mut net = Network::new("turns");
    let met = Arc::new(AtomicUsize::new(0));
    for number in 0..PAIRS {
        let is_inside = Arc::new(AtomicBool::new(false));
        let (out, into) = net.channel::<u32>(&format!("pair {number}"));
        let turn = {
            let met = Arc::clone(&met);
            move |is_inside: &AtomicBool| {
                assert!(!is_inside.swap(true, Ordering::AcqRel));
                (0..200).for_each(|_| std::hint::spin_loop());
                met.fetch_add(1, Ordering::Relaxed);
                assert!(is_inside.swap(false, Ordering::AcqRel));
            }
        };
        let (its_turn, flag) = (turn.clone(), Arc::clone(&is_inside));
        net.process(format!("a {number}"), out, async move |out: &Out<u32>| {
            for number in 0..300 {
                its_turn(&flag);
                out.send(number).await?;
            }
            Ok(())
        });
        net.process(format!("b {number}"), into, async move |into: &In<u32>| {
            while into.next().await?.is_some() {
                turn(&is_inside);
            }
            Ok(())
        });
    }
    within(move || net.run_threads(3)).unwrap();
    assert_eq!(met.load(Ordering::Relaxed), PAIRS * 600);
}

/// The chain is more than its share: each of its processes may be run by any thread, and two of them at once.
#[test]
fn a_chain_that_is_more_than_its_share_is_run_by_several_threads() {
    const LONGEST: Duration = Duration::from_secs(30);
    let mut net = Network::new("at once");
    let arrived = Arc::new(AtomicU32::new(0));
    let (out, into) = net.channel::<u32>("link");
    // Each waits, without giving its thread up, until the other does the same: on one thread they never would.
    let meet = move || {
        arrived.fetch_add(1, Ordering::AcqRel);
        let deadline = Instant::now() + LONGEST;
        while arrived.load(Ordering::Acquire) < 2 {
            assert!(Instant::now() < deadline, "they do not run at once");
            thread::yield_now();
        }
    };
    let its_own = meet.clone();
    net.process("one", out, async move |_: &Out<u32>| {
        its_own();
        Ok(())
    });
    net.process("other", into, async move |_: &In<u32>| {
        meet();
        Ok(())
    });
    within(move || net.run_threads(2)).unwrap();
}

/// On two threads there are many that never wait, of islands and of none, and some that come to an end.
#[test]
fn whoever_always_has_something_to_do_keeps_nobody_from_its_turn() {
    for threads in [1, 2] {
        let is_over = Arc::new(AtomicBool::new(false));
        let (left, sum) = (Arc::new(AtomicUsize::new(4)), Arc::default());
        let mut net = Network::new("busy");
        for number in 0..10 {
            endless_pair(&mut net, &format!("busy {number}"), &is_over);
        }
        // A ring of many, which is no island, with some messages on their way.
        ring(&mut net, 60, 20, &is_over);
        for number in 0..4 {
            let (is_over, left) = (Arc::clone(&is_over), Arc::clone(&left));
            let (out, into) = net.channel::<()>(&format!("last {number}"));
            net.process(
                format!("counts {number}"),
                out,
                async move |out: &Out<()>| {
                    for _ in 0..5_000 {
                        out.send(()).await?;
                    }
                    if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                        is_over.store(true, Ordering::Relaxed);
                    }
                    Ok(())
                },
            );
            net.process(format!("hears {number}"), into, async |into: &In<()>| {
                while into.next().await?.is_some() {}
                Ok(())
            });
        }
        pair(&mut net, "one more", 1_000, &sum);
        within(move || net.run_threads(threads)).unwrap();
        assert_eq!(sum.load(Ordering::Relaxed), sum_below(1_000));
    }
}

/// So many processes in a ring, of which each `every`th begins with a message for the next.
fn ring(net: &mut Network, size: usize, every: usize, is_over: &Arc<AtomicBool>) {
    let links: Vec<_> = (0..size)
        .map(|at| net.channel::<u32>(&format!("ring {at}")))
        .collect();
    for at in 0..size {
        let ports = (links[at].1.share(), links[(at + 1) % size].0.share());
        let is_over = Arc::clone(is_over);
        net.process(
            format!("member {at}"),
            ports,
            async move |(from, to): &(In<u32>, Out<u32>)| {
                if at.is_multiple_of(every) {
                    to.send(0).await.or_end()?;
                }
                while !is_over.load(Ordering::Relaxed) {
                    let hops = from.recv().await.or_end()?;
                    to.send(hops.wrapping_add(1)).await.or_end()?;
                }
                Ok(())
            },
        );
    }
}

/// All sleep between two words of the thread, and each word wakes one of them.
#[test]
fn islands_that_sleep_are_woken_by_a_thread() {
    const ISLANDS: usize = 12;
    const ROUNDS: u64 = 200;
    let mut net = Network::new("sleepers");
    let sum = Arc::new(AtomicU64::new(0));
    let mut words = Vec::new();
    let (done_out, done_in) = net.channel::<u64>("done");
    for number in 0..ISLANDS {
        let (word_out, word_in) = net.channel::<u64>(&format!("word {number}"));
        let (inner_out, inner_in) = net.channel::<u64>(&format!("inner {number}"));
        words.push(word_out);
        net.process(
            format!("ear {number}"),
            (word_in, inner_out),
            async |(word, inner): &(In<u64>, Out<u64>)| {
                while let Some(word) = word.next().await? {
                    inner.send(word).await?;
                }
                Ok(())
            },
        );
        net.process(
            format!("mouth {number}"),
            (inner_in, done_out.share()),
            async |(inner, done): &(In<u64>, Out<u64>)| {
                // Woken by the clock too.
                loop {
                    match inner.recv_timeout(Duration::from_millis(3)).await {
                        Ok(word) => done.send(word).await?,
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(_) => return Ok(()),
                    }
                }
            },
        );
    }
    drop(done_out);
    let heard = Arc::clone(&sum);
    net.thread(
        "speaker",
        (words, done_in),
        move |(words, done): &(Vec<BlockingOut<u64>>, BlockingIn<u64>)| {
            for round in 0..ROUNDS {
                for word in words {
                    word.send(round)?;
                    heard.fetch_add(done.recv()?, Ordering::Relaxed);
                }
            }
            Ok(())
        },
    );
    within(move || net.run_threads(3)).unwrap();
    let all = u64::try_from(ISLANDS).unwrap() * sum_below(ROUNDS);
    assert_eq!(sum.load(Ordering::Relaxed), all);
}

/// An end on its way.
type Gift = Parcel<In<u64>>;

/// A thread passes an end from one island to a process of another part of the network, and starts one itself.
#[test]
fn ends_pass_between_islands_through_a_thread_that_starts_processes() {
    for threads in [1, 2, 4] {
        let mut net = Network::new("passing");
        let sum: Arc<AtomicU64> = Arc::default();
        for number in 0..8 {
            pair(&mut net, &format!("pair {number}"), 50, &sum);
        }
        let (numbers_out, numbers_in) = net.channel::<u64>("numbers");
        let (gift_out, gift_in) = net.channel::<Gift>("gift");
        let (passed_out, passed_in) = net.channel::<Gift>("passed");
        net.process("source", numbers_out, async |out: &Out<u64>| {
            for number in 0..500 {
                out.send(number).await?;
            }
            Ok(())
        });
        let kept = net.process_returning(
            "giver",
            (numbers_in, gift_out),
            async |(numbers, gift): &(In<u64>, Out<Gift>)| {
                // Some are taken while the island owns the channel, and some after it has given it up.
                let mut sum = 0;
                for _ in 0..100 {
                    sum += numbers.recv().await?;
                }
                gift.send(numbers.parcel()).await.or_end()?;
                gift.send(numbers.parcel()).await.or_end()?;
                while let Some(number) = numbers.next().await? {
                    sum += number;
                }
                Ok(sum)
            },
        );
        let started = Arc::new(AtomicU64::new(0));
        let taken = Arc::clone(&started);
        net.thread(
            "broker",
            (net.here(), gift_in, passed_out),
            move |(here, gift, passed): &(Here, BlockingIn<Gift>, BlockingOut<Gift>)| {
                passed.send(gift.recv()?).or_end()?;
                here.start("started", gift.recv()?, async move |numbers: &In<u64>| {
                    while let Some(number) = numbers.next().await? {
                        taken.fetch_add(number, Ordering::Relaxed);
                    }
                    Ok(())
                });
                Ok(())
            },
        );
        let adopted = net.process_returning(
            "taker",
            (net.here(), passed_in),
            async |(here, passed): &(Here, In<Gift>)| {
                let numbers = here.adopt(passed.recv().await?);
                let mut sum = 0;
                while let Some(number) = numbers.next().await? {
                    sum += number;
                }
                Ok(sum)
            },
        );
        within(move || net.run_threads(threads)).unwrap();
        let all = kept.take().unwrap() + adopted.take().unwrap() + started.load(Ordering::Relaxed);
        assert_eq!(all, sum_below(500), "on {threads} threads");
        assert_eq!(sum.load(Ordering::Relaxed), 8 * sum_below(50));
    }
}

/// Processes that start others are in no island, and those that they start with shares of what they have.
#[test]
fn a_process_that_starts_others_on_several_threads_goes_on_beside_islands() {
    for threads in [1, 2, 4] {
        let (sum, started) = (Arc::default(), Arc::new(AtomicU64::new(0)));
        let mut net = Network::new("growing");
        for number in 0..8 {
            pair(&mut net, &format!("pair {number}"), 100, &sum);
        }
        let (out, into) = net.channel::<u64>("jobs");
        let (here, total) = (net.here(), Arc::clone(&started));
        net.process(
            "foreman",
            (here, into),
            async move |(here, jobs): &(Here, In<u64>)| {
                for worker in 0..10 {
                    let total = Arc::clone(&total);
                    here.start(worker, jobs.token(), async move |jobs: &In<u64>| {
                        while let Some(job) = jobs.next().await? {
                            total.fetch_add(job, Ordering::Relaxed);
                        }
                        Ok(())
                    });
                }
                Ok(())
            },
        );
        net.process("source", out, async |out: &Out<u64>| {
            for job in 0..300 {
                out.send(job).await?;
            }
            Ok(())
        });
        within(move || net.run_threads(threads)).unwrap();
        assert_eq!(started.load(Ordering::Relaxed), sum_below(300));
        assert_eq!(sum.load(Ordering::Relaxed), 8 * sum_below(100));
    }
}

/// An end that leaves the network is used by a thread that it knows nothing of, while its island goes on.
#[test]
fn an_end_that_was_taken_out_of_an_island_is_used_elsewhere() {
    const PAIRS: u64 = 4;
    let (give, given) = std::sync::mpsc::channel::<Sender<u64>>();
    let mut net = Network::new("leaving");
    let sum = Arc::new(AtomicU64::new(0));
    for number in 0..PAIRS {
        let (out, into) = net.channel::<u64>(&format!("numbers {number}"));
        let (give, sum) = (give.clone(), Arc::clone(&sum));
        net.process(
            format!("source {number}"),
            out,
            async move |out: &Out<u64>| {
                for number in 0..100 {
                    out.send(number).await?;
                    if number == 50 {
                        give.send(out.take_out()).unwrap();
                    }
                }
                Ok(())
            },
        );
        net.process(
            format!("sink {number}"),
            into,
            async move |into: &In<u64>| {
                while let Some(number) = into.next().await? {
                    sum.fetch_add(number, Ordering::Relaxed);
                }
                Ok(())
            },
        );
    }
    drop(give);
    let outsiders = thread::spawn(move || {
        for out in given {
            for number in 0..1_000 {
                out.send(number).unwrap();
            }
        }
    });
    within(move || net.run_threads(2)).unwrap();
    outsiders.join().unwrap();
    let all = PAIRS * (sum_below(100) + sum_below(1_000));
    assert_eq!(sum.load(Ordering::Relaxed), all);
}

#[test]
fn a_failure_in_one_island_is_what_the_run_says_after_the_others_have_ended() {
    let sum = Arc::default();
    let mut net = Network::new("failing");
    for number in 0..8 {
        pair(&mut net, &format!("pair {number}"), 500, &sum);
    }
    let (out, into) = net.channel::<u32>("numbers");
    net.process("fails", out, async |out: &Out<u32>| {
        out.send(1).await?;
        Err(ProcessError::msg("no more paper"))
    });
    net.process("hears", into, async |into: &In<u32>| {
        into.recv().await?;
        assert!(into.recv().await.is_err());
        Ok(())
    });
    match within(move || net.run_threads(2)) {
        Err(RunError::Failed { process, .. }) => assert_eq!(process, "fails"),
        other => panic!("{other:?}"),
    }
    assert_eq!(sum.load(Ordering::Relaxed), 8 * sum_below(500));
}

/// The end of a run that a deadlock ends drops what runs, what waits and what was never begun, in every island.
#[test]
fn a_deadlock_in_one_island_ends_all_others_where_they_are() {
    let is_over = Arc::new(AtomicBool::new(false));
    let ledger = Ledger::default();
    let mut net = Network::new("ended");
    for number in 0..100 {
        endless_pair(&mut net, &format!("busy {number}"), &is_over);
        let note = ledger.one();
        let (out, into) = net.channel::<u32>("quiet");
        net.process(
            format!("quiet {number}"),
            (out, into),
            async move |(out, _into): &(Out<u32>, In<u32>)| {
                let _note = note;
                // It could be released, as far as the network knows.
                let _open = out.take_out();
                Ok(out.send(1).await?)
            },
        );
    }
    let (up_out, up_in) = net.channel::<u32>("up");
    let (down_out, down_in) = net.channel::<u32>("down");
    for (name, to, from) in [("a", up_out, down_in), ("b", down_out, up_in)] {
        let note = ledger.one();
        net.process(
            name,
            (to, from),
            async move |(to, from): &(Out<u32>, In<u32>)| {
                let _note = note;
                to.send(1).await?;
                from.recv().await?;
                Ok(())
            },
        );
    }
    match within(move || net.run_threads(2)) {
        Err(RunError::Deadlock(deadlock)) => {
            assert_eq!(deadlock.cycle_names(), ["a", "b"]);
            assert!(!deadlock.is_total);
        }
        other => panic!("{other:?}"),
    }
    ledger.settle();
}

#[test]
fn deadlocks_of_all_islands_are_one_when_nobody_can_go_on() {
    for threads in [1, 2, 3] {
        let mut net = Network::new("all");
        for number in 0..5 {
            let (up_out, up_in) = net.channel::<u32>("up");
            let (down_out, down_in) = net.channel::<u32>("down");
            for (name, to, from) in [("a", up_out, down_in), ("b", down_out, up_in)] {
                net.process(
                    format!("{name}{number}"),
                    (to, from),
                    async |(to, from): &(Out<u32>, In<u32>)| {
                        to.send(1).await?;
                        from.recv().await?;
                        Ok(())
                    },
                );
            }
        }
        // What is found before all have begun ends nothing.
        net.on_deadlock(OnDeadlock::Report);
        match within(move || net.run_threads(threads)) {
            Err(RunError::Deadlock(deadlock)) => {
                assert!(deadlock.is_total);
                assert_eq!(deadlock.cycle.len() + deadlock.others.len(), 10);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Whoever looks stops nobody for good, sees no deadlock that is none, and loses no count.
#[test]
fn islands_are_looked_at_while_they_run_on_four_threads() {
    const PAIRS: u64 = 16;
    let sum = Arc::default();
    let mut net = Network::new("looked at");
    let observer = net.observe();
    for number in 0..PAIRS {
        pair(&mut net, &format!("pair {number}"), 2_000, &sum);
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let looking = thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || {
            let deadline = Instant::now() + LONG;
            let mut most = 0;
            while !is_over.load(Ordering::Acquire) {
                assert!(Instant::now() < deadline);
                let snapshot = observer.snapshot();
                assert!(snapshot.deadlock.is_none(), "{snapshot}");
                assert!(snapshot.processes.len() <= 2 * 16);
                let handed_over = snapshot.channels.iter().map(|channel| channel.handed_over);
                most = handed_over.sum::<u64>().max(most);
            }
            most
        }
    });
    within(move || net.run_threads(4)).unwrap();
    is_over.store(true, Ordering::Release);
    let most = looking.join().unwrap();
    assert!(most <= PAIRS * 2 * 2_000, "{most}");
    assert_eq!(sum.load(Ordering::Relaxed), PAIRS * sum_below(2_000));
}
