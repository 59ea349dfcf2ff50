//! What travels to an actor: a message with a place for what becomes of it, in one box.

use std::{any::Any, future::Future, pin::Pin};

use super::{Actor, Context, Handler, InHand};
use crate::{channel::Reason, process::ProcessError};

/// What the channel of an actor carries.
#[doc(hidden)]
pub enum Letter<A: Actor> {
    Message(Box<dyn Carried<A>>),
    Stop,
}

/// The handler of a message, at work.
pub(super) type Handling<'a> = Pin<Box<dyn Future<Output = Result<(), ProcessError>> + Send + 'a>>;

/// A message of a type that only its sender and the actor's handler know.
#[doc(hidden)]
pub trait Carried<A: Actor>: Any + Send {
    fn handle<'a>(&'a mut self, actor: &'a mut A, context: &'a Context<'_, A>) -> Handling<'a>;
    /// Notes that the actor has failed with it.
    fn fail(&mut self, reason: Reason);
    /// Whether its sender waits only until it is taken.
    fn is_given(&self) -> bool;
}

/// What has become of a message.
pub(super) enum Outcome<R> {
    /// The actor has not come to it, or has gone in the middle of it.
    Unknown,
    Replied(R),
    Failed(Reason),
}

/// A message, and what has become of it.
pub(super) struct Enclosed<M, R> {
    /// `None` once the handler has taken it.
    pub(super) message: Option<M>,
    pub(super) outcome: Outcome<R>,
    is_given: bool,
}

impl<M: Send + 'static, R: Send + 'static> Enclosed<M, R> {
    pub(super) fn letter<A: Handler<M, Reply = R>>(message: M, is_given: bool) -> Letter<A> {
        Letter::Message(Box::new(Self {
            message: Some(message),
            outcome: Outcome::Unknown,
            is_given,
        }))
    }

    /// The message of a letter that has come back to whoever sent it.
    pub(super) fn of<A: Actor>(letter: Letter<A>) -> Self {
        let Letter::Message(carried) = letter else {
            unreachable!("what comes back is what was sent")
        };
        let carried: Box<dyn Any> = carried;
        match carried.downcast() {
            Ok(enclosed) => *enclosed,
            Err(_) => unreachable!("what comes back is what was sent"),
        }
    }
}

impl<A, M> Carried<A> for Enclosed<M, A::Reply>
where
    A: Handler<M>,
    M: Send + 'static,
{
    fn handle<'a>(&'a mut self, actor: &'a mut A, context: &'a Context<'_, A>) -> Handling<'a> {
        let Self {
            message, outcome, ..
        } = self;
        Box::pin(async move {
            let reply = actor.handle(InHand::new(message), context).await?;
            *outcome = Outcome::Replied(reply);
            Ok(())
        })
    }

    fn fail(&mut self, reason: Reason) {
        self.outcome = Outcome::Failed(reason);
    }

    fn is_given(&self) -> bool {
        self.is_given
    }
}
