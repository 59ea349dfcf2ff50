//! Every interleaving of the meeting core, under loom.
//!
//! Each test states a fact that must hold in all of them; a lost wake-up shows as loom's "deadlock". Without
//! `--cfg loom` this crate is empty. `scripts/loom` runs it; its head says how a failing interleaving is
//! replayed.

#![cfg(all(loom, test))]
#![allow(
    clippy::unwrap_used,
    clippy::similar_names,
    reason = "all of it is tests; `send`, `sent` and `sending` are the words for what they name"
)]

mod alternations;
mod closing;
mod credit;
mod crowd;
mod demand;
mod giving_up;
mod holding;
mod meeting;
mod offering;
mod patterns;
mod peers;
mod poison;
mod scheduler;
mod select;
mod timers;
mod trying;
