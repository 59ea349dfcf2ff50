//! Sending to several at once, done when all have taken: a wait for *all*, which the wait-for graph knows as such.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::out::Out;
use crate::channel::{SendError, SendFuture};

/// Hands a copy of `message` over on each of `ports`, all at the same time. Each receiver gets its copy as soon as it
/// takes it; the future resolves when none is left.
///
/// Where several operations are awaited by `join!` and its kin, a network does not know that all of them are needed, and
/// calls it a deadlock only once nobody can release any. Here it does: a single receiver that can never take is enough.
/// Allocates once for each port.
///
/// ```
/// use handover::process::{In, Network, Out, send_to_all};
///
/// let mut net = Network::new("news");
/// let (ports, readers): (Vec<_>, Vec<_>) = (0..3).map(|n| net.channel::<u32>(&n.to_string())).unzip();
/// net.process("press", ports, async |ports: &Vec<Out<u32>>| {
///     send_to_all(ports, 7).await?;
///     Ok(())
/// });
/// for (n, reader) in readers.into_iter().enumerate() {
///     net.process(format!("reader {n}"), reader, async |news: &In<u32>| {
///         assert_eq!(news.recv().await?, 7);
///         Ok(())
///     });
/// }
/// net.run()?;
/// # Ok::<(), handover::process::RunError>(())
/// ```
///
/// # Errors
///
/// [`SendToAllError`], after every other receiver has taken its copy, with the copies that were not taken.
///
/// # Cancel safety
///
/// Dropped before it has resolved, it withdraws the copies that were not taken, and drops them.
#[track_caller]
pub fn send_to_all<'a, T: Clone>(
    ports: impl IntoIterator<Item = &'a Out<T>>,
    message: T,
) -> SendToAll<'a, T> {
    let ports = ports.into_iter();
    let mut under_way = Vec::with_capacity(ports.size_hint().0);
    for (at, port) in ports.enumerate() {
        let send = port.end.send_one_of_all(message.clone());
        under_way.push((at, Box::pin(send)));
    }
    SendToAll {
        under_way,
        failed: Vec::new(),
    }
}

/// A send to several under way; see [`send_to_all`].
#[must_use = "a future sends nothing unless it is polled"]
pub struct SendToAll<'a, T> {
    under_way: Vec<(usize, Pin<Box<SendFuture<'a, T>>>)>,
    failed: Vec<(usize, SendError<T>)>,
}

// What is pinned is in boxes of its own.
impl<T> Unpin for SendToAll<'_, T> {}

impl<T> Future for SendToAll<'_, T> {
    type Output = Result<(), SendToAllError<T>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { under_way, failed } = &mut *self;
        under_way.retain_mut(|(at, send)| match send.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(Ok(())) => false,
            Poll::Ready(Err(error)) => {
                failed.push((*at, error));
                false
            }
        });
        if !under_way.is_empty() {
            return Poll::Pending;
        }
        let mut failed = std::mem::take(failed);
        failed.sort_unstable_by_key(|(at, _)| *at);
        Poll::Ready(if failed.is_empty() {
            Ok(())
        } else {
            Err(SendToAllError { failed })
        })
    }
}

impl<T> fmt::Debug for SendToAll<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendToAll")
            .field("under_way", &self.under_way.len())
            .finish_non_exhaustive()
    }
}

/// Some receivers did not take their copy of a message that was sent to all; the others did.
#[derive(thiserror::Error)]
#[error("{} of the receivers did not take the message; the first of them: {}", failed.len(), failed[0].1)]
pub struct SendToAllError<T> {
    /// The places of their ports, in order, and why, with the copy. There is one at least.
    pub failed: Vec<(usize, SendError<T>)>,
}

impl<T> fmt::Debug for SendToAllError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
