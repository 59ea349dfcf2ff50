//! Actors: a state of one's own, behind typed messages, without a mailbox.

mod address;
mod asking;
mod context;
mod declared;
mod gauge;
mod letter;
mod life;
mod limits;
mod restarts;
mod stopper;
mod supervisor;

use std::{
    fmt,
    future::{Future, ready},
    ops::{Deref, DerefMut},
};

pub use self::{
    address::{ActorError, Address, AddressShare, AddressToken, BlockingAddress},
    asking::Asking,
    context::{Context, Kept, KeptPort},
    declared::{DeclaredActor, NewActor},
    gauge::{ActorReport, ActorWatch},
    restarts::RestartLimit,
    stopper::{BlockingStopper, StopError, Stopper, StopperToken},
    supervisor::{RestartStrategy, SupervisionLimit, Supervisor, SupervisorReport},
};
use crate::process::{Here, Network, Ports, ProcessError, ProcessResult};

/// A state that only one process touches, and that others reach by messages.
///
/// ```
/// use handover::{
///     pattern::{Actor, Address, Context, Handler, InHand},
///     process::{Network, ProcessError},
/// };
///
/// #[derive(Default)]
/// struct Counter(u64);
/// struct Add(u64);
/// struct Total;
///
/// impl Actor for Counter {
///     type Ports = (); // it talks to nobody
/// }
///
/// impl Handler<Add> for Counter {
///     type Reply = ();
///     async fn handle(&mut self, add: InHand<'_, Add>, _: &Context<'_, Self>) -> Result<(), ProcessError> {
///         self.0 += add.0;
///         Ok(())
///     }
/// }
///
/// impl Handler<Total> for Counter {
///     type Reply = u64;
///     async fn handle(&mut self, _: InHand<'_, Total>, _: &Context<'_, Self>) -> Result<u64, ProcessError> {
///         Ok(self.0)
///     }
/// }
///
/// let mut net = Network::new("counting");
/// let counter = Counter::declare(&mut net, "counter").spawn(&mut net, (), Counter::default);
/// net.process("user", counter, async |counter: &Address<Counter>| {
///     counter.tell(Add(2)).await?;
///     counter.tell(Add(3)).await?;
///     assert_eq!(counter.ask(Total).await?, 5);
///     Ok(()) // the last address is gone: the counter stops
/// });
/// net.run()?;
/// # Ok::<(), handover::process::RunError>(())
/// ```
///
/// # No mailbox
///
/// An actor has one channel, and no queue: a message waits with whoever sends it until the actor comes to it. So nobody
/// has told an actor more than it can bear, and a message is lost with nobody. What is told first is handled first.
///
/// - [`tell`](Address::tell) waits until the message was handled;
/// - [`ask`](Address::ask) gets the reply, typed by the message;
/// - [`give`](Address::give) waits only until the actor has taken it.
///
/// Each has a form with a limit of time ([`ask_timeout`](Address::ask_timeout) and so on).
///
/// # Failure
///
/// An actor fails when a handler (or a hook) returns an error or panics. An error that the *asker* is to hear of and the
/// actor lives on with belongs into the reply, as a `Result`. Whoever waits for the message in hand gets it back
/// ([`ActorError::Failed`]). Then the actor is made anew, if it [may be](DeclaredActor::restarts), or its [`Supervisor`]
/// decides on it and on others; otherwise its process fails, whoever else waits for it hears of it ([`ActorError::Down`]),
/// and the run ends with its name.
///
/// # Cost
///
/// A message costs the box it travels in, the box of its handler's future, and the tie of an extended rendezvous: three
/// allocations. Where that is too much, use a process and a channel of an enum.
pub trait Actor: Send + Sized + 'static {
    /// Those whom it talks to: addresses of other actors, channels; `()` for none. It borrows them as
    /// [`Context::ports`].
    type Ports: Ports + 'static;

    /// Names an actor of this kind in a network, so that others can be given its address; then
    /// [spawn](DeclaredActor::spawn) it. Two that talk to each other are both declared before either is spawned.
    fn declare(net: &mut Network, name: &str) -> DeclaredActor<Self> {
        DeclaredActor::new(net, name)
    }

    /// Names an actor of this kind while the network runs, for the process or actor whose [`Here`] it is (an actor's is
    /// [`Context::here`]); then [start](NewActor::start) it. Its full name is that of whoever starts it, a slash, and
    /// `name`. Does not block.
    ///
    /// ```
    /// use handover::{
    ///     pattern::{Actor, Address, Context, Handler, InHand},
    ///     process::{Here, Network, ProcessError},
    /// };
    ///
    /// struct Speller;
    ///
    /// impl Actor for Speller {
    ///     type Ports = ();
    /// }
    ///
    /// impl Handler<u32> for Speller {
    ///     type Reply = String;
    ///     async fn handle(&mut self, n: InHand<'_, u32>, _: &Context<'_, Self>) -> Result<String, ProcessError> {
    ///         Ok(n.to_string())
    ///     }
    /// }
    ///
    /// let mut net = Network::new("late");
    /// net.process("user", net.here(), async |here: &Here| {
    ///     let speller = Speller::declare_at(here, "speller").start((), || Speller);
    ///     let speller = here.adopt(speller); // a process of the network, `user/speller`
    ///     assert_eq!(speller.ask(7).await?, "7");
    ///     Ok(()) // the only address is gone: it stops
    /// });
    /// net.run()?;
    /// # Ok::<(), handover::process::RunError>(())
    /// ```
    fn declare_at<'a>(here: &'a Here, name: &str) -> NewActor<'a, Self> {
        NewActor::new(here, name)
    }

    /// Called before its first message.
    ///
    /// # Errors
    ///
    /// An error is a failure of the actor.
    fn started(&mut self, _: &Context<'_, Self>) -> impl Future<Output = ProcessResult> + Send {
        ready(Ok(()))
    }

    /// Called instead of [`started`](Self::started) on an actor that was made because one before it had failed, with how
    /// that was. By default it starts like the first.
    ///
    /// # Errors
    ///
    /// An error is a failure of the actor.
    fn restarted(
        &mut self,
        context: &Context<'_, Self>,
        _reason: &str,
    ) -> impl Future<Output = ProcessResult> + Send {
        self.started(context)
    }

    /// Called after its last message: when it was stopped, or nobody has its address any more. Not after a failure.
    ///
    /// # Errors
    ///
    /// An error is the failure of the actor's process; it is not restarted for that.
    fn stopped(&mut self, _: &Context<'_, Self>) -> impl Future<Output = ProcessResult> + Send {
        ready(Ok(()))
    }
}

/// What an actor does with a message of type `M`.
pub trait Handler<M>: Actor {
    /// What [`ask`](Address::ask) gets.
    type Reply: Send + 'static;

    /// Handles a message, one at a time. Write it as an `async fn`. While it awaits, the actor takes no other message.
    ///
    /// # Errors
    ///
    /// An error is a failure of the actor; see [Failure](Actor#failure).
    fn handle(
        &mut self,
        message: InHand<'_, M>,
        context: &Context<'_, Self>,
    ) -> impl Future<Output = Result<Self::Reply, ProcessError>> + Send;

    /// Called with a reply that nobody waits for any more: whoever asked has [timed out](Address::ask_timeout), or has
    /// dropped the question, while this actor had it in hand. By default the reply is dropped; it is counted in any case
    /// ([`ActorReport::unheard`]).
    fn unheard(&mut self, _reply: Self::Reply, _context: &Context<'_, Self>) {}
}

/// A message in an actor's hand.
///
/// It is borrowed: if the actor fails, it goes back to whoever waits for it. One that is [taken](Self::take) does not.
pub struct InHand<'a, M> {
    message: &'a mut Option<M>,
}

impl<'a, M> InHand<'a, M> {
    /// For a place that has a message.
    fn new(message: &'a mut Option<M>) -> Self {
        Self { message }
    }

    /// Takes the message. From now on nobody gets it back.
    #[must_use = "nobody else has it now"]
    pub fn take(self) -> M {
        match self.message.take() {
            Some(message) => message,
            None => unreachable!("it is there until it is taken"),
        }
    }
}

impl<M> Deref for InHand<'_, M> {
    type Target = M;

    fn deref(&self) -> &M {
        match &*self.message {
            Some(message) => message,
            None => unreachable!("it is there until it is taken"),
        }
    }
}

impl<M> DerefMut for InHand<'_, M> {
    fn deref_mut(&mut self) -> &mut M {
        match &mut *self.message {
            Some(message) => message,
            None => unreachable!("it is there until it is taken"),
        }
    }
}

impl<M: fmt::Debug> fmt::Debug for InHand<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InHand").field(&**self).finish()
    }
}
