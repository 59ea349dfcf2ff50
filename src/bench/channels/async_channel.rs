//! smol's channel, for tasks, and for threads by blocking on it.

use async_channel::{Receiver, Sender, bounded};

use crate::bench::contender::{
    Blocking, BlockingFanOut, Contender, Message, PEER_GONE, Tasks, TasksFanOut,
};

/// `async_channel::bounded(CAPACITY)`, which refuses 0.
#[derive(Debug)]
pub struct AsyncChannel<const CAPACITY: usize>;

impl<const CAPACITY: usize> Contender for AsyncChannel<CAPACITY> {
    const NAME: &'static str = "async-channel";
    const CAPACITY: Option<usize> = Some(CAPACITY);
    const CRATE: &'static str = "async-channel";
}

impl<const CAPACITY: usize> Blocking for AsyncChannel<CAPACITY> {
    type Tx<M: Message> = Sender<M>;
    type Rx<M: Message> = Receiver<M>;
    fn pair<M: Message>() -> (Sender<M>, Receiver<M>) {
        bounded(CAPACITY)
    }
    fn send<M: Message>(tx: &Sender<M>, message: M) {
        assert!(tx.send_blocking(message).is_ok(), "{PEER_GONE}");
    }
    fn recv<M: Message>(rx: &mut Receiver<M>) -> M {
        rx.recv_blocking().expect(PEER_GONE)
    }
}

impl<const CAPACITY: usize> BlockingFanOut for AsyncChannel<CAPACITY> {
    fn another<M: Message>(rx: &Receiver<M>) -> Receiver<M> {
        rx.clone()
    }
}

impl<const CAPACITY: usize> Tasks for AsyncChannel<CAPACITY> {
    type Tx<M: Message> = Sender<M>;
    type Rx<M: Message> = Receiver<M>;
    fn pair<M: Message>() -> (Sender<M>, Receiver<M>) {
        bounded(CAPACITY)
    }
    async fn send<M: Message>(tx: &Sender<M>, message: M) {
        assert!(tx.send(message).await.is_ok(), "{PEER_GONE}");
    }
    async fn recv<M: Message>(rx: &mut Receiver<M>) -> M {
        rx.recv().await.expect(PEER_GONE)
    }
}

impl<const CAPACITY: usize> TasksFanOut for AsyncChannel<CAPACITY> {
    fn another<M: Message>(rx: &Receiver<M>) -> Receiver<M> {
        rx.clone()
    }
}
