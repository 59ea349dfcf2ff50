//! What a process may do besides communicating: adopt ends that were sent to it, and start other processes.

use std::{fmt, ops::Deref};

use super::{
    body::{Body, Process},
    input::In,
    out::Out,
    outcome::Nothing,
    parcel::{Mobile, Openness, Parcel},
    poisoner::Poisoner,
    ports::{Ports, Seat},
    registry::Registry,
};
use crate::{
    channel::{
        Receiver, Sender,
        observe::Unbound,
        select::{InGuard, Receives, Sends},
    },
    sync::Arc,
};

/// A port that is no channel: the process's own place in its network.
///
/// A process declares it, as it does its channels, with [`Network::here`](super::Network::here).
pub struct Here {
    registry: Arc<Registry>,
    process: u32,
}

/// The right to have a [`Here`], for whichever process is given it.
#[derive(Debug, Clone, Copy)]
pub struct HereToken(pub(super) ());

impl Here {
    pub(super) fn new(registry: Arc<Registry>, process: u32) -> Self {
        Self { registry, process }
    }

    fn seat(&self) -> Seat<'_> {
        Seat::new(&self.registry, self.process)
    }

    /// The full name of the process.
    #[must_use]
    pub fn name(&self) -> String {
        self.registry.name_of(self.process)
    }

    /// Takes up the end of a channel that another process has sent: this process holds it from now on, until what is
    /// returned is dropped. Like every port it is borrowed, and cannot leave the process.
    ///
    /// # Panics
    ///
    /// If the parcel is one of another network.
    pub fn adopt<P: Mobile>(&self, parcel: Parcel<P>) -> Adopted<'_, P> {
        Adopted {
            port: parcel.unpack(&self.seat()),
            _here: self,
        }
    }

    /// Makes a channel without a buffer while the network runs: its two ends, to be given to processes that this one
    /// [starts](Self::start), sent to others, or [adopted](Self::adopt). Does not block.
    ///
    /// Its full name is this process's name, a slash, and `name`. While one of its ends is in a parcel it is open, and
    /// a wait on it is never called a deadlock.
    #[must_use]
    pub fn channel<T: Send + 'static>(
        &self,
        name: impl fmt::Display,
    ) -> (Parcel<Out<T>>, Parcel<In<T>>) {
        let (out, into, _) = self.channel_with_poisoner(name);
        (out, into)
    }

    /// As [`channel`](Self::channel), with the right to poison the channel. It is to be had here and from who has it, and
    /// not from who has an end.
    #[must_use]
    pub fn channel_with_poisoner<T: Send + 'static>(
        &self,
        name: impl fmt::Display,
    ) -> (Parcel<Out<T>>, Parcel<In<T>>, Parcel<Poisoner>) {
        let unbound = Unbound::new();
        let name = format!("{}/{name}", self.name());
        let channel = self.registry.add_channel(&name, &unbound);
        let out = Parcel {
            end: unbound.sender(),
            openness: Openness::new(&self.registry, channel),
        };
        let into = Parcel {
            end: unbound.receiver(),
            openness: Openness::new(&self.registry, channel),
        };
        let poisoner = Poisoner::parcel_of(&self.registry, channel, unbound.observed());
        (out, into, poisoner)
    }

    /// As [`adopt`](Self::adopt), for whoever sees to it that the port does not leave this process.
    pub(crate) fn settle<P: Mobile>(&self, parcel: Parcel<P>) -> P {
        parcel.unpack(&self.seat())
    }

    /// Starts another process of the network, with shares of the ends that this one has
    /// ([`Out::token`](super::Out::token), [`In::token`](super::In::token)), or with ends that were made or sent for it
    /// ([`channel`](Self::channel), [`Out::parcel`](super::Out::parcel)). The network ends when it has ended too. Does
    /// not block: the other runs once this one waits.
    ///
    /// If the run has ended meanwhile (a thread may outlive it for a moment), the process is dropped and never begins.
    ///
    /// Its full name is this process's name, a slash, and `name`.
    ///
    /// # Panics
    ///
    /// If a port is a token of [`Network::channel`](super::Network::channel), which is inert by now, or belongs to
    /// another network.
    pub fn start<P, F>(&self, name: impl fmt::Display, ports: P, process: F)
    where
        P: Ports,
        F: for<'a> Process<'a, P::Async> + 'static,
    {
        let name = format!("{}/{name}", self.name());
        let home = self.registry.home_of(self.process);
        if let Some(body) = Body::new(&self.registry, home, &name, ports, process, Nothing) {
            body.into_task().begin();
        }
    }
}

impl fmt::Debug for Here {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Here").finish_non_exhaustive()
    }
}

/// A port that a process has adopted; dropping it gives the end up.
#[must_use = "dropping it gives the end up"]
pub struct Adopted<'a, P> {
    port: P,
    _here: &'a Here,
}

impl<P> Deref for Adopted<'_, P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.port
    }
}

impl<P: Sends> Sends for Adopted<'_, P> {
    type Message = P::Message;
    fn sending_end(&self) -> InGuard<'_, Sender<P::Message>> {
        self.port.sending_end()
    }
}

impl<P: Receives> Receives for Adopted<'_, P> {
    type Message = P::Message;
    fn receiving_end(&self) -> InGuard<'_, Receiver<P::Message>> {
        self.port.receiving_end()
    }
}

impl<P: fmt::Debug> fmt::Debug for Adopted<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.port.fmt(f)
    }
}
