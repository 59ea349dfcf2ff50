//! `handover::channel()`: there is no capacity to choose.

use std::time::Duration;

use super::super::message::Message;
use super::super::rival::{Failed, Missing, Reason, Receiving, Rival, Rx, Sending, Sent, Tx};
use crate::channel::{Receiver, SendTimeoutError, Sender, channel};

pub const RIVAL: Rival = Rival {
    id: "handover",
    constructor: "channel()",
    package: Some("handover"),
    least: 0,
    open: |_| {
        let (tx, rx) = channel();
        (Box::new(tx), Box::new(rx))
    },
};

impl Tx for Sender<Message> {
    fn try_send(&self, message: Message) -> Sent {
        Sender::try_send(self, message).map_err(|error| {
            let reason = if error.is_full() {
                Reason::Full
            } else {
                Reason::Disconnected
            };
            Failed::with(reason, error.into_inner())
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
            other => Failed::with(Reason::Disconnected, other.into_inner()),
        }))
    }

    fn send(&self, message: Message) -> Result<Sending<'_>, Missing> {
        Ok(Box::pin(async move {
            let sent = self.send_async(message).await;
            sent.map_err(|error| Failed::with(Reason::Disconnected, error.into_inner()))
        }))
    }

    fn send_from<'a>(&'a self, home: &'a mut Option<Message>) -> Result<Sending<'a>, Missing> {
        Ok(Box::pin(async move {
            let sent = Sender::send_from(self, home).await;
            sent.map_err(|_| Failed::without(Reason::Disconnected))
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
        Err(Missing("it reports neither: nothing is ever held"))
    }
}
