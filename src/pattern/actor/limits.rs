//! Talking to an actor with a limit of time.
//!
//! The time goes on while the actor has the message in hand: whoever asks does not wait longer than it wanted. What it
//! hears then says whether the actor has the message.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use super::{
    ActorError, Address, Asking, BlockingAddress, Handler,
    asking::{ask_blocking_until, taken_in_time},
    letter::{Enclosed, Until},
};
use crate::sync::time::deadline_after;

impl<A: super::Actor> Address<A> {
    /// As [`tell`](Self::tell), for at most `timeout`. The time counts from this call, and goes on while the actor has the
    /// message in hand.
    ///
    /// # Errors
    ///
    /// [`ActorError`]; [`ActorError::Timeout`] gives the message back if the actor has not taken it, and never will.
    /// Without it the actor has it, and goes on with it.
    ///
    /// # Cancel safety
    ///
    /// As for [`ask`](Self::ask).
    #[track_caller]
    pub fn tell_timeout<M>(
        &self,
        message: M,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), ActorError<M>>> + Send
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        let telling = Asking::new(&self.out, message, Until::Handled);
        let telling = telling.until(deadline_after(timeout));
        async move { telling.await.map(drop) }
    }

    /// As [`tell_timeout`](Self::tell_timeout), until `deadline`.
    ///
    /// # Errors
    ///
    /// As for [`tell_timeout`](Self::tell_timeout).
    #[track_caller]
    pub fn tell_deadline<M>(
        &self,
        message: M,
        deadline: Instant,
    ) -> impl Future<Output = Result<(), ActorError<M>>> + Send
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        let telling = Asking::new(&self.out, message, Until::Handled).until(Some(deadline));
        async move { telling.await.map(drop) }
    }

    /// As [`ask`](Self::ask), for at most `timeout`. The time counts from this call, and goes on while the actor has the
    /// message in hand. While it waits with a limit of time the process is part of no deadlock: it will go on.
    ///
    /// A reply that comes too late holds nobody up: the actor is told that it is [unheard](Handler::unheard).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use handover::{
    ///     pattern::{Actor, ActorError, Address, Context, Handler, InHand},
    ///     process::{In, Network, Out, ProcessError},
    /// };
    ///
    /// struct Slow; // answers when it is let
    ///
    /// impl Actor for Slow {
    ///     type Ports = handover::process::InToken<()>;
    /// }
    ///
    /// impl Handler<u32> for Slow {
    ///     type Reply = u32;
    ///     async fn handle(&mut self, n: InHand<'_, u32>, context: &Context<'_, Self>) -> Result<u32, ProcessError> {
    ///         context.ports().recv().await?;
    ///         Ok(*n)
    ///     }
    /// }
    ///
    /// let mut net = Network::new("patience");
    /// let (leave, wait_for_leave) = net.channel::<()>("leave");
    /// let declared = Slow::declare(&mut net, "slow");
    /// let watch = declared.watch();
    /// let slow = declared.spawn(&mut net, wait_for_leave, || Slow);
    /// net.process("user", (slow, leave), async |(slow, leave): &(Address<Slow>, Out<()>)| {
    ///     match slow.ask_timeout(1, Duration::from_millis(50)).await {
    ///         Err(ActorError::Timeout(None)) => {} // it has the question, and goes on
    ///         other => panic!("{other:?}"),
    ///     }
    ///     match slow.ask_timeout(2, Duration::from_millis(5)).await {
    ///         Err(ActorError::Timeout(Some(2))) => {} // it never had this one, which is back
    ///         other => panic!("{other:?}"),
    ///     }
    ///     leave.send(()).await?;
    ///     Ok(())
    /// });
    /// net.run()?;
    /// assert_eq!(watch.report().unheard, 1);
    /// # Ok::<(), handover::process::RunError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`tell_timeout`](Self::tell_timeout).
    ///
    /// # Cancel safety
    ///
    /// As for [`ask`](Self::ask).
    #[track_caller]
    pub fn ask_timeout<M>(
        &self,
        message: M,
        timeout: Duration,
    ) -> impl Future<Output = Result<A::Reply, ActorError<M>>> + Send
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        self.ask(message).until(deadline_after(timeout))
    }

    /// As [`ask_timeout`](Self::ask_timeout), until `deadline`.
    ///
    /// # Errors
    ///
    /// As for [`tell_timeout`](Self::tell_timeout).
    #[track_caller]
    pub fn ask_deadline<M>(
        &self,
        message: M,
        deadline: Instant,
    ) -> impl Future<Output = Result<A::Reply, ActorError<M>>> + Send
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        self.ask(message).until(Some(deadline))
    }

    /// As [`give`](Self::give), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`ActorError`], with the message: it was not given then.
    ///
    /// # Cancel safety
    ///
    /// As for [`give`](Self::give).
    #[track_caller]
    pub fn give_timeout<M>(
        &self,
        message: M,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), ActorError<M>>> + Send
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        let letter = Enclosed::letter::<A>(message, Until::Taken);
        let sending = self.out.send_timeout(letter, timeout);
        async move { taken_in_time(sending.await) }
    }

    /// As [`give_timeout`](Self::give_timeout), until `deadline`.
    ///
    /// # Errors
    ///
    /// As for [`give_timeout`](Self::give_timeout).
    #[track_caller]
    pub fn give_deadline<M>(
        &self,
        message: M,
        deadline: Instant,
    ) -> impl Future<Output = Result<(), ActorError<M>>> + Send
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        let letter = Enclosed::letter::<A>(message, Until::Taken);
        let sending = self.out.send_deadline(letter, deadline);
        async move { taken_in_time(sending.await) }
    }
}

impl<A: super::Actor> BlockingAddress<A> {
    /// As [`Address::tell_timeout`], blocking the thread.
    ///
    /// # Errors
    ///
    /// As for [`Address::tell_timeout`].
    #[track_caller]
    pub fn tell_timeout<M>(&self, message: M, timeout: Duration) -> Result<(), ActorError<M>>
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        let deadline = deadline_after(timeout);
        ask_blocking_until(&self.out, message, Until::Handled, deadline).map(drop)
    }

    /// As [`Address::tell_deadline`], blocking the thread.
    ///
    /// # Errors
    ///
    /// As for [`Address::tell_timeout`].
    #[track_caller]
    pub fn tell_deadline<M>(&self, message: M, deadline: Instant) -> Result<(), ActorError<M>>
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        ask_blocking_until(&self.out, message, Until::Handled, Some(deadline)).map(drop)
    }

    /// As [`Address::ask_timeout`], blocking the thread.
    ///
    /// # Errors
    ///
    /// As for [`Address::ask_timeout`].
    #[track_caller]
    pub fn ask_timeout<M>(&self, message: M, timeout: Duration) -> Result<A::Reply, ActorError<M>>
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        let deadline = deadline_after(timeout);
        ask_blocking_until(&self.out, message, Until::Replied, deadline)
    }

    /// As [`Address::ask_deadline`], blocking the thread.
    ///
    /// # Errors
    ///
    /// As for [`Address::ask_timeout`].
    #[track_caller]
    pub fn ask_deadline<M>(&self, message: M, deadline: Instant) -> Result<A::Reply, ActorError<M>>
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        ask_blocking_until(&self.out, message, Until::Replied, Some(deadline))
    }

    /// As [`Address::give_timeout`], blocking the thread.
    ///
    /// # Errors
    ///
    /// As for [`Address::give_timeout`].
    #[track_caller]
    pub fn give_timeout<M>(&self, message: M, timeout: Duration) -> Result<(), ActorError<M>>
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        let letter = Enclosed::letter::<A>(message, Until::Taken);
        taken_in_time(self.out.send_timeout(letter, timeout))
    }

    /// As [`Address::give_deadline`], blocking the thread.
    ///
    /// # Errors
    ///
    /// As for [`Address::give_timeout`].
    #[track_caller]
    pub fn give_deadline<M>(&self, message: M, deadline: Instant) -> Result<(), ActorError<M>>
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        let letter = Enclosed::letter::<A>(message, Until::Taken);
        taken_in_time(self.out.send_deadline(letter, deadline))
    }
}
