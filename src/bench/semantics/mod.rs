//! What each channel of the field does at capacity zero, or at the least it offers, seen by running it.
//!
//! Every rival goes through the same scripts: polls with a waker written here, futures dropped at a chosen
//! moment, threads that block with a deadline. Each answer of the table comes from such a run, none is written
//! down; `docs/semantics.md` explains the questions and carries the table, and a test compares the two.
//!
//! ```
//! use handover::bench::semantics::Table;
//!
//! let table = Table::of_the_field();
//! let ours = table.answer("reported before taken", "handover").expect("each pair has an answer");
//! assert_eq!(ours.verdict, "no");
//! ```

mod message;
mod polling;
mod questions;
mod rival;
mod rivals;
mod table;
mod tasks;
mod threads;

pub use self::table::{Answer, Column, Row, Table};
