//! The pumps: one future a local end, which moves messages between it and the wire, one at a time.
//!
//! What a pump waits for on the wire wakes nobody by itself: the driver marks the pump when it may have come,
//! and polls it. So those waits below look at the link's state and use no waker.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use bytes::Bytes;

use super::{core::Verdict, shared::Shared};
use crate::{
    channel::{Held, Receiver, SendError, Sender},
    wire::Settlement,
};

/// Takes messages from `source` when the peer waits for one, and sends them.
pub(super) async fn outbound(shared: Arc<Shared>, key: u16, source: Receiver<Bytes>) {
    let port = OpenPort { shared, key };
    let shared = &port.shared;
    loop {
        let credit = poll_fn(|_| shared.credit(key));
        match first(credit, source.closed_async()).await {
            First::Left(true) => {}
            First::Left(false) | First::Right(()) => return,
        }
        let shut = poll_fn(|_| ready_if(shared.is_shut(key)));
        let held = match first(shut, source.recv_held_async()).await {
            First::Right(Ok(held)) => held,
            First::Left(()) | First::Right(Err(_)) => return,
        };
        // One that is too long, or came too late, goes back to its sender when the token is dropped.
        if let Ok(Some(sequence)) = shared.send(key, (*held).clone()) {
            let hand = Hand {
                shared,
                key,
                sequence,
                held: Some(held),
            };
            poll_fn(|_| ready_if(shared.settled(key, sequence).is_some())).await;
            drop(hand);
        }
    }
}

/// Grants the peer a message when a local receiver waits for one, and hands it over.
pub(super) async fn inbound(shared: Arc<Shared>, key: u16, target: Sender<Bytes>) {
    let port = OpenPort { shared, key };
    let shared = &port.shared;
    loop {
        let over = poll_fn(|_| ready_if(shared.is_over(key)));
        match first(over, target.ready_async()).await {
            First::Right(Ok(())) => {}
            First::Left(()) | First::Right(Err(_)) => return,
        }
        let arrived = poll_fn(|_| shared.arrived(key));
        let (sequence, message) = match first(arrived, target.closed_async()).await {
            First::Left(Some(arrived)) => arrived,
            First::Left(None) | First::Right(()) => return,
        };
        let Some(settlement) = hand_over(shared, &target, message).await else {
            return;
        };
        shared.settle(key, sequence, settlement);
    }
}

/// Offers `message` to the local receivers until it is known what became of it. `None` says that nobody took
/// it, and nobody will.
async fn hand_over(shared: &Shared, target: &Sender<Bytes>, message: Bytes) -> Option<Settlement> {
    let mut send = pin!(target.send_async(message));
    let parting = poll_fn(|_| ready_if(shared.is_parting()));
    match first(send.as_mut(), parting).await {
        First::Left(Ok(())) => Some(Settlement::Taken),
        First::Left(Err(SendError::Disconnected(_) | SendError::Poisoned(..))) => None,
        First::Left(Err(SendError::InDoubt(_))) => Some(Settlement::InDoubt),
        First::Left(Err(SendError::Returned(_))) => Some(Settlement::Returned),
        First::Right(()) => match send.withdraw() {
            Some(_) => None,
            // Some process has it in custody, and this link will not be there to hear what it does with it.
            None => Some(Settlement::InDoubt),
        },
    }
}

/// Closes the port when its pump ends, however it does.
struct OpenPort {
    shared: Arc<Shared>,
    key: u16,
}

impl Drop for OpenPort {
    fn drop(&mut self) {
        self.shared.close_port(self.key);
    }
}

/// A message on its way to the peer. Dropped, it tells the sender what became of it: so that is told also if
/// the link, or its whole runtime, ends first.
struct Hand<'a> {
    shared: &'a Shared,
    key: u16,
    sequence: u64,
    held: Option<Held<Bytes>>,
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else {
            return;
        };
        // A sender that has gone has given its message up, so what comes back here has no owner.
        match self.shared.verdict(self.key, self.sequence) {
            Verdict::Taken => drop(held.release()),
            Verdict::NotTaken => drop(held.hand_back()),
            Verdict::InDoubt => drop(held.in_doubt()),
        }
    }
}

/// Which of two futures was first.
enum First<A, B> {
    Left(A),
    Right(B),
}

/// Waits for either; if both are ready, the left one counts. Not `tokio::select!`, which may ask to be polled
/// again without having looked, for the sake of a task's budget; a pump is not a task.
async fn first<A, B>(left: impl Future<Output = A>, right: impl Future<Output = B>) -> First<A, B> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|context| {
        if let Poll::Ready(value) = left.as_mut().poll(context) {
            return Poll::Ready(First::Left(value));
        }
        right.as_mut().poll(context).map(First::Right)
    })
    .await
}

fn ready_if(condition: bool) -> Poll<()> {
    if condition {
        Poll::Ready(())
    } else {
        Poll::Pending
    }
}
