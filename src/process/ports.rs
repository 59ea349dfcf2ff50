//! Ports: the ends of channels, as processes declare and borrow them.
//!
//! [`Network::channel`](super::Network::channel) gives two *tokens*. A token can do nothing by itself; whoever adds a
//! process names the tokens that it gets, and the process borrows what is made of them. So an end cannot leave its
//! process unseen, and the network always knows who could release whom.

use std::{cell::Cell, fmt};

use super::{
    blocking::{BlockingIn, BlockingOut},
    here::{Here, HereToken},
    input::In,
    out::Out,
    poisoner::PoisonToken,
    registry::{Registry, Side},
};
use crate::{
    channel::{Reason, observe::Unbound},
    sync::Arc,
};

/// Where ports are bound: a process of a network that is about to begin.
pub struct Seat<'a> {
    pub(super) registry: &'a Arc<Registry>,
    pub(super) process: u32,
    /// Whether the process may start others.
    may_start: Cell<bool>,
}

impl<'a> Seat<'a> {
    pub(super) fn new(registry: &'a Arc<Registry>, process: u32) -> Self {
        Self {
            registry,
            process,
            may_start: Cell::new(false),
        }
    }

    /// Whether what was bound here lets the process start others.
    pub(super) fn may_start(&self) -> bool {
        self.may_start.get()
    }
}

/// Tokens that a process can be given, and the ports that it borrows for them.
///
/// It is implemented for [`OutToken`], [`InToken`], [`PoisonToken`], [`HereToken`], for tuples of tokens, for vectors and
/// arrays of them, for options of them, and for the structs that [`ports!`](crate::ports) declares.
pub trait Ports: Send {
    /// What a process borrows: its operations are futures.
    type Async: Bound;
    /// What a thread borrows: its operations block.
    type Blocking: Bound;
    /// Makes the ports of a process.
    #[doc(hidden)]
    fn bind(self, seat: &Seat<'_>) -> Self::Async;
    /// Makes the ports of a thread.
    #[doc(hidden)]
    fn bind_blocking(self, seat: &Seat<'_>) -> Self::Blocking;
}

/// Ports that belong to a process.
pub trait Bound: Send + Sync + 'static {
    /// Poisons every channel of which there is an end among them, or the right to.
    #[doc(hidden)]
    fn fail(&self, failing: &Failing);
}

/// That the process has failed: nobody else poisons a channel of which it has but an end.
#[doc(hidden)]
#[derive(Debug)]
pub struct Failing(pub(super) Reason);

/// The tie of an end to the process that holds it.
pub(super) struct Tie<const SENDING: bool> {
    pub(super) registry: Arc<Registry>,
    pub(super) channel: u32,
    process: u32,
}

impl<const SENDING: bool> Tie<SENDING> {
    const SIDE: Side = if SENDING {
        Side::Sending
    } else {
        Side::Receiving
    };

    pub(super) fn new(seat: &Seat<'_>, channel: u32) -> Self {
        seat.registry.hold(channel, Self::SIDE, seat.process);
        Self {
            registry: Arc::clone(seat.registry),
            channel,
            process: seat.process,
        }
    }
}

impl<const SENDING: bool> Drop for Tie<SENDING> {
    fn drop(&mut self) {
        self.registry.let_go(self.channel, Self::SIDE, self.process);
    }
}

macro_rules! token {
    ($Token:ident, $Port:ident, $Blocking:ident, $side:literal, $shared:literal) => {
        #[doc = concat!("The right to ", $side, " on a channel, for whichever process is given it.")]
        ///
        /// It does nothing by itself, and keeps no channel open: once the network runs, it is inert.
        #[must_use = "a token does nothing until a process is given it"]
        pub struct $Token<T> {
            pub(super) unbound: Unbound<T>,
            pub(super) registry: Arc<Registry>,
            pub(super) channel: u32,
        }

        impl<T: Send + 'static> $Token<T> {
            #[doc = concat!("One more such token, for ", $shared, ".")]
            pub fn share(&self) -> Self {
                Self {
                    unbound: self.unbound.clone(),
                    registry: Arc::clone(&self.registry),
                    channel: self.channel,
                }
            }

            /// The right to poison the channel, for whichever process is given it, or for somebody outside. The ends
            /// themselves do not have it.
            #[must_use]
            pub fn poisoner(&self) -> PoisonToken {
                PoisonToken::new(&self.registry, self.channel, self.unbound.observed())
            }

            fn check(&self, seat: &Seat<'_>) {
                assert!(
                    !self.registry.has_begun(),
                    "a token of network `{}` is used after the network began to run: a process that runs gives \
                     others a share of its own port (`port.token()`, or `port.parcel()` to be sent)",
                    self.registry.name,
                );
                assert!(
                    Arc::ptr_eq(&self.registry, seat.registry),
                    "a port of network `{}` is given to a process of network `{}`: channels between networks are made \
                     outside of both",
                    self.registry.name,
                    seat.registry.name,
                );
            }
        }

        impl<T: Send + 'static> Ports for $Token<T> {
            type Async = $Port<T>;
            type Blocking = $Blocking<T>;

            fn bind(self, seat: &Seat<'_>) -> $Port<T> {
                self.check(seat);
                $Port::bind(&self.unbound, seat, self.channel)
            }

            fn bind_blocking(self, seat: &Seat<'_>) -> $Blocking<T> {
                $Blocking(self.bind(seat))
            }
        }

        impl<T: Send + 'static> Bound for $Port<T> {
            fn fail(&self, failing: &Failing) {
                self.end.poison(failing.0.clone());
            }
        }

        impl<T: Send + 'static> Bound for $Blocking<T> {
            fn fail(&self, failing: &Failing) {
                self.0.end.poison(failing.0.clone());
            }
        }

        impl<T> fmt::Debug for $Token<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Token)).finish_non_exhaustive()
            }
        }

        impl<T> fmt::Debug for $Port<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Port)).finish_non_exhaustive()
            }
        }

        impl<T> fmt::Debug for $Blocking<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Blocking)).finish_non_exhaustive()
            }
        }
    };
}

token!(OutToken, Out, BlockingOut, "send", "one more sender");
token!(InToken, In, BlockingIn, "receive", "one more receiver");

/// The two tokens of a channel.
pub(super) fn tokens<T: Send + 'static>(
    registry: &Arc<Registry>,
    name: &str,
) -> (OutToken<T>, InToken<T>) {
    let unbound = Unbound::new();
    let channel = registry.add_channel(name, &unbound);
    let out = OutToken {
        unbound: unbound.clone(),
        registry: Arc::clone(registry),
        channel,
    };
    let into = InToken {
        unbound,
        registry: Arc::clone(registry),
        channel,
    };
    (out, into)
}

// ---- Several ports ----

macro_rules! tuples {
    ($(($($P:ident $at:tt),*);)+) => {$(
        impl<$($P: Ports),*> Ports for ($($P,)*) {
            type Async = ($($P::Async,)*);
            type Blocking = ($($P::Blocking,)*);
            fn bind(self, seat: &Seat<'_>) -> Self::Async {
                ($(self.$at.bind(seat),)*)
            }
            fn bind_blocking(self, seat: &Seat<'_>) -> Self::Blocking {
                ($(self.$at.bind_blocking(seat),)*)
            }
        }

        impl<$($P: Bound),*> Bound for ($($P,)*) {
            fn fail(&self, failing: &Failing) {
                $(self.$at.fail(failing);)*
            }
        }
    )+};
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
}

impl Ports for () {
    type Async = ();
    type Blocking = ();
    fn bind(self, _seat: &Seat<'_>) {}
    fn bind_blocking(self, _seat: &Seat<'_>) {}
}

impl Bound for () {
    fn fail(&self, _failing: &Failing) {}
}

impl<P: Ports> Ports for Vec<P> {
    type Async = Vec<P::Async>;
    type Blocking = Vec<P::Blocking>;

    fn bind(self, seat: &Seat<'_>) -> Self::Async {
        self.into_iter().map(|port| port.bind(seat)).collect()
    }

    fn bind_blocking(self, seat: &Seat<'_>) -> Self::Blocking {
        let ports = self.into_iter().map(|port| port.bind_blocking(seat));
        ports.collect()
    }
}

impl<P: Bound> Bound for Vec<P> {
    fn fail(&self, failing: &Failing) {
        for port in self {
            port.fail(failing);
        }
    }
}

impl<P: Ports, const N: usize> Ports for [P; N] {
    type Async = [P::Async; N];
    type Blocking = [P::Blocking; N];

    fn bind(self, seat: &Seat<'_>) -> Self::Async {
        self.map(|port| port.bind(seat))
    }

    fn bind_blocking(self, seat: &Seat<'_>) -> Self::Blocking {
        self.map(|port| port.bind_blocking(seat))
    }
}

impl<P: Bound, const N: usize> Bound for [P; N] {
    fn fail(&self, failing: &Failing) {
        for port in self {
            port.fail(failing);
        }
    }
}

impl<P: Ports> Ports for Option<P> {
    type Async = Option<P::Async>;
    type Blocking = Option<P::Blocking>;

    fn bind(self, seat: &Seat<'_>) -> Self::Async {
        self.map(|port| port.bind(seat))
    }

    fn bind_blocking(self, seat: &Seat<'_>) -> Self::Blocking {
        self.map(|port| port.bind_blocking(seat))
    }
}

impl<P: Bound> Bound for Option<P> {
    fn fail(&self, failing: &Failing) {
        if let Some(port) = self {
            port.fail(failing);
        }
    }
}

impl Ports for HereToken {
    type Async = Here;
    type Blocking = Here;

    fn bind(self, seat: &Seat<'_>) -> Here {
        seat.may_start.set(true);
        Here::new(Arc::clone(seat.registry), seat.process)
    }

    fn bind_blocking(self, seat: &Seat<'_>) -> Here {
        self.bind(seat)
    }
}

impl Bound for Here {
    fn fail(&self, _failing: &Failing) {}
}
