//! The local ends that a link holds, and by which numbers the wire knows them.
//!
//! # Invariants
//!
//! - A number of the wire leads to a port only while that channel is open on the wire; a port may outlive it.
//! - Neither list of messages is longer than the wire's window of messages that are granted and not confirmed.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{
    channel::Reason,
    wire::{MessageType, ReceiveId, SendId, Settlement},
};

/// What the driver tells the pump of one local end.
#[derive(Debug)]
pub(super) enum Port {
    Out(OutPort),
    In(InPort),
}

/// An end that takes messages from local senders, for the peer.
#[derive(Debug)]
pub(super) struct OutPort {
    pub(super) id: SendId,
    /// The messages under way, in the order of their numbers, and what became of each if the pump was not told yet.
    pub(super) under_way: VecDeque<(u64, Option<Settlement>)>,
    /// The pump is to be told of one of them.
    pub(super) news: bool,
    /// The peer receives no more.
    pub(super) closed: bool,
    /// Because something went wrong there.
    pub(super) poison: Option<Reason>,
}

impl OutPort {
    /// Whether a message is under way of which the peer has not said what became of it.
    pub(super) fn awaits_an_outcome(&self) -> bool {
        !self.closed && self.under_way.iter().any(|(_, outcome)| outcome.is_none())
    }
}

/// An end that hands messages from the peer to local receivers.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that is so or not, by itself"
)]
pub(super) struct InPort {
    pub(super) name: String,
    /// What messages are received here.
    pub(super) message_type: MessageType,
    /// `None` until the peer opens the channel.
    pub(super) id: Option<ReceiveId>,
    /// The messages that arrived, within what was granted, and that the pump has not taken up.
    pub(super) arrived: VecDeque<(u64, Bytes)>,
    /// The pump has one that waits for a receiver: none behind it waits too.
    pub(super) is_held_up: bool,
    /// More was to be granted than the wire's window allowed.
    pub(super) is_short: bool,
    pub(super) revoke: Revoke,
    /// The sender wants this message back.
    pub(super) wanted_back: Option<u64>,
    /// It has a message that nobody waits for now, and waits for the outcome of what this side has sent: then a process
    /// that was to send may wait for it.
    pub(super) is_patient: bool,
    /// The peer sends no more.
    pub(super) closed: bool,
    /// Because something went wrong there.
    pub(super) poison: Option<Reason>,
}

/// Whether the peer is asked for what it was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revoke {
    No,
    Asked,
    /// It begins nothing more. What it has begun may still come.
    Answered,
}

/// From numbers of the wire to keys of ports.
#[derive(Debug, Default)]
pub(super) struct Routes(Vec<Option<u16>>);

impl Routes {
    pub(super) fn get(&self, number: u16) -> Option<u16> {
        self.0.get(usize::from(number)).copied().flatten()
    }

    /// The numbers are below the link's channel limit, which bounds the table.
    pub(super) fn set(&mut self, number: u16, key: u16) {
        let index = usize::from(number);
        if index >= self.0.len() {
            self.0.resize(index + 1, None);
        }
        self.0[index] = Some(key);
    }

    pub(super) fn clear(&mut self, number: u16) -> Option<u16> {
        self.0.get_mut(usize::from(number)).and_then(Option::take)
    }
}
