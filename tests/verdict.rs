//! P4, where it is hard: what is a deadlock though it seems none, and what is none though it seems one.

#![allow(clippy::unwrap_used)]

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use handover::process::{
    BlockingIn, BlockingOut, In, Network, OnDeadlock, Out, Poisoner, RunError,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// The result of a run, which must come to an end.
fn result_of(net: Network) -> Result<(), RunError> {
    let (tell, result): (_, Receiver<_>) = mpsc::channel();
    let running = thread::spawn(move || {
        let _ = tell.send(net.run());
    });
    match result.recv_timeout(PATIENCE) {
        Err(RecvTimeoutError::Timeout) => panic!("the run does not end"),
        result => {
            running.join().unwrap();
            result.unwrap()
        }
    }
}

/// `a` waits for `b` and `b` for `a`; but `c` may poison the channel that `a` waits on.
#[test]
fn one_that_may_poison_a_channel_may_end_a_wait_on_it() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut net = Network::new("poisoner");
    let (x_out, x_in) = net.channel::<u32>("x");
    let (y_out, y_in) = net.channel::<u32>("y");
    net.process(
        "a",
        (x_in.share(), y_out),
        async |(x, _y): &(In<u32>, Out<u32>)| {
            assert!(x.recv().await.is_err(), "it is poisoned");
            Ok(())
        },
    );
    net.process("b", (x_out, y_in), async |(_x, y): &(Out<u32>, In<u32>)| {
        assert!(y.recv().await.is_err(), "its sender has ended");
        Ok(())
    });
    let right = x_in.poisoner();
    net.process("c", right, async |x: &Poisoner| {
        tokio::time::sleep(Duration::from_millis(120)).await;
        x.poison("enough");
        Ok(())
    });
    let result = runtime.block_on(async { tokio::time::timeout(PATIENCE, net.run_async()).await });
    result.unwrap().unwrap();
}

/// The time that a send has ends with the acceptance: from then on it waits for its acceptor alone.
#[test]
fn a_thread_whose_send_was_accepted_in_time_waits_for_ever() {
    let mut net = Network::new("accepted");
    let (up_out, up_in) = net.channel::<u32>("up");
    let (down_out, down_in) = net.channel::<u32>("down");
    net.thread(
        "a",
        (up_out, down_out),
        |(up, down): &(BlockingOut<u32>, BlockingOut<u32>)| {
            up.send_timeout(1, Duration::from_millis(50))?;
            down.send(2)?;
            Ok(())
        },
    );
    net.thread(
        "b",
        (up_in, down_in),
        |(up, down): &(BlockingIn<u32>, BlockingIn<u32>)| {
            up.accept(|_| down.recv())??;
            Ok(())
        },
    );
    // Poison does not touch what was accepted, but ends the acceptor's wait.
    match result_of(net) {
        Err(RunError::Deadlock(deadlock)) => assert_eq!(deadlock.cycle_names(), ["a", "b"]),
        other => panic!("no deadlock: {other:?}"),
    }
}

fn two_that_wait_for_each_other(net: &mut Network) {
    let (up_out, up_in) = net.channel::<u32>("up");
    let (down_out, down_in) = net.channel::<u32>("down");
    for (name, out, into) in [("a", up_out, down_in), ("b", down_out, up_in)] {
        net.process(
            name,
            (out, into),
            async |(_, into): &(Out<u32>, In<u32>)| {
                into.recv().await?;
                Ok(())
            },
        );
    }
}

/// A thread needs a moment to begin; what the others come to meanwhile is not the end of all.
#[test]
fn a_thread_that_has_not_begun_counts_as_one_that_lives() {
    for _ in 0..20 {
        let (called, was_called) = mpsc::channel();
        let mut net = Network::new("beginning");
        two_that_wait_for_each_other(&mut net);
        net.on_deadlock(OnDeadlock::Call(Box::new(move |deadlock| {
            assert!(!deadlock.is_total);
            let _ = called.send(());
        })));
        let heard = Arc::new(Mutex::new(false));
        net.thread("late", (), {
            let heard = Arc::clone(&heard);
            move |(): &()| {
                *heard.lock().unwrap() = was_called.recv_timeout(PATIENCE / 4).is_ok();
                Ok(())
            }
        });
        match result_of(net) {
            Err(RunError::Deadlock(deadlock)) => assert!(deadlock.is_total),
            other => panic!("no deadlock: {other:?}"),
        }
        assert!(*heard.lock().unwrap(), "it is told while the thread lives");
    }
}

#[test]
fn the_closure_that_hears_of_a_deadlock_runs_on_the_thread_that_watches() {
    let mut net = Network::new("told");
    two_that_wait_for_each_other(&mut net);
    let (tell, told) = mpsc::channel();
    let (go, may_go) = tokio::sync::oneshot::channel();
    let mut go = Some(go);
    net.on_deadlock(OnDeadlock::Call(Box::new(move |_| {
        let name = thread::current().name().map(ToOwned::to_owned);
        let _ = tell.send(name);
        if let Some(go) = go.take() {
            let _ = go.send(());
        }
    })));
    net.process("outside", (), async move |(): &()| {
        may_go.await?;
        Ok(())
    });
    let began = Instant::now();
    assert!(matches!(result_of(net), Err(RunError::Deadlock(_))));
    assert_eq!(told.try_recv(), Ok(Some("handover-watch".to_owned())));
    assert!(began.elapsed() < PATIENCE);
}
