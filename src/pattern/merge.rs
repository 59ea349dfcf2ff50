//! Many receivers as one.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use futures_core::{FusedStream, Stream};

use crate::{
    channel::{Reason, Receiver, RecvError, RecvTimeoutError, Select, TryRecvError},
    sync::time,
};

/// Makes one receiver of many. The messages are of one type; map them at their senders, or use
/// [`select!`](crate::select) where they are not.
///
/// ```
/// use handover::{channel, pattern::merge};
///
/// let (kitchen, from_kitchen) = channel();
/// let (bar, from_bar) = channel();
/// let threads = [
///     std::thread::spawn(move || kitchen.send("soup")),
///     std::thread::spawn(move || bar.send("tea")),
/// ];
/// let mut served: Vec<_> = merge([from_kitchen, from_bar]).collect(); // until both have ended
/// served.sort_unstable();
/// assert_eq!(served, ["soup", "tea"]);
/// # for thread in threads { assert!(thread.join().is_ok_and(|sent| sent.is_ok())); }
/// ```
pub fn merge<T>(receivers: impl IntoIterator<Item = Receiver<T>>) -> Merge<T> {
    Merge {
        receivers: receivers.into_iter().collect(),
        turn: 0,
    }
}

/// Several receivers as one: takes from whichever has a message. Made by [`merge`].
///
/// Nothing is taken ahead: a message stays with its sender until a receive of the merge takes it. The receivers
/// have turns: of `n` at which a sender waits, none is passed over more than `n - 1` times in a row.
///
/// A receiver that has ended is let go. When all have ended, so has the merge. A receiver that is poisoned is let go
/// too, but a receive of the merge says so, once: pass it on with [`poison`](Self::poison), or receive again to go on
/// with the others.
///
/// As an iterator, each `next` blocks until there is a message; the iterator ends when all have ended or one is
/// poisoned.
#[must_use = "a merge takes nothing unless it is received from"]
pub struct Merge<T> {
    receivers: Vec<Receiver<T>>,
    /// The place of the receiver that is looked at first.
    turn: usize,
}

impl<T> Merge<T> {
    /// Adds a receiver.
    pub fn add(&mut self, receiver: Receiver<T>) {
        self.receivers.push(receiver);
    }

    /// Poisons the channels of all receivers that are left; see [`Receiver::poison`].
    pub fn poison(&self, reason: impl Into<Reason>) {
        let reason = reason.into();
        for receiver in &self.receivers {
            receiver.poison(reason.clone());
        }
    }

    /// How many receivers are left: those that have not been found to have ended or to be poisoned.
    #[must_use]
    pub fn sources(&self) -> usize {
        self.receivers.len()
    }

    /// Takes a message if a sender is waiting at this moment. Does not block.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] when nobody is waiting, all have ended, or one is poisoned.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let mut looked_at = 0;
        while looked_at < self.receivers.len() {
            let place = self.place(looked_at);
            match self.receivers[place].try_recv() {
                Err(TryRecvError::Empty) => looked_at += 1,
                Err(TryRecvError::Disconnected) => self.let_go(place),
                Err(poisoned) => {
                    self.let_go(place);
                    return Err(poisoned);
                }
                Ok(message) => {
                    self.turn = place + 1;
                    return Ok(message);
                }
            }
        }
        Err(if self.receivers.is_empty() {
            TryRecvError::Disconnected
        } else {
            TryRecvError::Empty
        })
    }

    /// The place of the receiver that is looked at after `n` others.
    fn place(&self, n: usize) -> usize {
        (self.turn + n) % self.receivers.len()
    }

    /// Lets a receiver go that has ended; whose turn it is stays as it is.
    fn let_go(&mut self, place: usize) {
        self.receivers.remove(place);
        if place < self.turn {
            self.turn -= 1;
        }
    }
}

/// What a receiver gave, and its place.
type Met<T> = (usize, Result<T, RecvError>);

impl<T: Send> Merge<T> {
    /// Takes a message, blocking the thread until there is one.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when all have ended, or one is poisoned.
    pub fn recv(&mut self) -> Result<T, RecvError> {
        loop {
            if let Some(received) = self.now() {
                return received;
            }
            let met = self.alternation().block();
            if let Some(received) = self.follow(met) {
                return received;
            }
        }
    }

    /// Takes a message, blocking the thread for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`]; no message was taken then.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        match time::now().checked_add(timeout) {
            Some(deadline) => self.recv_deadline(deadline),
            // The clock cannot tell that far ahead.
            None => self.recv().map_err(Into::into),
        }
    }

    /// Takes a message, blocking the thread until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`recv_timeout`](Self::recv_timeout).
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        loop {
            if let Some(received) = self.now() {
                return received.map_err(Into::into);
            }
            let Some(met) = self.alternation().block_deadline(deadline) else {
                return Err(RecvTimeoutError::Timeout);
            };
            if let Some(received) = self.follow(met) {
                return received.map_err(Into::into);
            }
        }
    }

    /// Takes a message without blocking the thread, on any executor.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when all have ended, or one is poisoned.
    ///
    /// # Cancel safety
    ///
    /// A message is taken only by the `poll` that returns it. A future that is dropped before has taken nothing, and
    /// every sender that it was woken for finds another receiver, if there is one.
    pub async fn recv_async(&mut self) -> Result<T, RecvError> {
        loop {
            if let Some(received) = self.now() {
                return received;
            }
            let met = self.alternation().wait().await;
            if let Some(received) = self.follow(met) {
                return received;
            }
        }
    }

    /// The merge as a [`Stream`], which ends when all receivers have ended or one is poisoned.
    pub fn into_stream<'a>(self) -> MergeStream<'a, T>
    where
        T: 'a,
    {
        MergeStream {
            state: State::Resting(self),
        }
    }

    /// What needs no waiting: a message of a sender that waits, or the end.
    fn now(&mut self) -> Option<Result<T, RecvError>> {
        match self.try_recv() {
            Ok(message) => Some(Ok(message)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(RecvError::Disconnected)),
            Err(TryRecvError::Poisoned(reason)) => Some(Err(RecvError::Poisoned(reason))),
        }
    }

    /// An alternation over all receivers, which prefers the one whose turn it is.
    fn alternation(&self) -> Select<'_, Met<T>> {
        let mut alternation = Select::new().biased();
        for n in 0..self.receivers.len() {
            let place = self.place(n);
            alternation =
                alternation.recv(&self.receivers[place], move |received| (place, received));
        }
        alternation
    }

    /// What follows from what a receiver gave; `None` if that was only its end.
    fn follow(&mut self, (place, received): Met<T>) -> Option<Result<T, RecvError>> {
        match received {
            Ok(_) => {
                self.turn = place + 1;
                Some(received)
            }
            Err(RecvError::Disconnected) => {
                self.let_go(place);
                None
            }
            Err(RecvError::Poisoned(_)) => {
                self.let_go(place);
                Some(received)
            }
        }
    }
}

impl<T: Send> Iterator for Merge<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.recv().ok()
    }
}

impl<T> fmt::Debug for Merge<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merge")
            .field("sources", &self.receivers.len())
            .finish_non_exhaustive()
    }
}

/// A merge that receives, and comes back with what it received.
type Receiving<'a, T> = Pin<Box<dyn Future<Output = (Merge<T>, Option<T>)> + Send + 'a>>;

enum State<'a, T> {
    /// Between two items: none of its receivers waits.
    Resting(Merge<T>),
    Waiting(Receiving<'a, T>),
    Ended,
}

/// A merge as a [`Stream`]; see [`Merge::into_stream`].
///
/// An item for which it has to wait costs an allocation for each receiver.
///
/// # Cancel safety
///
/// Nothing is taken that was not returned. A stream that was polled, is pending, and is then neither polled nor
/// dropped counts as a waiting receiver on each of its channels, and a sender may wait for it.
#[must_use = "a stream takes nothing unless it is polled"]
pub struct MergeStream<'a, T> {
    state: State<'a, T>,
}

impl<'a, T: Send + 'a> Stream for MergeStream<'a, T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        if let State::Resting(merge) = &mut this.state {
            if let Some(received) = merge.now() {
                if received.is_err() {
                    this.state = State::Ended;
                }
                return Poll::Ready(received.ok());
            }
            if let State::Resting(mut merge) = std::mem::replace(&mut this.state, State::Ended) {
                this.state = State::Waiting(Box::pin(async move {
                    let received = merge.recv_async().await;
                    (merge, received.ok())
                }));
            }
        }
        let State::Waiting(receiving) = &mut this.state else {
            return Poll::Ready(None);
        };
        let (merge, received) = ready!(receiving.as_mut().poll(context));
        this.state = match &received {
            Some(_) => State::Resting(merge),
            None => State::Ended,
        };
        Poll::Ready(received)
    }
}

impl<'a, T: Send + 'a> FusedStream for MergeStream<'a, T> {
    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}

impl<T> fmt::Debug for MergeStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergeStream").finish_non_exhaustive()
    }
}
