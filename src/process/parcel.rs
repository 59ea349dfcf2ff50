//! Ends on their way from one process to another.

use std::fmt;

use super::{
    blocking::{BlockingIn, BlockingOut},
    input::In,
    out::Out,
    ports::{Ports, Seat},
    registry::Registry,
};
use crate::sync::Arc;

/// An end that nobody is listed for, or the right to poison its channel.
pub(super) struct Openness {
    registry: Arc<Registry>,
    channel: u32,
    is_poison: bool,
}

impl Openness {
    pub(super) fn new(registry: &Arc<Registry>, channel: u32) -> Self {
        registry.open(channel);
        Self {
            registry: Arc::clone(registry),
            channel,
            is_poison: false,
        }
    }

    pub(super) fn of_poison(registry: &Arc<Registry>, channel: u32) -> Self {
        registry.take_poison(channel, None);
        Self {
            registry: Arc::clone(registry),
            channel,
            is_poison: true,
        }
    }
}

impl Drop for Openness {
    fn drop(&mut self) {
        if self.is_poison {
            self.registry.leave_poison(self.channel, None);
        } else {
            self.registry.close(self.channel);
        }
    }
}

/// An end of a channel, or the right to poison it, on its way to another process, inside a message.
///
/// Its channel is open until the process that gets it has adopted it ([`Here::adopt`](super::Here::adopt)), or it is dropped.
pub struct Parcel<P: Mobile> {
    pub(super) end: P::End,
    pub(super) openness: Openness,
}

impl<P: Mobile> fmt::Debug for Parcel<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parcel").finish_non_exhaustive()
    }
}

/// A port that can be sent from one process to another.
pub trait Mobile: Sized {
    #[doc(hidden)]
    type End;
    #[doc(hidden)]
    fn settle(end: Self::End, seat: &Seat<'_>, channel: u32) -> Self;
}

impl<P: Mobile> Parcel<P> {
    /// The same end, to be unpacked as another port.
    pub(crate) fn recast<Q: Mobile<End = P::End>>(self) -> Parcel<Q> {
        Parcel {
            end: self.end,
            openness: self.openness,
        }
    }

    /// The port that is in it, held by the process of `seat` from now on.
    pub(crate) fn unpack(self, seat: &Seat<'_>) -> P {
        // Before it is taken apart: the channel is open for as long as there is the end.
        assert!(
            Arc::ptr_eq(&self.openness.registry, seat.registry),
            "a parcel of network `{}` is adopted in network `{}`",
            self.openness.registry.name,
            seat.registry.name,
        );
        let Self { end, openness } = self;
        let port = P::settle(end, seat, openness.channel);
        // Only now: somebody is listed all the time.
        drop(openness);
        port
    }
}

macro_rules! parcel {
    ($Port:ident, $Blocking:ident) => {
        impl<T: Send + 'static> Ports for Parcel<$Port<T>> {
            type Async = $Port<T>;
            type Blocking = $Blocking<T>;

            fn bind(self, seat: &Seat<'_>) -> $Port<T> {
                self.unpack(seat)
            }

            fn bind_blocking(self, seat: &Seat<'_>) -> $Blocking<T> {
                $Blocking(self.unpack(seat))
            }
        }
    };
}

parcel!(Out, BlockingOut);
parcel!(In, BlockingIn);
