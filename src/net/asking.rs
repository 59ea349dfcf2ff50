//! Asking a peer for ends of the channels that it shares.

use tokio::sync::Mutex;

use super::{
    access::Direction,
    end::NetError,
    ends::{ENDS, EndAnswer, EndRequest, Outcome, Use},
    link::Link,
    message::{Message, in_words, type_of},
};
use crate::{
    channel::{Receiver, Sender},
    process::{InToken, Network, OutToken},
    select_async,
    wire::MessageType,
};

/// Where a link's handles ask for ends: one request at a time.
#[derive(Default)]
pub(super) struct Desk(Mutex<Option<Counter>>);

struct Counter {
    requests: Sender<EndRequest>,
    answers: Receiver<EndAnswer>,
    /// How many requests were made.
    asked: u64,
}

/// Ends of channels that the peer owns: of its [`Hub`](super::Hub).
impl Link {
    /// Asks the peer for a sending end of its channel `channel`. What is sent there goes to whichever receiver waits,
    /// wherever it is.
    ///
    /// If nobody at the peer gives ends it waits for somebody who does.
    ///
    /// # Errors
    ///
    /// [`NetError::NotShared`], [`NetError::NotAllowedThere`], [`NetError::Mismatch`] or [`NetError::NotGiven`] if the
    /// peer refuses; otherwise as for [`sender`](Self::sender).
    ///
    /// # Cancel safety
    ///
    /// Dropped in the middle, it may leave one channel of the link in use until the link ends.
    pub async fn ask_sender<M: Message>(&self, channel: &str) -> Result<Sender<M>, NetError> {
        let wire = self.ask::<M>(channel, Use::Send).await?;
        self.sender_of(&wire)
    }

    /// Asks the peer for a receiving end of its channel `channel`; see [`ask_sender`](Self::ask_sender).
    ///
    /// # Errors
    ///
    /// As for [`ask_sender`](Self::ask_sender).
    ///
    /// # Cancel safety
    ///
    /// As for [`ask_sender`](Self::ask_sender).
    pub async fn ask_receiver<M: Message>(&self, channel: &str) -> Result<Receiver<M>, NetError> {
        let wire = self.ask::<M>(channel, Use::Receive).await?;
        self.receiver_of(&wire)
    }

    /// As [`ask_sender`](Self::ask_sender), for a process of `network`; see [`outlet`](Self::outlet).
    ///
    /// # Errors
    ///
    /// As for [`ask_sender`](Self::ask_sender).
    ///
    /// # Cancel safety
    ///
    /// As for [`ask_sender`](Self::ask_sender).
    pub async fn ask_outlet<M: Message>(
        &self,
        network: &mut Network,
        channel: &str,
    ) -> Result<OutToken<M>, NetError> {
        let wire = self.ask::<M>(channel, Use::Send).await?;
        self.outlet_as(network, channel, &wire)
    }

    /// As [`ask_receiver`](Self::ask_receiver), for a process of `network`; see [`inlet`](Self::inlet).
    ///
    /// # Errors
    ///
    /// As for [`ask_sender`](Self::ask_sender).
    ///
    /// # Cancel safety
    ///
    /// As for [`ask_sender`](Self::ask_sender).
    pub async fn ask_inlet<M: Message>(
        &self,
        network: &mut Network,
        channel: &str,
    ) -> Result<InToken<M>, NetError> {
        let wire = self.ask::<M>(channel, Use::Receive).await?;
        self.inlet_as(network, channel, &wire)
    }

    /// Asks for an end; returns the name of its wire channel.
    async fn ask<M: Message>(&self, channel: &str, to: Use) -> Result<String, NetError> {
        let direction = match to {
            Use::Send => Direction::ToPeer,
            Use::Receive => Direction::FromPeer,
        };
        self.check(direction, channel)?;
        let ours = type_of::<M>();
        let mut desk = self.desk().0.lock().await;
        let counter = match &mut *desk {
            Some(counter) => counter,
            none => none.insert(Counter {
                requests: self.sender_of(ENDS)?,
                answers: self.receiver_of(ENDS)?,
                asked: 0,
            }),
        };
        counter.asked += 1;
        let request = EndRequest {
            number: counter.asked,
            channel: channel.to_owned(),
            to,
            type_name: ours.name.clone(),
            type_version: ours.version,
        };
        let wire = request.wire_name();
        let Some(outcome) = counter.ask(request).await else {
            // The next request is a new beginning.
            *desk = None;
            return Err(self.why_nobody_answers());
        };
        drop(desk);
        let channel = channel.to_owned();
        Err(match outcome {
            Outcome::Given => return Ok(wire),
            Outcome::NotShared => NetError::NotShared { channel },
            Outcome::NotAllowed => NetError::NotAllowedThere {
                channel,
                is_to_send: to == Use::Send,
            },
            Outcome::Mismatch {
                type_name: name,
                type_version: version,
            } => NetError::Mismatch {
                channel,
                ours: in_words(&ours),
                theirs: in_words(&MessageType { name, version }),
            },
            Outcome::NotGiven(reason) => NetError::NotGiven { channel, reason },
        })
    }

    /// Nobody answers any more: because the link has ended, or else because nobody gives ends there.
    fn why_nobody_answers(&self) -> NetError {
        match self.has_ended() {
            Some(end) => NetError::Ended(end),
            None => NetError::NoHub,
        }
    }
}

impl Counter {
    /// Asks, and waits for the answer; `None` if none will come.
    async fn ask(&mut self, request: EndRequest) -> Option<Outcome> {
        let number = request.number;
        let mut request = Some(request);
        // An answer to a request that was given up may be on its way, and whoever gives it hears nothing before.
        while request.is_some() {
            select_async! {
                send(self.requests, &mut request) -> sent => sent.ok()?,
                recv(self.answers) -> stale => drop(stale.ok()?),
            }
        }
        loop {
            let answer = self.answers.recv_async().await.ok()?;
            if answer.number == number {
                return Some(answer.outcome);
            }
        }
    }
}
