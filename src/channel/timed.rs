//! Sends and receives that give up at an instant, for tasks on any executor.
//!
//! The operation is the plain one; an [`Alarm`] wakes the task when its time is up. Then the task, in its own poll
//! and under the channel's lock, either withdraws, or finds that a peer was first.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use pin_project_lite::pin_project;

use super::{
    Receiver, Sender,
    core::Core,
    error::{RecvTimeoutError, SendError, SendTimeoutError},
    state::Role,
    waiter::{Stage, Waiter},
};
use crate::sync::{
    alarm::Alarm,
    time::{Moment, deadline_after},
};

impl<T> Sender<T> {
    /// Hands `message` over within `timeout`, without blocking the thread, on any executor.
    ///
    /// The time counts from this call, and stops counting once a receiver has accepted the message
    /// ([`Receiver::accept`]): it then takes as long as that receiver takes. One thread, which the whole process
    /// shares, wakes tasks in time; it runs only while a task waits so. (A waker that blocks would stop it for all:
    /// wakers must not.)
    ///
    /// ```
    /// # use std::time::Duration;
    /// # futures_util::FutureExt::now_or_never(async {
    /// let (tx, rx) = handover::channel();
    /// let late = tx.send_timeout_async("invoice", Duration::ZERO).await;
    /// assert_eq!(late.map_err(|error| error.into_inner()), Err("invoice")); // nobody took it, and nobody will
    /// # drop(rx);
    /// # }).expect("a timeout of zero waits for nothing");
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`], with the message. After [`SendTimeoutError::Timeout`] the message was certainly not
    /// taken and will not be. With a `timeout` of zero, only a blocked thread can take it in time: a waiting
    /// future must be woken first.
    ///
    /// # Cancel safety
    ///
    /// As for [`send_async`](Self::send_async): dropped before the message was taken, the future drops it. Wrapped
    /// in another timeout or a `select!`, use [`send_timeout_from`](Self::send_timeout_from).
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it has resolved, or if the process may not start the one
    /// thread.
    #[track_caller]
    pub fn send_timeout_async(&self, message: T, timeout: Duration) -> SendTimeoutFuture<'_, T> {
        SendTimeoutFuture::new(&self.core, message, deadline_after(timeout))
    }

    /// As [`send_timeout_async`](Self::send_timeout_async), until `deadline`.
    #[track_caller]
    pub fn send_deadline_async(&self, message: T, deadline: Instant) -> SendTimeoutFuture<'_, T> {
        SendTimeoutFuture::new(&self.core, message, Some(deadline))
    }

    /// Hands over the message that is in `home` within `timeout`, and puts it back if it is not taken: what
    /// [`send_from`](Self::send_from) is to [`send_async`](Self::send_async).
    ///
    /// With nothing in `home` there is nothing to do, and the future resolves at once.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout_async`](Self::send_timeout_async), with the message in `home` instead of in the
    /// error; after [`SendTimeoutError::InDoubt`] that is a copy of a message that may have been taken.
    ///
    /// # Cancel safety
    ///
    /// When the future fails, or is dropped, `home` has the message again if and only if it was certainly not
    /// taken. Nothing is lost.
    ///
    /// # Panics
    ///
    /// As for [`send_timeout_async`](Self::send_timeout_async).
    #[track_caller]
    pub fn send_timeout_from<'a>(
        &'a self,
        home: &'a mut Option<T>,
        timeout: Duration,
    ) -> SendTimeoutFromFuture<'a, T> {
        SendTimeoutFromFuture::new(&self.core, home, deadline_after(timeout))
    }

    /// As [`send_timeout_from`](Self::send_timeout_from), until `deadline`.
    #[track_caller]
    pub fn send_deadline_from<'a>(
        &'a self,
        home: &'a mut Option<T>,
        deadline: Instant,
    ) -> SendTimeoutFromFuture<'a, T> {
        SendTimeoutFromFuture::new(&self.core, home, Some(deadline))
    }
}

impl<T> Receiver<T> {
    /// Takes a message within `timeout`, without blocking the thread, on any executor.
    ///
    /// The time counts from this call. One thread, which the whole process shares, wakes tasks in time; it runs
    /// only while a task waits so.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`]; no message was taken then.
    ///
    /// # Cancel safety
    ///
    /// As for [`recv_async`](Self::recv_async): a message is taken only by the `poll` that returns it.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it has resolved, or if the process may not start the one
    /// thread.
    #[track_caller]
    pub fn recv_timeout_async(&self, timeout: Duration) -> RecvTimeoutFuture<'_, T> {
        RecvTimeoutFuture::new(&self.core, deadline_after(timeout))
    }

    /// As [`recv_timeout_async`](Self::recv_timeout_async), until `deadline`.
    #[track_caller]
    pub fn recv_deadline_async(&self, deadline: Instant) -> RecvTimeoutFuture<'_, T> {
        RecvTimeoutFuture::new(&self.core, Some(deadline))
    }
}

impl<T> Core<T> {
    /// Gives up what waits as `waiter`, unless a peer was first; returns whether it did.
    fn time_out(&self, role: Role, waiter: Pin<&Waiter<T>>) -> bool {
        let mut locked = self.lock();
        if waiter.stage() != Stage::Waiting {
            return false;
        }
        let wake = locked.leave(role, waiter);
        drop(locked);
        drop(wake);
        true
    }
}

/// Why a send with a deadline has failed; its message is in it.
enum Failed<T> {
    Timeout(T),
    Before(SendError<T>),
}

pin_project! {
    /// A send under way that gives up in time; see
    /// [`Sender::send_timeout_async`](super::Sender::send_timeout_async).
    #[must_use = "a future sends nothing unless it is polled"]
    pub struct SendTimeoutFuture<'a, T> {
        core: &'a Core<T>,
        // `None` if there is none that the clock can tell, or no longer.
        deadline: Option<Instant>,
        alarm: Alarm,
        #[pin]
        waiter: Waiter<T>,
    }

    impl<T> PinnedDrop for SendTimeoutFuture<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            drop(this.withdraw());
        }
    }
}

impl<'a, T> SendTimeoutFuture<'a, T> {
    #[track_caller]
    fn new(core: &'a Core<T>, message: T, deadline: Option<Instant>) -> Self {
        Self {
            core,
            deadline,
            alarm: Alarm::new(),
            waiter: Waiter::with(message),
        }
    }

    /// Gives the send up, and returns its message if that was certainly not taken.
    ///
    /// As [`SendFuture::withdraw`](super::SendFuture::withdraw).
    #[must_use = "a message that was not taken is in it"]
    pub fn withdraw(self: Pin<&mut Self>) -> Option<T> {
        let this = self.project();
        this.alarm.clear();
        this.core.cancel_send(this.waiter.into_ref())
    }

    fn poll_send(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Failed<T>>> {
        let this = self.project();
        let (core, waiter) = (*this.core, this.waiter.into_ref());
        loop {
            if let Poll::Ready(outcome) = core.poll_send(waiter, context) {
                this.alarm.clear();
                return Poll::Ready(outcome.map_err(Failed::Before));
            }
            let Some(deadline) = *this.deadline else {
                return Poll::Pending;
            };
            if waiter.is(Stage::Idle) {
                // It has not begun: it does so in another turn.
                return Poll::Pending;
            }
            if !Moment::look(this.alarm.is_set()).has_come_to(deadline) {
                this.alarm.set(deadline, context);
                return Poll::Pending;
            }
            this.alarm.clear();
            if core.time_out(Role::Sender, waiter) {
                return match core.cancel_send(waiter) {
                    Some(message) => Poll::Ready(Err(Failed::Timeout(message))),
                    None => unreachable!("a send that has withdrawn has its message"),
                };
            }
            if waiter.is(Stage::Held) {
                // Its acceptor alone ends the wait, unless it declines.
                return Poll::Pending;
            }
            // It was answered meanwhile.
        }
    }
}

impl<T> Future for SendTimeoutFuture<'_, T> {
    type Output = Result<(), SendTimeoutError<T>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_send(context).map_err(|failed| match failed {
            Failed::Timeout(message) => SendTimeoutError::Timeout(message),
            Failed::Before(error) => error.into(),
        })
    }
}

pin_project! {
    /// A send under way that gives up in time, and whose message goes back to where it came from if it is not
    /// taken; see [`Sender::send_timeout_from`](super::Sender::send_timeout_from).
    #[must_use = "a future sends nothing unless it is polled"]
    pub struct SendTimeoutFromFuture<'a, T> {
        home: &'a mut Option<T>,
        #[pin]
        send: Option<SendTimeoutFuture<'a, T>>,
    }

    impl<T> PinnedDrop for SendTimeoutFromFuture<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(message) = this.send.as_pin_mut().and_then(SendTimeoutFuture::withdraw) {
                **this.home = Some(message);
            }
        }
    }
}

impl<'a, T> SendTimeoutFromFuture<'a, T> {
    #[track_caller]
    fn new(core: &'a Core<T>, home: &'a mut Option<T>, deadline: Option<Instant>) -> Self {
        let send = home
            .take()
            .map(|message| SendTimeoutFuture::new(core, message, deadline));
        Self { home, send }
    }
}

impl<T> Future for SendTimeoutFromFuture<'_, T> {
    type Output = Result<(), SendTimeoutError<()>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(send) = this.send.as_pin_mut() else {
            return Poll::Ready(Ok(()));
        };
        let outcome = ready!(send.poll_send(context)).map_err(|failed| {
            let (error, message) = match failed {
                Failed::Timeout(message) => (SendTimeoutError::Timeout(()), message),
                Failed::Before(error) => {
                    let (error, message) = error.split();
                    (error.into(), message)
                }
            };
            **this.home = Some(message);
            error
        });
        Poll::Ready(outcome)
    }
}

pin_project! {
    /// A receive under way that gives up in time; see
    /// [`Receiver::recv_timeout_async`](super::Receiver::recv_timeout_async).
    #[must_use = "a future receives nothing unless it is polled"]
    pub struct RecvTimeoutFuture<'a, T> {
        core: &'a Core<T>,
        deadline: Option<Instant>,
        alarm: Alarm,
        #[pin]
        waiter: Waiter<T>,
    }

    impl<T> PinnedDrop for RecvTimeoutFuture<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.into_ref().project_ref();
            this.core.cancel_recv(this.waiter);
        }
    }
}

impl<'a, T> RecvTimeoutFuture<'a, T> {
    #[track_caller]
    fn new(core: &'a Core<T>, deadline: Option<Instant>) -> Self {
        Self {
            core,
            deadline,
            alarm: Alarm::new(),
            waiter: Waiter::empty(),
        }
    }
}

impl<T> Future for RecvTimeoutFuture<'_, T> {
    type Output = Result<T, RecvTimeoutError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().project_ref();
        if let Poll::Ready(outcome) = this.core.poll_recv(this.waiter, context) {
            this.alarm.clear();
            return Poll::Ready(outcome.map_err(Into::into));
        }
        let Some(deadline) = *this.deadline else {
            return Poll::Pending;
        };
        if this.waiter.is(Stage::Idle) {
            // It has not begun: it does so in another turn.
            return Poll::Pending;
        }
        if !Moment::look(this.alarm.is_set()).has_come_to(deadline) {
            this.alarm.set(deadline, context);
            return Poll::Pending;
        }
        this.alarm.clear();
        // Nobody gives to a future, so it has nothing; if it was woken just now, another is woken in its place.
        this.core.cancel_recv(this.waiter);
        this.waiter.spend();
        Poll::Ready(Err(RecvTimeoutError::Timeout))
    }
}

macro_rules! opaque_debug {
    ($($future:ident),+) => {$(
        impl<T> fmt::Debug for $future<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($future)).finish_non_exhaustive()
            }
        }
    )+};
}

opaque_debug!(SendTimeoutFuture, SendTimeoutFromFuture, RecvTimeoutFuture);
