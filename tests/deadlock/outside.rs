//! What the network cannot see is never called a deadlock: wakers that somebody has, channels that are not the
//! network's, ends that were taken out, futures that others poll. And it is one once nobody has them any more.
//!
//! A test that no alarm is raised waits until they are seen to wait, has the network looked at many times, and goes on.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use handover::{
    channel,
    process::{BlockingIn, BlockingOut, Doing, In, Network, Observer, Out, RunError},
};

use crate::{
    play::{self, As},
    ways::WAYS,
};

/// In this time a deadlock would be found several times over.
const LOOKED_AT: Duration = Duration::from_millis(200);
/// When a test gives up.
const LONG: Duration = Duration::from_mins(1);
const LOOKS: usize = 200;

/// Waits until each of these processes is seen to wait, and looks for a deadlock many times: there is none.
fn look_often(observer: &Observer, waiting: &[&str]) {
    let deadline = Instant::now() + LONG;
    let waits = |name: &&str| {
        let processes = observer.snapshot().processes;
        let mut states = processes.iter().filter(|one| one.name == **name);
        states.any(|one| matches!(one.state, Doing::Blocked | Doing::Outside))
    };
    while !waiting.iter().all(waits) {
        assert!(Instant::now() < deadline, "{:?}", observer.snapshot());
        thread::yield_now();
    }
    for _ in 0..LOOKS {
        assert_eq!(observer.look(), None);
    }
}

/// A network in which `a` waits for `outside`, and `b` for `a`.
fn waits_for<Fut>(outside: Fut) -> Network
where
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut net = Network::new("outside");
    let (x_out, x_in) = net.channel::<u32>("x");
    let (y_out, y_in) = net.channel::<u32>("y");
    net.process(
        "a",
        (x_out, y_in),
        async move |(x, y): &(Out<u32>, In<u32>)| {
            outside.await;
            x.send(1).await?;
            y.recv().await?;
            Ok(())
        },
    );
    net.process("b", (x_in, y_out), async |(x, y): &(In<u32>, Out<u32>)| {
        x.recv().await?;
        y.send(1).await?;
        Ok(())
    });
    net
}

#[test]
fn one_that_waits_for_a_oneshot_of_tokio() {
    for way in WAYS {
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let net = waits_for(async move { told.await.unwrap() });
        let observer = net.observe();
        let teller = thread::spawn(move || {
            look_often(&observer, &["a", "b"]);
            tell.send(()).unwrap();
        });
        way.run(net).unwrap();
        teller.join().unwrap();
    }
}

#[test]
fn one_whose_waker_a_thread_has() {
    for way in WAYS {
        let (give, given) = mpsc::channel::<Waker>();
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&polls);
        let net = waits_for(poll_fn(move |context| {
            if counted.fetch_add(1, Ordering::Relaxed) > 0 {
                return Poll::Ready(());
            }
            give.send(context.waker().clone()).unwrap();
            Poll::Pending
        }));
        let observer = net.observe();
        let holder = thread::spawn(move || {
            let waker = given.recv().unwrap();
            look_often(&observer, &["a", "b"]);
            waker.wake();
        });
        way.run(net).unwrap();
        holder.join().unwrap();
    }
}

/// It waits for nobody any more then, and so does who waits for it.
#[test]
fn one_whose_waker_was_dropped_is_deadlocked() {
    for way in WAYS {
        let (give, given) = mpsc::channel::<Waker>();
        let mut net = Network::new("dropped");
        let observer = net.observe();
        let (x_out, x_in) = net.channel::<u32>("x");
        net.process("a", x_out, async move |_x: &Out<u32>| {
            poll_fn(|context| {
                let _ = give.send(context.waker().clone());
                Poll::<()>::Pending
            })
            .await;
            Ok(())
        });
        net.process("b", x_in, async |x: &In<u32>| {
            x.recv().await?;
            Ok(())
        });
        let holder = thread::spawn(move || {
            let waker = given.recv().unwrap();
            look_often(&observer, &["a", "b"]);
            assert_eq!(observer.snapshot().deadlock, None);
            drop(waker);
        });
        let deadlock = way.deadlock(net);
        assert!(deadlock.is_total && deadlock.cycle.is_empty());
        assert_eq!(crate::ways::others(&deadlock), ["a", "b"]);
        holder.join().unwrap();
    }
}

#[test]
fn one_that_waits_at_a_channel_that_is_not_the_networks() {
    for way in WAYS {
        let (tx, rx) = channel::<u32>();
        let net = waits_for(async move {
            assert_eq!(rx.recv_async().await, Ok(1));
        });
        let observer = net.observe();
        let sender = thread::spawn(move || {
            look_often(&observer, &["a", "b"]);
            tx.send(1).unwrap();
        });
        way.run(net).unwrap();
        sender.join().unwrap();
    }
}

/// The futures in it have wakers of their own: what they wait for is not seen, and so nothing is claimed of it.
#[test]
fn one_that_wraps_the_wakers_of_its_parts() {
    for way in WAYS {
        let mut net = Network::new("wrapped");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        net.process("a", (x_in, y_in), async |(x, y): &(In<u32>, In<u32>)| {
            let mut both: FuturesUnordered<_> = [x.recv(), y.recv()].into_iter().collect();
            while let Some(got) = both.next().await {
                got?;
            }
            Ok(())
        });
        net.process(
            "b",
            (x_out, y_out),
            async move |(x, y): &(Out<u32>, Out<u32>)| {
                told.await?;
                y.send(1).await?;
                x.send(1).await?;
                Ok(())
            },
        );
        let observer = net.observe();
        let teller = thread::spawn(move || {
            look_often(&observer, &["a", "b"]);
            tell.send(()).unwrap();
        });
        way.run(net).unwrap();
        teller.join().unwrap();
    }
}

/// These hand the waker through, so that both are seen: `a` is released by either.
#[test]
fn one_that_chooses_by_a_combinator() {
    for way in WAYS {
        let mut net = Network::new("combined");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        net.process("a", (x_in, y_in), async |(x, y): &(In<u32>, In<u32>)| {
            tokio::select! { got = x.recv() => got?, got = y.recv() => got? };
            Ok(())
        });
        net.process(
            "b",
            (x_out, y_out),
            async |(x, y): &(Out<u32>, Out<u32>)| {
                tokio::select! { () = x.closed() => {}, () = y.closed() => {} }
                Ok(())
            },
        );
        let deadlock = way.deadlock(net);
        assert_eq!(deadlock.cycle_names(), ["a", "b"]);
        assert_eq!(deadlock.cycle[0].waits.len(), 2);
    }
}

/// It still hangs where it was polled: a sender may have woken it. That is a miss, and no alarm.
#[test]
fn a_receive_that_was_polled_once_and_left() {
    for way in WAYS {
        let mut net = Network::new("left");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let (polled, was_polled) = tokio::sync::oneshot::channel::<()>();
        net.process(
            "a",
            (x_in, y_in),
            async move |(x, y): &(In<u32>, In<u32>)| {
                let mut left = Box::pin(x.recv());
                assert!(futures_util::poll!(&mut left).is_pending());
                let _ = polled.send(());
                y.recv().await?;
                // It is taken up again.
                left.await?;
                Ok(())
            },
        );
        net.process("b", x_out, async move |x: &Out<u32>| {
            was_polled.await?;
            x.send(1).await?;
            Ok(())
        });
        net.process("c", y_out, async move |y: &Out<u32>| {
            told.await?;
            y.send(1).await?;
            Ok(())
        });
        let observer = net.observe();
        let teller = thread::spawn(move || {
            look_often(&observer, &["a", "b", "c"]);
            tell.send(()).unwrap();
        });
        way.run(net).unwrap();
        teller.join().unwrap();
    }
}

#[test]
fn an_end_that_was_taken_out_may_release_at_any_time() {
    for how in [As::Processes, As::Threads] {
        for way in WAYS {
            let mut net = Network::new("open");
            let kept = play::add(&mut net, &["a: x!out x? y!", "b: y? x!"], how);
            let observer = net.observe();
            let outside = thread::spawn(move || {
                look_often(&observer, &["a", "b"]);
                let snapshot = observer.snapshot();
                assert_eq!(snapshot.deadlock, None);
                let x = snapshot
                    .channels
                    .iter()
                    .find(|one| one.name == "x")
                    .unwrap();
                assert_eq!(x.open_ends, 1);
                let end = kept.lock().pop().unwrap();
                let end = end.downcast::<handover::Sender<u32>>().unwrap();
                end.send(1).unwrap();
            });
            // Then `b` sends to nobody.
            match way.run(net) {
                Err(RunError::Failed { process, .. }) => assert_eq!(process, "b"),
                other => panic!("{other:?}"),
            }
            outside.join().unwrap();
        }
    }
}

#[test]
fn a_network_inside_a_process_of_another() {
    for way in WAYS {
        let mut outer = Network::new("outer");
        let (x_out, x_in) = outer.channel::<u32>("x");
        outer.process("host", x_out, async |x: &Out<u32>| {
            let mut inner = Network::new("inner");
            let _kept = play::add(&mut inner, &["a: up! down?", "b: down! up?"], As::Processes);
            match inner.run_async().await {
                Err(RunError::Deadlock(deadlock)) => {
                    assert_eq!(deadlock.cycle_names(), ["a", "b"]);
                    assert_eq!(deadlock.network, "inner");
                }
                other => panic!("{other:?}"),
            }
            let mut inner = Network::new("patient");
            inner.process("sleeper", (), async |(): &()| {
                let (_tx, rx) = channel::<u32>();
                assert!(rx.recv_timeout_async(LOOKED_AT).await.is_err());
                Ok(())
            });
            inner.run_async().await.unwrap();
            x.send(1).await?;
            Ok(())
        });
        outer.process("guest", x_in, async |x: &In<u32>| {
            x.recv().await?;
            Ok(())
        });
        way.run(outer).unwrap();
    }
}

#[test]
fn an_attached_process_may_be_dropped_at_any_time() {
    for way in WAYS {
        let mut net = Network::new("host");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        let guest = net.attach(
            "guest",
            (x_out, y_in),
            async |(_x, y): &(Out<u32>, In<u32>)| {
                y.recv().await?;
                Ok(())
            },
        );
        net.process("a", (x_in, y_out), async |(x, _y): &(In<u32>, Out<u32>)| {
            assert!(x.recv().await.is_err());
            Ok(())
        });
        let observer = net.observe();
        let owner = thread::spawn(move || {
            let mut guest = Box::pin(guest);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::time::timeout(LOOKED_AT, guest.as_mut())
                    .await
                    .unwrap_err();
            });
            assert_eq!(observer.snapshot().deadlock, None);
            drop(guest);
        });
        way.run(net).unwrap();
        owner.join().unwrap();
    }
}

#[test]
fn an_attached_process_whose_owner_has_promised_to_poll_it_is_a_member() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    for way in WAYS {
        let mut net = Network::new("host");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        let guest = net.attach(
            "guest",
            (x_out, y_in),
            async |(_x, y): &(Out<u32>, In<u32>)| {
                y.recv().await?;
                Ok(())
            },
        );
        let guest = runtime.spawn(guest.promise_to_poll());
        net.process("a", (x_in, y_out), async |(x, _y): &(In<u32>, Out<u32>)| {
            x.recv().await?;
            Ok(())
        });
        let deadlock = way.deadlock(net);
        assert_eq!(deadlock.cycle_names(), ["guest", "a"], "{way:?}");
        // The ends of `a` are gone with the run.
        runtime.block_on(guest).unwrap().unwrap_err();
    }
}

/// A thread that is blocked at something else, while all others wait for it.
#[test]
fn a_thread_that_waits_elsewhere() {
    for way in WAYS {
        let mut net = Network::new("elsewhere");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        let (go, gone) = mpsc::channel::<()>();
        net.thread(
            "a",
            (x_in, y_out),
            move |(x, y): &(BlockingIn<u32>, BlockingOut<u32>)| {
                gone.recv()?;
                y.send(1)?;
                x.recv()?;
                Ok(())
            },
        );
        net.process("b", (y_in, x_out), async |(y, x): &(In<u32>, Out<u32>)| {
            y.recv().await?;
            x.send(1).await?;
            Ok(())
        });
        let observer = net.observe();
        let teller = thread::spawn(move || {
            look_often(&observer, &["b"]);
            go.send(()).unwrap();
        });
        way.run(net).unwrap();
        teller.join().unwrap();
    }
}
