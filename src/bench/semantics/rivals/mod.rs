//! The field, a file each. What a rival has no operation for is left to the defaults of the traits.

mod async_channel;
mod crossbeam;
mod crossfire;
mod flume;
mod handover;
mod kanal;
mod standard;
mod tokio;

use super::rival::Rival;

/// Every column of the table; the first is ours.
pub const ALL: [Rival; 9] = [
    handover::RIVAL,
    crossbeam::RIVAL,
    standard::RIVAL,
    flume::RIVAL,
    kanal::BLOCKING,
    kanal::TASKS,
    crossfire::RIVAL,
    async_channel::RIVAL,
    tokio::RIVAL,
];
