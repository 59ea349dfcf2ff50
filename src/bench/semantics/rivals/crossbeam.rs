//! `crossbeam_channel::bounded(0)`.

use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError};

use super::super::message::Message;
use super::super::rival::{Failed, Missing, Reason, Rival, Rx, Sent, Tx};

pub const RIVAL: Rival = Rival {
    id: "crossbeam",
    constructor: "bounded(0)",
    package: Some("crossbeam-channel"),
    least: 0,
    open: |capacity| {
        let (tx, rx) = crossbeam_channel::bounded(capacity);
        (Box::new(tx), Box::new(rx))
    },
};

impl Tx for Sender<Message> {
    fn try_send(&self, message: Message) -> Sent {
        Sender::try_send(self, message).map_err(|error| match error {
            TrySendError::Full(message) => Failed::with(Reason::Full, message),
            TrySendError::Disconnected(message) => Failed::with(Reason::Disconnected, message),
        })
    }

    fn send_blocking(&self, message: Message) -> Result<Sent, Missing> {
        let sent = Sender::send(self, message);
        Ok(sent.map_err(|error| Failed::with(Reason::Disconnected, error.into_inner())))
    }

    fn send_timeout(&self, message: Message, timeout: Duration) -> Result<Sent, Missing> {
        let sent = Sender::send_timeout(self, message, timeout);
        Ok(sent.map_err(|error| match error {
            SendTimeoutError::Timeout(message) => Failed::with(Reason::Timeout, message),
            SendTimeoutError::Disconnected(message) => Failed::with(Reason::Disconnected, message),
        }))
    }
}

impl Rx for Receiver<Message> {
    fn another(&self) -> Result<Box<dyn Rx>, Missing> {
        Ok(Box::new(self.clone()))
    }

    fn try_recv(&mut self) -> Option<Message> {
        Receiver::try_recv(self).ok()
    }

    fn recv_blocking(&mut self) -> Result<Option<Message>, Missing> {
        Ok(Receiver::recv(self).ok())
    }

    fn length_and_capacity(&self) -> Result<(usize, usize), Missing> {
        let capacity = self
            .capacity()
            .ok_or(Missing("it says it has no capacity"))?;
        Ok((self.len(), capacity))
    }
}
