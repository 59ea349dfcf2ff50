//! Promise P1 over TCP: a send completes when a process at the other end has taken the message, and not
//! before; and however a link ends, each message's outcome is told.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod links;

use std::time::Duration;

use bytes::Bytes;
use handover::{
    channel::SendError,
    net::{Code, Goodbye, Limits, LinkEnd, NetError},
    wire::{Frame, FrameType, HEADER_BYTES, OpenError, PAYLOAD_BYTES_MAX},
};
use links::{
    channel_over, config, is_pending, link_and_puppet, link_and_puppet_of, pair, pair_of, settle,
    soon,
};

#[tokio::test]
async fn a_message_crosses_only_when_a_receiver_waits_and_its_send_completes_when_it_is_taken() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    settle(&a, &b).await;
    let before = a.counters();
    let mut send = Box::pin(tx.send_async(Bytes::from_static(b"unit")));
    assert!(is_pending(&mut send).await);
    settle(&a, &b).await;
    assert_eq!(
        a.counters(),
        before,
        "nothing crosses to a receiver that does not wait"
    );
    assert!(is_pending(&mut send).await, "nobody has taken it");
    assert!(!tx.is_ready());

    let (sent, received) = soon("the message", async { tokio::join!(send, rx.recv_async()) }).await;
    sent.unwrap();
    assert_eq!(received.unwrap(), "unit");
    assert_eq!(a.counters().messages_sent, 1);
    assert_eq!(b.counters().messages_received, 1);
}

#[tokio::test]
async fn demand_at_the_far_end_shows_before_anything_is_sent() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    settle(&a, &b).await;
    assert!(!tx.is_ready());
    let worker = tokio::spawn(async move { rx.recv_async().await });
    soon("demand", tx.ready_async()).await.unwrap();
    soon("the send", tx.send_async(Bytes::from_static(b"x")))
        .await
        .unwrap();
    assert_eq!(soon("the worker", worker).await.unwrap().unwrap(), "x");
}

#[tokio::test]
async fn a_send_to_an_acceptor_completes_when_it_is_released() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    let mut send = Box::pin(tx.send_async(Bytes::from_static(b"one")));
    let custody = async {
        tokio::select! {
            _ = &mut send => panic!("nobody has released it"),
            held = rx.recv_held_async() => held.unwrap(),
        }
    };
    let held = soon("custody", custody).await;
    settle(&a, &b).await;
    assert!(is_pending(&mut send).await, "it is in custody, not taken");
    assert_eq!(held.release(), "one");
    soon("the release", send).await.unwrap();
}

#[tokio::test]
async fn an_acceptor_s_refusal_and_its_doubt_reach_the_far_sender() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    for doubt in [false, true] {
        let acceptor = async {
            let held = rx.recv_held_async().await.unwrap();
            if doubt {
                held.in_doubt()
            } else {
                held.hand_back()
            }
            .unwrap();
        };
        let send = tx.send_async(Bytes::from_static(b"two"));
        let (sent, ()) = soon("the answer", async { tokio::join!(send, acceptor) }).await;
        match sent.unwrap_err() {
            SendError::Returned(message) if !doubt => assert_eq!(message, "two"),
            SendError::InDoubt(message) if doubt => assert_eq!(message, "two"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn messages_of_any_size_up_to_the_limit_cross_whole() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    for size in [0, 1, 65_535, 65_536, 65_537, 1 << 20, 16 << 20] {
        let message: Bytes = (0..size)
            .map(|i: u32| i.to_le_bytes()[i as usize % 3])
            .collect();
        let exchange = async { tokio::join!(tx.send_async(message.clone()), rx.recv_async()) };
        let (sent, received) = soon("a message", exchange).await;
        sent.unwrap();
        assert!(received.unwrap() == message, "{size} bytes");
    }
}

#[tokio::test]
async fn a_message_over_the_limit_comes_back_and_the_link_lives() {
    let small = config().limits(Limits::default().with_message_bytes(100));
    let (a, b) = pair_of(config(), small).await;
    assert_eq!(a.peer().message_bytes_max, 100);
    let (tx, rx) = channel_over(&a, &b, "units");
    let receiver = tokio::spawn(async move { rx.recv_async().await });
    let long = Bytes::from(vec![7; 101]);
    let error = soon("the refusal", tx.send_async(long.clone()))
        .await
        .unwrap_err();
    assert!(matches!(&error, SendError::Returned(message) if *message == long));
    soon("the next", tx.send_async(long.slice(1..)))
        .await
        .unwrap();
    assert_eq!(
        soon("the next", receiver).await.unwrap().unwrap().len(),
        100
    );
}

#[tokio::test]
async fn a_channel_works_whichever_end_is_opened_first() {
    let (a, b) = pair().await;
    let rx = b.receiver("late").unwrap();
    let receiver = tokio::spawn(async move { rx.recv_async().await });
    settle(&a, &b).await;
    let tx = a.sender("late").unwrap();
    soon("the send", tx.send_async(Bytes::from_static(b"x")))
        .await
        .unwrap();
    assert_eq!(soon("the message", receiver).await.unwrap().unwrap(), "x");
}

#[tokio::test]
async fn a_channel_is_opened_once_at_each_end_under_a_good_name() {
    let few = || config().limits(Limits::default().with_channels(2));
    let (a, _b) = pair_of(few(), few()).await;
    let _first = a.sender("units").unwrap();
    assert!(matches!(
        a.sender("units"),
        Err(NetError::Open(OpenError::InUse(_)))
    ));
    assert!(matches!(
        a.sender(""),
        Err(NetError::Open(OpenError::BadName(_)))
    ));
    assert!(matches!(
        a.receiver("a\nb"),
        Err(NetError::Open(OpenError::BadName(_)))
    ));
    let _second = a.sender("results").unwrap();
    assert!(matches!(
        a.sender("more"),
        Err(NetError::Open(OpenError::TooMany(2)))
    ));
    let _receivers = [a.receiver("units").unwrap(), a.receiver("results").unwrap()];
    assert!(matches!(
        a.receiver("units"),
        Err(NetError::Open(OpenError::InUse(_)))
    ));
    assert!(matches!(
        a.receiver("more"),
        Err(NetError::Open(OpenError::TooMany(2)))
    ));
}

#[tokio::test]
async fn a_small_message_passes_a_big_one_that_is_under_way() {
    let (a, b) = pair().await;
    let (big_tx, big_rx) = channel_over(&a, &b, "big");
    let (small_tx, small_rx) = channel_over(&a, &b, "small");
    let start = a.counters().bytes_written;
    let big = tokio::spawn(async move {
        let message = Bytes::from(vec![1; 16 << 20]);
        let (sent, received) = tokio::join!(big_tx.send_async(message), big_rx.recv_async());
        sent.unwrap();
        received.unwrap()
    });
    soon("the big one to begin", async {
        while a.counters().bytes_written < start + 100_000 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let small = async {
        tokio::join!(
            small_tx.send_async(Bytes::from_static(b"x")),
            small_rx.recv_async()
        )
    };
    let (sent, received) = soon("the small one", small).await;
    sent.unwrap();
    received.unwrap();
    assert!(!big.is_finished(), "the small one was first");
    assert_eq!(soon("the big one", big).await.unwrap().len(), 16 << 20);
}

/// What a small message waits for is counted in bytes: those that stand before it in the stream and that the socket had
/// not taken when it began.
#[tokio::test]
async fn a_small_message_waits_for_one_chunk_of_each_big_one_beside_what_the_socket_holds() {
    for (bigs, is_first) in [(1, false), (1, true), (3, false), (3, true)] {
        let mut tries = 0;
        while !a_small_message_beside(bigs, is_first).await {
            tries += 1;
            assert!(tries < 20, "the socket is never full");
        }
    }
}

/// Returns whether it could be counted.
async fn a_small_message_beside(bigs: u16, is_first: bool) -> bool {
    const CHUNK: u64 = (HEADER_BYTES + PAYLOAD_BYTES_MAX) as u64;
    let (link, mut puppet) = link_and_puppet().await;
    let open = |name: &str| link.sender(name).unwrap();
    let early = is_first.then(|| open("small"));
    let big_senders: Vec<_> = (0..bigs).map(|n| open(&format!("big {n}"))).collect();
    let small = early.unwrap_or_else(|| open("small"));
    let small_channel = if is_first { 0 } else { bigs };
    for channel in 0..=bigs {
        puppet.expect(FrameType::Open).await;
        let (messages, bytes) = (1, 16 << 20);
        puppet
            .say(Frame::Grant {
                channel,
                messages,
                bytes,
            })
            .await;
    }
    for sender in big_senders {
        let message = Bytes::from(vec![1; 16 << 20]);
        tokio::spawn(async move { sender.send_async(message).await });
    }
    soon("the small one's turn", small.ready_async())
        .await
        .unwrap();
    let held = async || {
        // The socket is full when it takes nothing for many turns of the driver.
        let (mut taken, mut quiet) = (0, 0);
        while quiet < 20 || taken < 1 << 17 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let now = link.counters().bytes_written;
            quiet = if now == taken { quiet + 1 } else { 0 };
            taken = now;
        }
        taken
    };
    let held = soon("the socket to be full", held()).await;
    let sending = tokio::spawn({
        let small = small.clone();
        async move { small.send_async(Bytes::from_static(b"x")).await }
    });
    soon("the link to have it", async {
        while small.is_ready() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    if link.counters().bytes_written != held {
        // The kernel has found more room, so nobody knows how much stood before it.
        link.abort();
        return false;
    }
    let frame = loop {
        let frame = puppet.expect(FrameType::Data).await;
        if frame[2..4] == small_channel.to_be_bytes() {
            break frame;
        }
    };
    let before = puppet.heard - frame.len() as u64 - held;
    assert!(
        before <= u64::from(bigs) * CHUNK,
        "{before} bytes stood before it, of {bigs} big ones"
    );
    assert!(before > 0, "and some did, for the socket was full");
    puppet
        .say(Frame::Taken {
            channel: small_channel,
            sequence: 1,
        })
        .await;
    soon("the outcome", sending).await.unwrap().unwrap();
    link.abort();
    true
}

#[tokio::test]
async fn dropping_the_senders_disconnects_the_far_receiver_after_what_is_under_way() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    let sender = tokio::spawn(async move { tx.send_async(Bytes::from_static(b"last")).await });
    assert_eq!(soon("the last", rx.recv_async()).await.unwrap(), "last");
    soon("the sender", sender).await.unwrap().unwrap();
    assert!(soon("the end", rx.recv_async()).await.is_err());
    // Closed by both, the name is free again.
    drop(rx);
    settle(&a, &b).await;
    let (tx, rx) = channel_over(&a, &b, "units");
    let exchange = async { tokio::join!(tx.send_async(Bytes::new()), rx.recv_async()) };
    let (sent, received) = soon("the new channel", exchange).await;
    sent.unwrap();
    received.unwrap();
}

#[tokio::test]
async fn dropping_the_receivers_disconnects_the_far_senders_with_their_message() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    let drop_it = async {
        settle(&a, &b).await;
        drop(rx);
    };
    let send = tx.send_async(Bytes::from_static(b"mine"));
    let (error, ()) = soon("the error", async { tokio::join!(send, drop_it) }).await;
    assert!(matches!(error.unwrap_err(), SendError::Disconnected(message) if message == "mine"));
    assert!(tx.is_disconnected());
}

#[tokio::test]
async fn a_receiver_that_waited_and_went_disconnects_the_far_senders_too() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    {
        let mut receive = Box::pin(rx.recv_async());
        assert!(is_pending(&mut receive).await);
        soon("the grant", tx.ready_async()).await.unwrap();
    }
    drop(rx);
    soon("the close", tx.closed_async()).await;
}

#[tokio::test]
async fn a_receive_that_is_given_up_leaves_its_message_for_the_next() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    {
        let mut receive = Box::pin(rx.recv_async());
        assert!(is_pending(&mut receive).await);
        soon("the grant", tx.ready_async()).await.unwrap();
    }
    let mut send = Box::pin(tx.send_async(Bytes::from_static(b"one")));
    assert!(is_pending(&mut send).await);
    settle(&a, &b).await;
    assert!(
        is_pending(&mut send).await,
        "it crossed, and nobody has taken it"
    );
    assert_eq!(soon("the message", rx.recv_async()).await.unwrap(), "one");
    soon("the send", send).await.unwrap();
}

/// Then the sender waits as if it had never crossed, and may turn to somebody else.
#[tokio::test]
async fn what_nobody_waits_for_any_more_is_its_senders_again() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    {
        let mut receive = Box::pin(rx.recv_async());
        assert!(is_pending(&mut receive).await);
        soon("the grant", tx.ready_async()).await.unwrap();
    }
    let mut send = Box::pin(tx.send_async(Bytes::from_static(b"one")));
    assert!(is_pending(&mut send).await);
    settle(&a, &b).await;
    assert!(is_pending(&mut send).await);
    assert_eq!(b.counters().messages_received, 0);
    // It crosses once more, for one that takes it.
    assert_eq!(soon("the message", rx.recv_async()).await.unwrap(), "one");
    soon("the send", send).await.unwrap();
    let send = tx.send_async(Bytes::from_static(b"two"));
    drop(rx);
    let error = soon("the outcome", send).await.unwrap_err();
    assert!(matches!(error, SendError::Disconnected(message) if message == "two"));
}

#[tokio::test]
async fn a_close_confirms_what_was_taken_and_returns_the_rest() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    let (other_tx, other_rx) = channel_over(&a, &b, "other");
    let sending = tokio::spawn(async move {
        tx.send_async(Bytes::from_static(b"one")).await?;
        tx.send_async(Bytes::from_static(b"two")).await
    });
    assert_eq!(soon("one", rx.recv_async()).await.unwrap(), "one");
    soon("the close", b.close(Goodbye::leaving("told to stop"))).await;

    let error = soon("two", sending).await.unwrap().unwrap_err();
    assert_eq!(error.into_inner(), "two");
    assert_eq!(a.counters().messages_sent, 1, "the first was confirmed");
    let end = soon("the end", a.closed()).await;
    assert!(
        matches!(&end, LinkEnd::PeerClosed(goodbye) if goodbye.code() == Code::Leaving),
        "{end}"
    );
    assert!(matches!(b.closed().await, LinkEnd::Closed(_)));
    let error = soon("a local end", other_tx.send_async(Bytes::new()))
        .await
        .unwrap_err();
    assert!(error.is_disconnected());
    assert!(soon("a local end", other_rx.recv_async()).await.is_err());
    assert!(matches!(
        a.sender("later"),
        Err(NetError::Ended(LinkEnd::PeerClosed(_)))
    ));
}

#[tokio::test]
async fn a_close_in_the_middle_of_a_custody_leaves_the_far_sender_in_doubt() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    let sending = tokio::spawn(async move { tx.send_async(Bytes::from_static(b"one")).await });
    let held = soon("custody", rx.recv_held_async()).await.unwrap();
    soon("the close", b.close(Goodbye::done())).await;
    let error = soon("the outcome", sending).await.unwrap().unwrap_err();
    assert!(matches!(error, SendError::InDoubt(message) if message == "one"));
    assert_eq!(held.release(), "one");
}

#[tokio::test]
async fn dropping_all_handles_and_ends_ends_the_link() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    let other = b.clone();
    drop(b);
    drop(other);
    // An end is left, so the link is.
    let exchange = async { tokio::join!(tx.send_async(Bytes::new()), rx.recv_async()) };
    let (sent, received) = soon("a message", exchange).await;
    sent.unwrap();
    received.unwrap();
    drop(rx);
    let end = soon("the end", a.closed()).await;
    assert!(
        matches!(&end, LinkEnd::PeerClosed(goodbye) if goodbye.code() == Code::Done),
        "{end}"
    );
}

#[tokio::test]
async fn an_abort_is_a_lost_link_to_a_peer_that_does_not_reconnect() {
    let once = config().reconnect(false);
    let (a, b) = pair_of(once.clone(), once).await;
    b.abort();
    assert!(matches!(
        soon("the end", b.closed()).await,
        LinkEnd::Aborted
    ));
    assert!(matches!(
        soon("the end", a.closed()).await,
        LinkEnd::Lost(_)
    ));
}

#[tokio::test]
async fn a_peer_lost_before_the_last_chunk_returns_the_message_and_after_it_leaves_doubt() {
    for (granted, whole) in [(1000, false), (100_000, true)] {
        let (link, mut puppet) = link_and_puppet().await;
        let tx = link.sender("units").unwrap();
        let message = Bytes::from(vec![5; 50_000]);
        let sending = tokio::spawn({
            let message = message.clone();
            async move { tx.send_async(message).await }
        });
        puppet.expect(FrameType::Open).await;
        puppet
            .say(Frame::Grant {
                channel: 0,
                messages: 1,
                bytes: granted,
            })
            .await;
        puppet.expect(FrameType::Data).await;
        puppet.kill();
        match soon("the outcome", sending).await.unwrap().unwrap_err() {
            SendError::Returned(back) if !whole => assert!(back == message),
            SendError::InDoubt(back) if whole => assert!(back == message),
            other => panic!("granted {granted}: {other:?}"),
        }
        assert!(matches!(
            soon("the end", link.closed()).await,
            LinkEnd::Lost(_)
        ));
    }
}

#[tokio::test]
async fn a_peer_that_is_silent_for_the_whole_lease_ends_the_link_and_one_that_lives_does_not() {
    let brisk = || config().lease(Duration::from_millis(200));
    let (link, mut puppet) = link_and_puppet_of(brisk()).await;
    let tx = link.sender("units").unwrap();
    let sending = tokio::spawn(async move { tx.send_async(Bytes::from_static(b"unit")).await });
    puppet.expect(FrameType::Open).await;
    let grant = Frame::Grant {
        channel: 0,
        messages: 1,
        bytes: 100,
    };
    puppet.say(grant).await;
    puppet.expect(FrameType::Data).await;
    // It is asked for a sign of life, and gives none.
    puppet.expect(FrameType::Ping).await;
    let end = soon("the end", link.closed()).await;
    assert!(
        matches!(end, LinkEnd::Silent(lease) if lease == Duration::from_millis(200)),
        "{end}"
    );
    let error = soon("the outcome", sending).await.unwrap().unwrap_err();
    assert!(matches!(error, SendError::InDoubt(message) if message == "unit"));

    // Two links that have nothing to say live on for many leases, by signs of life alone.
    let (a, b) = pair_of(brisk(), brisk()).await;
    let start = a.counters().bytes_read;
    soon("many signs of life", async {
        while a.counters().bytes_read < start + 16 * 16 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let (tx, rx) = channel_over(&a, &b, "units");
    let exchange = async { tokio::join!(tx.send_async(Bytes::new()), rx.recv_async()) };
    let (sent, received) = soon("a message", exchange).await;
    sent.unwrap();
    received.unwrap();
}

#[tokio::test]
async fn a_message_of_a_lost_peer_that_nobody_has_taken_is_thrown_away() {
    for (total, chunk) in [(4, &b"ab"[..]), (2, b"ab")] {
        let (link, mut puppet) = link_and_puppet().await;
        let rx = link.receiver("units").unwrap();
        puppet
            .say(Frame::Open {
                channel: 3,
                opening: 1,
                name: "units",
                type_name: "",
                type_version: 0,
            })
            .await;
        {
            let mut receive = Box::pin(rx.recv_async());
            assert!(is_pending(&mut receive).await);
            puppet.expect(FrameType::Grant).await;
        }
        let before = link.counters().bytes_read;
        puppet
            .say(Frame::Data {
                channel: 3,
                sequence: 1,
                total,
                chunk,
            })
            .await;
        soon("the chunk", async {
            while link.counters().bytes_read == before {
                tokio::task::yield_now().await;
            }
        })
        .await;
        puppet.kill();
        soon("the end", link.closed()).await;
        assert!(soon("the end", rx.recv_async()).await.is_err());
    }
}

#[tokio::test]
async fn links_that_share_a_receiver_take_each_message_once() {
    let (tx, shared) = handover::channel::<Bytes>();
    let mut links = Vec::new();
    let mut workers = Vec::new();
    for _ in 0..4 {
        let (a, b) = pair().await;
        a.carry_from("units", shared.clone()).unwrap();
        let units = b.receiver("units").unwrap();
        workers.push(tokio::spawn(async move {
            let mut taken = Vec::new();
            while let Ok(unit) = units.recv_async().await {
                taken.push(u32::from_be_bytes(unit.as_ref().try_into().unwrap()));
            }
            taken
        }));
        links.push((a, b));
    }
    drop(shared);
    soon("the sends", async {
        for unit in 0..1000u32 {
            let unit = Bytes::copy_from_slice(&unit.to_be_bytes());
            tx.send_async(unit).await.unwrap();
        }
    })
    .await;
    drop(tx);
    let mut all = Vec::new();
    for worker in workers {
        let taken = soon("a worker", worker).await.unwrap();
        assert!(!taken.is_empty(), "each worker had its share");
        all.extend(taken);
    }
    all.sort_unstable();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
}

#[test]
fn shutting_the_runtime_down_gives_every_message_its_outcome() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build().unwrap();
    let (a, b) = runtime.block_on(pair());
    let (idle, _idle_rx) = channel_over(&a, &b, "idle");
    let blocked = std::thread::spawn(move || idle.send(Bytes::from_static(b"mine")));
    let (busy, busy_rx) = channel_over(&a, &b, "busy");
    let in_custody = std::thread::spawn(move || busy.send(Bytes::from_static(b"theirs")));
    let held = busy_rx.recv_held().unwrap();
    runtime.shutdown_background();
    let error = blocked.join().unwrap().unwrap_err();
    assert!(matches!(error, SendError::Disconnected(message) if message == "mine"));
    let error = in_custody.join().unwrap().unwrap_err();
    assert!(matches!(error, SendError::InDoubt(message) if message == "theirs"));
    assert_eq!(held.release(), "theirs");
}
