//! This crate's channel.

use crate::{
    Receiver, Sender,
    bench::contender::{
        Blocking, BlockingFanOut, BlockingSelect, Contender, Message, PEER_GONE, Tasks, TasksFanOut,
    },
};

/// `handover::channel()`.
#[derive(Debug)]
pub struct Handover;

impl Contender for Handover {
    const NAME: &'static str = "handover";
    const CAPACITY: Option<usize> = None;
    const CRATE: &'static str = "handover";
}

impl Blocking for Handover {
    type Tx<M: Message> = Sender<M>;
    type Rx<M: Message> = Receiver<M>;
    fn pair<M: Message>() -> (Sender<M>, Receiver<M>) {
        crate::channel()
    }
    fn send<M: Message>(tx: &Sender<M>, message: M) {
        tx.send(message).expect(PEER_GONE);
    }
    fn recv<M: Message>(rx: &mut Receiver<M>) -> M {
        rx.recv().expect(PEER_GONE)
    }
}

impl BlockingFanOut for Handover {
    fn another<M: Message>(rx: &Receiver<M>) -> Receiver<M> {
        rx.clone()
    }
}

impl Tasks for Handover {
    type Tx<M: Message> = Sender<M>;
    type Rx<M: Message> = Receiver<M>;
    fn pair<M: Message>() -> (Sender<M>, Receiver<M>) {
        crate::channel()
    }
    async fn send<M: Message>(tx: &Sender<M>, message: M) {
        tx.send_async(message).await.expect(PEER_GONE);
    }
    async fn recv<M: Message>(rx: &mut Receiver<M>) -> M {
        rx.recv_async().await.expect(PEER_GONE)
    }

    async fn select_4<M: Message>(
        ends: &mut [Receiver<M>; 4],
        count: u64,
        mut each: impl FnMut(usize, M) + Send,
    ) {
        let [a, b, c, d] = ends;
        for _ in 0..count {
            let (index, message) = crate::select_async! {
                recv(a) -> message => (0, message),
                recv(b) -> message => (1, message),
                recv(c) -> message => (2, message),
                recv(d) -> message => (3, message),
            };
            each(index, message.expect(PEER_GONE));
        }
    }

    #[expect(
        clippy::many_single_char_names,
        reason = "one for each of sixteen that are alike"
    )]
    async fn select_16<M: Message>(
        ends: &mut [Receiver<M>; 16],
        count: u64,
        mut each: impl FnMut(usize, M) + Send,
    ) {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = ends;
        for _ in 0..count {
            let (index, message) = crate::select_async! {
                recv(a) -> message => (0, message),
                recv(b) -> message => (1, message),
                recv(c) -> message => (2, message),
                recv(d) -> message => (3, message),
                recv(e) -> message => (4, message),
                recv(f) -> message => (5, message),
                recv(g) -> message => (6, message),
                recv(h) -> message => (7, message),
                recv(i) -> message => (8, message),
                recv(j) -> message => (9, message),
                recv(k) -> message => (10, message),
                recv(l) -> message => (11, message),
                recv(m) -> message => (12, message),
                recv(n) -> message => (13, message),
                recv(o) -> message => (14, message),
                recv(p) -> message => (15, message),
            };
            each(index, message.expect(PEER_GONE));
        }
    }
}

impl TasksFanOut for Handover {
    fn another<M: Message>(rx: &Receiver<M>) -> Receiver<M> {
        rx.clone()
    }
}

impl BlockingSelect for Handover {
    fn select_4<M: Message>(
        ends: &mut [Receiver<M>; 4],
        count: u64,
        mut each: impl FnMut(usize, M),
    ) {
        let [a, b, c, d] = ends;
        for _ in 0..count {
            let (index, message) = crate::select! {
                recv(a) -> message => (0, message),
                recv(b) -> message => (1, message),
                recv(c) -> message => (2, message),
                recv(d) -> message => (3, message),
            };
            each(index, message.expect(PEER_GONE));
        }
    }

    #[expect(
        clippy::many_single_char_names,
        reason = "one for each of sixteen that are alike"
    )]
    fn select_16<M: Message>(
        ends: &mut [Receiver<M>; 16],
        count: u64,
        mut each: impl FnMut(usize, M),
    ) {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = ends;
        for _ in 0..count {
            let (index, message) = crate::select! {
                recv(a) -> message => (0, message),
                recv(b) -> message => (1, message),
                recv(c) -> message => (2, message),
                recv(d) -> message => (3, message),
                recv(e) -> message => (4, message),
                recv(f) -> message => (5, message),
                recv(g) -> message => (6, message),
                recv(h) -> message => (7, message),
                recv(i) -> message => (8, message),
                recv(j) -> message => (9, message),
                recv(k) -> message => (10, message),
                recv(l) -> message => (11, message),
                recv(m) -> message => (12, message),
                recv(n) -> message => (13, message),
                recv(o) -> message => (14, message),
                recv(p) -> message => (15, message),
            };
            each(index, message.expect(PEER_GONE));
        }
    }
}
