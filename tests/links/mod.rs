//! What the tests of links share: two linked ends, a peer made of bytes, and waits that end.
#![allow(dead_code, clippy::unwrap_used, clippy::similar_names)]

use std::{future::Future, net::SocketAddr, time::Duration};

use bytes::Bytes;
use handover::{
    channel::{Receiver, Sender},
    net::{self, Config, Link, Listener},
    wire::{self, Frame, FrameType},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The longest that any wait of these tests may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited too long for {what}"))
}

pub fn config() -> Config {
    Config::default().close_timeout(Duration::from_secs(2))
}

pub async fn listen(config: Config) -> (Listener, SocketAddr) {
    let listener = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The two handles of one link: the dialer's and the listener's.
pub async fn pair_of(dialer: Config, accepter: Config) -> (Link, Link) {
    let (listener, address) = listen(accepter).await;
    let accept = async { listener.accept().await.unwrap().handshake().await.unwrap() };
    let both = async { tokio::join!(net::dial(address, dialer), accept) };
    let (dialed, accepted) = soon("the handshake", both).await;
    (dialed.unwrap(), accepted)
}

pub async fn pair() -> (Link, Link) {
    pair_of(config(), config()).await
}

/// Both ends of one channel across a link.
pub fn channel_over(from: &Link, to: &Link, name: &str) -> (Sender<Bytes>, Receiver<Bytes>) {
    (from.sender(name).unwrap(), to.receiver(name).unwrap())
}

/// Waits until all that was written was read, both ways, and the counters have stood still through many turns
/// of both drivers.
pub async fn settle(a: &Link, b: &Link) {
    soon("the link to be quiet", async {
        let mut quiet = 0;
        let mut last = (a.counters(), b.counters());
        while quiet < 20 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let now = (a.counters(), b.counters());
            let level =
                now.0.bytes_written == now.1.bytes_read && now.1.bytes_written == now.0.bytes_read;
            quiet = if level && now == last { quiet + 1 } else { 0 };
            last = now;
        }
    })
    .await;
}

/// Polls a future once.
pub async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    futures_util::poll!(future).is_pending()
}

pub fn preamble(newest: u8, oldest: u8) -> Vec<u8> {
    let mut bytes = wire::MAGIC.to_vec();
    bytes.extend([newest, oldest]);
    bytes
}

/// A peer made of bytes: it speaks the frames, and does what a test says.
pub struct Puppet {
    stream: TcpStream,
    input: Vec<u8>,
    /// How many bytes of the link it has looked at.
    pub heard: u64,
}

impl Puppet {
    async fn dial(address: SocketAddr) -> Self {
        let mut puppet = Self {
            stream: TcpStream::connect(address).await.unwrap(),
            input: Vec::new(),
            heard: wire::PREAMBLE_BYTES as u64,
        };
        let hello = wire::Hello {
            session: 1,
            incarnation: 2,
            epoch: 1,
            lease_ms: 30_000,
            message_bytes: 1 << 24,
            channels: 16,
            name: "puppet",
            token: b"",
        };
        let mut bytes = preamble(wire::VERSION, wire::VERSION_MIN);
        Frame::Hello(hello).encode(&mut bytes);
        puppet.stream.write_all(&bytes).await.unwrap();
        puppet
            .wait_for(|bytes| bytes.len() >= wire::PREAMBLE_BYTES)
            .await;
        puppet.input.drain(..wire::PREAMBLE_BYTES);
        puppet
    }

    async fn wait_for(&mut self, enough: impl Fn(&[u8]) -> bool) {
        soon("bytes", async {
            while !enough(&self.input) {
                let mut bytes = vec![0; 4096];
                let count = self.stream.read(&mut bytes).await.unwrap();
                assert_ne!(count, 0, "the link ended the connection");
                self.input.extend_from_slice(&bytes[..count]);
            }
        })
        .await;
    }

    pub async fn say(&mut self, frame: Frame<'_>) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// The bytes of the next frame that is of the type wanted.
    pub async fn expect(&mut self, wanted: FrameType) -> Vec<u8> {
        loop {
            self.wait_for(|bytes| Frame::decode(bytes).unwrap().is_some())
                .await;
            let (frame, length) = Frame::decode(&self.input).unwrap().unwrap();
            let found = frame.frame_type() == wanted;
            self.heard += length as u64;
            let bytes = self.input.drain(..length).collect();
            if found {
                return bytes;
            }
        }
    }

    /// The process is gone: the kernel resets the connection.
    pub fn kill(self) {
        socket2::SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
}

pub async fn link_and_puppet() -> (Link, Puppet) {
    link_and_puppet_of(config().reconnect(false)).await
}

pub async fn link_and_puppet_of(config: Config) -> (Link, Puppet) {
    let (listener, address) = listen(config).await;
    let accept = async { listener.accept().await.unwrap().handshake().await.unwrap() };
    soon("the handshake", async {
        tokio::join!(accept, Puppet::dial(address))
    })
    .await
}
