//! A channel's ends as iterators, as a `Stream` and as a `Sink`.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;

use super::{Receiver, Sender, error::SendError, waiter::Waiter};
use crate::sync::run_is_over;

/// Takes messages until every sender is gone or the channel is poisoned; each `next` blocks. See [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    pub(super) receiver: &'a Receiver<T>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

/// Takes messages until no sender is waiting; never blocks. See [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T> {
    pub(super) receiver: &'a Receiver<T>,
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

/// Takes messages until every sender is gone or the channel is poisoned; each `next` blocks. See [`Receiver::into_iter`].
#[derive(Debug)]
pub struct IntoIter<T> {
    pub(super) receiver: Receiver<T>,
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// A receiver as a [`Stream`]; see [`Receiver::into_stream`].
///
/// # Cancel safety
///
/// Between two items nothing is taken that was not returned. A stream that was polled and is then neither
/// polled nor dropped counts as a waiting receiver, and a sender may wait for it.
pub struct RecvStream<T> {
    receiver: Receiver<T>,
    waiter: Pin<Box<Waiter<T>>>,
    ended: bool,
}

impl<T> RecvStream<T> {
    pub(super) fn new(receiver: Receiver<T>) -> Self {
        Self {
            receiver,
            waiter: Box::pin(Waiter::empty()),
            ended: false,
        }
    }
}

impl<T> Stream for RecvStream<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let waiter = this.waiter.as_ref();
        let received = ready!(this.receiver.core.poll_recv(waiter, context));
        waiter.begin_anew();
        this.ended = received.is_err();
        Poll::Ready(received.ok())
    }
}

impl<T> FusedStream for RecvStream<T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T> Drop for RecvStream<T> {
    fn drop(&mut self) {
        self.receiver.core.cancel_recv(self.waiter.as_ref());
    }
}

impl<T> fmt::Debug for RecvStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvStream").finish_non_exhaustive()
    }
}

/// A sender as a [`Sink`]; see [`Sender::into_sink`].
///
/// The sink holds one message in its hand: `start_send` puts it there, and `poll_ready`, `poll_flush` and
/// `poll_close` are the hand-over, each done only when a receiver has taken the message.
///
/// # Cancel safety
///
/// A message in the sink's hand that was not taken comes back in the error, or by
/// [`take_back`](Self::take_back); dropping the sink drops it.
pub struct SendSink<T> {
    sender: Sender<T>,
    waiter: Pin<Box<Waiter<T>>>,
    in_hand: bool,
}

impl<T> SendSink<T> {
    pub(super) fn new(sender: Sender<T>) -> Self {
        Self {
            sender,
            waiter: Box::pin(Waiter::empty()),
            in_hand: false,
        }
    }

    /// Takes the message in the sink's hand back, if there is one and it was not taken.
    pub fn take_back(&mut self) -> Option<T> {
        if !std::mem::take(&mut self.in_hand) {
            return None;
        }
        let message = self.sender.core.cancel_send(self.waiter.as_ref());
        // What cannot come back (accepted, or in doubt) is done with, so the hand is free.
        self.waiter.as_ref().begin_anew();
        message
    }

    fn poll_hand_over(&mut self, context: &Context<'_>) -> Poll<Result<(), SendError<T>>> {
        if !self.in_hand {
            return Poll::Ready(Ok(()));
        }
        let waiter = self.waiter.as_ref();
        let outcome = ready!(self.sender.core.poll_send(waiter, context));
        waiter.begin_anew();
        self.in_hand = false;
        Poll::Ready(outcome)
    }
}

impl<T> Sink<T> for SendSink<T> {
    type Error = SendError<T>;

    fn poll_ready(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        self.get_mut().poll_hand_over(context)
    }

    /// # Panics
    ///
    /// If a message is in the sink's hand, that is, if `poll_ready` did not say that the sink is ready.
    fn start_send(self: Pin<&mut Self>, message: T) -> Result<(), Self::Error> {
        let this = self.get_mut();
        assert!(!this.in_hand, "start_send was called before poll_ready");
        this.waiter.as_ref().load(message);
        this.in_hand = true;
        Ok(())
    }

    fn poll_flush(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        self.get_mut().poll_hand_over(context)
    }

    /// Hands over what is in hand. The channel is closed by dropping the sink, and every other sender.
    fn poll_close(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        self.get_mut().poll_hand_over(context)
    }
}

impl<T> Drop for SendSink<T> {
    fn drop(&mut self) {
        if run_is_over() {
            return;
        }
        drop(self.take_back());
    }
}

impl<T> fmt::Debug for SendSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendSink")
            .field("in_hand", &self.in_hand)
            .finish_non_exhaustive()
    }
}
