//! A link through TLS keeps the promises of one without: outcomes, order, and how it ends.

use bytes::Bytes;
use handover::{
    channel::SendError,
    net::{Code, Goodbye, LinkEnd},
    wire::{self, Frame},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    links::{channel_over, is_pending, listen, pair_of, preamble, settle, soon},
    support::{Authority, raw_client, raw_dial},
};

async fn pair() -> (handover::net::Link, handover::net::Link) {
    let authority = Authority::new();
    pair_of(authority.config("worker"), authority.config("coordinator")).await
}

#[tokio::test]
async fn a_send_completes_when_the_message_is_taken_and_not_before() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    let mut send = Box::pin(tx.send_async(Bytes::from_static(b"unit")));
    assert!(is_pending(&mut send).await);
    settle(&a, &b).await;
    assert!(is_pending(&mut send).await, "nobody has taken it");
    let (sent, received) = soon("the message", async { tokio::join!(send, rx.recv_async()) }).await;
    sent.unwrap();
    assert_eq!(received.unwrap(), "unit");
}

#[tokio::test]
async fn messages_of_any_size_cross_whole_both_ways_at_once() {
    let (a, b) = pair().await;
    let (there_tx, there_rx) = channel_over(&a, &b, "there");
    let (back_tx, back_rx) = channel_over(&b, &a, "back");
    for size in [
        0,
        1,
        16_383,
        16_384,
        16_385,
        65_536,
        65_537,
        1 << 20,
        16 << 20,
    ] {
        let message: Bytes = (0..size)
            .map(|i: u32| i.to_le_bytes()[i as usize % 3])
            .collect();
        let exchange = async {
            tokio::join!(
                there_tx.send_async(message.clone()),
                there_rx.recv_async(),
                back_tx.send_async(message.clone()),
                back_rx.recv_async()
            )
        };
        let (sent, received, sent_back, received_back) = soon("messages", exchange).await;
        sent.unwrap();
        sent_back.unwrap();
        assert!(received.unwrap() == message, "{size} bytes");
        assert!(received_back.unwrap() == message, "{size} bytes");
    }
}

#[tokio::test]
async fn a_close_is_heard_with_its_reason() {
    let (a, b) = pair().await;
    soon("the close", b.close(Goodbye::leaving("told to stop"))).await;
    let end = soon("the end", a.closed()).await;
    assert!(
        matches!(&end, LinkEnd::PeerClosed(goodbye) if goodbye.code() == Code::Leaving),
        "{end}"
    );
}

/// A line that carries bytes to `address` until it is cut; and where it begins.
async fn line(address: std::net::SocketAddr) -> (std::net::SocketAddr, JoinHandle<()>) {
    let near = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let begins = near.local_addr().unwrap();
    let carrying = tokio::spawn(async move {
        let (mut near, _) = near.accept().await.unwrap();
        let mut far = TcpStream::connect(address).await.unwrap();
        let _ = copy_bidirectional(&mut near, &mut far).await;
    });
    (begins, carrying)
}

#[tokio::test]
async fn a_connection_that_is_cut_is_a_lost_link_and_each_message_has_its_outcome() {
    for taken_in_custody in [false, true] {
        let authority = Authority::new();
        let (listener, address) = listen(authority.config("coordinator").reconnect(false)).await;
        let (begins, carrying) = line(address).await;
        let accept = async { listener.accept().await.unwrap().handshake().await.unwrap() };
        let dial = Box::pin(handover::net::dial(
            begins,
            authority.config("worker").reconnect(false),
        ));
        let (a, b) = soon("the handshake", async { tokio::join!(dial, accept) }).await;
        let a = a.unwrap();
        let (tx, rx) = channel_over(&a, &b, "units");
        let mut send = Box::pin(tx.send_async(Bytes::from_static(b"one")));
        assert!(is_pending(&mut send).await);
        if taken_in_custody {
            let custody = async {
                tokio::select! {
                    _ = &mut send => panic!("nobody has released it"),
                    held = rx.recv_held_async() => held.unwrap(),
                }
            };
            let held = soon("custody", custody).await;
            carrying.abort();
            let error = soon("the outcome", send).await.unwrap_err();
            assert!(matches!(error, SendError::InDoubt(message) if message == "one"));
            assert_eq!(held.release(), "one");
        } else {
            settle(&a, &b).await;
            carrying.abort();
            let error = soon("the outcome", send).await.unwrap_err();
            assert!(matches!(error, SendError::Disconnected(message) if message == "one"));
        }
        // Both ends of the line are closed as a process is that ends: in good order for TCP, not for TLS.
        for link in [a, b] {
            let end = soon("the end", link.closed()).await;
            assert!(matches!(&end, LinkEnd::Lost(_)), "{end}");
        }
    }
}

#[tokio::test]
async fn a_message_of_which_the_last_bytes_never_left_comes_back() {
    let authority = Authority::new();
    let (listener, address) = listen(authority.config("coordinator")).await;
    let certified = authority.certify(&["worker"]);
    let dial = raw_dial(address, raw_client(Some(&certified), b"handover"));
    let puppet = async {
        let mut stream = dial.await.unwrap();
        let mut bytes = preamble(wire::VERSION, wire::VERSION_MIN);
        Frame::Hello(wire::Hello {
            session: 1,
            incarnation: 2,
            epoch: 1,
            lease_ms: 20_000,
            message_bytes: 1 << 30,
            channels: 16,
            name: "puppet",
            token: b"",
        })
        .encode(&mut bytes);
        // Grants far more than sockets hold, and reads nothing.
        stream.write_all(&bytes).await.unwrap();
        stream
    };
    let accept = async { listener.accept().await.unwrap().handshake().await.unwrap() };
    let both = Box::pin(async { tokio::join!(accept, puppet) });
    let (link, mut puppet) = soon("the handshake", both).await;
    let tx = link.sender("units").unwrap();
    let mut grant = Vec::new();
    Frame::Grant {
        channel: 0,
        messages: 1,
        bytes: 1 << 30,
    }
    .encode(&mut grant);
    // The grant is for a channel, which is open when its OPEN has come.
    let mut opened = [0; 64];
    let read = soon("the OPEN", puppet.read(&mut opened)).await.unwrap();
    assert_ne!(read, 0);
    puppet.write_all(&grant).await.unwrap();
    let message = Bytes::from(vec![7; 64 << 20]);
    let sending = tokio::spawn({
        let message = message.clone();
        async move { tx.send_async(message).await }
    });
    soon("the sockets to be full", async {
        let (mut last, mut still) = (0, 0);
        while last < 1 << 16 || still < 50 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            let now = link.counters().bytes_written;
            still = if now == last { still + 1 } else { 0 };
            last = now;
        }
        assert!(last < 64 << 20, "the sockets hold less than the message");
    })
    .await;
    drop(puppet);
    let error = soon("the outcome", sending).await.unwrap().unwrap_err();
    assert!(matches!(error, SendError::Returned(back) if back == message));
}
