//! The life of an actor: one process, which makes it, hands it its messages, and makes it anew when it fails.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use super::{Actor, AddressToken, Context, letter::Letter};
use crate::{
    channel::RecvError,
    process::{HeldIn, Here, In, InToken, Network, OutToken, Ports, ProcessError, ProcessResult},
    sync::time,
};

/// An actor that has a name and addresses, and does not live yet; made by [`Actor::declare`].
#[must_use = "nobody answers at its addresses unless it is spawned"]
pub struct DeclaredActor<A: Actor> {
    name: String,
    out: OutToken<Letter<A>>,
    into: InToken<Letter<A>>,
    restarts: Restarts,
}

impl<A: Actor> DeclaredActor<A> {
    pub(super) fn new(net: &mut Network, name: &str) -> Self {
        let (out, into) = net.channel(name);
        Self {
            name: name.to_owned(),
            out,
            into,
            restarts: Restarts::new(0, Duration::ZERO),
        }
    }

    /// An address of the actor, for a process or an actor that is to talk to it.
    #[must_use]
    pub fn address(&self) -> AddressToken<A> {
        AddressToken(self.out.share())
    }

    /// Has the actor made anew when it fails, at most `limit` times within any `period`. One failure more goes up: it is
    /// the failure of the actor's process, and so of the run. Without this the first one is.
    ///
    /// Whoever waits for the message that it failed with gets it back, with
    /// [`ActorError::Failed`](super::ActorError::Failed); the others go on waiting, for the new one.
    pub fn restarts(mut self, limit: u32, period: Duration) -> Self {
        self.restarts = Restarts::new(limit, period);
        self
    }

    /// Adds the actor to the network: `make` makes it when the network runs, and again for each restart.
    ///
    /// It is one process, by the actor's name.
    ///
    /// # Panics
    ///
    /// If it was declared in another network, or a port belongs to another.
    pub fn spawn(
        self,
        net: &mut Network,
        ports: A::Ports,
        make: impl FnMut() -> A + Send + 'static,
    ) -> AddressToken<A> {
        let Self {
            name,
            out,
            into,
            restarts,
        } = self;
        let here = net.here();
        net.process(
            name,
            (into, ports, here),
            async move |ports: &ActorPorts<A>| live(ports, make, restarts).await,
        );
        AddressToken(out)
    }
}

impl<A: Actor> fmt::Debug for DeclaredActor<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeclaredActor")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

type ActorPorts<A> = (In<Letter<A>>, <<A as Actor>::Ports as Ports>::Async, Here);

/// How an actor has failed.
enum Failure {
    Error(ProcessError),
    Panic(Box<dyn Any + Send>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Panic(payload) => {
                let words = payload
                    .downcast_ref::<&str>()
                    .copied()
                    .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                write!(
                    f,
                    "it panicked: {}",
                    words.unwrap_or("with a value that is no text")
                )
            }
        }
    }
}

impl Failure {
    /// Makes it the failure of the process as it is.
    fn go_up(self) -> ProcessResult {
        match self {
            Self::Error(error) => Err(error),
            Self::Panic(payload) => resume_unwind(payload),
        }
    }
}

/// The failure of an actor that was restarted as often as it may be.
#[derive(Debug, thiserror::Error)]
#[error("restarted {limit} times within {period:?}, and failed again: {reason}")]
pub struct RestartLimit {
    /// How often it may be restarted.
    pub limit: u32,
    /// Within which time.
    pub period: Duration,
    /// How it failed the last time.
    pub reason: String,
}

/// When it was restarted lately.
struct Restarts {
    limit: u32,
    period: Duration,
    /// At most `limit` of them.
    lately: VecDeque<Instant>,
}

impl Restarts {
    fn new(limit: u32, period: Duration) -> Self {
        Self {
            limit,
            period,
            lately: VecDeque::new(),
        }
    }

    /// Notes one more restart; the failure goes up if that is one too many.
    fn allow(&mut self, failure: Failure, now: Instant) -> Result<String, Failure> {
        if self.limit == 0 {
            return Err(failure);
        }
        let period = self.period;
        self.lately
            .retain(|&then| now.saturating_duration_since(then) <= period);
        let reason = failure.to_string();
        if self.lately.len() >= self.limit as usize {
            return Err(Failure::Error(ProcessError::from(RestartLimit {
                limit: self.limit,
                period,
                reason,
            })));
        }
        self.lately.push_back(now);
        Ok(reason)
    }
}

/// Runs a part of the actor's own code; a panic is a failure as any other.
async fn contained(doing: impl Future<Output = ProcessResult>) -> Result<(), Failure> {
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

async fn live<A: Actor>(
    (letters, ports, here): &ActorPorts<A>,
    mut make: impl FnMut() -> A + Send,
    mut restarts: Restarts,
) -> ProcessResult {
    let context = Context::new(ports, here);
    let mut actor = make();
    let mut last = contained(actor.started(&context)).await;
    loop {
        if let Err(failure) = last {
            let reason = match restarts.allow(failure, time::now()) {
                Ok(reason) => reason,
                Err(failure) => return failure.go_up(),
            };
            context.forget();
            actor = make();
            last = contained(actor.restarted(&context, &reason)).await;
            continue;
        }
        if context.is_stopping() {
            return stopped(&mut actor, &context).await;
        }
        let letter = match letters.recv_held().await {
            Ok(letter) => letter,
            Err(RecvError::Disconnected) => return stopped(&mut actor, &context).await,
            Err(poisoned) => {
                stopped(&mut actor, &context).await?;
                return Err(poisoned.into());
            }
        };
        last = match deal_with(letter, &mut actor, &context).await {
            Ok(Next::GoOn) => Ok(()),
            Ok(Next::Stop) => return Ok(()),
            Err(failure) => Err(failure),
        };
    }
}

async fn stopped<A: Actor>(actor: &mut A, context: &Context<'_, A>) -> ProcessResult {
    match contained(actor.stopped(context)).await {
        Ok(()) => Ok(()),
        Err(failure) => failure.go_up(),
    }
}

async fn deal_with<A: Actor>(
    mut letter: HeldIn<'_, Letter<A>>,
    actor: &mut A,
    context: &Context<'_, A>,
) -> Result<Next, Failure> {
    match &mut *letter {
        Letter::Stop => {
            let result = stopped(actor, context).await;
            // A failure hands it back, so that whoever stops the actor hears of it.
            result.map_err(Failure::Error)?;
            drop(letter.release());
            Ok(Next::Stop)
        }
        Letter::Message(message) if message.is_given() => {
            let Letter::Message(mut message) = letter.release() else {
                unreachable!("it was a message a moment ago")
            };
            contained(message.handle(actor, context)).await?;
            Ok(Next::GoOn)
        }
        Letter::Message(message) => {
            let handled = contained(message.handle(actor, context)).await;
            if let Err(failure) = &handled {
                message.fail(failure.to_string().into());
            }
            // If whoever sent it has gone, the reply is for nobody.
            drop(letter.hand_back());
            handled.map(|()| Next::GoOn)
        }
    }
}
