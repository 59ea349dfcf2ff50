//! The patterns on top of the channels keep the promises of the channels: with threads, with tokio, and with futures
//! that are polled and dropped where the test says.

#![allow(
    clippy::unwrap_used,
    clippy::similar_names,
    reason = "all of it is tests; `send`, `sent` and `sending` are the words for what they name"
)]

#[path = "patterns/broadcast.rs"]
mod broadcast;
#[path = "patterns/call.rs"]
mod call;
#[path = "patterns/merge.rs"]
mod merge;
#[path = "patterns/partition.rs"]
mod partition;
#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with tests/handover.rs, which uses all of it"
)]
#[path = "handover/stage.rs"]
mod stage;
