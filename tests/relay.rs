//! A process that takes from one link and sends on another adds no buffer: demand, the hand-over and its
//! outcome go through it.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod links;

use bytes::Bytes;
use handover::{channel::SendError, net::Link};
use links::{channel_over, config, is_pending, pair_of, settle, soon};

/// A link from the source to the relay and one from the relay to the sink, joined at the relay.
struct Relay {
    source: Link,
    entry: Link,
    exit: Link,
    sink: Link,
}

async fn relay() -> Relay {
    let once = || config().reconnect(false);
    let (source, entry) = pair_of(once(), once()).await;
    let (exit, sink) = pair_of(once(), once()).await;
    let (inside, outside) = handover::channel::<Bytes>();
    entry.carry_into("units", inside).unwrap();
    exit.carry_from("units", outside).unwrap();
    Relay {
        source,
        entry,
        exit,
        sink,
    }
}

#[tokio::test]
async fn demand_and_the_hand_over_go_through_a_relay() {
    let relay = relay().await;
    let (tx, rx) = (
        relay.source.sender("units").unwrap(),
        relay.sink.receiver("units").unwrap(),
    );
    let mut send = Box::pin(tx.send_async(Bytes::from_static(b"unit")));
    assert!(is_pending(&mut send).await);
    settle(&relay.source, &relay.entry).await;
    settle(&relay.exit, &relay.sink).await;
    assert!(is_pending(&mut send).await, "nobody waits at the far end");
    assert_eq!(relay.entry.counters().messages_received, 0);

    let held = soon("custody", rx.recv_held_async()).await.unwrap();
    settle(&relay.source, &relay.entry).await;
    assert!(
        is_pending(&mut send).await,
        "the far end has it in custody, and has not taken it"
    );
    assert_eq!(held.release(), "unit");
    soon("the send", send).await.unwrap();
}

#[tokio::test]
async fn a_refusal_and_a_doubt_go_through_a_relay_as_what_they_are() {
    let relay = relay().await;
    let (tx, rx) = (
        relay.source.sender("units").unwrap(),
        relay.sink.receiver("units").unwrap(),
    );
    let refuse = async { rx.recv_held_async().await.unwrap().hand_back().unwrap() };
    let send = tx.send_async(Bytes::from_static(b"unit"));
    let (error, ()) = soon("the refusal", async { tokio::join!(send, refuse) }).await;
    assert!(matches!(error.unwrap_err(), SendError::Returned(message) if message == "unit"));

    let lose = async {
        let held = rx.recv_held_async().await.unwrap();
        relay.sink.abort();
        held
    };
    let send = tx.send_async(Bytes::from_static(b"unit"));
    let (error, held) = soon("the doubt", async { tokio::join!(send, lose) }).await;
    assert!(matches!(error.unwrap_err(), SendError::InDoubt(message) if message == "unit"));
    drop(held);
}

#[tokio::test]
async fn the_end_of_the_far_link_disconnects_the_source() {
    let relay = relay().await;
    let tx = relay.source.sender("units").unwrap();
    relay.sink.abort();
    soon("the end", tx.closed_async()).await;
    let error = soon("a send", tx.send_async(Bytes::from_static(b"unit")))
        .await
        .unwrap_err();
    assert!(error.is_disconnected());
    // The other channels of the near link live on.
    let (tx, rx) = channel_over(&relay.source, &relay.entry, "others");
    let both = async { tokio::join!(tx.send_async(Bytes::new()), rx.recv_async()) };
    let (sent, received) = soon("another channel", both).await;
    sent.unwrap();
    received.unwrap();
}
