//! The port that hands messages over, in a process.

use std::time::{Duration, Instant};

use super::{
    parcel::{Mobile, Openness, Parcel},
    ports::{Seat, Tie},
};
use crate::channel::{
    ClosedFuture, ReadyFuture, SendFromFuture, SendFuture, SendTimeoutFromFuture,
    SendTimeoutFuture, Sender, TrySendError,
    observe::Unbound,
    select::{InGuard, Sends},
};

/// A port that hands messages over, in a process.
///
/// As [`Sender`], with the operations that are futures: one that blocks would stop the scheduler.
pub struct Out<T> {
    pub(super) end: Sender<T>,
    pub(super) tie: Tie<true>,
}

impl<T> Out<T> {
    pub(super) fn bind(unbound: &Unbound<T>, seat: &Seat<'_>, channel: u32) -> Self {
        Self {
            tie: Tie::new(seat, channel),
            end: unbound.sender(),
        }
    }

    /// Hands `message` over; see [`Sender::send_async`].
    ///
    /// # Errors
    ///
    /// [`SendError`](crate::channel::SendError), with the message.
    #[track_caller]
    pub fn send(&self, message: T) -> SendFuture<'_, T> {
        self.end.send_async(message)
    }

    /// Hands over the message that is in `home`, and puts it back if it is not taken; see [`Sender::send_from`].
    ///
    /// # Errors
    ///
    /// [`SendError`](crate::channel::SendError); the message is in `home` then.
    #[track_caller]
    pub fn send_from<'a>(&'a self, home: &'a mut Option<T>) -> SendFromFuture<'a, T> {
        self.end.send_from(home)
    }

    /// Hands `message` over within `timeout`; see [`Sender::send_timeout_async`].
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`](crate::channel::SendTimeoutError), with the message.
    #[track_caller]
    pub fn send_timeout(&self, message: T, timeout: Duration) -> SendTimeoutFuture<'_, T> {
        self.end.send_timeout_async(message, timeout)
    }

    /// As [`send_timeout`](Self::send_timeout), until `deadline`.
    #[track_caller]
    pub fn send_deadline(&self, message: T, deadline: Instant) -> SendTimeoutFuture<'_, T> {
        self.end.send_deadline_async(message, deadline)
    }

    /// Hands over the message that is in `home` within `timeout`, and puts it back if it is not taken; see
    /// [`Sender::send_timeout_from`].
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`](crate::channel::SendTimeoutError); the message is in `home` then.
    #[track_caller]
    pub fn send_timeout_from<'a>(
        &'a self,
        home: &'a mut Option<T>,
        timeout: Duration,
    ) -> SendTimeoutFromFuture<'a, T> {
        self.end.send_timeout_from(home, timeout)
    }

    /// Hands `message` over if it can be done at this moment; see [`Sender::try_send`].
    ///
    /// # Errors
    ///
    /// [`TrySendError`], with the message.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.end.try_send(message)
    }

    /// Waits until a receiver waits that no sender has met; see [`Sender::ready_async`].
    ///
    /// # Errors
    ///
    /// [`ReadyError`](crate::channel::ReadyError) when every receiver is gone or the channel is poisoned.
    #[track_caller]
    pub fn ready(&self) -> ReadyFuture<'_, T> {
        self.end.ready_async()
    }

    /// Waits until every receiver is gone or the channel is poisoned.
    #[track_caller]
    pub fn closed(&self) -> ClosedFuture<'_, T> {
        self.end.closed_async()
    }

    /// Whether a receiver waits at this moment; see [`Sender::is_ready`].
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.end.is_ready()
    }

    /// Whether every receiver is gone.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.end.is_disconnected()
    }

    /// Takes an end out of the network, for whoever is to use it: a thread, a task, a callback.
    ///
    /// From now on the channel is *open*: it takes part in reports, but a wait on it is never called a deadlock, for
    /// the network cannot know what becomes of the end.
    #[must_use]
    pub fn take_out(&self) -> Sender<T> {
        self.tie.registry.open(self.tie.channel);
        self.end.clone()
    }

    /// One more end of the channel, for another process: one that it is sent to in a message, which
    /// [adopts](super::Here::adopt) it, or one that this process [starts](super::Here::start).
    ///
    /// Until then the channel is open.
    #[must_use]
    pub fn parcel(&self) -> Parcel<Self> {
        Parcel {
            end: self.end.clone(),
            openness: Openness::new(&self.tie.registry, self.tie.channel),
        }
    }
}

impl<T> Sends for Out<T> {
    type Message = T;
    fn sending_end(&self) -> InGuard<'_, Sender<T>> {
        InGuard::new(&self.end)
    }
}

impl<T> Mobile for Out<T> {
    type End = Sender<T>;

    fn settle(end: Sender<T>, seat: &Seat<'_>, channel: u32) -> Self {
        let tie = Tie::new(seat, channel);
        Self { end, tie }
    }
}
