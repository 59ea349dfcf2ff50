//! Promise P1, hand-over, as facts: a send completes only when the receiver has taken the message; nothing is
//! lost, nothing is taken twice; and what fails or is cancelled leaves the message with its sender.
//!
//! With real threads, with tokio (one thread and many), and with an executor that does nothing by itself, so
//! that each poll stands where the test says.

#![allow(
    clippy::unwrap_used,
    clippy::similar_names,
    reason = "all of it is tests; `send`, `sent` and `sending` are the words for what they name"
)]

#[path = "handover/accepting.rs"]
mod accepting;
#[path = "handover/adapters.rs"]
mod adapters;
#[path = "handover/cancelling.rs"]
mod cancelling;
#[path = "handover/closing.rs"]
mod closing;
#[path = "handover/declining.rs"]
mod declining;
#[path = "handover/demand.rs"]
mod demand;
#[path = "handover/foreign_wakers.rs"]
mod foreign_wakers;
#[path = "handover/ledger.rs"]
mod ledger;
#[path = "handover/meeting.rs"]
mod meeting;
#[path = "handover/offering.rs"]
mod offering;
#[path = "handover/stage.rs"]
mod stage;
#[path = "handover/timed_tasks.rs"]
mod timed_tasks;
#[path = "handover/timing_out.rs"]
mod timing_out;
#[path = "handover/trying.rs"]
mod trying;
