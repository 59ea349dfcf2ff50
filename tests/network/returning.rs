//! What processes return, and why there is nothing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use handover::process::{
    BlockingIn, BlockingOut, In, InToken, Network, NoOutcome, OrEnd, Out, Outcome, ProcessError,
    RunError,
};

use crate::support::{Ledger, WAYS, Way};

fn count_to(net: &mut Network, most: u64) -> InToken<u64> {
    let (out, into) = net.channel::<u64>("numbers");
    net.process("source", out, async move |out: &Out<u64>| {
        for number in 1..=most {
            out.send(number).await?;
        }
        Ok(())
    });
    into
}

#[test]
fn what_processes_and_threads_return_is_there_after_the_run() {
    for way in WAYS {
        let mut net = Network::new("sums");
        let numbers = count_to(&mut net, 100);
        let (back, to_thread) = net.channel::<u64>("squares");
        let sum = net.process_returning(
            "sum",
            (numbers, back),
            async |(numbers, squares): &(In<u64>, Out<u64>)| {
                let mut sum = 0;
                while let Some(number) = numbers.next().await? {
                    sum += number;
                    squares.send(number * number).await?;
                }
                Ok(sum)
            },
        );
        let squares = net.thread_returning("squares", to_thread, |squares: &BlockingIn<u64>| {
            let mut all = Vec::new();
            while let Some(square) = squares.next()? {
                all.push(square);
            }
            Ok(all)
        });
        assert_eq!(sum.take(), Err(NoOutcome::NotRun));
        way.run(net).unwrap();
        assert_eq!(sum.take(), Ok(5050), "{way:?}");
        assert_eq!(sum.take(), Err(NoOutcome::Taken));
        let all = squares.take().unwrap();
        assert_eq!((all.len(), all.iter().sum::<u64>()), (100, 338_350));
    }
}

#[test]
fn while_it_runs_there_is_nothing_yet() {
    for way in WAYS {
        let mut net = Network::new("looked at");
        let (go, wait) = net.channel::<()>("go");
        let (go_too, wait_too) = net.channel::<()>("go too");
        let process = net.process_returning("process", wait, async |wait: &In<()>| {
            wait.recv().await?;
            wait.recv().await?;
            Ok(1)
        });
        let thread = net.thread_returning("thread", wait_too, |wait: &BlockingIn<()>| {
            wait.recv()?;
            wait.recv()?;
            Ok(2)
        });
        let both = Arc::new([process, thread]);
        let looked_at = Arc::clone(&both);
        net.process(
            "looks",
            (go, go_too),
            async move |(go, go_too): &(Out<()>, Out<()>)| {
                // Now both have begun, and neither can end.
                go.send(()).await?;
                go_too.send(()).await?;
                for outcome in &*looked_at {
                    assert_eq!(outcome.take(), Err(NoOutcome::NotYet));
                }
                go.send(()).await?;
                Ok(go_too.send(()).await?)
            },
        );
        way.run(net).unwrap();
        assert_eq!(
            both.each_ref().map(Outcome::take),
            [Ok(1), Ok(2)],
            "{way:?}"
        );
    }
}

#[test]
fn one_that_fails_panics_or_ends_says_so_instead() {
    for way in WAYS {
        let mut net = Network::new("without");
        let fails = net.process_returning("fails", (), async |(): &()| {
            if true {
                return Err(ProcessError::msg("no more paper"));
            }
            Ok(1)
        });
        let panics =
            net.thread_returning::<_, u32, _>("panics", (), |(): &()| panic!("no more ink"));
        let (_, nothing) = net.channel::<u32>("nothing");
        let ends = net.process_returning("ends", nothing, async |nothing: &In<u32>| {
            nothing.recv().await.or_end()
        });
        way.run(net).unwrap_err();
        assert_eq!(
            fails.take(),
            Err(NoOutcome::Failed("no more paper".to_owned()))
        );
        assert_eq!(
            panics.take(),
            Err(NoOutcome::Panicked("no more ink".to_owned()))
        );
        match ends.take() {
            Err(NoOutcome::Ended(words)) => {
                assert!(words.contains("nobody is left"), "{words}");
                assert!(words.contains("returning.rs:"), "{words}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn one_that_a_deadlock_ends_has_returned_nothing() {
    for way in WAYS {
        let mut net = Network::new("stuck");
        let (a_out, a_in) = net.channel::<u32>("a");
        let (b_out, b_in) = net.channel::<u32>("b");
        let first = net.process_returning(
            "first",
            (a_in, b_out),
            async |(a, _b): &(In<u32>, Out<u32>)| Ok(a.recv().await?),
        );
        let second = net.process_returning(
            "second",
            (b_in, a_out),
            async |(b, _a): &(In<u32>, Out<u32>)| Ok(b.recv().await?),
        );
        let deadlock = way.deadlock(net);
        assert_eq!(deadlock.cycle_names(), ["first", "second"]);
        assert_eq!(first.take(), Err(NoOutcome::Stopped), "{way:?}");
        assert_eq!(second.take(), Err(NoOutcome::Stopped), "{way:?}");
    }
}

#[test]
fn one_whose_network_never_ran_has_not_begun() {
    let mut net = Network::new("idle");
    let process = net.process_returning("process", (), async |(): &()| Ok(1));
    let thread = net.thread_returning("thread", (), |(): &()| Ok(2));
    drop(net);
    assert_eq!(process.take(), Err(NoOutcome::NotRun));
    assert_eq!(thread.take(), Err(NoOutcome::NotRun));
}

#[test]
fn one_whose_run_is_given_up_has_returned_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut net = Network::new("given up");
    let (tell, told) = tokio::sync::oneshot::channel();
    let (_never, nothing) = tokio::sync::oneshot::channel::<u32>();
    let outcome = net.process_returning("patient", (), async move |(): &()| {
        let _ = tell.send(());
        Ok(nothing.await?)
    });
    runtime.block_on(async {
        tokio::select! {
            _ = net.run_async() => panic!("it has no end"),
            told = told => told.unwrap(),
        }
    });
    assert_eq!(outcome.take(), Err(NoOutcome::Stopped));
}

#[test]
fn what_nobody_takes_out_is_dropped_once() {
    for way in WAYS {
        let ledger = Ledger::default();
        let mut net = Network::new("dropped");
        let mut outcomes = Vec::new();
        for number in 0..10 {
            let one = ledger.one();
            let outcome = net.process_returning(number, (), async move |(): &()| Ok(one));
            if number % 2 == 0 {
                outcomes.push(outcome);
            }
        }
        way.run(net).unwrap();
        assert_eq!((ledger.made(), ledger.dropped()), (10, 5), "{way:?}");
        drop(outcomes);
        assert_eq!(ledger.dropped(), 10);
    }
}

#[test]
fn what_cannot_be_told_is_a_panic() {
    #[derive(Debug)]
    struct Unspeakable;
    impl std::fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("words fail")
        }
    }
    impl std::error::Error for Unspeakable {}
    for way in WAYS {
        for is_thread in [false, true] {
            let mut net = Network::new("unspeakable");
            let outcome = if is_thread {
                net.thread_returning("source", (), |(): &()| Err::<u32, _>(Unspeakable.into()))
            } else {
                net.process_returning("source", (), async |(): &()| {
                    Err::<u32, _>(Unspeakable.into())
                })
            };
            match way.run(net) {
                Err(RunError::Panicked { message, .. }) => assert_eq!(message, "words fail"),
                other => panic!("{other:?}"),
            }
            assert!(matches!(outcome.take(), Err(NoOutcome::Panicked(_))));
        }
    }
}

#[test]
fn an_attached_process_returns_to_whoever_awaits_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut net = Network::new("host");
    let numbers = count_to(&mut net, 100);
    let sum = net.attach_returning("guest", numbers, async |numbers: &In<u64>| {
        let mut sum = 0;
        while let Some(number) = numbers.next().await? {
            sum += number;
        }
        Ok(sum)
    });
    let sum = runtime.spawn(sum);
    Way::OneThread.run(net).unwrap();
    assert_eq!(runtime.block_on(sum).unwrap().unwrap(), 5050);
}

#[test]
fn a_thread_that_returns_nothing_is_as_it_was() {
    let has_run = Arc::new(AtomicBool::new(false));
    let mut net = Network::new("plain");
    let (out, into) = net.channel::<u32>("numbers");
    let noted = Arc::clone(&has_run);
    net.thread("source", out, move |out: &BlockingOut<u32>| {
        out.send(1)?;
        noted.store(true, Ordering::Release);
        Ok(())
    });
    // Neither a loop without an end nor a closure that only fails needs to say what it returns.
    net.process("sink", into, async |into: &In<u32>| {
        loop {
            into.recv().await.or_end()?;
        }
    });
    Way::TwoThreads.run(net).unwrap();
    assert!(has_run.load(Ordering::Acquire));
}
