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
    /// Notes that the actor has not begun with it, and never will.
    fn refuse(&mut self, reason: Reason);
    /// Whether its sender waits only until it is taken.
    fn is_given(&self) -> bool;
    /// Lets the actor have the reply that nobody waits for any more; whether there was one.
    fn unheard(self: Box<Self>, actor: &mut A, context: &Context<'_, A>) -> bool;
}

/// What its sender waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    Taken,
    Handled,
    Replied,
}

/// What has become of a message.
pub(super) enum Outcome<R> {
    /// The actor has not come to it, or has gone in the middle of it.
    Unknown,
    Replied(R),
    Failed(Reason),
    /// The actor had it in hand, and never began with it.
    Refused(Reason),
}

/// A message, and what has become of it.
pub(super) struct Enclosed<M, R> {
    /// `None` once the handler has taken it.
    pub(super) message: Option<M>,
    pub(super) outcome: Outcome<R>,
    until: Until,
}

impl<M: Send + 'static, R: Send + 'static> Enclosed<M, R> {
    pub(super) fn letter<A: Handler<M, Reply = R>>(message: M, until: Until) -> Letter<A> {
        Letter::Message(Box::new(Self {
            message: Some(message),
            outcome: Outcome::Unknown,
            until,
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

    fn refuse(&mut self, reason: Reason) {
        self.outcome = Outcome::Refused(reason);
    }

    fn is_given(&self) -> bool {
        self.until == Until::Taken
    }

    fn unheard(self: Box<Self>, actor: &mut A, context: &Context<'_, A>) -> bool {
        match (self.outcome, self.until) {
            (Outcome::Replied(reply), Until::Replied) => {
                actor.unheard(reply, context);
                true
            }
            _ => false,
        }
    }
}
