//! Measuring: the same work through this crate's channel and through its rivals, interleaved round by round.
//!
//! What `cargo bench` and `handover bench` share. It comes with the feature `bench`, which alone pulls the rivals
//! in, and promises nothing to other crates: it changes with what is measured.
//!
//! ```no_run
//! use handover::bench::{Pace, markdown, measure, rows};
//! use std::ops::ControlFlow;
//!
//! for row in rows() {
//!     if let Some(result) = measure(&row, &Pace::QUICK, &mut |_| ControlFlow::Continue(())) {
//!         println!("{}", markdown::table(&result));
//!     }
//! }
//! ```

mod channels;
mod choice;
mod contender;
#[cfg(feature = "net")]
pub mod links;
pub mod markdown;
mod measure;
pub mod network;
pub mod picture;
mod rows;
mod run;
pub mod semantics;
pub mod shape;
mod statistics;
mod tasks;
mod threads;

pub use self::{
    choice::{ChoiceError, choose},
    measure::{ChannelResult, Pace, RowResult, Step, measure},
    rows::{ChannelId, Entry, Figure, Row, Workers, rows, versions},
    run::Run,
    statistics::Spread,
};
