//! The futures of a channel. Each holds its waiter in place, so it is pinned while it waits, and withdraws
//! when it is dropped.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::{
    core::Core,
    error::{ReadyError, RecvError, SendError},
    held::Held,
    state::State,
    waiter::{Stage, Waiter},
};
use crate::sync::{Arc, schedule, task};

pin_project! {
    /// A send under way; see [`Sender::send_async`](super::Sender::send_async).
    #[must_use = "a future sends nothing unless it is polled"]
    pub struct SendFuture<'a, T> {
        core: &'a Core<T>,
        #[pin]
        waiter: Waiter<T>,
    }

    impl<T> PinnedDrop for SendFuture<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            drop(this.withdraw());
        }
    }
}

impl<'a, T> SendFuture<'a, T> {
    #[track_caller]
    pub(super) fn new(core: &'a Core<T>, message: T) -> Self {
        Self {
            core,
            waiter: Waiter::with(message),
        }
    }

    /// A send of a task that must do several, and cannot go on before all are done.
    #[cfg(not(loom))]
    #[track_caller]
    pub(super) fn one_of_all(core: &'a Core<T>, message: T) -> Self {
        Self {
            core,
            waiter: Waiter::with(message).into_one_of_all(),
        }
    }

    /// Gives the send up, and returns its message if that was certainly not taken.
    ///
    /// `None` says that the message was taken, or that it is in the hands of an acceptor, or that its outcome
    /// is in doubt, or that the future has already given its result. The future must not be polled again.
    #[must_use = "a message that was not taken is in it"]
    pub fn withdraw(self: Pin<&mut Self>) -> Option<T> {
        let this = self.into_ref().project_ref();
        this.core.cancel_send(this.waiter)
    }
}

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "it is a look at the stage, and one call"
    )]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().project_ref();
        this.core.poll_send(this.waiter, context)
    }
}

pin_project! {
    /// A send under way whose message goes back to where it came from if it is not taken; see
    /// [`Sender::send_from`](super::Sender::send_from).
    #[must_use = "a future sends nothing unless it is polled"]
    pub struct SendFromFuture<'a, T> {
        home: &'a mut Option<T>,
        #[pin]
        send: Option<SendFuture<'a, T>>,
    }

    impl<T> PinnedDrop for SendFromFuture<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(message) = this.send.as_pin_mut().and_then(SendFuture::withdraw) {
                **this.home = Some(message);
            }
        }
    }
}

impl<'a, T> SendFromFuture<'a, T> {
    #[track_caller]
    pub(super) fn new(core: &'a Core<T>, home: &'a mut Option<T>) -> Self {
        let send = match home.take() {
            Some(message) => Some(SendFuture::new(core, message)),
            None => None,
        };
        Self { home, send }
    }
}

impl<T> Future for SendFromFuture<'_, T> {
    type Output = Result<(), SendError<()>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(send) = this.send.as_pin_mut() else {
            return Poll::Ready(Ok(()));
        };
        let outcome = ready!(send.poll(context)).map_err(|error| {
            let (error, message) = error.split();
            **this.home = Some(message);
            error
        });
        Poll::Ready(outcome)
    }
}

pin_project! {
    /// A receive under way; see [`Receiver::recv_async`](super::Receiver::recv_async).
    #[must_use = "a future receives nothing unless it is polled"]
    pub struct RecvFuture<'a, T> {
        core: &'a Core<T>,
        #[pin]
        waiter: Waiter<T>,
    }

    impl<T> PinnedDrop for RecvFuture<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.into_ref().project_ref();
            this.core.cancel_recv(this.waiter);
        }
    }
}

impl<'a, T> RecvFuture<'a, T> {
    #[track_caller]
    pub(super) fn new(core: &'a Core<T>) -> Self {
        Self {
            core,
            waiter: Waiter::empty(),
        }
    }
}

impl<T> Future for RecvFuture<'_, T> {
    type Output = Result<T, RecvError>;

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "it is a look at the stage, and one call"
    )]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().project_ref();
        this.core.poll_recv(this.waiter, context)
    }
}

pin_project! {
    /// A receive into custody under way; see
    /// [`Receiver::recv_held_async`](super::Receiver::recv_held_async).
    #[must_use = "a future receives nothing unless it is polled"]
    pub struct RecvHeldFuture<'a, T> {
        core: &'a Arc<Core<T>>,
        bound: bool,
        #[pin]
        waiter: Waiter<T>,
    }

    impl<T> PinnedDrop for RecvHeldFuture<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.into_ref().project_ref();
            this.core.cancel_recv(this.waiter);
        }
    }
}

impl<'a, T> RecvHeldFuture<'a, T> {
    /// `bound`: the process that receives keeps the message until it is answered.
    #[track_caller]
    pub(super) fn new(core: &'a Arc<Core<T>>, bound: bool) -> Self {
        Self {
            core,
            bound,
            waiter: Waiter::empty(),
        }
    }
}

impl<T> Future for RecvHeldFuture<'_, T> {
    type Output = Result<Held<T>, RecvError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().project_ref();
        let core = this.core;
        if this.waiter.is(Stage::Idle) && schedule::is_to_wait(context) {
            return Poll::Pending;
        }
        let acceptor = if *this.bound {
            task::current_id()
        } else {
            None
        };
        core.poll_to_take(this.waiter, context, |locked| {
            let (hold, wake) = locked.hold(acceptor)?;
            Some((Held::new(Arc::clone(core), hold), wake))
        })
    }
}

pin_project! {
    /// A wait for demand; see [`Sender::ready_async`](super::Sender::ready_async).
    #[must_use = "a future waits for nothing unless it is polled"]
    pub struct ReadyFuture<'a, T> {
        core: &'a Core<T>,
        #[pin]
        waiter: Waiter<T>,
    }

    impl<T> PinnedDrop for ReadyFuture<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.into_ref().project_ref();
            this.core.cancel_ready(this.waiter);
        }
    }
}

impl<'a, T> ReadyFuture<'a, T> {
    #[track_caller]
    pub(super) fn new(core: &'a Core<T>) -> Self {
        Self {
            core,
            waiter: Waiter::empty(),
        }
    }
}

impl<T> Future for ReadyFuture<'_, T> {
    type Output = Result<(), ReadyError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().project_ref();
        this.core.poll_ready(this.waiter, context)
    }
}

pin_project! {
    /// A wait for the other side to go; see [`Sender::closed_async`](super::Sender::closed_async) and
    /// [`Receiver::closed_async`](super::Receiver::closed_async).
    #[must_use = "a future waits for nothing unless it is polled"]
    pub struct ClosedFuture<'a, T> {
        core: &'a Core<T>,
        gone: fn(&State<T>) -> bool,
        #[pin]
        waiter: Waiter<T>,
    }

    impl<T> PinnedDrop for ClosedFuture<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.into_ref().project_ref();
            this.core.cancel_closed(this.waiter);
        }
    }
}

impl<'a, T> ClosedFuture<'a, T> {
    #[track_caller]
    pub(super) fn new(core: &'a Core<T>, gone: fn(&State<T>) -> bool) -> Self {
        Self {
            core,
            gone,
            waiter: Waiter::empty(),
        }
    }
}

impl<T> Future for ClosedFuture<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.into_ref().project_ref();
        this.core.poll_closed(this.waiter, *this.gone, context)
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

opaque_debug!(
    SendFuture,
    SendFromFuture,
    RecvFuture,
    RecvHeldFuture,
    ReadyFuture,
    ClosedFuture
);
