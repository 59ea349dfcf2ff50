//! The channels that take part, each in its own file: ours and its rivals, at the least capacity that they offer
//! and, where they can buffer, at 64.

mod async_channel;
mod crossbeam;
mod crossfire;
mod flume;
mod kanal;
mod ours;
mod standard;
mod tokio;

pub use self::{
    async_channel::AsyncChannel,
    crossbeam::Crossbeam,
    crossfire::{Crossfire, CrossfireShared, prepare as prepare_crossfire},
    flume::Flume,
    kanal::Kanal,
    ours::Handover,
    standard::Std,
    tokio::Tokio,
};
