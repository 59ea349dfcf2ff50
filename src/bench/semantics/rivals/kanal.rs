//! `kanal::bounded(0)` for threads and `kanal::bounded_async(0)` for tasks: two kinds of ends.

use std::time::Duration;

use kanal::{AsyncReceiver, AsyncSender, Receiver, SendErrorTimeout, Sender};

use super::super::message::Message;
use super::super::rival::{Failed, Missing, Reason, Receiving, Rival, Rx, Sending, Sent, Tx};

pub const BLOCKING: Rival = Rival {
    id: "kanal",
    constructor: "bounded(0)",
    package: Some("kanal"),
    least: 0,
    open: |capacity| {
        let (tx, rx) = kanal::bounded(capacity);
        (Box::new(tx), Box::new(rx))
    },
};

pub const TASKS: Rival = Rival {
    id: "kanal async",
    constructor: "bounded_async(0)",
    package: Some("kanal"),
    least: 0,
    open: |capacity| {
        let (tx, rx) = kanal::bounded_async(capacity);
        (Box::new(tx), Box::new(rx))
    },
};

const OTHER_ENDS: Missing = Missing("these ends are for threads, those for tasks are beside them");
const TASK_ENDS: Missing = Missing("these ends are for tasks, those for threads are beside them");

/// `try_send` answers with `false` where others have an error, and keeps the message either way.
fn tried(outcome: Result<bool, kanal::SendError>) -> Sent {
    if outcome.map_err(|_| Failed::without(Reason::Disconnected))? {
        Ok(())
    } else {
        Err(Failed::without(Reason::Full))
    }
}

impl Tx for Sender<Message> {
    fn try_send(&self, message: Message) -> Sent {
        tried(Sender::try_send(self, message))
    }

    fn send_blocking(&self, message: Message) -> Result<Sent, Missing> {
        let sent = Sender::send(self, message);
        Ok(sent.map_err(|_| Failed::without(Reason::Disconnected)))
    }

    fn send_timeout(&self, message: Message, timeout: Duration) -> Result<Sent, Missing> {
        let sent = Sender::send_timeout(self, message, timeout);
        Ok(sent.map_err(|error| match error {
            SendErrorTimeout::Timeout => Failed::without(Reason::Timeout),
            _ => Failed::without(Reason::Disconnected),
        }))
    }

    fn send(&self, _message: Message) -> Result<Sending<'_>, Missing> {
        Err(OTHER_ENDS)
    }
}

impl Rx for Receiver<Message> {
    fn another(&self) -> Result<Box<dyn Rx>, Missing> {
        Ok(Box::new(self.clone()))
    }

    fn try_recv(&mut self) -> Option<Message> {
        Receiver::try_recv(self).ok().flatten()
    }

    fn recv_blocking(&mut self) -> Result<Option<Message>, Missing> {
        Ok(Receiver::recv(self).ok())
    }

    fn recv(&mut self) -> Result<Receiving<'_>, Missing> {
        Err(OTHER_ENDS)
    }

    fn length_and_capacity(&self) -> Result<(usize, usize), Missing> {
        Ok((self.len(), self.capacity()))
    }
}

impl Tx for AsyncSender<Message> {
    fn try_send(&self, message: Message) -> Sent {
        tried(AsyncSender::try_send(self, message))
    }

    fn send_blocking(&self, _message: Message) -> Result<Sent, Missing> {
        Err(TASK_ENDS)
    }

    fn send_timeout(&self, _message: Message, _timeout: Duration) -> Result<Sent, Missing> {
        Err(TASK_ENDS)
    }

    fn send(&self, message: Message) -> Result<Sending<'_>, Missing> {
        Ok(Box::pin(async move {
            let sent = AsyncSender::send(self, message).await;
            sent.map_err(|_| Failed::without(Reason::Disconnected))
        }))
    }
}

impl Rx for AsyncReceiver<Message> {
    fn another(&self) -> Result<Box<dyn Rx>, Missing> {
        Ok(Box::new(self.clone()))
    }

    fn try_recv(&mut self) -> Option<Message> {
        AsyncReceiver::try_recv(self).ok().flatten()
    }

    fn recv_blocking(&mut self) -> Result<Option<Message>, Missing> {
        Err(TASK_ENDS)
    }

    fn recv(&mut self) -> Result<Receiving<'_>, Missing> {
        Ok(Box::pin(async { AsyncReceiver::recv(self).await.ok() }))
    }

    fn length_and_capacity(&self) -> Result<(usize, usize), Missing> {
        Ok((self.len(), self.capacity()))
    }
}
