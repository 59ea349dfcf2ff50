//! An offer: a send that waits only as long as a receiver does.
//!
//! For relays, which have a message for whoever waited a moment ago. If that receiver has gone, the message must not wait
//! in the relay for the next one: its sender would not know, and could not turn to somebody else.
//!
//! # Invariants
//!
//! - An offer hangs among the senders only while a receiver waits there, or was woken and has not looked yet. Whichever
//!   receiver is the last to leave dismisses the offers ([`Locked::no_longer_wanted`]).
//! - Each offer that was not taken at once is counted at its channel until its future is done or dropped.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    ptr::NonNull,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use thiserror::Error;

use super::{
    Sender,
    core::{Core, wake_up},
    error::{Reason, SendError},
    list,
    party::ToWake,
    state::{Locked, Role},
    waiter::{Link, Stage, Waiter, Wake},
};
use crate::sync::{run_is_over, schedule};

/// Why an offer was not taken; the message comes back in it.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OfferError<T> {
    /// No receiver waits, or none any more; nobody took the message.
    #[error("no receiver waits for the message")]
    Unwanted(T),
    /// See [`SendError::Disconnected`].
    #[error("nobody can take the message: every receiver is gone")]
    Disconnected(T),
    /// See [`SendError::Poisoned`].
    #[error("nobody can take the message: the channel was poisoned: {1}")]
    Poisoned(T, Reason),
    /// See [`SendError::Returned`].
    #[error("the receiver handed the message back unfinished")]
    Returned(T),
    /// See [`SendError::InDoubt`].
    #[error("the message may or may not have been taken: its peer was lost before it answered")]
    InDoubt(T),
}

impl<T> OfferError<T> {
    /// The message that was offered.
    pub fn into_inner(self) -> T {
        match self {
            Self::Unwanted(message)
            | Self::Disconnected(message)
            | Self::Poisoned(message, _)
            | Self::Returned(message)
            | Self::InDoubt(message) => message,
        }
    }
}

impl<T> From<SendError<T>> for OfferError<T> {
    fn from(error: SendError<T>) -> Self {
        match error {
            SendError::Disconnected(message) => Self::Disconnected(message),
            SendError::Poisoned(message, reason) => Self::Poisoned(message, reason),
            SendError::Returned(message) => Self::Returned(message),
            SendError::InDoubt(message) => Self::InDoubt(message),
        }
    }
}

/// Says what went wrong; the message need not be printable.
impl<T> fmt::Debug for OfferError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unwanted(_) => "Unwanted(..)",
            Self::Disconnected(_) => "Disconnected(..)",
            Self::Poisoned(_, reason) => return write!(f, "Poisoned(.., {reason:?})"),
            Self::Returned(_) => "Returned(..)",
            Self::InDoubt(_) => "InDoubt(..)",
        })
    }
}

impl<T> Sender<T> {
    /// Hands `message` over to a receiver that waits, and gives it back as soon as none does.
    ///
    /// A blocked thread takes at once. A waiting future is woken, and takes in its own poll; if it is dropped instead,
    /// or takes from somebody else, and no other receiver waits, the offer fails with [`OfferError::Unwanted`]. So,
    /// unlike [`try_send`](Self::try_send), an offer succeeds against a waiting future, and unlike
    /// [`send_async`](Self::send_async) it never waits for a receiver to come. Unused credit is a receiver that waits.
    ///
    /// ```
    /// use futures_util::{future::join, FutureExt};
    /// use handover::channel::OfferError;
    ///
    /// let (tx, rx) = handover::channel();
    /// let refused = tx.offer_async("unit").now_or_never();
    /// assert_eq!(refused, Some(Err(OfferError::Unwanted("unit")))); // nobody waits
    /// # futures_util::FutureExt::now_or_never(async {
    /// let (received, offered) = join(rx.recv_async(), tx.offer_async("unit")).await;
    /// assert_eq!((received, offered), (Ok("unit"), Ok(())));
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// [`OfferError`], with the message.
    ///
    /// # Cancel safety
    ///
    /// As for [`send_async`](Self::send_async): dropped before the message was taken, the future drops it. Take it back
    /// with [`OfferFuture::withdraw`].
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it has resolved.
    #[track_caller]
    pub fn offer_async(&self, message: T) -> OfferFuture<'_, T> {
        OfferFuture {
            core: &self.core,
            is_counted: false,
            waiter: Waiter::with(message).into_offer(),
        }
    }
}

pin_project! {
    /// An offer under way; see [`Sender::offer_async`].
    #[must_use = "a future offers nothing unless it is polled"]
    pub struct OfferFuture<'a, T> {
        core: &'a Core<T>,
        is_counted: bool,
        #[pin]
        waiter: Waiter<T>,
    }

    impl<T> PinnedDrop for OfferFuture<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            drop(this.withdraw());
        }
    }
}

impl<T> OfferFuture<'_, T> {
    /// Gives the offer up, and returns its message if that was certainly not taken.
    ///
    /// As [`SendFuture::withdraw`](super::SendFuture::withdraw).
    #[must_use = "a message that was not taken is in it"]
    pub fn withdraw(self: Pin<&mut Self>) -> Option<T> {
        let this = self.project();
        let message = this.core.cancel_send(this.waiter.into_ref());
        if std::mem::take(this.is_counted) {
            this.core.end_offer();
        }
        message
    }
}

impl<T> OfferFuture<'_, T> {
    /// Gives the offer up unless a receiver has taken or accepted its message. Then `None`, and the future must be
    /// polled on to learn what becomes of it; otherwise it must not be polled again.
    #[must_use = "a message that was not taken is in it"]
    pub fn take_back(mut self: Pin<&mut Self>) -> Option<T> {
        let this = self.as_mut().project();
        let waiter = this.waiter.into_ref();
        let is_free = {
            let mut locked = this.core.lock();
            let own = locked.leave(Role::Sender, waiter);
            let stage = waiter.stage();
            drop(locked);
            drop(own);
            matches!(stage, Stage::Idle | Stage::Declined)
        };
        if is_free { self.withdraw() } else { None }
    }
}

impl<T> Future for OfferFuture<'_, T> {
    type Output = Result<(), OfferError<T>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = this
            .core
            .poll_offer(this.waiter.into_ref(), this.is_counted, context);
        if outcome.is_ready() && std::mem::take(this.is_counted) {
            this.core.end_offer();
        }
        outcome
    }
}

impl<T> fmt::Debug for OfferFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfferFuture").finish_non_exhaustive()
    }
}

impl<T> Core<T> {
    fn poll_offer(
        &self,
        waiter: Pin<&Waiter<T>>,
        is_counted: &mut bool,
        context: &Context<'_>,
    ) -> Poll<Result<(), OfferError<T>>> {
        assert!(
            !waiter.is(Stage::Spent),
            "an offer future was polled again after it had completed"
        );
        let mut wake = None;
        loop {
            if waiter.is(Stage::Declined) {
                waiter.offer_again();
            }
            if waiter.is(Stage::Idle) && schedule::is_to_wait(context) {
                return Poll::Pending;
            }
            // Cloned before the lock is taken, because it is foreign code; dropped, if unused, after.
            let fresh = wake.take().unwrap_or_else(|| Wake::task(context));
            let mut locked = self.lock();
            let stage = waiter.stage();
            if stage == Stage::Idle {
                return self.begin_offer(locked, waiter, is_counted, fresh);
            }
            if stage == Stage::Declined {
                drop(locked);
                wake = Some(fresh);
                continue;
            }
            if stage.is_final() {
                drop(locked);
                drop(fresh);
                return Poll::Ready(self.send_outcome(waiter).map_err(Into::into));
            }
            let old = locked.replace_wake(waiter, fresh);
            // Whoever was woken for it may be gone without having left.
            let dismissed = locked.no_longer_wanted();
            drop(locked);
            drop(old);
            wake_up(dismissed);
            if waiter.is(Stage::Declined) {
                continue;
            }
            return Poll::Pending;
        }
    }

    fn begin_offer(
        &self,
        mut locked: Locked<'_, T>,
        waiter: Pin<&Waiter<T>>,
        is_counted: &mut bool,
        wake: Wake,
    ) -> Poll<Result<(), OfferError<T>>> {
        if let Some(closed) = locked.state.closed_to_senders() {
            drop(locked);
            waiter.set_stage(closed);
            return Poll::Ready(self.send_outcome(waiter).map_err(Into::into));
        }
        // SAFETY: idle, so no peer may look at it.
        match locked.give(unsafe { waiter.take_its_message() }, None) {
            Ok(taker) => {
                drop(locked);
                waiter.spend();
                wake_up(taker);
                return Poll::Ready(Ok(()));
            }
            // SAFETY: as above.
            Err(message) => unsafe { waiter.put_message(message) },
        }
        if !std::mem::replace(is_counted, true) {
            locked.state.add_offer();
        }
        locked.wait(Role::Sender, waiter, wake);
        let notified = ToWake::flatten(locked.notify_poller(None));
        if locked.a_receiver_is_there() {
            drop(locked);
            wake_up(notified);
            return Poll::Pending;
        }
        let own = locked.leave(Role::Sender, waiter);
        // Others that wait have nobody either.
        let dismissed = locked.no_longer_wanted();
        drop(locked);
        drop(own);
        debug_assert!(notified.is_none(), "who was woken is there");
        wake_up(dismissed);
        waiter.spend();
        // SAFETY: spent, so no peer may look at it.
        let message = unsafe { waiter.take_its_message() };
        Poll::Ready(Err(OfferError::Unwanted(message)))
    }

    #[cold]
    fn end_offer(&self) {
        if !run_is_over() {
            let dismissed = {
                let mut locked = self.lock();
                locked.state.remove_offer();
                locked.no_longer_wanted()
            };
            wake_up(dismissed);
        }
    }
}

impl<T> Locked<'_, T> {
    /// Whether a receiver waits, or was woken and has not looked yet.
    fn a_receiver_is_there(&self) -> bool {
        !(self.state.takers.is_empty()
            && self.state.pollers.is_empty()
            && self.state.woken.is_empty())
    }

    /// After a receiver has left: if it was the last that waited, dismisses an offer that waited for it. Returns whom to
    /// wake for it; that one, once it has looked, dismisses the next.
    #[inline]
    pub(super) fn no_longer_wanted(&mut self) -> Option<Wake> {
        if self.state.is_plain || self.a_receiver_is_there() || !self.state.has_offers() {
            None
        } else {
            self.dismiss_offer()
        }
    }

    #[cold]
    fn dismiss_offer(&mut self) -> Option<Wake> {
        let offer = self.first_offer()?;
        // SAFETY: it hangs in this list, and the lock is held.
        unsafe { self.state.senders.remove(offer) };
        self.publish_senders();
        // SAFETY: it hung in our list, so it is alive until its stage is final.
        let waiter = unsafe { offer.as_ref() };
        // SAFETY: the lock is held.
        let wake = unsafe { waiter.shared(|shared| shared.wake.take()) };
        let wake = wake.map(Wake::carry);
        // SAFETY: as above; the lock is held. Its message is where it was.
        unsafe { Waiter::finish(offer, Stage::Declined) };
        wake
    }

    fn first_offer(&self) -> Link<T> {
        let mut candidate: Option<NonNull<Waiter<T>>> = self.state.senders.first();
        while let Some(node) = candidate {
            // SAFETY: it hangs in our list, so it is alive.
            if unsafe { node.as_ref() }.is_offer() {
                return Some(node);
            }
            // SAFETY: as above, and the lock is held.
            candidate = unsafe { list::next(node) };
        }
        None
    }
}
