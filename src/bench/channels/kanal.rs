//! kanal's channels, for threads and for tasks.

use std::{
    array,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

use kanal::{AsyncReceiver, AsyncSender, ReceiveFuture, Receiver, Sender, bounded, bounded_async};

use crate::bench::contender::{
    Blocking, BlockingFanOut, Contender, Message, PEER_GONE, Tasks, TasksFanOut,
};

/// `kanal::bounded(CAPACITY)` for threads, `kanal::bounded_async(CAPACITY)` for tasks.
#[derive(Debug)]
pub struct Kanal<const CAPACITY: usize>;

impl<const CAPACITY: usize> Contender for Kanal<CAPACITY> {
    const NAME: &'static str = "kanal";
    const CAPACITY: Option<usize> = Some(CAPACITY);
    const CRATE: &'static str = "kanal";
}

impl<const CAPACITY: usize> Blocking for Kanal<CAPACITY> {
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

impl<const CAPACITY: usize> BlockingFanOut for Kanal<CAPACITY> {
    fn another<M: Message>(rx: &Receiver<M>) -> Receiver<M> {
        rx.clone()
    }
}

impl<const CAPACITY: usize> Tasks for Kanal<CAPACITY> {
    type Tx<M: Message> = AsyncSender<M>;
    type Rx<M: Message> = AsyncReceiver<M>;
    fn pair<M: Message>() -> (AsyncSender<M>, AsyncReceiver<M>) {
        bounded_async(CAPACITY)
    }
    async fn send<M: Message>(tx: &AsyncSender<M>, message: M) {
        tx.send(message).await.expect(PEER_GONE);
    }
    async fn recv<M: Message>(rx: &mut AsyncReceiver<M>) -> M {
        rx.recv().await.expect(PEER_GONE)
    }

    async fn select_4<M: Message>(
        ends: &mut [AsyncReceiver<M>; 4],
        count: u64,
        each: impl FnMut(usize, M) + Send,
    ) {
        select(ends, count, each).await;
    }
    async fn select_16<M: Message>(
        ends: &mut [AsyncReceiver<M>; 16],
        count: u64,
        each: impl FnMut(usize, M) + Send,
    ) {
        select(ends, count, each).await;
    }
}

/// With `tokio::select!` over fresh futures the count would never be reached: a message that was written into a
/// receive future is lost with it when another guard meets (see the test). So the futures stay from one wait to
/// the next.
async fn select<M: Message, const N: usize>(
    ends: &[AsyncReceiver<M>; N],
    count: u64,
    mut each: impl FnMut(usize, M) + Send,
) {
    let mut waits: [Pin<Box<ReceiveFuture<'_, M>>>; N] =
        array::from_fn(|at| Box::pin(ends[at].recv()));
    let mut first = 0;
    for _ in 0..count {
        let (index, message) = poll_fn(|context| any(&mut waits, first, context)).await;
        waits[index].set(ends[index].recv());
        // The next in the circle is looked at first, so that no channel is starved.
        first = (index + 1) % N;
        each(index, message);
    }
}

fn any<M: Message>(
    waits: &mut [Pin<Box<ReceiveFuture<'_, M>>>],
    first: usize,
    context: &mut Context<'_>,
) -> Poll<(usize, M)> {
    for index in (first..waits.len()).chain(0..first) {
        if let Poll::Ready(message) = waits[index].as_mut().poll(context) {
            return Poll::Ready((index, message.expect(PEER_GONE)));
        }
    }
    Poll::Pending
}

impl<const CAPACITY: usize> TasksFanOut for Kanal<CAPACITY> {
    fn another<M: Message>(rx: &AsyncReceiver<M>) -> AsyncReceiver<M> {
        rx.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this fails, kanal has changed, and `tokio::select!` can do for it what it does for the others.
    #[test]
    fn a_receive_future_that_is_dropped_takes_its_message_along() {
        for capacity in [0, 64] {
            let (tx, rx) = bounded_async::<u64>(capacity);
            let mut context = Context::from_waker(std::task::Waker::noop());
            let mut receive = Box::pin(rx.recv());
            assert!(receive.as_mut().poll(&mut context).is_pending());
            let mut send = Box::pin(tx.send(7));
            assert!(matches!(
                send.as_mut().poll(&mut context),
                Poll::Ready(Ok(()))
            ));
            drop(receive);
            let mut again = Box::pin(rx.recv());
            assert!(again.as_mut().poll(&mut context).is_pending(), "{capacity}");
        }
    }
}
