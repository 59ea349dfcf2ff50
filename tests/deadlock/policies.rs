//! What follows a deadlock of some while others still run.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use handover::process::{Network, OnDeadlock};
use parking_lot::Mutex;

use crate::{
    play::{self, As},
    ways::WAYS,
};

/// Nothing is asserted about speed: it is when a test gives up.
const LONG: Duration = Duration::from_mins(1);
const PAIR: [&str; 2] = ["a: up! down?", "b: down! up?"];

/// A process that computes, and is not polled meanwhile, until it is told to stop.
fn compute(net: &mut Network) -> (Arc<AtomicBool>, mpsc::Receiver<()>) {
    let is_over = Arc::new(AtomicBool::new(false));
    let (tell, told) = mpsc::channel();
    let seen = Arc::clone(&is_over);
    net.process("computer", (), async move |(): &()| {
        tell.send(())?;
        let deadline = Instant::now() + LONG;
        while !seen.load(Ordering::Acquire) {
            assert!(Instant::now() < deadline, "nobody has told of the deadlock");
            std::hint::spin_loop();
        }
        Ok(())
    });
    (is_over, told)
}

#[test]
fn a_deadlock_is_told_of_while_another_process_computes() {
    for way in WAYS {
        let mut net = Network::new("busy");
        let _kept = play::add(&mut net, &PAIR, As::Processes);
        let (is_over, _began) = compute(&mut net);
        let told = Arc::new(Mutex::new(Vec::new()));
        let tells = Arc::clone(&told);
        net.on_deadlock(OnDeadlock::Call(Box::new(move |deadlock| {
            let was_over = is_over.swap(true, Ordering::AcqRel);
            let names: Vec<String> = deadlock
                .cycle_names()
                .iter()
                .map(ToString::to_string)
                .collect();
            tells.lock().push((names, deadlock.is_total, was_over));
        })));
        // The computation ends because it was told of; then nobody is left but the two.
        let end = way.deadlock(net);
        assert!(end.is_total, "{way:?}");
        let told = told.lock();
        let names = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(*told, [(names, false, false)], "{way:?}");
    }
}

#[test]
fn the_run_ends_at_a_partial_deadlock_once_the_others_give_way() {
    for way in WAYS {
        let mut net = Network::new("return");
        let _kept = play::add(&mut net, &PAIR, As::Processes);
        let (is_over, began) = compute(&mut net);
        let observer = net.observe();
        let releaser = thread::spawn(move || {
            began.recv_timeout(LONG).unwrap();
            let deadline = Instant::now() + LONG;
            while observer.snapshot().deadlock.is_none() {
                assert!(Instant::now() < deadline);
                thread::yield_now();
            }
            is_over.store(true, Ordering::Release);
        });
        assert_eq!(way.deadlock(net).cycle_names(), ["a", "b"]);
        releaser.join().unwrap();
    }
}

#[test]
fn a_deadlock_that_is_only_reported_ends_nothing() {
    for way in WAYS {
        let mut net = Network::new("report");
        let _kept = play::add(&mut net, &PAIR, As::Processes);
        let observer = net.observe();
        let looks = Arc::new(AtomicUsize::new(0));
        let looked = Arc::clone(&looks);
        net.thread("watcher", (), move |(): &()| {
            let deadline = Instant::now() + LONG;
            // Long after it was found it is still there, and so is everybody else.
            while looked.load(Ordering::Relaxed) < 5 {
                assert!(Instant::now() < deadline);
                if let Some(deadlock) = observer.snapshot().deadlock {
                    assert_eq!(deadlock.cycle_names(), ["a", "b"]);
                    assert!(!deadlock.is_total);
                    looked.fetch_add(1, Ordering::Relaxed);
                }
                thread::yield_now();
            }
            Ok(())
        });
        net.on_deadlock(OnDeadlock::Report);
        // When the thread has ended the deadlock is total, which ends the run in any case.
        assert!(way.deadlock(net).is_total, "{way:?}");
        assert_eq!(looks.load(Ordering::Relaxed), 5);
    }
}

#[test]
fn each_set_of_processes_is_told_of_once() {
    for way in WAYS {
        let mut net = Network::new("twice");
        let lines = [
            "a: up! down?",
            "b: down! up?",
            "c: x!keep x?900ms y?",
            "d: z!keep z?900ms y!keep x?",
        ];
        let _kept = play::add(&mut net, &lines, As::Processes);
        let told = Arc::new(Mutex::new(Vec::<usize>::new()));
        let tells = Arc::clone(&told);
        net.on_deadlock(OnDeadlock::Call(Box::new(move |deadlock| {
            tells.lock().push(deadlock.processes().count());
        })));
        let deadlock = way.deadlock(net);
        assert!(deadlock.is_total);
        assert_eq!(deadlock.processes().count(), 4);
        let told = told.lock();
        // The first two at once; maybe one of the others before both; never the same again.
        assert!(
            told.first() == Some(&2) && told.len() <= 3,
            "{way:?}: {told:?}"
        );
    }
}

#[test]
fn a_snapshot_afterwards_says_what_has_ended_the_run() {
    for way in WAYS {
        let mut net = Network::new("after");
        let _kept = play::add(&mut net, &PAIR, As::Processes);
        let observer = net.observe();
        let deadlock = way.deadlock(net);
        let snapshot = observer.snapshot();
        assert_eq!(snapshot.deadlock.as_ref(), Some(&deadlock));
        assert!(!snapshot.is_running);
        // With the processes as they were, though they have been dropped since.
        let mut seen: Vec<&str> = snapshot.processes.iter().map(|p| &*p.name).collect();
        let mut stuck: Vec<&str> = deadlock.processes().map(|b| &*b.process).collect();
        seen.sort_unstable();
        stuck.sort_unstable();
        assert_eq!(seen, stuck);
    }
}

#[test]
fn a_network_without_a_deadlock_calls_nobody() {
    for way in WAYS {
        let mut net = Network::new("quiet");
        let _kept = play::add(&mut net, &["a: 5000{x!}", "b: *{x?}"], As::Processes);
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        net.on_deadlock(OnDeadlock::Call(Box::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        })));
        way.run(net).unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn a_closure_that_panics_is_not_the_end_of_the_watch() {
    for way in WAYS {
        let mut net = Network::new("panicking");
        let _kept = play::add(&mut net, &PAIR, As::Processes);
        let (is_over, _began) = compute(&mut net);
        net.on_deadlock(OnDeadlock::Call(Box::new(move |_| {
            is_over.store(true, Ordering::Release);
            panic!("of the closure, as planned");
        })));
        // Once the computation has ended nobody can go on, and somebody must notice.
        assert!(way.deadlock(net).is_total);
    }
}

#[test]
fn an_ignored_deadlock_ends_nothing_and_whoever_looks_sees_it() {
    let mut net = Network::new("ignored");
    let _kept = play::add(&mut net, &PAIR, As::Processes);
    net.on_deadlock(OnDeadlock::Ignore);
    let observer = net.observe();
    let mut run = pin!(net.run_async());
    let mut poll = || {
        let mut context = Context::from_waker(Waker::noop());
        run.as_mut().poll(&mut context)
    };
    for _ in 0..10 {
        assert!(poll().is_pending(), "nobody looks, so nobody ends it");
        let snapshot = observer.snapshot();
        assert!(snapshot.is_running);
        let deadlock = snapshot.deadlock.unwrap();
        assert!(deadlock.is_total);
        assert_eq!(deadlock.cycle_names(), ["a", "b"]);
    }
}
