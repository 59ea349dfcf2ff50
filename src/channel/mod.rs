//! The rendezvous: channels without a buffer, for threads and tasks alike.
//!
//! A send completes only when a receiver has *taken* the whole message. Until then the message is the
//! sender's, and every operation that fails or is cancelled leaves it there.
//!
//! ```
//! let (orders, kitchen) = handover::channel::<u32>();
//! let cook = std::thread::spawn(move || kitchen.iter().sum::<u32>());
//! for dish in 1..=3 {
//!     orders.send(dish)?; // returns when the cook has it
//! }
//! drop(orders);
//! assert_eq!(cook.join().expect("the cook does not panic"), 6);
//! # Ok::<(), handover::channel::SendError<u32>>(())
//! ```
//!
//! # When is it taken?
//!
//! When the receiver's own code path has it: a blocked thread was given it, or a future's `poll` took it. A
//! receive future is only *woken* for a message; if it is dropped instead of being polled again, the message
//! stays with its sender and another receiver is woken. Two things follow:
//!
//! - [`Sender::try_send`] never succeeds against a waiting future, and does not wake it.
//! - Waiting receivers are served in a fair order, not a strict one: a receiver that looks while a sender waits
//!   takes at once, and blocked threads come before tasks that must be woken first.
//!
//! A receive future that was polled, and is then neither polled again nor dropped, counts as a waiting
//! receiver. The one sender that it was woken for waits with it until another receiver looks.
//!
//! # Credit
//!
//! A receiver may grant credit ([`Receiver::grant`]), and only then a send may complete ahead of the take: its
//! `Ok` says *taken, or within credit*. The default is none. Messages within credit are in slots of the channel,
//! which the grant has allocated; when the receivers go they are not lost, but come back to whoever drains the
//! channel ([`Receiver::into_remaining`], [`Sender::take_remaining`]).
//!
//! # Failing
//!
//! Every failed send gives its message back: see [`SendError`], [`TrySendError`] and [`SendTimeoutError`]. A
//! send future that is dropped before its message was taken drops the message with it; where that must not
//! happen, send with [`Sender::send_from`] or take the message back with [`SendFuture::withdraw`].

mod adapter;
mod claim;
mod core;
mod credit;
mod error;
mod future;
mod granting;
mod held;
mod list;
pub(crate) mod observe;
mod offering;
mod owner;
mod party;
mod poisoning;
mod receiving;
#[doc(hidden)]
pub mod select;
mod sending;
mod slack;
mod sleep;
mod state;
#[cfg(all(test, not(loom)))]
mod tests;
mod ticker;
mod timed;
mod waiter;
mod waking;

#[cfg(loom)]
#[doc(hidden)]
pub use observe::{free_receivers, own};

use std::{
    fmt,
    time::{Duration, Instant},
};

use self::core::Core;
pub use self::{
    adapter::{IntoIter, Iter, RecvStream, SendSink, TryIter},
    credit::{CREDIT_MAX, Outstanding},
    error::{
        ReadyError, Reason, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError,
        TrySendError,
    },
    future::{ClosedFuture, ReadyFuture, RecvFuture, RecvHeldFuture, SendFromFuture, SendFuture},
    granting::Remaining,
    held::Held,
    offering::{OfferError, OfferFuture},
    select::{OfAnybody, OfProcess, OfThread, Select},
    sleep::{Sleep, now, sleep, sleep_until},
    ticker::{Ticker, tick},
    timed::{RecvTimeoutFuture, SendTimeoutFromFuture, SendTimeoutFuture},
};
#[cfg(not(loom))]
use crate::sync::task;
use crate::sync::{Arc, run_is_over, time::deadline_after};

/// Makes a channel without a buffer: whatever is sent goes from hand to hand.
///
/// Both ends can be cloned, for any number of senders and receivers; each message is taken by one receiver.
/// Making a channel allocates once; sending and receiving allocate nothing. There is no slack but what the
/// receiver grants ([`Receiver::grant`]).
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let core = Arc::new(Core::new());
    let sender = Sender {
        core: Arc::clone(&core),
    };
    (sender, Receiver { core })
}

/// The end of a channel that hands messages over. Made by [`channel`]; clone it for more senders.
///
/// When the last sender is dropped, waiting and later receives fail with [`RecvError`].
pub struct Sender<T> {
    core: Arc<Core<T>>,
}

impl<T> Sender<T> {
    /// Hands `message` over, blocking the thread until a receiver has taken it.
    ///
    /// If a receiver *accepts* it ([`Receiver::accept`]), this returns when the receiver has finished with it.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the message, when every receiver is gone, when the channel is poisoned, or when the
    /// receiver that accepted the message handed it back.
    #[track_caller]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.core
            .send_blocking(message, None)
            .map_err(|error| match error {
                SendTimeoutError::Disconnected(message) => SendError::Disconnected(message),
                SendTimeoutError::Poisoned(message, reason) => SendError::Poisoned(message, reason),
                SendTimeoutError::Returned(message) => SendError::Returned(message),
                SendTimeoutError::InDoubt(message) => SendError::InDoubt(message),
                SendTimeoutError::Timeout(_) => unreachable!("there is no deadline"),
            })
    }

    /// Hands `message` over if a blocked thread is waiting for it at this moment, or there is credit. Does not
    /// block.
    ///
    /// Without credit it never succeeds against a waiting *future* or an [`accept`](Receiver::accept), which must
    /// be woken before they take, and does not wake them.
    ///
    /// # Errors
    ///
    /// [`TrySendError`], with the message.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.core.try_send(message)
    }

    /// Hands `message` over, blocking the thread for at most `timeout`.
    ///
    /// The time stops counting once a receiver has accepted the message ([`Receiver::accept`]): it then takes
    /// as long as that receiver takes.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`], with the message, which then was not taken and will not be.
    #[track_caller]
    pub fn send_timeout(&self, message: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.core.send_blocking(message, deadline_after(timeout))
    }

    /// Hands `message` over, blocking the thread until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    #[track_caller]
    pub fn send_deadline(&self, message: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.core.send_blocking(message, Some(deadline))
    }

    /// Hands `message` over without blocking the thread, on any executor.
    ///
    /// The future resolves when a receiver has taken the message.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// Dropped before the message was taken, the future withdraws the send and drops the message: no receiver
    /// gets it. It cannot be told from outside which of the two had happened; where that matters, take the
    /// message back with [`SendFuture::withdraw`], or use [`send_from`](Self::send_from). A message that a
    /// receiver has accepted ([`Receiver::recv_held`]) stays with that receiver.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it has resolved.
    #[track_caller]
    pub fn send_async(&self, message: T) -> SendFuture<'_, T> {
        SendFuture::new(&self.core, message)
    }

    /// As [`send_async`](Self::send_async), of a task that cannot go on before several such are all done.
    #[cfg(not(loom))]
    #[track_caller]
    pub(crate) fn send_one_of_all(&self, message: T) -> SendFuture<'_, T> {
        SendFuture::one_of_all(&self.core, message)
    }

    /// Hands over the message that is in `home`, and puts it back if it is not taken.
    ///
    /// The message moves into the future; when the future fails, or is dropped, `home` has the message again
    /// if and only if it was certainly not taken. With nothing in `home` there is nothing to do, and the
    /// future resolves at once.
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// let (tx, rx) = handover::channel();
    /// let mut job = Some("invoice");
    /// {
    ///     let send = std::pin::pin!(tx.send_from(&mut job));
    ///     assert!(futures_util::poll!(send).is_pending()); // nobody takes it, and we stop waiting
    /// }
    /// assert_eq!(job, Some("invoice"));
    /// # drop(rx);
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), with the message in `home` instead of in the error; after
    /// [`SendError::InDoubt`] that is a copy of a message that may have been taken.
    ///
    /// # Cancel safety
    ///
    /// This is the send to use where a future may be dropped, in a `select!` or under a timeout: nothing is
    /// lost.
    #[track_caller]
    pub fn send_from<'a>(&'a self, home: &'a mut Option<T>) -> SendFromFuture<'a, T> {
        SendFromFuture::new(&self.core, home)
    }

    /// Waits, without sending anything, until a receiver waits that no sender has met, or there is credit.
    ///
    /// This is how demand is seen before there is anything to send. It promises nothing about the next send:
    /// another sender may be first, and the receiver may give up.
    ///
    /// # Errors
    ///
    /// [`ReadyError`] when every receiver is gone or the channel is poisoned.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on anything.
    #[track_caller]
    pub fn ready_async(&self) -> ReadyFuture<'_, T> {
        ReadyFuture::new(&self.core)
    }

    /// Waits until every receiver is gone or the channel is poisoned.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on anything.
    #[track_caller]
    pub fn closed_async(&self) -> ClosedFuture<'_, T> {
        ClosedFuture::new(&self.core, |state| state.closed_to_senders().is_some())
    }

    /// Whether a receiver waits, at this moment, that no sender has met, or there is credit.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.core.lock().a_receiver_waits()
    }

    /// Whether every receiver is gone.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.core.lock().state.receiver_count() == 0
    }

    /// Whether both are ends of the same channel.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }

    /// This sender as a [`Sink`](futures_sink::Sink), which holds one message in its hand.
    #[must_use]
    pub fn into_sink(self) -> SendSink<T> {
        SendSink::new(self)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.core.lock().state.add_sender();
        Self {
            core: Arc::clone(&self.core),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if run_is_over() {
            return;
        }
        let left = {
            let mut locked = self.core.lock();
            let left = locked.state.remove_sender();
            if left == 0 {
                self.core.set_over();
            }
            left
        };
        if left == 0 {
            self.core.close_to_receivers();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// The end of a channel that takes messages. Made by [`channel`]; clone it for more receivers.
///
/// When the last receiver is dropped, waiting and later sends fail, and give their messages back. What was sent
/// within credit and not taken then is not lost: see [`grant`](Self::grant).
pub struct Receiver<T> {
    core: Arc<Core<T>>,
}

impl<T> Receiver<T> {
    /// Takes a message, blocking the thread until there is one.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when every sender is gone and nothing within credit is left, or the channel is poisoned.
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.core.recv_blocking(None).map_err(|error| match error {
            RecvTimeoutError::Disconnected => RecvError::Disconnected,
            RecvTimeoutError::Poisoned(reason) => RecvError::Poisoned(reason),
            RecvTimeoutError::Timeout => unreachable!("there is no deadline"),
        })
    }

    /// Takes a message if a sender, thread or task, is waiting at this moment. Does not block.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] when nobody is waiting, every sender is gone, or the channel is poisoned.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.core.try_recv()
    }

    /// Takes a message, blocking the thread for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`]; no message was taken then.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.core.recv_blocking(deadline_after(timeout))
    }

    /// Takes a message, blocking the thread until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`recv_timeout`](Self::recv_timeout).
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.core.recv_blocking(Some(deadline))
    }

    /// Takes a message without blocking the thread, on any executor.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when every sender is gone and nothing within credit is left, or the channel is poisoned.
    ///
    /// # Cancel safety
    ///
    /// A message is taken only by the `poll` that returns it. A future that is dropped before has taken
    /// nothing: the message stays with its sender, and another receiver is woken for it.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it has resolved.
    #[track_caller]
    pub fn recv_async(&self) -> RecvFuture<'_, T> {
        RecvFuture::new(&self.core)
    }

    /// Takes a message into custody: its sender goes on waiting until the returned [`Held`] is answered.
    /// Blocks the thread until there is a message.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when every sender is gone and nothing within credit is left, or the channel is poisoned.
    #[track_caller]
    pub fn recv_held(&self) -> Result<Held<T>, RecvError> {
        self.core
            .hold_blocking(None, |hold| Held::new(Arc::clone(&self.core), hold))
    }

    /// As [`recv_held`](Self::recv_held), without blocking the thread.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when every sender is gone and nothing within credit is left, or the channel is poisoned.
    ///
    /// # Cancel safety
    ///
    /// As for [`recv_async`](Self::recv_async).
    #[track_caller]
    pub fn recv_held_async(&self) -> RecvHeldFuture<'_, T> {
        RecvHeldFuture::new(&self.core, false)
    }

    /// As [`recv_held_async`](Self::recv_held_async), for a process that keeps what it holds.
    #[track_caller]
    #[cfg_attr(loom, allow(dead_code, reason = "no network runs under loom"))]
    pub(crate) fn recv_held_bound(&self) -> RecvHeldFuture<'_, T> {
        RecvHeldFuture::new(&self.core, true)
    }

    /// As [`recv_held`](Self::recv_held), for a thread that keeps what it holds.
    #[cfg(not(loom))]
    #[track_caller]
    pub(crate) fn recv_held_blocking_bound(&self) -> Result<Held<T>, RecvError> {
        self.core.hold_blocking(task::current_id(), |hold| {
            Held::new(Arc::clone(&self.core), hold)
        })
    }

    /// Takes a message and runs `finish` on it, while its sender waits: the *extended rendezvous*.
    ///
    /// The sender is released when `finish` has returned, so that whatever it does (a relay, a write to disk)
    /// adds no buffer. The message is then dropped; take out of it what is to be kept. Where `finish` can
    /// fail, use [`recv_held`](Self::recv_held) and hand the message back.
    ///
    /// ```
    /// # let (tx, rx) = handover::channel::<String>();
    /// # let sender = std::thread::spawn(move || tx.send("line".to_owned()));
    /// let length = rx.accept(|line| line.len())?;
    /// # assert_eq!(length, 4);
    /// # assert!(sender.join().is_ok());
    /// # Ok::<(), handover::channel::RecvError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RecvError`] when every sender is gone and nothing within credit is left, or the channel is poisoned.
    ///
    /// # Panics
    ///
    /// If `finish` panics, the send fails with [`SendError::Returned`] and has its message back, as `finish`
    /// left it, before the panic goes on. If its sender has gone meanwhile, the message is dropped.
    #[track_caller]
    pub fn accept<R>(&self, finish: impl FnOnce(&mut T) -> R) -> Result<R, RecvError> {
        let mut held = self.recv_held()?;
        let result = finish(&mut held);
        drop(held.release());
        Ok(result)
    }

    /// As [`accept`](Self::accept), without blocking the thread.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when every sender is gone and nothing within credit is left, or the channel is poisoned.
    ///
    /// # Cancel safety
    ///
    /// Dropped before a message was accepted, it has taken nothing. Dropped while `finish` runs, the message
    /// goes back to its sender, whose send fails with [`SendError::Returned`].
    #[track_caller]
    pub fn accept_async<R>(
        &self,
        finish: impl AsyncFnOnce(&mut T) -> R,
    ) -> impl Future<Output = Result<R, RecvError>> {
        let receive = self.recv_held_async();
        async move {
            let mut held = receive.await?;
            let result = finish(&mut held).await;
            drop(held.release());
            Ok(result)
        }
    }

    /// Waits, without taking anything, until every sender is gone or the channel is poisoned.
    ///
    /// It does not count as a waiting receiver.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on anything.
    #[track_caller]
    pub fn closed_async(&self) -> ClosedFuture<'_, T> {
        ClosedFuture::new(&self.core, |state| state.closed_to_receivers().is_some())
    }

    /// Whether every sender is gone.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.core.lock().state.sender_count() == 0
    }

    /// Whether both are ends of the same channel.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }

    /// Messages as they come, each `next` blocking until there is one, until every sender is gone.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// The messages of the senders that are waiting, without blocking, until none is.
    #[must_use]
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { receiver: self }
    }

    /// This receiver as a [`Stream`](futures_core::Stream), which ends when every sender is gone or the channel is
    /// poisoned.
    #[must_use]
    pub fn into_stream(self) -> RecvStream<T> {
        RecvStream::new(self)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.core.lock().state.add_receiver();
        Self {
            core: Arc::clone(&self.core),
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if run_is_over() {
            return;
        }
        let left = {
            let mut locked = self.core.lock();
            let left = locked.state.remove_receiver();
            if left == 0 {
                locked.close_credit();
            }
            left
        };
        if left == 0 {
            self.core.close_to_senders();
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
