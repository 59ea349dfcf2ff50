//! A share of an end that a process has, for one that it starts.

use std::fmt;

use super::{
    blocking::{BlockingIn, BlockingOut},
    here::{Here, HereToken},
    input::In,
    out::Out,
    ports::{Ports, Seat, Tie},
};
use crate::sync::Arc;

/// The right to one more end of the kind that a process has, for a process that it [starts](super::Here::start); made by
/// [`Out::token`] and [`In::token`].
///
/// It does nothing by itself, and keeps no channel open. Because it borrows the port, somebody who is listed has such an
/// end at all times: unlike with a [parcel](Out::parcel), which can be sent about, the channel is never open, and stays
/// as fast as it was.
#[must_use = "a token does nothing until a process is given it"]
pub struct PortToken<'a, P>(&'a P);

impl<P> Clone for PortToken<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for PortToken<'_, P> {}

macro_rules! share {
    ($Port:ident, $Blocking:ident) => {
        impl<T> $Port<T> {
            /// The right to one more such end, for a process that this one [starts](Here::start).
            ///
            /// ```
            /// use handover::process::{Here, In, Network, Out};
            ///
            /// let mut net = Network::new("growing");
            /// let (jobs, to_do) = net.channel::<u32>("jobs");
            /// let (done, results) = net.channel::<u32>("done");
            /// net.process(
            ///     "foreman",
            ///     (net.here(), to_do, done),
            ///     async |(here, jobs, done): &(Here, In<u32>, Out<u32>)| {
            ///         for worker in 0..3 {
            ///             let shares = (jobs.token(), done.token());
            ///             here.start(worker, shares, async |(jobs, done): &(In<u32>, Out<u32>)| {
            ///                 while let Some(job) = jobs.next().await? {
            ///                     done.send(2 * job).await?;
            ///                 }
            ///                 Ok(())
            ///             });
            ///         }
            ///         Ok(())
            ///     },
            /// );
            /// net.process("source", jobs, async |jobs: &Out<u32>| {
            ///     for job in 0..10 {
            ///         jobs.send(job).await?;
            ///     }
            ///     Ok(())
            /// });
            /// let sum = net.process_returning("sum", results, async |results: &In<u32>| {
            ///     let mut sum = 0;
            ///     while let Some(result) = results.next().await? {
            ///         sum += result;
            ///     }
            ///     Ok(sum)
            /// });
            /// net.run()?;
            /// assert_eq!(sum.take()?, 90);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn token(&self) -> PortToken<'_, Self> {
                PortToken(self)
            }
        }

        impl<T> $Blocking<T> {
            /// The right to one more such end, for a process that this thread [starts](Here::start); see
            #[doc = concat!("[`", stringify!($Port), "::token`].")]
            pub fn token(&self) -> PortToken<'_, $Port<T>> {
                PortToken(&self.0)
            }
        }

        impl<T: Send + 'static> Ports for PortToken<'_, $Port<T>> {
            type Async = $Port<T>;
            type Blocking = $Blocking<T>;

            fn bind(self, seat: &Seat<'_>) -> $Port<T> {
                let Self($Port { end, tie }) = self;
                assert!(
                    Arc::ptr_eq(&tie.registry, seat.registry),
                    "an end of network `{}` is given to a process of network `{}`: channels between networks are made \
                     outside of both",
                    tie.registry.name,
                    seat.registry.name,
                );
                $Port {
                    tie: Tie::new(seat, tie.channel),
                    end: end.clone(),
                }
            }

            fn bind_blocking(self, seat: &Seat<'_>) -> $Blocking<T> {
                $Blocking(self.bind(seat))
            }
        }
    };
}

share!(Out, BlockingOut);
share!(In, BlockingIn);

impl Here {
    /// The right to a [`Here`] of its own, for a process that this one [starts](Self::start).
    #[must_use]
    pub fn token(&self) -> HereToken {
        HereToken(())
    }
}

impl<P: fmt::Debug> fmt::Debug for PortToken<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PortToken").field(self.0).finish()
    }
}
