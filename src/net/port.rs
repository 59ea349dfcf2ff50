//! The local ends that a link holds, and by which numbers the wire knows them.
//!
//! # Invariants
//!
//! - A number of the wire leads to a port only while that channel is open on the wire; a port may outlive it.

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
    /// What became of the message that is under way, of which there is at most one.
    pub(super) settled: Option<(u64, Settlement)>,
    /// That message's number, until its outcome is known.
    pub(super) under_way: Option<u64>,
    /// The peer receives no more.
    pub(super) closed: bool,
    /// Because something went wrong there.
    pub(super) poison: Option<Reason>,
}

/// An end that hands messages from the peer to local receivers.
#[derive(Debug)]
pub(super) struct InPort {
    pub(super) name: String,
    /// What messages are received here.
    pub(super) message_type: MessageType,
    /// `None` until the peer opens the channel.
    pub(super) id: Option<ReceiveId>,
    /// A message is granted and has not arrived.
    pub(super) granted: bool,
    /// The message that arrived, of which there is at most one: it is granted one at a time.
    pub(super) arrived: Option<(u64, Bytes)>,
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
