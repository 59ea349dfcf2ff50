//! crossfire's channels, for threads and tasks: those with one receiver, and those with several.

use crossfire::{AsyncRx, MAsyncRx, MAsyncTx, MRx, MTx, Rx, mpmc, mpsc, select::Select};

use crate::bench::contender::{
    Blocking, BlockingFanOut, BlockingSelect, Contender, Message, PEER_GONE, Tasks, TasksFanOut,
};

/// `crossfire::mpsc::bounded_blocking(CAPACITY)` and `bounded_async(CAPACITY)`, which make 1 of 0.
#[derive(Debug)]
pub struct Crossfire<const CAPACITY: usize>;

/// The same of `crossfire::mpmc`, for several receivers.
#[derive(Debug)]
pub struct CrossfireShared<const CAPACITY: usize>;

/// Lets crossfire look at the machine, as its documentation advises for the beginning of a program.
pub fn prepare() {
    crossfire::detect_backoff_cfg();
}

impl<const CAPACITY: usize> Contender for Crossfire<CAPACITY> {
    const NAME: &'static str = "crossfire";
    const CAPACITY: Option<usize> = Some(CAPACITY);
    const CRATE: &'static str = "crossfire";
}

impl<const CAPACITY: usize> Contender for CrossfireShared<CAPACITY> {
    const NAME: &'static str = "crossfire";
    const CAPACITY: Option<usize> = Some(CAPACITY);
    const CRATE: &'static str = "crossfire";
}

impl<const CAPACITY: usize> Blocking for Crossfire<CAPACITY> {
    type Tx<M: Message> = MTx<mpsc::Array<M>>;
    type Rx<M: Message> = Rx<mpsc::Array<M>>;
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>) {
        mpsc::bounded_blocking(CAPACITY)
    }
    fn send<M: Message>(tx: &Self::Tx<M>, message: M) {
        assert!(tx.send(message).is_ok(), "{PEER_GONE}");
    }
    fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M {
        rx.recv().expect(PEER_GONE)
    }
}

impl<const CAPACITY: usize> Blocking for CrossfireShared<CAPACITY> {
    type Tx<M: Message> = MTx<mpmc::Array<M>>;
    type Rx<M: Message> = MRx<mpmc::Array<M>>;
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>) {
        mpmc::bounded_blocking(CAPACITY)
    }
    fn send<M: Message>(tx: &Self::Tx<M>, message: M) {
        assert!(tx.send(message).is_ok(), "{PEER_GONE}");
    }
    fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M {
        rx.recv().expect(PEER_GONE)
    }
}

impl<const CAPACITY: usize> BlockingFanOut for CrossfireShared<CAPACITY> {
    fn another<M: Message>(rx: &Self::Rx<M>) -> Self::Rx<M> {
        rx.clone()
    }
}

impl<const CAPACITY: usize> BlockingSelect for Crossfire<CAPACITY> {
    fn select_4<M: Message>(ends: &mut [Self::Rx<M>; 4], count: u64, each: impl FnMut(usize, M)) {
        select(ends, count, each);
    }
    fn select_16<M: Message>(ends: &mut [Self::Rx<M>; 16], count: u64, each: impl FnMut(usize, M)) {
        select(ends, count, each);
    }
}

/// A select is made once and waits as often as needed.
fn select<M: Message>(ends: &[Rx<mpsc::Array<M>>], count: u64, mut each: impl FnMut(usize, M)) {
    let mut select = Select::new();
    for end in ends {
        select.add(end);
    }
    for _ in 0..count {
        let met = select.select().expect(PEER_GONE);
        let Some(index) = ends.iter().position(|end| met.is_from(end)) else {
            unreachable!("only these were added")
        };
        each(index, ends[index].read_select(met).expect(PEER_GONE));
    }
}

impl<const CAPACITY: usize> Tasks for Crossfire<CAPACITY> {
    type Tx<M: Message> = MAsyncTx<mpsc::Array<M>>;
    type Rx<M: Message> = AsyncRx<mpsc::Array<M>>;
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>) {
        mpsc::bounded_async(CAPACITY)
    }
    async fn send<M: Message>(tx: &Self::Tx<M>, message: M) {
        assert!(tx.send(message).await.is_ok(), "{PEER_GONE}");
    }
    async fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M {
        rx.recv().await.expect(PEER_GONE)
    }
}

impl<const CAPACITY: usize> Tasks for CrossfireShared<CAPACITY> {
    type Tx<M: Message> = MAsyncTx<mpmc::Array<M>>;
    type Rx<M: Message> = MAsyncRx<mpmc::Array<M>>;
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>) {
        mpmc::bounded_async(CAPACITY)
    }
    async fn send<M: Message>(tx: &Self::Tx<M>, message: M) {
        assert!(tx.send(message).await.is_ok(), "{PEER_GONE}");
    }
    async fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M {
        rx.recv().await.expect(PEER_GONE)
    }
}

impl<const CAPACITY: usize> TasksFanOut for CrossfireShared<CAPACITY> {
    fn another<M: Message>(rx: &Self::Rx<M>) -> Self::Rx<M> {
        rx.clone()
    }
}
