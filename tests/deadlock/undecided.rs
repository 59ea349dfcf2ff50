//! Where nothing moves and no deadlock is called, the snapshot says why, for each thing that the network cannot see.

use std::{
    future::poll_fn,
    sync::mpsc,
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use handover::{
    channel,
    process::{
        Because, BlockingIn, BlockingOut, Here, In, InToken, Network, Observer, Out, OutToken,
        Parcel, Undecided,
    },
};

use crate::{
    play::{self, As},
    ways::WAYS,
};

/// When a test gives up.
const LONG: Duration = Duration::from_mins(1);

/// What is said once something is that `is_it` tells of; by then no deadlock is called.
fn until_said(observer: &Observer, is_it: impl Fn(&Because) -> bool) -> Undecided {
    until_said_of(observer, &[], None, is_it)
}

/// The same, once it is said of these (none: of whomever) for so many reasons: some may be on their way to or from a wait.
fn until_said_of(
    observer: &Observer,
    processes: &[&str],
    reasons: Option<usize>,
    is_it: impl Fn(&Because) -> bool,
) -> Undecided {
    let deadline = Instant::now() + LONG;
    loop {
        let snapshot = observer.snapshot();
        if let Some(undecided) = &snapshot.undecided
            && undecided.because.iter().any(&is_it)
            && (processes.is_empty() || undecided.processes == processes)
            && reasons.is_none_or(|reasons| undecided.because_count == reasons)
        {
            assert_eq!(snapshot.deadlock, None);
            // The same in words.
            let text = snapshot.to_string();
            let line = text.lines().find(|line| line.starts_with("not called"));
            assert_eq!(line, Some(undecided.to_string().as_str()), "{text}");
            return undecided.clone();
        }
        assert!(Instant::now() < deadline, "{snapshot}");
        thread::yield_now();
    }
}

/// `a` waits for `b` on `x`, and `b` for `a` on `y`, and `end` releases `b` on `z`, once it is sent to.
fn pair(net: &mut Network) -> (OutToken<u32>, InToken<u32>) {
    let (x_out, x_in) = net.channel::<u32>("x");
    let (y_out, y_in) = net.channel::<u32>("y");
    net.process(
        "a",
        (x_in.share(), y_out),
        async |(x, y): &(In<u32>, Out<u32>)| {
            x.recv().await?;
            y.send(1).await?;
            Ok(())
        },
    );
    net.process(
        "b",
        (x_out.share(), y_in),
        async |(_x, y): &(Out<u32>, In<u32>)| {
            y.recv().await?;
            Ok(())
        },
    );
    (x_out, x_in)
}

#[test]
fn an_end_that_was_taken_out() {
    for how in [As::Processes, As::Threads] {
        for way in WAYS {
            let mut net = Network::new("open");
            let kept = play::add(&mut net, &["a: x!out x? y!", "b: y?", "c: x!keep y?"], how);
            let observer = net.observe();
            let outside = thread::spawn(move || {
                let said = until_said_of(&observer, &["a", "b", "c"], Some(1), |because| {
                    matches!(because, Because::OpenEnds { .. })
                });
                let channel = "x".to_owned();
                assert_eq!(said.because, [Because::OpenEnds { channel, ends: 1 }]);
                assert_eq!(
                    said.to_string(),
                    "not called a deadlock, though a, b, c wait for each other or for what the network cannot see: \
                     channel \"x\" is open (1 end taken out, or under way in a parcel)"
                );
                let end = kept.lock().pop().unwrap();
                let end = end.downcast::<handover::Sender<u32>>().unwrap();
                end.send(1).unwrap();
            });
            // One of the two gets a message, the other hears that there will be none.
            assert!(way.run(net).is_err());
            outside.join().unwrap();
        }
    }
}

#[test]
fn a_parcel_that_was_not_opened() {
    for way in WAYS {
        let mut net = Network::new("letter");
        let (x_out, _) = pair(&mut net);
        let (post_out, post_in) = net.channel::<Parcel<Out<u32>>>("post");
        let (go_out, go_in) = net.channel::<u32>("go");
        net.process(
            "sender",
            (post_out, x_out),
            async |(post, x): &(Out<Parcel<Out<u32>>>, Out<u32>)| {
                post.send(x.parcel()).await?;
                Ok(())
            },
        );
        net.process(
            "heir",
            (post_in, go_in, net.here()),
            async |(post, go, here): &(In<Parcel<Out<u32>>>, In<u32>, Here)| {
                let parcel = post.recv().await?;
                go.recv().await?;
                here.adopt(parcel).send(1).await?;
                Ok(())
            },
        );
        let observer = net.observe();
        net.thread("conductor", go_out, move |go: &BlockingOut<u32>| {
            let said = until_said_of(&observer, &["a", "b"], None, |because| {
                matches!(because, Because::OpenEnds { .. })
            });
            // The heir waits for the conductor, who runs.
            assert_eq!(said.process_count, 2);
            go.send(1)?;
            Ok(())
        });
        way.run(net).unwrap();
    }
}

#[test]
fn somebody_outside_who_may_poison() {
    for way in WAYS {
        let mut net = Network::new("poison");
        let (x_out, _) = pair(&mut net);
        let poisoner = x_out.poisoner().take_out();
        let observer = net.observe();
        let outside = thread::spawn(move || {
            let is_it = |because: &Because| matches!(because, Because::OutsidePoisoner { channel } if channel == "x");
            let said = until_said_of(&observer, &["a", "b"], None, is_it);
            assert_eq!(said.process_count, 2);
            assert!(
                said.to_string()
                    .ends_with(": somebody outside may poison channel \"x\"")
            );
            poisoner.poison("enough");
        });
        assert!(way.run(net).is_err());
        outside.join().unwrap();
    }
}

#[test]
fn a_waker_in_foreign_hands() {
    for way in WAYS {
        let (give, given) = mpsc::channel::<Waker>();
        let mut net = Network::new("waker");
        let (x_out, x_in) = net.channel::<u32>("x");
        net.process("a", x_out, async move |x: &Out<u32>| {
            let mut has_given = false;
            poll_fn(|context| {
                if std::mem::replace(&mut has_given, true) {
                    return Poll::Ready(());
                }
                let _ = give.send(context.waker().clone());
                Poll::Pending
            })
            .await;
            x.send(1).await?;
            Ok(())
        });
        net.process("b", x_in, async |x: &In<u32>| {
            x.recv().await?;
            Ok(())
        });
        let observer = net.observe();
        let holder = thread::spawn(move || {
            let waker = given.recv().unwrap();
            let (process, wakers) = ("a".to_owned(), 1);
            let because = Because::ForeignWakers { process, wakers };
            let said = until_said_of(&observer, &["a", "b"], None, |one| *one == because);
            assert_eq!(said.process_count, 2);
            waker.wake();
        });
        way.run(net).unwrap();
        holder.join().unwrap();
    }
}

#[test]
fn a_timer() {
    for way in WAYS {
        let mut net = Network::new("timer");
        let (x_out, x_in) = net.channel::<u32>("x");
        net.process("a", x_in, async |x: &In<u32>| {
            assert!(x.recv_timeout(Duration::from_millis(300)).await.is_err());
            Ok(())
        });
        net.process("b", x_out, async |x: &Out<u32>| {
            x.closed().await;
            Ok(())
        });
        let observer = net.observe();
        let outside = thread::spawn(move || {
            let is_it = |because: &Because| matches!(because, Because::ForeignWakers { process, .. } if process == "a");
            until_said(&observer, is_it);
        });
        way.run(net).unwrap();
        outside.join().unwrap();
    }
}

#[test]
fn a_thread_that_waits_for_so_long_at_most() {
    for way in WAYS {
        let mut net = Network::new("timed");
        let (x_out, x_in) = net.channel::<u32>("x");
        net.thread("a", x_in, |x: &BlockingIn<u32>| {
            assert!(x.recv_timeout(Duration::from_millis(300)).is_err());
            Ok(())
        });
        net.process("b", x_out, async |x: &Out<u32>| {
            x.closed().await;
            Ok(())
        });
        let observer = net.observe();
        let outside = thread::spawn(move || {
            let process = "a".to_owned();
            until_said(&observer, |one| {
                *one == Because::Timed {
                    process: process.clone(),
                }
            });
        });
        way.run(net).unwrap();
        outside.join().unwrap();
    }
}

/// A process may await a channel that is not of the network; what waits in it has its handle lent all the same.
#[test]
fn a_wait_elsewhere() {
    for way in WAYS {
        let mut net = Network::new("elsewhere");
        let (tx, rx) = channel::<u32>();
        net.process("a", (), async move |(): &()| {
            rx.recv_async().await?;
            Ok(())
        });
        let observer = net.observe();
        let outside = thread::spawn(move || {
            let (process, waits) = ("a".to_owned(), 1);
            let said = until_said(&observer, |one| {
                *one == Because::Elsewhere {
                    process: process.clone(),
                    waits,
                }
            });
            assert_eq!(said.processes, ["a"]);
            tx.send(1).unwrap();
        });
        way.run(net).unwrap();
        outside.join().unwrap();
    }
}

/// Their wakers are wrapped.
#[test]
fn waits_in_a_set_of_futures() {
    for way in WAYS {
        let mut net = Network::new("set");
        let (x_out, x_in) = net.channel::<u32>("x");
        net.process("a", x_in, async |x: &In<u32>| {
            let mut set: FuturesUnordered<_> = std::iter::once(x.recv()).collect();
            set.next().await.expect("there is one")?;
            Ok(())
        });
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        net.process("b", x_out, async move |x: &Out<u32>| {
            gone.await?;
            x.send(1).await?;
            Ok(())
        });
        let observer = net.observe();
        let outside = thread::spawn(move || {
            for name in ["a", "b"] {
                let is_it = |because: &Because| matches!(because, Because::ForeignWakers { process, .. } if process == name);
                until_said(&observer, is_it);
            }
            go.send(()).unwrap();
        });
        way.run(net).unwrap();
        outside.join().unwrap();
    }
}

#[test]
fn an_attached_process_whose_owner_has_promised_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    for way in WAYS {
        let mut net = Network::new("attached");
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
        let guest = runtime.spawn(guest);
        let observer = net.observe();
        let owner = thread::spawn(move || {
            let process = "guest".to_owned();
            let said = until_said_of(&observer, &["guest", "a"], None, |one| {
                *one == Because::Attached {
                    process: process.clone(),
                }
            });
            assert_eq!(said.process_count, 2, "{said}");
            guest.abort();
        });
        way.run(net).unwrap();
        owner.join().unwrap();
    }
}

#[test]
fn messages_within_credit_that_may_come_back() {
    for way in WAYS {
        let mut net = Network::new("credit");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        let (z_out, z_in) = net.channel::<u32>("z");
        let (has_it, has_it_now) = tokio::sync::oneshot::channel::<()>();
        net.process(
            "a",
            (x_in.share(), y_in, z_out.share()),
            async move |(x, y, _z): &(In<u32>, In<u32>, Out<u32>)| {
                x.grant(1);
                let held = x.recv_held().await?;
                let _ = has_it.send(());
                y.recv().await?;
                assert_eq!(held.release(), 1);
                Ok(())
            },
        );
        net.process("b", (x_out, z_in), async |(x, z): &(Out<u32>, In<u32>)| {
            x.ready().await?;
            x.send(1).await?;
            z.recv().await?;
            Ok(())
        });
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        net.process(
            "c",
            (x_in, y_out, z_out),
            async move |(x, y, z): &(In<u32>, Out<u32>, Out<u32>)| {
                let mut gone = gone;
                // Not before: the message would come here.
                has_it_now.await?;
                tokio::select! {
                    biased;
                    _ = &mut gone => {}
                    got = x.recv() => panic!("{got:?}"),
                }
                y.send(1).await?;
                z.send(1).await?;
                Ok(())
            },
        );
        let observer = net.observe();
        let outside = thread::spawn(move || {
            let is_it = |because: &Because| matches!(because, Because::ForeignWakers { process, .. } if process == "c");
            let said = until_said_of(&observer, &["a", "b", "c"], None, is_it);
            assert_eq!(said.process_count, 3);
            let is_credit =
                |because: &Because| matches!(because, Because::Credit { untaken: 1, .. });
            until_said(&observer, is_credit);
            go.send(()).unwrap();
        });
        way.run(net).unwrap();
        outside.join().unwrap();
    }
}

/// Held by who is none of the network: it says so, and nothing else.
#[test]
fn a_message_that_is_held_outside() {
    for way in WAYS {
        let mut net = Network::new("held");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (tell, told) = mpsc::channel();
        net.process("a", x_in, async move |x: &In<u32>| {
            tell.send(x.take_out())?;
            x.closed().await;
            Ok(())
        });
        net.process("b", x_out, async |x: &Out<u32>| {
            x.send(1).await?;
            Ok(())
        });
        let observer = net.observe();
        let outside = thread::spawn(move || {
            let end: handover::Receiver<u32> = told.recv().unwrap();
            let held = end.recv_held().unwrap();
            let said = until_said_of(
                &observer,
                &["a", "b"],
                Some(2),
                |one| matches!(one, Because::HeldOutside { channel } if channel == "x"),
            );
            assert_eq!(said.process_count, 2);
            assert_eq!(held.release(), 1);
        });
        way.run(net).unwrap();
        outside.join().unwrap();
    }
}

/// Nobody waits for what cannot be seen but for those who do: a network that works says nothing.
#[test]
fn a_network_that_works_is_not_spoken_of() {
    for way in WAYS {
        let mut net = Network::new("works");
        let _kept = play::add(
            &mut net,
            &["a: 3000{x!}", "b: *{x? y!}", "c: *{y?}"],
            As::Processes,
        );
        let observer = net.observe();
        let watcher = thread::spawn(move || {
            while observer.snapshot().age_ms < 20 || observer.snapshot().is_running {
                // It may be looked at in the middle of a hand-over, but never with anything to tell.
                assert_eq!(observer.snapshot().deadlock, None);
                let undecided = observer.snapshot().undecided;
                let lasting = |because: &Because| {
                    !matches!(
                        because,
                        Because::ForeignWakers { .. } | Because::Elsewhere { .. }
                    )
                };
                assert!(undecided.is_none_or(|it| !it.because.iter().any(lasting)));
            }
        });
        way.run(net).unwrap();
        watcher.join().unwrap();
    }
}

#[cfg(feature = "serde")]
#[test]
fn it_is_json_too() {
    let mut net = Network::new("json");
    let (x_out, _) = pair(&mut net);
    let poisoner = x_out.poisoner().take_out();
    let observer = net.observe();
    let outside = thread::spawn(move || {
        until_said(&observer, |one| {
            matches!(one, Because::OutsidePoisoner { .. })
        });
        let snapshot = observer.snapshot();
        let json: serde_json::Value = serde_json::from_str(&snapshot.to_json()).unwrap();
        assert_eq!(
            json["undecided"]["because"][0]["reason"],
            "outside_poisoner"
        );
        assert_eq!(json["undecided"]["because"][0]["channel"], "x");
        assert_eq!(json["undecided"]["process_count"], 2);
        poisoner.poison("enough");
    });
    assert!(net.run().is_err());
    outside.join().unwrap();
}
