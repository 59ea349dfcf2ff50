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
//! # No end leaves its process
//!
//! So much rests on it that the compiler sees to it. A port cannot be given to a thread,
//!
//! ```compile_fail
//! # use handover::process::{Network, Out};
//! # let mut net = Network::new("none");
//! # let (out, _) = net.channel::<u32>("numbers");
//! net.process("leaky", out, async |out: &Out<u32>| {
//!     std::thread::spawn(move || out.is_ready()); // error: borrowed data escapes
//!     Ok(())
//! });
//! ```
//!
//! nor returned,
//!
//! ```compile_fail
//! # use handover::process::{Network, Out};
//! # let mut net = Network::new("none");
//! # let (out, _) = net.channel::<u32>("numbers");
//! net.process_returning("leaky", out, async |out: &Out<u32>| Ok(out)).take(); // error: lifetime may not live
//! ```
//!
//! nor sent in a message, nor cloned, nor moved out of where it is.
//!
//! ```compile_fail
//! # use handover::process::{Network, Out};
//! # let mut net = Network::new("none");
//! # let (letters, _) = net.channel::<&'static Out<u32>>("letters");
//! # let (out, _) = net.channel::<u32>("numbers");
//! net.process("leaky", (letters, out), async |(letters, out): &(Out<&'static Out<u32>>, Out<u32>)| {
//!     Ok(letters.send(out).await?) // error: borrowed data escapes
//! });
//! ```
//!
//! ```compile_fail
//! # use handover::process::{Network, Out};
//! # let mut net = Network::new("none");
//! # let (out, _) = net.channel::<u32>("numbers");
//! net.process("leaky", (out,), async |(out,): &(Out<u32>,)| {
//!     let mine: Out<u32> = *out; // error: cannot move out of a reference
//!     Ok(mine.send(1).await?)
//! });
//! ```
//!
//! The same holds for what a process has in custody, for an end that it has adopted, and for a port that it may give up
//! early.
//!
//! ```compile_fail
//! # use handover::process::{In, Network};
//! # let mut net = Network::new("none");
//! # let (_, into) = net.channel::<u32>("numbers");
//! net.process("leaky", into, async |into: &In<u32>| {
//!     let held = into.recv_held().await?;
//!     std::thread::spawn(move || drop(held)); // error: borrowed data escapes
//!     Ok(())
//! });
//! ```
//!
//! ```compile_fail
//! # use handover::process::{Here, Network};
//! # let mut net = Network::new("none");
//! net.process("leaky", net.here(), async |here: &Here| {
//!     let (out, _) = here.channel::<u32>("numbers");
//!     let out = here.adopt(out);
//!     std::thread::spawn(move || drop(out)); // error: borrowed data escapes
//!     Ok(())
//! });
//! ```
//!
//! ```compile_fail
//! # use handover::process::{Early, Network, Out};
//! # let mut net = Network::new("none");
//! # let (out, _) = net.channel::<u32>("numbers");
//! net.process("leaky", out.early(), async |out: &Early<Out<u32>>| {
//!     let out = out.get()?;
//!     std::thread::spawn(move || drop(out)); // error: borrowed data escapes
//!     Ok(())
//! });
//! ```
//!
//! Nor can what stands behind a port be had by way of a guard.
//!
//! ```compile_fail
//! # use handover::{channel::select::Sends, process::{Network, Out}};
//! # let mut net = Network::new("none");
//! # let (out, _) = net.channel::<u32>("numbers");
//! net.process("leaky", out, async |out: &Out<u32>| {
//!     drop(out.sending_end().clone()); // error: no method named `clone`
//!     Ok(())
//! });
//! ```
//!
//! What is to leave it says so: [`Out::take_out`] opens the channel, and a [`Parcel`] carries an end to another process.
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
mod custody;
mod cycle;
mod dot;
mod early;
mod ending;
mod error;
mod executor;
mod graph;
mod here;
mod input;
mod islands;
#[cfg(feature = "serde")]
mod json;
mod metrics;
mod network;
#[cfg(feature = "observe")]
mod observe;
mod out;
mod outcome;
#[cfg(feature = "net")]
mod outside;
mod parcel;
mod poisoner;
mod ports;
mod ports_macro;
mod registry;
pub mod rehearsal;
mod report;
#[cfg(test)]
mod sample;
mod share;
mod snapshot;
mod table;
mod threads;
mod trace;
mod twins;
mod undecided;
mod waiters;
mod watch;
mod workers;

#[cfg(feature = "observe")]
pub use self::observe::ObserverServer;
#[cfg(feature = "net")]
pub(crate) use self::outside::Outside;
#[doc(hidden)]
pub use self::ports::Failing;
pub use self::{
    all::{SendToAll, SendToAllError, send_to_all},
    attached::Attached,
    blocking::{BlockingIn, BlockingOut},
    body::Process,
    early::{Early, EarlyToken, Finished, Lent},
    ending::{OrEnd, Unsent},
    error::{ProcessError, ProcessResult, RunError},
    here::{Adopted, Here, HereToken},
    input::{HeldIn, In},
    network::Network,
    out::Out,
    outcome::{NoOutcome, Outcome},
    parcel::{Mobile, Parcel},
    poisoner::{PoisonToken, Poisoner},
    ports::{Bound, InToken, OutToken, Ports, Seat},
    ports_macro::{InThread, Twofold},
    report::{Blocked, Crossing, Deadlock, Kind, Site, Wait, Waiting},
    share::PortToken,
    snapshot::{Bottleneck, ChannelSeen, Doing, Observer, ProcessSeen, Snapshot},
    undecided::{Because, Undecided},
    watch::OnDeadlock,
};
