//! Addresses: ports to an actor, declared like all ports, so that the network knows who can tell whom.

use std::{fmt, future::Future};

use super::{
    Actor, Asking, Handler,
    asking::{ask_blocking, stop_in, taken_in},
    letter::{Enclosed, Letter, Until},
};
use crate::{
    channel::{Reason, Sender},
    process::{BlockingOut, Bound, Failing, Mobile, Out, OutToken, Parcel, PortToken, Ports, Seat},
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
    /// It was not done in time. The message comes back if the actor has not taken it, and never will; without it, the
    /// actor has it and goes on with it, and its reply will be for nobody ([`Handler::unheard`]).
    #[error("{}", match .0 {
        Some(_) => "the actor has not taken the message in time, and never will",
        None => "the actor has the message in hand, and was not done with it in time",
    })]
    Timeout(Option<M>),
}

impl<M> ActorError<M> {
    /// Whether it was not done in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// The message, unless the actor's handler had taken it when it failed, or the actor has it still.
    pub fn into_message(self) -> Option<M> {
        match self {
            Self::Stopped(message) | Self::Down(message, _) => Some(message),
            Self::Failed { message, .. } | Self::Timeout(message) => message,
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
            Self::Timeout(Some(_)) => f.write_str("Timeout(Some(..))"),
            Self::Timeout(None) => f.write_str("Timeout(None)"),
        }
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
    pub(super) out: Out<Letter<A>>,
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
        let telling = Asking::new(&self.out, message, Until::Handled);
        async move { telling.await.map(drop) }
    }

    /// Asks: has the actor handle `message`, and waits for its reply.
    ///
    /// # Errors
    ///
    /// [`ActorError`], with the message where the handler had not taken it.
    ///
    /// # Cancel safety
    ///
    /// Dropped before the actor has taken the message, nothing was asked, and the message is dropped. Dropped while the
    /// actor has it, the actor goes on with it, and its reply is [unheard](Handler::unheard). Where that matters, as in a
    /// `select!`, ask with [`Asking::withdraw`] which of them it was.
    #[track_caller]
    pub fn ask<M>(&self, message: M) -> Asking<'_, A, M>
    where
        A: Handler<M>,
        M: Send + 'static,
    {
        Asking::new(&self.out, message, Until::Replied)
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
        let sending = self.out.send(Enclosed::letter::<A>(message, Until::Taken));
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

    /// The right to one more address of the actor, for a process or an actor that this one starts. Unlike with a
    /// [`parcel`](Self::parcel), somebody who is listed has an address at all times.
    pub fn token(&self) -> AddressShare<'_, A> {
        AddressShare(self.out.token())
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
    pub(super) out: BlockingOut<Letter<A>>,
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
        ask_blocking(&self.out, message, Until::Handled).map(drop)
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
        ask_blocking(&self.out, message, Until::Replied)
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
        taken_in(self.out.send(Enclosed::letter::<A>(message, Until::Taken)))
    }

    /// See [`Address::token`].
    pub fn token(&self) -> AddressShare<'_, A> {
        AddressShare(self.out.token())
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

/// The right to one more address of an actor, for a process or an actor that is started; made by [`Address::token`].
#[must_use = "it does nothing until a process is given it"]
pub struct AddressShare<'a, A: Actor>(PortToken<'a, Out<Letter<A>>>);

impl<A: Actor> Ports for AddressShare<'_, A> {
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

impl<A: Actor> fmt::Debug for AddressShare<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressShare").finish_non_exhaustive()
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
