//! Waits for all of several: one that can never be done is enough.

use std::{sync::mpsc, time::Duration};

use handover::process::{
    BlockingOut, Deadlock, In, Network, OnDeadlock, Out, RunError, send_to_all,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// `press` sends to all, or to the reader alone; `rival` sends to it first, so it never takes; `reader` takes after
/// `until` has returned.
fn press_and_rival(net: &mut Network, all: bool, until: impl FnOnce() + Send + 'static) {
    let (to_rival, rival_news) = net.channel::<u32>("rival's");
    let (to_reader, reader_news) = net.channel::<u32>("reader's");
    let (complaint_out, complaint_in) = net.channel::<u32>("complaints");
    net.process(
        "press",
        ([to_rival, to_reader], complaint_in),
        async move |(ports, _complaints): &([Out<u32>; 2], In<u32>)| {
            if all {
                send_to_all(ports, 7).await?;
            } else {
                send_to_all(&ports[1..], 7).await?;
            }
            Ok(())
        },
    );
    net.process(
        "rival",
        (complaint_out, rival_news),
        async |(complaint, news): &(Out<u32>, In<u32>)| {
            // Nobody hears it before the news are out.
            if complaint.send(1).await.is_ok() {
                news.recv().await?;
            }
            Ok(())
        },
    );
    let (stop_out, stop_in) = net.channel::<()>("stop");
    net.process(
        "reader",
        (reader_news, stop_in),
        async |(news, stop): &(In<u32>, In<()>)| {
            if stop.recv().await.is_err() {
                news.recv().await?;
            }
            Ok(())
        },
    );
    net.thread("clock", stop_out, move |_: &BlockingOut<()>| {
        until();
        Ok(())
    });
}

#[test]
fn one_receiver_that_can_never_take_is_enough() {
    let mut net = Network::new("news");
    let (tell, hears) = mpsc::channel();
    let (pass_on, was_told) = mpsc::channel();
    press_and_rival(&mut net, true, move || {
        let deadlock: Option<Deadlock> = hears.recv_timeout(PATIENCE).ok();
        let _ = pass_on.send(deadlock);
    });
    net.on_deadlock(OnDeadlock::Call(Box::new(move |deadlock| {
        let _ = tell.send(deadlock.clone());
    })));
    let result = net.run();
    // It was told of while the reader, which could take its copy, was there.
    let partial = was_told.recv().unwrap().expect("it was not told in time");
    assert!(!partial.is_total, "{partial}");
    assert_eq!(partial.cycle_names(), ["press", "rival"]);
    let text = partial.to_string();
    assert!(text.contains(", and sending on \"reader's\""), "{text}");
    // In the end nobody can go on.
    assert!(matches!(result, Err(RunError::Deadlock(_))), "{result:?}");
}

#[test]
fn where_all_can_be_done_it_is_no_deadlock() {
    let mut net = Network::new("news");
    press_and_rival(&mut net, false, || ());
    net.run().unwrap();
}

#[test]
fn those_that_can_take_do_and_the_others_are_named() {
    let mut net = Network::new("news");
    let (ports, mut readers): (Vec<_>, Vec<_>) =
        (0..3).map(|n| net.channel::<u32>(&n.to_string())).unzip();
    drop(readers.remove(1));
    net.process("press", ports, async |ports: &Vec<Out<u32>>| {
        let error = send_to_all(ports, 7).await.unwrap_err();
        let failed: Vec<_> = error
            .failed
            .iter()
            .map(|(at, error)| (*at, error.to_string()))
            .collect();
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert_eq!(failed[0].0, 1);
        assert_eq!(error.failed.into_iter().next().unwrap().1.into_inner(), 7);
        Ok(())
    });
    for (n, reader) in readers.into_iter().enumerate() {
        net.process(format!("reader {n}"), reader, async |news: &In<u32>| {
            assert_eq!(news.recv().await?, 7);
            Ok(())
        });
    }
    net.run().unwrap();
}
