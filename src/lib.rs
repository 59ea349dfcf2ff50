//! Handover: a CSP-style message runtime without buffers.
//!
//! A message is *handed over*: a send completes only when the receiver has taken the whole message.
//! There is no queue between the two, so a shortage is a sender that waits, and can be seen.
//!
//! The modules below are the table of contents, in the order in which they stand on each other; a lower
//! one never uses a higher one.

mod sync;

pub mod channel;

#[cfg(not(loom))]
pub mod process;

pub mod pattern;

#[cfg(feature = "net")]
pub mod wire;

#[cfg(feature = "net")]
pub mod net;

#[cfg(feature = "bench")]
pub mod bench;

#[cfg(feature = "cli")]
pub mod cli;

#[cfg(loom)]
#[doc(hidden)]
pub use sync::rehearsal;

pub use channel::{Receiver, Sender, channel};

/// The example of the README, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// The examples of the guide's page on patterns, likewise.
#[cfg(doctest)]
#[doc = include_str!("../docs/guide/patterns.md")]
pub struct GuideToPatterns;

/// The examples of the guide's page on deadlock, likewise.
#[cfg(doctest)]
#[doc = include_str!("../docs/guide/deadlock.md")]
pub struct GuideToDeadlock;

/// The examples of the guide's page on a shortage of workers, likewise.
#[cfg(doctest)]
#[doc = include_str!("../docs/guide/shortage.md")]
pub struct GuideToShortage;

/// The examples of the guide's page on the ends of processes, likewise.
#[cfg(all(doctest, not(loom)))]
#[doc = include_str!("../docs/guide/ending.md")]
pub struct GuideToEnding;

/// The examples of the guide's page on pipelines, likewise.
#[cfg(all(doctest, not(loom)))]
#[doc = include_str!("../docs/guide/pipelines.md")]
pub struct GuideToPipelines;

/// The examples of the guide's page on rehearsals, likewise.
#[cfg(all(doctest, not(loom)))]
#[doc = include_str!("../docs/guide/rehearsal.md")]
pub struct GuideToRehearsing;

/// The examples of the guide's page on actors, likewise.
#[cfg(all(doctest, not(loom)))]
#[doc = include_str!("../docs/guide/actors.md")]
pub struct GuideToActors;

/// The examples of the guide's page on other machines, likewise.
#[cfg(all(doctest, feature = "net"))]
#[doc = include_str!("../docs/guide/remote.md")]
pub struct GuideToRemoteChannels;

/// The examples of the guide's page on systems of several programs, likewise.
#[cfg(all(doctest, feature = "net"))]
#[doc = include_str!("../docs/guide/graph.md")]
pub struct GuideToGraphs;

/// And those of the guide's page on observing.
#[cfg(all(doctest, feature = "observe"))]
#[doc = include_str!("../docs/guide/observe.md")]
pub struct GuideToObserving;
