//! Channels over TCP: this crate's beside bare sockets, `ZeroMQ` and `nng`.
//!
//! Who measures and who works are programs of their own, on 127.0.0.1: the Rust contenders in copies of the benchmark,
//! the C libraries in `benches/peers/*.c`, which fork. Rounds are interleaved as everywhere in [`bench`](super), and
//! ratios are taken within a round. What is measured, the variants of [`Row`] say; [`contenders()`] is the table of who
//! does what.

mod contenders;
mod idle;
mod library;
mod ours;
pub mod picture;
mod program;
mod raw;
mod record;
mod row;
pub mod table;
mod watch;

pub use self::{
    contenders::{Contender, Means, contenders, find, keep_apart},
    library::{Library, NoLibrary},
    program::{Plan, Programs, RowResult, RunError, measure},
    record::Record,
    row::{Order, Row, Side},
};
