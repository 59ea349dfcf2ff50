//! The right to poison a channel: a port of its own, so that the network knows who can end a wait by it.

use std::fmt;

use super::{
    parcel::{Mobile, Openness, Parcel},
    ports::{Bound, Failing, Ports, Seat},
    ports_macro::Twofold,
    registry::Registry,
};
use crate::{
    channel::{Reason, observe::Observed},
    sync::Arc,
};

/// The right to poison a channel, for whichever process is given it, or for somebody outside
/// ([`take_out`](Self::take_out)); made of either token of the channel
/// ([`OutToken::poisoner`](super::OutToken::poisoner), [`InToken::poisoner`](super::InToken::poisoner)).
///
/// It does nothing by itself, and is inert once the network runs.
pub struct PoisonToken {
    registry: Arc<Registry>,
    channel: u32,
    observed: Arc<dyn Observed>,
}

impl PoisonToken {
    pub(super) fn new(registry: &Arc<Registry>, channel: u32, observed: Arc<dyn Observed>) -> Self {
        Self {
            registry: Arc::clone(registry),
            channel,
            observed,
        }
    }

    /// One more such token, for one more process.
    #[must_use]
    pub fn share(&self) -> Self {
        Self::new(&self.registry, self.channel, Arc::clone(&self.observed))
    }

    /// The right itself, for whoever is outside of the network: a thread that observes it, a signal handler, a test.
    ///
    /// While it lives the channel is *open*: a wait on it is never called a deadlock, for the network cannot know when
    /// it is used.
    ///
    /// # Panics
    ///
    /// If the network runs already, or has run.
    #[must_use]
    pub fn take_out(self) -> Poisoner {
        self.check();
        Poisoner {
            right: Right::new(&self.registry, self.channel, None),
            observed: self.observed,
        }
    }

    fn check(&self) {
        assert!(
            !self.registry.has_begun(),
            "a token of network `{}` is used after the network began to run: a process that runs gives a parcel of \
             its own port away",
            self.registry.name,
        );
    }
}

impl Ports for PoisonToken {
    type Async = Poisoner;
    type Blocking = Poisoner;

    fn bind(self, seat: &Seat<'_>) -> Poisoner {
        self.check();
        assert!(
            Arc::ptr_eq(&self.registry, seat.registry),
            "a port of network `{}` is given to a process of network `{}`: channels between networks are made outside \
             of both",
            self.registry.name,
            seat.registry.name,
        );
        Poisoner::settle(PoisonEnd(self.observed), seat, self.channel)
    }

    fn bind_blocking(self, seat: &Seat<'_>) -> Poisoner {
        self.bind(seat)
    }
}

/// A port that poisons a channel: closes it to both sides, with a reason.
///
/// The ends of a channel do not have this right: without it a process can only give its ends up. So where it is declared
/// is where a wait can be ended from the side, and a network that does not declare it has no such place: a process that
/// still runs keeps nobody from being deadlocked who waits on the same side as it.
///
/// It is the same for processes and for threads. A process that *fails* poisons what it holds ends or the right of; that
/// needs no declaration.
///
/// ```
/// use handover::process::{In, Network, Out, Poisoner};
///
/// let mut net = Network::new("search");
/// let (places_out, places_in) = net.channel::<u32>("places");
/// let found = places_in.poisoner();
/// net.process("guide", places_out, async |places: &Out<u32>| {
///     // It goes on until somebody has found it.
///     for place in 0.. {
///         if let Err(error) = places.send(place).await {
///             assert_eq!(error.poison().map(ToString::to_string).as_deref(), Some("found at 7"));
///             break;
///         }
///     }
///     Ok(())
/// });
/// net.process("seeker", (places_in, found), async |(places, found): &(In<u32>, Poisoner)| {
///     while let Ok(place) = places.recv().await {
///         if place == 7 {
///             found.poison("found at 7");
///         }
///     }
///     Ok(())
/// });
/// net.run()?;
/// # Ok::<(), handover::process::RunError>(())
/// ```
pub struct Poisoner {
    observed: Arc<dyn Observed>,
    right: Right,
}

impl Poisoner {
    /// Poisons the channel: closes it to both sides, for good. Returns whether this call did it; the first reason stays.
    /// Does not block. See [`Sender::poison`](crate::channel::Sender::poison).
    pub fn poison(&self, reason: impl Into<Reason>) -> bool {
        self.observed.poison(reason.into())
    }

    /// The same right for somebody outside of the network. While it lives the channel is open; see
    /// [`PoisonToken::take_out`].
    #[must_use]
    pub fn take_out(&self) -> Self {
        Self {
            observed: Arc::clone(&self.observed),
            right: Right::new(&self.right.registry, self.right.channel, None),
        }
    }

    /// The same right for another process: one that it is sent to in a message, which
    /// [adopts](super::Here::adopt) it, or one that this process [starts](super::Here::start). Until then the channel is
    /// open.
    #[must_use]
    pub fn parcel(&self) -> Parcel<Self> {
        Self::parcel_of(
            &self.right.registry,
            self.right.channel,
            Arc::clone(&self.observed),
        )
    }

    pub(super) fn parcel_of(
        registry: &Arc<Registry>,
        channel: u32,
        observed: Arc<dyn Observed>,
    ) -> Parcel<Self> {
        Parcel {
            end: PoisonEnd(observed),
            openness: Openness::of_poison(registry, channel),
        }
    }
}

impl fmt::Debug for Poisoner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poisoner").finish_non_exhaustive()
    }
}

impl fmt::Debug for PoisonToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoisonToken").finish_non_exhaustive()
    }
}

impl Bound for Poisoner {
    fn fail(&self, failing: &Failing) {
        self.observed.poison(failing.0.clone());
    }
}

impl Twofold for Poisoner {
    type Blocking = Self;
}

/// What of the right is in a parcel.
#[doc(hidden)]
#[expect(missing_debug_implementations, reason = "a parcel does not show it")]
pub struct PoisonEnd(Arc<dyn Observed>);

impl Mobile for Poisoner {
    type End = PoisonEnd;

    fn settle(PoisonEnd(observed): PoisonEnd, seat: &Seat<'_>, channel: u32) -> Self {
        Self {
            right: Right::new(seat.registry, channel, Some(seat.process)),
            observed,
        }
    }
}

impl Ports for Parcel<Poisoner> {
    type Async = Poisoner;
    type Blocking = Poisoner;

    fn bind(self, seat: &Seat<'_>) -> Poisoner {
        self.unpack(seat)
    }

    fn bind_blocking(self, seat: &Seat<'_>) -> Poisoner {
        self.unpack(seat)
    }
}

/// That somebody has the right to poison a channel: a process, or one who is outside.
struct Right {
    registry: Arc<Registry>,
    channel: u32,
    process: Option<u32>,
}

impl Right {
    fn new(registry: &Arc<Registry>, channel: u32, process: Option<u32>) -> Self {
        registry.take_poison(channel, process);
        Self {
            registry: Arc::clone(registry),
            channel,
            process,
        }
    }
}

impl Drop for Right {
    fn drop(&mut self) {
        self.registry.leave_poison(self.channel, self.process);
    }
}
