//! A question under way, and what has become of it.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Instant,
};

use pin_project_lite::pin_project;

use super::{
    Actor, Handler,
    address::ActorError,
    letter::{Enclosed, Letter, Outcome, Until},
};
use crate::{
    channel::{SendError, SendFuture, SendTimeoutError},
    pattern::{Withdrawn, in_time::in_time},
    process::{BlockingOut, Out},
    sync::drive,
};

/// What has become of a message, from what has become of its letter.
fn reply_in<A, M>(sent: Result<(), SendError<Letter<A>>>) -> Result<A::Reply, ActorError<M>>
where
    A: Handler<M>,
    M: Send + 'static,
{
    let Err(error) = sent else {
        unreachable!("a letter that is waited for is only ever handed back")
    };
    let (error, letter) = error.split();
    let Enclosed {
        message, outcome, ..
    } = Enclosed::<M, A::Reply>::of(letter);
    match (outcome, error, message) {
        (Outcome::Replied(reply), _, _) => Ok(reply),
        (Outcome::Failed(reason), _, message) => Err(ActorError::Failed { message, reason }),
        (Outcome::Refused(reason), _, Some(message)) => Err(ActorError::Down(message, reason)),
        (Outcome::Unknown, SendError::Disconnected(()), Some(message)) => {
            Err(ActorError::Stopped(message))
        }
        (Outcome::Unknown, SendError::Poisoned((), reason), Some(message)) => {
            Err(ActorError::Down(message, reason))
        }
        (_, _, message) => Err(ActorError::Failed {
            message,
            reason: "its run was ended".into(),
        }),
    }
}

/// What has become of a message whose time is up, from the letter if that is back.
fn late<A, M>(letter: Option<Letter<A>>) -> Result<A::Reply, ActorError<M>>
where
    A: Handler<M>,
    M: Send + 'static,
{
    let Some(letter) = letter else {
        return Err(ActorError::Timeout(None));
    };
    let Enclosed {
        message, outcome, ..
    } = Enclosed::<M, A::Reply>::of(letter);
    match (outcome, message) {
        // These came at the last moment.
        (Outcome::Replied(reply), _) => Ok(reply),
        (Outcome::Failed(reason), message) => Err(ActorError::Failed { message, reason }),
        (Outcome::Refused(reason), Some(message)) => Err(ActorError::Down(message, reason)),
        (_, message) => Err(ActorError::Timeout(message)),
    }
}

/// What has become of a message that is given.
pub(super) fn taken_in<A, M>(sent: Result<(), SendError<Letter<A>>>) -> Result<(), ActorError<M>>
where
    A: Handler<M>,
    M: Send + 'static,
{
    match sent {
        Ok(()) => Ok(()),
        Err(error) => reply_in(Err(error)).map(drop),
    }
}

/// As [`taken_in`], of one with a limit of time.
pub(super) fn taken_in_time<A, M>(
    sent: Result<(), SendTimeoutError<Letter<A>>>,
) -> Result<(), ActorError<M>>
where
    A: Handler<M>,
    M: Send + 'static,
{
    let error = match sent {
        Ok(()) => return Ok(()),
        Err(SendTimeoutError::Timeout(letter)) => return late(Some(letter)).map(drop),
        Err(SendTimeoutError::Disconnected(letter)) => SendError::Disconnected(letter),
        Err(SendTimeoutError::Poisoned(letter, reason)) => SendError::Poisoned(letter, reason),
        Err(SendTimeoutError::Returned(letter)) => SendError::Returned(letter),
        Err(SendTimeoutError::InDoubt(letter)) => SendError::InDoubt(letter),
    };
    taken_in(Err(error))
}

/// What a stop has come to.
pub(super) fn stop_in<A: Actor>(
    sent: Result<(), SendError<Letter<A>>>,
) -> Result<(), ActorError<()>> {
    match sent.map_err(|error| error.split().0) {
        Ok(()) | Err(SendError::Disconnected(())) => Ok(()),
        Err(SendError::Poisoned((), reason)) => Err(ActorError::Down((), reason)),
        Err(_) => Err(ActorError::Failed {
            message: None,
            reason: "it failed while it stopped".into(),
        }),
    }
}

pin_project! {
    /// A question under way; see [`Address::ask`](super::Address::ask).
    #[must_use = "a future asks nothing unless it is polled"]
    pub struct Asking<'a, A: Actor, M> {
        #[pin]
        sending: SendFuture<'a, Letter<A>>,
        message: PhantomData<fn() -> M>,
    }
}

impl<'a, A, M> Asking<'a, A, M>
where
    A: Handler<M>,
    M: Send + 'static,
{
    #[track_caller]
    pub(super) fn new(out: &'a Out<Letter<A>>, message: M, until: Until) -> Self {
        Self {
            sending: out.send(Enclosed::letter::<A>(message, until)),
            message: PhantomData,
        }
    }

    /// Gives the question up, and says how far it had come, as where it has lost in a `select!`. If the actor has it, its
    /// reply will be [unheard](Handler::unheard). The future must not be polled again.
    ///
    /// That the actor has failed with it meanwhile, and it came back, is [`Withdrawn::Question`] too.
    pub fn withdraw(self: Pin<&mut Self>) -> Withdrawn<M, A::Reply> {
        match late(self.project().sending.withdraw()) {
            Ok(reply) => Withdrawn::Answer(reply),
            Err(error) => error
                .into_message()
                .map_or(Withdrawn::Taken, Withdrawn::Question),
        }
    }

    /// Waits until `deadline`, and then gives up.
    pub(super) async fn until(self, deadline: Option<Instant>) -> Result<A::Reply, ActorError<M>> {
        let mut asking = pin!(self);
        match in_time(asking.as_mut(), deadline).await {
            Some(result) => result,
            None => late(asking.project().sending.withdraw()),
        }
    }
}

impl<A, M> Future for Asking<'_, A, M>
where
    A: Handler<M>,
    M: Send + 'static,
{
    type Output = Result<A::Reply, ActorError<M>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(reply_in(ready!(self.project().sending.poll(context))))
    }
}

impl<A: Actor, M> fmt::Debug for Asking<'_, A, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").finish_non_exhaustive()
    }
}

/// Asks, blocking the thread.
#[track_caller]
pub(super) fn ask_blocking<A, M>(
    out: &BlockingOut<Letter<A>>,
    message: M,
    until: Until,
) -> Result<A::Reply, ActorError<M>>
where
    A: Handler<M>,
    M: Send + 'static,
{
    reply_in(out.send(Enclosed::letter::<A>(message, until)))
}

/// Asks, blocking the thread until `deadline` at most.
#[track_caller]
pub(super) fn ask_blocking_until<A, M>(
    out: &BlockingOut<Letter<A>>,
    message: M,
    until: Until,
    deadline: Option<Instant>,
) -> Result<A::Reply, ActorError<M>>
where
    A: Handler<M>,
    M: Send + 'static,
{
    let mut sending = pin!(out.sending(Enclosed::letter::<A>(message, until)));
    match drive(sending.as_mut(), deadline) {
        Some(sent) => reply_in(sent),
        None => late(sending.withdraw()),
    }
}
