//! Stopping the actors of a supervisor, one after the other.

use std::{fmt, future::Future, pin::Pin};

use super::{Actor, Address, AddressToken, BlockingAddress, address::ActorError, letter::Letter};
use crate::{
    process::{Bound, Failing, OutToken, Ports, Seat},
    sync::Arc,
};

/// The right to stop an actor of whatever type.
pub(super) trait Stops: Send + Sync {
    fn bind(&self, seat: &Seat<'_>) -> Box<dyn Stop>;
    fn bind_blocking(&self, seat: &Seat<'_>) -> Box<dyn StopBlocking>;
}

type Stopping<'a> = Pin<Box<dyn Future<Output = Result<(), ActorError<()>>> + Send + 'a>>;

pub(super) trait Stop: Send + Sync {
    fn stop(&self) -> Stopping<'_>;
}

pub(super) trait StopBlocking: Send + Sync {
    fn stop(&self) -> Result<(), ActorError<()>>;
}

impl<A: Actor> Stops for OutToken<Letter<A>> {
    fn bind(&self, seat: &Seat<'_>) -> Box<dyn Stop> {
        Box::new(AddressToken::<A>(self.share()).bind(seat))
    }

    fn bind_blocking(&self, seat: &Seat<'_>) -> Box<dyn StopBlocking> {
        Box::new(AddressToken::<A>(self.share()).bind_blocking(seat))
    }
}

impl<A: Actor> Stop for Address<A> {
    fn stop(&self) -> Stopping<'_> {
        Box::pin(Address::stop(self))
    }
}

impl<A: Actor> StopBlocking for BlockingAddress<A> {
    fn stop(&self) -> Result<(), ActorError<()>> {
        BlockingAddress::stop(self)
    }
}

/// The right to stop the actors of a supervisor, for a process; made by [`Supervisor::stopper`](super::Supervisor::stopper).
#[must_use = "it does nothing until a process is given it"]
pub struct StopperToken(Vec<(String, Arc<dyn Stops>)>);

impl StopperToken {
    pub(super) fn new(actors: Vec<(String, Arc<dyn Stops>)>) -> Self {
        Self(actors)
    }
}

/// The port to stop the actors of a supervisor in order. It has an address of each, so none ends before because
/// nobody has its address.
///
/// ```
/// use handover::{
///     pattern::{Actor, Address, RestartStrategy, Stopper, Supervisor},
///     process::Network,
/// };
///
/// struct Idler;
///
/// impl Actor for Idler {
///     type Ports = ();
/// }
///
/// let mut net = Network::new("house");
/// let all = Supervisor::new("all", RestartStrategy::OneForOne);
/// let first = all.declare::<Idler>(&mut net, "first").spawn(&mut net, (), || Idler);
/// all.declare::<Idler>(&mut net, "second").spawn(&mut net, (), || Idler);
/// net.process("keeper", (first, all.stopper()), async |(first, all): &(Address<Idler>, Stopper)| {
///     all.stop().await?; // `second`, then `first`
///     assert!(first.has_ended());
///     Ok(())
/// });
/// net.run()?;
/// # Ok::<(), handover::process::RunError>(())
/// ```
pub struct Stopper(Vec<(String, Box<dyn Stop>)>);

/// As [`Stopper`], in a thread of a network: it blocks.
pub struct BlockingStopper(Vec<(String, Box<dyn StopBlocking>)>);

/// An actor that has not stopped well; the others were stopped nevertheless.
#[derive(Debug, thiserror::Error)]
#[error("actor `{actor}` did not stop well: {error}")]
pub struct StopError {
    /// The actor, by the name that it was declared with.
    pub actor: String,
    /// What its stop has come to.
    pub error: ActorError<()>,
}

impl Stopper {
    /// Stops the actors one after the other, the one that was declared last first. Each finishes what it has in hand, and
    /// those who came before this stop are served first. Waits until all have stopped. One that has stopped already, so
    /// be it.
    ///
    /// # Errors
    ///
    /// [`StopError`] for the first that has failed, or fails while it stops, after all were stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it leaves those running that have not been stopped yet; calling it again stops them.
    pub async fn stop(&self) -> Result<(), StopError> {
        let mut result = Ok(());
        for (actor, address) in self.0.iter().rev() {
            if let Err(error) = address.stop().await {
                result = result.and_then(|()| failed(actor, error));
            }
        }
        result
    }
}

impl BlockingStopper {
    /// As [`Stopper::stop`], blocking the thread.
    ///
    /// # Errors
    ///
    /// As for [`Stopper::stop`].
    pub fn stop(&self) -> Result<(), StopError> {
        let mut result = Ok(());
        for (actor, address) in self.0.iter().rev() {
            if let Err(error) = address.stop() {
                result = result.and_then(|()| failed(actor, error));
            }
        }
        result
    }
}

fn failed(actor: &str, error: ActorError<()>) -> Result<(), StopError> {
    Err(StopError {
        actor: actor.to_owned(),
        error,
    })
}

impl Ports for StopperToken {
    type Async = Stopper;
    type Blocking = BlockingStopper;

    fn bind(self, seat: &Seat<'_>) -> Stopper {
        let actors = self.0.into_iter();
        Stopper(
            actors
                .map(|(name, stops)| (name, stops.bind(seat)))
                .collect(),
        )
    }

    fn bind_blocking(self, seat: &Seat<'_>) -> BlockingStopper {
        let actors = self.0.into_iter();
        BlockingStopper(
            actors
                .map(|(name, stops)| (name, stops.bind_blocking(seat)))
                .collect(),
        )
    }
}

impl Bound for Stopper {
    /// As with an address: actors are not taken down by whoever can stop them.
    fn fail(&self, _failing: &Failing) {}
}

impl Bound for BlockingStopper {
    fn fail(&self, _failing: &Failing) {}
}

macro_rules! debug {
    ($($Port:ident),+) => {$(
        impl fmt::Debug for $Port {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let names = self.0.iter().map(|(name, _)| name);
                f.debug_list().entries(names).finish()
            }
        }
    )+};
}

debug!(StopperToken, Stopper, BlockingStopper);
