//! Processes and networks: who holds which end of what, who waits for whom, and deadlock as a value.
//!
//! A [`Network`] has channels and *processes*. A process is an async closure that borrows its *ports*, the ends of
//! channels that it was declared with; a [thread](Network::thread) is the same for code that blocks. Because no end can
//! leave its process unseen, the network knows at any time who could release whom. So it can say what no runtime with
//! buffers can: these processes wait for each other, here is the cycle, and nobody else can release them.
//!
//! ```
//! use handover::process::{In, Network, Out, RunError};
//!
//! let mut net = Network::new("chain");
//! let (up_out, up_in) = net.channel::<u32>("up");
//! let (down_out, down_in) = net.channel::<u32>("down");
//! // Each sends before it receives: with a buffer this works, until it does not.
//! net.process("a", (up_out, down_in), async |(up, down): &(Out<u32>, In<u32>)| {
//!     up.send(1).await?;
//!     down.recv().await?;
//!     Ok(())
//! });
//! net.process("b", (down_out, up_in), async |(down, up): &(Out<u32>, In<u32>)| {
//!     down.send(2).await?;
//!     up.recv().await?;
//!     Ok(())
//! });
//! let Err(RunError::Deadlock(deadlock)) = net.run() else {
//!     panic!("it deadlocks every time");
//! };
//! assert_eq!(deadlock.cycle_names(), ["a", "b"]);
//! ```
//!
//! # What is a deadlock?
//!
//! A set of blocked processes is deadlocked when every operation of every member can be released only by members. A
//! process that waits for anything that the network cannot see (a timer, a socket, a channel of which an end was
//! [taken out](Out::take_out)) is no member, and neither is one that such a process could release: what cannot be proved
//! is not reported. It still shows as a wait.

mod all;
mod attached;
mod blocking;
mod body;
mod cycle;
mod dot;
mod error;
mod executor;
mod graph;
mod here;
mod input;
#[cfg(feature = "serde")]
mod json;
mod metrics;
mod network;
#[cfg(feature = "observe")]
mod observe;
mod out;
mod parcel;
mod ports;
mod ports_macro;
mod registry;
mod report;
#[cfg(test)]
mod sample;
mod snapshot;
mod table;
mod threads;
mod trace;
mod twins;
mod waiters;
mod watch;
mod workers;

#[cfg(feature = "observe")]
pub use self::observe::ObserverServer;
pub use self::{
    all::{SendToAll, SendToAllError, send_to_all},
    attached::Attached,
    blocking::{BlockingIn, BlockingOut},
    body::Process,
    error::{ProcessError, ProcessResult, RunError},
    here::{Adopted, Here, HereToken},
    input::{HeldIn, In},
    network::Network,
    out::Out,
    parcel::{Mobile, Parcel},
    ports::{Bound, InToken, OutToken, Ports, Seat},
    ports_macro::{InThread, Twofold},
    report::{Blocked, Deadlock, Kind, Site, Wait, Waiting},
    snapshot::{Bottleneck, ChannelSeen, Doing, Observer, ProcessSeen, Snapshot},
    watch::OnDeadlock,
};
