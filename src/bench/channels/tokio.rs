//! tokio's channel, for tasks, and for threads by blocking on it.

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::bench::contender::{Blocking, Contender, Message, PEER_GONE, Tasks};

/// `tokio::sync::mpsc::channel(CAPACITY)`, which refuses 0.
#[derive(Debug)]
pub struct Tokio<const CAPACITY: usize>;

impl<const CAPACITY: usize> Contender for Tokio<CAPACITY> {
    const NAME: &'static str = "tokio";
    const CAPACITY: Option<usize> = Some(CAPACITY);
    const CRATE: &'static str = "tokio";
}

impl<const CAPACITY: usize> Blocking for Tokio<CAPACITY> {
    type Tx<M: Message> = Sender<M>;
    type Rx<M: Message> = Receiver<M>;
    fn pair<M: Message>() -> (Sender<M>, Receiver<M>) {
        channel(CAPACITY)
    }
    fn send<M: Message>(tx: &Sender<M>, message: M) {
        assert!(tx.blocking_send(message).is_ok(), "{PEER_GONE}");
    }
    fn recv<M: Message>(rx: &mut Receiver<M>) -> M {
        rx.blocking_recv().expect(PEER_GONE)
    }
}

impl<const CAPACITY: usize> Tasks for Tokio<CAPACITY> {
    type Tx<M: Message> = Sender<M>;
    type Rx<M: Message> = Receiver<M>;
    fn pair<M: Message>() -> (Sender<M>, Receiver<M>) {
        channel(CAPACITY)
    }
    async fn send<M: Message>(tx: &Sender<M>, message: M) {
        assert!(tx.send(message).await.is_ok(), "{PEER_GONE}");
    }
    async fn recv<M: Message>(rx: &mut Receiver<M>) -> M {
        rx.recv().await.expect(PEER_GONE)
    }
}
