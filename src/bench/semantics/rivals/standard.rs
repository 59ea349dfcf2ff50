//! `std::sync::mpsc::sync_channel(0)`.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::super::message::Message;
use super::super::rival::{Failed, Missing, ONE_RECEIVER, Reason, Rival, Rx, Sent, Tx};

pub const RIVAL: Rival = Rival {
    id: "std",
    constructor: "sync_channel(0)",
    package: None,
    least: 0,
    open: |capacity| {
        let (tx, rx) = sync_channel(capacity);
        (Box::new(tx), Box::new(rx))
    },
};

impl Tx for SyncSender<Message> {
    fn try_send(&self, message: Message) -> Sent {
        SyncSender::try_send(self, message).map_err(|error| match error {
            TrySendError::Full(message) => Failed::with(Reason::Full, message),
            TrySendError::Disconnected(message) => Failed::with(Reason::Disconnected, message),
        })
    }

    fn send_blocking(&self, message: Message) -> Result<Sent, Missing> {
        let sent = SyncSender::send(self, message);
        Ok(sent.map_err(|error| Failed::with(Reason::Disconnected, error.0)))
    }
}

impl Rx for Receiver<Message> {
    fn another(&self) -> Result<Box<dyn Rx>, Missing> {
        Err(ONE_RECEIVER)
    }

    fn try_recv(&mut self) -> Option<Message> {
        Receiver::try_recv(self).ok()
    }

    fn recv_blocking(&mut self) -> Result<Option<Message>, Missing> {
        Ok(Receiver::recv(self).ok())
    }

    fn length_and_capacity(&self) -> Result<(usize, usize), Missing> {
        Err(Missing("it reports neither"))
    }
}
