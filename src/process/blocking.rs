//! The ports of a thread of a network: their operations block.

use std::time::{Duration, Instant};

use super::{input::In, out::Out};
use crate::channel::{
    Outstanding, Receiver, RecvError, RecvTimeoutError, SendError, SendFuture, SendTimeoutError,
    Sender, TryRecvError, TrySendError,
    select::{InGuard, ReceivesBlocking, SendsBlocking},
};

/// A port that hands messages over, in a thread of a network: its operations block.
pub struct BlockingOut<T>(pub(super) Out<T>);

impl<T> BlockingOut<T> {
    /// Hands `message` over, blocking the thread until it was taken; see [`Sender::send`].
    ///
    /// # Errors
    ///
    /// [`SendError`], with the message.
    #[track_caller]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.0.end.send(message)
    }

    /// Hands `message` over, blocking the thread for at most `timeout`; see [`Sender::send_timeout`].
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`], with the message.
    #[track_caller]
    pub fn send_timeout(&self, message: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.0.end.send_timeout(message, timeout)
    }

    /// The send as a future, for a thread that drives it itself and may withdraw it.
    #[track_caller]
    pub(crate) fn sending(&self, message: T) -> SendFuture<'_, T> {
        self.0.end.send_async(message)
    }

    /// As [`send_timeout`](Self::send_timeout), until `deadline`.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`], with the message.
    #[track_caller]
    pub fn send_deadline(&self, message: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.0.end.send_deadline(message, deadline)
    }

    /// Hands `message` over if it can be done at this moment; see [`Sender::try_send`].
    ///
    /// # Errors
    ///
    /// [`TrySendError`], with the message.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.0.end.try_send(message)
    }

    /// Whether a receiver waits at this moment; see [`Sender::is_ready`].
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    /// Whether every receiver is gone.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.0.is_disconnected()
    }

    /// Takes an end out of the network; see [`Out::take_out`].
    #[must_use]
    pub fn take_out(&self) -> Sender<T> {
        self.0.take_out()
    }
}

/// A port that takes messages, in a thread of a network: its operations block.
pub struct BlockingIn<T>(pub(super) In<T>);

impl<T> BlockingIn<T> {
    /// Takes a message, blocking the thread until there is one; see [`Receiver::recv`].
    ///
    /// # Errors
    ///
    /// [`RecvError`] when every sender is gone or the channel is poisoned.
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.0.end.recv()
    }

    /// Takes a message, blocking the thread for at most `timeout`; see [`Receiver::recv_timeout`].
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`]; no message was taken then.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.0.end.recv_timeout(timeout)
    }

    /// As [`recv_timeout`](Self::recv_timeout), until `deadline`.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`]; no message was taken then.
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.0.end.recv_deadline(deadline)
    }

    /// Takes a message if a sender waits at this moment; see [`Receiver::try_recv`].
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] when nobody waits, every sender is gone, or the channel is poisoned.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.end.try_recv()
    }

    /// Takes a message and runs `finish` on it, while its sender waits; see [`Receiver::accept`].
    ///
    /// # Errors
    ///
    /// [`RecvError`] when every sender is gone or the channel is poisoned.
    #[track_caller]
    pub fn accept<R>(&self, finish: impl FnOnce(&mut T) -> R) -> Result<R, RecvError> {
        let mut held = self.0.end.recv_held_blocking_bound()?;
        let result = finish(&mut held);
        drop(held.release());
        Ok(result)
    }

    /// Whether every sender is gone.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.0.is_disconnected()
    }

    /// Grants `n` credits: that many sends may complete ahead of the take; see [`Receiver::grant`].
    ///
    /// # Panics
    ///
    /// If more than [`CREDIT_MAX`](crate::channel::CREDIT_MAX) credits would be outstanding.
    pub fn grant(&self, n: usize) {
        self.0.grant(n);
    }

    /// Takes back up to `n` credits that no send has used, and returns how many those were.
    #[expect(clippy::must_use_candidate, reason = "it is called for its effect")]
    pub fn revoke(&self, n: usize) -> usize {
        self.0.revoke(n)
    }

    /// What is outstanding of the credit that was granted on this channel.
    #[must_use]
    pub fn outstanding(&self) -> Outstanding {
        self.0.outstanding()
    }

    /// Takes an end out of the network; see [`Out::take_out`].
    #[must_use]
    pub fn take_out(&self) -> Receiver<T> {
        self.0.take_out()
    }
}

impl<T> SendsBlocking for BlockingOut<T> {
    type Message = T;
    fn sending_end(&self) -> InGuard<'_, Sender<T>> {
        InGuard::new(&self.0.end)
    }
}

impl<T> ReceivesBlocking for BlockingIn<T> {
    type Message = T;
    fn receiving_end(&self) -> InGuard<'_, Receiver<T>> {
        InGuard::new(&self.0.end)
    }
}
