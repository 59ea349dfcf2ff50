//! A peer that never gets through its handshake costs a bounded amount of memory, whatever it does.
//!
//! In a file of its own, because what is measured is the whole program's.
#![cfg(all(feature = "net", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod links;

#[path = "net_security/support.rs"]
mod support;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use handover::net::Listener;
use links::{config, soon};
use support::{Authority, raw_client, serve};

/// One test at a time, for all are measured together.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// So many at a time, at most: two sockets each.
const PEERS: usize = 300;

/// What the program has in memory, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// Says a part of a preamble, or of what comes after it.
fn slow(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"handover\x01\x01\x01\x01\0\0\0\0\x01")
        .unwrap();
    stream
}

/// Hears the listener's part of the TLS handshake, and says nothing more.
fn stops_in_tls(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let config = Arc::new(raw_client(None, b"handover"));
    let mut client = rustls::ClientConnection::new(config, "x".try_into().unwrap()).unwrap();
    client.write_tls(&mut stream).unwrap();
    // The listener has done its part when it answers.
    stream.read_exact(&mut [0; 5]).unwrap();
    stream
}

/// Claims a `ClientHello` of 65,000 bytes, and says all but the end of it.
fn long_in_tls(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut message = vec![1, 0, 0xfd, 0xe8];
    message.resize(64_000, 0);
    for record in message.chunks(16_000) {
        let length = u16::try_from(record.len()).unwrap().to_be_bytes();
        stream.write_all(&[22, 3, 1, length[0], length[1]]).unwrap();
        stream.write_all(record).unwrap();
    }
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_stays_in_its_handshake_costs_a_bounded_amount() {
    let _alone = ALONE.lock().await;
    let authority = Authority::new();
    for (what, come, tls, most) in [
        ("slow", slow as fn(SocketAddr) -> TcpStream, false, 32 << 10),
        ("stops in TLS", stops_in_tls, true, 64 << 10),
        ("is long in TLS", long_in_tls, true, 192 << 10),
    ] {
        let config = if tls {
            authority.config("coordinator")
        } else {
            config()
        };
        let config = config
            .handshakes_max(PEERS)
            .handshakes_per_second(1_000_000)
            .handshake_timeout(Duration::from_mins(1));
        let listener = serve(Listener::bind("127.0.0.1:0", config).await.unwrap());
        let address = listener.local_addr().unwrap();
        let before = resident();
        let peers: Vec<_> =
            tokio::task::spawn_blocking(move || (0..PEERS).map(|_| come(address)).collect())
                .await
                .unwrap();
        soon("all of them to be in their handshake", async {
            while listener.usage().handshakes < PEERS {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        let each = resident().saturating_sub(before) / PEERS;
        eprintln!("one that {what}: {each} bytes");
        assert!(each <= most, "one that {what} costs {each} bytes");
        drop(peers);
        soon("all of them to be gone", async {
            while listener.usage().connections > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_have_gone_leave_nothing_behind() {
    let _alone = ALONE.lock().await;
    let authority = Authority::new();
    let listener = authority
        .config("coordinator")
        .handshakes_per_second(1_000_000)
        .reconnect(false);
    let listener = serve(Listener::bind("127.0.0.1:0", listener).await.unwrap());
    let address = listener.local_addr().unwrap();
    let rounds = async |count: usize| {
        for _ in 0..count {
            let _ = handover::net::dial(address, config()).await;
            let link = handover::net::dial(address, authority.config("worker")).await;
            link.unwrap().abort();
            let strange = tokio::task::spawn_blocking(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                let _ = stream.write_all(&[22; 10_000]);
                let _ = stream.read_to_end(&mut Vec::new());
            });
            strange.await.unwrap();
        }
    };
    soon("the first", rounds(100)).await;
    let before = resident();
    soon("the others", rounds(400)).await;
    let each = resident().saturating_sub(before) / 400;
    eprintln!("one that has gone: {each} bytes");
    assert!(each < 8 << 10, "each leaves {each} bytes");
}
