//! Alternation: waiting on several channels at once, and meeting on exactly one of them.
//!
//! First an alternation looks at its guards one at a time, in random order among those that seem able, each under the
//! lock of its channel alone. It hangs in no list then, so no peer can claim it, and to meet is an operation on one
//! channel like any other.
//!
//! One that must wait locks all its distinct channels, each in its place in one order (that of their addresses,
//! outside loom), checks whether a peer has claimed it meanwhile, looks at each guard, and either commits to one
//! or waits on all; then it unlocks. Whoever claims it holds the lock of one of its channels, so the two exclude
//! each other; two that claim it on different channels are decided by one compare-and-swap on its party.
//!
//! Where nobody can claim it, one lock at a time is enough for all of this: once it was claimed, and for a task that
//! only receives, which is woken and takes by itself.
//!
//! A guard that waits for an instant has no channel and hangs nowhere: the alternation looks at the clock when it
//! looks at its guards. A thread parks until the earliest instant, a task has an alarm set for it.
//!
//! # Invariants
//!
//! - The guards are not moved, and the party stays where it is, while a waiter of theirs hangs in a list.
//! - When an alternation has an outcome, or is dropped, none of its waiters hangs in any list.
//! - A waiter that leaves notified, without taking there, passes the wake-up on.

mod able;
mod alternation;
mod dynamic;
mod ends;
mod guard;
mod list;
mod macros;
mod timing;

pub use self::dynamic::{OfAnybody, OfProcess, OfThread, Select};
#[doc(hidden)]
pub use self::{
    alternation::Alternation,
    ends::{InGuard, Receives, ReceivesBlocking, Sends, SendsBlocking},
    guard::{RecvGuard, SendGuard},
    list::{Guards, Never, Outcome},
    timing::{TickGuard, TimerGuard},
};

/// Who waits in an alternation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub enum Kind {
    /// A blocked thread, which may be given a message.
    Thread,
    /// A future, which takes in its own poll.
    Task,
}

/// In which order the guards are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Each guard that can meet has the same chance.
    Fair,
    /// The first guard that can meet, in the order in which they were written.
    Biased,
}
