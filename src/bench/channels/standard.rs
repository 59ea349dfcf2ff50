//! The standard library's channel, for threads.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::bench::contender::{Blocking, Contender, Message, PEER_GONE};

/// `std::sync::mpsc::sync_channel(CAPACITY)`.
#[derive(Debug)]
pub struct Std<const CAPACITY: usize>;

impl<const CAPACITY: usize> Contender for Std<CAPACITY> {
    const NAME: &'static str = "std";
    const CAPACITY: Option<usize> = Some(CAPACITY);
    const CRATE: &'static str = "std";
}

impl<const CAPACITY: usize> Blocking for Std<CAPACITY> {
    type Tx<M: Message> = SyncSender<M>;
    type Rx<M: Message> = Receiver<M>;
    fn pair<M: Message>() -> (SyncSender<M>, Receiver<M>) {
        sync_channel(CAPACITY)
    }
    fn send<M: Message>(tx: &SyncSender<M>, message: M) {
        tx.send(message).expect(PEER_GONE);
    }
    fn recv<M: Message>(rx: &mut Receiver<M>) -> M {
        rx.recv().expect(PEER_GONE)
    }
}
