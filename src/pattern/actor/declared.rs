//! Actors that have a name and addresses, and do not live yet.

use std::{fmt, time::Duration};

use super::{
    Actor, Address, AddressToken,
    gauge::{ActorWatch, Gauge},
    letter::Letter,
    life::{ActorPorts, Supervision, live},
    restarts::Restarts,
    stopper::Stops,
    supervisor::Membership,
};
use crate::{
    process::{Here, In, InToken, Network, Out, OutToken, Parcel, Ports},
    sync::Arc,
};

/// An actor that has a name and addresses, and does not live yet; made by [`Actor::declare`].
#[must_use = "nobody answers at its addresses unless it is spawned"]
pub struct DeclaredActor<A: Actor> {
    name: String,
    out: OutToken<Letter<A>>,
    into: InToken<Letter<A>>,
    supervision: Supervision,
}

impl<A: Actor> DeclaredActor<A> {
    pub(super) fn new(net: &mut Network, name: &str) -> Self {
        let (out, into) = net.channel(name);
        Self {
            name: name.to_owned(),
            out,
            into,
            supervision: Supervision::none(name),
        }
    }

    pub(super) fn stops(&self) -> Arc<dyn Stops> {
        Arc::new(self.out.share())
    }

    pub(super) fn supervised(mut self, take_in: impl FnOnce(&Arc<Gauge>) -> Membership) -> Self {
        self.supervision.membership = Some(take_in(&self.supervision.gauge));
        self
    }

    /// An address of the actor, for a process or an actor that is to talk to it.
    #[must_use]
    pub fn address(&self) -> AddressToken<A> {
        AddressToken(self.out.share())
    }

    /// Has the actor made anew when it fails, at most `limit` times within any `period`. One failure more goes up: to its
    /// [`Supervisor`](super::Supervisor), if it has one; otherwise it is the failure of the actor's process, and so of the
    /// run. Without this the first one is.
    ///
    /// Whoever waits for the message that it failed with gets it back, with
    /// [`ActorError::Failed`](super::ActorError::Failed); the others go on waiting, for the new one.
    pub fn restarts(mut self, limit: u32, period: Duration) -> Self {
        self.supervision.restarts = Restarts::new(limit, period);
        self
    }

    /// A look at what the actor will have done, from any thread and at any time.
    #[must_use]
    pub fn watch(&self) -> ActorWatch {
        ActorWatch(Arc::clone(&self.supervision.gauge))
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
            supervision,
        } = self;
        let here = net.here();
        net.process(
            name,
            (into, ports, here),
            async move |ports: &ActorPorts<A>| live(ports, make, supervision).await,
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

/// An actor that a process or another actor is about to start while the network runs; made by [`Actor::declare_at`].
///
/// Two that talk to each other are both declared before either is started: give each other's
/// [`address`](Self::address) to the ports of the one that starts.
#[must_use = "nobody answers at its addresses unless it is started"]
pub struct NewActor<'a, A: Actor> {
    here: &'a Here,
    name: String,
    /// Its process is listed for it as long as this stands.
    out: Out<Letter<A>>,
    into: Parcel<In<Letter<A>>>,
    supervision: Supervision,
}

impl<'a, A: Actor> NewActor<'a, A> {
    pub(super) fn new(here: &'a Here, name: &str) -> Self {
        let (out, into) = here.channel(name);
        Self {
            here,
            name: name.to_owned(),
            out: here.settle(out),
            into,
            supervision: Supervision::none(name),
        }
    }

    pub(super) fn supervised(mut self, take_in: impl FnOnce(&Arc<Gauge>) -> Membership) -> Self {
        self.supervision.membership = Some(take_in(&self.supervision.gauge));
        self
    }

    /// An address of the actor, to be sent to others, [kept](super::Context::keep), [adopted](Here::adopt), or given to a
    /// process or actor that is started.
    #[must_use]
    pub fn address(&self) -> Parcel<Address<A>> {
        self.out.parcel().recast()
    }

    /// As [`DeclaredActor::restarts`].
    pub fn restarts(mut self, limit: u32, period: Duration) -> Self {
        self.supervision.restarts = Restarts::new(limit, period);
        self
    }

    /// A look at what the actor will have done, from any thread and at any time.
    #[must_use]
    pub fn watch(&self) -> ActorWatch {
        ActorWatch(Arc::clone(&self.supervision.gauge))
    }

    /// Starts the actor: `make` makes it, and again for each restart. Does not block: it runs once this process waits.
    ///
    /// It is one process of the network, by its full name. It ends like every actor: when it is
    /// [stopped](Address::stop), or the last address is gone; so it ends after whoever started it unless others have
    /// addresses. If it fails for good, the run fails with its name.
    ///
    /// `ports` binds what [`Actor::Ports`] would: shares of what this process has ([`Address::token`],
    /// [`Out::token`](crate::process::Out::token)), or parcels.
    ///
    /// # Panics
    ///
    /// If a port belongs to another network, or is a token of before the run.
    pub fn start<P>(self, ports: P, make: impl FnMut() -> A + Send + 'static) -> Parcel<Address<A>>
    where
        P: Ports<Async = <A::Ports as Ports>::Async>,
    {
        let address = self.address();
        let Self {
            here,
            name,
            into,
            supervision,
            ..
        } = self;
        here.start(
            name,
            (into, ports, here.token()),
            async move |ports: &ActorPorts<A>| live(ports, make, supervision).await,
        );
        address
    }
}

impl<A: Actor> fmt::Debug for NewActor<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewActor")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
