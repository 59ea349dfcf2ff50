//! `flume::bounded(0)`.

use std::time::Duration;

use flume::{Receiver, SendTimeoutError, Sender, TrySendError};

use super::super::message::Message;
use super::super::rival::{Failed, Missing, Reason, Receiving, Rival, Rx, Sending, Sent, Tx};

pub const RIVAL: Rival = Rival {
    id: "flume",
    constructor: "bounded(0)",
    package: Some("flume"),
    least: 0,
    open: |capacity| {
        let (tx, rx) = flume::bounded(capacity);
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

    fn send(&self, message: Message) -> Result<Sending<'_>, Missing> {
        Ok(Box::pin(async move {
            let sent = self.send_async(message).await;
            sent.map_err(|error| Failed::with(Reason::Disconnected, error.into_inner()))
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

    fn recv(&mut self) -> Result<Receiving<'_>, Missing> {
        Ok(Box::pin(async { self.recv_async().await.ok() }))
    }

    fn length_and_capacity(&self) -> Result<(usize, usize), Missing> {
        let capacity = self
            .capacity()
            .ok_or(Missing("it says it has no capacity"))?;
        Ok((self.len(), capacity))
    }
}
