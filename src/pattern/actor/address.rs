//! Addresses: ports to an actor, declared like all ports, so that the network knows who can tell whom.

use std::{fmt, future::Future};

use super::{
    Actor, Handler,
    letter::{Enclosed, Letter, Outcome},
};
use crate::{
    channel::{Reason, SendError, Sender},
    process::{BlockingOut, Bound, Failing, Mobile, Out, OutToken, Parcel, Ports, Seat},
};

/// Why an actor has not done what it was told or asked.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ActorError<M> {
    /// The actor has stopped; it never had the message.
    #[error("nobody has the message: the actor has stopped")]
    Stopped(M),
    /// The actor has failed for good; it never had the message.
    #[error("nobody has the message: {1}")]
    Down(M, Reason),
    /// The actor failed with the message in hand.
    #[error("the actor failed with the message in hand: {reason}")]
    Failed {
        /// The message, unless the handler had [taken](super::InHand::take) it.
        message: Option<M>,
        /// How it failed.
        reason: Reason,
    },
}

impl<M> ActorError<M> {
    /// The message, unless the actor's handler had taken it when it failed.
    pub fn into_message(self) -> Option<M> {
        match self {
            Self::Stopped(message) | Self::Down(message, _) => Some(message),
            Self::Failed { message, .. } => message,
        }
    }
}

// The message need not be printable, so it is left out.
impl<M> fmt::Debug for ActorError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(_) => f.write_str("Stopped(..)"),
            Self::Down(_, reason) => write!(f, "Down(.., {reason:?})"),
            Self::Failed { message, reason } => f
                .debug_struct("Failed")
                .field("message_is_back", &message.is_some())
                .field("reason", reason)
                .finish(),
        }
    }
}

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
        (Outcome::Unknown, SendError::Disconnected(()), Some(message)) => {
            Err(ActorError::Stopped(message))
        }
        (Outcome::Unknown, SendError::Poisoned((), reason), Some(message)) => {
            Err(ActorError::Down(message, reason))
        }
        (Outcome::Unknown, _, message) => Err(ActorError::Failed {
            message,
            reason: "its run was ended".into(),
        }),
    }
}

/// Whether a letter was taken that is not waited for any longer.
fn taken_in<A, M>(sent: Result<(), SendError<Letter<A>>>) -> Result<(), ActorError<M>>
where
    A: Handler<M>,
    M: Send + 'static,
{
    match sent {
        Ok(()) => Ok(()),
        Err(error) => reply_in(Err(error)).map(drop),
    }
}

/// What a stop has come to.
fn stop_in<A: Actor>(sent: Result<(), SendError<Letter<A>>>) -> Result<(), ActorError<()>> {
    match sent.map_err(|error| error.split().0) {
        Ok(()) | Err(SendError::Disconnected(())) => Ok(()),
        Err(SendError::Poisoned((), reason)) => Err(ActorError::Down((), reason)),
        Err(_) => Err(ActorError::Failed {
            message: None,
            reason: "it failed while it stopped".into(),
        }),
    }
}

/// The right to talk to an actor, for whichever process or actor is given it, among its ports.
///
/// Like every token it does nothing by itself, and keeps no actor alive: once the network runs, it is inert.
pub struct AddressToken<A: Actor>(pub(super) OutToken<Letter<A>>);

impl<A: Actor> AddressToken<A> {
    /// One more such token, for somebody else who is to talk to the actor.
    #[must_use]
    pub fn share(&self) -> Self {
        Self(self.0.share())
    }
}

/// The port to an actor, in a process or another actor.
///
/// When the last one is gone, the actor stops. A process that fails does not take the actors down with it that it has
/// addresses of.
///
/// # Deadlock
///
/// Whoever tells or asks waits for the actor. So actors that ask each other in a cycle wait for ever, the first time
/// and not under load, and the run says so: with the cycle, by their names. The rule that excludes it: give the actors an
/// order, and let each ask and tell only those below it (Martin and Welch, 1997; see
/// [`request_reply`](crate::pattern::request_reply())). Upwards use [`give`](Self::give) only if the one above never waits
/// for the one below; a reply is the better way up.
pub struct Address<A: Actor> {
    out: Out<Letter<A>>,
}

impl<A: Actor> Address<A> {
    /// Has the actor handle `message`, and waits until it has: an extended rendezvous. Its reply is dropped.
    ///
    /// # Errors
    ///
    /// [`ActorError`], with the message where the handler had not taken it.
    ///
    /// # Cancel safety
    ///
    /// As for [`ask`](Self::ask).
    #[track_caller]
    pub fn tell<M>(&self, message: M) -> impl Future<Output = Result<(), ActorError<M>>> + Send
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        let asked = self.ask(message);
        async move { asked.await.map(drop) }
    }

    /// Asks: has the actor handle `message`, and waits for its reply.
    ///
    /// # Errors
    ///
    /// [`ActorError`], with the message where the handler had not taken it.
    ///
    /// # Cancel safety
    ///
    /// Dropped before the actor has taken the message, nothing was asked. Dropped while the actor has it, the actor
    /// goes on with it, and the reply is dropped.
    #[track_caller]
    pub fn ask<M>(&self, message: M) -> impl Future<Output = Result<A::Reply, ActorError<M>>> + Send
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        let sending = self.out.send(Enclosed::letter::<A>(message, false));
        async move { reply_in(sending.await) }
    }

    /// Gives `message` to the actor: waits until it has taken it, and no longer. From then on the message is the
    /// actor's; if it fails with it, nobody else hears of that but its [supervision](super::DeclaredActor::restarts).
    ///
    /// # Errors
    ///
    /// [`ActorError`], with the message.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it has resolved, the message was not given.
    #[track_caller]
    pub fn give<M>(&self, message: M) -> impl Future<Output = Result<(), ActorError<M>>> + Send
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        let sending = self.out.send(Enclosed::letter::<A>(message, true));
        async move { taken_in(sending.await) }
    }

    /// Stops the actor after what it has in hand, and waits until it has stopped. Whoever waits for it later than this
    /// gets [`ActorError::Stopped`]. If it has stopped already, so be it.
    ///
    /// # Errors
    ///
    /// [`ActorError::Down`] if it has failed, [`ActorError::Failed`] if it fails while it stops.
    #[track_caller]
    pub fn stop(&self) -> impl Future<Output = Result<(), ActorError<()>>> + Send {
        let sending = self.out.send(Letter::Stop);
        async move { stop_in(sending.await) }
    }

    /// Whether the actor has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.out.is_disconnected()
    }

    /// One more address of the actor, to be sent to another process, which [adopts](crate::process::Here::adopt) it, or
    /// to another actor, which [keeps](super::Context::keep) it.
    #[must_use]
    pub fn parcel(&self) -> Parcel<Self> {
        self.out.parcel().recast()
    }
}

/// The port to an actor, in a thread of a network: its operations block.
pub struct BlockingAddress<A: Actor> {
    out: BlockingOut<Letter<A>>,
}

impl<A: Actor> BlockingAddress<A> {
    /// As [`Address::tell`], blocking the thread.
    ///
    /// # Errors
    ///
    /// As for [`Address::tell`].
    #[track_caller]
    pub fn tell<M>(&self, message: M) -> Result<(), ActorError<M>>
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        self.ask(message).map(drop)
    }

    /// As [`Address::ask`], blocking the thread.
    ///
    /// # Errors
    ///
    /// As for [`Address::ask`].
    #[track_caller]
    pub fn ask<M>(&self, message: M) -> Result<A::Reply, ActorError<M>>
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        reply_in(self.out.send(Enclosed::letter::<A>(message, false)))
    }

    /// As [`Address::give`], blocking the thread.
    ///
    /// # Errors
    ///
    /// As for [`Address::give`].
    #[track_caller]
    pub fn give<M>(&self, message: M) -> Result<(), ActorError<M>>
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        taken_in(self.out.send(Enclosed::letter::<A>(message, true)))
    }

    /// As [`Address::stop`], blocking the thread.
    ///
    /// # Errors
    ///
    /// As for [`Address::stop`].
    #[track_caller]
    pub fn stop(&self) -> Result<(), ActorError<()>> {
        stop_in(self.out.send(Letter::Stop))
    }
}

// ---- As ports ----

impl<A: Actor> Ports for AddressToken<A> {
    type Async = Address<A>;
    type Blocking = BlockingAddress<A>;

    fn bind(self, seat: &Seat<'_>) -> Address<A> {
        Address {
            out: self.0.bind(seat),
        }
    }

    fn bind_blocking(self, seat: &Seat<'_>) -> BlockingAddress<A> {
        BlockingAddress {
            out: self.0.bind_blocking(seat),
        }
    }
}

impl<A: Actor> Ports for Parcel<Address<A>> {
    type Async = Address<A>;
    type Blocking = BlockingAddress<A>;

    fn bind(self, seat: &Seat<'_>) -> Address<A> {
        self.unpack(seat)
    }

    fn bind_blocking(self, seat: &Seat<'_>) -> BlockingAddress<A> {
        BlockingAddress {
            out: self.recast::<Out<Letter<A>>>().bind_blocking(seat),
        }
    }
}

impl<A: Actor> Mobile for Address<A> {
    type End = Sender<Letter<A>>;

    fn settle(end: Sender<Letter<A>>, seat: &Seat<'_>, channel: u32) -> Self {
        Self {
            out: Out::settle(end, seat, channel),
        }
    }
}

impl<A: Actor> Bound for Address<A> {
    /// An actor is not taken down by whoever has its address.
    fn fail(&self, _failing: &Failing) {}
}

impl<A: Actor> Bound for BlockingAddress<A> {
    fn fail(&self, _failing: &Failing) {}
}

macro_rules! debug {
    ($($Port:ident),+) => {$(
        impl<A: Actor> fmt::Debug for $Port<A> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Port)).finish_non_exhaustive()
            }
        }
    )+};
}

debug!(AddressToken, Address, BlockingAddress);
