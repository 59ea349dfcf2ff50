//! The right to poison, wherever it is: with a process, outside, in a parcel; and failures, which need no right.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use handover::process::{
    BlockingIn, BlockingOut, Doing, Here, In, Network, Observer, OnDeadlock, Out, Parcel, Poisoner,
    ProcessError, RunError,
};

use crate::ways::{WAYS, others};

/// When a test gives up.
const LONG: Duration = Duration::from_mins(1);
const LOOKS: usize = 200;

/// Waits until each of these processes is seen to wait.
fn until_blocked(observer: &Observer, names: &[&str]) {
    let deadline = Instant::now() + LONG;
    let waits = |name: &&str| {
        let processes = observer.snapshot().processes;
        let mut states = processes.iter().filter(|one| one.name == **name);
        states.any(|one| one.state == Doing::Blocked)
    };
    while !names.iter().all(waits) {
        assert!(Instant::now() < deadline, "{}", observer.snapshot());
        thread::yield_now();
    }
}

/// `a` and `b` wait for each other: `a` to receive on `x`.
fn pair(
    net: &mut Network,
) -> (
    handover::process::OutToken<u32>,
    handover::process::InToken<u32>,
) {
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
        async |(x, y): &(Out<u32>, In<u32>)| {
            y.recv().await?;
            x.send(1).await?;
            Ok(())
        },
    );
    (x_out, x_in)
}

#[test]
fn somebody_outside_who_may_poison_keeps_it_open_until_he_has() {
    for way in WAYS {
        let mut net = Network::new("outside");
        let (x_out, _) = pair(&mut net);
        let poisoner = x_out.poisoner().take_out();
        let observer = net.observe();
        let outside = thread::spawn(move || {
            until_blocked(&observer, &["a", "b"]);
            for _ in 0..LOOKS {
                assert_eq!(observer.look(), None);
            }
            let snapshot = observer.snapshot();
            let mut channels = snapshot.channels.iter();
            let x = channels.find(|one| one.name == "x").unwrap();
            assert_eq!((x.outside_poisoners, x.open_ends), (1, 0));
            let mut processes = snapshot.processes.iter();
            let a = processes.find(|one| one.name == "a").unwrap();
            assert!(a.waits[0].is_open);
            assert!(poisoner.poison("enough"));
            assert!(!poisoner.poison("again"));
        });
        match way.run(net) {
            Err(RunError::Failed { process, error }) => {
                assert_eq!(process, "a");
                assert!(error.to_string().ends_with("poisoned: enough"), "{error}");
            }
            other => panic!("{other:?}"),
        }
        outside.join().unwrap();
    }
}

#[test]
fn it_is_found_once_nobody_outside_may_poison_any_more() {
    for way in WAYS {
        let mut net = Network::new("dropped");
        let (_, x_in) = pair(&mut net);
        let poisoner = x_in.poisoner().take_out();
        let another = poisoner.take_out();
        let observer = net.observe();
        let outside = thread::spawn(move || {
            until_blocked(&observer, &["a", "b"]);
            drop(poisoner);
            for _ in 0..LOOKS {
                assert_eq!(observer.look(), None);
            }
            drop(another);
        });
        assert_eq!(way.deadlock(net).cycle_names(), ["a", "b"]);
        outside.join().unwrap();
    }
}

/// In a parcel it may go anywhere; who has adopted it may release, until it ends.
#[test]
fn the_right_is_sent_to_another() {
    for way in WAYS {
        let mut net = Network::new("parcel");
        let (x_out, _) = pair(&mut net);
        let (post_out, post_in) = net.channel::<Parcel<Poisoner>>("post");
        let (go_out, go_in) = net.channel::<u32>("go");
        let (tell, told) = mpsc::channel();
        net.process(
            "sender",
            (post_out, x_out.poisoner()),
            async |(post, right): &(Out<Parcel<Poisoner>>, Poisoner)| {
                post.send(right.parcel()).await?;
                Ok(())
            },
        );
        net.process(
            "heir",
            (post_in, go_in, net.here()),
            async move |(post, go, here): &(In<Parcel<Poisoner>>, In<u32>, Here)| {
                let parcel = post.recv().await?;
                tell.send("has it")?;
                go.recv().await?;
                let right = here.adopt(parcel);
                tell.send("has adopted it")?;
                go.recv().await?;
                drop(right);
                Ok(())
            },
        );
        let observer = net.observe();
        net.thread("conductor", go_out, move |go: &BlockingOut<u32>| {
            until_blocked(&observer, &["a", "b"]);
            for _ in 0..2 {
                told.recv_timeout(LONG)?;
                // The first time it is open, the second time one who is free may poison.
                for _ in 0..LOOKS {
                    assert_eq!(observer.look(), None);
                }
                let snapshot = observer.snapshot();
                let mut channels = snapshot.channels.iter();
                let x = channels.find(|one| one.name == "x").unwrap();
                let has_adopted = x.poisoners.contains(&"heir".to_owned());
                assert_ne!(has_adopted, x.outside_poisoners > 0, "{snapshot}");
                go.send(1)?;
            }
            Ok(())
        });
        assert_eq!(way.deadlock(net).cycle_names(), ["a", "b"]);
    }
}

#[test]
fn a_channel_that_was_made_on_the_way_has_its_right_too() {
    for way in WAYS {
        let mut net = Network::new("made");
        net.process("root", net.here(), async |here: &Here| {
            let (out, into, right) = here.channel_with_poisoner::<u32>("x");
            here.start("reader", into, async |x: &In<u32>| {
                let error = x.recv().await.unwrap_err().to_string();
                assert_eq!(
                    error,
                    "no message will come: the channel was poisoned: late"
                );
                Ok(())
            });
            here.start(
                "holder",
                (out, right),
                async |(_x, right): &(Out<u32>, Poisoner)| {
                    assert!(right.poison("late"));
                    Ok(())
                },
            );
            Ok(())
        });
        way.run(net).unwrap();
    }
}

#[test]
fn a_thread_may_have_the_right() {
    for way in WAYS {
        let mut net = Network::new("thread");
        let (x_out, x_in) = pair(&mut net);
        let observer = net.observe();
        net.thread(
            "c",
            (x_in, x_out.poisoner()),
            move |(_x, right): &(BlockingIn<u32>, Poisoner)| {
                until_blocked(&observer, &["a", "b"]);
                for _ in 0..LOOKS {
                    assert_eq!(observer.look(), None);
                }
                right.poison("by a thread");
                Ok(())
            },
        );
        match way.run(net) {
            Err(RunError::Failed { process, .. }) => assert_eq!(process, "a"),
            other => panic!("{other:?}"),
        }
    }
}

/// What is said at the time is true: nothing but a failure can end these waits. Where the run goes on nevertheless and
/// there is one, the run says so.
#[test]
fn one_that_shares_a_side_and_fails_later_was_no_reason_to_keep_silent() {
    for way in WAYS {
        let mut net = Network::new("later");
        let (_, x_in) = pair(&mut net);
        let (tell, told) = mpsc::channel();
        net.thread("c", x_in, move |_x: &BlockingIn<u32>| {
            let names: Vec<String> = told.recv_timeout(LONG)?;
            assert_eq!(names, ["a", "b"]);
            Err(ProcessError::msg("of its own"))
        });
        net.on_deadlock(OnDeadlock::Call(Box::new(move |deadlock| {
            assert!(!deadlock.is_total);
            let names = deadlock.cycle_names();
            let _ = tell.send(names.iter().map(ToString::to_string).collect());
        })));
        match way.run(net) {
            Err(RunError::Failed { process, error }) => {
                assert_eq!(
                    (process.as_str(), error.to_string().as_str()),
                    ("c", "of its own")
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Nobody but its owner hears of its failure, and the run goes on: so it may release.
#[test]
fn an_attached_process_that_shares_a_side_may_fail_unheard() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    for way in WAYS {
        let mut net = Network::new("attached");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        net.process(
            "a",
            (x_in.share(), y_out),
            async |(x, _y): &(In<u32>, Out<u32>)| {
                assert!(x.recv().await.is_err());
                Ok(())
            },
        );
        net.process("b", (x_out, y_in), async |(_x, y): &(Out<u32>, In<u32>)| {
            assert!(y.recv().await.is_err());
            Ok(())
        });
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let guest = net.attach("guest", x_in, async move |_x: &In<u32>| {
            told.await?;
            Err(ProcessError::msg("of its own"))
        });
        let guest = runtime.spawn(guest.promise_to_poll());
        let observer = net.observe();
        let teller = thread::spawn(move || {
            until_blocked(&observer, &["a", "b"]);
            for _ in 0..LOOKS {
                assert_eq!(observer.look(), None);
            }
            tell.send(()).unwrap();
        });
        way.run(net).unwrap();
        assert!(runtime.block_on(guest).unwrap().is_err());
        teller.join().unwrap();
    }
}

#[test]
fn a_process_that_fails_poisons_what_it_has_the_right_to() {
    for way in WAYS {
        let mut net = Network::new("failing");
        let (x_out, x_in) = net.channel::<u32>("x");
        let right = x_in.poisoner();
        net.process("reader", x_in, async |x: &In<u32>| {
            let error = x.recv().await.unwrap_err().to_string();
            assert!(error.ends_with("process `c` failed: of its own"), "{error}");
            Ok(())
        });
        let (hold_out, hold_in) = net.channel::<u32>("hold");
        net.process(
            "writer",
            (x_out, hold_in),
            async |(_x, hold): &(Out<u32>, In<u32>)| {
                hold.closed().await;
                Ok(())
            },
        );
        net.process("c", (right, hold_out), async |_: &(Poisoner, Out<u32>)| {
            Err(ProcessError::msg("of its own"))
        });
        match way.run(net) {
            Err(RunError::Failed { process, .. }) => assert_eq!(process, "c"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn who_may_poison_is_named_in_the_report() {
    for way in WAYS {
        let mut net = Network::new("named");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        let right = x_in.poisoner();
        net.process("a", (x_in, y_out), async |(x, _y): &(In<u32>, Out<u32>)| {
            x.recv().await?;
            Ok(())
        });
        net.process(
            "b",
            (x_out, y_in.share()),
            async |(_x, y): &(Out<u32>, In<u32>)| {
                y.recv().await?;
                Ok(())
            },
        );
        net.process(
            "c",
            (right, y_in),
            async |(_right, y): &(Poisoner, In<u32>)| {
                y.recv().await?;
                Ok(())
            },
        );
        let deadlock = way.deadlock(net);
        let mut waits = deadlock.processes();
        let a = waits.find(|one| one.process == "a").unwrap();
        assert_eq!(a.waits[0].waits_for, ["b", "c"]);
        assert_eq!(deadlock.processes().count(), 3);
        assert_eq!(others(&deadlock).len(), 1);
    }
}

#[test]
#[should_panic(expected = "after the network began to run")]
fn a_token_of_the_right_is_inert_once_the_network_runs() {
    let mut net = Network::new("late");
    let (x_out, _x_in) = net.channel::<u32>("x");
    let right = x_out.poisoner();
    net.run().unwrap();
    let _ = right.take_out();
}

#[test]
#[should_panic(expected = "is given to a process of network")]
fn the_right_belongs_to_its_network() {
    let mut one = Network::new("one");
    let (x_out, _x_in) = one.channel::<u32>("x");
    let mut other = Network::new("other");
    other.process("a", x_out.poisoner(), async |_: &Poisoner| Ok(()));
}
