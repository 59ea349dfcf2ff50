//! When the other side of a channel is gone: what is a failure, what is an end, and what is seen of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use handover::{
    channel::RecvError,
    process::{
        BlockingIn, BlockingOut, In, Network, OrEnd, Out, ProcessError, ProcessResult, RunError,
        Snapshot,
    },
    select_async,
};

use crate::support::{WAYS, Way};

fn failed(way: Way, net: Network) -> (String, String) {
    match way.run(net) {
        Err(RunError::Failed { process, error }) => (process, error.to_string()),
        other => panic!("{way:?}: {other:?}"),
    }
}

#[test]
fn whoever_says_nothing_fails_when_its_peer_is_gone() {
    for way in WAYS {
        let mut net = Network::new("strict");
        let (out, into) = net.channel::<u32>("numbers");
        net.process("asks", into, async |into: &In<u32>| {
            into.recv().await?;
            into.recv().await?;
            Ok(())
        });
        net.process("source", out, async |out: &Out<u32>| {
            Ok(out.send(1).await?)
        });
        let (process, error) = failed(way, net);
        assert_eq!(process, "asks");
        assert_eq!(error, "no message will come: every sender is gone");

        let mut net = Network::new("strict");
        let (out, into) = net.channel::<u32>("numbers");
        net.process("sink", into, async |into: &In<u32>| {
            into.recv().await?;
            Ok(())
        });
        net.process("tells", out, async |out: &Out<u32>| {
            out.send(1).await?;
            Ok(out.send(2).await?)
        });
        assert_eq!(failed(way, net).0, "tells");
    }
}

/// A source without an end, a stage, and a sink that wants three.
fn endless(net: &mut Network) {
    let (first, from) = net.channel::<u32>("first");
    let (to, last) = net.channel::<u32>("last");
    net.process("source", first, async |to: &Out<u32>| {
        for number in 0.. {
            to.send(number).await.or_end()?;
        }
        Ok(())
    });
    net.process(
        "double",
        (from, to),
        async |(from, to): &(In<u32>, Out<u32>)| {
            loop {
                let number = from.recv().await.or_end()?;
                to.send(2 * number).await.or_end()?;
            }
        },
    );
    net.process("sink", last, async |from: &In<u32>| {
        for number in 0..3 {
            assert_eq!(from.recv().await?, 2 * number);
        }
        Ok(())
    });
}

fn unsent(snapshot: &Snapshot) -> Vec<&str> {
    let names = snapshot.unsent.iter().map(|one| one.process.as_str());
    names.collect()
}

#[test]
fn a_pipeline_ends_from_its_end_and_says_what_was_left_in_hand() {
    for way in WAYS {
        let mut net = Network::new("endless");
        let observer = net.observe();
        endless(&mut net);
        way.run(net).unwrap();
        let snapshot = observer.snapshot();
        // Each had one more for the next.
        assert_eq!(unsent(&snapshot), ["double", "source"], "{way:?}");
        assert_eq!(snapshot.unsent_count, 2);
        let site = &snapshot.unsent[0].site;
        assert!(site.file.ends_with("ends.rs") && site.line > 1, "{site:?}");
        let text = snapshot.to_string();
        let line = "\nended with a message that nobody has taken: double (at ends.rs:";
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn a_pipeline_that_ends_from_its_beginning_has_nothing_left() {
    for way in WAYS {
        let mut net = Network::new("whole");
        let observer = net.observe();
        let (first, from) = net.channel::<u32>("first");
        let (to, last) = net.channel::<u32>("last");
        net.thread("source", first, |to: &BlockingOut<u32>| {
            for number in 0..100 {
                to.send(number).or_end()?;
            }
            Ok(())
        });
        net.process(
            "double",
            (from, to),
            async |(from, to): &(In<u32>, Out<u32>)| {
                loop {
                    let number = from.recv().await.or_end()?;
                    to.send(2 * number).await.or_end()?;
                }
            },
        );
        let sum = net.thread_returning("sum", last, |from: &BlockingIn<u32>| {
            let mut sum = 0;
            while let Some(number) = from.next()? {
                sum += number;
            }
            Ok(sum)
        });
        way.run(net).unwrap();
        assert_eq!(sum.take(), Ok(9900), "{way:?}");
        assert_eq!(observer.snapshot().unsent_count, 0);
    }
}

#[test]
fn an_end_poisons_nothing() {
    for way in WAYS {
        let mut net = Network::new("clean");
        let (_, nothing) = net.channel::<u32>("nothing");
        let (out, into) = net.channel::<u32>("numbers");
        net.process(
            "ends",
            (nothing, out),
            async |(nothing, _out): &(In<u32>, Out<u32>)| {
                nothing.recv().await.or_end()?;
                Ok(())
            },
        );
        let heard = net.process_returning("peer", into, async |into: &In<u32>| {
            Ok(into.recv().await.unwrap_err())
        });
        way.run(net).unwrap();
        assert_eq!(heard.take(), Ok(RecvError::Disconnected), "{way:?}");
    }
}

#[test]
fn poison_is_a_failure_of_whoever_it_reaches_and_the_first_is_named() {
    for way in WAYS {
        let mut net = Network::new("poisoned");
        let observer = net.observe();
        let (first, from) = net.channel::<u32>("first");
        let (to, last) = net.channel::<u32>("last");
        net.process("source", first, async |to: &Out<u32>| {
            to.send(1).await.or_end()?;
            Err(ProcessError::msg("no more paper"))
        });
        let has_ended = Arc::new(AtomicUsize::new(0));
        let noted = Arc::clone(&has_ended);
        net.process(
            "relay",
            (from, to),
            async move |(from, to): &(In<u32>, Out<u32>)| {
                while let Some(number) = from.next().await? {
                    to.send(number).await.or_end()?;
                }
                noted.fetch_add(1, Ordering::Relaxed);
                Ok(())
            },
        );
        let sum = net.process_returning("sum", last, async |from: &In<u32>| {
            let mut sum = 0;
            loop {
                match from.next().await {
                    Ok(Some(number)) => sum += number,
                    Ok(None) => return Ok((sum, "all")),
                    Err(error) => {
                        assert!(error.to_string().contains("no more paper"), "{error}");
                        return Ok((sum, "cut off"));
                    }
                }
            }
        });
        let (process, error) = failed(way, net);
        assert_eq!((&*process, &*error), ("source", "no more paper"));
        assert_eq!(sum.take().unwrap(), (1, "cut off"), "{way:?}");
        assert_eq!(has_ended.load(Ordering::Relaxed), 0);
        assert_eq!(observer.snapshot().unsent_count, 0);
    }
}

#[test]
fn the_reason_of_the_first_failure_is_passed_on_as_it_is() {
    for way in WAYS {
        let mut net = Network::new("chain");
        let (first, mut from) = net.channel::<u32>("0");
        net.process("source", first, async |_to: &Out<u32>| {
            Err(ProcessError::msg("no more paper"))
        });
        for relay in 1..=100 {
            let (to, following) = net.channel(&relay.to_string());
            let ends = (std::mem::replace(&mut from, following), to);
            net.process(
                format!("relay {relay}"),
                ends,
                async |(from, to): &(In<u32>, Out<u32>)| {
                    // Each says where it was, and that must not be added to the reason.
                    let got = from.recv().await;
                    let number = got
                        .map_err(|error| ProcessError::msg(format!("while it relayed: {error}")))?;
                    to.send(number).await.or_end()
                },
            );
        }
        let heard =
            net.process_returning("sink", from, async |from: &In<u32>| Ok(from.recv().await));
        let (process, error) = failed(way, net);
        assert_eq!((&*process, &*error), ("source", "no more paper"));
        let reason = "process `source` failed: no more paper".to_owned();
        assert_eq!(
            heard.take(),
            Ok(Err(RecvError::Poisoned(reason.into()))),
            "{way:?}"
        );
    }
}

#[test]
fn what_is_late_or_was_handed_back_is_no_end() {
    for way in WAYS {
        let mut net = Network::new("late");
        let (silent, into) = net.channel::<u32>("numbers");
        let (keep_out, keep_in) = net.channel::<()>("keep");
        net.process("holder", (silent, keep_in), idle);
        net.process(
            "patient",
            (into, keep_out),
            async |(into, _keep): &(In<u32>, Out<()>)| {
                into.recv_timeout(Duration::from_millis(1)).await.or_end()?;
                Ok(())
            },
        );
        let (process, error) = failed(way, net);
        assert_eq!((&*process, &*error), ("patient", "no message came in time"));

        let mut net = Network::new("refused");
        let (out, into) = net.channel::<u32>("numbers");
        net.process("teller", out, async |out: &Out<u32>| {
            out.send(1).await.or_end()
        });
        net.process("refuses", into, async |into: &In<u32>| {
            into.recv_held().await?.hand_back().unwrap();
            into.closed().await;
            Ok(())
        });
        assert_eq!(failed(way, net).0, "teller");
    }
}

async fn idle((_, keep): &(Out<u32>, In<()>)) -> ProcessResult {
    keep.closed().await;
    Ok(())
}

#[test]
fn what_is_left_in_the_home_of_an_alternation_counts_too() {
    for way in WAYS {
        let mut net = Network::new("choosing");
        let observer = net.observe();
        let (out, _) = net.channel::<u32>("numbers");
        net.process("source", out, async |out: &Out<u32>| {
            let mut home = Some(1);
            select_async! {
                send(out, &mut home) -> sent => sent.or_end()?,
            }
            Ok(())
        });
        way.run(net).unwrap();
        assert_eq!(unsent(&observer.snapshot()), ["source"], "{way:?}");
    }
}

#[test]
fn of_many_that_end_with_something_in_hand_the_first_are_named() {
    for way in WAYS {
        let mut net = Network::new("many");
        let observer = net.observe();
        for number in 0..100 {
            let (out, _) = net.channel::<u32>("numbers");
            net.process(number, out, async |out: &Out<u32>| {
                out.send(1).await.or_end()
            });
        }
        way.run(net).unwrap();
        let snapshot = observer.snapshot();
        assert_eq!((snapshot.unsent.len(), snapshot.unsent_count), (16, 100));
        assert!(snapshot.to_string().contains(" and 96 more"), "{snapshot}");
    }
}

#[test]
fn an_attached_process_that_ends_tells_its_owner_and_poisons_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut net = Network::new("host");
    let observer = net.observe();
    let (numbers, _) = net.channel::<u32>("numbers");
    let (other, into) = net.channel::<u32>("other");
    let guest = net.attach(
        "guest",
        (numbers, other),
        async |(numbers, _other): &(Out<u32>, Out<u32>)| numbers.send(1).await.or_end(),
    );
    let guest = runtime.spawn(guest);
    let heard = net.process_returning("peer", into, async |into: &In<u32>| {
        Ok(into.recv().await.unwrap_err())
    });
    Way::OneThread.run(net).unwrap();
    let error = runtime.block_on(guest).unwrap().unwrap_err();
    assert!(error.is_end(), "{error}");
    assert_eq!(heard.take(), Ok(RecvError::Disconnected));
    assert_eq!(unsent(&observer.snapshot()), ["guest"]);
}
