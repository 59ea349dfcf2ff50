//! Networks of processes: this crate's beside goroutines, beside tasks of tokio's and beside threads.
//!
//! Everybody does the same work, in a program of its own that does it once and prints one line of JSON: the Rust
//! contenders in a copy of the benchmark itself, Go's in `benches/peers/network.go`. So nobody inherits what
//! another one's allocator or runtime left behind, and memory can be told. Rounds are interleaved as everywhere in
//! [`bench`](super), and ratios are taken within a round.
//!
//! What a contender does is a [`Processes`]; [`contenders()`] is the table of who does what. What a [`Workload`] is, its
//! variants say.

mod contenders;
mod drive;
mod go;
mod ours;
mod program;
mod record;
mod stopwatch;
pub mod table;
mod tasks;
mod threads;
mod workload;

pub use self::{
    contenders::{Contender, Means, contenders, find},
    drive::{ContenderResult, Plan, WorkloadResult, measure},
    go::{Go, NoGo},
    program::{Failed, Programs, Runner},
    record::{Order, Record},
    stopwatch::Lapped,
    workload::{Threads, Workload},
};

#[cfg(feature = "net")]
pub(in crate::bench) use self::{program::output, stopwatch::anonymous_bytes};
use super::run::Run;

/// What processes and channels of one kind must be able to do to take part. Each method returns when all processes
/// have ended, and panics if a number is lost, comes twice or comes in another order. The clock runs from before the
/// first channel is made until then, but where a method says otherwise.
pub trait Processes {
    /// [`Workload::CommsTime`], until its consumer has had `count` numbers.
    fn commstime(count: u64) -> Run;
    /// [`Workload::Pipeline`] with `count` messages.
    fn pipeline(count: u64) -> Run;
}

/// Processes of which there can be a million.
pub trait LightProcesses: Processes {
    /// A token that goes `laps + 2` times around a ring of `size` processes: see [`Lapped`].
    fn ring(laps: u64, size: usize) -> Lapped;
    /// [`Workload::Pairs`]: `size` pairs, each with `count` round trips, on so many threads.
    fn pairs(count: u64, size: usize, threads: Threads) -> Run;
}
