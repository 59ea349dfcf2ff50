//! Networks: who runs, how it ends, and what a process can do with its ports.

#![allow(clippy::unwrap_used)]

#[path = "network/custody.rs"]
mod custody;
#[path = "network/dynamic.rs"]
mod dynamic;
#[path = "network/early.rs"]
mod early;
#[path = "network/ending.rs"]
mod ending;
#[path = "network/ends.rs"]
mod ends;
#[path = "network/islands.rs"]
mod islands;
#[path = "network/names.rs"]
mod names;
#[path = "network/returning.rs"]
mod returning;
#[path = "network/selecting.rs"]
mod selecting;
#[path = "network/shares.rs"]
mod shares;
#[path = "network/sharing.rs"]
mod sharing;
#[path = "network/support.rs"]
mod support;
#[path = "network/tokens.rs"]
mod tokens;
#[allow(dead_code, reason = "it serves the tests of deadlocks too")]
#[path = "deadlock/ways.rs"]
mod ways;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use handover::{
    channel::{RecvTimeoutError, SendTimeoutError},
    process::{BlockingIn, BlockingOut, Here, In, Network, Out, Parcel, ProcessError, RunError},
    select_async,
};

#[test]
fn a_network_ends_when_its_processes_have() {
    let sum = Arc::new(AtomicU32::new(0));
    let mut net = Network::new("sums");
    let (numbers_out, numbers_in) = net.channel::<u32>("numbers");
    net.process("source", numbers_out, async |numbers: &Out<u32>| {
        for number in 1..=100 {
            numbers.send(number).await?;
        }
        Ok(())
    });
    for worker in 0..3 {
        let sum = Arc::clone(&sum);
        net.process(
            format!("adder {worker}"),
            numbers_in.share(),
            async move |numbers: &In<u32>| {
                while let Ok(number) = numbers.recv().await {
                    sum.fetch_add(number, Ordering::Relaxed);
                }
                Ok(())
            },
        );
    }
    net.run().unwrap();
    assert_eq!(sum.load(Ordering::Relaxed), 5050);
}

#[test]
fn a_network_without_processes_ends_at_once() {
    Network::new("nothing").run().unwrap();
}

#[test]
fn the_first_process_that_fails_is_named_and_poisons_what_it_holds() {
    let mut net = Network::new("failing");
    let (out, into) = net.channel::<u32>("numbers");
    net.process("source", out, async |numbers: &Out<u32>| {
        numbers.send(1).await?;
        Err(ProcessError::msg("no more paper"))
    });
    net.process("sink", into, async |numbers: &In<u32>| {
        loop {
            numbers.recv().await?;
        }
    });
    match net.run() {
        Err(RunError::Failed { process, error }) => {
            assert_eq!(process, "source");
            assert_eq!(error.to_string(), "no more paper");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_is_the_failure_of_its_process_alone() {
    let mut net = Network::new("panicking");
    let (out, into) = net.channel::<u32>("numbers");
    net.process("source", out, async |numbers: &Out<u32>| {
        numbers.send(1).await?;
        panic!("out of {}", "paper");
    });
    let heard = Arc::new(AtomicU32::new(0));
    net.process("sink", into, {
        let heard = Arc::clone(&heard);
        async move |numbers: &In<u32>| {
            numbers.recv().await?;
            let reason = numbers.recv().await.unwrap_err().to_string();
            assert!(
                reason.contains("`source` panicked: out of paper"),
                "{reason}"
            );
            heard.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    });
    match net.run() {
        Err(RunError::Panicked { process, message }) => {
            assert_eq!(process, "source");
            assert_eq!(message, "out of paper");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(heard.load(Ordering::Relaxed), 1);
}

#[test]
fn a_thread_and_a_process_meet() {
    let mut net = Network::new("mixed");
    let (out, into) = net.channel::<u32>("there");
    let (back_out, back_in) = net.channel::<u32>("back");
    net.thread(
        "doubler",
        (into, back_out),
        |(numbers, doubled): &(BlockingIn<u32>, BlockingOut<u32>)| {
            while let Ok(number) = numbers.recv() {
                doubled.send(2 * number)?;
            }
            Ok(())
        },
    );
    net.process(
        "asker",
        (out, back_in),
        async |(numbers, doubled): &(Out<u32>, In<u32>)| {
            for number in 0..1000 {
                numbers.send(number).await?;
                assert_eq!(doubled.recv().await?, 2 * number);
            }
            Ok(())
        },
    );
    net.run().unwrap();
}

#[test]
fn a_thread_gives_up_at_a_deadline_and_is_let_ahead_by_credit() {
    let mut net = Network::new("timed");
    let (out, into) = net.channel::<u32>("numbers");
    let (go_out, go_in) = net.channel::<()>("go");
    net.thread(
        "source",
        (out, go_out),
        |(numbers, go): &(BlockingOut<u32>, BlockingOut<()>)| {
            let late = numbers.send_deadline(1, Instant::now());
            assert_eq!(late, Err(SendTimeoutError::Timeout(1)));
            go.send(())?;
            go.send(())?;
            numbers.send_deadline(2, Instant::now() + Duration::from_secs(10))?;
            go.send(())?;
            assert!(!numbers.is_disconnected());
            Ok(())
        },
    );
    net.thread(
        "sink",
        (into, go_in),
        |(numbers, go): &(BlockingIn<u32>, BlockingIn<()>)| {
            // Between the first and the second word the source offers nothing.
            go.recv()?;
            let late = numbers.recv_deadline(Instant::now());
            assert_eq!(late, Err(RecvTimeoutError::Timeout));
            numbers.grant(3);
            go.recv()?;
            go.recv()?;
            let outstanding = numbers.outstanding();
            assert_eq!((outstanding.unused, outstanding.untaken), (2, 1));
            assert_eq!(numbers.revoke(5), 2);
            assert_eq!(numbers.recv()?, 2);
            assert!(numbers.recv().is_err());
            assert!(numbers.is_disconnected());
            Ok(())
        },
    );
    net.run().unwrap();
}

type Answer = &'static str;
type Letter = Parcel<Out<Answer>>;

#[test]
fn an_end_can_be_sent_through_a_channel() {
    let mut net = Network::new("mobile");
    let (desk_out, desk_in) = net.channel::<Letter>("desk");
    let (answer_out, answer_in) = net.channel::<Answer>("answer");
    net.process(
        "asker",
        (desk_out, answer_out, answer_in),
        async |(desk, to_me, answers): &(Out<Letter>, Out<Answer>, In<Answer>)| {
            desk.send(to_me.parcel()).await?;
            assert_eq!(answers.recv().await?, "yes");
            Ok(())
        },
    );
    net.process(
        "oracle",
        (desk_in, net.here()),
        async |(desk, here): &(In<Letter>, Here)| {
            let to_asker = here.adopt(desk.recv().await?);
            to_asker.send("yes").await?;
            Ok(())
        },
    );
    net.run().unwrap();
}

#[test]
fn a_process_starts_others() {
    let seen = Arc::new(AtomicU32::new(0));
    let mut net = Network::new("growing");
    let (out, into) = net.channel::<u32>("numbers");
    net.process("sink", into, {
        let seen = Arc::clone(&seen);
        async move |numbers: &In<u32>| {
            while let Ok(number) = numbers.recv().await {
                seen.fetch_add(number, Ordering::Relaxed);
            }
            Ok(())
        }
    });
    net.process(
        "root",
        (net.here(), out),
        async |(here, numbers): &(Here, Out<u32>)| {
            assert_eq!(here.name(), "root");
            for child in 0..10 {
                here.start(
                    child,
                    (numbers.parcel(),),
                    async move |(numbers,): &(Out<u32>,)| {
                        numbers.send(child).await?;
                        Ok(())
                    },
                );
            }
            Ok(())
        },
    );
    net.run().unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 45);
}

#[test]
fn a_process_makes_channels_while_it_runs() {
    let mut net = Network::new("growing");
    net.process("root", net.here(), async |here: &Here| {
        let (numbers_out, numbers_in) = here.channel::<u32>("numbers");
        here.start("source", numbers_out, async |numbers: &Out<u32>| {
            for number in 0..3 {
                numbers.send(number).await?;
            }
            Ok(())
        });
        let numbers = here.adopt(numbers_in);
        for number in 0..3 {
            assert_eq!(numbers.recv().await?, number);
        }
        // The one process that had the other end has ended, and no parcel keeps the channel open.
        assert!(numbers.recv().await.is_err());
        Ok(())
    });
    net.run().unwrap();
}

#[test]
fn a_deadlock_on_a_channel_that_a_process_made_is_found() {
    let mut net = Network::new("growing");
    net.process("root", net.here(), async |here: &Here| {
        let (up_out, up_in) = here.channel::<u32>("up");
        let (down_out, down_in) = here.channel::<u32>("down");
        here.start(
            "child",
            (up_in, down_out),
            async |(up, down): &(In<u32>, Out<u32>)| {
                down.send(1).await?;
                up.recv().await?;
                Ok(())
            },
        );
        let (up, down) = (here.adopt(up_out), here.adopt(down_in));
        up.send(2).await?;
        down.recv().await?;
        Ok(())
    });
    match net.run() {
        Err(RunError::Deadlock(deadlock)) => {
            assert_eq!(deadlock.cycle_names(), ["root", "root/child"]);
            assert_eq!(deadlock.cycle[0].waits[0].channel, "root/up");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn ports_stand_in_guards() {
    let mut net = Network::new("choosing");
    let (out, into) = net.channel::<u32>("there");
    let (back_out, back_in) = net.channel::<u32>("back");
    let both = async |(out, into): &(Out<u32>, In<u32>)| {
        let (mut sent, mut got) = (Some(7), None);
        while sent.is_some() || got.is_none() {
            select_async! {
                send(out, &mut sent) -> result => result?,
                recv(into) -> message, if got.is_none() => got = Some(message?),
            }
        }
        assert_eq!(got, Some(7));
        Ok(())
    };
    net.process("left", (out, back_in), both);
    net.process("right", (back_out, into), both);
    net.run().unwrap();
}

#[test]
fn a_network_runs_inside_a_tokio_task_and_awaits_its_timers() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut net = Network::new("guest");
    let (out, into) = net.channel::<u32>("numbers");
    net.process("source", out, async |numbers: &Out<u32>| {
        for number in 0..20 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            numbers.send(number).await?;
        }
        Ok(())
    });
    net.process("sink", into, async |numbers: &In<u32>| {
        let mut count = 0;
        while numbers.recv().await.is_ok() {
            count += 1;
        }
        assert_eq!(count, 20);
        Ok(())
    });
    let running = runtime.spawn(net.run_async());
    runtime.block_on(running).unwrap().unwrap();
}

#[test]
fn a_network_that_never_runs_drops_its_processes() {
    struct Noted(Arc<AtomicU32>);
    impl Drop for Noted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicU32::new(0));
    let mut net = Network::new("idle");
    let (out, _into) = net.channel::<u32>("numbers");
    let noted = Noted(Arc::clone(&dropped));
    net.process("source", out, async move |_: &Out<u32>| {
        let _noted = noted;
        Ok(())
    });
    drop(net);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn names_nest() {
    let mut net = Network::new("house");
    net.network("cellar", |cellar| {
        cellar.network("boiler", |boiler| {
            boiler.process("valve", (), async |(): &()| Err(ProcessError::msg("stuck")));
        });
    });
    let error = net.run().unwrap_err();
    assert_eq!(
        error.to_string(),
        "process `cellar/boiler/valve` failed: stuck"
    );
}

/// Pairs that play ping-pong, and a fan-out, on several threads at once.
#[test]
fn processes_run_on_several_threads() {
    for threads in [1, 2, 4] {
        let sum = Arc::new(AtomicU32::new(0));
        let mut net = Network::new("crowd");
        for pair in 0..8 {
            let (there_out, there_in) = net.channel::<u32>(&format!("there {pair}"));
            let (back_out, back_in) = net.channel::<u32>(&format!("back {pair}"));
            net.process(
                format!("ping {pair}"),
                (there_out, back_in),
                async |(there, back): &(Out<u32>, In<u32>)| {
                    for ball in 0..1000 {
                        there.send(ball).await?;
                        assert_eq!(back.recv().await?, ball);
                    }
                    Ok(())
                },
            );
            net.process(
                format!("pong {pair}"),
                (there_in, back_out),
                async |(there, back): &(In<u32>, Out<u32>)| {
                    while let Ok(ball) = there.recv().await {
                        back.send(ball).await?;
                    }
                    Ok(())
                },
            );
        }
        let (numbers_out, numbers_in) = net.channel::<u32>("numbers");
        for source in 0..4 {
            net.process(
                format!("source {source}"),
                numbers_out.share(),
                async |numbers: &Out<u32>| {
                    for number in 0..500 {
                        numbers.send(number).await?;
                    }
                    Ok(())
                },
            );
        }
        for sink in 0..4 {
            let sum = Arc::clone(&sum);
            net.process(
                format!("sink {sink}"),
                numbers_in.share(),
                async move |numbers: &In<u32>| {
                    while let Ok(number) = numbers.recv().await {
                        sum.fetch_add(number, Ordering::Relaxed);
                    }
                    Ok(())
                },
            );
        }
        net.run_threads(threads).unwrap();
        assert_eq!(sum.load(Ordering::Relaxed), 4 * (499 * 500 / 2));
    }
}

#[test]
fn an_attached_process_is_polled_by_its_own_executor() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut net = Network::new("host");
    let (out, into) = net.channel::<u32>("numbers");
    let guest = net.attach("guest", out, async |numbers: &Out<u32>| {
        for number in 0..100 {
            numbers.send(number).await?;
        }
        Ok(())
    });
    let guest = runtime.spawn(guest);
    net.process("sink", into, async |numbers: &In<u32>| {
        let mut count = 0;
        while numbers.recv().await.is_ok() {
            count += 1;
        }
        assert_eq!(count, 100);
        Ok(())
    });
    net.run().unwrap();
    runtime.block_on(guest).unwrap().unwrap();
}

#[test]
fn a_snapshot_tells_who_waits_for_whom() {
    let mut net = Network::new("seen");
    let (out, into) = net.channel::<u32>("numbers");
    let (go_out, go_in) = net.channel::<()>("go");
    let observer = net.observe();
    net.process("source", out, async |numbers: &Out<u32>| {
        numbers.send(1).await?;
        Ok(())
    });
    net.process(
        "sink",
        (into, go_in),
        async |(numbers, go): &(In<u32>, In<()>)| {
            go.recv().await?;
            numbers.recv().await?;
            Ok(())
        },
    );
    net.thread("watcher", go_out, move |go: &BlockingOut<()>| {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let snapshot = observer.snapshot();
            let source = snapshot
                .processes
                .iter()
                .find(|one| one.name == "source")
                .unwrap();
            if let [wait] = &source.waits[..] {
                assert_eq!(wait.waits_for, ["sink"]);
                assert_eq!(wait.channel, "numbers");
                break;
            }
            assert!(Instant::now() < deadline, "{snapshot:?}");
            std::thread::yield_now();
        }
        go.send(())?;
        Ok(())
    });
    net.run().unwrap();
}
