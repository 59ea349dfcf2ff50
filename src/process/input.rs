//! The port that takes messages, in a process, and what a process has in custody.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    time::{Duration, Instant},
};

use super::{
    parcel::{Mobile, Openness, Parcel},
    ports::{Seat, Tie},
};
use crate::channel::{
    ClosedFuture, Held, Outstanding, Receiver, RecvError, RecvFuture, RecvTimeoutFuture,
    TryRecvError,
    observe::Unbound,
    select::{InGuard, Receives},
};

/// A port that takes messages, in a process.
///
/// As [`Receiver`], with the operations that are futures: one that blocks would stop the scheduler.
pub struct In<T> {
    pub(super) end: Receiver<T>,
    pub(super) tie: Tie<false>,
}

impl<T> In<T> {
    pub(super) fn bind(unbound: &Unbound<T>, seat: &Seat<'_>, channel: u32) -> Self {
        Self {
            tie: Tie::new(seat, channel),
            end: unbound.receiver(),
        }
    }

    /// Takes a message; see [`Receiver::recv_async`].
    ///
    /// # Errors
    ///
    /// [`RecvError`] when every sender is gone or the channel is poisoned.
    #[track_caller]
    pub fn recv(&self) -> RecvFuture<'_, T> {
        self.end.recv_async()
    }

    /// Takes a message within `timeout`; see [`Receiver::recv_timeout_async`].
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`](crate::channel::RecvTimeoutError); no message was taken then.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> RecvTimeoutFuture<'_, T> {
        self.end.recv_timeout_async(timeout)
    }

    /// As [`recv_timeout`](Self::recv_timeout), until `deadline`.
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> RecvTimeoutFuture<'_, T> {
        self.end.recv_deadline_async(deadline)
    }

    /// Takes a message if a sender waits at this moment; see [`Receiver::try_recv`].
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] when nobody waits, every sender is gone, or the channel is poisoned.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.end.try_recv()
    }

    /// Takes a message into custody: its sender waits until it is answered; see [`Receiver::recv_held_async`].
    ///
    /// What is held stays with the process, as the port does.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when every sender is gone or the channel is poisoned.
    #[track_caller]
    pub fn recv_held(&self) -> impl Future<Output = Result<HeldIn<'_, T>, RecvError>> {
        let held = self.end.recv_held_bound();
        async move {
            held.await.map(|held| HeldIn {
                held,
                _port: PhantomData,
            })
        }
    }

    /// Takes a message and runs `finish` on it, while its sender waits; see [`Receiver::accept_async`].
    ///
    /// # Errors
    ///
    /// [`RecvError`] when every sender is gone or the channel is poisoned.
    #[track_caller]
    pub fn accept<R>(
        &self,
        finish: impl AsyncFnOnce(&mut T) -> R,
    ) -> impl Future<Output = Result<R, RecvError>> {
        let held = self.end.recv_held_bound();
        async move {
            let mut held = held.await?;
            let result = finish(&mut held).await;
            drop(held.release());
            Ok(result)
        }
    }

    /// Waits, without taking anything, until every sender is gone or the channel is poisoned.
    #[track_caller]
    pub fn closed(&self) -> ClosedFuture<'_, T> {
        self.end.closed_async()
    }

    /// Whether every sender is gone.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.end.is_disconnected()
    }

    /// Grants `n` credits: that many sends may complete ahead of the take; see [`Receiver::grant`].
    ///
    /// # Panics
    ///
    /// If more than [`CREDIT_MAX`](crate::channel::CREDIT_MAX) credits would be outstanding.
    pub fn grant(&self, n: usize) {
        self.end.grant(n);
    }

    /// Takes back up to `n` credits that no send has used, and returns how many those were.
    #[expect(clippy::must_use_candidate, reason = "it is called for its effect")]
    pub fn revoke(&self, n: usize) -> usize {
        self.end.revoke(n)
    }

    /// What is outstanding of the credit that was granted on this channel.
    #[must_use]
    pub fn outstanding(&self) -> Outstanding {
        self.end.outstanding()
    }

    /// Takes an end out of the network; see [`Out::take_out`](super::Out::take_out).
    #[must_use]
    pub fn take_out(&self) -> Receiver<T> {
        self.tie.registry.open(self.tie.channel);
        self.end.clone()
    }

    /// One more end of the channel, for another process; see [`Out::parcel`](super::Out::parcel).
    #[must_use]
    pub fn parcel(&self) -> Parcel<Self> {
        Parcel {
            end: self.end.clone(),
            openness: Openness::new(&self.tie.registry, self.tie.channel),
        }
    }
}

/// A message in the custody of a process: its sender waits for the answer.
#[must_use = "dropping it hands the message back to its sender"]
pub struct HeldIn<'a, T> {
    pub(super) held: Held<T>,
    pub(super) _port: PhantomData<&'a In<T>>,
}

impl<T> HeldIn<'_, T> {
    /// Completes the send, and gives the message to the caller; see [`Held::release`].
    #[must_use = "the message was taken; nobody else has it now"]
    pub fn release(self) -> T {
        self.held.release()
    }

    /// Gives the message back; see [`Held::hand_back`].
    ///
    /// # Errors
    ///
    /// The message, if its sender has gone.
    pub fn hand_back(self) -> Result<(), T> {
        self.held.hand_back()
    }

    /// Says that nobody can know whether the message was taken; see [`Held::in_doubt`].
    ///
    /// # Errors
    ///
    /// The message, if its sender has gone.
    pub fn in_doubt(self) -> Result<(), T> {
        self.held.in_doubt()
    }
}

impl<T> Deref for HeldIn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.held
    }
}

impl<T> DerefMut for HeldIn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.held
    }
}

impl<T: fmt::Debug> fmt::Debug for HeldIn<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.held.fmt(f)
    }
}

impl<T> Receives for In<T> {
    type Message = T;
    fn receiving_end(&self) -> InGuard<'_, Receiver<T>> {
        InGuard::new(&self.end)
    }
}

impl<T> Mobile for In<T> {
    type End = Receiver<T>;

    fn settle(end: Receiver<T>, seat: &Seat<'_>, channel: u32) -> Self {
        let tie = Tie::new(seat, channel);
        Self { end, tie }
    }
}
