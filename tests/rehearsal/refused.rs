//! What a rehearsal cannot drive, and how it says so.

use std::time::Duration;

use handover::{
    Receiver,
    channel::{channel, sleep, tick},
    process::{
        BlockingIn, In, Kind, Network, OnDeadlock, Out,
        rehearsal::{Rehearsal, RehearsalError, Replay},
    },
};

fn rehearse(net: Network) -> RehearsalError {
    Rehearsal::new()
        .run(net, Replay::default())
        .result
        .unwrap_err()
}

#[test]
fn a_network_with_a_thread_is_refused() {
    let mut net = Network::new("threads");
    let (out, into) = net.channel::<u32>("numbers");
    net.process("sender", out, async |out: &Out<u32>| {
        Ok(out.send(1).await?)
    });
    net.thread("blocker", into, |into: &BlockingIn<u32>| {
        into.recv()?;
        Ok(())
    });
    let error = rehearse(net);
    assert!(
        matches!(&error, RehearsalError::NotOurs { process, kind: Kind::Thread } if process == "blocker")
    );
    assert_eq!(
        error.to_string(),
        "process `blocker` cannot be rehearsed, for a thread of its own runs it: add it with `process`"
    );
}

#[test]
fn a_network_with_an_attached_process_is_refused() {
    let mut net = Network::new("attached");
    let (out, into) = net.channel::<u32>("numbers");
    net.process("sender", out, async |out: &Out<u32>| {
        Ok(out.send(1).await?)
    });
    let attached = net.attach("guest", into, async |into: &In<u32>| {
        into.recv().await?;
        Ok(())
    });
    let error = rehearse(net);
    assert!(
        matches!(&error, RehearsalError::NotOurs { process, kind: Kind::Attached } if process == "guest")
    );
    drop(attached);
}

#[test]
fn what_waits_for_somebody_outside_is_stuck_and_no_deadlock() {
    let (outside, inside): (_, Receiver<u32>) = channel();
    let mut net = Network::new("open");
    net.process("waiter", (), async move |(): &()| {
        sleep(Duration::from_secs(3)).await;
        inside.recv_async().await?;
        Ok(())
    });
    let error = rehearse(net);
    let RehearsalError::Stuck { time, moment } = &error else {
        panic!("{error}");
    };
    assert_eq!(*time, Duration::from_secs(3));
    assert_eq!(moment.processes.len(), 1);
    assert!(error.to_string().contains("waiter"), "{error}");
    drop(outside);
}

#[test]
fn a_deadlock_that_is_ignored_leaves_it_stuck() {
    let mut net = Network::new("ignored");
    let (out, into) = net.channel::<u32>("numbers");
    net.process(
        "both",
        (out, into),
        async |(_, into): &(Out<u32>, In<u32>)| {
            into.recv().await?;
            Ok(())
        },
    );
    net.on_deadlock(OnDeadlock::Ignore);
    let error = rehearse(net);
    assert!(matches!(error, RehearsalError::Stuck { .. }));
    assert!(
        error.to_string().contains("deadlock: both (receiving"),
        "{error}"
    );
}

#[test]
fn what_has_come_from_outside_by_then_is_taken_in() {
    let (tell, told) = std::sync::mpsc::channel();
    let waking = std::thread::spawn(move || {
        let waker: std::task::Waker = told.recv().unwrap();
        waker.wake();
    });
    let mut net = Network::new("woken");
    let mut waking = Some(waking);
    net.process("waiter", (), async move |(): &()| {
        std::future::poll_fn(|context| match waking.take() {
            Some(thread) => {
                tell.send(context.waker().clone()).unwrap();
                thread.join().unwrap();
                std::task::Poll::Pending
            }
            None => std::task::Poll::Ready(()),
        })
        .await;
        Ok(())
    });
    let run = Rehearsal::new().run(net, Replay::default());
    run.result.unwrap();
}

#[test]
fn a_process_that_blocks_its_thread_fails_and_says_why() {
    type Blocks = fn(&Receiver<u32>);
    let ways: [Blocks; 4] = [
        |channel| drop(channel.recv()),
        |channel| drop(channel.recv_timeout(Duration::from_hours(1))),
        |channel| handover::select! { recv(channel) -> _ => {} },
        |_| {
            tick(Duration::from_hours(1)).wait();
        },
    ];
    for blocks in ways {
        let (outside, inside) = channel::<u32>();
        let mut net = Network::new("blocking");
        net.process("blocker", (), async move |(): &()| {
            blocks(&inside);
            Ok(())
        });
        let error = rehearse(net).to_string();
        assert!(error.contains("process `blocker` panicked"), "{error}");
        assert!(error.contains("blocks its thread"), "{error}");
        drop(outside);
    }
}

#[test]
fn one_that_goes_round_and_round_is_ended() {
    let mut net = Network::new("round");
    net.process("round", (), async |(): &()| {
        loop {
            sleep(Duration::ZERO).await;
            sleep(Duration::from_nanos(1)).await;
        }
    });
    let run = Rehearsal::new()
        .turns_max(1_000)
        .run(net, Replay::default());
    let error = run.result.unwrap_err();
    assert!(matches!(error, RehearsalError::TooLong { turns: 1_000 }));
}

#[test]
fn a_process_that_fails_or_panics_is_told_with_its_time() {
    let mut net = Network::new("failing");
    net.process("frail", (), async |(): &()| {
        sleep(Duration::from_secs(90)).await;
        panic!("of old age")
    });
    let error = rehearse(net).to_string();
    assert_eq!(error, "after 90s: process `frail` panicked: of old age");
}
