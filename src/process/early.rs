//! Ports that a process may give up before it ends.
//!
//! Why not `finish` on every port: a process borrows its ports, so an operation could have been begun (its future made)
//! before the port is finished, and be polled after. It would meet a peer for which the network does not count the
//! process any more: a deadlock could be reported that this very meeting ends. To exclude that, each operation of every
//! port would have to be counted. Here those are counted who have borrowed such a port, and nobody else pays.

use std::{fmt, marker::PhantomData, ops::Deref};

use super::{
    parcel::{Mobile, Parcel},
    ports::{Bound, Failing, InToken, OutToken, Ports, Seat},
    ports_macro::Twofold,
};
use crate::{
    channel::{
        Receiver, Sender,
        select::{InGuard, Receives, ReceivesBlocking, Sends, SendsBlocking},
    },
    sync::{Arc, Mutex},
};

/// A port (or several) that its process may give up before it ends, with [`finish`](Self::finish).
///
/// A process declares it where it is added, with [`early`](InToken::early); one end of a channel that it has
/// [adopted](super::Here::adopt) it gives up by dropping what it has of it.
///
/// ```
/// use handover::process::{Early, In, Network, Out};
///
/// let mut net = Network::new("two parts");
/// let (heads, first_heads) = net.channel::<&str>("heads");
/// let (bodies, then_bodies) = net.channel::<&str>("bodies");
/// net.process(
///     "writer",
///     (heads.early(), bodies),
///     async |(heads, bodies): &(Early<Out<&'static str>>, Out<&'static str>)| {
///         heads.get()?.send("title").await?;
///         heads.finish(); // the reader hears that this was all
///         assert!(heads.get().is_err());
///         bodies.send("once upon a time").await?;
///         Ok(())
///     },
/// );
/// net.process(
///     "reader",
///     (first_heads, then_bodies),
///     async |(heads, bodies): &(In<&'static str>, In<&'static str>)| {
///         while let Some(head) = heads.next().await? {
///             assert_eq!(head, "title");
///         }
///         assert_eq!(bodies.recv().await?, "once upon a time");
///         Ok(())
///     },
/// );
/// net.run()?;
/// # Ok::<(), handover::process::RunError>(())
/// ```
pub struct Early<P>(Mutex<Option<Arc<P>>>);

impl<P> Early<P> {
    /// The port, to be used. Does not block.
    ///
    /// # Errors
    ///
    /// [`Finished`], once the process has given it up.
    pub fn get(&self) -> Result<Lent<'_, P>, Finished> {
        match &*self.0.lock() {
            Some(port) => Ok(Lent {
                port: Arc::clone(port),
                _early: PhantomData,
            }),
            None => Err(Finished),
        }
    }

    /// Gives the port up: the process has no such end any more, in the eyes of its peers and of the network. Returns
    /// false if it was given up before. Does not block.
    ///
    /// Whoever in the process is in the middle of something with it ([has it](Self::get)) comes to the end of that; the
    /// port goes then.
    pub fn finish(&self) -> bool {
        // What is dropped with it may be messages, which are foreign: not under the lock.
        let port = self.0.lock().take();
        port.is_some()
    }

    /// Whether it was given up.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.lock().is_none()
    }
}

/// The process has given this port up before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this process has given the port up, with `finish`, and cannot use it any more")]
pub struct Finished;

/// A port that its process may give up, in use: it is there as long as this is.
#[must_use = "it is the port"]
pub struct Lent<'a, P> {
    port: Arc<P>,
    _early: PhantomData<&'a Early<P>>,
}

impl<P> Deref for Lent<'_, P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.port
    }
}

macro_rules! ends {
    ($($Trait:ident $end:ident $End:ident;)+) => {$(
        impl<P: $Trait> $Trait for Lent<'_, P> {
            type Message = P::Message;
            fn $end(&self) -> InGuard<'_, $End<P::Message>> {
                self.port.$end()
            }
        }
    )+};
}

ends! {
    Sends sending_end Sender;
    SendsBlocking sending_end Sender;
    Receives receiving_end Receiver;
    ReceivesBlocking receiving_end Receiver;
}

/// The right to have a port, or several, and to give it up early.
#[must_use = "a token does nothing until a process is given it"]
pub struct EarlyToken<P>(P);

impl<P: Ports> EarlyToken<P> {
    /// Ports that are given up together: tokens, parcels, or several of them.
    pub fn of(ports: P) -> Self {
        Self(ports)
    }
}

impl<P: Ports> Ports for EarlyToken<P> {
    type Async = Early<P::Async>;
    type Blocking = Early<P::Blocking>;

    fn bind(self, seat: &Seat<'_>) -> Self::Async {
        Early(Mutex::new(Some(Arc::new(self.0.bind(seat)))))
    }

    fn bind_blocking(self, seat: &Seat<'_>) -> Self::Blocking {
        Early(Mutex::new(Some(Arc::new(self.0.bind_blocking(seat)))))
    }
}

impl<P: Bound> Bound for Early<P> {
    fn fail(&self, failing: &Failing) {
        let port = self.0.lock().clone();
        if let Some(port) = port {
            port.fail(failing);
        }
    }
}

impl<P: Twofold> Twofold for Early<P> {
    type Blocking = Early<P::Blocking>;
}

macro_rules! early {
    ($($Token:ident)+) => {$(
        impl<T: Send + 'static> $Token<T> {
            /// For a process that may give this end up before it ends: it gets an [`Early`] port.
            pub fn early(self) -> EarlyToken<Self> {
                EarlyToken(self)
            }
        }
    )+};
}

early!(OutToken InToken);

impl<P: Mobile> Parcel<P>
where
    Self: Ports,
{
    /// For a process that may give this end up before it ends: it gets an [`Early`] port.
    pub fn early(self) -> EarlyToken<Self> {
        EarlyToken(self)
    }
}

impl<P> fmt::Debug for Early<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Early")
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

impl<P: fmt::Debug> fmt::Debug for Lent<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.port.fmt(f)
    }
}

impl<P: fmt::Debug> fmt::Debug for EarlyToken<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
