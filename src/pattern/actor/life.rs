//! The life of an actor: one process, which makes it, hands it its messages, and makes it anew when it fails.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Duration,
};

use super::{
    Actor, Context,
    gauge::Gauge,
    letter::{Carried, Letter},
    restarts::{Failure, Restarts},
    supervisor::{Membership, Order},
};
use crate::{
    channel::{Reason, RecvError},
    process::{HeldIn, Here, In, Ports, ProcessResult},
    sync::{Arc, time},
};

pub(super) type ActorPorts<A> = (In<Letter<A>>, <<A as Actor>::Ports as Ports>::Async, Here);

/// What becomes of an actor that fails, and what it counts.
pub(super) struct Supervision {
    pub(super) restarts: Restarts,
    pub(super) membership: Option<Membership>,
    pub(super) gauge: Arc<Gauge>,
}

/// What follows from a failure.
enum Verdict {
    /// A new one is made, because of this.
    Renew(String),
    Down(Failure),
}

impl Supervision {
    pub(super) fn none(name: &str) -> Self {
        Self {
            restarts: Restarts::new(0, Duration::ZERO),
            membership: None,
            gauge: Gauge::named(name),
        }
    }

    /// What the actor is to do before its next message, if anything.
    fn take_order(&self) -> Option<Order> {
        self.membership.as_ref().and_then(Membership::take_order)
    }

    /// Judges a failure, before anybody else hears of it.
    fn judge(&mut self, actor: &str, failure: Failure) -> Verdict {
        self.gauge.failed();
        match self.take_order() {
            // It was to be made anew in any case; nothing more is counted for that.
            Some(Order::Renew(_)) => return Verdict::Renew(failure.to_string()),
            Some(Order::Stop(_)) => return Verdict::Down(failure),
            None => {}
        }
        let now = time::now();
        let failure = match self.restarts.allow(failure, now) {
            Ok(reason) => return Verdict::Renew(reason),
            Err(failure) => failure,
        };
        let Some(membership) = &self.membership else {
            return Verdict::Down(failure);
        };
        match membership.failed(actor, &failure, now) {
            Ok(()) => Verdict::Renew(failure.to_string()),
            Err(limit) => Verdict::Down(limit),
        }
    }
}

/// Runs a part of the actor's own code; a panic is a failure as any other.
async fn contained<R>(doing: impl Future<Output = ProcessResult<R>>) -> Result<R, Failure> {
    let mut doing = pin!(doing);
    poll_fn(move |context| {
        // After a panic the actor is dropped, and nothing else of what it was doing is seen.
        match catch_unwind(AssertUnwindSafe(|| doing.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => Poll::Ready(result.map_err(Failure::Error)),
            Err(payload) => Poll::Ready(Err(Failure::Panic(payload))),
        }
    })
    .await
}

/// What follows when a letter was dealt with.
enum Next {
    GoOn,
    Stop,
}

/// An actor in its process.
struct Living<'a, A: Actor, F> {
    context: Context<'a, A>,
    make: F,
    /// `None` after a failure.
    actor: Option<A>,
    supervision: Supervision,
    name: String,
}

pub(super) async fn live<A: Actor>(
    (letters, ports, here): &ActorPorts<A>,
    make: impl FnMut() -> A + Send,
    supervision: Supervision,
) -> ProcessResult {
    let name = here.name();
    supervision.gauge.rename(name.clone());
    let mut living = Living {
        context: Context::new(ports, here),
        make,
        actor: None,
        supervision,
        name,
    };
    if let Err(failure) = living.begin().await {
        return failure.go_up();
    }
    loop {
        if living.context.is_stopping() {
            return living.stopped().await;
        }
        let letter = match letters.recv_held().await {
            Ok(letter) => letter,
            Err(RecvError::Disconnected) => return living.stopped().await,
            Err(poisoned) => {
                living.stopped().await?;
                return Err(poisoned.into());
            }
        };
        match living.deal_with(letter).await {
            Ok(Next::GoOn) => {}
            Ok(Next::Stop) => return Ok(()),
            Err(failure) => return failure.go_up(),
        }
    }
}

impl<A: Actor, F: FnMut() -> A + Send> Living<'_, A, F> {
    /// The actor; there is one between two messages.
    fn actor(&mut self) -> (&mut A, &Context<'_, A>) {
        match &mut self.actor {
            Some(actor) => (actor, &self.context),
            None => unreachable!("it was made, or its process has ended"),
        }
    }

    async fn make(&mut self) -> Result<(), Failure> {
        let make = &mut self.make;
        self.actor = Some(contained(async { Ok(make()) }).await?);
        Ok(())
    }

    fn judge(&mut self, failure: Failure) -> Verdict {
        self.supervision.judge(&self.name, failure)
    }

    /// The first one begins.
    async fn begin(&mut self) -> Result<(), Failure> {
        let started = match self.make().await {
            Ok(()) => {
                let (actor, context) = self.actor();
                contained(actor.started(context)).await
            }
            Err(failure) => Err(failure),
        };
        match started {
            Ok(()) => Ok(()),
            Err(failure) => {
                let verdict = self.judge(failure);
                self.follow(verdict).await
            }
        }
    }

    /// Makes it anew, until one has begun or no more is allowed.
    async fn follow(&mut self, mut verdict: Verdict) -> Result<(), Failure> {
        loop {
            let reason = match verdict {
                Verdict::Renew(reason) => reason,
                Verdict::Down(failure) => return Err(failure),
            };
            self.context.forget();
            self.actor = None;
            self.supervision.gauge.restarted();
            let restarted = match self.make().await {
                Ok(()) => {
                    let (actor, context) = self.actor();
                    contained(actor.restarted(context, &reason)).await
                }
                Err(failure) => Err(failure),
            };
            verdict = match restarted {
                Ok(()) => return Ok(()),
                Err(failure) => self.judge(failure),
            };
        }
    }

    async fn stopped(&mut self) -> ProcessResult {
        let (actor, context) = self.actor();
        match contained(actor.stopped(context)).await {
            Ok(()) => Ok(()),
            Err(failure) => failure.go_up(),
        }
    }

    async fn deal_with(&mut self, mut letter: HeldIn<'_, Letter<A>>) -> Result<Next, Failure> {
        let Letter::Message(message) = &mut *letter else {
            // A failure hands it back, so that whoever stops the actor hears of it.
            self.stopped().await.map_err(Failure::Error)?;
            drop(letter.release());
            return Ok(Next::Stop);
        };
        match self.supervision.take_order() {
            None => {}
            Some(Order::Renew(reason)) => {
                if let Err(failure) = self.follow(Verdict::Renew(reason.to_string())).await {
                    message.refuse(failure.to_string().into());
                    drop(letter.hand_back());
                    return Err(failure);
                }
            }
            Some(Order::Stop(reason)) => {
                message.refuse(reason);
                drop(letter.hand_back());
                self.stopped().await.map_err(Failure::Error)?;
                return Ok(Next::Stop);
            }
        }
        if message.is_given() {
            let Letter::Message(mut message) = letter.release() else {
                unreachable!("it was a message a moment ago")
            };
            let (actor, context) = self.actor();
            let handled = contained(message.handle(actor, context)).await;
            drop(message);
            let handled = handled.map_err(|failure| self.judge(failure));
            return self.after(handled).await;
        }
        let (actor, context) = self.actor();
        let handled = contained(message.handle(actor, context)).await;
        let handled = handled.map_err(|failure| {
            let reason = Reason::from(failure.to_string());
            let verdict = self.judge(failure);
            message.fail(reason);
            verdict
        });
        let unheard = letter.hand_back().err();
        self.after(handled).await?;
        if let Some(Letter::Message(message)) = unheard {
            self.unheard(message).await?;
        }
        Ok(Next::GoOn)
    }

    /// What follows when a message was handled, so.
    async fn after(&mut self, handled: Result<(), Verdict>) -> Result<Next, Failure> {
        match handled {
            Ok(()) => self.supervision.gauge.handled(),
            Err(verdict) => self.follow(verdict).await?,
        }
        Ok(Next::GoOn)
    }

    /// Whoever sent this has gone: if there is a reply, it is for nobody.
    async fn unheard(&mut self, message: Box<dyn Carried<A>>) -> Result<(), Failure> {
        let (actor, context) = self.actor();
        match contained(async { Ok(message.unheard(actor, context)) }).await {
            Ok(was_reply) => {
                if was_reply {
                    self.supervision.gauge.unheard();
                }
                Ok(())
            }
            Err(failure) => {
                let verdict = self.judge(failure);
                self.follow(verdict).await
            }
        }
    }
}
