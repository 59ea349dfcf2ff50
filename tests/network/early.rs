//! Ports that their process gives up before it ends.

use std::{sync::Arc, time::Instant};

use handover::{
    process::{
        BlockingIn, BlockingOut, Early, EarlyToken, Finished, Here, In, Network, Observer, Out,
        ProcessError, RunError,
    },
    select_async,
};

use crate::support::{LONG, WAYS, Way};

/// The processes that are listed as senders of a channel, and how many ends are open.
fn senders(observer: &Observer, channel: &str) -> (Vec<String>, u32) {
    let snapshot = observer.snapshot();
    let channel = snapshot
        .channels
        .into_iter()
        .find(|one| one.name == channel);
    channel.map_or((Vec::new(), 0), |one| (one.senders, one.open_ends))
}

#[test]
fn what_is_given_up_is_closed_to_the_peers_while_its_process_goes_on() {
    for way in WAYS {
        let mut net = Network::new("two parts");
        let (heads, first) = net.channel::<u32>("heads");
        let (bodies, second) = net.channel::<u32>("bodies");
        net.process(
            "writer",
            (heads.early(), bodies),
            async |(heads, bodies): &(Early<Out<u32>>, Out<u32>)| {
                heads.get()?.send(1).await?;
                assert!(!heads.is_finished());
                assert!(heads.finish());
                assert!(!heads.finish());
                assert!(heads.is_finished());
                assert_eq!(heads.get().unwrap_err(), Finished);
                // The reader takes this only when it has heard of the end.
                Ok(bodies.send(2).await?)
            },
        );
        net.process(
            "reader",
            (first, second),
            async |(heads, bodies): &(In<u32>, In<u32>)| {
                assert_eq!(heads.next().await?, Some(1));
                assert_eq!(heads.next().await?, None);
                assert_eq!(bodies.recv().await?, 2);
                Ok(())
            },
        );
        way.run(net).unwrap();
    }
}

#[test]
fn a_thread_gives_up_an_end_too_and_its_sender_has_its_message_back() {
    for way in WAYS {
        let mut net = Network::new("threads");
        let (jobs, to_do) = net.channel::<u32>("jobs");
        let (go, wait) = net.channel::<()>("go");
        net.thread(
            "worker",
            (to_do.early(), go),
            |(jobs, go): &(Early<BlockingIn<u32>>, BlockingOut<()>)| {
                assert_eq!(jobs.get()?.recv()?, 1);
                jobs.finish();
                assert!(jobs.get().is_err());
                Ok(go.send(())?)
            },
        );
        net.process(
            "boss",
            (jobs, wait),
            async |(jobs, wait): &(Out<u32>, In<()>)| {
                jobs.send(1).await?;
                let error = jobs.send(2).await.unwrap_err();
                assert!(error.is_disconnected());
                assert_eq!(error.into_inner(), 2);
                Ok(wait.recv().await?)
            },
        );
        way.run(net).unwrap();
    }
}

#[test]
fn whoever_uses_it_afterwards_fails_with_clear_words() {
    for way in WAYS {
        let mut net = Network::new("after");
        let (out, _) = net.channel::<u32>("numbers");
        net.process("forgetful", out.early(), async |out: &Early<Out<u32>>| {
            out.finish();
            Ok(out.get()?.send(1).await?)
        });
        let error = way.run(net).unwrap_err().to_string();
        assert!(error.contains("`forgetful` failed: this process has given the port up"));
    }
}

/// `left` and `right` wait for each other; a third, which lives on, could have released one of them before.
fn pair_and_third(net: &mut Network, third_gives_up: bool) -> tokio::sync::oneshot::Sender<()> {
    let (to_left, left) = net.channel::<u32>("to left");
    let (to_right, right) = net.channel::<u32>("to right");
    let (tell, told) = tokio::sync::oneshot::channel();
    net.process(
        "third",
        to_left.share().early(),
        async move |to_left: &Early<Out<u32>>| {
            if third_gives_up {
                to_left.finish();
            }
            Ok(told.await?)
        },
    );
    net.process(
        "left",
        (left, to_right),
        async |(from, _to): &(In<u32>, Out<u32>)| {
            from.recv().await?;
            Ok(())
        },
    );
    net.process(
        "right",
        (right, to_left),
        async |(from, _to): &(In<u32>, Out<u32>)| {
            from.recv().await?;
            Ok(())
        },
    );
    tell
}

#[test]
fn the_network_does_not_count_who_has_given_up() {
    for way in WAYS {
        let mut net = Network::new("given up");
        let tell = pair_and_third(&mut net, true);
        let deadlock = way.deadlock(net);
        assert_eq!(deadlock.cycle_names(), ["left", "right"], "{way:?}");
        assert!(!deadlock.is_total);
        drop(tell);
    }
}

#[test]
fn the_network_counts_who_has_not() {
    for way in WAYS {
        let mut net = Network::new("kept");
        let observer = net.observe();
        let tell = pair_and_third(&mut net, false);
        let looker = std::thread::spawn(move || {
            let deadline = Instant::now() + LONG;
            let blocked = |name| {
                let snapshot = observer.snapshot();
                let process = snapshot.processes.iter().find(|one| one.name == name);
                process.is_some_and(|one| !one.waits.is_empty())
            };
            while !(blocked("left") && blocked("right")) {
                assert!(Instant::now() < deadline);
                std::thread::yield_now();
            }
            for _ in 0..100 {
                assert_eq!(observer.look(), None);
            }
            tell.send(()).unwrap();
        });
        // Once the third has ended, the two are alone.
        let deadlock = way.deadlock(net);
        assert_eq!(deadlock.cycle_names(), ["left", "right"], "{way:?}");
        looker.join().unwrap();
    }
}

#[test]
fn what_is_in_use_goes_when_the_use_ends() {
    for way in WAYS {
        let mut net = Network::new("in use");
        let observer = net.observe();
        let (out, into) = net.channel::<u32>("numbers");
        net.process("writer", out.early(), async move |out: &Early<Out<u32>>| {
            {
                let port = out.get()?;
                // Made before the end, and polled after it.
                let send = port.send(1);
                assert!(out.finish());
                assert!(out.get().is_err());
                assert_eq!(senders(&observer, "numbers").0, ["writer"]);
                send.await?;
                port.send(2).await?;
            }
            assert!(senders(&observer, "numbers").0.is_empty());
            Ok(())
        });
        net.process("reader", into, async |into: &In<u32>| {
            assert_eq!(into.next().await?, Some(1));
            assert_eq!(into.next().await?, Some(2));
            assert_eq!(into.next().await?, None);
            Ok(())
        });
        way.run(net).unwrap();
    }
}

#[test]
fn several_are_given_up_together() {
    for way in WAYS {
        let mut net = Network::new("together");
        let (a, from_a) = net.channel::<u32>("a");
        let (b, from_b) = net.channel::<u32>("b");
        let (go, wait) = net.channel::<()>("go");
        net.process(
            "writer",
            (EarlyToken::of(vec![a, b]), wait),
            async |(outs, wait): &(Early<Vec<Out<u32>>>, In<()>)| {
                for out in outs.get()?.iter() {
                    out.send(1).await?;
                }
                outs.finish();
                Ok(wait.recv().await?)
            },
        );
        net.process(
            "reader",
            (from_a, from_b, go),
            async |(a, b, go): &(In<u32>, In<u32>, Out<()>)| {
                for into in [a, b] {
                    assert_eq!(into.next().await?, Some(1));
                }
                for into in [a, b] {
                    assert_eq!(into.next().await?, None);
                }
                Ok(go.send(()).await?)
            },
        );
        way.run(net).unwrap();
    }
}

#[test]
fn a_failure_does_not_poison_what_was_given_up_before() {
    for way in WAYS {
        let mut net = Network::new("clean");
        let (out, into) = net.channel::<u32>("numbers");
        let (other, from_other) = net.channel::<u32>("others");
        net.process(
            "fails",
            (out.early(), other.early()),
            async |(out, _other): &(Early<Out<u32>>, Early<Out<u32>>)| {
                out.finish();
                Err(ProcessError::msg("no more paper"))
            },
        );
        let heard = net.process_returning(
            "peer",
            (into, from_other),
            async |(into, others): &(In<u32>, In<u32>)| {
                Ok((into.next().await, others.next().await.is_err()))
            },
        );
        match way.run(net) {
            Err(RunError::Failed { process, .. }) => assert_eq!(process, "fails"),
            other => panic!("{other:?}"),
        }
        assert_eq!(heard.take(), Ok((Ok(None), true)), "{way:?}");
    }
}

#[test]
fn one_in_use_stands_in_guards() {
    let mut net = Network::new("guards");
    let (out, into) = net.channel::<u32>("numbers");
    net.process("source", out, async |out: &Out<u32>| {
        Ok(out.send(1).await?)
    });
    net.process("sink", into.early(), async |into: &Early<In<u32>>| {
        let port = into.get()?;
        select_async! {
            recv(port) -> got => assert_eq!(got, Ok(1)),
        }
        Ok(())
    });
    Way::OneThread.run(net).unwrap();
}

#[test]
fn a_process_that_is_started_gives_up_what_it_was_given() {
    for way in WAYS {
        let mut net = Network::new("growing");
        net.process("root", net.here(), async |here: &Here| {
            let (out, into) = here.channel::<u32>("numbers");
            let (go, wait) = here.channel::<()>("go");
            here.start(
                "child",
                (out.early(), wait),
                async |(out, wait): &(Early<Out<u32>>, In<()>)| {
                    out.get()?.send(1).await?;
                    out.finish();
                    Ok(wait.recv().await?)
                },
            );
            let (into, go) = (here.adopt(into), here.adopt(go));
            assert_eq!(into.next().await?, Some(1));
            assert_eq!(into.next().await?, None);
            Ok(go.send(()).await?)
        });
        way.run(net).unwrap();
    }
}

#[test]
fn an_adopted_end_is_given_up_by_dropping_it() {
    for way in WAYS {
        let mut net = Network::new("dropped");
        net.process("root", net.here(), async |here: &Here| {
            let (out, into) = here.channel::<u32>("numbers");
            let heard = here.adopt(into);
            let out = here.adopt(out);
            drop(out);
            assert_eq!(heard.next().await?, None);
            Ok(())
        });
        way.run(net).unwrap();
    }
}

#[test]
fn a_token_that_no_process_is_given_holds_nothing() {
    for way in WAYS {
        let mut net = Network::new("unused");
        let observer = net.observe();
        let (out, into) = net.channel::<u32>("numbers");
        let kept = Arc::new((out.share(), out.share().early()));
        net.process("source", out, async |out: &Out<u32>| {
            Ok(out.send(1).await?)
        });
        let seen = observer.clone();
        net.process("sink", into, async move |into: &In<u32>| {
            assert_eq!(into.next().await?, Some(1));
            assert_eq!(into.next().await?, None);
            assert_eq!(senders(&seen, "numbers").1, 0);
            Ok(())
        });
        way.run(net).unwrap();
        drop(kept);
    }
}
