//! `crossfire::mpmc`, bounded: the flavour with which both threads and tasks may send and receive.

use std::time::Duration;

use crossfire::mpmc::{Array, bounded_blocking};
use crossfire::{MAsyncRx, MAsyncTx, MRx, MTx, SendTimeoutError, TrySendError};

use super::super::message::Message;
use super::super::rival::{Failed, Missing, Reason, Receiving, Rival, Rx, Sending, Sent, Tx};

pub const RIVAL: Rival = Rival {
    id: "crossfire",
    constructor: "mpmc bounded(1)",
    package: Some("crossfire"),
    least: 1,
    open: |capacity| {
        let (tx, rx) = bounded_blocking(capacity);
        (Box::new(Sender(tx)), Box::new(Receiver(rx)))
    },
};

struct Sender(MTx<Array<Message>>);

struct Receiver(MRx<Array<Message>>);

impl Tx for Sender {
    fn try_send(&self, message: Message) -> Sent {
        self.0.try_send(message).map_err(|error| match error {
            TrySendError::Full(message) => Failed::with(Reason::Full, message),
            TrySendError::Disconnected(message) => Failed::with(Reason::Disconnected, message),
        })
    }

    fn send_blocking(&self, message: Message) -> Result<Sent, Missing> {
        let sent = self.0.send(message);
        Ok(sent.map_err(|error| Failed::with(Reason::Disconnected, error.0)))
    }

    fn send_timeout(&self, message: Message, timeout: Duration) -> Result<Sent, Missing> {
        let sent = self.0.send_timeout(message, timeout);
        Ok(sent.map_err(|error| match error {
            SendTimeoutError::Timeout(message) => Failed::with(Reason::Timeout, message),
            SendTimeoutError::Disconnected(message) => Failed::with(Reason::Disconnected, message),
        }))
    }

    fn send(&self, message: Message) -> Result<Sending<'_>, Missing> {
        let sender = MAsyncTx::from(self.0.clone());
        Ok(Box::pin(async move {
            let sent = sender.send(message).await;
            sent.map_err(|error| Failed::with(Reason::Disconnected, error.0))
        }))
    }
}

impl Rx for Receiver {
    fn another(&self) -> Result<Box<dyn Rx>, Missing> {
        Ok(Box::new(Self(self.0.clone())))
    }

    fn try_recv(&mut self) -> Option<Message> {
        self.0.try_recv().ok()
    }

    fn recv_blocking(&mut self) -> Result<Option<Message>, Missing> {
        Ok(self.0.recv().ok())
    }

    fn recv(&mut self) -> Result<Receiving<'_>, Missing> {
        let receiver = MAsyncRx::from(self.0.clone());
        Ok(Box::pin(async move { receiver.recv().await.ok() }))
    }

    fn length_and_capacity(&self) -> Result<(usize, usize), Missing> {
        let capacity = self
            .0
            .capacity()
            .ok_or(Missing("it says it has no capacity"))?;
        Ok((self.0.len(), capacity))
    }
}
