//! How a run ends: with what result, who is told, and what is dropped.

use std::{
    future::{pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Waker},
    thread,
    time::Instant,
};

use handover::process::{
    BlockingIn, BlockingOut, Here, In, Network, OnDeadlock, Out, ProcessError, ProcessResult,
    RunError,
};

use crate::support::{LONG, Ledger, Noted, WAYS, within};

#[test]
fn poison_spreads_through_all_that_depends_on_it() {
    for way in WAYS {
        let mut net = Network::new("spreading");
        let told = Arc::new(AtomicUsize::new(0));
        let (first, mut last) = net.channel::<u32>("stage 0");
        net.process("source", first, async |out: &Out<u32>| {
            for number in 0..3 {
                out.send(number).await?;
            }
            Err(ProcessError::msg("no more paper"))
        });
        for stage in 1..6 {
            let (out, into) = net.channel::<u32>(&format!("stage {stage}"));
            let from = std::mem::replace(&mut last, into);
            let told = Arc::clone(&told);
            net.process(
                format!("stage {stage}"),
                (from, out),
                async move |(from, out): &(In<u32>, Out<u32>)| {
                    loop {
                        match from.recv().await {
                            Ok(number) => out.send(number).await?,
                            Err(error) => {
                                assert!(error.to_string().contains("no more paper"), "{error}");
                                told.fetch_add(1, Ordering::Relaxed);
                                return Err(error.into());
                            }
                        }
                    }
                },
            );
        }
        net.process("sink", last, async |from: &In<u32>| {
            loop {
                from.recv().await?;
            }
        });
        match way.run(net) {
            Err(RunError::Failed { process, error }) => {
                assert_eq!(process, "source");
                assert_eq!(error.to_string(), "no more paper");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(told.load(Ordering::Relaxed), 5, "{way:?}");
    }
}

/// A value whose destructor panics, unless a panic is under way.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(thread::panicking(), "the pin is out");
    }
}

fn panicked(way: crate::support::Way, net: Network, name: &str, words: &str) {
    match way.run(net) {
        Err(RunError::Panicked { process, message }) => {
            assert_eq!((&*process, &*message), (name, words), "{way:?}");
        }
        other => panic!("{way:?}: {other:?}"),
    }
}

#[test]
fn a_panic_in_the_destructor_of_what_a_process_has_captured_is_its_failure() {
    for way in WAYS {
        let mut net = Network::new("grenade");
        let grenade = Grenade;
        let (out, into) = net.channel::<u32>("numbers");
        net.process("thrower", out, async move |_: &Out<u32>| {
            let _grenade = grenade;
            Ok(())
        });
        net.process("sink", into, async |numbers: &In<u32>| {
            assert!(numbers.recv().await.is_err());
            Ok(())
        });
        panicked(way, net, "thrower", "the pin is out");
    }
}

#[test]
fn a_panic_before_the_first_await_is_the_failure_of_its_process() {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "a process borrows its ports, whatever they are"
    )]
    fn explode(_: &()) -> std::future::Ready<ProcessResult> {
        panic!("no fuse")
    }
    for way in WAYS {
        let mut net = Network::new("fuse");
        net.process("bomb", (), explode);
        panicked(way, net, "bomb", "no fuse");
    }
}

#[test]
fn a_panic_of_a_thread_is_its_failure() {
    for way in WAYS {
        let mut net = Network::new("thread");
        let (out, into) = net.channel::<u32>("numbers");
        net.thread("source", out, |numbers: &BlockingOut<u32>| {
            numbers.send(1)?;
            panic!("out of paper")
        });
        net.process("sink", into, async |numbers: &In<u32>| {
            numbers.recv().await?;
            let error = numbers.recv().await.unwrap_err().to_string();
            assert!(error.contains("`source` panicked: out of paper"), "{error}");
            Ok(())
        });
        panicked(way, net, "source", "out of paper");
    }
}

/// The last end of a channel drops what was granted and not taken.
#[test]
fn a_panic_in_the_destructor_of_a_message_is_the_failure_of_who_drops_it() {
    for way in WAYS {
        let mut net = Network::new("granted");
        let (out, into) = net.channel::<Grenade>("grenades");
        net.process("source", out, async |grenades: &Out<Grenade>| {
            grenades.send(Grenade).await?;
            Ok(())
        });
        net.process("sink", into, async |grenades: &In<Grenade>| {
            grenades.grant(1);
            while grenades.outstanding().untaken == 0 {
                give_way().await;
            }
            Ok(())
        });
        let error = way.run(net).unwrap_err().to_string();
        assert!(error.ends_with("panicked: the pin is out"), "{error}");
    }
}

/// An error that cannot be put into words.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("words fail")
    }
}

impl std::error::Error for Unspeakable {}

#[test]
fn an_error_that_panics_when_it_is_told_is_a_panic_of_its_process() {
    for way in WAYS {
        for is_thread in [false, true] {
            let mut net = Network::new("unspeakable");
            let (out, into) = net.channel::<u32>("numbers");
            if is_thread {
                net.thread(
                    "source",
                    out,
                    |_: &BlockingOut<u32>| Err(Unspeakable.into()),
                );
            } else {
                net.process("source", out, async |_: &Out<u32>| Err(Unspeakable.into()));
            }
            net.process("sink", into, async |numbers: &In<u32>| {
                assert!(numbers.recv().await.is_err());
                Ok(())
            });
            panicked(way, net, "source", "words fail");
        }
    }
}

async fn give_way() {
    let mut has_waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn a_failure_comes_before_the_deadlock_that_follows_it() {
    for way in WAYS {
        let mut net = Network::new("both");
        let (a_out, a_in) = net.channel::<u32>("a");
        let (b_out, b_in) = net.channel::<u32>("b");
        net.process(
            "first",
            (a_in, b_out),
            async |(a, _b): &(In<u32>, Out<u32>)| {
                a.recv().await?;
                Ok(())
            },
        );
        net.process(
            "second",
            (b_in, a_out),
            async |(b, _a): &(In<u32>, Out<u32>)| {
                b.recv().await?;
                Ok(())
            },
        );
        // It fails while the others are running up to their deadlock, and lets it be found.
        net.process("third", (), async |(): &()| {
            Err(ProcessError::msg("first of all"))
        });
        net.on_deadlock(OnDeadlock::Report);
        let error = way.run(net).unwrap_err().to_string();
        assert_eq!(error, "process `third` failed: first of all", "{way:?}");
    }
}

#[test]
fn what_fails_because_a_deadlock_ends_the_run_is_not_what_the_run_says() {
    let mut net = Network::new("after");
    let (a_out, a_in) = net.channel::<u32>("a");
    let (b_out, b_in) = net.channel::<u32>("b");
    let heard = Arc::new(AtomicUsize::new(0));
    for (name, into, out) in [("first", a_in, b_out), ("second", b_in, a_out)] {
        let heard = Arc::clone(&heard);
        net.thread(
            name,
            (into, out),
            move |(into, _out): &(BlockingIn<u32>, BlockingOut<u32>)| {
                let error = into.recv().unwrap_err();
                assert!(error.to_string().contains("deadlock: first"), "{error}");
                heard.fetch_add(1, Ordering::Relaxed);
                Err(error.into())
            },
        );
    }
    match within(move || net.run()) {
        Err(RunError::Deadlock(deadlock)) => {
            assert_eq!(deadlock.cycle_names(), ["first", "second"]);
        }
        other => panic!("{other:?}"),
    }
    // The run has waited for its threads.
    assert_eq!(heard.load(Ordering::Relaxed), 2);
}

/// Waits until all who have captured the value have dropped it.
fn until_dropped(value: &Weak<()>) {
    let deadline = Instant::now() + LONG;
    while value.strong_count() > 0 {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
}

#[test]
fn the_run_waits_for_a_thread_that_is_no_part_of_the_deadlock() {
    for way in WAYS {
        let mut net = Network::new("patient");
        let (a_out, a_in) = net.channel::<u32>("a");
        let (b_out, b_in) = net.channel::<u32>("b");
        let both = Arc::new(());
        for (name, into, out) in [("first", a_in, b_out), ("second", b_in, a_out)] {
            let captured = Arc::clone(&both);
            net.process(
                name,
                (into, out),
                async move |(into, _out): &(In<u32>, Out<u32>)| {
                    into.recv().await?;
                    drop(captured);
                    Ok(())
                },
            );
        }
        let both = {
            let watched = Arc::downgrade(&both);
            drop(both);
            watched
        };
        let (go, gone) = mpsc::channel::<()>();
        let ended = Arc::new(AtomicBool::new(false));
        let has_ended = Arc::clone(&ended);
        net.thread("slow", (), move |(): &()| {
            gone.recv_timeout(LONG).unwrap();
            has_ended.store(true, Ordering::Release);
            Ok(())
        });
        let releaser = thread::spawn(move || {
            // Once only the thread is left, the deadlock of the others has ended the run.
            until_dropped(&both);
            go.send(()).unwrap();
        });
        let deadlock = way.deadlock(net);
        assert!(ended.load(Ordering::Acquire));
        assert!(!deadlock.is_total, "{way:?}");
        releaser.join().unwrap();
    }
}

#[test]
fn a_run_that_is_dropped_midway_drops_everything() {
    let ledger = Ledger::default();
    let mut net = Network::new("midway");
    let (a_out, a_in) = net.channel::<Noted>("a");
    let (b_out, b_in) = net.channel::<Noted>("b");
    let captured = ledger.one();
    let with_thread = ledger.one();
    let source = ledger.clone();
    net.process("source", a_out, async move |a: &Out<Noted>| {
        let _captured = captured;
        loop {
            a.send(source.one()).await?;
        }
    });
    net.process(
        "middle",
        (a_in, b_out),
        async |(a, b): &(In<Noted>, Out<Noted>)| {
            loop {
                b.send(a.recv().await?).await?;
            }
        },
    );
    let (heard, told) = mpsc::channel();
    net.thread("sink", b_in, move |b: &BlockingIn<Noted>| {
        let _with_thread = with_thread;
        let reason = loop {
            if let Err(error) = b.recv() {
                break error;
            }
            let _ = heard.send(None);
        };
        let _ = heard.send(Some(reason.to_string()));
        Ok(())
    });
    let mut run = Box::pin(net.run_async());
    let mut context = Context::from_waker(Waker::noop());
    // Some messages have changed hands, and one is under way.
    while !matches!(told.try_recv(), Ok(None)) {
        assert!(run.as_mut().poll(&mut context).is_pending());
    }
    drop(run);
    let reason = loop {
        if let Some(reason) = told.recv_timeout(LONG).unwrap() {
            break reason;
        }
    };
    assert!(reason.contains("no message will come"), "{reason}");
    // The thread is not waited for; it ends because its channels do.
    ledger.settle();
}

#[test]
fn a_run_that_is_dropped_before_its_first_poll_drops_everything() {
    let ledger = Ledger::default();
    let mut net = Network::new("unborn");
    let (out, into) = net.channel::<Noted>("a");
    let (in_source, in_sink, in_guest) = (ledger.one(), ledger.one(), ledger.one());
    net.process("source", out.share(), async move |_: &Out<Noted>| {
        let _in_source = in_source;
        pending::<()>().await;
        Ok(())
    });
    net.thread("sink", into, move |_: &BlockingIn<Noted>| {
        let _in_sink = in_sink;
        Ok(())
    });
    let guest = net.attach("guest", out, async move |_: &Out<Noted>| {
        let _in_guest = in_guest;
        Ok(())
    });
    drop(net.run_async());
    drop(guest);
    ledger.settle();
}

#[test]
fn a_network_that_never_runs_drops_its_threads_and_guests() {
    let ledger = Ledger::default();
    let mut net = Network::new("idle");
    let (out, into) = net.channel::<Noted>("a");
    let (in_sink, in_guest) = (ledger.one(), ledger.one());
    net.thread("sink", into, move |_: &BlockingIn<Noted>| {
        let _in_sink = in_sink;
        Ok(())
    });
    let guest = net.attach("guest", out, async move |_: &Out<Noted>| {
        let _in_guest = in_guest;
        Ok(())
    });
    drop(net);
    drop(guest);
    ledger.settle();
}

/// Each kind of end: taken, sent in vain, granted and left, held and left, in a deadlock.
#[test]
fn a_message_is_dropped_once_at_every_kind_of_end() {
    for way in WAYS {
        let ledger = Ledger::default();
        let mut net = Network::new("ends");
        let (taken_out, taken_in) = net.channel::<Noted>("taken");
        let (granted_out, granted_in) = net.channel::<Noted>("granted");
        let (held_out, held_in) = net.channel::<Noted>("held");
        let (stuck_out, stuck_in) = net.channel::<Noted>("stuck");
        let notes = ledger.clone();
        net.process(
            "source",
            (taken_out, granted_out, held_out, stuck_out),
            async move |(taken, granted, held, stuck): &(Out<_>, Out<_>, Out<_>, Out<_>)| {
                taken.send(notes.one()).await?;
                granted.send(notes.one()).await?;
                granted.send(notes.one()).await?;
                let mut back = Some(notes.one());
                assert!(taken.send_from(&mut back).await.is_err());
                drop(back);
                let both = (held.send(notes.one()), stuck.send(notes.one()));
                futures_util::future::try_join(both.0, both.1).await?;
                Ok(())
            },
        );
        net.process(
            "sink",
            (granted_in, held_in, stuck_in),
            async move |(granted, held, stuck): &(In<Noted>, In<Noted>, In<Noted>)| {
                granted.grant(2);
                let _mine = held.recv_held().await?;
                // Its sender waits for the answer; what it waits for nobody sends.
                granted.closed().await;
                drop(stuck.recv().await?);
                Ok(())
            },
        );
        net.process("taker", taken_in, async |taken: &In<Noted>| {
            drop(taken.recv().await?);
            Ok(())
        });
        assert!(
            matches!(way.run(net), Err(RunError::Deadlock(_))),
            "{way:?}"
        );
        assert_eq!(ledger.made(), 6);
        ledger.settle();
    }
}

#[test]
fn a_run_whose_thread_panics_in_a_destructor_ends() {
    for way in WAYS {
        let mut net = Network::new("late");
        let grenade = Grenade;
        net.thread("thrower", (), move |(): &()| {
            let _grenade = grenade;
            Ok(())
        });
        panicked(way, net, "thrower", "the pin is out");
    }
}

#[test]
fn a_panic_of_the_one_that_is_polled_here_does_not_leave_the_run() {
    let mut net = Network::new("contained");
    net.process("bomb", (), async |(): &()| panic!("boom"));
    let outcome = catch_unwind(AssertUnwindSafe(|| net.run()));
    assert!(matches!(outcome, Ok(Err(RunError::Panicked { .. }))));
}

/// Nobody would run it, and the run waits for the thread that has started it.
#[test]
fn what_a_thread_starts_after_a_deadlock_has_ended_the_run_is_dropped() {
    for way in WAYS {
        let ledger = Ledger::default();
        let mut net = Network::new("too late");
        let (a_out, a_in) = net.channel::<u32>("a");
        let captured = Arc::new(());
        let stuck = Arc::downgrade(&captured);
        net.process(
            "stuck",
            (a_out, a_in),
            async move |(a, _b): &(Out<u32>, In<u32>)| {
                a.send(1).await?;
                drop(captured);
                Ok(())
            },
        );
        let note = ledger.one();
        net.thread("starter", net.here(), move |here: &Here| {
            // Once only the thread is left, the deadlock of the other has ended the run.
            until_dropped(&stuck);
            here.start("late", (), async move |(): &()| {
                let _note = note;
                pending::<()>().await;
                Ok(())
            });
            Ok(())
        });
        assert_eq!(way.deadlock(net).cycle_names(), ["stuck"]);
        ledger.settle();
    }
}
