//! flume's channel, for threads and tasks.

use flume::{Receiver, Selector, Sender, bounded};

use crate::bench::contender::{
    Blocking, BlockingFanOut, BlockingSelect, Contender, Message, PEER_GONE, Tasks, TasksFanOut,
};

/// `flume::bounded(CAPACITY)`.
#[derive(Debug)]
pub struct Flume<const CAPACITY: usize>;

impl<const CAPACITY: usize> Contender for Flume<CAPACITY> {
    const NAME: &'static str = "flume";
    const CAPACITY: Option<usize> = Some(CAPACITY);
    const CRATE: &'static str = "flume";
}

impl<const CAPACITY: usize> Blocking for Flume<CAPACITY> {
    type Tx<M: Message> = Sender<M>;
    type Rx<M: Message> = Receiver<M>;
    fn pair<M: Message>() -> (Sender<M>, Receiver<M>) {
        bounded(CAPACITY)
    }
    fn send<M: Message>(tx: &Sender<M>, message: M) {
        tx.send(message).expect(PEER_GONE);
    }
    fn recv<M: Message>(rx: &mut Receiver<M>) -> M {
        rx.recv().expect(PEER_GONE)
    }
}

impl<const CAPACITY: usize> BlockingFanOut for Flume<CAPACITY> {
    fn another<M: Message>(rx: &Receiver<M>) -> Receiver<M> {
        rx.clone()
    }
}

impl<const CAPACITY: usize> BlockingSelect for Flume<CAPACITY> {
    fn select_4<M: Message>(ends: &mut [Receiver<M>; 4], count: u64, each: impl FnMut(usize, M)) {
        select(ends, count, each);
    }
    fn select_16<M: Message>(ends: &mut [Receiver<M>; 16], count: u64, each: impl FnMut(usize, M)) {
        select(ends, count, each);
    }
}

/// A selector is used up by one wait, so that each wait makes a new one.
fn select<M: Message>(ends: &[Receiver<M>], count: u64, mut each: impl FnMut(usize, M)) {
    for _ in 0..count {
        let mut selector = Selector::new();
        for (index, end) in ends.iter().enumerate() {
            selector = selector.recv(end, move |message| (index, message));
        }
        let (index, message) = selector.wait();
        each(index, message.expect(PEER_GONE));
    }
}

impl<const CAPACITY: usize> Tasks for Flume<CAPACITY> {
    type Tx<M: Message> = Sender<M>;
    type Rx<M: Message> = Receiver<M>;
    fn pair<M: Message>() -> (Sender<M>, Receiver<M>) {
        bounded(CAPACITY)
    }
    async fn send<M: Message>(tx: &Sender<M>, message: M) {
        tx.send_async(message).await.expect(PEER_GONE);
    }
    async fn recv<M: Message>(rx: &mut Receiver<M>) -> M {
        rx.recv_async().await.expect(PEER_GONE)
    }
}

impl<const CAPACITY: usize> TasksFanOut for Flume<CAPACITY> {
    fn another<M: Message>(rx: &Receiver<M>) -> Receiver<M> {
        rx.clone()
    }
}
