//! Messages both ways between two ends of a link, and the ledger of what became of each.

use std::{net::SocketAddr, panic::AssertUnwindSafe, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use handover::{
    channel::{Receiver, Sender},
    net::{self, Code, Config, Goodbye, Link, LinkEnd, Listener, NetError},
};
use tokio::sync::mpsc;

use super::proxy::{Plan, Proxy, Way};

/// The longest that one conversation may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long the messages are.
#[derive(Debug, Clone, Copy)]
pub enum Sizes {
    Small,
    /// Of several chunks.
    Long,
}

impl Sizes {
    fn lengths(self) -> &'static [usize] {
        match self {
            Self::Small => &[5, 0, 150, 1],
            Self::Long => &[150_000, 3],
        }
    }
}

/// A message that tells which it is.
fn message(channel: &str, number: usize, length: usize) -> Bytes {
    let salt = channel.len() + number * 31;
    (0..length)
        .map(|at| u8::try_from((at + salt) % 251).unwrap())
        .collect()
}

#[derive(Debug, Clone, Copy)]
pub struct Conversation {
    sizes: Sizes,
    lease: Duration,
}

impl Conversation {
    pub fn new(sizes: Sizes, lease: Duration) -> Self {
        Self { sizes, lease }
    }

    fn config(self) -> Config {
        Config::default()
            .lease(self.lease)
            .handshake_timeout(self.lease / 4)
            .close_timeout(Duration::from_secs(2))
    }

    /// How many bytes it is, to the listener and to the dialer.
    pub async fn undisturbed(self) -> [u64; 2] {
        let proxy = self.take_place(Vec::new()).await;
        assert_eq!((proxy.connections(), proxy.faults()), (1, 0));
        [proxy.carried(Way::ToListener), proxy.carried(Way::ToDialer)]
    }

    /// Each message is taken once, in order, and its sender hears it, whatever becomes of the connections. Returns how
    /// many were broken.
    pub async fn survives(self, plans: Vec<Plan>) -> usize {
        let what = format!("{plans:?}");
        let place = AssertUnwindSafe(self.take_place(plans)).catch_unwind();
        let proxy = match tokio::time::timeout(PATIENCE, place).await {
            Ok(Ok(proxy)) => proxy,
            Ok(Err(_)) => panic!("it went wrong: {what}"),
            Err(late) => panic!("it did not come to an end, {late}: {what}"),
        };
        proxy.faults()
    }

    async fn take_place(self, plans: Vec<Plan>) -> Proxy {
        let listener = Listener::bind("127.0.0.1:0", self.config()).await.unwrap();
        let target = listener.local_addr().unwrap();
        let proxy = Proxy::to(target, plans).await;
        let (accepted, mut links) = mpsc::channel(1);
        let accepting = tokio::spawn(accept(listener, accepted));
        let dialed = self.dial(proxy.address).await;
        let session = dialed.peer().session;
        let far = loop {
            let link: Link = links.recv().await.unwrap();
            // Where a handshake broke off at its end, only this side thinks that there is a link.
            if link.peer().session == session {
                break link;
            }
        };
        let near = End::of(&dialed, "forth", "back");
        let far_end = End::of(&far, "back", "forth");
        tokio::join!(near.talk(self.sizes), far_end.talk(self.sizes));
        let goodbye = Goodbye::new(Code::Done, "");
        tokio::join!(dialed.close(goodbye), far.closed());
        assert!(matches!(dialed.closed().await, LinkEnd::Closed(_)));
        accepting.abort();
        proxy
    }

    async fn dial(self, address: SocketAddr) -> Link {
        loop {
            match net::dial(address, self.config()).await {
                Ok(link) => return link,
                Err(
                    NetError::Io(_)
                    | NetError::Hangup
                    | NetError::Timeout(_)
                    | NetError::Refused(_),
                ) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
}

async fn accept(listener: Listener, accepted: mpsc::Sender<Link>) {
    loop {
        let incoming = listener.accept().await.unwrap();
        let accepted = accepted.clone();
        tokio::spawn(async move {
            if let Ok(link) = incoming.handshake().await {
                let _ = accepted.send(link).await;
            }
        });
    }
}

/// What one side does.
struct End {
    link: Link,
    sends: (&'static str, Sender<Bytes>),
    receives: (&'static str, Receiver<Bytes>),
}

impl End {
    fn of(link: &Link, sends: &'static str, receives: &'static str) -> Self {
        Self {
            link: link.clone(),
            sends: (sends, link.sender(sends).unwrap()),
            receives: (receives, link.receiver(receives).unwrap()),
        }
    }

    async fn talk(self, sizes: Sizes) {
        let sending = async {
            let (name, sender) = self.sends;
            for (number, length) in sizes.lengths().iter().enumerate() {
                let sent = sender.send_async(message(name, number, *length)).await;
                if let Err(error) = sent {
                    let why = self.link.closed().await;
                    panic!("{name} {number}: {error}: {why}");
                }
            }
        };
        let receiving = async {
            let (name, receiver) = self.receives;
            for (number, length) in sizes.lengths().iter().enumerate() {
                let taken = receiver.recv_async().await;
                let Ok(taken) = taken else {
                    let why = self.link.closed().await;
                    panic!("{name} {number}: {taken:?}: {why}");
                };
                assert!(taken == message(name, number, *length), "{name} {number}");
            }
            // Nothing comes twice: the next is the end.
            let end = receiver.recv_async().await;
            assert!(end.is_err(), "{name}: {end:?}");
        };
        tokio::join!(sending, receiving);
    }
}
