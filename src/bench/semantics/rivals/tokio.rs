//! `tokio::sync::mpsc::channel(1)`.

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::super::message::Message;
use super::super::rival::{
    Failed, Missing, ONE_RECEIVER, Reason, Receiving, Rival, Rx, Sending, Sent, Tx,
};

pub const RIVAL: Rival = Rival {
    id: "tokio",
    constructor: "mpsc::channel(1)",
    package: Some("tokio"),
    least: 1,
    open: |capacity| {
        let (tx, rx) = channel(capacity);
        (Box::new(tx), Box::new(rx))
    },
};

impl Tx for Sender<Message> {
    fn try_send(&self, message: Message) -> Sent {
        Sender::try_send(self, message).map_err(|error| match error {
            TrySendError::Full(message) => Failed::with(Reason::Full, message),
            TrySendError::Closed(message) => Failed::with(Reason::Disconnected, message),
        })
    }

    fn send_blocking(&self, message: Message) -> Result<Sent, Missing> {
        let sent = self.blocking_send(message);
        Ok(sent.map_err(|error| Failed::with(Reason::Disconnected, error.0)))
    }

    fn send(&self, message: Message) -> Result<Sending<'_>, Missing> {
        Ok(Box::pin(async move {
            let sent = Sender::send(self, message).await;
            sent.map_err(|error| Failed::with(Reason::Disconnected, error.0))
        }))
    }

    // Waiting for a place first, and moving the message only once there is one.
    fn send_from<'a>(&'a self, home: &'a mut Option<Message>) -> Result<Sending<'a>, Missing> {
        Ok(Box::pin(async move {
            let Ok(place) = self.reserve().await else {
                return Err(Failed::without(Reason::Disconnected));
            };
            if let Some(message) = home.take() {
                place.send(message);
            }
            Ok(())
        }))
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
        Ok(self.blocking_recv())
    }

    fn recv(&mut self) -> Result<Receiving<'_>, Missing> {
        Ok(Box::pin(Receiver::recv(self)))
    }

    fn length_and_capacity(&self) -> Result<(usize, usize), Missing> {
        Ok((self.len(), self.max_capacity()))
    }
}
